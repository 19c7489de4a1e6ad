//! The sandbox behind a loopback address: accepts connections, a thread each, and lets each one's
//! calls through in turn. It refuses to be reachable from other machines.

mod connection;

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use crate::control;
use crate::effect::Effect;
use crate::http::{Answer, Call};
use crate::routes;
use crate::sandbox::Sandbox;
use crate::store::fault::{DropPoint, FaultKind};
use connection::{Connection, Framing, Head, ReadError};

/// More connections at once than this are turned away with 503.
const MOST_CONNECTIONS: usize = 256;

/// A sandbox that listens. Dropping it ends every connection and waits for its threads.
pub struct Listener {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// What the acceptor, the connections and the listener know of each other.
#[derive(Default)]
struct Shared(Mutex<Connections>);

#[derive(Default)]
struct Connections {
    stopping: bool,
    next: u64,
    open: HashMap<u64, TcpStream>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.lock().stopping
    }
}

impl Sandbox {
    /// Listens on a loopback address; port 0 takes any free one.
    ///
    /// # Errors
    ///
    /// Where the address is not a loopback one, or cannot be had.
    pub fn listen(self: Arc<Self>, address: SocketAddr) -> io::Result<Listener> {
        if !address.ip().is_loopback() {
            let text = "the sandbox listens on loopback addresses only";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let socket = TcpListener::bind(address)?;
        let address = socket.local_addr()?;
        let shared = Arc::new(Shared::default());
        let known = Arc::clone(&shared);
        let acceptor = Builder::new()
            .name("sandbox-accept".to_owned())
            .spawn(move || accept(&self, &socket, &known))?;
        Ok(Listener {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }
}

impl Listener {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL to give to a client.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends every connection and waits until all threads are done.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(acceptor) = self.acceptor.take() else {
            return;
        };
        {
            let mut connections = self.shared.lock();
            connections.stopping = true;
            for stream in connections.open.values() {
                let _already_closed = stream.shutdown(Shutdown::Both);
            }
        }
        // The acceptor sits in `accept`; a connection from ourselves gets it out.
        drop(TcpStream::connect(self.address));
        let _its_panic_was_reported = acceptor.join();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.end();
    }
}

fn accept(sandbox: &Arc<Sandbox>, socket: &TcpListener, shared: &Arc<Shared>) {
    let mut workers: Vec<JoinHandle<()>> = Vec::new();
    for stream in socket.incoming() {
        if shared.is_stopping() {
            break;
        }
        workers.retain(|worker| !worker.is_finished());
        // A failed accept, or no thread to be had, concerns one client only.
        if let Ok(stream) = stream
            && let Ok(worker) = spawn(sandbox, stream, shared)
        {
            workers.extend(worker);
        }
    }
    for worker in workers {
        let _its_panic_was_reported = worker.join();
    }
}

/// Starts the thread of one connection, if there is room for it.
fn spawn(
    sandbox: &Arc<Sandbox>,
    stream: TcpStream,
    shared: &Arc<Shared>,
) -> io::Result<Option<JoinHandle<()>>> {
    let mut connections = shared.lock();
    if connections.stopping {
        return Ok(None);
    }
    if connections.open.len() >= MOST_CONNECTIONS {
        drop(connections);
        let answer = Answer::html(503).with("content-length", "0");
        Connection::new(stream)?.write_answer(&answer, false, 0)?;
        return Ok(None);
    }
    let id = connections.next;
    connections.next += 1;
    connections.open.insert(id, stream.try_clone()?);
    drop(connections);
    let (sandbox, known) = (Arc::clone(sandbox), Arc::clone(shared));
    let started = Builder::new().name(format!("sandbox-{id}")).spawn(move || {
        let leaving = Leaving { shared: &known, id };
        if let Ok(connection) = Connection::new(stream) {
            serve(&sandbox, connection, leaving.shared);
        }
    });
    if started.is_err() {
        shared.lock().open.remove(&id);
    }
    started.map(Some)
}

/// Takes a connection off the list when its thread ends, however it ends.
struct Leaving<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.shared.lock().open.remove(&self.id);
    }
}

/// Answers the calls of one connection until one side has had enough.
fn serve(sandbox: &Sandbox, mut connection: Connection, shared: &Shared) {
    loop {
        let step = connection
            .read_head()
            .map_err(|why| (why, None))
            .and_then(|head| call(sandbox, &mut connection, head, shared));
        match step {
            Ok(true) => {}
            Ok(false) => return connection.close(),
            Err((why, seen)) => return turn_away(sandbox, connection, why, seen),
        }
    }
}

/// Reads the rest of one call and answers it. `true` when the connection goes on.
fn call(
    sandbox: &Sandbox,
    connection: &mut Connection,
    head: Head,
    shared: &Shared,
) -> Result<bool, (ReadError, Option<Box<Call>>)> {
    let Head {
        mut call,
        framing,
        keep_alive,
        expects_continue,
    } = head;
    let fault = sandbox.take_fault(&call);
    if fault
        == Some(FaultKind::Drop {
            at: DropPoint::BeforeRead,
        })
    {
        sandbox.exchange(&call, fault);
        return Ok(false);
    }
    // `curl -X POST` sends no length; LINE minds, the control endpoints need not.
    let minds = fault.is_none() && !call.path.starts_with(control::PREFIX);
    if framing == Framing::Missing && minds {
        return Err((ReadError::LengthMissing, Some(Box::new(call))));
    }
    let cap = routes::body_cap(&call.path);
    let fits = !matches!(framing, Framing::Length(length) if length == 0 || length > cap);
    if expects_continue && fits && connection.write(b"HTTP/1.1 100 Continue\r\n\r\n").is_err() {
        return Ok(false);
    }
    match connection.read_body(framing, cap) {
        Ok(body) => call.body = body,
        Err(why) => return Err((why, Some(Box::new(call)))),
    }
    let effect = sandbox.exchange(&call, fault);
    let body_length = if call.method == "HEAD" { 0 } else { u64::MAX };
    Ok(give(
        sandbox,
        connection,
        effect,
        keep_alive,
        body_length,
        shared,
    ))
}

/// Puts an answer on the connection, or what is left of it. `true` when the connection goes on.
fn give(
    sandbox: &Sandbox,
    connection: &mut Connection,
    effect: Effect,
    keep_alive: bool,
    body_length: u64,
    shared: &Shared,
) -> bool {
    let wait = |connection: &Connection, time| {
        connection.wait(
            time,
            |slice| (sandbox.settings().sleep)(slice),
            || shared.is_stopping(),
        )
    };
    let answer = match effect {
        Effect::Answer(answer) => answer,
        Effect::Late(time, answer) => {
            if !wait(connection, time) {
                return false;
            }
            answer
        }
        Effect::Truncated(answer) => {
            let _client_gone = connection.write_answer(&answer, false, answer.body.len() / 2);
            return false;
        }
        Effect::Silence(time) => {
            wait(connection, time);
            return false;
        }
        Effect::Closed => return false,
        Effect::Garbage => {
            let _client_gone = connection.write(b"\x16\x03 this is not HTTP \xff\xfe\r\n\r\n");
            return false;
        }
    };
    connection
        .write_answer(&answer, keep_alive, body_length)
        .is_ok()
        && keep_alive
}

/// Answers what cannot be read, where anyone is left to read the answer, and hangs up.
fn turn_away(
    sandbox: &Sandbox,
    mut connection: Connection,
    why: ReadError,
    seen: Option<Box<Call>>,
) {
    let status = match why {
        ReadError::Gone => return connection.close(),
        ReadError::Malformed => 400,
        ReadError::LengthMissing => 411,
        ReadError::HeadTooLarge => 431,
        ReadError::BodyTooLarge => 413,
    };
    let call = seen.map_or_else(|| Call::new("", "/"), |call| *call);
    let answer = sandbox.turn_away(&call, Answer::html(status));
    if connection.write_answer(&answer, false, u64::MAX).is_ok() {
        connection.close_gently();
    }
}

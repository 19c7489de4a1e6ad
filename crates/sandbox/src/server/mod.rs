//! The HTTP server: it listens on a loopback address, with one thread per connection. It refuses any
//! address that other machines could reach.

mod connection;
mod cross_site;

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

/// Further connections are refused with 503.
const MAX_CONNECTIONS: usize = 256;

/// A sandbox that listens on a loopback address. Dropping it closes every connection and waits for
/// its threads.
pub struct Listener {
    address: SocketAddr,
    registry: Arc<Registry>,
    acceptor: Option<JoinHandle<()>>,
}

/// The open connections, shared by the listener, the acceptor and the connections' threads.
#[derive(Default)]
struct Registry(Mutex<Connections>);

#[derive(Default)]
struct Connections {
    stopping: bool,
    next: u64,
    open: HashMap<u64, TcpStream>,
}

impl Registry {
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
    /// If the address is not a loopback address, or cannot be bound.
    pub fn listen(self: Arc<Self>, address: SocketAddr) -> io::Result<Listener> {
        if !address.ip().is_loopback() {
            let text = "the sandbox listens on loopback addresses only";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let socket = TcpListener::bind(address)?;
        let address = socket.local_addr()?;
        let registry = Arc::new(Registry::default());
        let shared = Arc::clone(&registry);
        let acceptor = Builder::new()
            .name("sandbox-accept".to_owned())
            .spawn(move || accept(&self, &socket, &shared))?;
        Ok(Listener {
            address,
            registry,
            acceptor: Some(acceptor),
        })
    }
}

impl Listener {
    /// The address it listens on, with the port that was chosen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL to give to a client.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes every connection and waits until all threads have ended.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(acceptor) = self.acceptor.take() else {
            return;
        };
        {
            let mut connections = self.registry.lock();
            connections.stopping = true;
            for stream in connections.open.values() {
                let _already_closed = stream.shutdown(Shutdown::Both);
            }
        }
        // The acceptor blocks in `accept`; a connection of our own wakes it.
        drop(TcpStream::connect(self.address));
        let _its_panic_was_reported = acceptor.join();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.end();
    }
}

fn accept(sandbox: &Arc<Sandbox>, socket: &TcpListener, registry: &Arc<Registry>) {
    let mut workers: Vec<JoinHandle<()>> = Vec::new();
    for stream in socket.incoming() {
        if registry.is_stopping() {
            break;
        }
        workers.retain(|worker| !worker.is_finished());
        // A failed accept, or a thread that cannot be started, concerns one client only.
        if let Ok(stream) = stream
            && let Ok(worker) = spawn(sandbox, stream, registry)
        {
            workers.extend(worker);
        }
    }
    for worker in workers {
        let _its_panic_was_reported = worker.join();
    }
}

/// Starts the thread of one connection, or refuses it where there are too many.
fn spawn(
    sandbox: &Arc<Sandbox>,
    stream: TcpStream,
    registry: &Arc<Registry>,
) -> io::Result<Option<JoinHandle<()>>> {
    let mut connections = registry.lock();
    if connections.stopping {
        return Ok(None);
    }
    if connections.open.len() >= MAX_CONNECTIONS {
        drop(connections);
        let answer = Answer::html(503).with("content-length", "0");
        Connection::new(stream)?.write_answer(&answer, false, 0)?;
        return Ok(None);
    }
    let id = connections.next;
    connections.next += 1;
    connections.open.insert(id, stream.try_clone()?);
    drop(connections);
    let (sandbox, shared) = (Arc::clone(sandbox), Arc::clone(registry));
    let started = Builder::new().name(format!("sandbox-{id}")).spawn(move || {
        let registration = Registration {
            registry: &shared,
            id,
        };
        if let Ok(connection) = Connection::new(stream) {
            serve(&sandbox, connection, registration.registry);
        }
    });
    if started.is_err() {
        registry.lock().open.remove(&id);
    }
    started.map(Some)
}

/// Removes a connection from the registry when its thread ends, even by a panic.
struct Registration<'a> {
    registry: &'a Registry,
    id: u64,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.registry.lock().open.remove(&self.id);
    }
}

/// Answers the calls of one connection until either side closes it.
fn serve(sandbox: &Sandbox, mut connection: Connection, registry: &Registry) {
    loop {
        let step = connection
            .read_head()
            .map_err(|error| (error, None))
            .and_then(|head| answer_call(sandbox, &mut connection, head, registry));
        match step {
            Ok(true) => {}
            Ok(false) => return connection.close(),
            Err((error, seen)) => return refuse(sandbox, connection, error, seen),
        }
    }
}

/// Reads the rest of one call and answers it. `true` if the connection stays open.
fn answer_call(
    sandbox: &Sandbox,
    connection: &mut Connection,
    head: Head,
    registry: &Registry,
) -> Result<bool, (ReadError, Option<Box<Call>>)> {
    let Head {
        mut call,
        framing,
        keep_alive,
        expects_continue,
    } = head;
    if let Some(answer) = cross_site::refusal(&call) {
        let _client_gone = connection.write_answer(&answer, false, u64::MAX);
        return Ok(false);
    }
    let fault = sandbox.take_fault(&call);
    if fault
        == Some(FaultKind::Drop {
            at: DropPoint::BeforeRead,
        })
    {
        sandbox.handle(&call, fault);
        return Ok(false);
    }
    // `curl -X POST` sends no length. LINE refuses that; the control endpoints need not.
    let needs_length = fault.is_none() && !call.path.starts_with(control::PREFIX);
    if framing == Framing::Missing && needs_length {
        return Err((ReadError::LengthMissing, Some(Box::new(call))));
    }
    let max_bytes = routes::max_body_bytes(&call.path);
    let fits = !matches!(framing, Framing::Length(length) if length == 0 || length > max_bytes);
    if expects_continue && fits && connection.write(b"HTTP/1.1 100 Continue\r\n\r\n").is_err() {
        return Ok(false);
    }
    match connection.read_body(framing, max_bytes) {
        Ok(body) => call.body = body,
        Err(error) => return Err((error, Some(Box::new(call)))),
    }
    let effect = sandbox.handle(&call, fault);
    let body_length = if call.method == "HEAD" { 0 } else { u64::MAX };
    Ok(send_effect(
        sandbox,
        connection,
        effect,
        keep_alive,
        body_length,
        registry,
    ))
}

/// Writes what a call came to. `true` if the connection stays open.
fn send_effect(
    sandbox: &Sandbox,
    connection: &mut Connection,
    effect: Effect,
    keep_alive: bool,
    body_length: u64,
    registry: &Registry,
) -> bool {
    let wait = |connection: &Connection, time| {
        connection.wait(
            time,
            |slice| (sandbox.settings().sleep)(slice),
            || registry.is_stopping(),
        )
    };
    let answer = match effect {
        Effect::Answer(answer) => answer,
        Effect::Delayed(time, answer) => {
            if !wait(connection, time) {
                return false;
            }
            answer
        }
        Effect::Truncated(answer) => {
            let _client_gone = connection.write_answer(&answer, false, answer.body.len() / 2);
            return false;
        }
        Effect::Stalled(time) => {
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

/// Answers a request that cannot be read, and closes the connection.
fn refuse(
    sandbox: &Sandbox,
    mut connection: Connection,
    error: ReadError,
    seen: Option<Box<Call>>,
) {
    let status = match error {
        ReadError::Gone => return connection.close(),
        ReadError::Malformed => 400,
        ReadError::LengthMissing => 411,
        ReadError::HeadTooLarge => 431,
        ReadError::BodyTooLarge => 413,
    };
    let call = seen.map_or_else(|| Call::new("", "/"), |call| *call);
    let answer = sandbox.refuse(&call, Answer::html(status));
    if connection.write_answer(&answer, false, u64::MAX).is_ok() {
        connection.close_after_answer();
    }
}

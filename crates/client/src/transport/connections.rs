//! Connections for many calls at once. Each call under way has an agent to itself, so that calls
//! meet at no lock while one of them looks after its connection, and so that it is known whether a
//! call that failed had a connection at all.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::Authority;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Duration as Left;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, LazyBuffers, NextTimeout,
    RustlsConnector, TcpConnector, Transport,
};
use ureq::{Agent, Error};

use crate::names;
use line_connector_http::Secret;

/// How many agents are kept that no call needs, whatever they connect to.
const MAX_KEPT: usize = 64;
/// How long an agent that no call needs keeps its connections.
const AGENT_KEPT: Duration = Duration::from_secs(15);
/// The longest answer of a proxy that is asked for a tunnel, beyond what comes at once.
const MAX_PROXY_ANSWER_BYTES: usize = 8 * 1024;
/// To how much a socket's timeouts are rounded up: a call ends at most that much too late.
const STEP: Duration = Duration::from_millis(100);

/// The agents of one way to connect.
#[derive(Debug)]
pub(super) struct Agents {
    config: Config,
    /// With one set of certificates.
    tls: Arc<RustlsConnector>,
    kept: Arc<Kept>,
}

/// An agent, and how far its call has come.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    progress: Progress,
}

/// The agents that no call uses, of several clients, the longest unused first. Their connections take up
/// file descriptors, which nobody gets more of by connecting in many ways.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<VecDeque<Idle>>);

/// An agent that no call uses.
#[derive(Debug)]
struct Idle {
    since: Instant,
    /// Who it belongs to: its client is known by its certificates.
    of: Arc<RustlsConnector>,
    owner: Option<Secret>,
    client: Client,
}

impl Kept {
    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps one more, and closes what was kept long enough, and what is too much.
    fn keep(&self, one: Idle) {
        let mut idle = self.idle();
        let now = one.since;
        idle.push_back(one);
        let old = idle.partition_point(|idle| now.duration_since(idle.since) >= AGENT_KEPT);
        let gone = old.max(idle.len().saturating_sub(MAX_KEPT));
        let gone: Vec<Idle> = idle.drain(..gone).collect();
        // Closing takes time that nobody should wait for.
        drop(idle);
        drop(gone);
    }

    /// Closes everything.
    fn clear(&self) {
        let gone = std::mem::take(&mut *self.idle());
        drop(gone);
    }
}

/// What a call is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A name is looked up.
    Resolve,
    /// A connection is opened.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// The request is sent: to a proxy, where there is no connection beyond it yet.
    Send,
    /// The answer is awaited.
    Wait,
    /// The answer is read.
    Read,
}

/// How far a call has come, shared by an agent and its parts.
#[derive(Debug, Clone, Default)]
struct Progress(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether the call failed before it had a connection.
    unconnected: AtomicBool,
    /// Whether a byte of its request may have been sent.
    sent: AtomicBool,
    /// What it did last, and with whom.
    last: Mutex<Option<(Phase, Option<Authority>)>>,
    /// While it connects: until when it may.
    until: Mutex<Option<Instant>>,
}

impl Progress {
    fn last(&self) -> MutexGuard<'_, Option<(Phase, Option<Authority>)>> {
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on this is what the call does, and with whom.
    fn enter(&self, phase: Phase, with: &Uri) {
        *self.last() = Some((phase, with.authority().cloned()));
    }

    /// The same with whoever it was before; what a handshake sends and reads belongs to it.
    fn go_on(&self, phase: Phase) {
        if let Some((last, _)) = self.last().as_mut()
            && *last != Phase::Handshake
        {
            *last = phase;
        }
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is left of a time. The parts that connect start again from the whole of it, or take it for
    /// each piece that they read: while the call connects, no more than what connecting has left counts.
    fn left(&self, of: NextTimeout) -> Result<NextTimeout, Error> {
        let Some(until) = *self.until() else {
            return Ok(of);
        };
        let left = until.saturating_duration_since(Instant::now());
        // To sockets zero stands for something else.
        if left.is_zero() {
            return Err(Error::Timeout(of.reason));
        }
        let after = Left::Exact(left.min(*of.after));
        Ok(NextTimeout { after, ..of })
    }

    /// Notes that there was no connection, where something failed.
    fn on_failure<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            self.0.unconnected.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Agents {
    /// Agents with this configuration, which are kept among these. Nothing is connected yet.
    pub(super) fn new(config: Config, kept: Arc<Kept>) -> Self {
        Self {
            config,
            tls: Arc::default(),
            kept,
        }
    }

    /// An agent for the requests of one owner of credentials: the one that it used last, whose connection
    /// is likeliest to be open. Nobody gets another's: a server may say more than it was asked, and what
    /// comes late on a connection would be the answer to whoever uses it next.
    pub(super) fn lend(&self, owner: Option<&Secret>) -> Client {
        let mut idle = self.kept.idle();
        let own = |idle: &Idle| Arc::ptr_eq(&idle.of, &self.tls) && idle.owner.as_ref() == owner;
        let own = idle.iter().rposition(own);
        let own = own.and_then(|place| idle.remove(place));
        drop(idle);
        own.map_or_else(|| self.client(), |idle| idle.client)
    }

    /// Keeps an agent for later requests of its owner.
    pub(super) fn keep(&self, client: Client, owner: Option<Secret>) {
        self.kept.keep(Idle {
            since: Instant::now(),
            of: Arc::clone(&self.tls),
            owner,
            client,
        });
    }

    fn client(&self) -> Client {
        let progress = Progress::default();
        let connect = Connect {
            tls: Arc::clone(&self.tls),
            progress: progress.clone(),
            kept: Arc::downgrade(&self.kept),
        };
        let names = Names {
            progress: progress.clone(),
        };
        let agent = Agent::with_parts(self.config.clone(), connect, names);
        Client { agent, progress }
    }
}

impl Client {
    /// A call begins, over a connection that is there already if it says nothing else.
    pub(super) fn begin(&self, uri: &Uri) {
        let progress = &self.progress;
        progress.0.unconnected.store(false, Ordering::Relaxed);
        progress.0.sent.store(false, Ordering::Relaxed);
        *progress.until() = None;
        progress.enter(Phase::Send, uri);
    }

    /// Whether the call failed before there was a connection, TLS and proxies included: then no
    /// byte of its request was sent.
    pub(super) fn is_unconnected(&self) -> bool {
        self.progress.0.unconnected.load(Ordering::Relaxed)
    }

    /// Whether anything of its request may have been sent.
    pub(super) fn maybe_sent(&self) -> bool {
        self.progress.0.sent.load(Ordering::Relaxed)
    }

    /// What the call did last, and with whom.
    pub(super) fn last(&self) -> Option<(Phase, Option<Authority>)> {
        self.progress.last().clone()
    }
}

impl Deref for Client {
    type Target = Agent;

    fn deref(&self) -> &Agent {
        &self.agent
    }
}

/// How an agent connects: over TCP, or a tunnel through a proxy, and over TLS where the URL says so.
#[derive(Debug)]
struct Connect {
    tls: Arc<RustlsConnector>,
    progress: Progress,
    /// Where connections are that nobody needs; those are asked to make room.
    kept: Weak<Kept>,
}

impl Connector for Connect {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let mut until = self.progress.until();
        // A proxy is connected to on the way to a connection through it, and within its time.
        let on_the_way = until.is_some();
        if let (false, Left::Exact(after)) = (on_the_way, details.timeout.after) {
            *until = Instant::now().checked_add(after);
        }
        drop(until);
        let mut connected = self.open(details, chained);
        if connected.as_ref().is_err_and(is_out_of_files)
            && let Some(kept) = self.kept.upgrade()
        {
            kept.clear();
            connected = self.open(details, chained);
        }
        let connected = self.progress.on_failure(connected);
        if !on_the_way {
            *self.progress.until() = None;
            // Handshakes send too.
            self.progress.0.sent.store(false, Ordering::Relaxed);
        }
        connected.map(Some)
    }
}

impl Connect {
    fn open(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Connection, Error> {
        let progress = &self.progress;
        let details = &self.now(details)?;
        progress.enter(Phase::Connect, details.uri);
        let plain = ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default());
        let plain = plain.connect(details, chained)?.map(Beneath);
        let details = &self.now(details)?;
        if details.needs_tls() {
            progress.enter(Phase::Handshake, details.uri);
        }
        let secured = self.tls.connect(details, plain)?;
        progress.enter(Phase::Send, details.uri);
        let (input, output) = (
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Connection {
            inner: Box::new(secured.ok_or(Error::ConnectionFailed)?),
            buffers: LazyBuffers::new(input, output),
            held: 0,
            heard: false,
            progress: progress.clone(),
        })
    }

    /// The same, with the time that is left now.
    fn now<'a>(&self, details: &ConnectionDetails<'a>) -> Result<ConnectionDetails<'a>, Error> {
        Ok(ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: (details.current_time)(),
            timeout: self.progress.left(details.timeout)?,
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::clone(&details.register_shutdown),
        })
    }
}

/// What TLS reads from. TLS by itself leaves bytes out of sight that came and were not looked at yet.
#[derive(Debug)]
struct Beneath<T>(T);

impl<T: Transport> Transport for Beneath<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.buffers().input().is_empty() && self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

/// A connection whose cut is an error: the client takes it for the end of a body that has no length,
/// and what came of a file for all of it. It also asks less of the system: it sends the head and the
/// body of a request together, sets its socket's timeouts only where they differ noticeably, and is
/// probed once between two requests. Without that, `serve` makes a quarter to a third fewer requests
/// a second with 32 in flight (`benches/warm.py`).
#[derive(Debug)]
struct Connection {
    inner: Box<dyn Transport>,
    buffers: LazyBuffers,
    /// How much of the output waits to be sent: at the latest until an answer is awaited.
    held: usize,
    /// Whether something came since it was last asked about.
    heard: bool,
    progress: Progress,
}

impl Connection {
    /// Sends what waits.
    fn send(&mut self, timeout: NextTimeout) -> Result<(), Error> {
        let held = std::mem::take(&mut self.held);
        if held > 0 {
            self.progress.go_on(Phase::Send);
            self.progress.0.sent.store(true, Ordering::Relaxed);
        }
        let mut waiting = &self.buffers.output()[..held];
        while !waiting.is_empty() {
            let timeout = self.progress.left(timeout)?;
            let room = self.inner.buffers().output();
            let (now, later) = waiting.split_at(waiting.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            self.inner.transmit_output(now.len(), rounded(timeout))?;
            waiting = later;
        }
        Ok(())
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.held += amount;
        // A body comes in pieces as large as there is room.
        if self.held > self.buffers.output().len() / 2 {
            self.send(timeout)?;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let first = self.held > 0;
        self.send(timeout)?;
        if first {
            self.progress.go_on(Phase::Wait);
        }
        let buffered = self.buffers.input().len();
        if buffered > MAX_PROXY_ANSWER_BYTES && self.progress.until().is_some() {
            return Err(Error::LargeResponseHeader(buffered, MAX_PROXY_ANSWER_BYTES));
        }
        if self.inner.buffers().input().is_empty() {
            let timeout = self.progress.left(timeout)?;
            self.inner.await_input(rounded(timeout)).map_err(cut)?;
        }
        let came = self.inner.buffers().input();
        let room = self.buffers.input_append_buf();
        let amount = came.len().min(room.len());
        room[..amount].copy_from_slice(&came[..amount]);
        self.buffers.input_appended(amount);
        self.inner.buffers().input_consume(amount);
        if amount > 0 {
            self.progress.go_on(Phase::Read);
        }
        self.heard = amount > 0;
        Ok(amount > 0)
    }

    /// The client asks when it puts a connection away, which is right behind an answer, and again
    /// before it uses it. Only then the system is asked: whether the peer has closed it, or said more
    /// than it should.
    fn is_open(&mut self) -> bool {
        let put_away = std::mem::take(&mut self.heard);
        self.held == 0
            && self.inner.buffers().input().is_empty()
            && (put_away || self.inner.is_open())
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

impl Buffers for Connection {
    fn output(&mut self) -> &mut [u8] {
        &mut self.buffers.output()[self.held..]
    }

    fn input(&self) -> &[u8] {
        self.buffers.input()
    }

    fn input_append_buf(&mut self) -> &mut [u8] {
        self.buffers.input_append_buf()
    }

    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        let (tmp, output) = self.buffers.tmp_and_output();
        (tmp, &mut output[self.held..])
    }

    fn input_appended(&mut self, amount: usize) {
        self.buffers.input_appended(amount);
    }

    fn input_consume(&mut self, amount: usize) {
        self.buffers.input_consume(amount);
    }

    fn can_use_input(&self) -> bool {
        self.buffers.can_use_input()
    }
}

/// Whether the process, or the system, has no file descriptor left.
fn is_out_of_files(error: &Error) -> bool {
    // EMFILE and ENFILE, on every Unix.
    matches!(error, Error::Io(error) if matches!(error.raw_os_error(), Some(23 | 24)))
}

/// An error that the client does not take for an end.
fn cut(error: Error) -> Error {
    match error {
        Error::Io(cut) if cut.kind() != ErrorKind::TimedOut => Error::Io(io::Error::other(cut)),
        error => error,
    }
}

/// A socket's timeout is set by a call of the system wherever it differs from the last one, and of
/// a call's time a little less is left at each step.
fn rounded(timeout: NextTimeout) -> NextTimeout {
    let after = match timeout.after {
        Left::Exact(after) if after > STEP => {
            let steps = after.as_millis().div_ceil(STEP.as_millis());
            let steps = u32::try_from(steps).unwrap_or(u32::MAX);
            Left::Exact(STEP.saturating_mul(steps))
        }
        after => after,
    };
    NextTimeout { after, ..timeout }
}

/// Where hosts are. The client asks before every request, also where a connection is kept.
#[derive(Debug)]
struct Names {
    progress: Progress,
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        self.progress.enter(Phase::Resolve, uri);
        let timeout = self.progress.left(timeout);
        self.progress
            .on_failure(timeout.and_then(|timeout| names::resolve(uri, timeout)))
    }
}

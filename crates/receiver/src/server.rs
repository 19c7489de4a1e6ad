//! HTTP/1.1 for the receiver: many connections on one thread, each with its deadlines. It answers
//! LINE only when the coordinator says that events are safe, and in time in any case. It knows
//! neither signatures nor events.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use line_connector_core::webhook::signature;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::{AbortHandle, LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use super::coordinator::{Arrival, Message, Stored};
use super::intake::Intake;
use super::metrics::{Metrics, WebhookOutcome};
use super::queue::NewEvent;
use super::settings::ServerSettings;
use super::supervisor::Supervisor;

/// LINE takes no answer after 2 seconds; this leaves time for the way there and back.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long events may take to be safe where their body came late, and left no more time than this.
const MIN_STORE_TIMEOUT: Duration = Duration::from_millis(100);
/// How long a health check may wait for the coordinator.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long open requests may take to end when the server stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of bodies that are held in memory at once.
const MAX_BUFFERED_BYTES: usize = 64 * 1024 * 1024;
/// The most bytes of a request's head.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// A server at work.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Arc<Notify>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Starts it on a thread of its own.
    ///
    /// # Errors
    ///
    /// Why it cannot listen.
    pub(crate) fn start(
        settings: ServerSettings,
        intake: Arc<Intake>,
        coordinator_tx: SyncSender<Message>,
        metrics: Arc<Metrics>,
        supervisor: &Supervisor,
    ) -> Result<Self, String> {
        let stop = Arc::new(Notify::new());
        let (ready, started) = sync_channel(1);
        let (stopped, watched) = (Arc::clone(&stop), supervisor.clone());
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let listening = runtime.and_then(|runtime| {
                let listener = runtime.block_on(TcpListener::bind(settings.address))?;
                let address = listener.local_addr()?;
                Ok((runtime, listener, address))
            });
            let (runtime, listener, address) = match listening {
                Ok(listening) => listening,
                Err(error) => {
                    let _ = ready.send(Err(error.to_string()));
                    return;
                }
            };
            let _ = ready.send(Ok(address));
            let shared = Rc::new(Shared {
                settings,
                intake,
                coordinator_tx,
                metrics,
                supervisor: watched,
                connections: RefCell::default(),
                buffered_bytes: Cell::new(0),
                stopping: Cell::new(false),
            });
            LocalSet::new().block_on(&runtime, serve(shared, listener, stopped));
        };
        let thread = supervisor.spawn("server", None, work);
        let thread = thread.map_err(|error| error.to_string())?;
        let address = started.recv().map_err(|error| error.to_string())??;
        Ok(Self {
            address,
            stop,
            thread,
        })
    }

    /// Where it listens, the port as taken.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no further connection, lets open requests end, and ends.
    pub(crate) fn stop(self) {
        self.stop.notify_one();
        let _ = self.thread.join();
    }
}

/// What all connections share. They run on one thread.
struct Shared {
    settings: ServerSettings,
    intake: Arc<Intake>,
    coordinator_tx: SyncSender<Message>,
    metrics: Arc<Metrics>,
    supervisor: Supervisor,
    connections: RefCell<Connections>,
    /// Bytes of bodies in memory.
    buffered_bytes: Cell<usize>,
    stopping: Cell<bool>,
}

/// The open connections.
#[derive(Default)]
struct Connections {
    ticks: u64,
    open: HashMap<u64, Connection>,
}

struct Connection {
    phase: Phase,
    /// The tick at which the phase began.
    since: u64,
    task: Option<AbortHandle>,
}

/// What a connection is about, in the order in which it may be closed for another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// It has no request, or only a part of a head.
    Idle,
    /// Its request's body is still coming.
    ReadingBody,
    /// Its request is complete and waits for its answer.
    Answering,
}

impl Connections {
    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    fn enter(&mut self, id: u64, phase: Phase) {
        let since = self.tick();
        if let Some(connection) = self.open.get_mut(&id) {
            connection.phase = phase;
            connection.since = since;
        }
    }

    /// Closes the connection that is needed least: idle for longest, else reading for longest.
    /// `false` where every one has a complete request.
    fn evict(&mut self) -> bool {
        let closable = self
            .open
            .iter()
            .filter(|(_, connection)| connection.phase != Phase::Answering);
        let least = closable.min_by_key(|(_, connection)| (connection.phase, connection.since));
        let Some(id) = least.map(|(id, _)| *id) else {
            return false;
        };
        let connection = self.open.remove(&id);
        if let Some(task) = connection.and_then(|connection| connection.task) {
            task.abort();
        }
        true
    }
}

/// Accepts until it is told to stop, then lets open requests end: a graceful shutdown.
async fn serve(shared: Rc<Shared>, listener: TcpListener, stop: Arc<Notify>) {
    let accepting = spawn_local(accept(Rc::clone(&shared), listener));
    let stopper = accepting.abort_handle();
    spawn_local(async move {
        stop.notified().await;
        stopper.abort();
    });
    // It ends by being stopped, or by a bug, which is this thread's end too.
    if let Some(panic) = accepting
        .await
        .err()
        .and_then(|end| end.try_into_panic().ok())
    {
        resume_unwind(panic);
    }
    shared.stopping.set(true);
    let end = Instant::now() + DRAIN_TIMEOUT;
    loop {
        let busy = |connection: &Connection| connection.phase != Phase::Idle;
        if !shared.connections.borrow().open.values().any(busy) || Instant::now() >= end {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    // Answers that were just given are on their way to their sockets.
    sleep(Duration::from_millis(20)).await;
}

async fn accept(shared: Rc<Shared>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely there are no more file descriptors: make room.
            shared.evict();
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let full = shared.connections.borrow().open.len() >= shared.settings.max_connections;
        if full && !shared.evict() {
            continue;
        }
        let _ = stream.set_nodelay(true);
        let id = {
            let mut connections = shared.connections.borrow_mut();
            let since = connections.tick();
            let connection = Connection {
                phase: Phase::Idle,
                since,
                task: None,
            };
            connections.open.insert(since, connection);
            since
        };
        let serving = Rc::clone(&shared);
        let task = spawn_local(async move {
            // A bug beside webhooks costs its connection.
            let connection = serve_connection(Rc::clone(&serving), stream, id);
            serving.supervisor.contain_async(connection).await
        });
        if let Some(connection) = shared.connections.borrow_mut().open.get_mut(&id) {
            connection.task = Some(task.abort_handle());
        }
        shared.gauge_connections();
    }
}

/// Takes a connection out of the count when it ends, however it ends.
struct ConnectionGuard(Rc<Shared>, u64);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.connections.borrow_mut().open.remove(&self.1);
        self.0.gauge_connections();
    }
}

async fn serve_connection(shared: Rc<Shared>, stream: TcpStream, id: u64) {
    let _guard = ConnectionGuard(Rc::clone(&shared), id);
    let idle_timeout = shared.settings.idle_timeout;
    let service = service_fn(move |request| {
        let shared = Rc::clone(&shared);
        async move {
            let mut response = answer(&shared, id, request).await;
            shared.connections.borrow_mut().enter(id, Phase::Idle);
            if shared.stopping.get() {
                close(&mut response);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_timeout)
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    // What breaks a connection is the peer's matter: nothing was acknowledged that is not safe.
    let _ = connection.await;
}

type Reply = Response<Full<Bytes>>;

fn reply(status: StatusCode, text: &str) -> Reply {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = status;
    if !text.is_empty() {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
    }
    response
}

fn close(response: &mut Reply) {
    let value = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, value);
}

/// Answers one request.
async fn answer(shared: &Rc<Shared>, id: u64, request: Request<Incoming>) -> Reply {
    let path = request.uri().path();
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    if path == shared.settings.path && request.method() == Method::POST {
        let started = Instant::now();
        // A bug costs this webhook. Its events are handed to the coordinator together or not at all,
        // and whatever was stored is recognised when LINE sends it again.
        let receiving = receive(shared, id, request, started);
        let outcome = shared.supervisor.contain_async(receiving).await;
        let outcome = outcome.unwrap_or(WebhookOutcome::Panicked);
        shared.metrics.count_webhook(outcome, started.elapsed());
        return reply_to_webhook(outcome);
    }
    match path {
        "/healthz" if reading => shared.health().await,
        "/metrics" if reading => reply(StatusCode::OK, &shared.metrics.render()),
        _ => {
            shared
                .metrics
                .count_webhook(WebhookOutcome::NotFound, Duration::ZERO);
            if path != shared.settings.path {
                return reply(StatusCode::NOT_FOUND, "there is nothing here\n");
            }
            let mut response = reply(StatusCode::METHOD_NOT_ALLOWED, "webhooks are posted\n");
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("POST"));
            response
        }
    }
}

/// The reply to a webhook. LINE reads the status only; the text is for whoever tries by hand.
fn reply_to_webhook(outcome: WebhookOutcome) -> Reply {
    let (status, text) = match outcome {
        WebhookOutcome::Accepted | WebhookOutcome::Probe => (StatusCode::OK, ""),
        WebhookOutcome::Unsigned => (
            StatusCode::UNAUTHORIZED,
            "there is no x-line-signature header\n",
        ),
        WebhookOutcome::BadSignature => (
            StatusCode::UNAUTHORIZED,
            "the signature does not belong to this body and its channel's secret\n",
        ),
        WebhookOutcome::UnknownDestination => (
            StatusCode::UNAUTHORIZED,
            "no channel here has this destination\n",
        ),
        WebhookOutcome::Malformed => (
            StatusCode::BAD_REQUEST,
            "the body is not a webhook of LINE's\n",
        ),
        WebhookOutcome::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n"),
        WebhookOutcome::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
        WebhookOutcome::Overloaded => (
            StatusCode::SERVICE_UNAVAILABLE,
            "too much is waiting already\n",
        ),
        WebhookOutcome::NotStored => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the events could not be made safe in time\n",
        ),
        WebhookOutcome::NotFound => (StatusCode::NOT_FOUND, "there is nothing here\n"),
        WebhookOutcome::Panicked => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal error: a bug of the connector\n",
        ),
    };
    let mut response = reply(status, text);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if matches!(
        outcome,
        WebhookOutcome::TooLarge | WebhookOutcome::TooSlow | WebhookOutcome::Panicked
    ) {
        // The rest of the body would be taken for the next request.
        close(&mut response);
    }
    response
}

/// Takes one webhook in: reads its body, verifies it, and waits until its events are safe.
async fn receive(
    shared: &Rc<Shared>,
    id: u64,
    request: Request<Incoming>,
    started: Instant,
) -> WebhookOutcome {
    let enter = |phase| shared.connections.borrow_mut().enter(id, phase);
    enter(Phase::ReadingBody);
    let signature = request.headers().get(signature::HEADER).map(|value| {
        // What is not ASCII is no signature either.
        value.to_str().unwrap_or("?").to_owned()
    });
    let reading = read_body(shared, request.into_body());
    let body = match timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => body,
        Ok(Err(outcome)) => return outcome,
        Err(_) => return WebhookOutcome::TooSlow,
    };
    enter(Phase::Answering);
    let (channel, events) = match shared.intake.take(&body.bytes, signature.as_deref()) {
        Ok(taken) => taken,
        Err(outcome) => return outcome,
    };
    let left = ANSWER_TIMEOUT.saturating_sub(started.elapsed());
    let store_timeout = left.max(MIN_STORE_TIMEOUT);
    match shared.store(channel, events, store_timeout).await {
        Some(Stored::Safe) => WebhookOutcome::Accepted,
        Some(Stored::Full) => WebhookOutcome::Overloaded,
        Some(Stored::Failed) | None => WebhookOutcome::NotStored,
    }
}

/// A body, and its part in the bytes that are held in memory.
struct Body {
    shared: Rc<Shared>,
    bytes: Vec<u8>,
}

impl Body {
    fn take(&mut self, piece: &[u8]) -> Result<(), WebhookOutcome> {
        let buffered = self.shared.buffered_bytes.get() + piece.len();
        if self.bytes.len() + piece.len() > self.shared.settings.max_body_bytes {
            return Err(WebhookOutcome::TooLarge);
        }
        if buffered > MAX_BUFFERED_BYTES {
            return Err(WebhookOutcome::Overloaded);
        }
        self.shared.buffered_bytes.set(buffered);
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let buffered = self.shared.buffered_bytes.get();
        self.shared.buffered_bytes.set(buffered - self.bytes.len());
    }
}

async fn read_body(shared: &Rc<Shared>, mut incoming: Incoming) -> Result<Body, WebhookOutcome> {
    let announced = incoming.size_hint().lower();
    if announced > shared.settings.max_body_bytes as u64 {
        return Err(WebhookOutcome::TooLarge);
    }
    let mut body = Body {
        shared: Rc::clone(shared),
        bytes: Vec::new(),
    };
    while let Some(frame) = incoming.frame().await {
        // A body that breaks off never comes whole, and nobody is there to be answered.
        let frame = frame.map_err(|_| WebhookOutcome::TooSlow)?;
        if let Some(piece) = frame.data_ref() {
            body.take(piece)?;
        }
    }
    Ok(body)
}

impl Shared {
    fn evict(&self) -> bool {
        let evicted = self.connections.borrow_mut().evict();
        self.metrics
            .evicted
            .fetch_add(u64::from(evicted), Ordering::Relaxed);
        evicted
    }

    fn gauge_connections(&self) {
        let open = i64::try_from(self.connections.borrow().open.len()).unwrap_or(i64::MAX);
        self.metrics.connections.store(open, Ordering::Relaxed);
    }

    /// Hands events to the coordinator and waits for its word; `None` where it did not come in time.
    async fn store(
        &self,
        channel: String,
        events: Vec<NewEvent>,
        store_timeout: Duration,
    ) -> Option<Stored> {
        let (answer, stored) = oneshot::channel();
        let arrival = Arrival {
            channel,
            events,
            answer: Box::new(move |stored| {
                let _ = answer.send(stored);
            }),
        };
        if self
            .coordinator_tx
            .try_send(Message::Arrival(arrival))
            .is_err()
        {
            return Some(Stored::Full);
        }
        timeout(store_timeout, stored).await.ok()?.ok()
    }

    /// Whether the coordinator works and the disk takes what it writes.
    async fn health(&self) -> Reply {
        match self.store(String::new(), Vec::new(), HEALTH_TIMEOUT).await {
            Some(Stored::Safe) => reply(StatusCode::OK, "ok\n"),
            _ => reply(
                StatusCode::SERVICE_UNAVAILABLE,
                "the queue cannot be written\n",
            ),
        }
    }
}

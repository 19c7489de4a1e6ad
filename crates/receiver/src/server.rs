//! HTTP/1.1 for the receiver: many connections on one thread, each with its deadlines. It answers
//! LINE only when the coordinator says that events are safe, and in time in any case. It knows neither
//! signatures nor events.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::{AbortHandle, LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use super::coordinator::{Arrival, Message, Stored};
use super::intake::Intake;
use super::metrics::{Metrics, WebhookOutcome};

/// LINE takes no answer after 2 seconds; this leaves time for the way there and back.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);
/// How long a health check may wait for the coordinator.
const HEALTHY_WITHIN: Duration = Duration::from_secs(1);
/// How long open requests may take to end when the server stops.
const DRAIN: Duration = Duration::from_secs(5);
/// The most bytes of bodies that are held in memory at once.
const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;
/// The most bytes of a request's head.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// The header that holds LINE's signature.
const SIGNATURE: &str = "x-line-signature";

/// What the server takes.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The path of webhooks.
    pub(crate) path: String,
    /// The largest body.
    pub(crate) max_body_bytes: usize,
    /// The most connections. Over it the one that has been idle for longest is closed.
    pub(crate) max_connections: usize,
    /// How long a connection may take for a request's head, and be idle between requests.
    pub(crate) idle: Duration,
    /// How long a body may take.
    pub(crate) body_within: Duration,
}

/// A server at work.
pub(crate) struct Server {
    /// Where it listens, the port as taken.
    pub(crate) address: SocketAddr,
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
        limits: Limits,
        intake: Arc<Intake>,
        coordinator_tx: SyncSender<Message>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, String> {
        let stop = Arc::new(Notify::new());
        let (ready, started) = sync_channel(1);
        let stopped = Arc::clone(&stop);
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let listening = runtime.and_then(|runtime| {
                let listener = runtime.block_on(TcpListener::bind(limits.address))?;
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
                limits,
                intake,
                coordinator_tx,
                metrics,
                slots: RefCell::default(),
                held: Cell::new(0),
                stopping: Cell::new(false),
            });
            LocalSet::new().block_on(&runtime, serve(shared, listener, stopped));
        };
        let builder = std::thread::Builder::new().name("server".to_owned());
        let thread = builder.spawn(work).map_err(|error| error.to_string())?;
        let address = started.recv().map_err(|error| error.to_string())??;
        Ok(Self {
            address,
            stop,
            thread,
        })
    }

    /// Takes no further connection, lets open requests end, and ends.
    pub(crate) fn stop(self) {
        self.stop.notify_one();
        let _ = self.thread.join();
    }
}

/// What all connections share. They run on one thread.
struct Shared {
    limits: Limits,
    intake: Arc<Intake>,
    coordinator_tx: SyncSender<Message>,
    metrics: Arc<Metrics>,
    slots: RefCell<Slots>,
    /// Bytes of bodies in memory.
    held: Cell<usize>,
    stopping: Cell<bool>,
}

/// The open connections.
#[derive(Default)]
struct Slots {
    ticks: u64,
    open: HashMap<u64, Slot>,
}

struct Slot {
    doing: Doing,
    since: u64,
    task: Option<AbortHandle>,
}

/// What a connection is about, in the order in which it may be closed for another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    /// It has no request, or only a part of a head.
    Nothing,
    /// Its request's body is still coming.
    Reading,
    /// Its request is complete and waits for its answer.
    Waiting,
}

impl Slots {
    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    fn mark(&mut self, id: u64, doing: Doing) {
        let since = self.tick();
        if let Some(slot) = self.open.get_mut(&id) {
            slot.doing = doing;
            slot.since = since;
        }
    }

    /// Closes the connection that is needed least: idle for longest, else reading for longest.
    /// `false` where every one has a complete request.
    fn evict(&mut self) -> bool {
        let open = self
            .open
            .iter()
            .filter(|(_, slot)| slot.doing != Doing::Waiting);
        let least = open.min_by_key(|(_, slot)| (slot.doing, slot.since));
        let Some(id) = least.map(|(id, _)| *id) else {
            return false;
        };
        if let Some(task) = self.open.remove(&id).and_then(|slot| slot.task) {
            task.abort();
        }
        true
    }
}

/// Accepts until it is told to stop, then lets open requests end.
async fn serve(shared: Rc<Shared>, listener: TcpListener, stop: Arc<Notify>) {
    let accepting = spawn_local(accept(Rc::clone(&shared), listener));
    stop.notified().await;
    accepting.abort();
    shared.stopping.set(true);
    let end = Instant::now() + DRAIN;
    loop {
        let open = |slot: &Slot| slot.doing != Doing::Nothing;
        if !shared.slots.borrow().open.values().any(open) || Instant::now() >= end {
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
        let full = shared.slots.borrow().open.len() >= shared.limits.max_connections;
        if full && !shared.evict() {
            continue;
        }
        let _ = stream.set_nodelay(true);
        let id = {
            let mut slots = shared.slots.borrow_mut();
            let since = slots.tick();
            let slot = Slot {
                doing: Doing::Nothing,
                since,
                task: None,
            };
            slots.open.insert(since, slot);
            since
        };
        let task = spawn_local(connection(Rc::clone(&shared), stream, id));
        if let Some(slot) = shared.slots.borrow_mut().open.get_mut(&id) {
            slot.task = Some(task.abort_handle());
        }
        shared.gauge();
    }
}

/// Takes a connection out of the count when it ends, however it ends.
struct Leave(Rc<Shared>, u64);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.slots.borrow_mut().open.remove(&self.1);
        self.0.gauge();
    }
}

async fn connection(shared: Rc<Shared>, stream: TcpStream, id: u64) {
    let _leave = Leave(Rc::clone(&shared), id);
    let idle = shared.limits.idle;
    let service = service_fn(move |request| {
        let shared = Rc::clone(&shared);
        async move {
            let mut response = answer(&shared, id, request).await;
            shared.slots.borrow_mut().mark(id, Doing::Nothing);
            if shared.stopping.get() {
                close(&mut response);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
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
    if path == shared.limits.path && request.method() == Method::POST {
        let started = Instant::now();
        let answered = webhook(shared, id, request, started).await;
        shared.metrics.answered(answered, started.elapsed());
        return in_words(answered);
    }
    match path {
        "/healthz" if reading => shared.health().await,
        "/metrics" if reading => reply(StatusCode::OK, &shared.metrics.render()),
        _ => {
            shared
                .metrics
                .answered(WebhookOutcome::NotFound, Duration::ZERO);
            if path != shared.limits.path {
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

/// How a webhook's answer looks. LINE reads the status only; the text is for whoever tries by hand.
fn in_words(answered: WebhookOutcome) -> Reply {
    let (status, text) = match answered {
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
    };
    let mut response = reply(status, text);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if matches!(answered, WebhookOutcome::TooLarge | WebhookOutcome::TooSlow) {
        // The rest of the body would be taken for the next request.
        close(&mut response);
    }
    response
}

/// Takes one webhook in.
async fn webhook(
    shared: &Rc<Shared>,
    id: u64,
    request: Request<Incoming>,
    started: Instant,
) -> WebhookOutcome {
    shared.slots.borrow_mut().mark(id, Doing::Reading);
    let signature = request.headers().get(SIGNATURE).map(|value| {
        // What is not ASCII is no signature either.
        value.to_str().unwrap_or("?").to_owned()
    });
    let reading = read(shared, request.into_body());
    let body = match timeout(shared.limits.body_within, reading).await {
        Ok(Ok(body)) => body,
        Ok(Err(answered)) => return answered,
        Err(_) => return WebhookOutcome::TooSlow,
    };
    shared.slots.borrow_mut().mark(id, Doing::Waiting);
    let (channel, events) = match shared.intake.take(&body.bytes, signature.as_deref()) {
        Ok(taken) => taken,
        Err(answered) => return answered,
    };
    let left = ANSWER_WITHIN.saturating_sub(started.elapsed());
    let within = left.max(Duration::from_millis(100));
    match shared.store(channel, events, within).await {
        Some(Stored::Safe) => WebhookOutcome::Accepted,
        Some(Stored::Full) => WebhookOutcome::Overloaded,
        Some(Stored::Failed) | None => WebhookOutcome::NotStored,
    }
}

/// A body, and its part in what is held in memory.
struct Body {
    shared: Rc<Shared>,
    bytes: Vec<u8>,
}

impl Body {
    fn take(&mut self, piece: &[u8]) -> Result<(), WebhookOutcome> {
        let held = self.shared.held.get() + piece.len();
        if self.bytes.len() + piece.len() > self.shared.limits.max_body_bytes {
            return Err(WebhookOutcome::TooLarge);
        }
        if held > MAX_HELD_BYTES {
            return Err(WebhookOutcome::Overloaded);
        }
        self.shared.held.set(held);
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.shared
            .held
            .set(self.shared.held.get() - self.bytes.len());
    }
}

async fn read(shared: &Rc<Shared>, mut incoming: Incoming) -> Result<Body, WebhookOutcome> {
    let announced = incoming.size_hint().lower();
    if announced > shared.limits.max_body_bytes as u64 {
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
        let evicted = self.slots.borrow_mut().evict();
        self.metrics
            .evicted
            .fetch_add(u64::from(evicted), Ordering::Relaxed);
        evicted
    }

    fn gauge(&self) {
        let open = i64::try_from(self.slots.borrow().open.len()).unwrap_or(i64::MAX);
        self.metrics.connections.store(open, Ordering::Relaxed);
    }

    /// Hands events to the coordinator and waits for its word; `None` where it did not come in time.
    async fn store(
        &self,
        channel: String,
        events: Vec<super::queue::NewEvent>,
        within: Duration,
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
        timeout(within, stored).await.ok()?.ok()
    }

    /// Whether the coordinator works and the disk takes what it writes.
    async fn health(&self) -> Reply {
        match self.store(String::new(), Vec::new(), HEALTHY_WITHIN).await {
            Some(Stored::Safe) => reply(StatusCode::OK, "ok\n"),
            _ => reply(
                StatusCode::SERVICE_UNAVAILABLE,
                "the queue cannot be written\n",
            ),
        }
    }
}

//! HTTP/1.1 for the receiver: many connections on one thread, each with its deadlines. It answers
//! LINE only when the keeper says that events are safe, and in time in any case. `admission`
//! decides who may stay where there is no room. It knows neither signatures nor events.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, FORWARDED, HOST, HeaderMap, HeaderValue, RETRY_AFTER, VIA,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use line_connector_core::webhook::signature;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use super::admission::{Connections, Phase, Refused};
use super::intake::{Intake, MAX_PROBE_BYTES};
use super::keeper::{Arrival, Keeper, Stored};
use super::metrics::{Metrics, WebhookOutcome};
use super::notice::{Level, Log, Notice};
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
/// The most connections to the administrator's address.
const MAX_ADMIN_CONNECTIONS: usize = 64;
/// How much of a path is told, characters.
const MAX_SHOWN_PATH: usize = 200;
/// The most bytes of a request's head.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// A server at work.
pub(crate) struct Server {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    stop: Arc<Notify>,
    thread: JoinHandle<()>,
}

/// A socket that listens, and its address.
type Bound = (TcpListener, SocketAddr);

async fn bind(address: SocketAddr) -> Result<Bound, (SocketAddr, String)> {
    let failed = |error: std::io::Error| (address, error.to_string());
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

impl Server {
    /// Starts it on a thread of its own.
    ///
    /// # Errors
    ///
    /// Where it cannot listen, and why.
    pub(crate) fn start(
        settings: ServerSettings,
        intake: Arc<Intake>,
        keeper: Keeper,
        (metrics, log): (Arc<Metrics>, Arc<Log>),
        supervisor: &Supervisor,
    ) -> Result<Self, (SocketAddr, String)> {
        let (address, admin_address) = (settings.address, settings.admin_address);
        let failed = |error: &dyn std::fmt::Display| (address, error.to_string());
        let stop = Arc::new(Notify::new());
        let (ready, started) = sync_channel(1);
        let (stopped, watched) = (Arc::clone(&stop), supervisor.clone());
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let listening = match &runtime {
                Ok(runtime) => runtime.block_on(async {
                    let webhooks = bind(address).await?;
                    match admin_address {
                        Some(address) => Ok((webhooks, Some(bind(address).await?))),
                        None => Ok((webhooks, None)),
                    }
                }),
                Err(error) => Err((address, error.to_string())),
            };
            let (Ok(runtime), Ok((webhooks, admin))) = (runtime, &listening) else {
                let _ = ready.send(listening.map(|_| (address, None)));
                return;
            };
            let addresses = (webhooks.1, admin.as_ref().map(|(_, address)| *address));
            let _ = ready.send(Ok(addresses));
            let Ok(((webhooks, _), admin)) = listening else {
                return;
            };
            let room = settings.max_connections;
            let shared = Rc::new(Shared {
                settings,
                intake,
                keeper,
                metrics,
                log,
                supervisor: watched,
                connections: RefCell::new(Connections::new(room)),
                admin_connections: RefCell::new(Connections::new(MAX_ADMIN_CONNECTIONS)),
                stopping: Cell::new(false),
            });
            let admin = admin.map(|(listener, _)| listener);
            LocalSet::new().block_on(&runtime, serve(shared, webhooks, admin, stopped));
        };
        let thread = supervisor
            .spawn("server", None, work)
            .map_err(|error| failed(&error))?;
        let (address, admin_address) = started.recv().map_err(|error| failed(&error))??;
        Ok(Self {
            address,
            admin_address,
            stop,
            thread,
        })
    }

    /// Where it listens, the port as taken.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it answers `/healthz` and `/metrics`, where that is another address.
    pub(crate) fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
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
    keeper: Keeper,
    metrics: Arc<Metrics>,
    log: Arc<Log>,
    supervisor: Supervisor,
    /// Those to the address of webhooks.
    connections: RefCell<Connections>,
    /// Those to the administrator's address.
    admin_connections: RefCell<Connections>,
    stopping: Cell<bool>,
}

/// Which address a connection came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    /// The one of webhooks.
    Public,
    /// The administrator's.
    Admin,
}

/// A connection, as its requests see it.
#[derive(Clone, Copy)]
struct Peer {
    door: Door,
    id: u64,
    address: SocketAddr,
}

/// Accepts until it is told to stop, then lets open requests end: a graceful shutdown.
async fn serve(
    shared: Rc<Shared>,
    webhooks: TcpListener,
    admin: Option<TcpListener>,
    stop: Arc<Notify>,
) {
    let accepting = spawn_local(accept(Rc::clone(&shared), Door::Public, webhooks));
    let stopper = accepting.abort_handle();
    spawn_local(async move {
        stop.notified().await;
        stopper.abort();
    });
    // It ends with this thread's work: the administrator may look until then.
    if let Some(listener) = admin {
        spawn_local(accept(Rc::clone(&shared), Door::Admin, listener));
    }
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
        if !shared.connections.borrow().are_busy() || Instant::now() >= end {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    // Answers that were just given are on their way to their sockets.
    sleep(Duration::from_millis(20)).await;
}

async fn accept(shared: Rc<Shared>, door: Door, listener: TcpListener) {
    loop {
        let Ok((stream, address)) = listener.accept().await else {
            // Most likely there are no more file descriptors: make room.
            shared.evict(door);
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let full = shared.connections(door).borrow().are_full();
        if full && !shared.evict(door) {
            continue;
        }
        let _ = stream.set_nodelay(true);
        let id = shared.connections(door).borrow_mut().open(address.ip());
        let peer = Peer { door, id, address };
        let serving = Rc::clone(&shared);
        let task = spawn_local(async move {
            // A bug beside webhooks costs its connection.
            let connection = serve_connection(Rc::clone(&serving), stream, peer);
            serving.supervisor.contain_async(connection).await
        });
        let handle = task.abort_handle();
        shared.connections(door).borrow_mut().run_by(id, handle);
        shared.gauge_connections();
    }
}

/// Takes a connection out of the count when it ends, however it ends.
struct ConnectionGuard(Rc<Shared>, Peer);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let connections = self.0.connections(self.1.door);
        connections.borrow_mut().close(self.1.id);
        self.0.gauge_connections();
    }
}

async fn serve_connection(shared: Rc<Shared>, stream: TcpStream, peer: Peer) {
    let _guard = ConnectionGuard(Rc::clone(&shared), peer);
    let idle_timeout = shared.settings.idle_timeout;
    let service = service_fn(move |request| {
        let shared = Rc::clone(&shared);
        async move {
            let mut response = answer(&shared, peer, request).await;
            shared.enter(peer, Phase::Idle);
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
        // Nobody needs the date, and making it of a clock before 1970 panics.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    // A broken connection loses nothing: nothing was acknowledged that is not safe.
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
async fn answer(shared: &Rc<Shared>, peer: Peer, request: Request<Incoming>) -> Reply {
    let path = request.uri().path();
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let public = peer.door == Door::Public;
    if public && path == shared.settings.path && request.method() == Method::POST {
        let started = Instant::now();
        // A bug costs this webhook. Its events are handed to the coordinator together or not at all,
        // and whatever was stored is recognised when LINE sends it again.
        let receiving = receive(shared, peer, request, started);
        let outcome = shared.supervisor.contain_async(receiving).await;
        let outcome = outcome.unwrap_or(WebhookOutcome::Panicked);
        shared.metrics.count_webhook(outcome, started.elapsed());
        shared.tell_refused(peer, outcome);
        return reply_to_webhook(outcome);
    }
    let administrates = match shared.settings.admin_address {
        Some(_) => !public,
        None => is_local(peer.address, request.headers()),
    };
    match path {
        "/healthz" if reading && administrates => shared.health().await,
        "/metrics" if reading && administrates => {
            reply(StatusCode::OK, &shared.keeper.metrics(&shared.metrics))
        }
        _ => {
            if public {
                shared
                    .metrics
                    .count_webhook(WebhookOutcome::NotFound, Duration::ZERO);
                shared.tell_not_found(peer, &request);
            }
            if !public || path != shared.settings.path {
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

/// Whether a request comes from this machine itself: over loopback, for a loopback name, and not
/// passed on by a proxy that says so.
fn is_local(peer: SocketAddr, headers: &HeaderMap) -> bool {
    let passed_on = [
        FORWARDED.as_str(),
        VIA.as_str(),
        "x-forwarded-for",
        "x-real-ip",
    ];
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let name = host.map(|host| match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    });
    let loopback_name = name.is_none_or(|name| {
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || address
                .parse::<IpAddr>()
                .is_ok_and(|address| address.to_canonical().is_loopback())
    });
    peer.ip().to_canonical().is_loopback()
        && loopback_name
        && !passed_on.iter().any(|name| headers.contains_key(*name))
}

/// The reply to a webhook. LINE reads the status only; the text is for whoever tries by hand.
fn reply_to_webhook(outcome: WebhookOutcome) -> Reply {
    let (status, text) = match outcome {
        WebhookOutcome::Accepted | WebhookOutcome::Probe => (StatusCode::OK, ""),
        // One text for all: it must not tell which channels are here.
        WebhookOutcome::Unsigned
        | WebhookOutcome::MalformedSignature
        | WebhookOutcome::BadSignature
        | WebhookOutcome::UnknownDestination => (
            StatusCode::UNAUTHORIZED,
            "this is not signed by LINE for a channel that is here\n",
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
        WebhookOutcome::Unsigned
            | WebhookOutcome::MalformedSignature
            | WebhookOutcome::BadSignature
            | WebhookOutcome::TooLarge
            | WebhookOutcome::TooSlow
            | WebhookOutcome::Overloaded
            | WebhookOutcome::Panicked
    ) {
        // The rest of the body would be taken for the next request.
        close(&mut response);
    }
    response
}

/// Takes one webhook in: reads its body, verifies it, and waits until its events are safe.
async fn receive(
    shared: &Rc<Shared>,
    peer: Peer,
    request: Request<Incoming>,
    started: Instant,
) -> WebhookOutcome {
    shared.enter(peer, Phase::ReadingBody);
    let signature = request.headers().get(signature::HEADER).map(|value| {
        // What is not ASCII is no signature either.
        value.to_str().unwrap_or("?").to_owned()
    });
    // What cannot be signed is refused before it is read, but for LINE's probes.
    let (most, over) = match signature.as_deref() {
        None => (
            MAX_PROBE_BYTES.min(shared.settings.max_body_bytes),
            WebhookOutcome::Unsigned,
        ),
        Some(signature) if signature::is_well_formed(signature) => {
            (shared.settings.max_body_bytes, WebhookOutcome::TooLarge)
        }
        Some(_) => return WebhookOutcome::MalformedSignature,
    };
    let reading = read_body(shared, peer, request.into_body(), most);
    let body = match timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => body,
        Ok(Err(WebhookOutcome::TooLarge)) => return over,
        Ok(Err(outcome)) => return outcome,
        Err(_) => return WebhookOutcome::TooSlow,
    };
    shared.enter(peer, Phase::Answering);
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
    peer: Peer,
    bytes: Vec<u8>,
}

impl Body {
    fn take(&mut self, piece: &[u8], most: usize) -> Result<(), WebhookOutcome> {
        if self.bytes.len() + piece.len() > most {
            return Err(WebhookOutcome::TooLarge);
        }
        let mut connections = self.shared.connections.borrow_mut();
        let closed = connections
            .buffer(self.peer.id, piece.len())
            .map_err(|Refused| WebhookOutcome::Overloaded)?;
        drop(connections);
        let evicted = &self.shared.metrics.evicted;
        evicted.fetch_add(closed, Ordering::Relaxed);
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let mut connections = self.shared.connections.borrow_mut();
        connections.release(self.peer.id);
    }
}

async fn read_body(
    shared: &Rc<Shared>,
    peer: Peer,
    mut incoming: Incoming,
    most: usize,
) -> Result<Body, WebhookOutcome> {
    let announced = incoming.size_hint().lower();
    if announced > most as u64 {
        return Err(WebhookOutcome::TooLarge);
    }
    let mut body = Body {
        shared: Rc::clone(shared),
        peer,
        bytes: Vec::new(),
    };
    while let Some(frame) = incoming.frame().await {
        // A body that breaks off never comes whole, and nobody is there to be answered.
        let frame = frame.map_err(|_| WebhookOutcome::TooSlow)?;
        if let Some(piece) = frame.data_ref() {
            body.take(piece, most)?;
        }
    }
    Ok(body)
}

impl Shared {
    fn connections(&self, door: Door) -> &RefCell<Connections> {
        match door {
            Door::Public => &self.connections,
            Door::Admin => &self.admin_connections,
        }
    }

    fn enter(&self, peer: Peer, phase: Phase) {
        self.connections(peer.door)
            .borrow_mut()
            .enter(peer.id, phase);
    }

    fn evict(&self, door: Door) -> bool {
        let evicted = self.connections(door).borrow_mut().evict();
        self.metrics
            .evicted
            .fetch_add(u64::from(evicted), Ordering::Relaxed);
        evicted
    }

    fn gauge_connections(&self) {
        let open = i64::try_from(self.connections.borrow().count()).unwrap_or(i64::MAX);
        self.metrics.connections.store(open, Ordering::Relaxed);
    }

    /// Tells operators of a webhook that was not taken.
    fn tell_refused(&self, peer: Peer, outcome: WebhookOutcome) {
        let reason = match outcome {
            WebhookOutcome::Accepted | WebhookOutcome::Probe => return,
            WebhookOutcome::Unsigned => "it has no signature, so that LINE did not send it",
            WebhookOutcome::MalformedSignature => {
                "its signature is not the base64 of 32 bytes, as LINE's are: something in between changed the header, or LINE did not send it"
            }
            WebhookOutcome::BadSignature => {
                "its signature is not that of the channel secret: compare the secret with the LINE Developers Console, and see that nothing in between changes the body"
            }
            WebhookOutcome::UnknownDestination => {
                "it is for a channel that is not among the assets"
            }
            WebhookOutcome::Malformed => "it is signed, and its body is not a webhook of LINE's",
            WebhookOutcome::TooLarge => "its body is larger than --max-body-bytes",
            WebhookOutcome::TooSlow => "its body broke off, or took too long",
            WebhookOutcome::Overloaded => {
                "too much is waiting already: raise --max-waiting, or see why the platform takes nothing"
            }
            WebhookOutcome::NotStored => {
                "its events could not be made safe in time, or its channel is still being learnt"
            }
            WebhookOutcome::NotFound => "there is nothing at its path",
            WebhookOutcome::Panicked => "a bug of the connector",
        };
        let level = match outcome {
            WebhookOutcome::Overloaded | WebhookOutcome::NotStored | WebhookOutcome::Panicked => {
                Level::Error
            }
            _ => Level::Warning,
        };
        let from = peer.address.ip().to_canonical().to_string();
        let message = format!("a webhook from {from} was refused: {reason}");
        let notice = Notice::new(level, "webhook_refused", message)
            .with("result", outcome.label())
            .with("from", from);
        self.log.tell(&notice);
    }

    /// Tells operators of a request that is no webhook: most often the URL in LINE's console, or a
    /// proxy's rule, has another path.
    fn tell_not_found(&self, peer: Peer, request: &Request<Incoming>) {
        let from = peer.address.ip().to_canonical().to_string();
        let method = request.method().as_str();
        let path: String = request.uri().path().chars().take(MAX_SHOWN_PATH).collect();
        let message = format!(
            "{method} {path} from {from} is not a webhook: they are taken by POST at {}",
            self.settings.path
        );
        let notice = Notice::new(Level::Warning, "not_found", message)
            .with("from", from)
            .with("method", method)
            .with("path", path);
        self.log.tell(&notice);
    }

    /// Hands events to whoever makes them safe and waits for the word; `None` where it did not come in
    /// time.
    async fn store(
        &self,
        channel: String,
        events: Vec<NewEvent>,
        store_timeout: Duration,
    ) -> Option<Stored> {
        let (answer, stored) = oneshot::channel();
        self.keeper.take(Arrival {
            channel,
            events,
            answer: Box::new(move |stored| {
                let _ = answer.send(stored);
            }),
        });
        timeout(store_timeout, stored).await.ok()?.ok()
    }

    /// Whether events can be made safe.
    async fn health(&self) -> Reply {
        match self.store(String::new(), Vec::new(), HEALTH_TIMEOUT).await {
            Some(Stored::Safe) => reply(StatusCode::OK, "ok\n"),
            _ => reply(
                StatusCode::SERVICE_UNAVAILABLE,
                "events cannot be made safe\n",
            ),
        }
    }
}

//! The same server over HTTP: one endpoint, behind a secret. Who may connect is decided here; what is said
//! then is the protocol library's matter.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use line_connector_client::Secret;

use crate::Server;
use crate::bounded::{BYTES, MEBIBYTE};

/// The largest body of a request, bytes.
const BODY: usize = 16 * MEBIBYTE;
/// The most connections; the others wait to be taken.
const CONNECTIONS: usize = 256;
/// The most sessions of clients of the older generation.
const SESSIONS: usize = 64;
/// How long a client may take for a request's head.
const HEAD: Duration = Duration::from_secs(30);
/// How long a client may take for a request's body.
const BODY_TIME: Duration = Duration::from_mins(1);
/// The header of a session that is there already.
const SESSION: &str = "mcp-session-id";

/// Where the server listens, and for whom.
#[derive(Debug)]
pub struct Door {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// The names, beside loopback's and the address, by which clients may call it.
    pub hosts: Vec<String>,
    /// What clients must show as a bearer token.
    pub secret: Option<Secret>,
}

type Service = StreamableHttpService<Server, LocalSessionManager>;
type Answer = Response<BoxBody<Bytes, Infallible>>;

/// What every connection needs.
struct Gate {
    service: Service,
    sessions: Arc<LocalSessionManager>,
    secret: Option<[u8; 32]>,
    /// Room for the bytes of requests under way.
    room: Arc<Semaphore>,
}

impl Server {
    /// Serves any number of clients until [`Server::stop`]. `listening` is told the address. Whether no
    /// call met a bug.
    ///
    /// # Errors
    ///
    /// Where the address cannot be had.
    pub fn listen(&self, door: Door, listening: impl FnOnce(SocketAddr)) -> io::Result<bool> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let mut stop = self.0.stop.subscribe();
        let listened: io::Result<()> = runtime.block_on(async {
            let listener = TcpListener::bind(door.address).await?;
            let address = listener.local_addr()?;
            let gate = Arc::new(self.gate(door, address));
            listening(address);
            let room = Arc::new(Semaphore::new(CONNECTIONS));
            loop {
                let Ok(place) = Arc::clone(&room).acquire_owned().await else {
                    return Ok(());
                };
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                };
                let Ok((stream, _)) = accepted else {
                    // Out of file descriptors, mostly: some connection will end.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let gate = Arc::clone(&gate);
                tokio::spawn(async move {
                    let answer = service_fn(|request| gate.answer(request));
                    let mut connection = http1::Builder::new();
                    connection
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEAD);
                    // A client that breaks off harms itself alone.
                    let _ = connection
                        .serve_connection(TokioIo::new(stream), answer)
                        .await;
                    drop(place);
                });
            }
        });
        listened.map(|()| self.end(runtime))
    }

    fn gate(&self, door: Door, address: SocketAddr) -> Gate {
        let own = ["localhost", "127.0.0.1", "[::1]", "::1"].map(str::to_owned);
        let hosts = own
            .into_iter()
            .chain([address.to_string()])
            .chain(door.hosts);
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts)
            .with_max_request_body_bytes(BODY)
            // No browser has any business here.
            .enforce_origin_validation();
        let sessions = Arc::new(LocalSessionManager::default());
        let server = self.clone();
        Gate {
            service: StreamableHttpService::new(
                move || Ok(server.clone()),
                Arc::clone(&sessions),
                config,
            ),
            sessions,
            secret: door.secret.map(|secret| digest(secret.expose())),
            room: Arc::new(Semaphore::new(BYTES)),
        }
    }
}

impl Gate {
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        if !self.is_known(&request) {
            let mut refusal = refusal(StatusCode::UNAUTHORIZED, "a bearer token is needed");
            let scheme = HeaderValue::from_static("Bearer");
            refusal.headers_mut().insert("www-authenticate", scheme);
            return Ok(refusal);
        }
        if !["/", "/mcp"].contains(&request.uri().path()) {
            return Ok(refusal(StatusCode::NOT_FOUND, "the endpoint is /mcp"));
        }
        let is_new = !request.headers().contains_key(SESSION);
        if is_new && self.sessions.sessions.read().await.len() >= SESSIONS {
            return Ok(refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many sessions are open",
            ));
        }
        let Some(held) = self.hold(&request) else {
            let text = "the requests under way are too large: wait for their answers";
            return Ok(refusal(StatusCode::SERVICE_UNAVAILABLE, text));
        };
        let request = match whole(request).await {
            Ok(request) => request,
            Err(refusal) => return Ok(refusal),
        };
        let answer = self.service.handle(request).await;
        // The request lives as long as its answer is on its way.
        Ok(answer.map(|body| {
            let body = body.map_frame(move |frame| {
                let _ = &held;
                frame
            });
            body.boxed()
        }))
    }

    /// Room for a request's body, if there is any.
    fn hold(&self, request: &Request<Incoming>) -> Option<OwnedSemaphorePermit> {
        let length = request.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        let most = if request.method() == Method::POST {
            BODY
        } else {
            0
        };
        let bytes = length.unwrap_or(most).min(BODY);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Arc::clone(&self.room).try_acquire_many_owned(bytes).ok()
    }

    /// Whether the client has shown the secret. Digests are compared, so that the time tells nothing.
    fn is_known(&self, request: &Request<Incoming>) -> bool {
        let Some(secret) = &self.secret else {
            return true;
        };
        let shown = request.headers().get(AUTHORIZATION);
        let shown = shown.and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.split_once(' '));
        shown.is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("bearer") && digest(token.trim()) == *secret
        })
    }
}

/// The request with its whole body, which takes no longer than it may.
async fn whole(request: Request<Incoming>) -> Result<Request<Full<Bytes>>, Answer> {
    let (head, body) = request.into_parts();
    let body = tokio::time::timeout(BODY_TIME, Limited::new(body, BODY).collect());
    match body.await {
        Ok(Ok(body)) => Ok(Request::from_parts(head, Full::new(body.to_bytes()))),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large",
        )),
        Ok(Err(_)) => Err(refusal(StatusCode::BAD_REQUEST, "the body cannot be read")),
        Err(_) => Err(refusal(
            StatusCode::REQUEST_TIMEOUT,
            "the body takes too long",
        )),
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn refusal(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())).boxed());
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain");
    answer.headers_mut().insert(CONTENT_TYPE, plain);
    answer
}

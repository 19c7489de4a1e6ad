//! The same server over HTTP: one endpoint, behind a secret. Who may connect is decided here; what is said
//! then is the protocol library's matter.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use line_connector_core::documents::json::{MAX_VALUES, values_at_most};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use line_connector_client::Secret;

use crate::admission::{Connections, Place, Sessions};
use crate::bounded::{MAX_REQUEST_BYTES, weight};
use crate::room::{NoRoom, Room, Share};
use crate::{Ending, Server};

/// The most bytes of a request's head.
const MAX_HEAD_BYTES: usize = 32 * 1024;
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
    sessions: Sessions,
    secret: Option<[u8; 32]>,
    /// Room for the bytes of requests under way.
    room: Arc<Room>,
}

impl Server {
    /// Serves any number of clients until [`Server::stop`]. `listening` is told the address.
    ///
    /// # Errors
    ///
    /// Where the address cannot be had.
    pub fn listen(&self, door: Door, listening: impl FnOnce(SocketAddr)) -> io::Result<Ending> {
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
            let connections = Arc::new(Connections::default());
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                };
                let Ok((stream, _)) = accepted else {
                    // Out of file descriptors, mostly: some connection will end.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let Some(place) = connections.open() else {
                    continue;
                };
                let (id, gate) = (place.id, Arc::clone(&gate));
                let task = tokio::spawn(async move {
                    let answer = service_fn(|request| gate.answer(&place, request));
                    let mut connection = http1::Builder::new();
                    connection
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEAD)
                        .max_header_size(MAX_HEAD_BYTES);
                    // A client that breaks off harms itself alone.
                    let _ = connection
                        .serve_connection(TokioIo::new(stream), answer)
                        .await;
                });
                connections.is_served_by(id, task.abort_handle());
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
            .with_max_request_body_bytes(MAX_REQUEST_BYTES)
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
            sessions: Sessions::new(sessions),
            secret: door.secret.map(|secret| digest(secret.expose())),
            room: Arc::default(),
        }
    }
}

/// Why a request is not taken.
type Refused = (StatusCode, &'static str);

const UNREADABLE: Refused = (StatusCode::BAD_REQUEST, "the body cannot be read");
const TOO_LARGE: Refused = (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
const TOO_MANY_VALUES: Refused = (
    StatusCode::PAYLOAD_TOO_LARGE,
    "the body has too many values",
);
const TOO_SLOW: Refused = (StatusCode::REQUEST_TIMEOUT, "the body takes too long");
const NO_ROOM: Refused = (
    StatusCode::SERVICE_UNAVAILABLE,
    "the requests under way are too large: wait for their answers",
);

impl Gate {
    async fn answer(
        &self,
        place: &Place,
        mut request: Request<Incoming>,
    ) -> Result<Answer, Infallible> {
        if !self.is_known(&request) {
            let mut refusal = refusal(StatusCode::UNAUTHORIZED, "a bearer token is needed");
            let scheme = HeaderValue::from_static("Bearer");
            refusal.headers_mut().insert("www-authenticate", scheme);
            close(&mut refusal);
            return Ok(refusal);
        }
        place.is_asked();
        if !["/", "/mcp"].contains(&request.uri().path()) {
            return Ok(refusal(StatusCode::NOT_FOUND, "the endpoint is /mcp"));
        }
        let session = request.headers().get(SESSION);
        if let Some(session) = session.and_then(|session| session.to_str().ok()) {
            self.sessions.is_used(session);
        }
        // Only what is posted has a body.
        let posted = if request.method() == Method::POST {
            self.body(&mut request).await.map(Some)
        } else {
            Ok(None)
        };
        let (body, room) = match posted {
            Ok(posted) => posted.map_or_else(Default::default, |(body, room)| (body, Some(room))),
            Err((status, text)) => {
                let mut refusal = refusal(status, text);
                // The rest of the body would be taken for the next request.
                close(&mut refusal);
                return Ok(refusal);
            }
        };
        let room = room.map(Arc::new);
        let mut request = request.map(|_| Full::new(body));
        let answering = if let Some(room) = &room {
            let (working, answer) = place.working();
            // The library keeps these with the request until it has dealt with it: a client of the older
            // generation may have left by then.
            let kept = request.extensions_mut();
            kept.insert(Arc::new(working));
            kept.insert(Arc::clone(room));
            Some(answer)
        } else {
            // Before the library makes the new stream, as it gives what comes to the only one that is left.
            listens_on(&request).map(|session| place.listening(session))
        };
        let is_new = !request.headers().contains_key(SESSION);
        let answer = self.service.handle(request).await;
        let session = answer.headers().get(SESSION).filter(|_| is_new);
        if let Some(session) = session.and_then(|session| session.to_str().ok()) {
            self.sessions.begin(session).await;
        }
        // The request's room is taken as long as its answer is on its way, too.
        Ok(answer.map(|body| {
            let body = body.map_frame(move |frame| {
                let _ = (&room, &answering);
                frame
            });
            body.boxed()
        }))
    }

    /// The whole body of a request, and the room that the request takes.
    async fn body(&self, request: &mut Request<Incoming>) -> Result<(Bytes, Share), Refused> {
        let (room, makes_way) = self.room.begin();
        let mut bytes = Vec::new();
        let reading = async {
            while let Some(frame) = request.body_mut().frame().await {
                let frame = frame.map_err(|_| UNREADABLE)?;
                let Some(piece) = frame.data_ref() else {
                    continue;
                };
                if bytes.len() + piece.len() > MAX_REQUEST_BYTES {
                    return Err(TOO_LARGE);
                }
                room.grow(piece.len()).map_err(|NoRoom| NO_ROOM)?;
                bytes.extend_from_slice(piece);
            }
            Ok(())
        };
        tokio::select! {
            read = tokio::time::timeout(BODY_TIME, reading) => read.unwrap_or(Err(TOO_SLOW)),
            _ = makes_way => Err(NO_ROOM),
        }?;
        let values = values_at_most(&bytes);
        if values > MAX_VALUES {
            return Err(TOO_MANY_VALUES);
        }
        let room = room.whole(weight(bytes.len(), values));
        Ok((bytes.into(), room.map_err(|NoRoom| NO_ROOM)?))
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

/// The session in which a request listens to whatever comes. One that takes up the answer to a call does
/// not: there is one such stream for a call at most, and ids of its events have the call after a slash.
fn listens_on<B>(request: &Request<B>) -> Option<&str> {
    let header = |name| {
        let value: Option<&HeaderValue> = request.headers().get(name);
        value.and_then(|value| value.to_str().ok())
    };
    let takes_up = header("last-event-id").is_some_and(|id| id.contains('/'));
    header(SESSION).filter(|_| request.method() == Method::GET && !takes_up)
}

fn close(answer: &mut Answer) {
    let value = HeaderValue::from_static("close");
    answer.headers_mut().insert(CONNECTION, value);
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

//! One request on its way: what it waits for, and what its errors mean. Each says what was going on, with
//! whom, and after how long.

use std::io::{self, Read as _};
use std::time::{Duration, Instant};

use ureq::http::uri::Authority;
use ureq::http::{HeaderName, HeaderValue, Uri};

use super::connections::{Client, Phase};
use super::{Http, OUTPUT_BYTES};
use line_connector_core::encoding::text;
use line_connector_http::{Failure, FailureKind, Headers, Method, Reply, Request};

/// How much room an answer gets on its own word, before it has come.
const MAX_TRUSTED_BYTES: usize = 64 * 1024;
/// The longest URL, and the longest header, that there is always room for; the rest of its line is short.
const MAX_LINE_BYTES: usize = OUTPUT_BYTES / 2 - 1024;
/// With less room left than this, reading to the end begins with a small piece of its own.
const SPARE_BYTES: usize = 64;

/// What a request's time bounds.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    /// Everything, to the last byte of the answer.
    Whole,
    /// The way to the answer's head, and each pause in its body: content may be of any size. All of
    /// it, where that is given.
    EachPause(Option<Duration>),
}

/// One request on its way.
pub(super) struct Attempt<'a> {
    http: &'a Http,
    agent: &'a Client,
    uri: Uri,
    begun: Instant,
}

impl<'a> Attempt<'a> {
    /// Begins a request with this agent.
    pub(super) fn begin(
        http: &'a Http,
        agent: &'a Client,
        request: &Request,
    ) -> Result<Self, Failure> {
        if request.url.len() > MAX_LINE_BYTES {
            return Err(unsendable());
        }
        let uri: Uri = request.url.parse().map_err(|_| unsendable())?;
        agent.begin(&uri);
        Ok(Self {
            http,
            agent,
            uri,
            begun: Instant::now(),
        })
    }

    /// Sends a request and reads the head of its answer.
    pub(super) fn head(
        &self,
        request: &Request,
        patience: Patience,
    ) -> Result<(Reply, ureq::Body), Failure> {
        let response = match request.method {
            // With a body, even an empty one, ureq writes Content-Length; LINE's edge answers 411
            // to a POST without.
            Method::Post | Method::Put => {
                let built = self.built(request, request.body.as_slice())?;
                self.run(built, request.timeout, patience)
            }
            Method::Get | Method::Delete => {
                let built = self.built(request, ())?;
                self.run(built, request.timeout, patience)
            }
        }?;
        let (parts, body) = response.into_parts();
        let mut headers = Headers::new();
        for (name, value) in &parts.headers {
            headers.push(name.as_str(), text(value.as_bytes()));
        }
        let reason = parts
            .status
            .canonical_reason()
            .unwrap_or_default()
            .to_owned();
        let reply = Reply {
            status: parts.status.as_u16(),
            reason,
            headers,
            body: Vec::new(),
        };
        Ok((reply, body))
    }

    /// A body in memory, within the cap.
    pub(super) fn whole(&self, body: ureq::Body) -> Result<Vec<u8>, Failure> {
        // Room beyond the end spares a look whether there is more.
        let announced = body.content_length().unwrap_or_default();
        let room = usize::try_from(announced).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(room.min(MAX_TRUSTED_BYTES) + SPARE_BYTES);
        let most = self.http.settings.max_response_bytes;
        let mut reader = body.into_with_config().limit(most).reader();
        match reader.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.failure(&error.into())),
        }
    }

    fn run(
        &self,
        request: ureq::http::Request<impl ureq::AsSendBody>,
        timeout: Duration,
        patience: Patience,
    ) -> Result<ureq::http::Response<ureq::Body>, Failure> {
        let own = |request| self.agent.configure_request(request);
        let request = match patience {
            Patience::Whole if timeout == self.http.settings.usual_timeout => request,
            Patience::Whole => own(request).timeout_global(Some(timeout)).build(),
            Patience::EachPause(whole) => own(request)
                .timeout_global(whole)
                .timeout_send_request(Some(timeout))
                .timeout_recv_response(Some(timeout))
                .timeout_per_read(Some(timeout))
                .build(),
        };
        self.agent.run(request).map_err(|error| {
            if self.agent.is_unconnected() {
                let (kind, message) = unconnected(&error);
                self.failed(kind, false, &message)
            } else {
                self.failure(&error)
            }
        })
    }

    /// What an error of a request under way means for the caller.
    pub(super) fn failure(&self, error: &ureq::Error) -> Failure {
        let (kind, message) = match error {
            ureq::Error::Timeout(_) => {
                (FailureKind::Timeout, "the answer took too long".to_owned())
            }
            ureq::Error::BodyExceedsLimit(_) => {
                let limit = self.http.settings.max_response_bytes;
                (
                    FailureKind::TooLarge,
                    format!("it is larger than {limit} bytes"),
                )
            }
            ureq::Error::LargeResponseHeader(..) => (
                FailureKind::TooLarge,
                "its headers are too large".to_owned(),
            ),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                let message = "the URL cannot be used";
                return self.failed(FailureKind::Invalid, false, message);
            }
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                (FailureKind::Timeout, "the answer took too long".to_owned())
            }
            // Behind a colon rustls has the address of its manual.
            ureq::Error::Io(error) => {
                let message = error.to_string().to_lowercase();
                let message = message.split(": https://").next().unwrap_or_default();
                (FailureKind::Broken, message.to_owned())
            }
            other => (FailureKind::Broken, format!("{other}")),
        };
        self.failed(kind, self.agent.maybe_sent(), &message)
    }

    /// A failure, with where it was, what was going on, and after how long.
    fn failed(&self, kind: FailureKind, maybe_sent: bool, message: &str) -> Failure {
        let after = self.begun.elapsed();
        let after = if after < Duration::from_secs(1) {
            format!("{} ms", after.as_millis())
        } else {
            format!("{:.1} s", after.as_secs_f64())
        };
        Failure {
            kind,
            maybe_sent,
            message: format!("{message} ({}, after {after})", self.doing()),
        }
    }

    /// What was going on, and with whom.
    fn doing(&self) -> String {
        let target = self.uri.authority().map(bare).unwrap_or_default();
        let proxy = self
            .http
            .proxy
            .as_ref()
            .filter(|proxy| !proxy.is_no_proxy(&self.uri));
        let proxy = proxy.map(|proxy| format!("the proxy {}:{}", proxy.host(), proxy.port()));
        let (phase, with) = self.agent.last().unwrap_or((Phase::Send, None));
        let with = with.as_ref().map(bare).unwrap_or_default();
        // The target itself is looked up and connected to by the proxy.
        let to_proxy = self.agent.is_unconnected() && phase != Phase::Handshake;
        match (&proxy, phase) {
            (Some(proxy), Phase::Resolve) => format!("looking up {proxy}"),
            (Some(proxy), Phase::Connect) => format!("connecting to {proxy}"),
            (Some(proxy), Phase::Handshake) if with != target => {
                format!("TLS handshake with {proxy}")
            }
            (Some(proxy), Phase::Send | Phase::Wait | Phase::Read) if to_proxy => {
                format!("asking {proxy} for {target}")
            }
            (proxy, phase) => {
                let doing = match phase {
                    Phase::Resolve => "looking up",
                    Phase::Connect => "connecting to",
                    Phase::Handshake => "TLS handshake with",
                    Phase::Send => "sending to",
                    Phase::Wait => "waiting for the answer of",
                    Phase::Read => "reading the answer of",
                };
                let through = proxy.as_ref().map(|proxy| format!(" through {proxy}"));
                format!("{doing} {target}{}", through.unwrap_or_default())
            }
        }
    }

    /// A request in the client's own types.
    fn built<B>(&self, request: &Request, body: B) -> Result<ureq::http::Request<B>, Failure> {
        let mut built = ureq::http::Request::new(body);
        let method = request.method.as_str().parse();
        *built.method_mut() = method.map_err(|_| unsendable())?;
        *built.uri_mut() = self.uri.clone();
        let bearer = request.bearer.as_ref();
        let bearer = bearer.map(|token| format!("Bearer {}", token.expose()));
        let bearer = bearer.as_deref().map(|value| ("Authorization", value));
        for (name, value) in request.headers.iter().chain(bearer) {
            if name.len() + value.len() > MAX_LINE_BYTES {
                return Err(unsendable());
            }
            let name = HeaderName::try_from(name).map_err(|_| unsendable())?;
            let value = HeaderValue::try_from(value).map_err(|_| unsendable())?;
            built.headers_mut().append(name, value);
        }
        Ok(built)
    }
}

/// Host and port, without the user and password that a proxy's URL may have.
fn bare(authority: &Authority) -> &str {
    let text = authority.as_str();
    text.rsplit_once('@').map_or(text, |(_, bare)| bare)
}

fn unsendable() -> Failure {
    Failure {
        kind: FailureKind::Invalid,
        maybe_sent: false,
        message: "the URL or a header cannot be sent".to_owned(),
    }
}

/// What an error before there was a connection means for the caller: nothing was sent.
fn unconnected(error: &ureq::Error) -> (FailureKind, String) {
    match error {
        ureq::Error::HostNotFound => (
            FailureKind::Connect,
            "the host name cannot be resolved".to_owned(),
        ),
        ureq::Error::Timeout(_) => (FailureKind::Timeout, "connecting took too long".to_owned()),
        ureq::Error::ConnectProxyFailed(answer) => refused_by_proxy(answer),
        ureq::Error::LargeResponseHeader(..) => (
            FailureKind::Connect,
            "the proxy's answer is too large".to_owned(),
        ),
        ureq::Error::Rustls(error) => handshake(error),
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(inner) => handshake(inner),
            None => match source(error).kind() {
                io::ErrorKind::TimedOut => {
                    (FailureKind::Timeout, "connecting took too long".to_owned())
                }
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => (
                    FailureKind::Connect,
                    "the connection was closed while it was set up".to_owned(),
                ),
                _ => (FailureKind::Connect, error.to_string().to_lowercase()),
            },
        },
        ureq::Error::BadUri(_) | ureq::Error::InvalidProxyUrl | ureq::Error::Tls(_) => {
            (FailureKind::Invalid, "the URL cannot be used".to_owned())
        }
        _ => (FailureKind::Connect, "the connection failed".to_owned()),
    }
}

/// The error that others were made of.
fn source(error: &io::Error) -> &io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.map_or(error, source)
}

/// Why TLS did not come up. Only a certificate is a matter of trust; anything else may pass.
fn handshake(error: &rustls::Error) -> (FailureKind, String) {
    match error {
        // What `openssl req -x509` makes, unless told otherwise.
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))
            if other.to_string() == "CaUsedAsEndEntity" =>
        {
            (
                FailureKind::Tls,
                "the server uses the certificate of an authority (CA:TRUE) as its own: it needs one with CA:FALSE"
                    .to_owned(),
            )
        }
        rustls::Error::InvalidCertificate(_) => (FailureKind::Tls, error.to_string()),
        rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => (
            FailureKind::Connect,
            "the server does not speak TLS on this port".to_owned(),
        ),
        error => (
            FailureKind::Connect,
            format!("TLS could not be set up: {error}"),
        ),
    }
}

/// A proxy's answer that is not 200. What it refuses for good is a fault of the asset.
fn refused_by_proxy(answer: &str) -> (FailureKind, String) {
    let status = answer
        .split(|character: char| !character.is_ascii_digit())
        .find_map(|digits| digits.parse().ok());
    match status.and_then(|status| ureq::http::StatusCode::from_u16(status).ok()) {
        Some(status @ ureq::http::StatusCode::PROXY_AUTHENTICATION_REQUIRED) => (
            FailureKind::Invalid,
            format!("the proxy answered {status}: give its user and password in `http_proxy`"),
        ),
        Some(status) => (FailureKind::Connect, format!("the proxy answered {status}")),
        None => (
            FailureKind::Connect,
            "the proxy closed the connection without an answer".to_owned(),
        ),
    }
}

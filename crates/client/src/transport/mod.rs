//! The only place that opens a client socket: HTTP/1.1 through ureq, TLS by rustls. It sends one
//! request once: `retry` decides about repeating it, and no redirect is followed.

mod connections;

use std::fmt;
use std::io::{self, Read};
use std::time::Duration;

use ureq::ProxyProtocol;
use ureq::http::{HeaderName, HeaderValue};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use connections::{Agents, Lent};
use line_connector_core::encoding::text;
use line_connector_http::Secret;
use line_connector_http::{
    Failure, FailureKind, Headers, Method, Receiver, Reply, Request, Transport,
};

/// How much of an answer is read at once: at least its whole head.
const INPUT_BYTES: usize = 64 * 1024;
/// How much of a request is sent at once; half of it holds the longest header.
const OUTPUT_BYTES: usize = 64 * 1024;
/// How much room an answer gets on its own word, before it has come.
const MAX_TRUSTED_BYTES: usize = 64 * 1024;
/// With less room left than this, reading to the end begins with a small piece of its own.
const SPARE_BYTES: usize = 64;
/// How many connections a call keeps for later ones: to that many hosts.
const MAX_IDLE: usize = 8;

/// How connections are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether certificates are verified.
    pub verify_tls: bool,
    /// A proxy's URL.
    pub proxy: Option<Secret>,
    /// Certificate authorities in PEM, trusted instead of the bundled ones.
    pub authorities: Option<Vec<u8>>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long most requests may take; one that may take another time costs a little more.
    pub usual_timeout: Duration,
    /// The largest answer that is taken, bytes.
    pub max_response_bytes: u64,
}

/// HTTP over the network. Connections are kept and shared by all calls.
#[derive(Debug)]
pub struct Http {
    agents: Agents,
    settings: Settings,
}

impl Http {
    /// A client with these settings. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// Where the proxy's URL or the certificate authorities cannot be used.
    pub fn new(settings: Settings) -> Result<Self, UnusableSetting> {
        let proxy = settings.proxy.as_ref().map(proxy).transpose()?;
        let mut tls = TlsConfig::builder().disable_verification(!settings.verify_tls);
        if let Some(pem) = &settings.authorities {
            tls = tls.root_certs(roots(pem)?);
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .tls_config(tls.build())
            .timeout_connect(Some(settings.connect_timeout))
            .timeout_global(Some(settings.usual_timeout))
            .max_idle_connections(MAX_IDLE)
            .input_buffer_size(INPUT_BYTES)
            .output_buffer_size(OUTPUT_BYTES)
            .max_idle_connections_per_host(1)
            .user_agent(concat!("line-connector/", env!("CARGO_PKG_VERSION")))
            .accept("application/json, */*")
            .build();
        let agents = Agents::new(config);
        Ok(Self { agents, settings })
    }
}

/// A setting with which nothing can connect.
#[derive(Debug)]
pub enum UnusableSetting {
    /// The proxy's URL, and what is wrong with it, without quoting it: it may hold a password.
    Proxy(&'static str),
    /// The certificate authorities, and what is wrong with them.
    Authorities(&'static str),
}

impl fmt::Display for UnusableSetting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnusableSetting::Proxy(reason) => write!(formatter, "the proxy's URL {reason}"),
            UnusableSetting::Authorities(reason) => {
                write!(formatter, "the file of certificate authorities {reason}")
            }
        }
    }
}

/// Whether requests can be sent to a URL: over HTTP, to a host, and without a user and password,
/// which would not be sent.
#[must_use]
pub fn is_usable(url: &str) -> bool {
    let Ok(uri) = url.parse::<ureq::http::Uri>() else {
        return false;
    };
    let Some(authority) = uri.authority() else {
        return false;
    };
    let no_port = authority.as_str().len() == authority.host().len();
    matches!(uri.scheme_str(), Some("http" | "https"))
        && !authority.host().is_empty()
        && (no_port || authority.port_u16().is_some())
        && !authority.as_str().contains('@')
}

fn proxy(url: &Secret) -> Result<ureq::Proxy, UnusableSetting> {
    let proxy = ureq::Proxy::new(url.expose())
        .map_err(|_| UnusableSetting::Proxy("is not the URL of a proxy"))?;
    match proxy.protocol() {
        ProxyProtocol::Http | ProxyProtocol::Https => Ok(proxy),
        _ => Err(UnusableSetting::Proxy(
            "must be the URL of an HTTP proxy, http:// or https://",
        )),
    }
}

pub(crate) fn roots(pem: &[u8]) -> Result<RootCerts, UnusableSetting> {
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(UnusableSetting::Authorities("is not PEM")),
        }
    }
    if certificates.is_empty() {
        return Err(UnusableSetting::Authorities("holds no certificate"));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

impl Transport for Http {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        let agent = self.agents.lend();
        let (mut reply, body) = self.head(&agent, request, Patience::Whole)?;
        reply.body = self.whole(body)?;
        Ok(reply)
    }

    fn download(&self, request: &Request, receiver: &mut dyn Receiver) -> Result<Reply, Failure> {
        let agent = self.agents.lend();
        let (mut reply, mut body) = self.head(
            &agent,
            request,
            Patience::EachPause(request.download_timeout),
        )?;
        if reply.status != 200 {
            reply.body = self.whole(body)?;
            return Ok(reply);
        }
        receiver
            .restart()
            .map_err(|error| Failure::of_receiver(&error))?;
        let mut reader = body.as_reader();
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return Ok(reply),
                Ok(length) => receiver
                    .take(&chunk[..length])
                    .map_err(|error| Failure::of_receiver(&error))?,
                Err(error) => return Err(self.failure(&error.into())),
            }
        }
    }
}

/// What a request's time bounds.
#[derive(Clone, Copy)]
enum Patience {
    /// Everything, to the last byte of the answer.
    Whole,
    /// The way to the answer's head, and each pause in its body: content may be of any size. All of
    /// it, where that is given.
    EachPause(Option<Duration>),
}

impl Http {
    /// Sends a request and reads the head of its answer.
    fn head(
        &self,
        agent: &Lent<'_>,
        request: &Request,
        patience: Patience,
    ) -> Result<(Reply, ureq::Body), Failure> {
        let response = match request.method {
            // With a body, even an empty one, ureq writes Content-Length; LINE's edge answers 411
            // to a POST without.
            Method::Post | Method::Put => {
                let built = built(request, request.body.as_slice())?;
                self.run(agent, built, request.timeout, patience)
            }
            Method::Get | Method::Delete => {
                let built = built(request, ())?;
                self.run(agent, built, request.timeout, patience)
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
    fn whole(&self, body: ureq::Body) -> Result<Vec<u8>, Failure> {
        // Room beyond the end spares a look whether there is more.
        let announced = body.content_length().unwrap_or_default();
        let room = usize::try_from(announced).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(room.min(MAX_TRUSTED_BYTES) + SPARE_BYTES);
        let most = self.settings.max_response_bytes;
        let mut reader = body.into_with_config().limit(most).reader();
        match reader.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.failure(&error.into())),
        }
    }

    fn run(
        &self,
        agent: &Lent<'_>,
        request: ureq::http::Request<impl ureq::AsSendBody>,
        timeout: Duration,
        patience: Patience,
    ) -> Result<ureq::http::Response<ureq::Body>, Failure> {
        let own = |request| agent.configure_request(request);
        let request = match patience {
            Patience::Whole if timeout == self.settings.usual_timeout => request,
            Patience::Whole => own(request).timeout_global(Some(timeout)).build(),
            Patience::EachPause(whole) => own(request)
                .timeout_global(whole)
                .timeout_send_request(Some(timeout))
                .timeout_recv_response(Some(timeout))
                .timeout_per_read(Some(timeout))
                .build(),
        };
        agent.run(request).map_err(|error| {
            if agent.is_unconnected() {
                unconnected(&error)
            } else {
                self.failure(&error)
            }
        })
    }

    /// What an error of a request under way means for the caller.
    fn failure(&self, error: &ureq::Error) -> Failure {
        let (kind, message) = match error {
            ureq::Error::Timeout(_) => {
                (FailureKind::Timeout, "the answer took too long".to_owned())
            }
            ureq::Error::BodyExceedsLimit(_) => {
                let limit = self.settings.max_response_bytes;
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
                return Failure {
                    kind: FailureKind::Invalid,
                    maybe_sent: false,
                    message: "the URL cannot be used".to_owned(),
                };
            }
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                (FailureKind::Timeout, "the answer took too long".to_owned())
            }
            ureq::Error::Io(error) => (FailureKind::Broken, error.to_string().to_lowercase()),
            other => (FailureKind::Broken, format!("{other}")),
        };
        Failure {
            kind,
            maybe_sent: true,
            message,
        }
    }
}

/// What an error before there was a connection means for the caller: nothing was sent.
fn unconnected(error: &ureq::Error) -> Failure {
    let (kind, message) = match error {
        ureq::Error::HostNotFound => (
            FailureKind::Connect,
            "the host name cannot be resolved".to_owned(),
        ),
        ureq::Error::Timeout(_) => (FailureKind::Timeout, "connecting took too long".to_owned()),
        ureq::Error::ConnectProxyFailed(answer) => refused_by_proxy(answer),
        ureq::Error::Rustls(error) => handshake(error),
        ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(inner) => handshake(inner),
            None => match error.kind() {
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
    };
    Failure {
        kind,
        maybe_sent: false,
        message,
    }
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

/// A request in the client's own types.
fn built<B>(request: &Request, body: B) -> Result<ureq::http::Request<B>, Failure> {
    let unbuildable = || Failure {
        kind: FailureKind::Invalid,
        maybe_sent: false,
        message: "the URL or a header cannot be sent".to_owned(),
    };
    let mut built = ureq::http::Request::new(body);
    let method = request.method.as_str().parse();
    *built.method_mut() = method.map_err(|_| unbuildable())?;
    *built.uri_mut() = request.url.parse().map_err(|_| unbuildable())?;
    let bearer = request.bearer.as_ref();
    let bearer = bearer.map(|token| format!("Bearer {}", token.expose()));
    let bearer = bearer.as_deref().map(|value| ("Authorization", value));
    for (name, value) in request.headers.iter().chain(bearer) {
        let name = HeaderName::try_from(name).map_err(|_| unbuildable())?;
        let value = HeaderValue::try_from(value).map_err(|_| unbuildable())?;
        built.headers_mut().append(name, value);
    }
    Ok(built)
}

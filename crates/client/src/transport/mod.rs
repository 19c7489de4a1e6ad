//! The only place that opens a client socket: HTTP/1.1 through ureq, TLS by rustls. It sends one
//! request once: `retry` decides about repeating it, and no redirect is followed.

mod attempt;
mod connections;

use std::fmt;
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ureq::ProxyProtocol;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use attempt::{Attempt, Patience};
pub(crate) use connections::Kept;
use connections::{Agents, Client};
use line_connector_http::Secret;
use line_connector_http::{Failure, Receiver, Reply, Request, Transport};

/// How much of an answer is read at once: at least its whole head.
const INPUT_BYTES: usize = 64 * 1024;
/// How much of a request is sent at once; half of it holds the longest header.
const OUTPUT_BYTES: usize = 64 * 1024;
/// How many connections a call keeps for later ones: to that many hosts, as an asset has.
const MAX_IDLE: usize = 4;

/// How connections are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether certificates are verified.
    pub verify_tls: bool,
    /// A proxy's URL.
    pub proxy: Option<Secret>,
    /// The hosts that are reached without it, as `NO_PROXY` names them: a name also stands for those
    /// beneath it.
    pub no_proxy: Vec<String>,
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
    proxy: Option<ureq::Proxy>,
    settings: Settings,
}

impl Http {
    /// A client with these settings. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// Where the proxy's URL or the certificate authorities cannot be used.
    pub fn new(settings: Settings) -> Result<Self, UnusableSetting> {
        Self::keeping(settings, Arc::default())
    }

    /// The same, where connections that nobody needs are kept among those of others.
    pub(crate) fn keeping(settings: Settings, kept: Arc<Kept>) -> Result<Self, UnusableSetting> {
        let proxy = settings.proxy.as_ref();
        let proxy = proxy.map(|url| proxy_of(url, &settings.no_proxy));
        let proxy = proxy.transpose()?;
        let mut tls = TlsConfig::builder().disable_verification(!settings.verify_tls);
        if let Some(pem) = &settings.authorities {
            tls = tls.root_certs(roots(pem)?);
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy.clone())
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
        let agents = Agents::new(config, kept);
        Ok(Self {
            agents,
            proxy,
            settings,
        })
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

fn proxy_of(url: &Secret, except: &[String]) -> Result<ureq::Proxy, UnusableSetting> {
    let unusable = |_| UnusableSetting::Proxy("is not the URL of a proxy");
    let proxy = ureq::Proxy::new(url.expose()).map_err(unusable)?;
    if !matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) {
        return Err(UnusableSetting::Proxy(
            "must be the URL of an HTTP proxy, http:// or https://",
        ));
    }
    if except.is_empty() {
        return Ok(proxy);
    }
    let mut with = ureq::Proxy::builder(proxy.protocol())
        .host(proxy.host())
        .port(proxy.port());
    if let Some(user) = proxy.username() {
        with = with.username(user);
    }
    if let Some(password) = proxy.password() {
        with = with.password(password);
    }
    for host in except {
        with = with.no_proxy(host);
        if !host.starts_with(['.', '*']) {
            with = with.no_proxy(&format!(".{host}"));
        }
    }
    with.build().map_err(unusable)
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

impl Http {
    fn send_with(&self, agent: &Client, request: &Request) -> Result<Reply, Failure> {
        let attempt = Attempt::begin(self, agent, request)?;
        let (mut reply, body) = attempt.head(request, Patience::Whole)?;
        reply.body = attempt.whole(body)?;
        Ok(reply)
    }

    fn download_with(
        &self,
        agent: &Client,
        request: &Request,
        receiver: &mut dyn Receiver,
    ) -> Result<Reply, Failure> {
        let attempt = Attempt::begin(self, agent, request)?;
        let (mut reply, mut body) =
            attempt.head(request, Patience::EachPause(request.download_timeout))?;
        if reply.status != 200 {
            reply.body = attempt.whole(body)?;
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
                Err(error) => return Err(attempt.failure(&error.into())),
            }
        }
    }

    /// What this does with an agent of its owner; the agent is kept where it succeeds.
    fn with_agent(
        &self,
        request: &Request,
        send: impl FnOnce(&Client) -> Result<Reply, Failure>,
    ) -> Result<Reply, Failure> {
        let agent = self.agents.lend(request.bearer.as_ref());
        let reply = send(&agent)?;
        self.agents.keep(agent, request.bearer.clone());
        Ok(reply)
    }
}

/// Requests without a token share connections: they are of one party.
impl Transport for Http {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        self.with_agent(request, |agent| self.send_with(agent, request))
    }

    fn download(&self, request: &Request, receiver: &mut dyn Receiver) -> Result<Reply, Failure> {
        self.with_agent(request, |agent| {
            self.download_with(agent, request, receiver)
        })
    }
}

/// One call's way to the network. All its requests have the same owner, so the one for its token, which
/// has none yet, hands its connection on; no other call gets a connection but by the same token.
#[derive(Debug)]
pub(crate) struct Session {
    http: Arc<Http>,
    /// The agent of the requests so far, with the token of the last one.
    last: Mutex<Option<(Client, Option<Secret>)>>,
}

impl Session {
    pub(crate) fn new(http: Arc<Http>) -> Self {
        let last = Mutex::default();
        Self { http, last }
    }

    fn last(&self) -> MutexGuard<'_, Option<(Client, Option<Secret>)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_agent(
        &self,
        request: &Request,
        send: impl FnOnce(&Client) -> Result<Reply, Failure>,
    ) -> Result<Reply, Failure> {
        let last = self.last().take().map(|(agent, _)| agent);
        let agent = last.unwrap_or_else(|| self.http.agents.lend(request.bearer.as_ref()));
        let reply = send(&agent)?;
        *self.last() = Some((agent, request.bearer.clone()));
        Ok(reply)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some((agent, Some(token))) = self.last().take() {
            self.http.agents.keep(agent, Some(token));
        }
    }
}

impl Transport for Session {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        self.with_agent(request, |agent| self.http.send_with(agent, request))
    }

    fn download(&self, request: &Request, receiver: &mut dyn Receiver) -> Result<Reply, Failure> {
        self.with_agent(request, |agent| {
            self.http.download_with(agent, request, receiver)
        })
    }
}

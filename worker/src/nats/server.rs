//! The way to NATS: its servers, credentials and TLS, and whether the connection stands. No error shows
//! a password.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use line_connector::{MAX_FILE_BYTES, NatsArguments, variable};
use line_connector_client::{Error, Kind, regular};
use line_connector_receiver::{Level, Log, Notice};
use percent_encoding::percent_decode_str;
use tokio::sync::watch;
use tokio::time::sleep;

/// How long servers that cannot be reached are tried at the start: they may be starting too.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two such tries.
const PAUSE: Duration = Duration::from_millis(250);
/// How long what a server did not like may explain what got no answer.
const COMPLAINT_COUNTS: Duration = Duration::from_secs(10);
/// The longest pause between two tries to get a lost connection back.
const MAX_PAUSE_MS: u64 = 1_000;
/// How often the connection is tried; after two silent ones it counts as lost.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Waits for servers at the start.
pub(super) struct Patience<'a> {
    log: &'a Log,
    begun: Instant,
    told: bool,
}

impl<'a> Patience<'a> {
    pub(super) fn new(log: &'a Log) -> Self {
        Self {
            log,
            begun: Instant::now(),
            told: false,
        }
    }

    /// Whether it has been waited for long enough.
    pub(super) fn is_over(&self) -> bool {
        self.begun.elapsed() >= PATIENCE
    }

    /// Waits until the next try. Why is told once.
    pub(super) async fn wait(&mut self, why: String) {
        if !self.told {
            self.told = true;
            self.log
                .tell(&Notice::new(Level::Warning, "nats_away", why));
        }
        sleep(PAUSE).await;
    }
}

/// What a server did not like, and when it said so.
type Complaint = Arc<Mutex<Option<(Instant, String)>>>;

/// A connection to NATS, which comes back by itself.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) client: Client,
    /// How often the connection was lost.
    losses: watch::Receiver<u64>,
    /// What the server said last about what it did not like.
    complaint: Complaint,
}

impl Server {
    /// Connects. Servers that are away are waited for, unless the end is asked for.
    pub(super) async fn connect(
        urls: &str,
        arguments: &NatsArguments,
        log: &Arc<Log>,
        ending: &dyn Fn() -> bool,
    ) -> Result<Self, Error> {
        let addresses = addresses(urls)?;
        let shown = shown(&addresses);
        let mut patience = Patience::new(log);
        loop {
            let (losses_tx, losses) = watch::channel(0);
            let complaint = Arc::default();
            let options = options(arguments, &addresses)?;
            let options = watched(options, losses_tx, Arc::clone(&complaint), Arc::clone(log));
            let failure = match options.connect(&addresses[..]).await {
                Ok(client) => {
                    return Ok(Self {
                        client,
                        losses,
                        complaint,
                    });
                }
                Err(failure) => failure,
            };
            let away = matches!(
                failure.kind(),
                ConnectErrorKind::Io | ConnectErrorKind::Dns | ConnectErrorKind::TimedOut
            );
            if ending() {
                let message =
                    format!("it was asked to end before NATS at {shown} could be reached");
                return Err(Error::new(Kind::ShuttingDown, message));
            }
            if !away || is_of_tls(&failure) || patience.is_over() {
                return Err(unreachable(&shown, &failure));
            }
            let why = reason(&failure);
            patience
                .wait(format!("NATS at {shown} cannot be reached yet: {why}"))
                .await;
        }
    }

    /// Whether the connection stands.
    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Waits until the connection is lost, after it stood; `from` is what [`Server::losses`] said then.
    pub(super) async fn lost(&self, from: u64) {
        let mut losses = self.losses.clone();
        // Where nobody is left to tell, there is no connection either.
        let _ = losses.wait_for(|losses| *losses != from).await;
    }

    /// How often the connection was lost.
    pub(super) fn losses(&self) -> u64 {
        *self.losses.borrow()
    }

    /// What the server did not like lately, which explains what got no answer.
    pub(super) fn complaint(&self) -> Option<String> {
        let complaint = self.complaint.lock();
        let complaint = complaint.unwrap_or_else(PoisonError::into_inner).clone();
        let (_, said) = complaint.filter(|(at, _)| at.elapsed() < COMPLAINT_COUNTS)?;
        Some(said)
    }
}

/// The servers' addresses.
fn addresses(urls: &str) -> Result<Vec<ServerAddr>, Error> {
    let urls = urls.split(',').map(str::trim).filter(|url| !url.is_empty());
    let addresses: Vec<ServerAddr> = urls
        .map(str::parse)
        .collect::<Result<_, io::Error>>()
        .unwrap_or_default();
    let known = |address: &ServerAddr| {
        matches!(address.scheme(), "nats" | "tls") && !address.host().is_empty()
    };
    if addresses.is_empty() || !addresses.iter().all(known) {
        let message = "a NATS URL must be like nats://host:4222 or tls://host:4222";
        let error = Error::new(Kind::Usage, message);
        return Err(error.with_hint("put commas between the URLs of several servers"));
    }
    Ok(addresses)
}

/// The servers for people, without users and passwords.
fn shown(addresses: &[ServerAddr]) -> String {
    let shown: Vec<String> = addresses
        .iter()
        .map(|address| format!("{}:{}", address.host(), address.port()))
        .collect();
    shown.join(", ")
}

fn options(arguments: &NatsArguments, addresses: &[ServerAddr]) -> Result<ConnectOptions, Error> {
    let mut options = ConnectOptions::new()
        .name("line-connector-worker")
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(|attempts| {
            let attempts = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
            let pause = 10_u64.saturating_mul(2_u64.saturating_pow(attempts));
            Duration::from_millis(if attempts == 0 {
                0
            } else {
                pause.min(MAX_PAUSE_MS)
            })
        });
    let of_url = addresses.iter().find_map(|address| {
        let user = address.username()?;
        Some((
            percent_decoded(user),
            address.password().map(percent_decoded),
        ))
    });
    let of_environment = || Some((variable("NATS_USER")?, variable("NATS_PASSWORD")));
    options = match of_url.or_else(of_environment) {
        Some((user, Some(password))) => options.user_and_password(user, password),
        Some((token, None)) => options.token(token),
        None => options,
    };
    if let Some(path) = &arguments.creds {
        let text = read(path)?;
        options = options.credentials(&text).map_err(|_| {
            let path = path.display();
            Error::new(Kind::Usage, format!("{path} holds no credentials for NATS"))
        })?;
    }
    if let Some(path) = &arguments.nkey {
        options = options.nkey(read(path)?.trim().to_owned());
    }
    if let Some(path) = &arguments.tls_ca {
        read(path)?;
        options = options.add_root_certificates(path.clone());
    }
    if let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        read(certificate)?;
        read(key)?;
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options)
}

fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn read(path: &Path) -> Result<String, Error> {
    regular::read_text(path, MAX_FILE_BYTES).map_err(|error| {
        let path = path.display();
        Error::new(Kind::Usage, format!("{path} cannot be read: {error}"))
    })
}

/// Tells operators when the connection goes and comes.
fn watched(
    options: ConnectOptions,
    losses: watch::Sender<u64>,
    complaint: Complaint,
    log: Arc<Log>,
) -> ConnectOptions {
    options.event_callback(move |event| {
        match event {
            Event::Disconnected => {
                losses.send_modify(|losses| *losses += 1);
                let message = "the connection to NATS is lost";
                log.tell(&Notice::new(Level::Warning, "nats_away", message));
            }
            Event::Connected if *losses.borrow() > 0 => {
                let message = "NATS is connected again";
                log.tell(&Notice::new(Level::Info, "nats_back", message));
            }
            Event::ServerError(error) => {
                let said = error.to_string();
                log.tell(&Notice::new(
                    Level::Error,
                    "nats_refuses",
                    format!("NATS says: {said}"),
                ));
                *complaint.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((Instant::now(), said));
            }
            _ => {}
        }
        std::future::ready(())
    })
}

fn unreachable(shown: &str, failure: &async_nats::ConnectError) -> Error {
    let reason = reason(failure);
    match failure.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            let message = format!("NATS at {shown} does not take the credentials: {reason}");
            Error::new(Kind::Usage, message).with_hint(
                "compare --creds, --nkey, or NATS_USER and NATS_PASSWORD, with the server's users",
            )
        }
        _ if is_of_tls(failure) => {
            let message = format!("no TLS with NATS at {shown}: {reason}");
            Error::new(Kind::Tls, message).with_hint(
                "compare --tls-ca, --tls-cert and --tls-key with the server's certificate",
            )
        }
        _ => {
            let message = format!("NATS at {shown} cannot be reached: {reason}");
            Error::new(Kind::ConnectionFailed, message)
                .with_hint("start nats-server with -js, or compare the URL with where it listens")
        }
    }
}

/// Whether the two do not agree about TLS.
fn is_of_tls(failure: &async_nats::ConnectError) -> bool {
    let cause = std::error::Error::source(failure);
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    // So `rustls` calls what it does not trust or understand.
    failure.kind() == ConnectErrorKind::Tls
        || cause.is_some_and(|cause| cause.kind() == io::ErrorKind::InvalidData)
}

/// Why there is no connection. Addresses in it would be those of the URL, so only the cause is told.
fn reason(failure: &async_nats::ConnectError) -> String {
    let cause = std::error::Error::source(failure).map(ToString::to_string);
    cause.unwrap_or_else(|| failure.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_their_passwords() {
        let addresses = addresses("nats://user:secret@a:1, tls://b").unwrap();
        assert_eq!(shown(&addresses), "a:1, b:4222");
        for wrong in [
            "",
            ",",
            "http://host",
            "nats://",
            "nats:// a b",
            "nats://user:secret@",
        ] {
            let error = super::addresses(wrong).unwrap_err();
            assert!(!format!("{error} {:?}", error.hint).contains("secret"));
        }
    }
}

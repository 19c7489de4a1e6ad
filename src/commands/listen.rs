//! `listen`: receives LINE's webhooks until it is asked to end. It reads what the receiver needs from
//! the command line, files and the environment; see the `receiver` for what a webhook goes through.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::{Map, Value, json};

use line_connector_client::regular;
use line_connector_client::transport::{self, Http};
use line_connector_client::{
    Catalog, Clock as _, Connector, Error, ExitCode, Invocation, Kind, Output, Random, Secret,
    SystemClock, SystemRandom, Transport,
};
use line_connector_core::asset::{Asset, Operator};
use line_connector_core::backoff::bound;
use line_connector_core::documents::json;
use line_connector_core::documents::{AssetParameters, ErrorReport};
use line_connector_core::error::Detail;
use line_connector_core::webhook::cause;
use line_connector_receiver::queue::Queue;
use line_connector_receiver::{
    Acknowledgements, Channel, DeliverySettings, Host, Intake, Level, Log, Notice, Publisher,
    QueueSettings, Receiver, RetryLimits, ServerSettings, Settings, ShutdownReason, Signer, Sink,
    StartError, Target,
};

use crate::args::ListenArguments;
use crate::host::{self, MAX_FILE_BYTES, variable};
use crate::notices;
use crate::panics::contain;
use crate::private::replaceable_in;
use crate::queue_file::{self, queue_error};
use crate::signals::{self, Signal};
use crate::terminal::say;
use crate::worker;

/// How long what is in flight may take to be settled at the end, where no time-out bounds it.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// What is added to a time-out that does bound it.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(1);
/// How long a connection to the platform may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of the platform's replies; nothing of them is used but the status.
const MAX_RESPONSE_BYTES: u64 = 1024 * 1024;
/// The first pause after a destination could not be learnt; it doubles.
const MIN_PAUSE: Duration = Duration::from_secs(2);
/// The longest such pause.
const MAX_PAUSE: Duration = Duration::from_mins(5);

/// A channel with what is needed to learn its destination.
struct Configured {
    channel: Channel,
    operator: Operator,
}

/// Receives into a queue, until a signal, or until nobody takes the events any more. Where the events
/// are to be published, the worker receives.
pub(super) fn listen(
    catalog: impl FnOnce() -> Result<Catalog, Error>,
    arguments: &ListenArguments,
) -> Result<ExitCode, Error> {
    let Some(queue) = &arguments.queue else {
        return worker::take_over();
    };
    receive(&catalog()?, arguments, |surroundings| {
        let mut warnings = Vec::new();
        let unusable = |reason: &dyn Display| queue_error(queue, reason);
        // Held until the process ends: two receivers would deliver the same events.
        let lock = queue_file::reserve(queue)?;
        let events = Queue::open(queue).map_err(|error| unusable(&error))?;
        // What SQLite has just made beside it, or found there.
        queue_file::check(queue)?;
        if let Some(above) = replaceable_in(queue) {
            let above = above.display();
            warnings.push(Notice::new(
                Level::Warning,
                "queue_replaceable",
                format!("others may change {above}, and so put another file in the queue's place"),
            ));
        }
        let Surroundings {
            intake,
            host,
            shutdown_tx,
            ..
        } = surroundings;
        let sink = sink(arguments, &mut warnings)?;
        let settings = settings(arguments);
        let receiver = Receiver::start(settings, events, intake, sink, &host, shutdown_tx);
        let receiver = receiver.map_err(|error| match error {
            StartError::Queue(error) => unusable(&error),
            error => not_started(&error),
        })?;
        Ok((receiver, warnings, lock))
    })
}

/// Receives and publishes, until a signal. `publisher` makes what publishes; it is given what to tell by, and
/// what says whether the end has been asked for.
///
/// # Errors
///
/// Where it cannot begin.
pub fn publish(
    catalog: &Catalog,
    arguments: &ListenArguments,
    publisher: impl FnOnce(Arc<Log>, &dyn Fn() -> bool) -> Result<Arc<dyn Publisher>, Error>,
) -> Result<ExitCode, Error> {
    receive(catalog, arguments, |surroundings| {
        let Surroundings {
            intake,
            host,
            shutdown_tx,
            ending,
        } = surroundings;
        let log = Arc::new(Log::new(host.tell));
        let publisher = publisher(Arc::clone(&log), &|| ending.load(Ordering::Relaxed))?;
        let settings = settings(arguments).server;
        let receiver = Receiver::publishing(settings, intake, publisher, log, shutdown_tx);
        let receiver = receiver.map_err(|error| not_started(&error))?;
        Ok((receiver, Vec::new(), ()))
    })
}

fn not_started(error: &StartError) -> Error {
    Error::new(Kind::Usage, error.to_string())
        .with_hint("choose another --address or --admin-address, or end what uses this one")
}

/// What a receiver is started with.
struct Surroundings {
    intake: Arc<Intake>,
    host: Host,
    shutdown_tx: mpsc::Sender<ShutdownReason>,
    /// Whether the end has been asked for.
    ending: Arc<AtomicBool>,
}

/// Receives until a signal, or until nobody takes the events any more. `start` starts the receiver; its
/// answer has warnings, and what is held until the end.
fn receive<K>(
    catalog: &Catalog,
    arguments: &ListenArguments,
    start: impl FnOnce(Surroundings) -> Result<(Receiver, Vec<Notice>, K), Error>,
) -> Result<ExitCode, Error> {
    let environment = host::environment(catalog);
    let (configured, open) = channels(catalog, &arguments.assets, &environment)?;
    let tell = notices::teller(arguments.log, io::stderr().is_terminal());
    let host = Host {
        clock: Arc::new(|| SystemClock.now()),
        random: || SystemRandom.bits(),
        tell,
    };
    let of_secrets = unusual_secret(&configured);
    let (known, unknown) = sorted(catalog, configured);
    let content = catalog.triggers().content;
    let intake = Arc::new(Intake::new(known, content, Arc::clone(&host.clock)));
    let (shutdown_tx, shutdown) = mpsc::channel();
    let signal_tx = shutdown_tx.clone();
    let ending = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&ending);
    let rereading = Rereading {
        catalog: catalog.clone(),
        assets: arguments.assets.clone(),
        environment,
        intake: Arc::clone(&intake),
        tell,
    };
    let watched = signals::watch(move |signal| match signal {
        Signal::Stop => {
            asked.store(true, Ordering::Relaxed);
            let _ = signal_tx.send(ShutdownReason::Requested);
        }
        Signal::Reread => rereading.reread(),
        Signal::Report => {}
    });
    watched
        .map_err(|error| Error::new(Kind::Usage, format!("signals cannot be watched: {error}")))?;
    let (receiver, warnings, _held) = start(Surroundings {
        intake: Arc::clone(&intake),
        host,
        shutdown_tx,
        ending,
    })?;
    let url = format!("http://{}{}", receiver.address(), arguments.path);
    let mut line = json!({"listening": url});
    if let (Some(address), Some(members)) = (receiver.admin_address(), line.as_object_mut()) {
        members.insert("admin".to_owned(), format!("http://{address}/").into());
    }
    say(&line.to_string());
    warnings
        .iter()
        .chain(&open)
        .chain(&of_secrets)
        .for_each(tell);
    start_learning(intake, unknown, tell);
    let reason = shutdown.recv().unwrap_or(ShutdownReason::Requested);
    let failed = |message: &str| tell(&Notice::new(Level::Error, "ends", message));
    match reason {
        ShutdownReason::OutputClosed => {
            failed("nobody reads standard output any more; the events wait in the queue");
        }
        ShutdownReason::OutputFailed(kind) => failed(&format!(
            "standard output cannot be written: {kind}; the events wait in the queue"
        )),
        ShutdownReason::Panicked => failed("a bug ends the receiver; what it has taken is safe"),
        ShutdownReason::Requested | ShutdownReason::InputEnded => {}
    }
    let panics = receiver.stop(grace(reason, arguments));
    Ok(exit_code(reason, panics))
}

/// How long what is in flight may take to be settled.
fn grace(reason: ShutdownReason, arguments: &ListenArguments) -> Duration {
    match (reason, &arguments.forward) {
        // Nobody is left who could settle anything.
        (
            ShutdownReason::InputEnded
            | ShutdownReason::OutputClosed
            | ShutdownReason::OutputFailed(_),
            _,
        ) => Duration::ZERO,
        (_, Some(_)) => timeout(arguments) + SHUTDOWN_MARGIN,
        (_, None) => SHUTDOWN_GRACE,
    }
}

/// What the end says. A bug is told even where it cost no more than one webhook or one delivery.
fn exit_code(reason: ShutdownReason, panics: u64) -> ExitCode {
    match reason {
        ShutdownReason::Panicked => ExitCode::Bug,
        _ if panics > 0 => ExitCode::Bug,
        ShutdownReason::OutputClosed => ExitCode::NoAnswer,
        ShutdownReason::OutputFailed(_) => ExitCode::Unwritten,
        ShutdownReason::Requested | ShutdownReason::InputEnded => ExitCode::Accepted,
    }
}

fn settings(arguments: &ListenArguments) -> Settings {
    let days = Duration::from_hours(24);
    Settings {
        server: ServerSettings {
            address: arguments.address,
            admin_address: arguments.admin_address,
            path: format!("/{}", arguments.path.trim_start_matches('/')),
            max_body_bytes: usize::try_from(arguments.max_body_bytes).unwrap_or(usize::MAX),
            max_connections: usize::try_from(arguments.max_connections).unwrap_or(usize::MAX),
            idle_timeout: Duration::from_secs(arguments.idle_seconds),
        },
        queue: QueueSettings {
            reorder_delay: Duration::from_millis(arguments.settle_ms),
            max_waiting: arguments.max_waiting,
            remember: days * u32::try_from(arguments.remember_days).unwrap_or(u32::MAX),
        },
        delivery: DeliverySettings {
            max_in_flight: usize::from(arguments.concurrency),
            retry: RetryLimits {
                max_failures: arguments.attempts,
                max_age: Duration::from_hours(arguments.max_age_hours),
            },
        },
    }
}

/// How long the platform may take for one event.
fn timeout(arguments: &ListenArguments) -> Duration {
    Duration::from_millis(arguments.timeout_ms)
}

fn sink(arguments: &ListenArguments, warnings: &mut Vec<Notice>) -> Result<Sink, Error> {
    if arguments.hold {
        return Ok(Sink::Hold);
    }
    let Some(url) = &arguments.forward else {
        return Ok(Sink::Stdio {
            output: standard_output(),
            acknowledgements: arguments.ack.then(|| Acknowledgements {
                input: Box::new(io::BufReader::new(io::stdin())),
                timeout: timeout(arguments),
            }),
        });
    };
    if !transport::is_usable(url) {
        let message =
            "--forward must be a URL that starts with https:// (or http://), without a user";
        return Err(Error::new(Kind::Usage, message));
    }
    let authorities = arguments
        .forward_ca_file
        .as_deref()
        .map(read_file)
        .transpose()?;
    let transport = Http::new(transport::Settings {
        verify_tls: true,
        proxy: None,
        no_proxy: Vec::new(),
        authorities,
        connect_timeout: CONNECT_TIMEOUT,
        usual_timeout: timeout(arguments),
        max_response_bytes: MAX_RESPONSE_BYTES,
    });
    let transport: Arc<dyn Transport> = Arc::new(
        transport
            .map_err(|_| Error::new(Kind::Usage, "--forward-ca-file holds no PEM certificate"))?,
    );
    Ok(Sink::Forward(Target {
        url: url.clone(),
        signer: signer(arguments, warnings)?,
        timeout: timeout(arguments),
        transport,
    }))
}

/// Standard output for lines.
#[cfg(unix)]
fn standard_output() -> Box<dyn Write + Send> {
    use std::os::fd::AsFd as _;
    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(output) => Box::new(WholeLines(File::from(output))),
        Err(_) => Box::new(io::stdout()),
    }
}

/// Elsewhere it is written as it comes.
#[cfg(not(unix))]
fn standard_output() -> Box<dyn Write + Send> {
    Box::new(io::stdout())
}

/// An output that takes all lines or none: where a disk takes a part of them only, the file is cut
/// back, so that the next line begins at the start of one.
#[cfg_attr(not(unix), expect(dead_code, reason = "see above"))]
struct WholeLines(File);

impl Write for WholeLines {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let found = self.0.metadata().ok().filter(std::fs::Metadata::is_file);
        let written = self.0.write_all(lines);
        if let (Err(_), Some(found)) = (&written, found) {
            self.0.set_len(found.len())?;
        }
        written.map(|()| lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What signs the POSTs: the file's secret, or the environment's.
fn signer(
    arguments: &ListenArguments,
    warnings: &mut Vec<Notice>,
) -> Result<Option<Signer>, Error> {
    let secret = match &arguments.forward_secret_file {
        Some(path) => Some(String::from_utf8_lossy(&read_file(path)?).trim().to_owned()),
        None => variable("LINE_FORWARD_SECRET"),
    };
    let Some(secret) = secret else {
        warnings.push(Notice::new(
            Level::Warning,
            "unsigned_forwards",
            "the events are posted unsigned: give --forward-secret-file or LINE_FORWARD_SECRET",
        ));
        return Ok(None);
    };
    let signer = Signer::new(&Secret::new(secret)).ok_or_else(|| {
        Error::new(
            Kind::Usage,
            "the secret for --forward is empty, or not base64 after whsec_",
        )
    })?;
    Ok(Some(signer))
}

fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    regular::read(path, MAX_FILE_BYTES).map_err(|error| {
        Error::new(
            Kind::Usage,
            format!("{} cannot be read: {error}", path.display()),
        )
    })
}

/// The channels that the files name, or the one of the environment; and warnings about the files.
fn channels(
    catalog: &Catalog,
    assets: &[PathBuf],
    environment: &Map<String, Value>,
) -> Result<(Vec<Configured>, Vec<Notice>), Error> {
    let mut found = Vec::new();
    let mut warnings = Vec::new();
    for path in assets {
        let (text, warning) = host::read_private(path)?;
        warnings.extend(warning.map(|warning| {
            let message = warning.trim_start_matches("warning: ");
            Notice::new(Level::Warning, "asset_readable", message)
        }));
        let source = path.display().to_string();
        let assets = match json::read(&text) {
            Ok(Value::Object(asset)) => vec![Value::Object(asset)],
            Ok(Value::Array(assets)) if !assets.is_empty() => assets,
            Ok(_) => {
                let expected = "must be one JSON object, or an array of them";
                return Err(invalid_asset(&source, "/", expected));
            }
            Err(unreadable) => {
                let reason = format!("is not JSON: {unreadable}");
                return Err(invalid_asset(&source, "", &reason));
            }
        };
        for (index, asset) in assets.into_iter().enumerate() {
            let source = format!("{source}, asset {}", index + 1);
            found.push(channel(catalog, &source, asset, environment)?);
        }
    }
    if found.is_empty() {
        let asset = Value::Object(Map::new());
        found.push(channel(catalog, "the environment", asset, environment)?);
    }
    let mut destinations: Vec<&String> = found
        .iter()
        .filter_map(|one| one.channel.destination.as_ref())
        .collect();
    destinations.sort_unstable();
    if destinations.windows(2).any(|pair| pair[0] == pair[1]) {
        let message = "have the same destination";
        return Err(invalid_asset("two assets", "/destination", message));
    }
    Ok((found, warnings))
}

/// An error in the asset that came from `source`, at a JSON pointer.
fn invalid_asset(source: &str, path: &str, message: &str) -> Error {
    Error::new(Kind::InvalidAsset, format!("{source}: the asset is wrong"))
        .with_details(vec![Detail::new(path, message)])
}

fn channel(
    catalog: &Catalog,
    source: &str,
    asset: Value,
    environment: &Map<String, Value>,
) -> Result<Configured, Error> {
    let Value::Object(mut asset) = asset else {
        return Err(invalid_asset(source, "/", "must be a JSON object"));
    };
    let destination = match asset.remove("destination") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if !id.is_empty() => Some(id),
        Some(_) => {
            return Err(invalid_asset(
                source,
                "/destination",
                "must be the bot's user ID, a string",
            ));
        }
    };
    let operator = Operator {
        file: asset.clone(),
        environment: environment.clone(),
        system_proxy: host::system_proxy(),
    };
    let resolved = Asset::resolve(catalog.manifest(), &AssetParameters::default(), &operator);
    resolved.map_err(|error| Error {
        message: format!("{source}: {error}"),
        ..error
    })?;
    let secret = asset
        .get("client_secret")
        .or_else(|| environment.get("client_secret"));
    let secret = secret
        .and_then(Value::as_str)
        .filter(|secret| !secret.is_empty());
    if secret.is_some_and(host::has_blanks) {
        let message = "the channel secret must have no blanks";
        return Err(invalid_asset(source, "/client_secret", message));
    }
    let secret = secret.ok_or_else(|| {
        let error = invalid_asset(source, "/client_secret", "the channel secret is missing");
        error.with_hint("give `client_secret` in an --asset file, or set LINE_CLIENT_SECRET")
    })?;
    Ok(Configured {
        channel: Channel {
            destination,
            secret: Secret::new(secret),
        },
        operator,
    })
}

/// Channels by their place, with what asks LINE for the bot's user ID of each.
type Unknown = Vec<(usize, Connector)>;

/// The channels for the receiver, and those whose destination is to be learnt. One alone needs none.
fn sorted(catalog: &Catalog, configured: Vec<Configured>) -> (Vec<Channel>, Unknown) {
    let several = configured.len() > 1;
    let mut unknown = Vec::new();
    let mut known = Vec::new();
    for (index, one) in configured.into_iter().enumerate() {
        if several && one.channel.destination.is_none() {
            let connector = Connector::builder().catalog(catalog.clone());
            unknown.push((index, connector.operator(one.operator).build()));
        }
        known.push(one.channel);
    }
    (known, unknown)
}

/// A warning where a secret does not look like LINE's.
fn unusual_secret(configured: &[Configured]) -> Option<Notice> {
    let unusual = |one: &Configured| !cause::is_usual_secret(one.channel.secret.expose());
    configured.iter().any(unusual).then(|| {
        Notice::new(
            Level::Warning,
            "unusual_secret",
            "a channel secret is not 32 hexadecimal digits, as LINE's are: its webhooks are refused \
             if it is another text than LINE's",
        )
    })
}

/// What it takes to read the assets again.
struct Rereading {
    catalog: Catalog,
    assets: Vec<PathBuf>,
    environment: Map<String, Value>,
    intake: Arc<Intake>,
    tell: fn(&Notice),
}

impl Rereading {
    /// Reads the asset files again. Where one is wrong, the channels stay as they are.
    fn reread(&self) {
        let tell = |level, kind, message: String| (self.tell)(&Notice::new(level, kind, message));
        if self.assets.is_empty() {
            let message = "there is no --asset file to read again; the environment is read at the start alone";
            return tell(Level::Warning, "assets_kept", message.to_owned());
        }
        match channels(&self.catalog, &self.assets, &self.environment) {
            Ok((configured, open)) => {
                let warning = unusual_secret(&configured);
                let count = configured.len();
                let (known, unknown) = sorted(&self.catalog, configured);
                self.intake.replace(known);
                let message = format!("the assets were read again; channels: {count}");
                tell(Level::Info, "assets_reread", message);
                open.iter().chain(&warning).for_each(self.tell);
                start_learning(Arc::clone(&self.intake), unknown, self.tell);
            }
            Err(error) => {
                let error = ErrorReport::from(&error);
                let details = error.details.iter();
                let details = details.map(|detail| format!("{} {}", detail.path, detail.message));
                let what: Vec<String> =
                    [error.message.clone()].into_iter().chain(details).collect();
                let message = format!("the assets stay as they were: {}", what.join("; "));
                tell(Level::Error, "assets_kept", message);
            }
        }
    }
}

/// Learns what is not known, beside everything else.
fn start_learning(intake: Arc<Intake>, unknown: Unknown, tell: fn(&Notice)) {
    if !unknown.is_empty() {
        std::thread::spawn(move || learn(&intake, unknown, tell));
    }
}

/// Asks LINE for the bot's user ID of each channel that did not name it, until all are known or others
/// have taken their place. Until then webhooks of unknown destinations are answered 503, so that LINE
/// may send them again.
fn learn(intake: &Intake, mut unknown: Unknown, tell: fn(&Notice)) {
    let generation = intake.generation();
    for failures in 1.. {
        unknown.retain(|(index, connector)| {
            let invocation = Invocation {
                action: connector.catalog().manifest().check.first().cloned(),
                ..Invocation::default()
            };
            let output =
                contain(|| connector.call(invocation)).unwrap_or_else(|bug| Output::from(&bug));
            if intake.generation() != generation {
                return false;
            }
            let body = output.json();
            let id = body.as_ref().and_then(|body| body.get("userId"));
            let learnt = id
                .and_then(Value::as_str)
                .map(|id| intake.learn(generation, *index, id));
            let channel = index + 1;
            let message = match (learnt, &output.error) {
                (Some(true), None) => return false,
                (Some(false), None) => {
                    format!("channel {channel}: another one has its destination")
                }
                (_, error) => {
                    let message = error
                        .as_ref()
                        .map_or("no user ID came", |error| &error.message);
                    format!("channel {channel}: its destination is not known yet: {message}")
                }
            };
            let notice = Notice::new(Level::Warning, "destination_unknown", message);
            tell(&notice.with("channel", channel));
            true
        });
        if unknown.is_empty() {
            return;
        }
        std::thread::park_timeout(bound(MIN_PAUSE, failures, MAX_PAUSE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_of_bugs_first() {
        for (reason, panics, code) in [
            (ShutdownReason::Requested, 0, ExitCode::Accepted),
            (ShutdownReason::InputEnded, 0, ExitCode::Accepted),
            (ShutdownReason::OutputClosed, 0, ExitCode::NoAnswer),
            (
                ShutdownReason::OutputFailed(io::ErrorKind::StorageFull),
                0,
                ExitCode::Unwritten,
            ),
            (ShutdownReason::Requested, 1, ExitCode::Bug),
            (ShutdownReason::OutputClosed, 1, ExitCode::Bug),
            (ShutdownReason::Panicked, 1, ExitCode::Bug),
        ] {
            assert_eq!(exit_code(reason, panics), code, "{reason:?} {panics}");
        }
    }
}

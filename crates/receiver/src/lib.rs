//! The webhook receiver: `server` takes requests, `intake` verifies them, `coordinator` makes their
//! events safe in the `queue` and hands them out, `lines` or `forward` bring them to the platform.
//! It reads no configuration and prints nothing; what it needs of the world is handed in.
//!
//! The promise, whenever the process dies: an event that LINE was answered 200 for is on the disk or
//! was handed over, and one whose acknowledgement is on the disk is never handed out again. One that
//! was out, its acknowledgement not yet on the disk, comes again with the same id and a higher
//! `attempt`; an event with attempt 1 surely never came before.

pub mod forward;
pub mod intake;
mod stdio;
pub mod metrics;
pub mod queue;
mod server;
mod policy;
mod coordinator;

use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Inbox, Sender, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coordinator::{Coordinator, Message, Terms};
use forward::Target;
use intake::Intake;
use metrics::Metrics;
use queue::{Queue, QueuedEvent};
use server::{Limits, Server};

/// How many messages may wait for the coordinator. Past it, LINE is asked to come again.
const INBOX: usize = 1024;

/// The time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Milliseconds since 1970.
#[must_use]
pub fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// How the receiver works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// The path of webhooks.
    pub path: String,
    /// The largest body, bytes.
    pub max_body_bytes: usize,
    /// The most connections at once. Over it the one that has been idle for longest is closed.
    pub max_connections: usize,
    /// How long a connection may take for a request's head, and be idle between requests.
    pub idle: Duration,
    /// How many events may be with the platform at once; each is of another chat.
    pub in_flight: usize,
    /// How many failures an event may have before it is given up.
    pub attempts: i64,
    /// How old an event may get before a failure makes it given up.
    pub max_age: Duration,
    /// How long an event waits for earlier ones of its chat.
    pub settle: Duration,
    /// How long a line may wait for its acknowledgement.
    pub acknowledge_within: Duration,
    /// How many events may wait before LINE is refused.
    pub max_waiting: i64,
    /// How long the ids of events are remembered.
    pub remember: Duration,
}

/// Where events go.
pub enum Sink {
    /// Nowhere: they wait.
    Hold,
    /// As lines of JSON; acknowledged by lines that come back, if there is anything to read.
    Stdio {
        /// Where lines go.
        output: Box<dyn Write + Send>,
        /// Where acknowledgements come from.
        answers: Option<Box<dyn BufRead + Send>>,
        /// Tells people about answers that make no sense.
        complain: fn(&str),
    },
    /// As POSTs.
    Forward(Target),
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Sink")
    }
}

/// Why the receiver should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownReason {
    /// Somebody asked it to.
    Asked,
    /// Nobody reads its lines any more.
    OutputClosed,
    /// Nobody will acknowledge anything any more.
    InputEnded,
}

/// A receiver at work.
pub struct Receiver {
    server: Server,
    coordinator_tx: SyncSender<Message>,
    coordinator: JoinHandle<()>,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl Receiver {
    /// Starts it. `ended` hears of a sink that can no longer work.
    ///
    /// # Errors
    ///
    /// Why it cannot: the queue, the address, or a thread.
    pub fn start(
        settings: &Settings,
        queue: Queue,
        intake: Arc<Intake>,
        sink: Sink,
        now: &Clock,
        random: fn() -> u128,
        ended: &Sender<ShutdownReason>,
    ) -> Result<Self, String> {
        let metrics = Arc::new(Metrics::default());
        let (coordinator_tx, inbox) = sync_channel(INBOX);
        let (events, outgoing) = sync_channel(settings.in_flight.max(1));
        let terms = settings.terms(&sink);
        let coordinator = Coordinator::new(
            queue,
            terms,
            inbox,
            events,
            Arc::clone(&metrics),
            Arc::clone(now),
            random,
        );
        let coordinator =
            coordinator.map_err(|error| format!("the queue cannot be used: {error}"))?;
        let server = Server::start(settings.limits(), intake, coordinator_tx.clone(), metrics)
            .map_err(|error| format!("it cannot listen on {}: {error}", settings.address))?;
        let unstarted = |error: std::io::Error| format!("a thread cannot be started: {error}");
        start_sink(
            sink,
            settings.in_flight,
            outgoing,
            &coordinator_tx,
            now,
            ended,
        )
        .map_err(unstarted)?;
        let coordinator = named("coordinator", move || coordinator.run()).map_err(unstarted)?;
        Ok(Self {
            server,
            coordinator_tx,
            coordinator,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Takes no further request, answers those that are open, lets what is out be settled within the
    /// grace, and closes the queue. What was said about events before is written in any case.
    pub fn stop(self, grace: Duration) {
        self.server.stop();
        let _ = self.coordinator_tx.send(Message::Stop(grace));
        let _ = self.coordinator.join();
    }
}

impl Settings {
    fn terms(&self, sink: &Sink) -> Terms {
        let in_flight = match sink {
            Sink::Hold => 0,
            Sink::Stdio { .. } | Sink::Forward(_) => self.in_flight,
        };
        let answered = matches!(
            sink,
            Sink::Stdio {
                answers: Some(_),
                ..
            }
        );
        Terms {
            in_flight,
            attempts: self.attempts,
            max_age: self.max_age,
            settle: self.settle,
            acknowledge_within: answered.then_some(self.acknowledge_within),
            max_waiting: self.max_waiting,
            remember: self.remember,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            address: self.address,
            path: self.path.clone(),
            max_body_bytes: self.max_body_bytes,
            max_connections: self.max_connections,
            idle: self.idle,
            body_within: Duration::from_secs(5),
        }
    }
}

fn start_sink(
    sink: Sink,
    threads: usize,
    events: Inbox<QueuedEvent>,
    coordinator_tx: &SyncSender<Message>,
    now: &Clock,
    ended: &Sender<ShutdownReason>,
) -> std::io::Result<()> {
    match sink {
        // Nothing is ever handed out; the channel's end may go.
        Sink::Hold => Ok(()),
        Sink::Forward(target) => forward::start(target, threads, events, coordinator_tx, now),
        Sink::Stdio {
            output,
            answers,
            complain,
        } => {
            let answered = answers.is_some();
            if let Some(input) = answers {
                let (coordinator_tx, ended) = (coordinator_tx.clone(), ended.clone());
                named("answers", move || {
                    stdio::listen(input, &coordinator_tx, &ended, complain);
                })?;
            }
            let (coordinator_tx, ended) = (coordinator_tx.clone(), ended.clone());
            named("lines", move || {
                stdio::write(output, answered, &events, &coordinator_tx, &ended);
            })?;
            Ok(())
        }
    }
}

fn named(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
}

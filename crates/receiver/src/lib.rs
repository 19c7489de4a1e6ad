//! The webhook receiver: `server` takes requests as `admission` lets it, `intake` verifies them,
//! `coordinator` makes their events safe in the `queue` and hands them out, `stdio` or `forward` deliver
//! them to the platform. Where the host brings a `Publisher`, that makes events safe instead, and there
//! is no queue. It reads no configuration and prints nothing; what it needs of the world is
//! handed in.
//!
//! The promise, whenever the process dies: an event that LINE was answered 200 for is on the disk or
//! was delivered, and one whose acknowledgement is on the disk is never delivered again. One that was
//! in flight, its acknowledgement not yet on the disk, comes again with the same id and a higher
//! `attempt`; an event with attempt 1 surely never came before.
//!
//! What was decided, and why:
//!
//! - An event's attempt number is on the disk before the attempt. One commit serves many events: four
//!   times as many are handed out as may be in flight, and results wait two milliseconds for each other
//!   while there is enough to go on with. What was handed out and not tried when the platform goes away
//!   is called back.
//! - The receiver's time is the calendar's at the start and what has passed since. Rows of another clock
//!   are brought within reach: `due` each second, `accepted` when handed out. Ids are remembered by a
//!   time that goes on from the newest one, so that a clock far ahead at a start forgets none.
//! - Who holds most makes room: the largest unfinished body, the oldest waiting connection, of a peer
//!   over its share first. A hard cap per peer would stop LINE behind a reverse proxy.
//! - The queue's file itself is locked (`flock`, which `SQLite` does not use on Linux), so that no other
//!   name lets a second receiver in.
//! - Outages (no connection, 429, 502 to 504) do not count against events; other failures do.
//! - Order within a chat is by LINE's timestamp among what waits; what was handed out once keeps its turn.

mod admission;
mod coordinator;
pub mod document;
mod forward;
mod host;
mod intake;
mod keeper;
pub mod metrics;
mod notice;
mod policy;
pub mod queue;
mod server;
mod settings;
mod stdio;
mod supervisor;

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver as Inbox, Sender, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use coordinator::{Coordinator, Message, Outlet, Recall, Turn};
use keeper::Keeper;
use metrics::Metrics;
use queue::{Queue, QueueError};
use server::Server;
use supervisor::Supervisor;

pub use forward::{Signer, Target};
pub use host::{Clock, Host, millis};
pub use intake::{Channel, Intake};
pub use keeper::{Arrival, Publisher, Stored};
pub use notice::{Level, Log, Notice};
pub use settings::{DeliverySettings, QueueSettings, RetryLimits, ServerSettings, Settings};
pub use stdio::Acknowledgements;
pub use supervisor::ShutdownReason;

/// Backpressure: how many messages may wait for the coordinator. Past it webhooks are answered 503.
const MAX_WAITING_MESSAGES: usize = 1024;

/// How many events are handed out for each one that may be in flight.
const LOOKAHEAD: usize = 4;

/// Where events go.
pub enum Sink {
    /// Nowhere: they wait.
    Hold,
    /// Out as lines of JSON.
    Stdio {
        /// Where lines go.
        output: Box<dyn Write + Send>,
        /// How they are acknowledged; without it an event that is written and flushed is.
        acknowledgements: Option<Acknowledgements>,
    },
    /// Out as POSTs; a 2xx acknowledges one.
    Forward(Target),
}

impl fmt::Debug for Sink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Sink::Hold => "Hold",
            Sink::Stdio { .. } => "Stdio",
            Sink::Forward(_) => "Forward",
        })
    }
}

/// Why a receiver cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The queue's file cannot be read or written.
    Queue(QueueError),
    /// The address cannot be listened on.
    Address(SocketAddr, String),
    /// A thread cannot be started.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Queue(error) => write!(formatter, "the queue cannot be used: {error}"),
            StartError::Address(address, error) => {
                write!(formatter, "it cannot listen on {address}: {error}")
            }
            StartError::Thread(error) => write!(formatter, "a thread cannot be started: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A receiver at work.
pub struct Receiver {
    server: Server,
    keeper: Keeper,
    /// The thread that owns the queue, where there is one.
    coordinator: Option<JoinHandle<()>>,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl Receiver {
    /// Starts it. `shutdown_tx` hears when it can no longer work; it goes on until
    /// [`Receiver::stop`] all the same.
    ///
    /// # Errors
    ///
    /// Where the queue or the address cannot be used, or a thread cannot be started.
    pub fn start(
        settings: Settings,
        queue: Queue,
        intake: Arc<Intake>,
        sink: Sink,
        host: &Host,
        shutdown_tx: Sender<ShutdownReason>,
    ) -> Result<Self, StartError> {
        let Settings {
            server,
            queue: queue_settings,
            delivery,
        } = settings;
        let metrics = Arc::new(Metrics::default());
        let log = Arc::new(Log::new(host.tell));
        let supervisor = Supervisor::new(shutdown_tx, Arc::clone(&metrics));
        let (coordinator_tx, inbox) = sync_channel(MAX_WAITING_MESSAGES);
        let window = window(&sink, delivery.max_in_flight);
        let (deliveries, turns) = sync_channel(window);
        let recall = Recall::default();
        let outlet = Outlet {
            deliveries,
            window,
            recall: recall.clone(),
        };
        let coordinator = Coordinator::new(
            queue,
            (queue_settings, delivery),
            inbox,
            (!matches!(sink, Sink::Hold)).then_some(outlet),
            (Arc::clone(&metrics), Arc::clone(&log)),
            host.clone(),
        )
        .map_err(StartError::Queue)?;
        let server = Server::start(
            server,
            intake,
            Keeper::Queue(coordinator_tx.clone()),
            (Arc::clone(&metrics), Arc::clone(&log)),
            &supervisor,
        )
        .map_err(|(address, error)| StartError::Address(address, error))?;
        let threads = delivery.max_in_flight;
        let turns = (turns, recall);
        let shared = (Arc::clone(&host.clock), log);
        start_sink(sink, threads, turns, &coordinator_tx, shared, &supervisor)
            .map_err(StartError::Thread)?;
        let coordinator = supervisor
            .spawn("coordinator", None, move || coordinator.run())
            .map_err(StartError::Thread)?;
        Ok(Self {
            server,
            keeper: Keeper::Queue(coordinator_tx),
            coordinator: Some(coordinator),
            metrics,
        })
    }

    /// Starts one that has no queue: a publisher makes events safe, and whoever reads there has them.
    /// `shutdown_tx` as in [`Receiver::start`].
    ///
    /// # Errors
    ///
    /// Where the address cannot be used, or a thread cannot be started.
    pub fn publishing(
        settings: ServerSettings,
        intake: Arc<Intake>,
        publisher: Arc<dyn Publisher>,
        log: Arc<Log>,
        shutdown_tx: Sender<ShutdownReason>,
    ) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::default());
        let supervisor = Supervisor::new(shutdown_tx, Arc::clone(&metrics));
        let keeper = Keeper::Publisher(publisher);
        let server = Server::start(
            settings,
            intake,
            keeper.clone(),
            (Arc::clone(&metrics), log),
            &supervisor,
        )
        .map_err(|(address, error)| StartError::Address(address, error))?;
        Ok(Self {
            server,
            keeper,
            coordinator: None,
            metrics,
        })
    }

    /// Where it listens, the port as taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where it answers `/healthz` and `/metrics`, the port as taken, where that is another address.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.server.admin_address()
    }

    /// Graceful shutdown: takes no further request, answers those that are open, lets what is in
    /// flight be settled within `grace`, and closes the queue or ends the publisher. What was said about
    /// events before is written in any case. The answer is how many panics there were since the start: bugs.
    #[must_use = "a bug that was survived should still be told"]
    pub fn stop(self, grace: Duration) -> u64 {
        self.server.stop();
        match self.keeper {
            // Where the coordinator has panicked there is nothing left to wait for.
            Keeper::Queue(coordinator_tx) => {
                let _ = coordinator_tx.send(Message::Stop(grace));
            }
            Keeper::Publisher(publisher) => publisher.stop(grace),
        }
        if let Some(coordinator) = self.coordinator {
            let _ = coordinator.join();
        }
        self.metrics.panics.load(Ordering::Relaxed)
    }
}

/// How many events are handed out at once. Where the platform acknowledges each line it is as many as
/// it wants to hold. Elsewhere some wait for a thread, so that one commit serves many turns.
fn window(sink: &Sink, max_in_flight: usize) -> usize {
    let acknowledged = matches!(
        sink,
        Sink::Stdio {
            acknowledgements: Some(_),
            ..
        }
    );
    let most = max_in_flight.max(1);
    if acknowledged { most } else { most * LOOKAHEAD }
}

fn start_sink(
    sink: Sink,
    threads: usize,
    (turns, recall): (Inbox<Turn>, Recall),
    coordinator_tx: &SyncSender<Message>,
    (clock, log): (Clock, Arc<Log>),
    supervisor: &Supervisor,
) -> io::Result<()> {
    match sink {
        // Nothing is ever handed out; the channel's end may go.
        Sink::Hold => Ok(()),
        Sink::Stdio {
            output,
            acknowledgements,
        } => stdio::start(
            output,
            acknowledgements,
            turns,
            coordinator_tx,
            log,
            supervisor,
        ),
        Sink::Forward(target) => forward::start(
            target,
            threads,
            turns,
            &recall,
            coordinator_tx,
            &clock,
            supervisor,
        ),
    }
}

//! The one thread that owns the queue. It takes in what the server and the deliveries say, writes all
//! that waits in one transaction, and only then answers: to LINE that events are safe, to the
//! platform which events are next. `policy` decides what a failed delivery means for its event.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use super::host::{Host, SteadyClock, whole_millis};
use super::keeper::{Arrival, Stored};
use super::metrics::{DeliveryOutcome, Metrics};
use super::notice::{Level, Log, Notice};
use super::policy::{self, Decision, DeliveryResult, History, Outage};
use super::queue::{Changes, Queue, QueueError, QueuedEvent};
use super::settings::{DeliverySettings, QueueSettings};

/// How many messages one transaction takes in.
const MAX_BATCH: usize = 512;
/// How often the queue is maintained, and the longest wait for a message.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);
/// The wait for a message while something must be written again or the end is near.
const SHORT_WAIT: Duration = Duration::from_millis(50);

/// How long results may wait for others, so that one commit serves them all, while there is enough
/// else to deliver.
const GATHER_TIME: Duration = Duration::from_millis(2);
/// How much the disk must take to be called healthy, bytes: more than LINE's webhooks usually have.
const TRIAL_BYTES: usize = 64 * 1024;
/// The most of what could not be stored that it must take beside that.
const MAX_TRIAL_BYTES: usize = 1024 * 1024;

/// An event that is handed out.
pub(crate) struct Turn {
    pub(crate) event: QueuedEvent,
    /// Whether it is older than ids are remembered: it may have come before.
    pub(crate) stale: bool,
    /// Which recall would cover it.
    pub(crate) round: u64,
}

/// Calls events back that were handed out and whose turn has not come.
#[derive(Clone, Default)]
pub(crate) struct Recall(Arc<AtomicU64>);

impl Recall {
    /// Whether this event must not be tried any more.
    pub(crate) fn covers(&self, turn: &Turn) -> bool {
        turn.round < self.0.load(Ordering::Relaxed)
    }

    /// Calls back what was handed out so far.
    pub(crate) fn all(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn round(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where events are handed out.
pub(crate) struct Outlet {
    /// Has room for a whole window.
    pub(crate) deliveries: SyncSender<Turn>,
    /// How many may be out at once.
    pub(crate) window: usize,
    /// Calls them back.
    pub(crate) recall: Recall,
}

/// Whether the disk takes what is written.
#[derive(Default)]
struct Disk {
    /// How many bytes it must take to be good again, where it failed.
    failing: Option<usize>,
    /// When it last took a trial.
    proven: Option<Instant>,
}

impl Disk {
    fn trial_bytes(&self) -> i64 {
        i64::try_from(self.failing.unwrap_or(TRIAL_BYTES)).unwrap_or(i64::MAX)
    }

    /// It took a trial lately, and nothing failed since.
    fn is_proven(&self) -> bool {
        let lately = |at: Instant| at.elapsed() < MAINTENANCE_INTERVAL;
        self.failing.is_none() && self.proven.is_some_and(lately)
    }
}

/// What the coordinator is told.
pub(crate) enum Message {
    /// A verified webhook.
    Arrival(Arrival),
    /// How the delivery of an event ended.
    Settled {
        /// The event's sequence number.
        sequence: i64,
        /// How it ended.
        result: DeliveryResult,
    },
    /// An event has been written out, and its acknowledgement must come in time.
    AwaitsAcknowledgement {
        /// The event's sequence number.
        sequence: i64,
        /// When silence becomes a failure.
        deadline: Instant,
    },
    /// Hand out nothing more; end when what is in flight is settled, or after this time.
    Stop(Duration),
}

/// An event that has been handed out and is not settled.
struct InFlight {
    id: String,
    attempt: i64,
    history: History,
    since: Instant,
    acknowledgement_deadline: Option<Instant>,
}

/// What one transaction brought.
#[derive(Default)]
struct Committed {
    stored: Vec<Stored>,
    new_events: u64,
    duplicates: u64,
    /// Events that no longer wait, dead letters included.
    left: i64,
    dead_letters: i64,
    handed_out: Vec<QueuedEvent>,
}

pub(crate) struct Coordinator {
    queue: Queue,
    queue_settings: QueueSettings,
    delivery_settings: DeliverySettings,
    inbox: Receiver<Message>,
    /// Where events are handed out; none where they are only held.
    outlet: Option<Outlet>,
    metrics: Arc<Metrics>,
    log: Arc<Log>,
    host: Host,
    clock: SteadyClock,
    disk: Disk,
    in_flight: HashMap<i64, InFlight>,
    /// Decisions that are not on the disk yet, by sequence number.
    decisions: Vec<(i64, Decision)>,
    /// When the first of them was made.
    decided: Instant,
    outage: Outage,
    data_version: i64,
    /// How far the time by which ids are remembered is behind the clock's, milliseconds. It goes on from
    /// the newest id: a start with a clock that is far ahead must not forget them all.
    behind: i64,
    maintained: Instant,
    stop_deadline: Option<Instant>,
    last_commit_failed: bool,
}

impl Coordinator {
    /// A coordinator over an open queue.
    ///
    /// # Errors
    ///
    /// Where the queue cannot be read or written.
    pub(crate) fn new(
        mut queue: Queue,
        (queue_settings, delivery_settings): (QueueSettings, DeliverySettings),
        inbox: Receiver<Message>,
        outlet: Option<Outlet>,
        (metrics, log): (Arc<Metrics>, Arc<Log>),
        host: Host,
    ) -> Result<Self, QueueError> {
        queue.requeue_in_flight()?;
        // A disk that is full has no room for the note either, and is told of with the first event.
        if queue.begin().unwrap_or(false) {
            log.tell(&Notice::new(
                Level::Error,
                "journal_gone",
                "the queue's journal (its file with -wal) is gone: events that came shortly before \
                 the last receiver ended may be lost",
            ));
        }
        let clock = SteadyClock::new(&host.clock);
        let newest = queue.newest_id()?.unwrap_or(clock.start());
        let behind = clock.start().saturating_sub(newest).max(0);
        let mut coordinator = Self {
            data_version: queue.data_version()?,
            queue,
            queue_settings,
            delivery_settings,
            inbox,
            outlet,
            metrics,
            log,
            host,
            clock,
            disk: Disk::default(),
            in_flight: HashMap::new(),
            decisions: Vec::new(),
            decided: Instant::now(),
            outage: Outage::default(),
            behind,
            maintained: Instant::now(),
            stop_deadline: None,
            last_commit_failed: false,
        };
        coordinator.count()?;
        coordinator.clamp_due();
        Ok(coordinator)
    }

    /// Works until it is stopped, or until nobody is left who could tell it anything.
    pub(crate) fn run(mut self) {
        let mut arrivals = Vec::new();
        loop {
            let connected = self.receive_batch(&mut arrivals);
            self.expire_acknowledgements();
            self.commit(&mut arrivals);
            self.maintain();
            let settled = self.in_flight.is_empty() && self.decisions.is_empty();
            let over = self
                .stop_deadline
                .is_some_and(|deadline| settled || Instant::now() >= deadline);
            if over || !connected {
                self.log.summarise(true);
                return;
            }
        }
    }

    /// Waits for a message, then takes those that are there already. `false` where none can come.
    fn receive_batch(&mut self, arrivals: &mut Vec<Arrival>) -> bool {
        let mut message = match self.inbox.recv_timeout(self.wait()) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        for _ in 0..MAX_BATCH {
            match message {
                Message::Arrival(arrival) => arrivals.push(arrival),
                Message::Settled { sequence, result } => self.settle(sequence, &result),
                Message::AwaitsAcknowledgement { sequence, deadline } => {
                    if let Some(event) = self.in_flight.get_mut(&sequence) {
                        event.acknowledgement_deadline = Some(deadline);
                    }
                }
                Message::Stop(grace) => {
                    self.stop_deadline = Some(Instant::now() + grace);
                    self.call_back();
                }
            }
            match self.inbox.try_recv() {
                Ok(next) => message = next,
                Err(_) => break,
            }
        }
        true
    }

    /// How long to wait for a message: until an event is due, if one may be handed out.
    fn wait(&self) -> Duration {
        // What is due stays due while it cannot be written: trying again at once would only spin.
        if self.stop_deadline.is_some() || self.last_commit_failed {
            return SHORT_WAIT;
        }
        if !self.decisions.is_empty() {
            return GATHER_TIME.saturating_sub(self.decided.elapsed());
        }
        let now = self.clock.millis();
        let next = match self.queue.next_due() {
            _ if self.free_slots(self.outage.until.max(now)) == 0 => None,
            Ok(due) => due.map(|due| due.max(self.outage.until)),
            Err(_) => None,
        };
        let wait = next.map_or(MAINTENANCE_INTERVAL, |due| {
            Duration::from_millis(u64::try_from(due.saturating_sub(now)).unwrap_or(0))
        });
        wait.min(MAINTENANCE_INTERVAL)
    }

    /// How many events may be handed out once the decisions are written.
    fn free_slots(&self, now: i64) -> usize {
        let settled = self
            .decisions
            .iter()
            .filter(|(sequence, _)| self.in_flight.contains_key(sequence));
        let in_flight = self.in_flight.len() - settled.count();
        let Some(outlet) = &self.outlet else {
            return 0;
        };
        if self.stop_deadline.is_some() || now < self.outage.until {
            0
        } else if self.outage.failures > 0 {
            usize::from(in_flight == 0)
        } else {
            outlet.window.saturating_sub(in_flight)
        }
    }

    /// Whether the decisions may wait for more of them: others are still at work, and there is enough
    /// for them to go on with.
    fn gathers(&self) -> bool {
        let Some(outlet) = &self.outlet else {
            return false;
        };
        self.stop_deadline.is_none()
            && self.outage.failures == 0
            && self.decisions.len() < self.in_flight.len()
            && self.decisions.len() < outlet.window / 2
            && self.decided.elapsed() < GATHER_TIME
    }

    /// Calls back what is handed out and not yet tried.
    fn call_back(&self) {
        if let Some(outlet) = &self.outlet {
            outlet.recall.all();
        }
    }

    /// Takes note of a result. One that is late, about an event that is no longer in flight, counts
    /// only if it acknowledges.
    fn settle(&mut self, sequence: i64, result: &DeliveryResult) {
        let now = self.clock.millis();
        if self.decisions.iter().any(|(known, _)| *known == sequence) {
            return;
        }
        if self.decisions.is_empty() {
            self.decided = Instant::now();
        }
        let Some(event) = self.in_flight.get(&sequence) else {
            if *result == DeliveryResult::Acknowledged {
                self.decisions.push((sequence, Decision::Acknowledge));
            }
            return;
        };
        let random = self.host.jitter();
        let limits = self.delivery_settings.retry;
        let decision = policy::decide(limits, event.history, result, now, random);
        let outcome = match (&decision, result) {
            (Decision::GiveBack, _) => None,
            (Decision::Acknowledge, _) => Some(DeliveryOutcome::Acknowledged),
            (Decision::DeadLetter { .. }, _) => Some(DeliveryOutcome::Dead),
            (_, DeliveryResult::Unreachable { .. }) => Some(DeliveryOutcome::Unreachable),
            _ => Some(DeliveryOutcome::Failed),
        };
        if let Some(outcome) = outcome {
            self.metrics.count_delivery(outcome, event.since.elapsed());
        }
        if decision == Decision::Acknowledge {
            let age = u64::try_from(now - event.history.accepted).unwrap_or(0);
            self.metrics.observe_delay(Duration::from_millis(age));
        }
        let notice = notice(sequence, event, result, &decision, now);
        let there = self.outage.failures == 0;
        self.outage.observe(result, now, random);
        if there && self.outage.failures > 0 {
            self.call_back();
        }
        self.decisions.push((sequence, decision));
        if let Some(notice) = notice {
            self.log.tell(&notice);
        }
        if !there && self.outage.failures == 0 {
            let back = "the platform answers again";
            self.log
                .tell(&Notice::new(Level::Info, "platform_back", back));
        }
    }

    /// Gives up waiting for acknowledgements that should have come.
    fn expire_acknowledgements(&mut self) {
        let now = Instant::now();
        let late = self.in_flight.iter().filter(|(_, event)| {
            event
                .acknowledgement_deadline
                .is_some_and(|deadline| deadline < now)
        });
        let late: Vec<i64> = late.map(|(sequence, _)| *sequence).collect();
        for sequence in late {
            let result = DeliveryResult::Failed {
                reason: "no acknowledgement came in time".to_owned(),
                retry_after: Some(Duration::ZERO),
            };
            self.settle(sequence, &result);
        }
    }

    /// One transaction, and what follows from it.
    fn commit(&mut self, arrivals: &mut Vec<Arrival>) {
        let now = self.clock.millis();
        let slots = self.free_slots(now);
        let due = || matches!(self.queue.next_due(), Ok(Some(due)) if due <= now);
        let idle = if self.decisions.is_empty() {
            slots == 0 || !due()
        } else {
            self.gathers()
        };
        if arrivals.is_empty() && idle {
            return;
        }
        let times = (now - self.behind, now);
        let waiting = self.metrics.waiting.load(Ordering::Relaxed);
        let (settings, decisions) = (self.queue_settings, &self.decisions);
        let asked = arrivals.iter().any(|arrival| arrival.events.is_empty());
        let trial = (asked && !self.disk.is_proven()).then(|| self.disk.trial_bytes());
        let bytes = trial.map_or(0, |bytes| usize::try_from(bytes).unwrap_or(0))
            + arrivals.iter().map(Arrival::bytes).sum::<usize>();
        let committed = self.queue.write(|changes| {
            let mut committed = Committed::default();
            write_decisions(changes, decisions, &mut committed)?;
            trial.map_or(Ok(()), |bytes| changes.trial(bytes))?;
            for arrival in arrivals.iter() {
                let stored = store(changes, arrival, settings, times, waiting, &mut committed)?;
                committed.stored.push(stored);
            }
            if slots > 0 {
                let limit = i64::try_from(slots).unwrap_or(i64::MAX);
                committed.handed_out = changes.hand_out(now, limit)?;
            }
            Ok(committed)
        });
        self.last_commit_failed = committed.is_err();
        match committed {
            Ok(committed) => {
                self.publish(committed, arrivals);
                self.disk_took(bytes, trial.is_some());
            }
            Err(error) => {
                self.metrics.failed_commits.fetch_add(1, Ordering::Relaxed);
                for arrival in arrivals.drain(..) {
                    (arrival.answer)(Stored::Failed);
                }
                self.disk_failed(bytes, &error);
            }
        }
    }

    /// Notes that so many bytes could be written, and tells operators where that is news.
    fn disk_took(&mut self, bytes: usize, trial: bool) {
        if trial {
            self.disk.proven = Some(Instant::now());
        }
        if self.disk.failing.is_some_and(|needed| bytes >= needed) {
            self.disk.failing = None;
            let message = "the queue can be written again";
            self.log
                .tell(&Notice::new(Level::Info, "queue_writable", message));
        }
    }

    /// Notes that so many bytes could not be written, and tells operators where that is news.
    fn disk_failed(&mut self, bytes: usize, error: &QueueError) {
        // A trial of as many bytes takes less room than events with their indexes.
        let needed = bytes.min(MAX_TRIAL_BYTES) + TRIAL_BYTES;
        let before = self.disk.failing.replace(needed);
        if before.is_none() {
            let message = format!("the queue cannot be written, and LINE is answered 503: {error}");
            self.log
                .tell(&Notice::new(Level::Error, "queue_unwritable", message));
        }
    }

    /// Tells everybody what is now on the disk.
    fn publish(&mut self, committed: Committed, arrivals: &mut Vec<Arrival>) {
        let metrics = &self.metrics;
        metrics.commits.fetch_add(1, Ordering::Relaxed);
        metrics
            .new_events
            .fetch_add(committed.new_events, Ordering::Relaxed);
        metrics
            .duplicates
            .fetch_add(committed.duplicates, Ordering::Relaxed);
        let new = i64::try_from(committed.new_events).unwrap_or(0);
        metrics
            .waiting
            .fetch_add(new - committed.left, Ordering::Relaxed);
        metrics
            .dead
            .fetch_add(committed.dead_letters, Ordering::Relaxed);
        for (arrival, stored) in arrivals.drain(..).zip(committed.stored) {
            (arrival.answer)(stored);
        }
        for (sequence, _) in self.decisions.drain(..) {
            self.in_flight.remove(&sequence);
        }
        let limits = self.delivery_settings.retry;
        let oldest = policy::oldest(limits, self.clock.start());
        let remember = whole_millis(self.queue_settings.remember);
        for event in committed.handed_out {
            let in_flight = InFlight {
                id: event.id.clone(),
                attempt: event.attempt,
                history: History {
                    failures: event.failures,
                    accepted: event.accepted.max(oldest),
                },
                since: Instant::now(),
                acknowledgement_deadline: None,
            };
            self.in_flight.insert(event.sequence, in_flight);
            // Deliveries that have ended say so by themselves; the event stays in the queue.
            if let Some(outlet) = &self.outlet {
                let _ = outlet.deliveries.send(Turn {
                    stale: event.time > 0
                        && event.time.saturating_add(remember) < event.first_accepted,
                    round: outlet.recall.round(),
                    event,
                });
            }
        }
        let in_flight = i64::try_from(self.in_flight.len()).unwrap_or(0);
        self.metrics.in_flight.store(in_flight, Ordering::Relaxed);
    }

    /// Forgets old ids, a few at a time, and counts anew where another process has replayed or
    /// dropped events. What fails here fails everywhere, and shows with the next event.
    fn maintain(&mut self) {
        if self.maintained.elapsed() < MAINTENANCE_INTERVAL {
            return;
        }
        self.maintained = Instant::now();
        self.log.summarise(false);
        let remember = whole_millis(self.queue_settings.remember);
        let _ = self
            .queue
            .forget(self.clock.millis() - self.behind - remember);
        self.clamp_due();
        if self.disk.failing.is_some() {
            self.try_disk();
        }
        if let Ok(version) = self.queue.data_version()
            && version != self.data_version
        {
            self.data_version = version;
            let _ = self.count();
        }
    }

    /// What another clock has written must not wait for this one to catch up.
    fn clamp_due(&mut self) {
        let pause = policy::MAX_RETRY_AFTER.max(self.queue_settings.reorder_delay);
        let now = self.clock.millis();
        let _ = self.queue.clamp_due(now, now + whole_millis(pause));
    }

    /// Sees whether a disk that failed works again, also where no event comes.
    fn try_disk(&mut self) {
        let bytes = self.disk.trial_bytes();
        if self.queue.write(|changes| changes.trial(bytes)).is_ok() {
            self.disk_took(usize::try_from(bytes).unwrap_or(0), true);
        }
    }

    fn count(&self) -> Result<(), QueueError> {
        let counts = self.queue.counts()?;
        self.metrics
            .waiting
            .store(counts.waiting, Ordering::Relaxed);
        self.metrics.dead.store(counts.dead, Ordering::Relaxed);
        Ok(())
    }
}

/// What operators are told of a delivery that did not end well.
fn notice(
    sequence: i64,
    event: &InFlight,
    result: &DeliveryResult,
    decision: &Decision,
    now: i64,
) -> Option<Notice> {
    let attempt = event.attempt;
    let about = |level, kind, message: String, reason: &str| {
        Notice::new(level, kind, message)
            .with("sequence", sequence)
            .with("id", event.id.as_str())
            .with("attempt", attempt)
            .with("reason", reason)
    };
    Some(match decision {
        Decision::Acknowledge | Decision::GiveBack => return None,
        Decision::DeadLetter { failures, reason } => about(
            Level::Error,
            "event_given_up",
            format!("event {sequence} was given up in attempt {attempt}: {reason}"),
            reason,
        )
        .with("failures", *failures),
        Decision::Retry { due, reason, .. } => {
            let pause = (due - now).max(0);
            let (kind, what) = match result {
                DeliveryResult::Unreachable { .. } => {
                    ("platform_away", "the platform takes nothing at the moment")
                }
                _ => ("delivery_failed", "the delivery failed"),
            };
            let message = format!(
                "event {sequence}, attempt {attempt}: {what}: {reason}; the next attempt is due in {pause} ms"
            );
            about(Level::Warning, kind, message, reason).with("due_in_ms", pause)
        }
    })
}

/// Writes what was decided about events that were in flight.
fn write_decisions(
    changes: &Changes<'_>,
    decisions: &[(i64, Decision)],
    committed: &mut Committed,
) -> Result<(), QueueError> {
    for (sequence, decision) in decisions {
        match decision {
            Decision::Acknowledge => {
                committed.left += i64::from(changes.acknowledge(*sequence)?);
            }
            Decision::Retry {
                due,
                failures,
                reason,
            } => changes.postpone(*sequence, *due, *failures, reason)?,
            Decision::GiveBack => changes.give_back(*sequence)?,
            Decision::DeadLetter { failures, reason } => {
                let died = i64::from(changes.dead_letter(*sequence, *failures, reason)?);
                committed.left += died;
                committed.dead_letters += died;
            }
        }
    }
    Ok(())
}

/// Stores one arrival, unless the queue is full. One without events only asks whether the disk
/// takes anything, which is tried once for all that ask.
fn store(
    changes: &Changes<'_>,
    arrival: &Arrival,
    settings: QueueSettings,
    (remembered, now): (i64, i64),
    waiting: i64,
    committed: &mut Committed,
) -> Result<Stored, QueueError> {
    if arrival.events.is_empty() {
        return Ok(Stored::Safe);
    }
    let new = i64::try_from(committed.new_events).unwrap_or(i64::MAX);
    if waiting.saturating_add(new) >= settings.max_waiting {
        return Ok(Stored::Full);
    }
    let due = now + whole_millis(settings.reorder_delay);
    for event in &arrival.events {
        if changes.add(&arrival.channel, event, (remembered, now), due)? {
            committed.new_events += 1;
        } else {
            committed.duplicates += 1;
        }
    }
    Ok(Stored::Safe)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use line_connector_core::webhook::Type;

    use super::super::queue::NewEvent;
    use super::super::settings::RetryLimits;
    use super::*;

    const SETTINGS: (QueueSettings, DeliverySettings) = (
        QueueSettings {
            reorder_delay: Duration::ZERO,
            max_waiting: 100,
            remember: Duration::from_hours(24),
        },
        DeliverySettings {
            max_in_flight: 4,
            retry: RetryLimits {
                max_failures: 3,
                max_age: Duration::from_hours(24),
            },
        },
    );

    #[test]
    fn a_disk_that_takes_nothing_is_tried_again_without_haste_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue");
        let mut queue = Queue::open(&path).unwrap();
        let event = NewEvent {
            id: "a".to_owned(),
            chat: "c".to_owned(),
            time: 1,
            kind: Type::MessageText,
            friendship: None,
            body: "{}".to_owned(),
        };
        queue
            .write(|changes| changes.add("U1", &event, (0, 0), 0))
            .unwrap();
        let disk = rusqlite::Connection::open(&path).unwrap();
        disk.execute_batch(
            "CREATE TRIGGER full BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .unwrap();
        let (coordinator_tx, inbox) = sync_channel(4);
        let (deliveries, events) = sync_channel(4);
        let metrics = Arc::new(Metrics::default());
        let host = Host {
            clock: Arc::new(|| std::time::UNIX_EPOCH + Duration::from_secs(1)),
            random: || 0,
            tell: |_| {},
        };
        let log = Arc::new(Log::new(host.tell));
        let outlet = Outlet {
            deliveries,
            window: 4,
            recall: Recall::default(),
        };
        let counted = Arc::clone(&metrics);
        let coordinator =
            Coordinator::new(queue, SETTINGS, inbox, Some(outlet), (counted, log), host).unwrap();
        let coordinator = std::thread::spawn(move || coordinator.run());
        let nothing = events.recv_timeout(Duration::from_millis(400));
        assert!(
            nothing.is_err(),
            "it is not handed out before that is written"
        );
        let failed = metrics.failed_commits.load(Ordering::Relaxed);
        assert!((1..50).contains(&failed), "{failed} transactions failed");
        disk.execute_batch("DROP TRIGGER full").unwrap();
        let handed = events.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!((handed.event.id.as_str(), handed.event.attempt), ("a", 1));
        drop(coordinator_tx);
        coordinator.join().unwrap();
    }
}

//! The one thread that owns the queue. It takes in what the server and the sink say, writes all that
//! waits in one transaction, and only then answers: to LINE that events are safe, to the sink which
//! events are next. What a failed delivery means for its event is `policy`'s matter.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use super::Clock;
use super::metrics::{DeliveryOutcome, Metrics};
use super::policy::{self, Decision, DeliveryResult, Outage, whole_millis};
use super::queue::{Changes, NewEvent, Queue, QueueError, QueuedEvent};

/// How many messages one transaction takes in.
const GROUP: usize = 512;
/// How often things are looked after that nobody asks for.
const CHORES: Duration = Duration::from_secs(1);
/// What the coordinator receives.
pub(crate) enum Message {
    /// A verified webhook.
    Arrival(Arrival),
    /// How handing an event out went.
    Settled(Settlement),
    /// This event has been written out: the time for its acknowledgement runs.
    Shown(i64),
    /// Hand out nothing more; end when what is out is settled, or after this time.
    Stop(Duration),
}

/// A verified webhook, and whom to tell that its events are safe.
pub(crate) struct Arrival {
    pub(crate) channel: String,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) answer: Box<dyn FnOnce(Stored) + Send>,
}

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// Its events are on the disk, or were before.
    Safe,
    /// The queue holds as much as it may.
    Full,
    /// They could not be written.
    Failed,
}

/// How handing one event out went.
#[derive(Debug)]
pub(crate) struct Settlement {
    pub(crate) sequence: i64,
    pub(crate) result: DeliveryResult,
}

/// How the coordinator judges.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// How many events may be out at once; each is of another chat.
    pub(crate) in_flight: usize,
    /// How many failures an event may have.
    pub(crate) attempts: i64,
    /// How old an event may get while handing it over fails.
    pub(crate) max_age: Duration,
    /// How long an event waits for earlier ones of its chat.
    pub(crate) settle: Duration,
    /// How long an acknowledgement may take, where it does not come with the attempt.
    pub(crate) acknowledge_within: Option<Duration>,
    /// How many events may wait.
    pub(crate) max_waiting: i64,
    /// How long ids are remembered.
    pub(crate) remember: Duration,
}

/// An event that is handed out.
struct Out {
    failures: i64,
    accepted: i64,
    since: Instant,
    shown: Option<Instant>,
}

/// The coordinator's state.
pub(crate) struct Coordinator {
    queue: Queue,
    terms: Terms,
    inbox: Receiver<Message>,
    sink: SyncSender<QueuedEvent>,
    metrics: Arc<Metrics>,
    now: Clock,
    random: fn() -> u128,
    out: HashMap<i64, Out>,
    /// Decisions that are not on the disk yet.
    decided: Vec<(i64, Decision)>,
    outage: Outage,
    foreign: i64,
    chores: Instant,
    stopping: Option<Instant>,
    /// Whether the last transaction failed.
    failing: bool,
}

/// What one transaction brought.
struct Written {
    stored: Vec<Stored>,
    new: u64,
    duplicates: u64,
    left: i64,
    died: i64,
    out: Vec<QueuedEvent>,
}

impl Coordinator {
    /// A coordinator over an open queue. `sink` must have room for `terms.in_flight` events.
    ///
    /// # Errors
    ///
    /// Where the queue cannot be read or written.
    pub(crate) fn new(
        mut queue: Queue,
        terms: Terms,
        inbox: Receiver<Message>,
        sink: SyncSender<QueuedEvent>,
        metrics: Arc<Metrics>,
        now: Clock,
        random: fn() -> u128,
    ) -> Result<Self, QueueError> {
        queue.requeue_in_flight()?;
        let mut coordinator = Self {
            foreign: queue.data_version()?,
            queue,
            terms,
            inbox,
            sink,
            metrics,
            now,
            random,
            out: HashMap::new(),
            decided: Vec::new(),
            outage: Outage::default(),
            chores: Instant::now(),
            stopping: None,
            failing: false,
        };
        coordinator.count()?;
        Ok(coordinator)
    }

    /// Works until it is stopped, or until nobody is left who could tell it anything.
    pub(crate) fn run(mut self) {
        let mut arrivals = Vec::new();
        loop {
            let connected = self.collect(&mut arrivals);
            self.miss();
            self.round(&mut arrivals);
            self.look_after();
            let done = self.out.is_empty() && self.decided.is_empty();
            let over = self
                .stopping
                .is_some_and(|end| done || Instant::now() >= end);
            if over || !connected {
                return;
            }
        }
    }

    /// Waits for a message, then takes those that are there already. `false` where none can come.
    fn collect(&mut self, arrivals: &mut Vec<Arrival>) -> bool {
        let mut message = match self.inbox.recv_timeout(self.patience()) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        for _ in 0..GROUP {
            match message {
                Message::Arrival(arrival) => arrivals.push(arrival),
                Message::Settled(settlement) => self.settle(settlement),
                Message::Shown(sequence) => {
                    if let Some(out) = self.out.get_mut(&sequence) {
                        out.shown = Some(Instant::now());
                    }
                }
                Message::Stop(grace) => self.stopping = Some(Instant::now() + grace),
            }
            match self.inbox.try_recv() {
                Ok(next) => message = next,
                Err(_) => break,
            }
        }
        true
    }

    /// How long to wait for a message: until an event is due, if one may be handed out.
    fn patience(&self) -> Duration {
        // What is due stays due while it cannot be written: trying again at once would only spin.
        if self.stopping.is_some() || self.failing || !self.decided.is_empty() {
            return Duration::from_millis(50);
        }
        let now = self.millis();
        let wanted = match self.queue.next_due() {
            _ if self.room(self.outage.until.max(now)) == 0 => None,
            Ok(due) => due.map(|due| due.max(self.outage.until)),
            Err(_) => None,
        };
        let pause = wanted.map_or(CHORES, |due| {
            Duration::from_millis(u64::try_from(due - now).unwrap_or(0))
        });
        pause.min(CHORES)
    }

    fn millis(&self) -> i64 {
        super::millis((self.now)())
    }

    /// How many events may be handed out once the decisions are written.
    fn room(&self, now: i64) -> usize {
        let settled = self
            .decided
            .iter()
            .filter(|(one, _)| self.out.contains_key(one));
        let out = self.out.len() - settled.count();
        if self.stopping.is_some() || now < self.outage.until {
            0
        } else if self.outage.failures > 0 {
            usize::from(out == 0)
        } else {
            self.terms.in_flight.saturating_sub(out)
        }
    }

    /// Takes note of a result. One that is late, about an event that is no longer out, counts only
    /// if it acknowledges.
    fn settle(&mut self, settlement: Settlement) {
        let Settlement { sequence, result } = settlement;
        let now = self.millis();
        if self.decided.iter().any(|(known, _)| *known == sequence) {
            return;
        }
        let Some(out) = self.out.get(&sequence) else {
            if result == DeliveryResult::Acknowledged {
                self.decided.push((sequence, Decision::Acknowledge));
            }
            return;
        };
        let took = out.since.elapsed();
        let spread = u32::try_from((self.random)() & 0xffff).unwrap_or(0);
        let decision = policy::judge(
            &self.terms,
            (out.failures, out.accepted),
            &result,
            now,
            spread,
        );
        let age = Duration::from_millis(u64::try_from(now - out.accepted).unwrap_or(0));
        let handed = match (&decision, &result) {
            (Decision::Acknowledge, _) => DeliveryOutcome::Acknowledged,
            (Decision::DeadLetter { .. }, _) => DeliveryOutcome::Dead,
            (_, DeliveryResult::Unreachable(..)) => DeliveryOutcome::Unreachable,
            _ => DeliveryOutcome::Failed,
        };
        self.metrics.handed(handed, took);
        if handed == DeliveryOutcome::Acknowledged {
            self.metrics.delayed(age);
        }
        self.outage.notice(&result, now, spread);
        self.decided.push((sequence, decision));
    }

    /// Gives up waiting for acknowledgements that should have come.
    fn miss(&mut self) {
        let Some(within) = self.terms.acknowledge_within else {
            return;
        };
        let late = self
            .out
            .iter()
            .filter(|(_, out)| out.shown.is_some_and(|shown| shown.elapsed() > within));
        let late: Vec<i64> = late.map(|(sequence, _)| *sequence).collect();
        for sequence in late {
            let reason = "no acknowledgement came in time".to_owned();
            let result = DeliveryResult::Failed(reason, Some(Duration::ZERO));
            self.settle(Settlement { sequence, result });
        }
    }

    /// One transaction, and what follows from it.
    fn round(&mut self, arrivals: &mut Vec<Arrival>) {
        let now = self.millis();
        let room = self.room(now);
        let due = || matches!(self.queue.next_due(), Ok(Some(due)) if due <= now);
        if arrivals.is_empty() && self.decided.is_empty() && (room == 0 || !due()) {
            return;
        }
        let waiting = self.metrics.waiting.load(Ordering::Relaxed);
        let (terms, decided) = (&self.terms, &self.decided);
        let written = self.queue.write(|changes| {
            let mut written = conclude(changes, decided)?;
            for arrival in arrivals.iter() {
                let stored = take_in(changes, arrival, terms, now, waiting, &mut written)?;
                written.stored.push(stored);
            }
            if room > 0 {
                written.out = changes.hand_out(now, i64::try_from(room).unwrap_or(i64::MAX))?;
            }
            Ok(written)
        });
        self.failing = written.is_err();
        if let Ok(written) = written {
            self.publish(written, arrivals);
            return;
        }
        self.metrics.failed_commits.fetch_add(1, Ordering::Relaxed);
        for arrival in arrivals.drain(..) {
            (arrival.answer)(Stored::Failed);
        }
    }

    /// Tells everybody what is now on the disk.
    fn publish(&mut self, written: Written, arrivals: &mut Vec<Arrival>) {
        let metrics = &self.metrics;
        metrics.commits.fetch_add(1, Ordering::Relaxed);
        metrics.new_events.fetch_add(written.new, Ordering::Relaxed);
        metrics
            .duplicates
            .fetch_add(written.duplicates, Ordering::Relaxed);
        let new = i64::try_from(written.new).unwrap_or(0);
        metrics
            .waiting
            .fetch_add(new - written.left, Ordering::Relaxed);
        metrics.dead.fetch_add(written.died, Ordering::Relaxed);
        for (arrival, stored) in arrivals.drain(..).zip(written.stored) {
            (arrival.answer)(stored);
        }
        for (sequence, _) in self.decided.drain(..) {
            self.out.remove(&sequence);
        }
        for event in written.out {
            let out = Out {
                failures: event.failures,
                accepted: event.accepted,
                since: Instant::now(),
                shown: None,
            };
            self.out.insert(event.sequence, out);
            // A sink that has ended says so by itself; the event stays in the queue.
            let _ = self.sink.send(event);
        }
        let out = i64::try_from(self.out.len()).unwrap_or(0);
        self.metrics.out.store(out, Ordering::Relaxed);
    }

    /// Forgets old ids, a few at a time, and counts anew where another process has replayed or
    /// dropped events. What fails here fails everywhere, and shows with the next event.
    fn look_after(&mut self) {
        if self.chores.elapsed() < CHORES {
            return;
        }
        self.chores = Instant::now();
        let _ = self
            .queue
            .forget(self.millis() - whole_millis(self.terms.remember));
        if let Ok(foreign) = self.queue.data_version()
            && foreign != self.foreign
        {
            self.foreign = foreign;
            let _ = self.count();
        }
    }

    fn count(&mut self) -> Result<(), QueueError> {
        let counts = self.queue.counts()?;
        self.metrics
            .waiting
            .store(counts.waiting, Ordering::Relaxed);
        self.metrics.dead.store(counts.dead, Ordering::Relaxed);
        Ok(())
    }
}

/// Writes what was decided about events that were out.
fn conclude(changes: &Changes<'_>, decided: &[(i64, Decision)]) -> Result<Written, QueueError> {
    let (mut left, mut died) = (0, 0);
    for (sequence, decision) in decided {
        match decision {
            Decision::Acknowledge => left += i64::from(changes.acknowledge(*sequence)?),
            Decision::Postpone {
                due,
                failures,
                reason,
            } => {
                changes.postpone(*sequence, *due, *failures, reason)?;
            }
            Decision::DeadLetter { failures, reason } => {
                died += i64::from(changes.dead_letter(*sequence, *failures, reason)?);
            }
        }
    }
    Ok(Written {
        stored: Vec::new(),
        new: 0,
        duplicates: 0,
        left: left + died,
        died,
        out: Vec::new(),
    })
}

/// Takes in one arrival, unless the queue is full. One without events only asks whether the disk
/// takes anything.
fn take_in(
    changes: &Changes<'_>,
    arrival: &Arrival,
    terms: &Terms,
    now: i64,
    waiting: i64,
    written: &mut Written,
) -> Result<Stored, QueueError> {
    if arrival.events.is_empty() {
        return changes.touch().map(|()| Stored::Safe);
    }
    let new = i64::try_from(written.new).unwrap_or(i64::MAX);
    if waiting.saturating_add(new) >= terms.max_waiting {
        return Ok(Stored::Full);
    }
    let due = now + whole_millis(terms.settle);
    for event in &arrival.events {
        if changes.add(&arrival.channel, event, now, due)? {
            written.new += 1;
        } else {
            written.duplicates += 1;
        }
    }
    Ok(Stored::Safe)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::super::policy::tests::terms;
    use super::*;

    #[test]
    fn a_disk_that_takes_nothing_is_tried_again_without_haste_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue");
        let mut queue = Queue::open(&path).unwrap();
        let event = NewEvent {
            id: "a".to_owned(),
            chat: "c".to_owned(),
            time: 1,
            body: "{}".to_owned(),
        };
        queue
            .write(|changes| changes.add("U1", &event, 0, 0))
            .unwrap();
        let disk = rusqlite::Connection::open(&path).unwrap();
        disk.execute_batch(
            "CREATE TRIGGER full BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'full'); END",
        )
        .unwrap();
        let (coordinator_tx, inbox) = sync_channel(4);
        let (sink, events) = sync_channel(4);
        let metrics = Arc::new(Metrics::default());
        let now: Clock = Arc::new(|| std::time::UNIX_EPOCH + Duration::from_secs(1));
        let counted = Arc::clone(&metrics);
        let coordinator =
            Coordinator::new(queue, terms(), inbox, sink, counted, now, || 0).unwrap();
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
        assert_eq!((handed.id.as_str(), handed.attempt), ("a", 1));
        drop(coordinator_tx);
        coordinator.join().unwrap();
    }
}

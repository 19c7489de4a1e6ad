//! The receiver as a library, with a clock or a transport that panics: one webhook or one delivery
//! pays for it, and everything else goes on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime};

use line_connector_client::{
    Catalog, Clock as _, Failure, Reply, Request, Secret, SystemClock, Transport,
};
use line_connector_receiver::queue::{EventState, Listed, Queue};
use line_connector_receiver::{
    Channel, Clock, DeliverySettings, Host, Intake, QueueSettings, Receiver, RetryLimits,
    ServerSettings, Settings, ShutdownReason, Sink, Target,
};
use serde_json::Value;

use crate::listen::{BOT, LONG, SECRET, get, pause, place, send, text};

/// A receiver in this process.
pub(crate) struct Running {
    pub(crate) receiver: Receiver,
    pub(crate) address: SocketAddr,
    shutdown: mpsc::Receiver<ShutdownReason>,
    queue: PathBuf,
}

impl Running {
    /// One channel, its webhooks read by `intake_clock`; everything else goes by `clock`.
    fn start(queue: &Path, intake_clock: Clock, clock: Clock, sink: Sink) -> Self {
        let host = Host {
            clock,
            random: || 0,
            tell: |_| {},
        };
        Self::of(queue, intake_clock, &host, sink, 2)
    }

    /// The same, of any host.
    pub(crate) fn of(
        queue: &Path,
        intake_clock: Clock,
        host: &Host,
        sink: Sink,
        max_in_flight: usize,
    ) -> Self {
        let channel = Channel {
            destination: Some(BOT.to_owned()),
            secret: Secret::new(SECRET),
        };
        let content = Catalog::embedded().triggers().content;
        let intake = Arc::new(Intake::new(vec![channel], content, intake_clock));
        let settings = Settings {
            server: ServerSettings {
                address: "127.0.0.1:0".parse().unwrap(),
                admin_address: None,
                path: "/".to_owned(),
                max_body_bytes: 1 << 20,
                max_connections: 64,
                idle_timeout: LONG,
            },
            queue: QueueSettings {
                reorder_delay: Duration::ZERO,
                max_waiting: 1_000,
                remember: Duration::from_hours(24),
            },
            delivery: DeliverySettings {
                max_in_flight,
                retry: RetryLimits {
                    max_failures: 3,
                    max_age: Duration::from_hours(24),
                },
            },
        };
        let (shutdown_tx, shutdown) = mpsc::channel();
        let opened = Queue::open(queue).unwrap();
        let receiver = Receiver::start(settings, opened, intake, sink, host, shutdown_tx);
        let receiver = receiver.unwrap();
        Self {
            address: receiver.address(),
            receiver,
            shutdown,
            queue: queue.to_owned(),
        }
    }

    pub(crate) fn metric(&self, name: &str) -> String {
        let text = get(self.address, "/metrics").1;
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{name}")).to_owned()
    }

    pub(crate) fn waits_for(&self, name: &str, value: &str) {
        let end = Instant::now() + LONG;
        while self.metric(name) != value {
            assert!(Instant::now() < end, "{name} is {}", self.metric(name));
            pause(20);
        }
    }

    pub(crate) fn listed(queue: &Path, state: EventState) -> Vec<Listed> {
        Queue::open(queue).unwrap().list(state, 0, 1_000).unwrap()
    }
}

pub(crate) fn time() -> SystemTime {
    SystemClock.now()
}

/// A clock that panics once, at the first question after it was armed.
fn fragile_clock() -> (Clock, Arc<AtomicBool>) {
    let armed = Arc::new(AtomicBool::new(false));
    let fuse = Arc::clone(&armed);
    let clock = Arc::new(move || {
        assert!(!fuse.swap(false, Ordering::SeqCst), "the clock was armed");
        time()
    });
    (clock, armed)
}

#[test]
fn a_webhook_that_panics_is_answered_500_and_may_come_again() {
    let (clock, armed) = fragile_clock();
    let (_folder, queue) = place();
    let running = Running::start(&queue, clock, Arc::new(time), Sink::Hold);
    let address = running.address;
    let unlucky = [text("02A", 2, 1), text("02B", 2, 2)];
    assert_eq!(send(address, &[text("01A", 1, 1)]), Some(200));
    armed.store(true, Ordering::SeqCst);
    assert_eq!(send(address, &unlucky), Some(500));
    let webhooks = "line_connector_webhook_requests_total";
    assert_eq!(
        running.metric(&format!("{webhooks}{{result=\"internal\"}}")),
        "1"
    );
    assert_eq!(running.metric("line_connector_panics_total"), "1");
    assert_eq!(
        running.metric("line_connector_events_waiting"),
        "1",
        "nothing of it was stored"
    );
    assert_eq!(get(address, "/healthz").0, 200);
    assert_eq!(send(address, &[text("03A", 3, 1)]), Some(200));
    assert_eq!(send(address, &unlucky), Some(200), "LINE sends it again");
    assert!(running.shutdown.try_recv().is_err(), "the receiver goes on");
    assert_eq!(running.receiver.stop(LONG), 1);
    let waiting = Running::listed(&running.queue, EventState::Waiting);
    let ids: Vec<&str> = waiting.iter().map(|one| one.event.id.as_str()).collect();
    assert_eq!(ids, ["01A", "03A", "02A", "02B"]);
}

#[test]
fn webhooks_around_one_that_panics_are_taken() {
    let (clock, armed) = fragile_clock();
    let (_folder, queue) = place();
    let running = Running::start(&queue, clock, Arc::new(time), Sink::Hold);
    let address = running.address;
    armed.store(true, Ordering::SeqCst);
    let senders: Vec<_> = (0..8)
        .map(|number| {
            std::thread::spawn(move || {
                let id = format!("E{number}");
                (send(address, &[text(&id, number, 1)]), id)
            })
        })
        .collect();
    let answers = senders.into_iter().map(|sender| sender.join().unwrap());
    let (taken, refused): (Vec<_>, Vec<_>) = answers.partition(|(status, _)| *status == Some(200));
    assert_eq!((taken.len(), refused.len()), (7, 1));
    assert_eq!(refused[0].0, Some(500));
    assert_eq!(running.receiver.stop(LONG), 1);
    let mut waiting: Vec<String> = Running::listed(&running.queue, EventState::Waiting)
        .into_iter()
        .map(|one| one.event.id)
        .collect();
    waiting.sort_unstable();
    let taken: Vec<String> = taken.into_iter().map(|(_, id)| id).collect();
    assert_eq!(waiting, taken);
}

/// A platform that takes everything; the way to it panics for some events.
#[derive(Default)]
struct FragileTransport {
    taken: Mutex<Vec<(String, i64)>>,
}

impl Transport for FragileTransport {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        let document: Value = serde_json::from_slice(&request.body).unwrap();
        let (id, attempt) = (&document["id"], document["attempt"].as_i64().unwrap());
        assert_ne!(id, "always", "this event always panics");
        assert!(id != "once" || attempt > 1, "this event panics once");
        let mut taken = self.taken.lock().unwrap();
        taken.push((id.as_str().unwrap().to_owned(), attempt));
        Ok(Reply {
            status: 200,
            ..Reply::default()
        })
    }
}

#[test]
fn a_delivery_that_panics_is_a_failure_of_its_event() {
    let transport = Arc::new(FragileTransport::default());
    let target = Target {
        url: "http://platform.test/".to_owned(),
        signer: None,
        timeout: LONG,
        transport: Arc::clone(&transport) as Arc<dyn Transport>,
    };
    let (_folder, queue) = place();
    let sink = Sink::Forward(target);
    let running = Running::start(&queue, Arc::new(time), Arc::new(time), sink);
    let sent = [
        text("always", 1, 1),
        text("after", 1, 2),
        text("once", 2, 1),
        text("fine", 3, 1),
    ];
    assert_eq!(send(running.address, &sent), Some(200));
    running.waits_for("line_connector_events_dead", "1");
    running.waits_for("line_connector_events_waiting", "0");
    assert!(running.shutdown.try_recv().is_err(), "the receiver goes on");
    // Three attempts of the one, one of the other.
    assert_eq!(running.receiver.stop(LONG), 4);
    let mut taken = transport.taken.lock().unwrap().clone();
    taken.sort_unstable();
    let expected = [("after", 1), ("fine", 1), ("once", 2)];
    assert_eq!(
        taken,
        expected.map(|(id, attempt)| (id.to_owned(), attempt))
    );
    let dead = Running::listed(&running.queue, EventState::Dead);
    assert_eq!((dead.len(), dead[0].event.id.as_str()), (1, "always"));
    assert_eq!(dead[0].event.failures, 3);
    let reason = dead[0].reason.as_deref();
    assert_eq!(reason, Some("internal error: a bug of the connector"));
}

#[test]
fn a_panic_of_the_coordinator_ends_the_receiver_and_loses_nothing() {
    let (_folder, queue) = place();
    let host = Host {
        clock: Arc::new(time),
        random: || 0,
        tell: |notice| assert_ne!(notice.kind, "queue_unwritable", "telling panics"),
    };
    let running = Running::of(&queue, Arc::new(time), &host, Sink::Hold, 2);
    assert_eq!(send(running.address, &[text("01A", 1, 1)]), Some(200));
    // What cannot be written is told.
    let mut other = Queue::open(&queue).unwrap();
    let refused = other.write(|_| Ok(send(running.address, &[text("01B", 1, 2)])));
    assert_eq!(refused.unwrap(), Some(503));
    let reason = running.shutdown.recv_timeout(LONG).unwrap();
    assert_eq!(reason, ShutdownReason::Panicked);
    assert_eq!(
        send(running.address, &[text("01B", 1, 2)]),
        Some(503),
        "LINE is asked to come again"
    );
    assert_eq!(running.receiver.stop(LONG), 1);
    let waiting = Running::listed(&running.queue, EventState::Waiting);
    let ids: Vec<&str> = waiting.iter().map(|one| one.event.id.as_str()).collect();
    assert_eq!(ids, ["01A"]);
}

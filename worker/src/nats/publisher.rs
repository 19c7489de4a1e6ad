//! Publishes webhooks' events to a stream. An event's subject names its destination and its chat. Within
//! a chat one event is published after the other, each only when the one before is safe or given up, so
//! that the stream has them in the order in which they came. Chats do not wait for each other.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{DiscardPolicy, RetentionPolicy, Stream};
use futures_util::FutureExt as _;
use line_connector::ListenArguments;
use line_connector_client::{Error, Kind};
use line_connector_core::digest::sha256;
use line_connector_receiver::document::published;
use line_connector_receiver::metrics::{render_by_result, render_counter, render_gauge};
use line_connector_receiver::queue::NewEvent;
use line_connector_receiver::{Arrival, Level, Log, Notice, Publisher, Stored};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, timeout_at};

use super::server::Server;
use super::store::{Draft, Failure, Store, Wanted, check_name, check_prefix, header, is_plain};
use super::summarise;

/// How long events are tried: LINE has got its answer by then.
const TIME: Duration = Duration::from_millis(1_500);
/// The pause before an event is tried again.
const PAUSE: Duration = Duration::from_millis(25);
/// How long a refusal makes it unhealthy, where nothing is taken meanwhile.
const REFUSAL_COUNTS: Duration = Duration::from_secs(5);
/// Backpressure: so many events may be on their way.
const MAX_EVENTS: usize = 8_192;
/// And so many bytes of them.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// The longest token of a subject that stands for a chat or a destination as it is.
const MAX_TOKEN: usize = 128;
/// The token of what belongs to no chat.
const NO_CHAT: &str = "-";
/// A sequence number that no stream reaches, as the server reads numbers.
const NEVER: u64 = i64::MAX as u64;
/// What an event that is too large is replaced by.
const TOO_LARGE: &str = "the event is larger than NATS takes";

/// Publishes to a stream of NATS JetStream.
pub(super) struct JetStream {
    shared: Arc<Shared>,
    runtime: Mutex<Option<Runtime>>,
}

/// What all events on their way share.
struct Shared {
    store: Store,
    stream: Stream,
    name: String,
    prefix: String,
    log: Arc<Log>,
    /// Events on their way, by chat: the first of each is not in here, but being published.
    lanes: Mutex<HashMap<String, VecDeque<Job>>>,
    events: AtomicUsize,
    bytes: AtomicUsize,
    /// Whether the last webhook could not be published.
    failing: AtomicBool,
    /// When an event was refused last, where none was taken since.
    refused: Mutex<Option<Instant>>,
    figures: Figures,
}

#[derive(Default)]
struct Figures {
    new: AtomicU64,
    duplicates: AtomicU64,
    omitted: AtomicU64,
    failed: AtomicU64,
    in_flight: AtomicI64,
}

/// One event on its way.
struct Job {
    webhook: Arc<Webhook>,
    event: NewEvent,
}

/// Takes what became of a webhook.
type AnswerTo = Box<dyn FnOnce(Stored) + Send>;

/// A webhook whose events are on their way.
struct Webhook {
    destination: String,
    /// Takes the answer; gone once it was given.
    answer: Mutex<Option<AnswerTo>>,
    /// How many events are not safe yet.
    left: AtomicUsize,
    deadline: Instant,
}

impl Webhook {
    fn answer(&self, stored: Stored) {
        if let Some(answer) = lock(&self.answer).take() {
            answer(stored);
        }
    }

    /// Whether it was given up: LINE sends it again, with all of its events.
    fn is_over(&self) -> bool {
        lock(&self.answer).is_none()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl JetStream {
    /// Connects, and finds or makes the stream.
    pub(super) fn start(
        urls: &str,
        arguments: &ListenArguments,
        log: Arc<Log>,
        ending: &dyn Fn() -> bool,
    ) -> Result<Self, Error> {
        check_name("--stream", &arguments.stream)?;
        check_prefix("--subject", &arguments.subject)?;
        let runtime = Runtime::new().map_err(|error| {
            Error::new(Kind::Usage, format!("threads cannot be started: {error}"))
        })?;
        let shared = runtime.block_on(async {
            let server = Server::connect(urls, &arguments.nats, &log, ending).await?;
            let store = Store::new(server);
            let wanted = Wanted {
                name: &arguments.stream,
                subject: format!("{}.*.*", arguments.subject),
                retention: RetentionPolicy::Limits,
                max_age: arguments.nats.keep(),
            };
            let stream = store.stream(&wanted, &arguments.nats, &log, ending).await?;
            Ok::<_, Error>(Arc::new(Shared {
                store,
                stream,
                name: arguments.stream.clone(),
                prefix: arguments.subject.clone(),
                log,
                lanes: Mutex::default(),
                events: AtomicUsize::new(0),
                bytes: AtomicUsize::new(0),
                failing: AtomicBool::new(false),
                refused: Mutex::default(),
                figures: Figures::default(),
            }))
        })?;
        runtime.spawn(summarise(Arc::clone(&shared.log)));
        Ok(Self {
            shared,
            runtime: Mutex::new(Some(runtime)),
        })
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = lock(&self.runtime).as_ref() {
            runtime.spawn(work);
        }
    }
}

impl Publisher for JetStream {
    fn publish(&self, arrival: Arrival) {
        let shared = &self.shared;
        if arrival.events.is_empty() {
            let shared = Arc::clone(shared);
            self.spawn(async move {
                (arrival.answer)(if shared.is_healthy().await {
                    Stored::Safe
                } else {
                    Stored::Failed
                });
            });
            return;
        }
        let full = shared.events.load(Ordering::Relaxed) + arrival.events.len() > MAX_EVENTS
            || shared.bytes.load(Ordering::Relaxed) + arrival.bytes() > MAX_BYTES;
        if full {
            return (arrival.answer)(Stored::Full);
        }
        let webhook = Arc::new(Webhook {
            destination: arrival.channel,
            answer: Mutex::new(Some(arrival.answer)),
            left: AtomicUsize::new(arrival.events.len()),
            deadline: Instant::now() + TIME,
        });
        for event in arrival.events {
            shared.events.fetch_add(1, Ordering::Relaxed);
            shared.bytes.fetch_add(event.body.len(), Ordering::Relaxed);
            let job = Job {
                webhook: Arc::clone(&webhook),
                event,
            };
            let lane = format!("{} {}", webhook.destination, job.event.chat);
            let mut lanes = lock(&shared.lanes);
            if let Some(waiting) = lanes.get_mut(&lane) {
                waiting.push_back(job);
                continue;
            }
            lanes.insert(lane.clone(), VecDeque::new());
            drop(lanes);
            self.spawn(Arc::clone(shared).work(lane, job));
        }
    }

    fn metrics(&self) -> String {
        let figures = &self.shared.figures;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut text = String::new();
        render_by_result(
            &mut text,
            "events_total",
            "Events in signed webhooks.",
            [
                ("new", get(&figures.new)),
                ("duplicate", get(&figures.duplicates)),
                ("failed", get(&figures.failed)),
            ],
        );
        render_counter(
            &mut text,
            "omitted_events_total",
            "Events too large for NATS, published without what they say.",
            get(&figures.omitted),
        );
        render_counter(
            &mut text,
            "nats_losses_total",
            "How often the connection to NATS was lost.",
            self.shared.store.server.losses(),
        );
        render_gauge(
            &mut text,
            "events_in_flight",
            "Events being published.",
            figures.in_flight.load(Ordering::Relaxed),
        );
        render_gauge(
            &mut text,
            "nats_connected",
            "Whether NATS is connected.",
            i64::from(self.shared.store.server.is_connected()),
        );
        text
    }

    fn stop(&self, grace: Duration) {
        let Some(runtime) = lock(&self.runtime).take() else {
            return;
        };
        let shared = &self.shared;
        // All webhooks are answered; what is still on its way was given up, or is about to be.
        runtime.block_on(async {
            let deadline = Instant::now() + grace;
            while shared.events.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
                sleep(Duration::from_millis(5)).await;
            }
        });
        runtime.shutdown_background();
        shared.log.summarise(true);
    }
}

impl Shared {
    /// Publishes the events of one chat until none waits.
    async fn work(self: Arc<Self>, lane: String, first: Job) {
        let mut next = Some(first);
        while let Some(job) = next {
            let (webhook, size) = (Arc::clone(&job.webhook), job.event.body.len());
            self.figures.in_flight.fetch_add(1, Ordering::Relaxed);
            // A bug costs its webhook.
            let done = AssertUnwindSafe(self.publish(job)).catch_unwind().await;
            self.figures.in_flight.fetch_sub(1, Ordering::Relaxed);
            self.events.fetch_sub(1, Ordering::Relaxed);
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            if done.is_err() {
                webhook.answer(Stored::Failed);
            }
            let mut lanes = lock(&self.lanes);
            next = lanes.get_mut(&lane).and_then(VecDeque::pop_front);
            if next.is_none() {
                lanes.remove(&lane);
            }
        }
    }

    /// Publishes one event, and answers its webhook where that was the last one, or failed.
    async fn publish(&self, job: Job) {
        let Job { webhook, event } = job;
        if webhook.is_over() {
            return;
        }
        match self.try_to_publish(&webhook, &event).await {
            Ok(duplicate) => {
                let counter = if duplicate {
                    &self.figures.duplicates
                } else {
                    &self.figures.new
                };
                counter.fetch_add(1, Ordering::Relaxed);
                if webhook.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    webhook.answer(Stored::Safe);
                }
                if self.failing.swap(false, Ordering::Relaxed) {
                    *lock(&self.refused) = None;
                    let message = "events are published again";
                    self.log
                        .tell(&Notice::new(Level::Info, "published_again", message));
                }
            }
            Err(failure) => {
                webhook.answer(Stored::Failed);
                self.figures.failed.fetch_add(1, Ordering::Relaxed);
                if matches!(failure, Failure::Refused(_)) {
                    *lock(&self.refused) = Some(Instant::now());
                }
                if !self.failing.swap(true, Ordering::Relaxed) {
                    let message = format!(
                        "events cannot be published, and LINE is answered 503: {}",
                        failure.reason()
                    );
                    self.log
                        .tell(&Notice::new(Level::Error, "unpublished", message));
                }
            }
        }
    }

    /// Writes an event into the stream. The answer is whether it was there before.
    async fn try_to_publish(&self, webhook: &Webhook, event: &NewEvent) -> Result<bool, Failure> {
        let mut draft = self.draft(&webhook.destination, event, None)?;
        let mut written = self.write(&draft, webhook.deadline).await;
        if written == Err(Failure::TooLarge) {
            // LINE would send it again for ever. Whoever reads the stream should know of it.
            draft = self.draft(&webhook.destination, event, Some(TOO_LARGE))?;
            written = self.write(&draft, webhook.deadline).await;
            if written.is_ok() {
                self.figures.omitted.fetch_add(1, Ordering::Relaxed);
                let message = format!(
                    "{TOO_LARGE}: it was published without what it says ({} bytes); raise the server's max_payload, or the stream's largest message",
                    event.body.len()
                );
                let notice = Notice::new(Level::Error, "event_omitted", message);
                self.log.tell(&notice.with("id", event.id.as_str()));
            }
        }
        written
    }

    /// Writes a message again and again while the server is away, until LINE has got its answer.
    async fn write(&self, draft: &Draft, deadline: Instant) -> Result<bool, Failure> {
        let mut last = "no acknowledgement came in time".to_owned();
        let trying = async {
            loop {
                match self.store.write(&self.name, draft).await {
                    Err(Failure::Away(reason)) => last = reason,
                    done => return done,
                }
                sleep(PAUSE).await;
            }
        };
        let tried = timeout_at(deadline, trying).await;
        tried.unwrap_or_else(|_| Err(Failure::Away(self.store.server.complaint().unwrap_or(last))))
    }

    fn draft(
        &self,
        destination: &str,
        event: &NewEvent,
        omitted: Option<&str>,
    ) -> Result<Draft, Failure> {
        let body = published(event, destination, omitted).map_err(Failure::Refused)?;
        let chat = event.chat();
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, header(&message_id(destination, &event.id)));
        headers.insert("Line-Destination", header(destination));
        headers.insert("Line-Type", header(event.kind.name()));
        headers.insert("Line-Time", header(&event.time.to_string()));
        if let Some(chat) = chat {
            headers.insert("Line-Chat", header(chat));
        }
        if let Some(reason) = omitted {
            headers.insert("Line-Omitted", header(reason));
        }
        let chat = chat.map_or_else(|| NO_CHAT.to_owned(), token);
        Ok(Draft {
            subject: format!("{}.{}.{chat}", self.prefix, token(destination)),
            headers,
            body,
        })
    }

    /// Whether the stream would take an event now, as far as can be told. A message that expects what
    /// cannot be is judged as any other, and never stored. What that does not tell, as that the server's
    /// disk is full, the last refusal tells for a while.
    async fn is_healthy(&self) -> bool {
        let lately = |at: Instant| at.elapsed() < REFUSAL_COUNTS;
        if lock(&self.refused).is_some_and(lately) {
            return false;
        }
        let trial = PublishMessage::build()
            .expected_stream(&self.name)
            .expected_last_sequence(NEVER);
        let subject = format!("{}.{NO_CHAT}.{NO_CHAT}", self.prefix);
        let judged = async { self.store.context.send_publish(subject, trial).await?.await };
        let (judged, info) = tokio::join!(judged, self.stream.get_info());
        let takes = judged.is_err_and(|error| error.kind() == PublishErrorKind::WrongLastSequence);
        let Ok(info) = info else {
            return false;
        };
        let reached = |limit: i64, found: u64| {
            u64::try_from(limit).is_ok_and(|most| most > 0 && found >= most)
        };
        let full = info.config.discard == DiscardPolicy::New
            && (reached(info.config.max_messages, info.state.messages)
                || reached(info.config.max_bytes, info.state.bytes));
        takes && !full
    }
}

/// What makes a message the same: LINE's ID of the event. One that is made of what the event says is not
/// LINE's, and another destination may have its like.
fn message_id(destination: &str, id: &str) -> String {
    if id.starts_with("sha256:") {
        return format!("{id}:{destination}");
    }
    id.to_owned()
}

/// An ID as a token of a subject: what NATS gives a meaning to is written as `%` and two digits.
fn token(id: &str) -> String {
    use std::fmt::Write as _;

    let mut token = String::with_capacity(id.len());
    for byte in id.bytes() {
        if is_plain(byte) {
            token.push(char::from(byte));
        } else {
            let _ = write!(token, "%{byte:02X}");
        }
    }
    if token.is_empty() || token == NO_CHAT || token.len() > MAX_TOKEN {
        return format!("%{}", sha256(id.as_bytes()));
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_nothing_that_nats_gives_a_meaning_to() {
        let chat = "C4af4980629f0b5a3c3d6b8a1d2e3f405";
        assert_eq!(token(chat), chat);
        assert_eq!(token("a.b *>\r\n%é"), "a%2Eb%20%2A%3E%0D%0A%25%C3%A9");
        for odd in ["", "-", &"x".repeat(10_000)] {
            let token = token(odd);
            assert!(token.starts_with('%') && token.len() == 65, "{token}");
        }
    }
}

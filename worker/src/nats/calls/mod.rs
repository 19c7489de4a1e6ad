//! `nats`: makes the calls of a work queue. Each message is an invocation document; its answer goes into
//! a stream of results, and then the message is acknowledged. A worker that dies leaves its messages to
//! the others.
//!
//! What makes a message's call happen once:
//!
//! - A message that comes again is looked up in the results first, and acknowledged where its answer is
//!   there.
//! - An action that takes a retry key gets one that belongs to the message, so that LINE recognises the
//!   second call. LINE does so for 24 hours; after 23 the call is not made again.
//! - An action that must not be repeated is called at the first delivery and at no other. Its answer then
//!   says that nobody knows what became of the first.

mod answer;
mod message;

use std::collections::HashSet;
use std::io::{self, IsTerminal as _};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, RetentionPolicy, Stream};
use async_nats::jetstream::{self, AckKind};
use futures_util::{FutureExt as _, StreamExt as _};
use line_connector::{Calling, LogForm, NatsArguments, Signal, say};
use line_connector_client::{Catalog, Connector, Error, ExitCode, Invocation, Kind};
use line_connector_core::documents::AssetParameters;
use line_connector_receiver::{Level, Log, Notice};
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{interval, sleep, timeout};

use self::answer::{Answer, Caller};
use self::message::{CALL, CALL_ID, ERROR, Facts, reply_to};
use super::server::Server;
use super::store::{Draft, Failure, Store, Wanted, check_name, check_prefix, header};
use super::summarise;

/// How long the server waits for a message before it says that there is none.
const PULL: Duration = Duration::from_secs(1);
/// The pause after something about the queue failed.
const PAUSE: Duration = Duration::from_millis(250);
/// How many messages all workers together may have under way.
const MAX_UNDER_WAY: i64 = 65_536;
/// How many calls of all workers together may wait for a message.
const MAX_WAITING: i64 = 16_384;
/// So much of a message is not its body.
const MARGIN: usize = 8 * 1024;

/// The calls of a work queue.
#[derive(Debug, clap::Args)]
pub(crate) struct CallsArguments {
    /// The NATS servers' URLs, such as `nats://host:4222` or `tls://host`, with commas between them.
    #[arg(long, value_name = "URL", id = "nats_url")]
    server: String,
    #[command(flatten)]
    nats: NatsArguments,
    /// The stream that holds the documents, made as a work queue where there is none.
    #[arg(long, value_name = "NAME", default_value = "LINE_CALLS")]
    stream: String,
    /// What the documents' subjects begin with.
    #[arg(long, value_name = "PREFIX", default_value = "line.calls")]
    subject: String,
    /// The durable consumer that all workers of a queue share.
    #[arg(long, value_name = "NAME", default_value = "line-connector")]
    consumer: String,
    /// The stream that keeps the answers, made where there is none.
    #[arg(long, value_name = "NAME", default_value = "LINE_RESULTS")]
    results_stream: String,
    /// What the answers' subjects begin with; the stream of the documents and the document's sequence
    /// number follow.
    #[arg(long, value_name = "PREFIX", default_value = "line.results")]
    results: String,
    /// Lets a message's `Line-Reply` header name a subject that begins so, beside those of inboxes; may
    /// be repeated.
    #[arg(long, value_name = "PREFIX")]
    allow_reply: Vec<String>,
    /// How many calls are made at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// How long after a worker's death its messages come to another one, seconds.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    ack_seconds: u64,
    /// How often a message may be delivered before it is answered with an error: its workers have died.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    attempts: u32,
    /// How long calls under way may take after SIGTERM or SIGINT.
    #[arg(long, value_name = "SECONDS", default_value_t = 25)]
    shutdown_seconds: u64,
    /// How standard error tells what happens. Without it: `text` on a terminal, `json` elsewhere.
    #[arg(long, value_name = "FORM", value_enum)]
    log: Option<LogForm>,
    #[command(flatten)]
    calling: Calling,
}

impl CallsArguments {
    /// The consumer that all workers share. The last one that starts says how it is.
    fn of_consumer(&self) -> pull::Config {
        pull::Config {
            durable_name: Some(self.consumer.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: Duration::from_secs(self.ack_seconds),
            filter_subject: format!("{}.>", self.subject),
            // What comes too often is answered here; the server would only leave it lying.
            max_deliver: -1,
            max_ack_pending: MAX_UNDER_WAY,
            max_waiting: MAX_WAITING,
            ..pull::Config::default()
        }
    }
}

/// Makes calls until a signal.
pub(crate) fn calls(catalog: Catalog, arguments: CallsArguments) -> Result<ExitCode, Error> {
    for (option, name) in [
        ("--stream", &arguments.stream),
        ("--results-stream", &arguments.results_stream),
        ("--consumer", &arguments.consumer),
    ] {
        check_name(option, name)?;
    }
    let prefixes = [
        ("--subject", &arguments.subject),
        ("--results", &arguments.results),
    ];
    let replies = arguments.allow_reply.iter();
    for (option, prefix) in prefixes
        .into_iter()
        .chain(replies.map(|one| ("--allow-reply", one)))
    {
        check_prefix(option, prefix)?;
    }
    let mut template = Invocation::default();
    let connector = Arc::new(line_connector::calling(
        catalog,
        &arguments.calling,
        &mut template,
    )?);
    let cannot = |error| Error::new(Kind::Usage, format!("the calls cannot be started: {error}"));
    let runtime = Runtime::new().map_err(cannot)?;
    let log = Arc::new(Log::new(line_connector::teller(
        arguments.log,
        io::stderr().is_terminal(),
    )));
    let arguments = Arc::new(arguments);
    let (stop_tx, stop) = watch::channel(false);
    let (watched, of_asset) = (Arc::clone(&connector), Arc::clone(&arguments));
    line_connector::watch(move |signal| match signal {
        Signal::Stop => {
            let _ = stop_tx.send(true);
        }
        Signal::Reread => line_connector::reread(&watched, &of_asset.calling),
        Signal::Report => {}
    })
    .map_err(cannot)?;
    let code = runtime.block_on(async {
        let worker = Worker::start(connector, template.asset, arguments, log, &stop).await?;
        Ok(worker.work(stop).await)
    });
    // A call that did not end in time is left to another worker.
    runtime.shutdown_background();
    code
}

/// What all calls share.
struct Worker {
    store: Store,
    consumer: PullConsumer,
    results: Stream,
    caller: Arc<Caller>,
    connector: Arc<Connector>,
    arguments: Arc<CallsArguments>,
    log: Arc<Log>,
    /// The messages under way here, by sequence number.
    under_way: Mutex<HashSet<u64>>,
    /// Whether answers cannot be stored at the moment.
    failing: AtomicBool,
    /// Whether somebody sees to it that messages can be had again.
    unreadable: AtomicBool,
}

/// A message is under way for as long as this is kept.
struct UnderWay<'w>(&'w Worker, u64);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let under_way = self.0.under_way.lock();
        under_way
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.1);
    }
}

impl Worker {
    async fn start(
        connector: Arc<Connector>,
        asset: AssetParameters,
        arguments: Arc<CallsArguments>,
        log: Arc<Log>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Arc<Self>, Error> {
        let nats = &arguments.nats;
        let ending: &dyn Fn() -> bool = &|| *stop.borrow();
        let server = Server::connect(&arguments.server, nats, &log, ending).await?;
        let store = Store::new(server);
        let wanted = Wanted {
            name: &arguments.stream,
            subject: format!("{}.>", arguments.subject),
            retention: RetentionPolicy::WorkQueue,
            // A call that nobody has made yet is not forgotten.
            max_age: Duration::ZERO,
        };
        let documents = store.stream(&wanted, nats, &log, ending).await?;
        let wanted = Wanted {
            name: &arguments.results_stream,
            subject: format!("{}.*.*", arguments.results),
            retention: RetentionPolicy::Limits,
            max_age: nats.keep(),
        };
        let results = store.stream(&wanted, nats, &log, ending).await?;
        let consumer = documents.create_consumer(arguments.of_consumer()).await;
        let consumer = consumer.map_err(|error| {
            let name = &arguments.consumer;
            let message = format!("the consumer {name} cannot be used: {error}");
            Error::new(Kind::Usage, message)
        })?;
        Ok(Arc::new(Self {
            caller: Arc::new(Caller::new(
                Arc::clone(&connector),
                asset,
                Arc::clone(&arguments),
            )),
            store,
            consumer,
            results,
            connector,
            arguments,
            log,
            under_way: Mutex::default(),
            failing: AtomicBool::new(false),
            unreadable: AtomicBool::new(false),
        }))
    }

    /// Works until it is asked to end, and lets what is under way end.
    async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) -> ExitCode {
        let mut slots = JoinSet::new();
        for _ in 0..self.arguments.concurrency {
            slots.spawn(Arc::clone(&self).slot(stop.clone()));
        }
        say(
            &json!({"calling": self.arguments.stream, "consumer": self.arguments.consumer})
                .to_string(),
        );
        let telling = tokio::spawn(summarise(Arc::clone(&self.log)));
        let _ = stop.wait_for(|stop| *stop).await;
        let ended = async { while slots.join_next().await.is_some() {} };
        let grace = Duration::from_secs(self.arguments.shutdown_seconds);
        let mut ended = std::pin::pin!(ended);
        if timeout(grace, &mut ended).await.is_err() {
            // What still waits for its turn goes back to the queue.
            self.connector.stop();
            let _ = timeout(PULL, &mut ended).await;
        }
        let _ = timeout(PULL, self.store.server.client.flush()).await;
        telling.abort();
        self.log.summarise(true);
        if self.caller.met_bug() {
            ExitCode::Bug
        } else {
            ExitCode::Accepted
        }
    }

    /// Handles one message after the other.
    async fn slot(self: Arc<Self>, stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.next().await {
                Ok(Some(message)) => {
                    // A bug costs its message, which comes again.
                    let handled = AssertUnwindSafe(self.handle(message)).catch_unwind().await;
                    if handled.is_err() {
                        self.caller.note_bug();
                    }
                }
                Ok(None) => {}
                Err(reason) => {
                    // Where the connection is lost, that has been told.
                    if self.store.server.is_connected() {
                        self.mend(&reason).await;
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Tells that there are no messages to be had, once for all slots, and makes the consumer again where
    /// somebody has removed it. Where that is not what was wrong, nothing changes.
    async fn mend(&self, reason: &str) {
        if self.unreadable.swap(true, Ordering::Relaxed) {
            return;
        }
        let (config, stream) = (self.arguments.of_consumer(), &self.arguments.stream);
        let mended = self.store.context.create_consumer_on_stream(config, stream);
        let mended = mended
            .await
            .err()
            .map(|error| format!("; the consumer cannot be made again: {error}"));
        let message = format!(
            "no messages can be had: {reason}{}",
            mended.unwrap_or_default()
        );
        self.log
            .tell(&Notice::new(Level::Error, "queue_unreadable", message));
        // Where it was of no use, it is tried again.
        sleep(PAUSE).await;
        self.unreadable.store(false, Ordering::Relaxed);
    }

    /// The next message, if one comes in time. A slot that is asked to end waits for this all the same:
    /// a message that came to nobody would count as delivered.
    async fn next(&self) -> Result<Option<jetstream::Message>, String> {
        let server = &self.store.server;
        if !server.is_connected() {
            return Err("NATS is not connected".to_owned());
        }
        let losses = server.losses();
        let next = async {
            let batch = self.consumer.batch().max_messages(1).expires(PULL);
            let mut batch = batch.messages().await.map_err(|error| error.to_string())?;
            batch
                .next()
                .await
                .transpose()
                .map_err(|error| error.to_string())
        };
        tokio::select! {
            next = next => next,
            () = server.lost(losses) => Err("the connection broke".to_owned()),
        }
    }

    /// Answers a message and acknowledges it.
    async fn handle(&self, message: jetstream::Message) {
        let Some(facts) = Facts::of(&message) else {
            return;
        };
        let known = !self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(facts.sequence);
        if known {
            // It came again while its call went on, as after a loss of the connection.
            return;
        }
        let _under_way = UnderWay(self, facts.sequence);
        let acknowledged = match self.settle(&message, &facts).await {
            Ok(kind) => message.ack_with(kind).await,
            Err(reason) => {
                let text = format!(
                    "message {} goes back to the queue: {reason}",
                    facts.sequence
                );
                let notice = Notice::new(Level::Warning, "given_back", text);
                self.log.tell(&notice.with("sequence", facts.sequence));
                message.ack_with(AckKind::Nak(Some(PAUSE))).await
            }
        };
        // Where it did not get through, the message comes again, and its answer is found.
        drop(acknowledged);
    }

    /// Gets a message's answer to where it belongs. How the message is to be acknowledged, or why it must
    /// come again.
    async fn settle(&self, message: &jetstream::Message, facts: &Facts) -> Result<AckKind, String> {
        let found = match facts.delivered {
            1 => None,
            _ => self.find(facts).await?,
        };
        let (text, kind) = match found {
            Some(text) => (text, AckKind::Ack),
            None => self.call(message, facts).await?,
        };
        self.reply(message, text).await;
        Ok(kind)
    }

    /// Makes a message's call and stores its answer.
    async fn call(
        &self,
        message: &jetstream::Message,
        facts: &Facts,
    ) -> Result<(String, AckKind), String> {
        let body = message.payload.to_vec();
        let (caller, of_call) = (Arc::clone(&self.caller), facts.clone());
        let call = spawn_blocking(move || caller.answer(&body, &of_call));
        let answer = self.alive(message, call).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.goes_back {
            return Err("the worker ends".to_owned());
        }
        let kind = if answer.is_hopeless {
            AckKind::Term
        } else {
            AckKind::Ack
        };
        Ok((self.keep(message, facts, answer).await?, kind))
    }

    /// Waits for something, and tells the server meanwhile that the message is being worked on.
    async fn alive<T>(&self, message: &jetstream::Message, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut ticks = interval(Duration::from_secs(self.arguments.ack_seconds) / 3);
        ticks.tick().await;
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = ticks.tick() => {
                    // Where the server is away it comes again, which is provided for.
                    let _ = message.ack_with(AckKind::Progress).await;
                }
            }
        }
    }

    /// The subject of a message's answer.
    fn subject(&self, facts: &Facts) -> String {
        let arguments = &self.arguments;
        format!(
            "{}.{}.{}",
            arguments.results, arguments.stream, facts.sequence
        )
    }

    /// The answer that a message has already.
    async fn find(&self, facts: &Facts) -> Result<Option<String>, String> {
        let subject = self.subject(facts);
        match self.results.get_last_raw_message_by_subject(&subject).await {
            Ok(found) => {
                let call = found.headers.get(CALL).map(ToString::to_string);
                // A stream that was made anew has the same numbers for other messages.
                let same = call.as_deref() == Some(&*facts.key);
                Ok(same.then(|| String::from_utf8_lossy(&found.payload).into_owned()))
            }
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(format!("the results cannot be looked at: {error}")),
        }
    }

    /// Stores an answer. Where another worker was first, that answer holds.
    async fn keep(
        &self,
        message: &jetstream::Message,
        facts: &Facts,
        answer: Answer,
    ) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, header(&facts.key));
        headers.insert(CALL, header(&facts.key));
        if let Some(id) = &facts.id {
            headers.insert(CALL_ID, header(id));
        }
        if let Some(kind) = &answer.error {
            headers.insert(ERROR, header(kind));
        }
        let most = self
            .store
            .server
            .client
            .max_payload()
            .saturating_sub(MARGIN);
        let mut draft = Draft {
            subject: self.subject(facts),
            headers,
            body: answer.text(most),
        };
        let writing = self.write(&mut draft, &answer);
        let duplicate = self.alive(message, writing).await;
        if duplicate && let Some(first) = self.find(facts).await? {
            return Ok(first);
        }
        Ok(draft.body)
    }

    /// Writes an answer for as long as it takes: what was done must not be done again. The answer is
    /// whether there was one before.
    async fn write(&self, draft: &mut Draft, answer: &Answer) -> bool {
        let mut is_short = false;
        loop {
            let stream = &self.arguments.results_stream;
            match self.store.write(stream, draft).await {
                Ok(duplicate) => {
                    if self.failing.swap(false, Ordering::Relaxed) {
                        let message = "answers are stored again";
                        self.log
                            .tell(&Notice::new(Level::Info, "stored_again", message));
                    }
                    return duplicate;
                }
                Err(Failure::TooLarge) if !is_short => {
                    is_short = true;
                    draft.body = answer.text(0);
                    continue;
                }
                Err(failure) => {
                    if !self.failing.swap(true, Ordering::Relaxed) {
                        let message = format!(
                            "answers cannot be stored, and calls wait with theirs: {}",
                            failure.reason()
                        );
                        self.log
                            .tell(&Notice::new(Level::Error, "unstored", message));
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Sends a copy of the answer to whom the message names.
    async fn reply(&self, message: &jetstream::Message, text: String) {
        let Some(subject) = reply_to(message) else {
            return;
        };
        let begins = |prefix: &String| {
            subject
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.starts_with('.'))
        };
        if !subject.starts_with("_INBOX.") && !self.arguments.allow_reply.iter().any(begins) {
            let text = "a message names a subject for its answer that --allow-reply does not allow; its answer is in the results alone";
            self.log
                .tell(&Notice::new(Level::Warning, "reply_refused", text));
            return;
        }
        // Nobody may be there to hear it, which is no failure: the answer is in the results.
        let _ = self.store.server.client.publish(subject, text.into()).await;
    }
}

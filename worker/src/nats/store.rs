//! Streams, and messages that are to be safe in one: found or made, checked, and written until the
//! server has acknowledged.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::HeaderValue;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{
    ContextBuilder, CreateStreamErrorKind, GetStreamErrorKind, PublishErrorKind,
};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{self, Context};
use line_connector::NatsArguments;
use line_connector_client::{Error, Kind};
use line_connector_receiver::{Level, Log, Notice};

use super::server::{Patience, Server};

/// How long an acknowledgement may take.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// How many messages may wait for their acknowledgements.
const MAX_UNACKNOWLEDGED: usize = 65_536;

/// A stream as a command wants it.
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    /// What it must take.
    pub(super) subject: String,
    /// How messages leave it, where it is made.
    pub(super) retention: RetentionPolicy,
    /// How long it keeps them, where it is made.
    pub(super) max_age: Duration,
}

impl Wanted<'_> {
    fn config(&self, arguments: &NatsArguments) -> Config {
        let window = Duration::from_mins(arguments.duplicate_minutes);
        let forever = self.max_age == Duration::ZERO;
        Config {
            name: self.name.to_owned(),
            subjects: vec![self.subject.clone()],
            retention: self.retention,
            storage: StorageType::File,
            // A full stream must say so, and not forget what it has acknowledged.
            discard: DiscardPolicy::New,
            num_replicas: usize::from(arguments.replicas),
            duplicate_window: if forever {
                window
            } else {
                window.min(self.max_age)
            },
            max_age: self.max_age,
            ..Config::default()
        }
    }
}

/// Whether a cluster says so while it has no leader, or its servers find each other.
fn is_passing(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CLUSTER_NOT_AVAILABLE
            | ErrorCode::CLUSTER_NOT_LEADER
            | ErrorCode::CLUSTER_NO_PEERS
    )
}

/// Streams on one server.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) server: Server,
    pub(super) context: Context,
}

/// Why a message is not safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server is away, or does not answer: it may take the message later.
    Away(String),
    /// It is larger than the server or the stream takes.
    TooLarge,
    /// The server or the stream does not take it.
    Refused(String),
}

impl Failure {
    /// The reason for people.
    pub(super) fn reason(&self) -> &str {
        match self {
            Failure::Away(reason) | Failure::Refused(reason) => reason,
            Failure::TooLarge => "it is larger than the stream takes",
        }
    }
}

/// A message on its way into a stream.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) subject: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Store {
    pub(super) fn new(server: Server) -> Self {
        let context = ContextBuilder::new()
            .timeout(ACK_TIMEOUT)
            // What is given up while the server is silent must not keep what comes later waiting.
            .max_ack_inflight(MAX_UNACKNOWLEDGED)
            .ack_timeout(ACK_TIMEOUT)
            .build(server.client.clone());
        Self { server, context }
    }

    /// Finds a stream and looks whether it will do, or makes it. Servers that are not ready yet, as those
    /// of a cluster without a leader, are waited for, unless the end is asked for.
    pub(super) async fn stream(
        &self,
        wanted: &Wanted<'_>,
        arguments: &NatsArguments,
        log: &Log,
        ending: &dyn Fn() -> bool,
    ) -> Result<Stream, Error> {
        let mut patience = Patience::new(log);
        loop {
            let (reason, kind) = match self.find_or_make(wanted, arguments, log).await? {
                Ok(stream) => return Ok(stream),
                // Where the server says what it does not like, waiting changes nothing.
                Err(reason) => match self.server.complaint() {
                    Some(said) => (format!("{reason}; NATS says: {said}"), Kind::Usage),
                    None => (reason, Kind::ConnectionFailed),
                },
            };
            let message = format!("the stream {} cannot be looked at: {reason}", wanted.name);
            if kind == Kind::Usage || ending() || patience.is_over() {
                let error = Error::new(kind, message);
                return Err(error.with_hint(
                    "start nats-server with -js, and let this user use JetStream's API",
                ));
            }
            patience.wait(message).await;
        }
    }

    /// The stream, or why it cannot be had yet.
    async fn find_or_make(
        &self,
        wanted: &Wanted<'_>,
        arguments: &NatsArguments,
        log: &Log,
    ) -> Result<Result<Stream, String>, Error> {
        let error = match self.context.get_stream(wanted.name).await {
            Ok(stream) => {
                check(&stream.cached_info().config, wanted, log)?;
                return Ok(Ok(stream));
            }
            Err(error) => error,
        };
        match error.kind() {
            GetStreamErrorKind::JetStream(error)
                if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {}
            _ => return Ok(Err(error.to_string())),
        }
        let error = match self.context.create_stream(wanted.config(arguments)).await {
            Ok(stream) => return Ok(Ok(stream)),
            Err(error) => error,
        };
        match error.kind() {
            CreateStreamErrorKind::JetStream(refusal) if !is_passing(refusal.error_code()) => {
                let message = format!("the stream {} cannot be made: {refusal}", wanted.name);
                Err(Error::new(Kind::Usage, message))
            }
            _ => Ok(Err(error.to_string())),
        }
    }

    /// Writes a message, and waits for the acknowledgement while the connection stands. The answer is
    /// whether the stream had it before.
    pub(super) async fn write(&self, stream: &str, draft: &Draft) -> Result<bool, Failure> {
        if !self.server.is_connected() {
            return Err(Failure::Away("NATS is not connected".to_owned()));
        }
        let losses = self.server.losses();
        let message = PublishMessage::build()
            .payload(draft.body.clone().into())
            .headers(draft.headers.clone())
            .expected_stream(stream);
        let acknowledged = async {
            let sent = self.context.send_publish(draft.subject.clone(), message);
            sent.await?.await
        };
        let acknowledgement = tokio::select! {
            acknowledgement = acknowledged => acknowledgement,
            () = self.server.lost(losses) => {
                return Err(Failure::Away("the connection to NATS broke".to_owned()));
            }
        };
        acknowledgement
            .map(|acknowledgement| acknowledgement.duplicate)
            .map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &jetstream::context::PublishError) -> Failure {
        let cause = std::error::Error::source(error)
            .and_then(|cause| cause.downcast_ref::<jetstream::Error>());
        match (error.kind(), cause) {
            (PublishErrorKind::MaxPayloadExceeded, _) => Failure::TooLarge,
            (_, Some(cause)) => match cause.error_code() {
                ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => Failure::TooLarge,
                code if is_passing(code) => Failure::Away(cause.to_string()),
                _ => Failure::Refused(cause.to_string()),
            },
            (PublishErrorKind::StreamNotFound, _) => {
                Failure::Away("no stream answers for the subject".to_owned())
            }
            (PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe, _) => {
                let said = self.server.complaint();
                Failure::Away(said.unwrap_or_else(|| "no acknowledgement came".to_owned()))
            }
            _ => Failure::Refused(error.to_string()),
        }
    }
}

/// Looks whether a stream that is there already will do.
fn check(found: &Config, wanted: &Wanted<'_>, log: &Log) -> Result<(), Error> {
    let name = wanted.name;
    let wrong = |what: &str, hint: &str| {
        let message = format!("the stream {name} cannot be used: {what}");
        Err(Error::new(Kind::Usage, message).with_hint(hint))
    };
    let takes = found
        .subjects
        .iter()
        .any(|subject| covers(subject, &wanted.subject));
    if found.sealed || found.mirror.is_some() {
        return wrong(
            "it takes no messages",
            "name a stream that is neither sealed nor a mirror",
        );
    }
    if !takes {
        let what = format!(
            "it takes {}, and not {}",
            found.subjects.join(", "),
            wanted.subject
        );
        return wrong(
            &what,
            "name another stream or other subjects, or add them to the stream",
        );
    }
    if found.no_ack {
        return wrong("it acknowledges nothing", "set its `no_ack` to false");
    }
    let limited = found.max_bytes > 0 || found.max_messages > 0;
    let warnings = [
        (
            found.storage == StorageType::Memory,
            "keeps messages in memory alone",
        ),
        (
            limited && found.discard == DiscardPolicy::Old,
            "forgets the oldest messages when it is full (`discard: old`), also those that nobody has read",
        ),
        (
            found.retention == RetentionPolicy::Interest,
            "keeps messages only while a consumer is there that wants them (`interest`)",
        ),
    ];
    for (_, what) in warnings.iter().filter(|(holds, _)| *holds) {
        let message = format!("the stream {name} {what}: what it acknowledges may be lost");
        log.tell(&Notice::new(Level::Warning, "stream_loses", message).with("stream", name));
    }
    Ok(())
}

/// Whether a stream's subject takes all that another pattern stands for.
fn covers(subject: &str, pattern: &str) -> bool {
    let mut wanted = pattern.split('.');
    for token in subject.split('.') {
        match (token, wanted.next()) {
            (">", Some(_)) => return true,
            ("*", Some(want)) if want != ">" => {}
            (token, Some(want)) if token == want && want != ">" => {}
            _ => return false,
        }
    }
    wanted.next().is_none()
}

/// A text as a header's value: on one line.
pub(super) fn header(text: &str) -> HeaderValue {
    text.replace(['\r', '\n'], " ").parse().unwrap_or_default()
}

/// Looks whether a text can name a stream or a consumer.
pub(super) fn check_name(option: &str, name: &str) -> Result<(), Error> {
    if is_token(name) {
        return Ok(());
    }
    let message = format!("{option} must be a word of letters, digits, `-` and `_`");
    Err(Error::new(Kind::Usage, message))
}

/// Looks whether a text can begin subjects.
pub(super) fn check_prefix(option: &str, prefix: &str) -> Result<(), Error> {
    let good = prefix.split('.').all(is_token) && !prefix.starts_with('$');
    if good {
        return Ok(());
    }
    let message =
        format!("{option} must be words of letters, digits, `-` and `_`, with dots between them");
    Err(Error::new(Kind::Usage, message))
}

fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(is_plain)
}

/// Whether a byte may stand in a token of a subject as it is.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_covers_what_it_stands_for() {
        for (subject, pattern, is_covered) in [
            ("line.>", "line.events.*.*", true),
            ("line.events.*.*", "line.events.*.*", true),
            ("line.events.>", "line.events.>", true),
            ("line.*.>", "line.calls.a", true),
            (">", "line.events.*.*", true),
            ("line.events.*", "line.events.*.*", false),
            ("line.events.*.*", "line.events.>", false),
            ("line.events.*.*.*", "line.events.*.*", false),
            ("line.events.U1.*", "line.events.*.*", false),
            ("other.>", "line.events.*.*", false),
        ] {
            assert_eq!(covers(subject, pattern), is_covered, "{subject} {pattern}");
        }
    }

    #[test]
    fn prefixes_are_plain() {
        for good in ["line", "line.events", "a-b.c_d"] {
            check_prefix("--subject", good).unwrap();
        }
        for wrong in ["", ".", "a.", "a.*", "a.>", "$JS.API", "a b", "a\r\nb"] {
            assert!(check_prefix("--subject", wrong).is_err(), "{wrong}");
        }
    }
}

//! A message of the work queue, as far as it is no document: what JetStream says about it, and its
//! headers.

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::Message;
use line_connector_core::digest::sha256;

/// The header of an answer that says which message it is for: stream, sequence number and time.
pub(super) const CALL: &str = "Line-Call";
/// The header of an answer that has the `Nats-Msg-Id` of its message.
pub(super) const CALL_ID: &str = "Line-Call-Id";
/// The header of an answer that has the kind of its error.
pub(super) const ERROR: &str = "Line-Error";
/// The header of a message that names the subject to which a copy of its answer goes.
const REPLY: &str = "Line-Reply";
/// The longest key that a document may have.
const MAX_KEY: usize = 500;

/// What JetStream says about a message.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// The message itself: its stream, its number there, and when it was stored, since a stream that is
    /// made anew numbers anew.
    pub(super) key: String,
    /// What its sender calls it.
    pub(super) id: Option<String>,
    pub(super) stream: String,
    pub(super) sequence: u64,
    /// How often it was delivered, this time included.
    pub(super) delivered: i64,
    /// When it was stored, seconds since 1970.
    pub(super) stored: i64,
}

impl Facts {
    pub(super) fn of(message: &Message) -> Option<Self> {
        let info = message.info().ok()?;
        let headers = message.headers.as_ref();
        let id = headers.and_then(|headers| headers.get(NATS_MESSAGE_ID));
        Some(Self {
            key: format!(
                "{}:{}:{}",
                info.stream,
                info.stream_sequence,
                info.published.unix_timestamp_nanos()
            ),
            id: id.map(ToString::to_string).filter(|id| !id.is_empty()),
            stream: info.stream.to_owned(),
            sequence: info.stream_sequence,
            delivered: info.delivered,
            stored: info.published.unix_timestamp(),
        })
    }

    /// What names the effect of the message's call: what its sender calls it, or else the message itself.
    pub(super) fn idempotency_key(&self) -> String {
        let key = match &self.id {
            Some(id) => format!("nats:{}:id:{id}", self.stream),
            None => format!("nats:{}", self.key),
        };
        if key.len() > MAX_KEY {
            return format!("nats:{}", sha256(key.as_bytes()));
        }
        key
    }
}

/// The subject to which a message wants a copy of its answer.
pub(super) fn reply_to(message: &Message) -> Option<String> {
    let subject = message.headers.as_ref()?.get(REPLY)?.to_string();
    let good = |token: &str| {
        !token.is_empty()
            && token != "*"
            && token != ">"
            && token.bytes().all(|byte| byte.is_ascii_graphic())
    };
    subject.split('.').all(good).then_some(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_senders_name_or_the_message_itself() {
        let mut facts = Facts {
            key: "LINE_CALLS:7:1700000000000000000".to_owned(),
            id: None,
            stream: "LINE_CALLS".to_owned(),
            sequence: 7,
            delivered: 1,
            stored: 1_700_000_000,
        };
        assert_eq!(
            facts.idempotency_key(),
            "nats:LINE_CALLS:7:1700000000000000000"
        );
        facts.id = Some("order-4711".to_owned());
        assert_eq!(facts.idempotency_key(), "nats:LINE_CALLS:id:order-4711");
        facts.id = Some("x".repeat(1000));
        assert_eq!(facts.idempotency_key().len(), "nats:".len() + 64);
    }
}

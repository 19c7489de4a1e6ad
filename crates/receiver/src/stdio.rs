//! Events as lines of JSON: each is written and flushed, and counts as acknowledged then, or when
//! the platform says so by a line of its own. Where the lines come from and go to is the face's
//! matter.

use std::io::{BufRead, BufWriter, Read as _, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ShutdownReason;
use super::coordinator::{Message, Settlement};
use super::policy::DeliveryResult;
use super::queue::QueuedEvent;

/// The longest line that is taken from the platform, bytes.
const LONGEST_LINE: u64 = 64 * 1024;

/// One event as the platform gets it, on a line or as a body.
#[derive(Debug, Serialize)]
struct Document<'a> {
    sequence: i64,
    id: &'a str,
    destination: &'a str,
    chat: &'a str,
    attempt: i64,
    event: &'a RawValue,
}

/// An event as one line of JSON, without its end.
pub(crate) fn document(event: &QueuedEvent) -> String {
    let body: Result<&RawValue, _> = serde_json::from_str(&event.body);
    let document = body.and_then(|body| {
        serde_json::to_string(&Document {
            sequence: event.sequence,
            id: &event.id,
            destination: &event.channel,
            chat: &event.chat,
            attempt: event.attempt,
            event: body,
        })
    });
    // The queue holds only what was serialised before.
    document.unwrap_or_default()
}

/// What the platform answers on a line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    ack: Option<Numbers>,
    nack: Option<Numbers>,
    reason: Option<String>,
    #[serde(default = "yes")]
    retry: bool,
    retry_after_ms: Option<u64>,
}

fn yes() -> bool {
    true
}

/// One sequence number or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Numbers {
    One(i64),
    Several(Vec<i64>),
}

impl Numbers {
    fn all(self) -> Vec<i64> {
        match self {
            Numbers::One(number) => vec![number],
            Numbers::Several(numbers) => numbers,
        }
    }
}

/// Reads one answer: which events, and what is said about them.
fn read(line: &str) -> Result<(Vec<i64>, DeliveryResult), String> {
    let expected = "it must be {\"ack\": SEQUENCE} or {\"nack\": SEQUENCE, \"reason\"?: TEXT, \
                    \"retry\"?: false, \"retry_after_ms\"?: N}";
    let answer: Answer = serde_json::from_str(line).map_err(|_| expected.to_owned())?;
    match (answer.ack, answer.nack) {
        (Some(numbers), None) => Ok((numbers.all(), DeliveryResult::Acknowledged)),
        (None, Some(numbers)) => {
            let reason = answer
                .reason
                .unwrap_or_else(|| "the platform said no".to_owned());
            let after = answer.retry_after_ms.map(Duration::from_millis);
            let result = if answer.retry {
                DeliveryResult::Failed(reason, after)
            } else {
                DeliveryResult::Refused(reason)
            };
            Ok((numbers.all(), result))
        }
        _ => Err(expected.to_owned()),
    }
}

/// Writes events until there are no more, or nobody reads them. With `answered` the platform
/// acknowledges; without, what is written and flushed is acknowledged.
pub(crate) fn write(
    output: Box<dyn Write + Send>,
    answered: bool,
    events: &Receiver<QueuedEvent>,
    coordinator_tx: &SyncSender<Message>,
    ended: &Sender<ShutdownReason>,
) {
    let mut output = BufWriter::with_capacity(64 * 1024, output);
    while let Ok(first) = events.recv() {
        let mut written = Vec::new();
        let mut next = Some(first);
        while let Some(event) = next {
            let line = writeln!(output, "{}", document(&event));
            written.extend(line.is_ok().then_some(event.sequence));
            next = events.try_recv().ok().filter(|_| line.is_ok());
        }
        if output.flush().is_err() {
            let _ = ended.send(ShutdownReason::OutputClosed);
            // What is left in the buffer has nowhere to go; dropping it must not try again.
            let _ = output.into_parts();
            return;
        }
        for sequence in written {
            let message = if answered {
                Message::Shown(sequence)
            } else {
                Message::Settled(Settlement {
                    sequence,
                    result: DeliveryResult::Acknowledged,
                })
            };
            let _ = coordinator_tx.send(message);
        }
    }
}

/// Reads the platform's answers until their end, which ends the receiver: nobody is left to
/// acknowledge anything.
pub(crate) fn listen(
    mut input: Box<dyn BufRead + Send>,
    coordinator_tx: &SyncSender<Message>,
    ended: &Sender<ShutdownReason>,
    complain: fn(&str),
) {
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let read_bytes = input
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line);
        if !matches!(read_bytes, Ok(length) if length > 0) {
            let _ = ended.send(ShutdownReason::InputEnded);
            return;
        }
        number += 1;
        let text = String::from_utf8_lossy(&line);
        if text.trim().is_empty() {
            continue;
        }
        match read(text.trim()) {
            Ok((sequences, result)) => {
                for sequence in sequences {
                    let result = result.clone();
                    let _ = coordinator_tx.send(Message::Settled(Settlement { sequence, result }));
                }
            }
            Err(reason) => complain(&format!(
                "line {number} of the answers is ignored: {reason}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_anything_else_is_told_what_is_expected() {
        assert_eq!(
            read(r#"{"ack": 7}"#),
            Ok((vec![7], DeliveryResult::Acknowledged))
        );
        assert_eq!(
            read(r#"{"ack": [7, 8]}"#),
            Ok((vec![7, 8], DeliveryResult::Acknowledged))
        );
        let refused = DeliveryResult::Refused("bad".to_owned());
        assert_eq!(
            read(r#"{"nack": 7, "reason": "bad", "retry": false}"#),
            Ok((vec![7], refused))
        );
        let later = DeliveryResult::Failed(
            "the platform said no".to_owned(),
            Some(Duration::from_millis(5)),
        );
        assert_eq!(
            read(r#"{"nack": 7, "retry_after_ms": 5}"#),
            Ok((vec![7], later))
        );
        for wrong in [
            "{}",
            "7",
            "ack 7",
            r#"{"ack": 1, "nack": 2}"#,
            r#"{"ack": "1"}"#,
            r#"{"akc": 1}"#,
        ] {
            assert!(read(wrong).unwrap_err().contains("must be"), "{wrong}");
        }
    }
}

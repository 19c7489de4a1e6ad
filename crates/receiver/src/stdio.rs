//! Events as lines of JSON: each is written and flushed, and counts as acknowledged then, or when
//! the platform says so by a line of its own. Where the lines come from and go to is the program's
//! matter.

use std::io::{BufRead, BufWriter, Read as _, Write};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::coordinator::Message;
use super::document::document;
use super::policy::DeliveryResult;
use super::queue::QueuedEvent;
use super::supervisor::{ShutdownReason, Supervisor};

/// The longest line that is taken from the platform, bytes.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// The platform's acknowledgements.
pub struct Acknowledgements {
    /// Where they come from: lines of JSON. Its end ends the receiver.
    pub input: Box<dyn BufRead + Send>,
    /// How long one may take before silence is a failure.
    pub timeout: Duration,
    /// Tells people about lines that make no sense. No value of theirs is in it.
    pub complain: fn(&str),
}

impl std::fmt::Debug for Acknowledgements {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Acknowledgements")
            .finish_non_exhaustive()
    }
}

/// Starts the threads that write events and read acknowledgements. Without acknowledgements an event
/// that is written and flushed is acknowledged.
pub(crate) fn start(
    output: Box<dyn Write + Send>,
    acknowledgements: Option<Acknowledgements>,
    events: Receiver<QueuedEvent>,
    coordinator_tx: &SyncSender<Message>,
    supervisor: &Supervisor,
) -> std::io::Result<()> {
    let timeout = acknowledgements.as_ref().map(|expected| expected.timeout);
    if let Some(acknowledgements) = acknowledgements {
        let (tx, watched) = (coordinator_tx.clone(), supervisor.clone());
        supervisor.spawn("acknowledgements", None, move || {
            read_acknowledgements(acknowledgements, &tx, &watched);
        })?;
    }
    let (tx, watched) = (coordinator_tx.clone(), supervisor.clone());
    supervisor.spawn("lines", None, move || {
        write_events(output, timeout, &events, &tx, &watched);
    })?;
    Ok(())
}

/// What the platform says on a line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    ack: Option<Sequences>,
    nack: Option<Sequences>,
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
enum Sequences {
    One(i64),
    Several(Vec<i64>),
}

impl Sequences {
    fn all(self) -> Vec<i64> {
        match self {
            Sequences::One(number) => vec![number],
            Sequences::Several(numbers) => numbers,
        }
    }
}

/// Parses one answer: which events, and what is said about them.
fn parse_answer(line: &str) -> Result<(Vec<i64>, DeliveryResult), String> {
    let expected = "it must be {\"ack\": SEQUENCE} or {\"nack\": SEQUENCE, \"reason\"?: TEXT, \
                    \"retry\"?: false, \"retry_after_ms\"?: N}";
    let answer: Answer = serde_json::from_str(line).map_err(|_| expected.to_owned())?;
    match (answer.ack, answer.nack) {
        (Some(sequences), None) => Ok((sequences.all(), DeliveryResult::Acknowledged)),
        (None, Some(sequences)) => {
            let reason = answer
                .reason
                .unwrap_or_else(|| "the platform said no".to_owned());
            let result = if answer.retry {
                DeliveryResult::Failed {
                    reason,
                    retry_after: answer.retry_after_ms.map(Duration::from_millis),
                }
            } else {
                DeliveryResult::Refused { reason }
            };
            Ok((sequences.all(), result))
        }
        _ => Err(expected.to_owned()),
    }
}

/// Writes events until there are no more, or nobody reads them.
fn write_events(
    output: Box<dyn Write + Send>,
    acknowledgement_timeout: Option<Duration>,
    events: &Receiver<QueuedEvent>,
    coordinator_tx: &SyncSender<Message>,
    supervisor: &Supervisor,
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
            supervisor.shut_down(ShutdownReason::OutputClosed);
            // What is left in the buffer has nowhere to go; dropping it must not try again.
            let _ = output.into_parts();
            return;
        }
        for sequence in written {
            let message = match acknowledgement_timeout {
                Some(timeout) => Message::AwaitsAcknowledgement {
                    sequence,
                    deadline: Instant::now() + timeout,
                },
                None => Message::Settled {
                    sequence,
                    result: DeliveryResult::Acknowledged,
                },
            };
            let _ = coordinator_tx.send(message);
        }
    }
}

/// Reads the platform's answers until their end, which ends the receiver: nobody is left to
/// acknowledge anything.
fn read_acknowledgements(
    acknowledgements: Acknowledgements,
    coordinator_tx: &SyncSender<Message>,
    supervisor: &Supervisor,
) {
    let Acknowledgements {
        mut input,
        complain,
        ..
    } = acknowledgements;
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let length = input
            .by_ref()
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line);
        if !matches!(length, Ok(length) if length > 0) {
            supervisor.shut_down(ShutdownReason::InputEnded);
            return;
        }
        number += 1;
        let text = String::from_utf8_lossy(&line);
        if text.trim().is_empty() {
            continue;
        }
        match parse_answer(text.trim()) {
            Ok((sequences, result)) => {
                for sequence in sequences {
                    let result = result.clone();
                    let _ = coordinator_tx.send(Message::Settled { sequence, result });
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
        let acknowledged = DeliveryResult::Acknowledged;
        assert_eq!(
            parse_answer(r#"{"ack": 7}"#),
            Ok((vec![7], acknowledged.clone()))
        );
        assert_eq!(
            parse_answer(r#"{"ack": [7, 8]}"#),
            Ok((vec![7, 8], acknowledged))
        );
        let refused = DeliveryResult::Refused {
            reason: "bad".to_owned(),
        };
        assert_eq!(
            parse_answer(r#"{"nack": 7, "reason": "bad", "retry": false}"#),
            Ok((vec![7], refused))
        );
        let failed = DeliveryResult::Failed {
            reason: "the platform said no".to_owned(),
            retry_after: Some(Duration::from_millis(5)),
        };
        assert_eq!(
            parse_answer(r#"{"nack": 7, "retry_after_ms": 5}"#),
            Ok((vec![7], failed))
        );
        for wrong in [
            "{}",
            "7",
            "ack 7",
            r#"{"ack": 1, "nack": 2}"#,
            r#"{"ack": "1"}"#,
            r#"{"akc": 1}"#,
        ] {
            let error = parse_answer(wrong).unwrap_err();
            assert!(error.contains("must be"), "{wrong}");
        }
    }
}

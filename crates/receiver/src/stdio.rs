//! Events as lines of JSON: each is written and flushed, and counts as acknowledged then, or when
//! the platform says so by a line of its own. The program says where the lines come
//! from and go to.

use std::io::{self, BufRead, Read as _, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::coordinator::{Message, Turn};
use super::document::document;
use super::notice::{Level, Log, Notice};
use super::policy::DeliveryResult;
use super::supervisor::{ShutdownReason, Supervisor};

/// The longest line that is taken from the platform, bytes.
const MAX_LINE_BYTES: u64 = 64 * 1024;
/// How many bytes of lines are collected before they are written.
const MAX_BATCH_BYTES: usize = 64 * 1024;

/// The platform's acknowledgements.
pub struct Acknowledgements {
    /// Where they come from: lines of JSON. Its end ends the receiver.
    pub input: Box<dyn BufRead + Send>,
    /// How long one may take before silence is a failure.
    pub timeout: Duration,
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
    turns: Receiver<Turn>,
    coordinator_tx: &SyncSender<Message>,
    log: Arc<Log>,
    supervisor: &Supervisor,
) -> io::Result<()> {
    let timeout = acknowledgements.as_ref().map(|expected| expected.timeout);
    if let Some(acknowledgements) = acknowledgements {
        let (tx, watched) = (coordinator_tx.clone(), supervisor.clone());
        supervisor.spawn("acknowledgements", None, move || {
            read_acknowledgements(acknowledgements, &tx, &log, &watched);
        })?;
    }
    let (tx, watched) = (coordinator_tx.clone(), supervisor.clone());
    supervisor.spawn("lines", None, move || {
        write_events(output, line, timeout, &turns, &tx, &watched);
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

/// An event's line.
fn line(turn: &Turn) -> Result<String, String> {
    document(&turn.event, turn.stale)
}

/// Writes events, as `render` makes documents of them, until there are no more or nobody takes them.
/// Only whole lines are written at once.
fn write_events(
    mut output: Box<dyn Write + Send>,
    render: fn(&Turn) -> Result<String, String>,
    acknowledgement_timeout: Option<Duration>,
    turns: &Receiver<Turn>,
    coordinator_tx: &SyncSender<Message>,
    supervisor: &Supervisor,
) {
    let mut lines = String::new();
    while let Ok(first) = turns.recv() {
        lines.clear();
        let mut written = Vec::new();
        let mut next = Some(first);
        while let Some(turn) = next {
            let sequence = turn.event.sequence;
            // A bug costs this document. The lines around it are written.
            let failed = match supervisor.contain(|| render(&turn)) {
                Some(Ok(line)) => {
                    lines.push_str(&line);
                    lines.push('\n');
                    written.push(sequence);
                    None
                }
                Some(Err(reason)) => Some(DeliveryResult::Undeliverable { reason }),
                None => Some(DeliveryResult::panicked()),
            };
            if let Some(result) = failed {
                let _ = coordinator_tx.send(Message::Settled { sequence, result });
            }
            let room = lines.len() < MAX_BATCH_BYTES;
            next = if room { turns.try_recv().ok() } else { None };
        }
        let wrote = output.write_all(lines.as_bytes());
        if let Err(error) = wrote.and_then(|()| output.flush()) {
            supervisor.shut_down(match error.kind() {
                io::ErrorKind::BrokenPipe => ShutdownReason::OutputClosed,
                kind => ShutdownReason::OutputFailed(kind),
            });
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
    log: &Log,
    supervisor: &Supervisor,
) {
    let Acknowledgements { mut input, .. } = acknowledgements;
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
        // A bug costs this line; without it, silence is a failure in time.
        let answer = supervisor.contain(|| parse_answer(text.trim()));
        match answer.unwrap_or_else(|| Err("a bug of the connector".to_owned())) {
            Ok((sequences, result)) => {
                for sequence in sequences {
                    let result = result.clone();
                    let _ = coordinator_tx.send(Message::Settled { sequence, result });
                }
            }
            Err(reason) => {
                let message = format!("line {number} of the answers is ignored: {reason}");
                let notice = Notice::new(Level::Warning, "answer_ignored", message);
                log.tell(&notice.with("line", number));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::Ordering;
    use std::sync::mpsc::{channel, sync_channel};

    use super::super::metrics::Metrics;
    use super::super::queue::QueuedEvent;
    use super::*;

    /// An output that several may look at.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_costs_one_document() {
        let turn = |sequence| Turn {
            event: QueuedEvent {
                sequence,
                channel: "U1".to_owned(),
                id: format!("e{sequence}"),
                chat: format!("c{sequence}"),
                attempt: 1,
                failures: 0,
                accepted: 0,
                first_accepted: 0,
                time: 0,
                body: "{}".to_owned(),
            },
            stale: false,
            round: 0,
        };
        let render = |turn: &Turn| {
            assert_ne!(turn.event.sequence, 2, "this document panics");
            Ok(turn.event.id.clone())
        };
        let (deliveries, events) = sync_channel(3);
        for sequence in 1..=3 {
            deliveries.send(turn(sequence)).unwrap();
        }
        drop(deliveries);
        let (coordinator_tx, inbox) = sync_channel(3);
        let (shutdown_tx, shutdown) = channel();
        let metrics = Arc::new(Metrics::default());
        let supervisor = Supervisor::new(shutdown_tx, Arc::clone(&metrics));
        let written = Written::default();
        let output = Box::new(written.clone());
        write_events(output, render, None, &events, &coordinator_tx, &supervisor);
        assert_eq!(*written.0.lock().unwrap(), b"e1\ne3\n");
        drop(coordinator_tx);
        let mut results: Vec<_> = inbox
            .iter()
            .map(|message| match message {
                Message::Settled { sequence, result } => (sequence, result),
                _ => panic!("only results are sent"),
            })
            .collect();
        results.sort_by_key(|(sequence, _)| *sequence);
        let expected = [
            (1, DeliveryResult::Acknowledged),
            (2, DeliveryResult::panicked()),
            (3, DeliveryResult::Acknowledged),
        ];
        assert_eq!(results, expected);
        assert_eq!(metrics.panics.load(Ordering::Relaxed), 1);
        assert!(shutdown.try_recv().is_err(), "the receiver goes on");
    }

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

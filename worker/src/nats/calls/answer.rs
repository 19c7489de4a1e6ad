//! The answer to one message: its call, or why it is not made. It knows nothing of NATS but what a
//! message says about itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use line_connector::{contain, permit};
use line_connector_client::{
    Clock as _, Connector, Error, Invocation, Kind, Outcome, Output, SystemClock,
};
use line_connector_core::catalog::definition::Repeat;
use line_connector_core::documents::{AssetParameters, ErrorReport};
use serde_json::Value;

use super::CallsArguments;
use super::message::Facts;

/// LINE recognises a retry key for 24 hours. So long after a message was stored, its call is made again.
const RECOGNISED: Duration = Duration::from_hours(23);

/// Makes the calls of messages.
pub(super) struct Caller {
    connector: Arc<Connector>,
    /// The sandbox's asset, where calls go to the sandbox.
    asset: AssetParameters,
    arguments: Arc<CallsArguments>,
    /// Whether a call met a bug.
    bug: AtomicBool,
}

impl Caller {
    pub(super) fn new(
        connector: Arc<Connector>,
        asset: AssetParameters,
        arguments: Arc<CallsArguments>,
    ) -> Self {
        Self {
            connector,
            asset,
            arguments,
            bug: AtomicBool::new(false),
        }
    }

    /// There was a bug beside the calls.
    pub(super) fn note_bug(&self) {
        self.bug.store(true, Ordering::Relaxed);
    }

    /// Whether there was a bug.
    pub(super) fn met_bug(&self) -> bool {
        self.bug.load(Ordering::Relaxed)
    }

    /// Answers a message, most often by its call.
    pub(super) fn answer(&self, body: &[u8], facts: &Facts) -> Answer {
        let mut invocation = match Invocation::from_json(body) {
            Ok(invocation) => invocation,
            Err(refused) => {
                return Answer {
                    is_hopeless: true,
                    ..Answer::new(refused.into())
                };
            }
        };
        let id = invocation.id.clone();
        let repeat = self.repeat(&invocation);
        let permitted = permit(&self.arguments.calling.permissions, &mut invocation)
            .and_then(|()| self.may_be_made(repeat, facts));
        let output = permitted.and_then(|()| {
            if repeat == Some(Repeat::Keyed) {
                let key = &mut invocation.options.idempotency_key;
                key.get_or_insert_with(|| facts.idempotency_key());
            }
            contain(|| self.call(invocation)).inspect_err(|_| self.note_bug())
        });
        let answer = Answer::new(output.unwrap_or_else(|error| Output {
            id,
            ..Output::from(&error)
        }));
        // What must not be repeated would not be called when it came again, though nothing was done.
        let goes_back = repeat != Some(Repeat::Never) && answer.was_not_made();
        Answer {
            goes_back,
            ..answer
        }
    }

    fn call(&self, invocation: Invocation) -> Output {
        let calling = &self.arguments.calling;
        line_connector::call(&self.connector, calling, &self.asset, invocation)
    }

    /// When a document's action may be repeated, where there is such an action.
    fn repeat(&self, invocation: &Invocation) -> Option<Repeat> {
        let catalog = self.connector.catalog();
        let name = catalog.full_name(invocation.action.as_deref()?)?;
        catalog.action(name).map(|action| action.meta.retry)
    }

    /// Refuses the call of a message that was delivered before, and whose first call may have had an
    /// effect that this one would have again.
    fn may_be_made(&self, repeat: Option<Repeat>, facts: &Facts) -> Result<(), Error> {
        let Some(repeat) = repeat.filter(|_| facts.delivered > 1) else {
            return Ok(());
        };
        let unknown = |message: String| {
            let error = Error::new(Kind::Timeout, message).with_outcome(Outcome::Unknown);
            Err(error.of(repeat))
        };
        let before = facts.delivered - 1;
        if before >= i64::from(self.arguments.attempts) {
            return unknown(format!(
                "{before} workers took this message, and none lived to answer it; it is given up"
            ));
        }
        let age = SystemClock
            .now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|now| {
                let stored = u64::try_from(facts.stored).ok()?;
                now.checked_sub(Duration::from_secs(stored))
            });
        match repeat {
            Repeat::Never => unknown(
                "a worker took this message before and did not live to answer it; its action must not \
                 be repeated, and is not called again"
                    .to_owned(),
            ),
            Repeat::Keyed if age.unwrap_or_default() >= RECOGNISED => {
                let error = unknown(
                    "a worker took this message before and did not live to answer it; LINE may no longer \
                     recognise its retry key, and it is not called again"
                        .to_owned(),
                );
                error.map_err(|error| Error {
                    retryable: false,
                    ..error.with_hint("LINE may have carried it out: look before making the call again")
                })
            }
            Repeat::Keyed | Repeat::Safe => Ok(()),
        }
    }
}

/// What a message is answered.
pub(super) struct Answer {
    output: Output,
    /// The kind of its error.
    pub(super) error: Option<String>,
    /// No call was made, since the worker ends, and another worker may make it.
    pub(super) goes_back: bool,
    /// The message holds no document.
    pub(super) is_hopeless: bool,
}

impl Answer {
    fn new(output: Output) -> Self {
        let error = output.error.as_ref();
        let kind = error.and_then(|error| serde_json::to_value(error.kind).ok());
        Self {
            error: kind.as_ref().and_then(Value::as_str).map(str::to_owned),
            output,
            goes_back: false,
            is_hopeless: false,
        }
    }

    /// Whether the worker's end is the reason that there was no call.
    fn was_not_made(&self) -> bool {
        let error = self.output.error.as_ref();
        error.is_some_and(|error| {
            error.kind == Kind::ShuttingDown && error.outcome == Outcome::NotDone
        })
    }

    /// The document, of at most so many bytes: what does not fit says so, with what LINE's status was.
    pub(super) fn text(&self, most: usize) -> String {
        let text = self.output.render();
        if text.len() <= most {
            return text;
        }
        let message = "the call was made, and its answer is larger than NATS takes";
        let error = Error::new(Kind::ResponseTooLarge, message)
            .with_outcome(Outcome::Unknown)
            .with_hint("raise the server's max_payload, or give `options.save_to` for a file");
        let short = Output {
            id: self.output.id.clone(),
            status_code: self.output.status_code,
            reason: self.output.reason.clone(),
            error: Some(ErrorReport::from(&error)),
            meta: self.output.meta.clone(),
            ..Output::default()
        };
        short.render()
    }
}

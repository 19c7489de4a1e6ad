//! Work that LINE has only begun and content that is not ready yet: asking again until the end, or
//! until the caller's time is up. Which action asks, and where the phase stands, is declared.

use std::time::{Duration, SystemTime};

use line_connector_catalog::definition::{Progress, Repeat};
use serde_json::{Map, Value, json};

use super::action::ResolvedAction;
use super::deadline::Deadline;
use super::pages::{in_sections, sum};
use super::{Answer, Pipeline, permits};
use crate::documents::{CallReport, Invocation, Output};
use crate::error::{Detail, Error, Kind, Outcome};

/// The first pause before asking again; it doubles.
const MIN_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause: 90 questions an hour, under the tightest limit that LINE sets on one (100).
const MAX_PAUSE: Duration = Duration::from_secs(40);

/// The pauses while waiting, within what is left of the caller's time.
pub(super) struct Patience {
    deadline: SystemTime,
    pause: Duration,
}

impl Patience {
    /// Patience for `wait_ms` from now on; none where the caller does not want to wait.
    pub(super) fn new(now: SystemTime, wait_ms: Option<u64>) -> Option<Self> {
        let deadline = now.checked_add(Duration::from_millis(wait_ms.filter(|ms| *ms > 0)?))?;
        Some(Self {
            deadline,
            pause: MIN_PAUSE,
        })
    }

    /// What is left of the caller's time, milliseconds.
    fn left_ms(&self, now: SystemTime) -> u64 {
        let left = self.deadline.duration_since(now).unwrap_or_default();
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }

    /// The next pause, or nothing where the time is up.
    pub(super) fn next(&mut self, now: SystemTime) -> Option<Duration> {
        let left = self
            .deadline
            .duration_since(now)
            .ok()
            .filter(|left| !left.is_zero())?;
        let pause = self.pause.min(left);
        self.pause = (self.pause * 2).min(MAX_PAUSE);
        Some(pause)
    }
}

impl Pipeline {
    /// Waits for the end of work that an action has begun, and answers how it ended.
    pub(super) fn wait(
        &self,
        action: &ResolvedAction,
        progress: &Progress,
        mut invocation: Invocation,
        begun: Answer,
        deadline: &Deadline,
    ) -> Answer {
        let Some(mut patience) = Patience::new(self.host.clock.now(), invocation.options.wait_ms)
        else {
            return begun;
        };
        let question = match question(action, progress, &mut invocation, &begun.output) {
            Ok(question) => question,
            Err(error) => return begun.with_error(&error),
        };
        let mut last = begun.clone();
        let mut unasked = None;
        let mut known = "LINE has accepted it".to_owned();
        while let Some(pause) = patience.next(self.host.clock.now()) {
            if !self.pause(pause, deadline, || known.clone()) {
                break;
            }
            let mut question = question.clone();
            deadline.hand_to(&mut question.options, self.host.clock.as_ref());
            question.options.max_wait_ms = Some(patience.left_ms(self.host.clock.now()));
            let answer = self.once(question);
            unasked = None;
            // LINE accepted the work, whatever becomes of the question.
            match &answer.output.error {
                None => {}
                Some(error) if permits::is_refusal(error.kind) => break,
                // Right after the beginning LINE may not know of the work yet.
                Some(error) if error.kind == Kind::NotFound => continue,
                Some(error) => {
                    let goes_on = error.retryable;
                    unasked = Some(answer);
                    if goes_on {
                        continue;
                    }
                    break;
                }
            }
            let phase = phase(progress, &answer.output);
            last = told(&begun, answer);
            match phase {
                Phase::GoesOn(phase) => {
                    known = match phase {
                        Some(phase) => format!("LINE goes on with it: `{phase}`"),
                        None => "LINE does not know of it yet".to_owned(),
                    };
                    last.redactor.text(&mut known);
                }
                Phase::Ended(phase) => {
                    return match phase.filter(|phase| progress.failed.contains(phase)) {
                        Some(phase) => {
                            let failure = failure(&phase, &last.output);
                            last.with_error(&failure)
                        }
                        None => last,
                    };
                }
            }
        }
        let mut meta = last.output.meta.take().unwrap_or_default();
        meta.pending = Some(true);
        if let Some(unasked) = unasked {
            meta.warnings.extend(why_unasked(&unasked));
            last.redactor = unasked.redactor.and(&last.redactor);
        }
        last.output.meta = Some(meta);
        last
    }
}

/// Why nobody knows how far the work has come.
fn why_unasked(unasked: &Answer) -> Option<Detail> {
    let error = unasked.output.error.as_ref()?;
    Some(Detail {
        hint: Some(error.hint.clone()),
        ..Detail::new(
            "",
            format!(
                "LINE accepted the work, and its progress could not be asked for: {}",
                error.message
            ),
        )
    })
}

/// The call that asks how far the work has come.
fn question(
    action: &ResolvedAction,
    progress: &Progress,
    invocation: &mut Invocation,
    begun: &Output,
) -> Result<Invocation, Error> {
    in_sections(action, invocation)?;
    let known = json!({"inputs": invocation.inputs, "output": begun});
    let mut inputs = Map::new();
    for (place, source) in &progress.inputs {
        let value =
            known
                .pointer(source)
                .filter(|value| !value.is_null())
                .ok_or_else(|| {
                    Error::new(
                Kind::UnexpectedStatus,
                format!("LINE's answer lacks {source}, without which its end cannot be asked for"),
            )
            .with_outcome(Outcome::Unknown)
                })?;
        let (section, name) = place.split_once('/').unwrap_or(("parameters", place));
        let members = inputs.entry(section).or_insert_with(|| json!({}));
        members[name] = value.clone();
    }
    let mut question = Invocation {
        action: Some(progress.action.clone()),
        asset: invocation.asset.clone(),
        inputs,
        ..Invocation::default()
    };
    question.options.timeout_ms = invocation.options.timeout_ms;
    question.options.attempts = invocation.options.attempts;
    Ok(question)
}

/// How far the work has come.
enum Phase {
    /// In this phase, if the answer tells one.
    GoesOn(Option<String>),
    /// By this phase, if the answer tells one.
    Ended(Option<String>),
}

fn phase(progress: &Progress, answer: &Output) -> Phase {
    let body = answer.json().unwrap_or_default();
    let phase = |told: &Value| Some(told.pointer(&progress.phase)?.as_str()?.to_owned());
    let has_ended = |phase: &String| progress.done.contains(phase);
    let Some(among) = &progress.among else {
        let phase = phase(&body);
        return match &phase {
            Some(known) if !has_ended(known) => Phase::GoesOn(phase),
            _ => Phase::Ended(phase),
        };
    };
    let works = body.pointer(&among.list).and_then(Value::as_array);
    let works = works.map_or(&[][..], Vec::as_slice);
    let newest = works.iter().max_by_key(|work| {
        let number = work.get(&among.newest);
        number.and_then(Value::as_u64).unwrap_or_default()
    });
    // None at all: LINE does not know of the work yet.
    let all_ended = works
        .iter()
        .all(|work| phase(work).is_some_and(|phase| has_ended(&phase)));
    match newest {
        Some(newest) if all_ended => Phase::Ended(phase(newest)),
        newest => Phase::GoesOn(newest.and_then(phase)),
    }
}

/// The answer to the question as the answer of the call that began the work.
fn told(begun: &Answer, answer: Answer) -> Answer {
    let mut output = answer.output;
    let own = begun.output.meta.clone().unwrap_or_default();
    let asked = output.meta.take().unwrap_or_default();
    output.meta = Some(CallReport {
        attempts: own.attempts + asked.attempts,
        waited_ms: sum(own.waited_ms, asked.waited_ms),
        elapsed_ms: own.elapsed_ms + asked.elapsed_ms,
        ..own
    });
    output.id.clone_from(&begun.output.id);
    Answer {
        output,
        redactor: answer.redactor.and(&begun.redactor),
    }
}

fn failure(phase: &str, answer: &Output) -> Error {
    let body = answer.json();
    let why = ["failedDescription", "errorCode", "failedType"]
        .iter()
        .find_map(|key| body.as_ref()?.get(key))
        .map(|why| {
            format!(
                ": {}",
                why.as_str().map_or_else(|| why.to_string(), str::to_owned)
            )
        });
    let why = why.unwrap_or_default();
    Error::new(
        Kind::WorkFailed,
        format!("LINE accepted it, and it ended as `{phase}`{why}"),
    )
    .with_outcome(Outcome::Unknown)
    .of(Repeat::Never)
}

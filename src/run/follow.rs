//! Calls that take several: a listing page after page, work that LINE has only begun, content that
//! is not ready yet. Which action goes on how is declared; this file names none.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::known::Known;
use super::{Connector, turn};
use crate::catalog::source::definition::{Pages, Progress};
use crate::envelope::{CallReport, ErrorReport, Invocation, Output};
use crate::error::{Detail, Error, Kind, Outcome};
use crate::request;

/// The first pause before asking again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause: 90 questions an hour, under the tightest limit that LINE sets on one (100).
const LONGEST_PAUSE: Duration = Duration::from_secs(40);

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
            pause: FIRST_PAUSE,
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
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

impl Connector {
    /// Every page of a listing, merged into the first one's output.
    pub(super) fn all_pages(
        &self,
        action: &Known,
        pages: &Pages,
        mut invocation: Invocation,
    ) -> Output {
        if let Err(error) = in_sections(action, &mut invocation) {
            return Output {
                id: invocation.id,
                ..Output::from(&error)
            };
        }
        if let Some(first) = pages
            .first
            .filter(|_| parameter(&invocation, pages).is_none())
        {
            set_parameter(&mut invocation, pages, Value::from(first));
        }
        let mut listing = Listing::new(invocation.options.max_items);
        let patience = invocation.options.max_wait_ms;
        loop {
            invocation.options.max_wait_ms =
                patience.map(|all| all.saturating_sub(listing.waited_ms.unwrap_or_default()));
            let mut output = self.once(invocation.clone());
            if output.error.is_some() {
                listing.report(&mut output);
                return output;
            }
            match listing.take(pages, output, parameter(&invocation, pages)) {
                Ok(Some(next)) => set_parameter(&mut invocation, pages, next),
                Ok(None) => return listing.finish(pages),
                Err(error) => {
                    let mut output = listing.finish(pages);
                    output.error = Some(ErrorReport::from(&error));
                    return output;
                }
            }
        }
    }

    /// Waits for the end of work that an action has begun, and answers how it ended.
    pub(super) fn wait(
        &self,
        action: &Known,
        progress: &Progress,
        mut invocation: Invocation,
        begun: Output,
    ) -> Output {
        let Some(mut patience) = Patience::new((self.runtime.now)(), invocation.options.wait_ms)
        else {
            return begun;
        };
        let question = match question(action, progress, &mut invocation, &begun) {
            Ok(question) => question,
            Err(error) => {
                return Output {
                    error: Some(ErrorReport::from(&error)),
                    ..begun
                };
            }
        };
        let mut last = begun.clone();
        while let Some(pause) = patience.next((self.runtime.now)()) {
            if !self.pause(pause) {
                break;
            }
            let mut question = question.clone();
            question.options.max_wait_ms = Some(patience.left_ms((self.runtime.now)()));
            let answer = self.once(question);
            // The work goes on, and only its end cannot be awaited.
            if answer
                .error
                .as_ref()
                .is_some_and(|error| turn::is_refusal(error.kind))
            {
                break;
            }
            // Right after the beginning LINE may not know of the work yet.
            if answer
                .error
                .as_ref()
                .is_some_and(|error| error.kind == Kind::NotFound)
            {
                continue;
            }
            let phase = phase(progress, &answer);
            let ended = phase
                .as_ref()
                .is_none_or(|phase| progress.done.contains(phase));
            last = told(&begun, answer);
            if ended {
                if let Some(phase) = phase.filter(|phase| progress.failed.contains(phase)) {
                    last.error = Some(ErrorReport::from(&failure(&phase, &last)));
                }
                return last;
            }
        }
        if let Some(meta) = &mut last.meta {
            meta.pending = Some(true);
        }
        last
    }
}

/// Brings the inputs into sections, so that more can be added to them.
fn in_sections(action: &Known, invocation: &mut Invocation) -> Result<(), Error> {
    let inputs = std::mem::take(&mut invocation.inputs);
    let bound = request::bind(inputs, |section| action.section(section))?;
    invocation.inputs = bound.as_object().cloned().unwrap_or_default();
    Ok(())
}

/// The call that asks how far the work has come.
fn question(
    action: &Known,
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

/// An option that the action cannot follow.
pub(super) fn cannot(option: &str, why: &str) -> Error {
    Error::new(Kind::InvalidInputs, "the options do not fit the action")
        .with_details(vec![Detail::new(format!("/options/{option}"), why)])
}

fn phase(progress: &Progress, answer: &Output) -> Option<String> {
    let body = answer.json()?;
    body.pointer(&progress.phase)?.as_str().map(str::to_owned)
}

/// The answer to the question as the answer of the call that began the work.
fn told(begun: &Output, mut answer: Output) -> Output {
    let own = begun.meta.clone().unwrap_or_default();
    let asked = answer.meta.take().unwrap_or_default();
    answer.meta = Some(CallReport {
        attempts: own.attempts + asked.attempts,
        waited_ms: sum(own.waited_ms, asked.waited_ms),
        elapsed_ms: own.elapsed_ms + asked.elapsed_ms,
        ..own
    });
    answer.id.clone_from(&begun.id);
    answer.secrets.extend(begun.secrets.iter().cloned());
    answer
}

/// Two times, either of which may be absent.
fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    [one, other]
        .into_iter()
        .flatten()
        .reduce(|one, other| one + other)
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
    .of_unrepeatable()
}

fn parameter<'a>(invocation: &'a Invocation, pages: &Pages) -> Option<&'a Value> {
    invocation.inputs.get("parameters")?.get(&pages.parameter)
}

fn set_parameter(invocation: &mut Invocation, pages: &Pages, value: Value) {
    let parameters = invocation
        .inputs
        .entry("parameters")
        .or_insert_with(|| json!({}));
    if let Some(parameters) = parameters.as_object_mut() {
        parameters.insert(pages.parameter.clone(), value);
    }
}

/// The pages read so far.
struct Listing {
    most: Option<u64>,
    items: Vec<Value>,
    /// The first page's output, and its body without the items.
    first: Option<(Output, Option<Value>)>,
    pages: u32,
    attempts: u32,
    waited_ms: Option<u64>,
    elapsed_ms: u64,
    more: bool,
}

impl Listing {
    fn new(most: Option<u64>) -> Self {
        Self {
            most,
            items: Vec::new(),
            first: None,
            pages: 0,
            attempts: 0,
            waited_ms: None,
            elapsed_ms: 0,
            more: false,
        }
    }

    /// Takes in a page and says what asks for the next one.
    fn take(
        &mut self,
        pages: &Pages,
        output: Output,
        asked: Option<&Value>,
    ) -> Result<Option<Value>, Error> {
        self.pages += 1;
        if let Some(meta) = &output.meta {
            self.attempts += meta.attempts;
            self.waited_ms = sum(self.waited_ms, meta.waited_ms);
            self.elapsed_ms += meta.elapsed_ms;
        }
        let mut page = output.json();
        let body = page.as_mut().and_then(Value::as_object_mut);
        let found = body.and_then(|body| match body.get_mut(&pages.items).map(Value::take) {
            Some(Value::Array(items)) => Some((items, body.get(&pages.next).cloned())),
            _ => None,
        });
        let (items, next) = found.unwrap_or_default();
        self.items.extend(items);
        self.first.get_or_insert((output, page));
        let most = self
            .most
            .map(|most| usize::try_from(most).unwrap_or(usize::MAX));
        let next = following(next, asked)?;
        if let Some(most) = most.filter(|most| self.items.len() >= *most) {
            self.more = self.items.len() > most || next.is_some();
            self.items.truncate(most);
            return Ok(None);
        }
        Ok(next)
    }

    /// The first page's output with the items of all.
    fn finish(self, pages: &Pages) -> Output {
        let (mut output, mut page) = self.first.unwrap_or_default();
        let meta = output.meta.get_or_insert_default();
        meta.pages = Some(self.pages);
        meta.items = Some(self.items.len() as u64);
        meta.more = Some(self.more);
        meta.attempts = self.attempts;
        meta.waited_ms = self.waited_ms;
        meta.elapsed_ms = self.elapsed_ms;
        if let Some(Value::Object(body)) = &mut page {
            body.shift_remove(&pages.next);
            body.insert(pages.items.clone(), Value::Array(self.items));
        }
        output.json_body = page.map(Into::into);
        output
    }

    /// What was read before a page failed.
    fn report(&self, output: &mut Output) {
        let meta = output.meta.get_or_insert_default();
        meta.pages = Some(self.pages);
        meta.items = Some(self.items.len() as u64);
        meta.attempts += self.attempts;
        meta.waited_ms = sum(self.waited_ms, meta.waited_ms);
        meta.elapsed_ms += self.elapsed_ms;
    }
}

/// What asks for the page after this one, if there is one.
fn following(next: Option<Value>, asked: Option<&Value>) -> Result<Option<Value>, Error> {
    match next {
        Some(Value::String(token)) if !token.is_empty() => {
            let token = Value::from(token);
            if Some(&token) == asked {
                let message =
                    "LINE gave the same continuation token twice; the listing cannot go on";
                return Err(Error::new(Kind::UnexpectedStatus, message));
            }
            Ok(Some(token))
        }
        Some(Value::Bool(true)) => {
            let page = asked.map_or(1, |page| {
                page.as_u64()
                    .or_else(|| page.as_str()?.parse().ok())
                    .unwrap_or(1)
            });
            Ok(Some(Value::from(page + 1)))
        }
        _ => Ok(None),
    }
}

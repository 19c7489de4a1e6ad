//! Calls that take messages: what people write becomes LINE's objects, in as many requests as it takes,
//! one after another. Of sending, only what actions declare is known here.

use std::borrow::Cow;

use line_connector_compose::{self as compose, Change, Composed, Problem, What};
use serde_json::{Map, Value, json};

use super::action::ResolvedAction;
use super::deadline::Deadline;
use super::options;
use super::pages::{in_sections, sum};
use super::places::Places;
use super::{Answer, Pipeline, Step, insert, remove};
use crate::documents::{
    Code, Delivery, ErrorReport, Invocation, MediaCheck, Options, Output, PartReport,
};
use crate::error::{Detail, Error, Kind, Outcome};
use crate::media::{self, MediaProblem};
use crate::request;
use crate::retry;
use line_connector_catalog::definition::Repeat;
use line_connector_catalog::sections::RETRY_KEY;

/// The most message objects that LINE takes in one request.
pub const MAX_MESSAGES: usize = 5;
/// The section that a fallback's inputs stand in.
const BODY: &str = "json_body";

/// What a call is made of once its messages are composed.
struct Plan {
    /// Where the messages go: section and name.
    section: String,
    name: String,
    /// The messages, in portions of which each fits a request.
    portions: Vec<Value>,
    /// What differs from what was written.
    changes: Vec<Change>,
    /// What is wrong with the media.
    warnings: Vec<Detail>,
    first: Route,
    /// How messages go where the first way takes them no more.
    instead: Option<Route>,
}

/// One way to send messages.
struct Route {
    /// The invocation without its messages, in sections.
    invocation: Invocation,
    /// What the delivery report calls it.
    sent_as: String,
    /// The retry key of its first request, where it is not the caller's matter.
    key: Option<String>,
}

/// Why a call cannot be made, and its code in the delivery report.
struct Rejection {
    error: Error,
    code: Option<Code>,
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        Self { error, code: None }
    }
}

impl Pipeline {
    /// A call, whatever its action takes. `step` makes one request.
    pub(super) fn with_messages(&self, mut invocation: Invocation, step: Step) -> Answer {
        let deadline = self.deadline(&invocation.options);
        let Ok(action) = self.look_up(invocation.action.as_deref()) else {
            return step(self, invocation);
        };
        let id = invocation.id.take();
        let sends = action.meta.sends.as_ref();
        let usual = sends.map(|sends| sends.name.clone()).unwrap_or_default();
        let headers = invocation.inputs.get("headers");
        let own_key = headers.and_then(request::retry_key_of).is_some();
        let is_generic = is_generic(&action, &invocation);
        let idle = options::without_effect(&action, &invocation.options, is_generic, own_key);
        let as_written = Places::of(&invocation.inputs);
        let planned = match options::fit(&action, &invocation.options) {
            Ok(()) => self.planned(&action, &invocation, &usual),
            Err(error) => Err(error.into()),
        };
        let (mut answer, sent_as, code) = match planned {
            Ok(None) => (step(self, invocation), usual, None),
            Ok(Some(plan)) => {
                let (answer, sent_as) = self.in_order(&action, plan, step, &deadline);
                (answer, sent_as, None)
            }
            Err(Rejection { error, code }) => {
                let answer = self.refused(invocation, error);
                let error = answer.output.error.as_ref();
                let is_about_inputs = error.is_some_and(|error| error.kind == Kind::InvalidInputs);
                (answer, usual, code.filter(|_| is_about_inputs))
            }
        };
        answer.output.id = id;
        if let Some(meta) = &mut answer.output.meta {
            meta.warnings.splice(..0, idle);
        }
        as_written.restore(&mut answer.output);
        if sends.is_some() && answer.output.request.is_none() {
            answer.output.delivery = Some(Delivery::of(&answer.output, sent_as, code));
        }
        answer
    }

    /// What the call consists of; `None` where it is the one request that the caller wrote.
    fn planned(
        &self,
        action: &ResolvedAction,
        invocation: &Invocation,
        sent_as: &str,
    ) -> Result<Option<Plan>, Rejection> {
        let options = &invocation.options;
        let place = action.meta.messages.as_deref();
        let Some((section, name)) = place.and_then(|place| place.split_once('/')) else {
            return Ok(None);
        };
        let is_generic = is_generic(action, invocation);
        let check = options.media_check.unwrap_or(MediaCheck::Off);
        if !is_generic && options.fallback.is_none() && check == MediaCheck::Off {
            return Ok(None);
        }
        let mut invocation = invocation.clone();
        in_sections(action, &mut invocation)?;
        let instead = self.instead(action, &mut invocation)?;
        let at = format!("/{section}/{name}");
        let written = remove(&mut invocation.inputs, section, name).unwrap_or_default();
        let mut composed = if is_generic {
            composed(&written, &options.compose, &at)?
        } else {
            Composed::default()
        };
        for (name, value) in std::mem::take(&mut composed.request) {
            let own = invocation
                .inputs
                .get(section)
                .and_then(|body| body.get(&name));
            if own.is_none() && takes(action, section, &name) {
                insert(&mut invocation.inputs, section, &name, value);
            } else if own.is_none() {
                composed.report.push(without_place(section, &name));
            }
        }
        let portions = if is_generic {
            let chunks = composed.messages.chunks(MAX_MESSAGES);
            chunks.map(|portion| json!(portion)).collect()
        } else {
            vec![written]
        };
        let problems = match check {
            MediaCheck::Off => Vec::new(),
            MediaCheck::Warn | MediaCheck::Fail => {
                self.media_problems(&portions, &composed.origins, &at, options)
            }
        };
        if check == MediaCheck::Fail
            && let Some(first) = problems.first()
        {
            let code = Some(first.code);
            let message = "LINE cannot show the media; nothing was sent";
            let details = problems.into_iter().map(|problem| problem.detail).collect();
            let error = Error::new(Kind::InvalidInputs, message).with_details(details);
            return Err(Rejection { error, code });
        }
        let first = Route {
            invocation,
            sent_as: sent_as.to_owned(),
            key: None,
        };
        let plan = Plan {
            section: section.to_owned(),
            name: name.to_owned(),
            portions,
            changes: composed.report,
            warnings: problems.into_iter().map(|problem| problem.detail).collect(),
            first,
            instead,
        };
        self.check(action, &plan)?;
        Ok(Some(plan))
    }

    /// What LINE could not show, at the places that the caller wrote. `origins` says for each message
    /// where it comes from, if it was composed.
    fn media_problems(
        &self,
        portions: &[Value],
        origins: &[String],
        at: &str,
        options: &Options,
    ) -> Vec<MediaProblem> {
        let messages = portions.iter().filter_map(Value::as_array).flatten();
        let messages = messages.cloned().collect();
        let clock = &self.host.clock;
        let deadline = self.deadline(options);
        let end = clock.monotonic() + self.timeout(options);
        let mut problems = media::problems(&messages, |url| {
            let left = end.saturating_sub(clock.monotonic());
            let left = left.min(deadline.left(clock.as_ref()));
            if left.is_zero() {
                return Err("the time of the call was over".to_owned());
            }
            self.host.media.probe(url, left)
        });
        for problem in &mut problems {
            let path = problem.detail.path.trim_start_matches('/');
            let number = path
                .split('/')
                .next()
                .and_then(|number| number.parse().ok());
            let origin = number.and_then(|number: usize| origins.get(number));
            problem.detail.path = match origin {
                Some(origin) => origin.clone(),
                None => format!("{at}/{path}"),
            };
        }
        problems
    }

    /// The other way that the caller asked for. What only it takes is moved there.
    fn instead(
        &self,
        action: &ResolvedAction,
        invocation: &mut Invocation,
    ) -> Result<Option<Route>, Error> {
        if invocation.options.fallback.is_none() {
            return Ok(None);
        }
        let sends = action.meta.sends.as_ref();
        let Some(fallback) = sends.and_then(|sends| sends.fallback.as_ref()) else {
            return Ok(None);
        };
        let other = self.look_up(Some(&fallback.action))?;
        let body = invocation.inputs.get(BODY).and_then(Value::as_object);
        let mut body = body.cloned().unwrap_or_default();
        if remove(&mut invocation.inputs, BODY, &fallback.needs).is_none() {
            let at = format!("/{BODY}/{}", fallback.needs);
            let message =
                "is missing: with `options.fallback` it says where the messages go instead";
            return Err(Error::new(
                Kind::InvalidInputs,
                "the inputs break a rule; nothing was sent",
            )
            .with_details(vec![Detail::new(at, message)]));
        }
        let once = body.get(&fallback.once_per).and_then(Value::as_str);
        let key = retry::instead_key(once.unwrap_or_default());
        body.retain(|name, _| takes(&other, BODY, name));
        let sends = other.meta.sends.as_ref();
        Ok(Some(Route {
            invocation: Invocation {
                action: Some(fallback.action.clone()),
                inputs: Map::from_iter([(BODY.to_owned(), Value::Object(body))]),
                asset: invocation.asset.clone(),
                options: Options {
                    fallback: None,
                    ..invocation.options.clone()
                },
                ..Invocation::default()
            },
            sent_as: sends.map(|sends| sends.name.clone()).unwrap_or_default(),
            key: Some(key),
        }))
    }

    /// Nothing is sent unless everything can be. The first request is checked when it is made.
    fn check(&self, action: &ResolvedAction, plan: &Plan) -> Result<(), Error> {
        let count = plan.portions.len();
        let takes_one = action
            .meta
            .sends
            .as_ref()
            .is_some_and(|sends| sends.fallback.is_some());
        if count > 1 && takes_one && plan.instead.is_none() {
            let at = format!("/{}/{}", plan.section, plan.name);
            let detail = Detail {
                hint: Some(
                    "send fewer, or set the option `fallback` to `push` and say in `to` where the rest goes"
                        .to_owned(),
                ),
                ..Detail::new(at, format!("take {count} requests, and LINE takes one here"))
            };
            let message = "the messages do not fit; nothing was sent";
            return Err(Error::new(Kind::InvalidInputs, message).with_details(vec![detail]));
        }
        let (route, from) = match &plan.instead {
            Some(instead) => (instead, 0),
            None => (&plan.first, 1),
        };
        for number in from..count {
            let shown = self.answer(plan.request(route, number, None), Self::show);
            if let Some(error) = shown.output.error {
                return Err(Error::from(error));
            }
        }
        Ok(())
    }

    /// Makes the requests one after another, up to the first that fails. Also says how the last one went.
    fn in_order(
        &self,
        action: &ResolvedAction,
        mut plan: Plan,
        step: Step,
        deadline: &Deadline,
    ) -> (Answer, String) {
        let step = |mut request: Invocation| {
            deadline.hand_to(&mut request.options, self.host.clock.as_ref());
            step(self, request)
        };
        let mut parts = Vec::new();
        let mut whole: Option<Answer> = None;
        let mut route = &plan.first;
        let mut key = None;
        for number in 0..plan.portions.len() {
            if let Some(instead) = plan.instead.as_ref().filter(|_| number > 0) {
                route = instead;
            }
            if plan.portions.len() > 1 {
                deadline.tell(|| format!("request {} of {}", number + 1, plan.portions.len()));
            }
            let mut answer = step(plan.request(route, number, key.as_deref()));
            if let Some(instead) = plan.instead.as_ref().filter(|_| number == 0)
                && is_taken_no_more(&answer.output)
            {
                route = instead;
                let refused = answer;
                answer = added(&refused, step(plan.request(route, number, None)));
                answer
                    .output
                    .meta
                    .get_or_insert_default()
                    .warnings
                    .push(Detail::new(
                        "/options/fallback",
                        format!(
                            "was used: LINE did not take the {}, so it became a {}",
                            plan.first.sent_as, route.sent_as
                        ),
                    ));
            }
            parts.push(part(&answer.output, &route.sent_as, &plan.portions[number]));
            let meta = answer.output.meta.as_ref();
            key = key.or_else(|| meta?.retry_key.clone());
            let has_failed = answer.output.error.is_some();
            whole = Some(match whole {
                None => answer,
                Some(before) => joined(before, answer),
            });
            if has_failed {
                break;
            }
        }
        let mut whole = whole.unwrap_or_default();
        let sent_as = route.sent_as.clone();
        let meta = whole.output.meta.get_or_insert_default();
        meta.composed = std::mem::take(&mut plan.changes);
        meta.warnings.append(&mut plan.warnings);
        if parts.len() > 1 {
            if let Some(error) = &mut whole.output.error {
                let keyed = action.meta.retry == Repeat::Keyed;
                stopped(
                    error,
                    parts.len(),
                    plan.portions.len(),
                    key.filter(|_| keyed),
                );
            }
            meta.requests = parts;
        }
        (whole, sent_as)
    }
}

impl Plan {
    /// The request with a portion of the messages. `key` is that of the first request by this route.
    fn request(&self, route: &Route, number: usize, key: Option<&str>) -> Invocation {
        let mut invocation = route.invocation.clone();
        if let Some(portion) = self.portions.get(number) {
            insert(
                &mut invocation.inputs,
                &self.section,
                &self.name,
                portion.clone(),
            );
        }
        let first = route.key.as_deref().or(key);
        let key = match (number, first) {
            (0, _) => route.key.clone(),
            (number, Some(first)) => Some(retry::further_key(first, number)),
            (_, None) => None,
        };
        if let Some(key) = key {
            let headers = invocation.inputs.get_mut("headers");
            if let Some(headers) = headers.and_then(Value::as_object_mut) {
                headers.retain(|name, _| !name.eq_ignore_ascii_case(RETRY_KEY));
            }
            insert(
                &mut invocation.inputs,
                "headers",
                RETRY_KEY,
                Value::from(key),
            );
        }
        invocation
    }
}

/// What the caller wrote as messages, in its section or beside the sections.
fn written<'a>(invocation: &'a Invocation, section: &str, name: &str) -> Option<&'a Value> {
    let inside = invocation.inputs.get(section);
    let inside = inside.and_then(|members| members.get(name));
    inside.or_else(|| invocation.inputs.get(name))
}

/// Whether there are messages that are not LINE's own objects. One that stands by itself becomes a list.
fn is_generic(action: &ResolvedAction, invocation: &Invocation) -> bool {
    let place = action.meta.messages.as_deref();
    let place = place.and_then(|place| place.split_once('/'));
    let written = place.and_then(|(section, name)| written(invocation, section, name));
    written.is_some_and(|written| {
        written.is_object() || items(written).iter().any(compose::is_generic)
    })
}

/// A list of messages; one that stands by itself is a list of one.
fn items(written: &Value) -> Cow<'_, [Value]> {
    match written {
        Value::Array(items) => Cow::Borrowed(items),
        one => Cow::Owned(vec![one.clone()]),
    }
}

/// Makes LINE's objects of messages as people write them: one, or a list of them.
///
/// # Errors
///
/// [`Kind::InvalidInputs`] with everything that is wrong, and its place.
pub fn compose(written: &Value, options: &compose::Options) -> Result<Composed, Error> {
    composed(written, options, "").map_err(|rejection| rejection.error)
}

/// The same for messages that stand at a place.
fn composed(written: &Value, options: &compose::Options, at: &str) -> Result<Composed, Rejection> {
    // One that stands by itself has no number.
    let place = |path: &str| match written {
        Value::Array(_) => format!("{at}{path}"),
        _ => format!("{at}{}", path.strip_prefix("/0").unwrap_or(path)),
    };
    match compose::compose(&items(written), options) {
        Ok(mut composed) => {
            for change in &mut composed.report {
                change.path = place(&change.path);
            }
            for origin in &mut composed.origins {
                *origin = place(origin);
            }
            Ok(composed)
        }
        Err(problems) => {
            let code = problems.first().map(|problem| problem.code);
            let details = problems.into_iter().map(|problem| Detail {
                path: place(&problem.path),
                ..detail_of(problem)
            });
            let message = "the messages cannot be composed; nothing was sent";
            let error = Error::new(Kind::InvalidInputs, message).with_details(details.collect());
            Err(Rejection { error, code })
        }
    }
}

/// What is wrong with a message, in an output's words.
#[must_use]
pub fn detail_of(problem: Problem) -> Detail {
    Detail {
        path: problem.path,
        message: problem.message,
        expected: problem.expected,
        found: problem.found,
        hint: problem.hint,
    }
}

fn takes(action: &ResolvedAction, section: &str, name: &str) -> bool {
    let declared = action.section(section);
    let schema = declared.get(name);
    schema.is_some_and(|schema| schema.get("x-refuse").is_none())
}

fn without_place(section: &str, name: &str) -> Change {
    Change {
        path: format!("/{section}/{name}"),
        what: What::Dropped,
        limit: None,
        found: None,
        message: "has no place in this action's request".to_owned(),
    }
}

/// Whether LINE surely did not do it, and will not do it by this route.
fn is_taken_no_more(output: &Output) -> bool {
    output.error.as_ref().is_some_and(|error| {
        error.kind == Kind::InvalidReplyToken && error.outcome == Outcome::NotDone
    })
}

fn part(output: &Output, sent_as: &str, portion: &Value) -> PartReport {
    let meta = output.meta.as_ref();
    PartReport {
        sent_as: sent_as.to_owned(),
        messages: portion.as_array().map_or(1, Vec::len),
        status_code: output.status_code,
        request_id: meta.and_then(|meta| meta.request_id.clone()),
        retry_key: meta.and_then(|meta| meta.retry_key.clone()),
    }
}

/// An answer with what the one before it took.
fn added(before: &Answer, mut next: Answer) -> Answer {
    next.redactor = next.redactor.and(&before.redactor);
    let meta = next.output.meta.get_or_insert_default();
    if let Some(earlier) = &before.output.meta {
        meta.attempts += earlier.attempts;
        meta.waited_ms = sum(meta.waited_ms, earlier.waited_ms);
        meta.elapsed_ms += earlier.elapsed_ms;
    }
    next
}

/// The answer to several requests: what failed, or the first one with what the others add.
fn joined(mut before: Answer, next: Answer) -> Answer {
    let mut next = added(&before, next);
    if next.output.error.is_some() {
        return next;
    }
    before
        .output
        .further_requests
        .extend(next.output.request.take());
    let mut body = before.output.json();
    for (name, more) in next
        .output
        .json()
        .iter()
        .filter_map(Value::as_object)
        .flatten()
    {
        let own = body.as_mut().and_then(|body| body.get_mut(name));
        if let (Some(own), Some(more)) = (own.and_then(Value::as_array_mut), more.as_array()) {
            own.extend(more.iter().cloned());
        }
    }
    before.output.json_body = body.map(Into::into);
    if let (Some(meta), Some(all)) = (&mut before.output.meta, next.output.meta) {
        meta.attempts = all.attempts;
        meta.waited_ms = all.waited_ms;
        meta.elapsed_ms = all.elapsed_ms;
        meta.warnings.extend(all.warnings);
    }
    before.redactor = next.redactor;
    before
}

/// Says that requests before this one were accepted.
fn stopped(error: &mut ErrorReport, number: usize, all: usize, key: Option<String>) {
    let accepted = number - 1;
    error.message = format!("request {number} of {all}: {}", error.message);
    error.outcome = Outcome::Partial;
    error.retryable &= key.is_some();
    error.hint = match key {
        Some(key) => format!(
            "the {accepted} before it were accepted; to send the rest, make the same call again with `{RETRY_KEY}: {key}`, which sends nothing twice"
        ),
        None => format!(
            "the {accepted} before it were accepted: do not make the call again, send only what is missing"
        ),
    };
}

//! Faults on request: what can be made to go wrong, the queue they wait in, and what each one does
//! to a call. How a missing or broken answer looks to the client is the listener's and the
//! in-memory transport's part.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::exchange::{Answer, Call};
use super::state::{State, Turn};

/// `huge` goes no further than this.
const HUGE_CAP: usize = 256 * 1024 * 1024;

/// Something that goes wrong with one of the next calls. Faults are taken in the order they came;
/// a call takes at most one, the first that fits it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Only for paths that start so; without it, for any path outside `/sandbox/`.
    #[serde(default)]
    pub path: Option<String>,
    /// How many calls it befalls.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// A fault that befalls the next call, whichever it is.
    #[must_use]
    pub fn once(kind: FaultKind) -> Self {
        Self {
            path: None,
            times: 1,
            kind,
        }
    }
}

/// Whether LINE did its work before things went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Nothing was done.
    #[default]
    Before,
    /// The call was processed as usual, and its answer replaced.
    After,
}

/// The moment at which a connection is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropPoint {
    /// After the head, before the body.
    BeforeRead,
    /// The request was read and not processed.
    AfterRead,
    /// The request was processed; its answer is lost.
    AfterProcessing,
    /// The request was processed; half of the answer's body arrives.
    MidBody,
}

/// The kinds of fault, with what each needs to be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// Answers with this status.
    Status {
        /// The status code.
        code: u16,
        /// Whether the call is processed first.
        #[serde(default)]
        when: When,
        /// The body: text as it is, anything else as JSON; none is an empty body.
        #[serde(default)]
        body: Value,
        /// Fields to add.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// Processes the call and answers late.
    Delay {
        /// How late, in milliseconds.
        ms: u64,
    },
    /// Closes the connection.
    Drop {
        /// When.
        at: DropPoint,
    },
    /// Answers as the edge does: an HTML page.
    Html {
        /// The status code.
        code: u16,
    },
    /// The call's own token expires just before the call; waits for a call that has one.
    ExpireToken,
    /// 429, the rate limit of one endpoint.
    RateLimit,
    /// 429, the month's quota.
    MonthlyLimit,
    /// 429, too many operations at once; LINE does not document its text.
    ConcurrentOperations {
        /// The text.
        message: String,
    },
    /// Reads the call, does nothing, and never answers; the connection ends when the time is up.
    Stall {
        /// For how long, in milliseconds.
        ms: u64,
    },
    /// Answers 302.
    Redirect {
        /// Where to.
        location: String,
    },
    /// Answers 200 with a long JSON body; nothing is processed.
    Huge {
        /// How long, in bytes.
        bytes: usize,
    },
    /// Answers with bytes that are not HTTP.
    Garbage,
}

/// What becomes of a call once its fault, if any, has had its way.
#[derive(Debug)]
pub(super) enum Effect {
    Answer(Answer),
    Late(Duration, Answer),
    /// The head promises the whole body, half of it comes.
    Truncated(Answer),
    Silence(Duration),
    Closed,
    Garbage,
}

impl FaultKind {
    /// The kind's name, as in its JSON.
    fn name(&self) -> Option<String> {
        Some(
            serde_json::to_value(self)
                .ok()?
                .get("kind")?
                .as_str()?
                .to_owned(),
        )
    }
}

/// Reads a fault from JSON. A member that no fault of this kind has is named, not ignored.
pub(super) fn parse(value: &Value) -> Result<Fault, String> {
    let fault: Fault = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    let known = serde_json::to_value(&fault).unwrap_or_default();
    let mut given = value
        .as_object()
        .into_iter()
        .flat_map(|members| members.keys());
    if let Some(name) = given.find(|name| known.get(name).is_none()) {
        return Err(format!("this kind of fault has no `{name}`"));
    }
    if fault.times == 0 {
        return Err("`times` is at least 1".to_owned());
    }
    match &fault.kind {
        FaultKind::Huge { bytes } if *bytes > HUGE_CAP => {
            Err(format!("`bytes` is at most {HUGE_CAP}"))
        }
        FaultKind::Status { code, .. } | FaultKind::Html { code }
            if !(200..=599).contains(code) =>
        {
            Err("`code` is between 200 and 599".to_owned())
        }
        _ => Ok(fault),
    }
}

/// Takes the first waiting fault that fits this call.
pub(super) fn take(state: &mut State, call: &Call) -> Option<FaultKind> {
    let index = state.faults.iter().position(|fault| {
        let path_fits = fault
            .path
            .as_ref()
            .is_none_or(|prefix| call.path.starts_with(prefix));
        path_fits && (fault.kind != FaultKind::ExpireToken || call.bearer().is_some())
    })?;
    let fault = state.faults.get_mut(index)?;
    fault.times = fault.times.saturating_sub(1);
    if fault.times > 0 {
        return Some(fault.kind.clone());
    }
    state.faults.remove(index).map(|fault| fault.kind)
}

/// Lets a fault happen to a call. `process` is what would have been done without it.
pub(super) fn apply(
    fault: FaultKind,
    turn: &mut Turn<'_>,
    process: fn(&mut Turn<'_>) -> Answer,
) -> Effect {
    turn.record.fault = fault.name();
    match fault {
        FaultKind::Status {
            code,
            when,
            body,
            headers,
        } => {
            if when == When::After {
                process(turn);
            }
            Effect::Answer(status_answer(code, &body, &headers))
        }
        FaultKind::Delay { ms } => Effect::Late(Duration::from_millis(ms), process(turn)),
        FaultKind::Drop {
            at: DropPoint::BeforeRead | DropPoint::AfterRead,
        } => Effect::Closed,
        FaultKind::Drop {
            at: DropPoint::AfterProcessing,
        } => {
            process(turn);
            Effect::Closed
        }
        FaultKind::Drop {
            at: DropPoint::MidBody,
        } => Effect::Truncated(process(turn)),
        FaultKind::Html { code } => Effect::Answer(Answer::html(code)),
        FaultKind::ExpireToken => {
            if let Some(token) = turn.call.bearer() {
                turn.state.tokens.expire(token, turn.now);
            }
            Effect::Answer(process(turn))
        }
        FaultKind::RateLimit => too_many(super::rate_limit::EXCEEDED),
        FaultKind::MonthlyLimit => too_many(super::account::MONTHLY_LIMIT),
        FaultKind::ConcurrentOperations { message } => too_many(&message),
        FaultKind::Stall { ms } => Effect::Silence(Duration::from_millis(ms)),
        FaultKind::Redirect { location } => {
            Effect::Answer(Answer::raw(302, "text/html", "").with("location", &location))
        }
        FaultKind::Huge { bytes } => Effect::Answer(huge(bytes)),
        FaultKind::Garbage => Effect::Garbage,
    }
}

fn too_many(text: &str) -> Effect {
    Effect::Answer(Answer::message(429, text))
}

fn status_answer(code: u16, body: &Value, headers: &BTreeMap<String, String>) -> Answer {
    let (usual_type, body) = match body {
        Value::Null => ("application/json", String::new()),
        Value::String(text) => ("text/plain;charset=UTF-8", text.clone()),
        other => ("application/json", other.to_string()),
    };
    let own_type = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let content_type = own_type.map_or(usual_type, |(_, value)| value);
    let others = headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    others.fold(
        Answer::raw(code, content_type, body),
        |answer, (name, value)| answer.with(&name.to_ascii_lowercase(), value),
    )
}

fn huge(bytes: usize) -> Answer {
    let frame = json!({ "padding": "" }).to_string();
    let padding = "x".repeat(bytes.saturating_sub(frame.len()));
    Answer::raw(
        200,
        "application/json",
        format!("{{\"padding\":\"{padding}\"}}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_with_its_defaults() {
        let fault = parse(&json!({ "kind": "status", "code": 503 })).unwrap();
        assert_eq!((fault.path, fault.times), (None, 1));
        let json = json!({ "kind": "drop", "at": "mid_body", "path": "/v2/bot", "times": 2 });
        let fault = parse(&json).unwrap();
        assert_eq!(
            fault.kind,
            FaultKind::Drop {
                at: DropPoint::MidBody
            }
        );
        assert_eq!(fault.times, 2);
    }

    #[test]
    fn a_misspelt_member_is_named() {
        let refused = |value| parse(&value).unwrap_err();
        assert!(refused(json!({ "kind": "rate_limit", "tims": 2 })).contains("`tims`"));
        assert!(refused(json!({ "kind": "rate_limit", "times": 0 })).contains("times"));
        assert!(refused(json!({ "kind": "status", "code": 99 })).contains("code"));
        assert!(refused(json!({ "kind": "explode" })).contains("explode"));
    }
}

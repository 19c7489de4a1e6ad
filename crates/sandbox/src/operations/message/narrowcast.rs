//! Narrowcasts: accepted at once, delivered in phases, with their reservations of the quota and the
//! progress that callers poll. Which people a recipient expression means is `recipient`'s part.

use serde_json::{Value, json};

use super::recipient::{self, Reach};
use crate::calendar::iso_millis;
use crate::delivery::{self, Plan};
use crate::http::Answer;
use crate::ids::is_uuid;
use crate::quota::{self, MONTHLY_LIMIT};
use crate::retry_key;
use crate::route::Route;
use crate::rules::{self, Chat};
use crate::state::Turn;
use crate::store::narrowcast::{FailureReason, Narrowcast, Phase, REMEMBERED};

pub(crate) const ROUTES: &[Route] = &[
    Route::keyed("POST", "/v2/bot/message/narrowcast", send),
    Route::bot("GET", "/v2/bot/message/progress/narrowcast", progress),
];

fn send(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let key = retry_key::check(turn)?;
    let body = turn.call.json()?;
    rules::send(&body, Chat::User)?;
    let limit = Limit::read(&body)?;
    quota::settle(turn);
    let reach = recipient::reach(turn, &body)?;
    if reach.filtered && reach.people < 100 {
        return Err(Answer::message(
            403,
            "Your account does not have enough friends",
        ));
    }
    let room = quota::remaining(turn);
    let (target, failure) = limit.apply(&reach, room);
    if failure.is_none() && room.is_some_and(|room| target > room) {
        return Err(Answer::message(429, MONTHLY_LIMIT));
    }
    let narrowcast = Narrowcast::new(target, failure, turn.now);
    let id = turn.request_id.to_owned();
    turn.state.narrowcasts.insert(id, narrowcast, turn.now);
    let to = body.get("recipient").cloned().unwrap_or_default();
    let people = if failure.is_some() { 0 } else { target };
    let plan = Plan::uncounted("narrowcast", to, people);
    delivery::accept(turn, &plan, &body, key, None);
    Ok(Answer::json(202, &json!({})))
}

/// The `limit` object.
struct Limit {
    max: Option<u64>,
    up_to_remaining: bool,
    forbid_partial: bool,
}

impl Limit {
    fn read(body: &Value) -> Result<Self, Answer> {
        let limit = body.get("limit");
        let member = |name: &str| limit.and_then(|limit| limit.get(name));
        let flag = |name: &str| match member(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Answer::invalid_property(&format!("'limit.{name}'"))),
        };
        if limit.is_some_and(|limit| !limit.is_object()) {
            return Err(Answer::invalid_property("'limit'"));
        }
        let max = match member("max") {
            None => None,
            Some(value) => match value.as_u64() {
                Some(max) if max >= 1 => Some(max),
                _ => {
                    let text = "Must be greater than or equal to 1";
                    return Err(Answer::invalid(text, "limit.max"));
                }
            },
        };
        let up_to_remaining = flag("upToRemainingQuota")?;
        let forbid_partial = flag("forbidPartialDelivery")?;
        if forbid_partial && !up_to_remaining {
            let text = "The option forbidPartialDelivery must be used with upToRemainingQuota.";
            return Err(Answer::message(400, text));
        }
        Ok(Self {
            max,
            up_to_remaining,
            forbid_partial,
        })
    }

    /// How many people it will be, or why nobody.
    fn apply(&self, reach: &Reach, room: Option<u64>) -> (u64, Option<FailureReason>) {
        let cap = self.max.unwrap_or(u64::MAX);
        let room = if self.up_to_remaining {
            room.unwrap_or(u64::MAX)
        } else {
            u64::MAX
        };
        let target = reach.people.min(cap).min(room);
        let failure = if reach.several_with_a_small_one() {
            Some(FailureReason::TooSmallAudience)
        } else if (reach.filtered || reach.restricted) && reach.people < 50 {
            Some(FailureReason::TooFewRecipients)
        } else if self.forbid_partial && reach.people.min(cap) > target {
            Some(FailureReason::PartialForbidden)
        } else {
            None
        };
        (target, failure)
    }
}

fn progress(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let Some(id) = turn.call.query_value("requestId").filter(|id| is_uuid(id)) else {
        return Err(Answer::message(
            400,
            "The value for the 'requestId' parameter is invalid",
        ));
    };
    quota::settle(turn);
    let (pace, now) = (turn.settings.pace, turn.now);
    let narrowcast = turn
        .state
        .narrowcasts
        .get_mut(&id)
        .filter(|known| now.duration_since(known.accepted).unwrap_or_default() < REMEMBERED)
        .ok_or_else(|| Answer::message(404, "Not found"))?;
    let phase = narrowcast.phase(pace, now);
    narrowcast.polls += 1;
    let answer = Answer::json(200, &report(narrowcast, phase));
    // The poll itself may have been the step that ends it.
    quota::settle(turn);
    Ok(answer)
}

fn report(narrowcast: &Narrowcast, phase: Phase) -> Value {
    let name = match (phase, narrowcast.failure) {
        (Phase::Waiting, _) => "waiting",
        (Phase::Sending, _) => "sending",
        (Phase::Ended, None) => "succeeded",
        (Phase::Ended, Some(_)) => "failed",
    };
    let mut body = json!({ "phase": name });
    if phase != Phase::Waiting {
        let reached = if name == "succeeded" {
            narrowcast.target
        } else {
            0
        };
        body["successCount"] = json!(reached);
        body["failureCount"] = json!(0);
        body["targetCount"] = json!(narrowcast.target);
    }
    if let (Phase::Ended, Some(failure)) = (phase, narrowcast.failure) {
        body["failedDescription"] = json!(failure.description());
        body["errorCode"] = json!(failure.code());
    }
    body["acceptedTime"] = json!(iso_millis(narrowcast.accepted));
    if let (Phase::Ended, Some(completed)) = (phase, narrowcast.completed) {
        body["completedTime"] = json!(iso_millis(completed));
    }
    body
}

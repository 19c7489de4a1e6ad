//! Narrowcasts: sending one, and its progress. Recipients and filters are evaluated by `recipient`.

use serde_json::{Value, json};

use super::recipient::{self, Reach};
use crate::calendar::iso_millis;
use crate::delivery::{self, Plan};
use crate::http::Answer;
use crate::ids::is_uuid;
use crate::quota::{self, MONTHLY_LIMIT};
use crate::retry_key;
use crate::route::Route;
use crate::rules::{self, Destination};
use crate::state::Context;
use crate::store::narrowcast::{FailureReason, Narrowcast, Phase, RETENTION};

pub(crate) const ROUTES: &[Route] = &[
    Route::keyed("POST", "/v2/bot/message/narrowcast", send),
    Route::bot("GET", "/v2/bot/message/progress/narrowcast", progress),
];

fn send(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let key = retry_key::check(ctx)?;
    let body = ctx.call.json()?;
    rules::check_send(&body, Destination::User)?;
    let limit = Limit::parse(&body)?;
    quota::settle(ctx);
    let reach = recipient::reach(ctx, &body)?;
    if reach.filtered && reach.people < 100 {
        return Err(Answer::message(
            403,
            "Your account does not have enough friends",
        ));
    }
    let room = quota::remaining(ctx);
    let (target, failure) = limit.target(&reach, room);
    if failure.is_none() && room.is_some_and(|room| target > room) {
        return Err(Answer::message(429, MONTHLY_LIMIT));
    }
    let narrowcast = Narrowcast::new(target, failure, ctx.now);
    let id = ctx.request_id.to_owned();
    ctx.state.narrowcasts.insert(id, narrowcast, ctx.now);
    let to = body.get("recipient").cloned().unwrap_or_default();
    let people = if failure.is_some() { 0 } else { target };
    let plan = Plan::uncounted("narrowcast", to, people);
    delivery::accept(ctx, &plan, &body, key, None);
    Ok(Answer::json(202, &json!({})))
}

/// The `limit` object.
struct Limit {
    max: Option<u64>,
    up_to_remaining: bool,
    forbid_partial: bool,
}

impl Limit {
    fn parse(body: &Value) -> Result<Self, Answer> {
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

    /// How many people the narrowcast is sent to, and why it will fail, if it does. `room` is what is
    /// left of the quota.
    fn target(&self, reach: &Reach, room: Option<u64>) -> (u64, Option<FailureReason>) {
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

fn progress(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let Some(id) = ctx.call.query_value("requestId").filter(|id| is_uuid(id)) else {
        return Err(Answer::invalid_parameter("requestId"));
    };
    quota::settle(ctx);
    let (pace, now) = (ctx.settings.pace, ctx.now);
    let narrowcast = ctx
        .state
        .narrowcasts
        .get_mut(&id)
        .filter(|known| now.duration_since(known.accepted).unwrap_or_default() < RETENTION)
        .ok_or_else(|| Answer::message(404, "Not found"))?;
    let phase = narrowcast.phase(pace, now);
    narrowcast.polls += 1;
    let answer = Answer::json(200, &report(narrowcast, phase));
    // This poll may have ended it.
    quota::settle(ctx);
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

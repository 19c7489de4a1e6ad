//! Narrowcasts: accepted at once, delivered in phases, with their reservations of the quota and the
//! progress that callers poll. Which people a recipient expression means is `recipient`'s part.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::account::{MONTHLY_LIMIT, remaining};
use super::calendar::iso_millis;
use super::crypto::is_uuid;
use super::exchange::Answer;
use super::judge::{self, Chat};
use super::recipient::{self, Reach};
use super::retry_key;
use super::routes::Route;
use super::send::{accept, uncounted_plan};
use super::settings::Pace;
use super::state::Turn;

pub(super) const ROUTES: &[Route] = &[
    Route::keyed("POST", "/v2/bot/message/narrowcast", |turn| {
        send(turn).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("GET", "/v2/bot/message/progress/narrowcast", |turn| {
        progress(turn).unwrap_or_else(|refusal| refusal)
    }),
];

/// LINE forgets a narrowcast's progress, and redelivers to it, no longer than this.
pub(super) const REMEMBERED: Duration = Duration::from_hours(14 * 24);

/// Why a narrowcast that was accepted reached nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setback {
    TooFewRecipients,
    TooSmallAudience,
    PartialForbidden,
}

impl Setback {
    fn code(self) -> u8 {
        match self {
            Setback::TooFewRecipients => 2,
            Setback::TooSmallAudience => 4,
            Setback::PartialForbidden => 5,
        }
    }

    fn description(self) -> &'static str {
        match self {
            Setback::TooFewRecipients => "The number of recipients is too small.",
            Setback::TooSmallAudience => "An audience has too few recipients.",
            Setback::PartialForbidden => "The delivery was cancelled because it would be partial.",
        }
    }
}

/// One accepted narrowcast.
#[derive(Debug, Clone)]
pub(super) struct Narrowcast {
    pub(super) accepted: SystemTime,
    pub(super) target: u64,
    setback: Option<Setback>,
    polls: u32,
    completed: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Sending,
    Ended,
}

impl Narrowcast {
    /// Whether it ended well.
    pub(super) fn succeeded(&self) -> bool {
        self.completed.is_some() && self.setback.is_none()
    }

    fn phase(&self, pace: Pace, now: SystemTime) -> Phase {
        let (sending, ended) = match pace {
            Pace::PerPoll => (self.polls >= 1, self.polls >= 2),
            Pace::Timed { sending, done } => {
                let elapsed = now.duration_since(self.accepted).unwrap_or_default();
                (elapsed >= sending, elapsed >= done)
            }
        };
        // What fails, fails as it starts.
        match (sending, ended) {
            (_, true) => Phase::Ended,
            (true, false) if self.setback.is_some() => Phase::Ended,
            (true, false) => Phase::Sending,
            (false, false) => Phase::Waiting,
        }
    }

    fn end(&self, pace: Pace, now: SystemTime) -> SystemTime {
        match (pace, self.setback) {
            (Pace::PerPoll, _) => now,
            (Pace::Timed { sending, .. }, Some(_)) => self.accepted + sending,
            (Pace::Timed { done, .. }, None) => self.accepted + done,
        }
    }
}

/// Ends the narrowcasts whose time has come, and counts the people they reached.
pub(super) fn settle(turn: &mut Turn<'_>) {
    let (pace, now) = (turn.settings.pace, turn.now);
    let mut charges = Vec::new();
    for narrowcast in turn.state.narrowcasts.values_mut() {
        if narrowcast.completed.is_none() && narrowcast.phase(pace, now) == Phase::Ended {
            let end = narrowcast.end(pace, now);
            narrowcast.completed = Some(end);
            let reached = if narrowcast.setback.is_some() {
                0
            } else {
                narrowcast.target
            };
            charges.push((end, reached));
        }
    }
    for (end, people) in charges {
        turn.state.charge(end, people);
    }
}

/// People that running narrowcasts hold room for.
pub(super) fn reserved(turn: &Turn<'_>) -> u64 {
    let running = turn
        .state
        .narrowcasts
        .values()
        .filter(|one| one.completed.is_none());
    running
        .filter(|one| one.setback.is_none())
        .map(|one| one.target)
        .sum()
}

fn send(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let key = retry_key::check(turn)?;
    let body = turn.call.json()?;
    judge::send(&body, Chat::User)?;
    let limit = Limit::read(&body)?;
    settle(turn);
    let reach = recipient::reach(turn, &body)?;
    if reach.filtered && reach.people < 100 {
        return Err(Answer::message(
            403,
            "Your account does not have enough friends",
        ));
    }
    let room = remaining(turn);
    let (target, setback) = limit.apply(&reach, room);
    if setback.is_none() && room.is_some_and(|room| target > room) {
        return Err(Answer::message(429, MONTHLY_LIMIT));
    }
    let narrowcast = Narrowcast {
        accepted: turn.now,
        target,
        setback,
        polls: 0,
        completed: None,
    };
    let (now, id) = (turn.now, turn.request_id.to_owned());
    turn.state
        .narrowcasts
        .retain(|_, known| now.duration_since(known.accepted).unwrap_or_default() < REMEMBERED);
    turn.state.narrowcasts.insert(id, narrowcast);
    let to = body.get("recipient").cloned().unwrap_or_default();
    let people = if setback.is_some() { 0 } else { target };
    accept(
        turn,
        &uncounted_plan("narrowcast", to, people),
        &body,
        key,
        None,
    );
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
                    return Err(judge::complaint(text, "limit.max"));
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
    fn apply(&self, reach: &Reach, room: Option<u64>) -> (u64, Option<Setback>) {
        let cap = self.max.unwrap_or(u64::MAX);
        let room = if self.up_to_remaining {
            room.unwrap_or(u64::MAX)
        } else {
            u64::MAX
        };
        let target = reach.people.min(cap).min(room);
        let setback = if reach.several_with_a_small_one() {
            Some(Setback::TooSmallAudience)
        } else if (reach.filtered || reach.restricted) && reach.people < 50 {
            Some(Setback::TooFewRecipients)
        } else if self.forbid_partial && reach.people.min(cap) > target {
            Some(Setback::PartialForbidden)
        } else {
            None
        };
        (target, setback)
    }
}

fn progress(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let Some(id) = turn.call.query_value("requestId").filter(|id| is_uuid(id)) else {
        return Err(Answer::message(
            400,
            "The value for the 'requestId' parameter is invalid",
        ));
    };
    settle(turn);
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
    settle(turn);
    Ok(answer)
}

fn report(narrowcast: &Narrowcast, phase: Phase) -> Value {
    let name = match (phase, narrowcast.setback) {
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
    if let (Phase::Ended, Some(setback)) = (phase, narrowcast.setback) {
        body["failedDescription"] = json!(setback.description());
        body["errorCode"] = json!(setback.code());
    }
    body["acceptedTime"] = json!(iso_millis(narrowcast.accepted));
    if let (Phase::Ended, Some(completed)) = (phase, narrowcast.completed) {
        body["completedTime"] = json!(iso_millis(completed));
    }
    body
}

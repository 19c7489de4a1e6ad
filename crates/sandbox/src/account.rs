//! What an account knows about itself: bot information, the month's quota and consumption, the
//! delivery counts, and the loading animation. It sends nothing.

use serde_json::{Value, json};

use super::calendar::{Date, line_day, parse_day};
use super::exchange::Answer;
use super::judge;
use super::narrowcast;
use super::people::bot_id;
use super::routes::Route;
use super::send::is_user;
use super::state::Turn;

/// The text of the 429 that no waiting helps against before the month is over.
pub(super) const MONTHLY_LIMIT: &str = "You have reached your monthly limit.";

/// LINE has no counts of earlier days.
const FIRST_DAY: Date = Date {
    year: 2018,
    month: 3,
    day: 31,
};

pub(super) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/info", bot_info),
    Route::bot("GET", "/v2/bot/message/quota", quota),
    Route::bot("GET", "/v2/bot/message/quota/consumption", consumption),
    Route::bot("GET", "/v2/bot/message/delivery/reply", |turn| {
        delivered(turn, "reply")
    }),
    Route::bot("GET", "/v2/bot/message/delivery/push", |turn| {
        delivered(turn, "push")
    }),
    Route::bot("GET", "/v2/bot/message/delivery/multicast", |turn| {
        delivered(turn, "multicast")
    }),
    Route::bot("GET", "/v2/bot/message/delivery/broadcast", |turn| {
        delivered(turn, "broadcast")
    }),
    Route::bot("GET", "/v2/bot/message/delivery/pnp", |turn| {
        delivered(turn, "pnp")
    }),
    Route::bot("GET", "/v2/bot/message/delivery/pnp/templated", |turn| {
        delivered(turn, "pnp/templated")
    }),
    Route::bot("POST", "/v2/bot/chat/loading/start", loading),
];

fn bot_info(_: &mut Turn<'_>) -> Answer {
    Answer::json(
        200,
        &json!({
            "userId": bot_id(0),
            "basicId": "@sandbox",
            "displayName": "Sandbox",
            "pictureUrl": "https://profile.line-scdn.net/sandbox",
            "chatMode": "bot",
            "markAsReadMode": "auto",
        }),
    )
}

fn quota(turn: &mut Turn<'_>) -> Answer {
    let body = match turn.settings.quota {
        Some(value) => json!({ "type": "limited", "value": value }),
        None => json!({ "type": "none" }),
    };
    Answer::json(200, &body)
}

fn consumption(turn: &mut Turn<'_>) -> Answer {
    narrowcast::settle(turn);
    Answer::json(
        200,
        &json!({ "totalUsage": turn.state.month_usage(turn.now) }),
    )
}

fn delivered(turn: &mut Turn<'_>, kind: &'static str) -> Answer {
    let Some(day) = turn.call.query_value("date").as_deref().and_then(parse_day) else {
        return Answer::invalid_parameter("date");
    };
    let body = if day < FIRST_DAY {
        json!({ "status": "out_of_service" })
    } else if day >= line_day(turn.now) {
        json!({ "status": "unready" })
    } else {
        let people = turn
            .state
            .daily
            .get(&(day, kind))
            .copied()
            .unwrap_or_default();
        json!({ "status": "ready", "success": people })
    };
    Answer::json(200, &body)
}

/// People that the month's quota still has room for, reservations of running narrowcasts taken
/// off; `None` is without limit.
pub(super) fn remaining(turn: &mut Turn<'_>) -> Option<u64> {
    narrowcast::settle(turn);
    let reserved = narrowcast::reserved(turn);
    let used = turn.state.month_usage(turn.now) + reserved;
    turn.settings.quota.map(|quota| quota.saturating_sub(used))
}

fn loading(turn: &mut Turn<'_>) -> Answer {
    let body = match turn.call.json() {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let mut details = Vec::new();
    let mut complain = |message: &str, property: &str| {
        details.push(json!({ "message": message, "property": property }));
    };
    match body.get("chatId") {
        None | Some(Value::Null) => complain("May not be empty", "chatId"),
        Some(Value::String(id)) if is_user(id) => {}
        Some(_) => complain(
            "Only user id is acceptable, please confirm if there are any group/room ids or illegal ids.",
            "chatId",
        ),
    }
    if let Some(seconds) = body.get("loadingSeconds") {
        let Some(seconds) = seconds.as_i64() else {
            return Answer::invalid_property("'loadingSeconds'");
        };
        if !(5..=60).contains(&seconds) {
            complain("Must be between 5 and 60", "loadingSeconds");
        }
        if seconds % 5 != 0 {
            complain("must be a multiple of five", "loadingSeconds");
        }
    }
    if details.is_empty() {
        Answer::json(202, &json!({}))
    } else {
        judge::refusal(&details)
    }
}

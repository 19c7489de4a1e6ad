//! The month's quota and its consumption, and how many messages were sent on a day.

use serde_json::json;
use time::Date;
use time::macros::date;

use crate::calendar::{line_day, parse_day};
use crate::http::Answer;
use crate::quota;
use crate::route::Route;
use crate::state::Turn;

/// LINE has no counts of earlier days.
const FIRST_DAY: Date = date!(2018 - 03 - 31);

pub(crate) const ROUTES: &[Route] = &[
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
];

fn quota(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = match turn.settings.quota {
        Some(value) => json!({ "type": "limited", "value": value }),
        None => json!({ "type": "none" }),
    };
    Ok(Answer::json(200, &body))
}

fn consumption(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    quota::settle(turn);
    let body = json!({ "totalUsage": turn.state.usage.month(turn.now) });
    Ok(Answer::json(200, &body))
}

fn delivered(turn: &mut Turn<'_>, kind: &'static str) -> Result<Answer, Answer> {
    let Some(day) = turn.call.query_value("date").as_deref().and_then(parse_day) else {
        return Err(Answer::invalid_parameter("date"));
    };
    let body = if day < FIRST_DAY {
        json!({ "status": "out_of_service" })
    } else if day >= line_day(turn.now) {
        json!({ "status": "unready" })
    } else {
        let people = turn.state.usage.on(day, kind);
        json!({ "status": "ready", "success": people })
    };
    Ok(Answer::json(200, &body))
}

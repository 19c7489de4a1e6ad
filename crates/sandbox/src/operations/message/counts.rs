//! The monthly quota and its consumption, and how many messages were sent on a day.

use serde_json::json;
use time::Date;
use time::macros::date;

use crate::calendar::{line_day, parse_day};
use crate::http::Answer;
use crate::quota;
use crate::route::Route;
use crate::state::Context;

/// The first day for which LINE has counts.
const FIRST_DAY: Date = date!(2018 - 03 - 31);

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/message/quota", quota),
    Route::bot("GET", "/v2/bot/message/quota/consumption", consumption),
    Route::bot("GET", "/v2/bot/message/delivery/reply", |ctx| {
        delivered(ctx, "reply")
    }),
    Route::bot("GET", "/v2/bot/message/delivery/push", |ctx| {
        delivered(ctx, "push")
    }),
    Route::bot("GET", "/v2/bot/message/delivery/multicast", |ctx| {
        delivered(ctx, "multicast")
    }),
    Route::bot("GET", "/v2/bot/message/delivery/broadcast", |ctx| {
        delivered(ctx, "broadcast")
    }),
    Route::bot("GET", "/v2/bot/message/delivery/pnp", |ctx| {
        delivered(ctx, "pnp")
    }),
    Route::bot("GET", "/v2/bot/message/delivery/pnp/templated", |ctx| {
        delivered(ctx, "pnp/templated")
    }),
];

fn quota(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = match ctx.settings.quota {
        Some(value) => json!({ "type": "limited", "value": value }),
        None => json!({ "type": "none" }),
    };
    Ok(Answer::json(200, &body))
}

fn consumption(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    quota::settle(ctx);
    let body = json!({ "totalUsage": ctx.state.usage.month(ctx.now) });
    Ok(Answer::json(200, &body))
}

fn delivered(ctx: &mut Context<'_>, kind: &'static str) -> Result<Answer, Answer> {
    let Some(day) = ctx.call.query_value("date").as_deref().and_then(parse_day) else {
        return Err(Answer::invalid_parameter("date"));
    };
    let body = if day < FIRST_DAY {
        json!({ "status": "out_of_service" })
    } else if day >= line_day(ctx.now) {
        json!({ "status": "unready" })
    } else {
        let people = ctx.state.usage.on(day, kind);
        json!({ "status": "ready", "success": people })
    };
    Ok(Answer::json(200, &body))
}

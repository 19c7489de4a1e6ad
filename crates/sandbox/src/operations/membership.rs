//! Memberships: the plans, their members, and the subscriptions of a user. Plans and members are
//! settings; nothing changes them.

use std::time::Duration;

use serde_json::{Value, json};

use super::request::user_in_path;
use crate::calendar::{line_day, unix_seconds};
use crate::http::Answer;
use crate::paging;
use crate::route::Route;
use crate::settings::Membership;
use crate::state::Context;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/membership/list", plans),
    Route::bot(
        "GET",
        "/v2/bot/membership/subscription/{userId}",
        subscription,
    ),
    Route::bot(
        "GET",
        "/v2/bot/membership/{membershipId}/users/ids",
        members,
    ),
];

const MONTH: Duration = Duration::from_hours(30 * 24);

fn plans(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let plans = &ctx.settings.memberships;
    if plans.is_empty() {
        return Err(Answer::message(404, "Membership plan not found"));
    }
    let show = |plan: &Membership| {
        let mut shown = show(plan);
        shown["memberCount"] = json!(plan.members.len());
        shown["memberLimit"] = Value::Null;
        shown["isInAppPurchase"] = json!(true);
        shown["isPublished"] = json!(true);
        shown
    };
    let plans: Vec<Value> = plans.iter().map(show).collect();
    Ok(Answer::json(200, &json!({ "memberships": plans })))
}

fn show(plan: &Membership) -> Value {
    json!({
        "membershipId": plan.id,
        "title": plan.title,
        "description": format!("What members of the {} get.", plan.title),
        "benefits": ["Members Only Messages"],
        "price": 500.00,
        "currency": "JPY",
    })
}

fn subscription(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let user = user_in_path(ctx)?;
    let plans = ctx.settings.memberships.iter().filter_map(|plan| {
        let index = plan.members.iter().position(|member| *member == user)?;
        Some(json!({ "membership": show(plan), "user": status(ctx, index + 1) }))
    });
    let plans: Vec<Value> = plans.collect();
    if plans.is_empty() {
        return Err(Answer::message(404, "Not found"));
    }
    Ok(Answer::json(200, &json!({ "subscriptions": plans })))
}

/// The status of a member. Everybody joined 30 days before the start, and pays every 30 days.
fn status(ctx: &Context<'_>, number: usize) -> Value {
    let joined = ctx.state.started_at - MONTH;
    let age = ctx.now.duration_since(joined).unwrap_or_default();
    let months = 1 + age.as_secs() / MONTH.as_secs();
    let next = joined + MONTH * u32::try_from(months).unwrap_or(u32::MAX);
    json!({
        "membershipNo": number,
        "joinedTime": unix_seconds(joined),
        "nextBillingDate": line_day(next).to_string(),
        "totalSubscriptionMonths": months,
    })
}

fn members(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let id = ctx.parameter("membershipId").parse().ok();
    let plan = ctx
        .settings
        .memberships
        .iter()
        .find(|plan| Some(plan.id) == id);
    let plan = plan.ok_or_else(|| Answer::message(404, "Membership ID is not found"))?;
    let limit = match ctx.call.query_value("limit").map(|text| text.parse()) {
        None => 300,
        Some(Ok(limit @ 1..=1000)) => limit,
        Some(_) => {
            return Err(Answer::invalid_parameter("limit"));
        }
    };
    let list = format!("members/{}", plan.id);
    let start = paging::start_position(ctx, &list)?.unwrap_or_default();
    let skipped = usize::try_from(start).unwrap_or(usize::MAX);
    let shown: Vec<&String> = plan.members.iter().skip(skipped).take(limit).collect();
    let end = skipped.saturating_add(limit);
    let mut body = json!({ "userIds": shown });
    if end < plan.members.len() {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        body["next"] = json!(paging::continuation_token(&list, end, ctx.now));
    }
    Ok(Answer::json(200, &body))
}

//! Statistics of the account: deliveries and followers on a day, and friend demographics.

use serde_json::{Value, json};
use time::Date;
use time::macros::date;

use super::{MIN_SHOWN, bad_request};
use crate::calendar::{line_day, parse_day};
use crate::http::Answer;
use crate::state::Context;

/// The first day for which LINE has delivery counts.
const FIRST_DELIVERIES: Date = date!(2017 - 03 - 01);

/// The first day for which LINE has follower counts.
const FIRST_FOLLOWERS: Date = date!(2016 - 11 - 01);

/// LINE's names for the counts of sends through the API, by kind of send. The counts of LINE's own
/// tools are optional, and left out.
const COUNTERS: [(&str, &str); 5] = [
    ("apiBroadcast", "broadcast"),
    ("apiPush", "push"),
    ("apiMulticast", "multicast"),
    ("apiNarrowcast", "narrowcast"),
    ("apiReply", "reply"),
];

pub(crate) fn deliveries(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let day = ctx.call.query_value("date").as_deref().and_then(parse_day);
    let day = day.ok_or_else(bad_request)?;
    let status = status(ctx, day, FIRST_DELIVERIES);
    let mut body = json!({ "status": status });
    if status == "ready" {
        for (name, kind) in COUNTERS {
            body[name] = json!(ctx.state.usage.on(day, kind));
        }
    }
    Ok(Answer::json(200, &body))
}

pub(crate) fn followers(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let Some(date) = ctx.call.query_value("date") else {
        return Err(Answer::message(400, "date is required"));
    };
    let day = parse_day(&date).ok_or_else(bad_request)?;
    let status = status(ctx, day, FIRST_FOLLOWERS);
    let friends = ctx.state.friends.count(ctx.settings);
    let blocks = friends / 20;
    let shown = |number: u64| {
        if status == "ready" {
            json!(number)
        } else {
            Value::Null
        }
    };
    let body = json!({
        "status": status,
        "followers": shown(friends + blocks),
        "targetedReaches": shown(friends),
        "blocks": shown(blocks),
    });
    Ok(Answer::json(200, &body))
}

fn status(ctx: &Context<'_>, day: Date, first: Date) -> &'static str {
    if day < first {
        "out_of_service"
    } else if day >= line_day(ctx.now) {
        "unready"
    } else {
        "ready"
    }
}

pub(crate) fn demographics(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let available = ctx.state.friends.count(ctx.settings) >= MIN_SHOWN;
    let shares = |name: &str, shares: &[(&str, f64)]| {
        let share =
            |(value, percentage): &(&str, f64)| json!({ name: value, "percentage": percentage });
        let shown = if available { shares } else { &[] };
        Value::Array(shown.iter().map(share).collect())
    };
    let genders = [("unknown", 37.6), ("male", 31.8), ("female", 30.6)];
    let ages = [("unknown", 37.6), ("from50", 17.3), ("from25to29", 45.1)];
    let areas = [("unknown", 42.9), ("東京", 57.1)];
    let apps = [("ios", 62.4), ("android", 27.7), ("others", 9.9)];
    let periods = [
        ("over365days", 96.4),
        ("within365days", 1.9),
        ("within180days", 1.2),
        ("within90days", 0.5),
    ];
    let body = json!({
        "available": available,
        "genders": shares("gender", &genders),
        "ages": shares("age", &ages),
        "areas": shares("area", &areas),
        "appTypes": shares("appType", &apps),
        "subscriptionPeriods": shares("subscriptionPeriod", &periods),
    });
    Ok(Answer::json(200, &body))
}

//! User interaction statistics: of one narrowcast or broadcast, or of an aggregation unit.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::Date;

use super::{MIN_SHOWN, masked};
use crate::calendar::{parse_day, unix_seconds};
use crate::http::Answer;
use crate::ids::is_uuid;
use crate::quota;
use crate::state::Context;
use crate::store::narrowcast::Narrowcast;
use crate::store::statistics::{clicked, links, opened};

/// The longest period, in days between its first and its last.
const MAX_DAYS: i64 = 30;

pub(crate) fn of_request(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let Some(id) = ctx.call.query_value("requestId").filter(|id| is_uuid(id)) else {
        return Err(Answer::invalid_parameter("requestId"));
    };
    quota::settle(ctx);
    let sent = ctx.state.statistics.bulk_send(&id);
    let sent = sent.ok_or_else(|| Answer::message(404, "Not found"))?;
    let running = ctx.state.narrowcasts.get(&id);
    let over = running.is_none_or(Narrowcast::succeeded);
    let people = if over { sent.people } else { 0 };
    let bubbles: Vec<bool> = sent.messages.iter().map(is_media).collect();
    let plays = bubbles.contains(&true);
    let mut overview = json!({
        "requestId": id,
        "timestamp": unix_seconds(sent.at),
        "delivered": if over { json!(people) } else { Value::Null },
    });
    reactions(&mut overview, people, plays);
    let body = json!({
        "overview": overview,
        "messages": messages(&bubbles, people, false),
        "clicks": clicks(&links(&sent.messages), people),
    });
    Ok(Answer::json(200, &body))
}

pub(crate) fn of_unit(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let Some((name, from, to)) = unit_and_period(ctx) else {
        let body = json!({ "message": null, "key": null, "stacktrace": null, "code": null });
        return Err(Answer::json(400, &body));
    };
    let days = (name.clone(), from)..=(name, to);
    let (mut people, mut bubbles, mut links) = (0, 0, BTreeSet::new());
    for unit in ctx.state.statistics.units.range(days).map(|(_, unit)| unit) {
        people += unit.people;
        bubbles = bubbles.max(unit.bubbles);
        links.extend(unit.links.iter().cloned());
    }
    let mut overview = json!({});
    reactions(&mut overview, people, false);
    let body = json!({
        "overview": overview,
        "messages": messages(&vec![false; bubbles], people, true),
        "clicks": clicks(&links, people),
    });
    Ok(Answer::json(200, &body))
}

fn unit_and_period(ctx: &Context<'_>) -> Option<(String, Date, Date)> {
    let day = |name| ctx.call.query_value(name).as_deref().and_then(parse_day);
    let (from, to) = (day("from")?, day("to")?);
    let fits = from <= to && (to - from).whole_days() <= MAX_DAYS;
    let name = ctx.call.query_value("customAggregationUnit");
    Some((name.filter(|name| fits && !name.is_empty())?, from, to))
}

fn is_media(message: &Value) -> bool {
    let kind = message.get("type").and_then(Value::as_str);
    matches!(kind, Some("video" | "audio"))
}

/// Adds the four numbers that every overview ends with.
fn reactions(overview: &mut Value, people: u64, plays: bool) {
    let played = if plays { clicked(people) } else { 0 };
    overview["uniqueImpression"] = masked(opened(people));
    overview["uniqueClick"] = masked(clicked(people));
    overview["uniqueMediaPlayed"] = masked(played);
    overview["uniqueMediaPlayed100Percent"] = masked(played / 2);
}

/// The statistics of each message; `bubbles` says which can be played.
fn messages(bubbles: &[bool], people: u64, by_unit: bool) -> Value {
    if opened(people) < MIN_SHOWN {
        return json!([]);
    }
    let numbered = bubbles.iter().enumerate().map(|(index, plays)| {
        let mut bubble = json!({ "seq": index + 1, "impression": masked(opened(people)) });
        if by_unit {
            bubble["uniqueImpression"] = masked(opened(people));
        }
        let played = if *plays { clicked(people) } else { 0 };
        for prefix in ["mediaPlayed", "uniqueMediaPlayed"] {
            bubble[prefix] = masked(played);
            for percent in [25, 50, 75, 100] {
                let name = format!("{prefix}{percent}Percent");
                bubble[name] = masked(played * (150 - percent) / 150);
            }
        }
        bubble
    });
    Value::Array(numbered.collect())
}

fn clicks(links: &BTreeSet<(usize, String)>, people: u64) -> Value {
    if clicked(people) < MIN_SHOWN {
        return json!([]);
    }
    let shown = links.iter().map(|(bubble, url)| {
        let people = masked(clicked(people));
        json!({ "seq": bubble, "url": url, "click": people, "uniqueClick": people,
            "uniqueClickOfRequest": people })
    });
    Value::Array(shown.collect())
}

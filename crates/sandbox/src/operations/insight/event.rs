//! How people dealt with messages: with one narrowcast or broadcast, or with all that was sent
//! under a unit name.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::Date;

use super::{FEWEST, masked};
use crate::calendar::{parse_day, seconds};
use crate::http::Answer;
use crate::ids::is_uuid;
use crate::quota;
use crate::state::Turn;
use crate::store::narrowcast::Narrowcast;
use crate::store::statistics::{clicked, links, opened};

/// A period reaches at most so many days beyond its first.
const LONGEST: i64 = 30;

pub(crate) fn of_request(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let Some(id) = turn.call.query_value("requestId").filter(|id| is_uuid(id)) else {
        let text = "The value for the 'requestId' parameter is invalid";
        return Err(Answer::message(400, text));
    };
    quota::settle(turn);
    let sent = turn.state.statistics.sent(&id);
    let sent = sent.ok_or_else(|| Answer::message(404, "Not found"))?;
    let running = turn.state.narrowcasts.get(&id);
    let over = running.is_none_or(Narrowcast::succeeded);
    let people = if over { sent.people } else { 0 };
    let bubbles: Vec<bool> = sent.messages.iter().map(is_media).collect();
    let plays = bubbles.contains(&true);
    let mut overview = json!({
        "requestId": id,
        "timestamp": seconds(sent.at),
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

pub(crate) fn of_unit(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let Some((name, from, to)) = unit_and_period(turn) else {
        let body = json!({ "message": null, "key": null, "stacktrace": null, "code": null });
        return Err(Answer::json(400, &body));
    };
    let days = (name.clone(), from)..=(name, to);
    let (mut people, mut bubbles, mut links) = (0, 0, BTreeSet::new());
    for unit in turn
        .state
        .statistics
        .units
        .range(days)
        .map(|(_, unit)| unit)
    {
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

fn unit_and_period(turn: &Turn<'_>) -> Option<(String, Date, Date)> {
    let day = |name| turn.call.query_value(name).as_deref().and_then(parse_day);
    let (from, to) = (day("from")?, day("to")?);
    let fits = from <= to && (to - from).whole_days() <= LONGEST;
    let name = turn.call.query_value("customAggregationUnit");
    Some((name.filter(|name| fits && !name.is_empty())?, from, to))
}

fn is_media(message: &Value) -> bool {
    let kind = message.get("type").and_then(Value::as_str);
    matches!(kind, Some("video" | "audio"))
}

/// The four numbers that every overview ends with.
fn reactions(overview: &mut Value, people: u64, plays: bool) {
    let played = if plays { clicked(people) } else { 0 };
    overview["uniqueImpression"] = masked(opened(people));
    overview["uniqueClick"] = masked(clicked(people));
    overview["uniqueMediaPlayed"] = masked(played);
    overview["uniqueMediaPlayed100Percent"] = masked(played / 2);
}

/// The bubbles, each told apart only by whether it can be played.
fn messages(bubbles: &[bool], people: u64, by_unit: bool) -> Value {
    if opened(people) < FEWEST {
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
    if clicked(people) < FEWEST {
        return json!([]);
    }
    let shown = links.iter().map(|(bubble, url)| {
        let people = masked(clicked(people));
        json!({ "seq": bubble, "url": url, "click": people, "uniqueClick": people,
            "uniqueClickOfRequest": people })
    });
    Value::Array(shown.collect())
}

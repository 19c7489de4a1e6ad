//! Statistics: about the account, about messages, about rich menus. Nobody in a sandbox opens or
//! clicks anything, so those numbers are fixed shares of the people who were reached.

mod account;
mod event;
mod rich_menu;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::calendar::{Date, line_day};
use super::exchange::Answer;
use super::routes::Route;
use super::send::Plan;
use super::state::Turn;

pub(super) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/insight/message/delivery", |turn| {
        Answer::either(account::deliveries(turn))
    }),
    Route::bot("GET", "/v2/bot/insight/followers", |turn| {
        Answer::either(account::followers(turn))
    }),
    Route::bot("GET", "/v2/bot/insight/demographic", account::demographics),
    Route::bot("GET", "/v2/bot/insight/message/event", |turn| {
        Answer::either(event::of_request(turn))
    }),
    Route::bot("GET", "/v2/bot/insight/message/event/aggregation", |turn| {
        Answer::either(event::of_unit(turn))
    }),
    Route::bot(
        "GET",
        "/v2/bot/insight/richmenu/{richMenuId}/summary",
        |turn| Answer::either(rich_menu::summary(turn)),
    ),
    Route::bot(
        "GET",
        "/v2/bot/insight/richmenu/{richMenuId}/daily",
        |turn| Answer::either(rich_menu::daily(turn)),
    ),
];

/// Narrowcasts and broadcasts are kept no longer than anything asks about them.
const KEPT: Duration = Duration::from_hours(61 * 24);

/// LINE does not tell what fewer people did.
const FEWEST: u64 = 20;

/// What was sent, as far as statistics are about it.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    /// Narrowcasts and broadcasts, by the request ID under which they were accepted.
    sent: HashMap<String, Sent>,
    /// By unit name and day.
    units: BTreeMap<(String, Date), Unit>,
}

#[derive(Debug)]
pub(super) struct Sent {
    pub(super) at: SystemTime,
    pub(super) people: u64,
    messages: Vec<Value>,
}

/// What was sent under one unit name on one day.
#[derive(Debug, Default)]
struct Unit {
    people: u64,
    bubbles: usize,
    links: BTreeSet<(usize, String)>,
}

impl Statistics {
    /// A narrowcast or broadcast that was accepted under this request ID.
    pub(super) fn sent(&self, request: &str) -> Option<&Sent> {
        self.sent.get(request)
    }
}

/// Writes an accepted send down.
pub(super) fn note(turn: &mut Turn<'_>, plan: &Plan, body: &Value) {
    let messages = body.get("messages").and_then(Value::as_array);
    let messages = messages.map(Vec::as_slice).unwrap_or_default();
    let units = body.get("customAggregationUnits").and_then(Value::as_array);
    let names = units.into_iter().flatten().filter_map(Value::as_str);
    let statistics = &mut turn.state.statistics;
    for name in names {
        let key = (name.to_owned(), line_day(turn.now));
        let unit = statistics.units.entry(key).or_default();
        unit.people += plan.people;
        unit.bubbles = unit.bubbles.max(messages.len());
        unit.links.extend(links(messages));
    }
    if matches!(plan.kind, "narrowcast" | "broadcast") {
        let now = turn.now;
        let young = |sent: &Sent| now.duration_since(sent.at).unwrap_or_default() < KEPT;
        statistics.sent.retain(|_, sent| young(sent));
        let sent = Sent {
            at: now,
            people: plan.people,
            messages: messages.to_vec(),
        };
        statistics.sent.insert(turn.request_id.to_owned(), sent);
    }
}

/// Of the people who were reached, those who opened the message.
pub(super) fn opened(people: u64) -> u64 {
    people * 3 / 4
}

/// Of the people who were reached, those who clicked.
pub(super) fn clicked(people: u64) -> u64 {
    people / 2
}

/// A number as LINE tells it: not at all where it is small.
fn masked(number: u64) -> Value {
    if number < FEWEST {
        Value::Null
    } else {
        json!(number)
    }
}

/// The URLs that can be tapped, each with the number of its bubble.
fn links(messages: &[Value]) -> BTreeSet<(usize, String)> {
    let mut found = BTreeSet::new();
    for (index, message) in messages.iter().enumerate() {
        collect(message, index + 1, &mut found);
    }
    found
}

fn collect(value: &Value, bubble: usize, found: &mut BTreeSet<(usize, String)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, bubble, found)),
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(url) if matches!(name.as_str(), "uri" | "linkUri") => {
                        found.insert((bubble, url.to_owned()));
                    }
                    _ => collect(member, bubble, found),
                }
            }
        }
        _ => {}
    }
}

fn bad_request() -> Answer {
    Answer::message(400, "Bad Request")
}

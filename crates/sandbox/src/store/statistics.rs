//! What statistics are made from. Nobody in a sandbox opens or clicks anything, so those numbers are
//! fixed shares of the people who were reached.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use time::Date;

use crate::calendar::line_day;

/// Narrowcasts and broadcasts are kept no longer than anything asks about them.
const KEPT: Duration = Duration::from_hours(61 * 24);

/// What was sent, as far as statistics are about it.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    /// Narrowcasts and broadcasts, by the request ID under which they were accepted.
    sent: HashMap<String, Sent>,
    /// By unit name and day.
    pub(crate) units: BTreeMap<(String, Date), Unit>,
}

#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) at: SystemTime,
    pub(crate) people: u64,
    pub(crate) messages: Vec<Value>,
}

/// What was sent under one unit name on one day.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    pub(crate) people: u64,
    /// The most messages of one send.
    pub(crate) bubbles: usize,
    pub(crate) links: BTreeSet<(usize, String)>,
}

impl Statistics {
    /// A narrowcast or broadcast that was accepted under this request ID.
    pub(crate) fn sent(&self, request: &str) -> Option<&Sent> {
        self.sent.get(request)
    }

    /// Counts an accepted send of this kind.
    pub(crate) fn add(
        &mut self,
        kind: &str,
        people: u64,
        body: &Value,
        request_id: &str,
        now: SystemTime,
    ) {
        let messages = body.get("messages").and_then(Value::as_array);
        let messages = messages.map(Vec::as_slice).unwrap_or_default();
        let units = body.get("customAggregationUnits").and_then(Value::as_array);
        let names = units.into_iter().flatten().filter_map(Value::as_str);
        for name in names {
            let key = (name.to_owned(), line_day(now));
            let unit = self.units.entry(key).or_default();
            unit.people += people;
            unit.bubbles = unit.bubbles.max(messages.len());
            unit.links.extend(links(messages));
        }
        if matches!(kind, "narrowcast" | "broadcast") {
            let young = |sent: &Sent| now.duration_since(sent.at).unwrap_or_default() < KEPT;
            self.sent.retain(|_, sent| young(sent));
            let sent = Sent {
                at: now,
                people,
                messages: messages.to_vec(),
            };
            self.sent.insert(request_id.to_owned(), sent);
        }
    }
}

/// Of the people who were reached, those who opened the message.
pub(crate) fn opened(people: u64) -> u64 {
    people * 3 / 4
}

/// Of the people who were reached, those who clicked.
pub(crate) fn clicked(people: u64) -> u64 {
    people / 2
}

/// The URLs that can be tapped, each with the number of its bubble.
pub(crate) fn links(messages: &[Value]) -> BTreeSet<(usize, String)> {
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

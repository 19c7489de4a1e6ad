//! The data behind insights. Nobody in a sandbox opens or clicks anything, so those numbers are fixed
//! shares of the people who were reached.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use time::Date;

use crate::calendar::line_day;

/// How long narrowcasts and broadcasts are kept: longer than any operation asks about them.
const RETENTION: Duration = Duration::from_hours(61 * 24);

/// What was sent, as far as statistics need it.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    /// Narrowcasts and broadcasts, by the request ID under which they were accepted.
    bulk_sends: HashMap<String, BulkSend>,
    /// By unit name and day.
    pub(crate) units: BTreeMap<(String, Date), UnitStatistics>,
}

#[derive(Debug)]
pub(crate) struct BulkSend {
    pub(crate) at: SystemTime,
    pub(crate) people: u64,
    pub(crate) messages: Vec<Value>,
}

/// What was sent under one unit name on one day.
#[derive(Debug, Default)]
pub(crate) struct UnitStatistics {
    pub(crate) people: u64,
    /// The largest number of messages in one send.
    pub(crate) bubbles: usize,
    pub(crate) links: BTreeSet<(usize, String)>,
}

impl Statistics {
    /// A narrowcast or broadcast that was accepted under this request ID.
    pub(crate) fn bulk_send(&self, request: &str) -> Option<&BulkSend> {
        self.bulk_sends.get(request)
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
            let young =
                |sent: &BulkSend| now.duration_since(sent.at).unwrap_or_default() < RETENTION;
            self.bulk_sends.retain(|_, sent| young(sent));
            let sent = BulkSend {
                at: now,
                people,
                messages: messages.to_vec(),
            };
            self.bulk_sends.insert(request_id.to_owned(), sent);
        }
    }
}

/// How many of the people who were reached opened the message.
pub(crate) fn opened(people: u64) -> u64 {
    people * 3 / 4
}

/// How many of the people who were reached clicked.
pub(crate) fn clicked(people: u64) -> u64 {
    people / 2
}

/// The URLs that can be tapped, each with the number of its message, counted from 1.
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

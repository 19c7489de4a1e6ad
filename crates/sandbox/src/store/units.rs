//! The aggregation units that sends named, by month.

use std::collections::HashMap;
use std::time::SystemTime;

use serde_json::Value;
use time::Month;

use crate::calendar::line_month;

/// LINE's limit of names in a month. Further ones are silently ignored.
const MAX_NAMES: usize = 1000;

/// The names of each month in the order of their first use.
#[derive(Debug, Default)]
pub(crate) struct Units(HashMap<(i32, Month), Vec<String>>);

impl Units {
    /// Remembers the units that the body of an accepted send names.
    pub(crate) fn remember(&mut self, body: &Value, now: SystemTime) {
        let known = self.0.entry(line_month(now)).or_default();
        let given = body.get("customAggregationUnits").and_then(Value::as_array);
        for name in given.into_iter().flatten().filter_map(Value::as_str) {
            if known.len() < MAX_NAMES && !known.iter().any(|other| other == name) {
                known.push(name.to_owned());
            }
        }
    }

    /// The names used so far in the month of `now`.
    pub(crate) fn of_month(&self, now: SystemTime) -> &[String] {
        let names = self.0.get(&line_month(now));
        names.map(Vec::as_slice).unwrap_or_default()
    }
}

//! The aggregation units that this month's sends were given, counted and listed. Statistics by unit
//! are insight's part.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::calendar::line_day;
use super::exchange::Answer;
use super::pages;
use super::routes::Route;
use super::state::Turn;

pub(super) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/message/aggregation/info", count),
    Route::bot("GET", "/v2/bot/message/aggregation/list", |turn| {
        list(turn).unwrap_or_else(|refusal| refusal)
    }),
];

/// Further names of a month are sent without being assigned, and LINE does not say so.
const MOST: usize = 1000;

/// The names of each month in the order of their first use, by year and month.
pub(super) type Units = HashMap<(u64, u64), Vec<String>>;

/// Remembers the units of a send that was accepted.
pub(super) fn remember(turn: &mut Turn<'_>, body: &Value) {
    let day = line_day(turn.now);
    let known = turn.state.units.entry((day.year, day.month)).or_default();
    let given = body.get("customAggregationUnits").and_then(Value::as_array);
    for name in given.into_iter().flatten().filter_map(Value::as_str) {
        if known.len() < MOST && !known.iter().any(|other| other == name) {
            known.push(name.to_owned());
        }
    }
}

/// The names of this month.
fn names(turn: &Turn<'_>) -> Vec<String> {
    let day = line_day(turn.now);
    let names = turn.state.units.get(&(day.year, day.month));
    names.cloned().unwrap_or_default()
}

fn count(turn: &mut Turn<'_>) -> Answer {
    let body = json!({ "numOfCustomAggregationUnits": names(turn).len() });
    Answer::json(200, &body)
}

fn list(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let names = names(turn);
    let limit = pages::limit(turn, 100, 100)?;
    let total = u64::try_from(names.len()).unwrap_or(u64::MAX);
    pages::answer(turn, "customAggregationUnits", limit, total, |_, place| {
        let name = usize::try_from(place).ok().and_then(|at| names.get(at));
        name.map(|name| json!(name))
    })
}

//! Listings in pages: the `limit` and `start` of a call, and the continuation tokens that lead from
//! one page to the next. What is listed is for the families to know.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::crypto::fresh_hex;
use super::exchange::Answer;
use super::state::Turn;

const VALID: Duration = Duration::from_hours(24);

#[derive(Debug, Clone)]
struct Place {
    /// The path of the listing; another one does not know the token.
    path: String,
    offset: u64,
    issued: SystemTime,
}

/// The continuation tokens given out, each with the place it leads to.
#[derive(Debug, Default)]
pub(super) struct Pages(HashMap<String, Place>);

impl Pages {
    fn issue(&mut self, path: &str, offset: u64, now: SystemTime) -> String {
        if self.0.len() >= 4096 && self.0.len().is_power_of_two() {
            self.0.retain(|_, place| place.is_valid(now));
        }
        let token = fresh_hex();
        let path = path.to_owned();
        let issued = now;
        let place = Place {
            path,
            offset,
            issued,
        };
        self.0.insert(token.clone(), place);
        token
    }

    fn offset(&self, path: &str, token: &str, now: SystemTime) -> Option<u64> {
        let place = self.0.get(token)?;
        (place.path == path && place.is_valid(now)).then_some(place.offset)
    }
}

impl Place {
    fn is_valid(&self, now: SystemTime) -> bool {
        now.duration_since(self.issued).unwrap_or_default() < VALID
    }
}

/// The `limit` of a call, between 1 and `most`.
pub(super) fn limit(turn: &Turn<'_>, usual: u64, most: u64) -> Result<u64, Answer> {
    let Some(given) = turn.call.query_value("limit") else {
        return Ok(usual);
    };
    let number = given.parse().ok().filter(|n| (1..=most).contains(n));
    number.ok_or_else(|| Answer::invalid_parameter("limit"))
}

/// One page of a listing of `total` entries, under the name `member`. An entry that is `None` is
/// left out, so that a page may be shorter than its limit, as LINE's are.
pub(super) fn answer(
    turn: &mut Turn<'_>,
    member: &str,
    limit: u64,
    total: u64,
    entry: impl Fn(u64) -> Option<Value>,
) -> Result<Answer, Answer> {
    let path = turn.call.path.as_str();
    let start = match turn.call.query_value("start") {
        None => 0,
        Some(token) => turn
            .state
            .pages
            .offset(path, &token, turn.now)
            .ok_or_else(|| Answer::message(400, "Invalid start param"))?,
    };
    let end = start.saturating_add(limit).min(total);
    let entries: Vec<Value> = (start..end).filter_map(entry).collect();
    let mut body = json!({ member: entries });
    if end < total {
        body["next"] = json!(turn.state.pages.issue(path, end, turn.now));
    }
    Ok(Answer::json(200, &body))
}

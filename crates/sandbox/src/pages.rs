//! Listings in pages: the `limit` and `start` of a call, and the page that they ask for. What is
//! listed is for the families to know; how a token leads on, for `continuation`.

use serde_json::{Value, json};

use super::continuation;
use super::exchange::Answer;
use super::state::Turn;

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
    entry: impl Fn(&Turn<'_>, u64) -> Option<Value>,
) -> Result<Answer, Answer> {
    let path = turn.call.path.as_str();
    let start = continuation::start(turn, path)?.unwrap_or_default();
    let end = start.saturating_add(limit).min(total);
    let entries: Vec<Value> = (start..end)
        .filter_map(|place| entry(turn, place))
        .collect();
    let mut body = json!({ member: entries });
    if end < total {
        body["next"] = json!(continuation::token(path, end, turn.now));
    }
    Ok(Answer::json(200, &body))
}

//! Listings in pages: the `limit` and `start` of a call, and the continuation token that leads to the
//! next page. A token is good for a day and for its own listing. What is listed is up to the
//! operations.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::calendar::seconds;
use crate::http::Answer;
use crate::state::Turn;

/// The `limit` of a call, between 1 and `most`.
pub(crate) fn limit(turn: &Turn<'_>, usual: u64, most: u64) -> Result<u64, Answer> {
    let Some(given) = turn.call.query_value("limit") else {
        return Ok(usual);
    };
    let number = given.parse().ok().filter(|n| (1..=most).contains(n));
    number.ok_or_else(|| Answer::invalid_parameter("limit"))
}

/// One page of a listing of `total` entries, under the name `member`. An entry that is `None` is
/// left out, so that a page may be shorter than its limit, as LINE's are.
pub(crate) fn answer(
    turn: &mut Turn<'_>,
    member: &str,
    limit: u64,
    total: u64,
    entry: impl Fn(&Turn<'_>, u64) -> Option<Value>,
) -> Result<Answer, Answer> {
    let path = turn.call.path.as_str();
    let start = start(turn, path)?.unwrap_or_default();
    let end = start.saturating_add(limit).min(total);
    let entries: Vec<Value> = (start..end)
        .filter_map(|place| entry(turn, place))
        .collect();
    let mut body = json!({ member: entries });
    if end < total {
        body["next"] = json!(token(path, end, turn.now));
    }
    Ok(Answer::json(200, &body))
}

const VALID: Duration = Duration::from_hours(24);

/// The token with which `list` goes on at a position.
pub(crate) fn token(list: &str, position: u64, now: SystemTime) -> String {
    let mut token = String::new();
    for byte in format!("{list}:{position}:{}", seconds(now)).bytes() {
        let _infallible = write!(token, "{byte:02x}");
    }
    token
}

/// Where the call's `start` wants `list` to go on, or LINE's answer to a token that is not good.
pub(crate) fn start(turn: &Turn<'_>, list: &str) -> Result<Option<u64>, Answer> {
    let Some(token) = turn.call.query_value("start") else {
        return Ok(None);
    };
    read(&token, list, turn.now)
        .map(Some)
        .ok_or_else(|| Answer::message(400, "Invalid start param"))
}

fn read(token: &str, list: &str, now: SystemTime) -> Option<u64> {
    let pairs = token.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    let text = String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()?;
    let rest = text.strip_prefix(list)?.strip_prefix(':')?;
    let (position, made) = rest.split_once(':')?;
    let made = UNIX_EPOCH.checked_add(Duration::from_secs(made.parse().ok()?))?;
    let fresh = now.duration_since(made).unwrap_or_default() < VALID;
    position.parse().ok().filter(|_| fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_a_day_and_for_its_own_list() {
        let now = UNIX_EPOCH + VALID;
        let made = token("coupons", 20, now);
        assert_eq!(read(&made, "coupons", now), Some(20));
        assert_eq!(read(&made, "members", now), None);
        assert_eq!(read(&made, "coupons", now + VALID), None);
        for wrong in ["", "zz", "yANU9IA", "あ", "6"] {
            assert_eq!(read(wrong, "coupons", now), None, "{wrong}");
        }
    }
}

//! Pagination: the `limit` and `start` parameters, and the continuation token of the next page, which
//! is valid for a day and for its own list only.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::calendar::unix_seconds;
use crate::http::Answer;
use crate::state::Context;

/// The `limit` of a call, between 1 and `most`; `usual` where it has none.
pub(crate) fn limit(ctx: &Context<'_>, usual: u64, most: u64) -> Result<u64, Answer> {
    let Some(given) = ctx.call.query_value("limit") else {
        return Ok(usual);
    };
    let number = given.parse().ok().filter(|n| (1..=most).contains(n));
    number.ok_or_else(|| Answer::invalid_parameter("limit"))
}

/// One page of a list of `total` entries, as the array `member`. An entry that is `None` is left out:
/// a page may be shorter than its limit, as LINE's are.
pub(crate) fn page(
    ctx: &mut Context<'_>,
    member: &str,
    limit: u64,
    total: u64,
    entry: impl Fn(&Context<'_>, u64) -> Option<Value>,
) -> Result<Answer, Answer> {
    let path = ctx.call.path.as_str();
    let start = start_position(ctx, path)?.unwrap_or_default();
    let end = start.saturating_add(limit).min(total);
    let entries: Vec<Value> = (start..end)
        .filter_map(|position| entry(ctx, position))
        .collect();
    let mut body = json!({ member: entries });
    if end < total {
        body["next"] = json!(continuation_token(path, end, ctx.now));
    }
    Ok(Answer::json(200, &body))
}

const TOKEN_LIFETIME: Duration = Duration::from_hours(24);

/// The token with which `list` continues at a position.
pub(crate) fn continuation_token(list: &str, position: u64, now: SystemTime) -> String {
    let mut token = String::new();
    for byte in format!("{list}:{position}:{}", unix_seconds(now)).bytes() {
        let _infallible = write!(token, "{byte:02x}");
    }
    token
}

/// The position at which the call's `start` continues `list`; `None` without a `start`.
pub(crate) fn start_position(ctx: &Context<'_>, list: &str) -> Result<Option<u64>, Answer> {
    let Some(token) = ctx.call.query_value("start") else {
        return Ok(None);
    };
    parse_token(&token, list, ctx.now)
        .map(Some)
        .ok_or_else(|| Answer::message(400, "Invalid start param"))
}

fn parse_token(token: &str, list: &str, now: SystemTime) -> Option<u64> {
    let pairs = token.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    let text = String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()?;
    let rest = text.strip_prefix(list)?.strip_prefix(':')?;
    let (position, made) = rest.split_once(':')?;
    let made = UNIX_EPOCH.checked_add(Duration::from_secs(made.parse().ok()?))?;
    let fresh = now.duration_since(made).unwrap_or_default() < TOKEN_LIFETIME;
    position.parse().ok().filter(|_| fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_a_day_and_for_its_own_list() {
        let now = UNIX_EPOCH + TOKEN_LIFETIME;
        let made = continuation_token("coupons", 20, now);
        assert_eq!(parse_token(&made, "coupons", now), Some(20));
        assert_eq!(parse_token(&made, "members", now), None);
        assert_eq!(parse_token(&made, "coupons", now + TOKEN_LIFETIME), None);
        for wrong in ["", "zz", "yANU9IA", "あ", "6"] {
            assert_eq!(parse_token(wrong, "coupons", now), None, "{wrong}");
        }
    }
}

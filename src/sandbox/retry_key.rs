//! `X-Line-Retry-Key`: remembered for a day with what was accepted under it. It does not know which
//! operations take one; the route table does.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::crypto::is_uuid;
use super::exchange::Answer;
use super::state::Turn;

pub(super) const HEADER: &str = "x-line-retry-key";

const REMEMBERED: Duration = Duration::from_hours(24);

#[derive(Debug, Clone)]
struct Accepted {
    at: SystemTime,
    request_id: String,
    path: String,
    body: Vec<u8>,
    sent_messages: Option<Value>,
}

#[derive(Debug, Default)]
pub(super) struct RetryKeys(HashMap<String, Accepted>);

/// The key of this call if it is a new one, or LINE's answer to a malformed or an accepted one.
pub(super) fn check(turn: &mut Turn<'_>) -> Result<Option<String>, Answer> {
    let Some(key) = turn.call.headers.get(HEADER) else {
        return Ok(None);
    };
    if !is_uuid(key) {
        return Err(Answer::message(
            400,
            "The value for the 'X-Line-Retry-Key' header is invalid",
        ));
    }
    let key = key.to_ascii_lowercase();
    let Some(accepted) = turn.state.retry_keys.0.get(&key) else {
        return Ok(Some(key));
    };
    if turn.now.duration_since(accepted.at).unwrap_or_default() >= REMEMBERED {
        return Ok(Some(key));
    }
    turn.record.retry_key_reused_with_other_body =
        accepted.path != turn.call.path || accepted.body != turn.call.body;
    let mut body = json!({ "message": "The retry key is already accepted" });
    if let (Some(sent), true) = (&accepted.sent_messages, accepted.path == turn.call.path) {
        body["sentMessages"] = sent.clone();
    }
    Err(Answer::json(409, &body).with("x-line-accepted-request-id", &accepted.request_id))
}

/// Remembers what was accepted under a key.
pub(super) fn remember(turn: &mut Turn<'_>, key: &str, sent_messages: Option<Value>) {
    let keys = &mut turn.state.retry_keys.0;
    if keys.len() >= 4096 && keys.len().is_power_of_two() {
        let now = turn.now;
        keys.retain(|_, known| now.duration_since(known.at).unwrap_or_default() < REMEMBERED);
    }
    let accepted = Accepted {
        at: turn.now,
        request_id: turn.request_id.to_owned(),
        path: turn.call.path.clone(),
        body: turn.call.body.clone(),
        sent_messages,
    };
    keys.insert(key.to_owned(), accepted);
}

//! `X-Line-Retry-Key`: whether a call may go on, and what is remembered of one that was accepted.
//! Which operations take a key is up to the route table.

use serde_json::json;

use crate::crypto::short_digest;
use crate::http::Answer;
use crate::ids::{uuid_number, uuid_text};
use crate::state::Turn;
use crate::store::retry_key::Accepted;
use crate::store::sent_messages::SentMessages;

pub(crate) const HEADER: &str = "x-line-retry-key";

/// The key of this call if it is a new one, or LINE's answer to a malformed or an accepted one.
pub(crate) fn check(turn: &mut Turn<'_>) -> Result<Option<String>, Answer> {
    let Some(key) = turn.call.headers.get(HEADER) else {
        return Ok(None);
    };
    let Some(number) = uuid_number(key) else {
        return Err(Answer::message(
            400,
            "The value for the 'X-Line-Retry-Key' header is invalid",
        ));
    };
    let key = key.to_ascii_lowercase();
    let Some(accepted) = turn.state.retry_keys.get(number, turn.now) else {
        return Ok(Some(key));
    };
    let same_path = accepted.path == short_digest(turn.call.path.as_bytes());
    turn.record.retry_key_reused_with_other_body =
        !same_path || accepted.body != short_digest(&turn.call.body);
    let mut body = json!({ "message": "The retry key is already accepted" });
    if let (Some(sent), true) = (&accepted.sent_messages, same_path) {
        body["sentMessages"] = sent.shown();
    }
    Err(Answer::json(409, &body).with(
        "x-line-accepted-request-id",
        &uuid_text(accepted.request_id),
    ))
}

/// Remembers what was accepted under a key.
pub(crate) fn remember(turn: &mut Turn<'_>, key: &str, sent_messages: Option<SentMessages>) {
    let accepted = Accepted {
        at: turn.now,
        request_id: uuid_number(turn.request_id).unwrap_or_default(),
        path: short_digest(turn.call.path.as_bytes()),
        body: short_digest(&turn.call.body),
        sent_messages,
    };
    if let Some(number) = uuid_number(key) {
        turn.state.retry_keys.insert(number, accepted);
    }
}

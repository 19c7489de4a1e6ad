//! `X-Line-Retry-Key`: refusing a call whose key was accepted before, and remembering accepted ones.
//! Which operations take a key is in the route table.

use serde_json::json;

use crate::crypto::short_digest;
use crate::http::Answer;
use crate::ids::{uuid_number, uuid_text};
use crate::state::Context;
use crate::store::retry_key::Accepted;
use crate::store::sent_messages::SentMessages;

pub(crate) const HEADER: &str = "x-line-retry-key";

/// The key of this call, if it has one. Refuses a malformed key with 400, and one under which a call
/// was accepted with 409.
pub(crate) fn check(ctx: &mut Context<'_>) -> Result<Option<String>, Answer> {
    let Some(key) = ctx.call.headers.get(HEADER) else {
        return Ok(None);
    };
    let Some(number) = uuid_number(key) else {
        return Err(Answer::message(
            400,
            "The value for the 'X-Line-Retry-Key' header is invalid",
        ));
    };
    let key = key.to_ascii_lowercase();
    let Some(accepted) = ctx.state.retry_keys.get(number, ctx.now) else {
        return Ok(Some(key));
    };
    let same_path = accepted.path == short_digest(ctx.call.path.as_bytes());
    ctx.record.retry_key_reused_with_other_body =
        !same_path || accepted.body != short_digest(&ctx.call.body);
    let mut body = json!({ "message": "The retry key is already accepted" });
    if let (Some(sent), true) = (&accepted.sent_messages, same_path) {
        body["sentMessages"] = sent.to_json();
    }
    Err(Answer::json(409, &body).with(
        "x-line-accepted-request-id",
        &uuid_text(accepted.request_id),
    ))
}

/// Remembers that this call was accepted under a key.
pub(crate) fn remember(ctx: &mut Context<'_>, key: &str, sent_messages: Option<SentMessages>) {
    let accepted = Accepted {
        at: ctx.now,
        request_id: uuid_number(ctx.request_id).unwrap_or_default(),
        path: short_digest(ctx.call.path.as_bytes()),
        body: short_digest(&ctx.call.body),
        sent_messages,
    };
    if let Some(number) = uuid_number(key) {
        ctx.state.retry_keys.insert(number, accepted);
    }
}

//! One event as the platform gets it, on a line or as a request's body.

use line_connector_core::json_text::in_one_line;
use serde::Serialize;
use serde_json::value::RawValue;

use super::queue::QueuedEvent;

#[derive(Debug, Serialize)]
struct Document<'a> {
    sequence: i64,
    id: &'a str,
    destination: &'a str,
    chat: &'a str,
    attempt: i64,
    #[serde(skip_serializing_if = "is_false")]
    stale: bool,
    event: &'a RawValue,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Why an event has no document. The queue holds only what was serialised before, but disks fail.
const DAMAGED: &str = "what the queue holds of it is damaged";

/// An event as one line of JSON, without its end; `stale` where it is older than ids are remembered.
///
/// # Errors
///
/// Why it can never be delivered.
pub fn document(event: &QueuedEvent, stale: bool) -> Result<String, String> {
    let body: Result<&RawValue, _> = serde_json::from_str(&event.body);
    let document = body.and_then(|body| {
        serde_json::to_string(&Document {
            sequence: event.sequence,
            id: &event.id,
            destination: &event.channel,
            chat: &event.chat,
            attempt: event.attempt,
            stale,
            event: body,
        })
    });
    document.map(in_one_line).map_err(|_| DAMAGED.to_owned())
}

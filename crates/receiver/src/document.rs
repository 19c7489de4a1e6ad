//! One event as the platform gets it, on a line or as a request's body.

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
    event: &'a RawValue,
}

/// An event as one line of JSON, without its end.
pub(crate) fn document(event: &QueuedEvent) -> String {
    let body: Result<&RawValue, _> = serde_json::from_str(&event.body);
    let document = body.and_then(|body| {
        serde_json::to_string(&Document {
            sequence: event.sequence,
            id: &event.id,
            destination: &event.channel,
            chat: &event.chat,
            attempt: event.attempt,
            event: body,
        })
    });
    // The queue holds only what was serialised before.
    document.unwrap_or_default()
}

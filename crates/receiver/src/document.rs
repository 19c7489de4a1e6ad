//! One event as the platform gets it, on a line or as a request's body.

use line_connector_core::json_text::in_one_line;
use serde::Serialize;
use serde_json::value::RawValue;

use super::queue::{NewEvent, QueuedEvent};

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

#[derive(Debug, Serialize)]
struct Published<'a> {
    id: &'a str,
    destination: &'a str,
    chat: &'a str,
    event: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<&'a str>,
}

/// An event for another system, which numbers events and counts attempts by itself, as one line of
/// JSON. Where that cannot take the event, the reason stands in its place.
///
/// # Errors
///
/// Why it can never be published.
pub fn published(
    event: &NewEvent,
    destination: &str,
    omitted: Option<&str>,
) -> Result<String, String> {
    let body: Option<&RawValue> = match omitted {
        Some(_) => None,
        None => Some(serde_json::from_str(&event.body).map_err(|error| error.to_string())?),
    };
    let document = serde_json::to_string(&Published {
        id: &event.id,
        destination,
        chat: &event.chat,
        event: body,
        omitted,
    });
    document.map(in_one_line).map_err(|error| error.to_string())
}

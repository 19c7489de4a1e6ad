//! LINE's webhooks: verified over the raw bytes, then read into the connector's own events. It does
//! no I/O and reads no clock; the callers decide what becomes of the events.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::documents::json;
use crate::error::{Error, Kind};
use line_connector_catalog::definition::ContentActions;

pub mod cause;
pub mod event;
mod lenient;
pub mod moment;
mod normalise;
mod postback;
pub mod signature;
mod text;
mod wire;

pub use event::{Event, Type};
use lenient::Text;
use moment::Moment;

/// What a webhook is read with: what the manifest declares, and when the webhook came.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'t> {
    content: &'t ContentActions,
    received: Moment,
}

impl<'t> Terms<'t> {
    /// The actions that fetch content, and the time at which this webhook came.
    #[must_use]
    pub fn new(content: &'t ContentActions, received: SystemTime) -> Self {
        let since = received.duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let received = Moment::START.later(millis);
        Self { content, received }
    }
}

/// What one webhook brings.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery<'a> {
    /// The user id of the account's bot.
    pub destination: Cow<'a, str>,
    /// The events in LINE's order; none where LINE only tries the address.
    pub events: Vec<Event<'a>>,
}

/// The webhook's outermost fields.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    destination: Text<'a>,
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// Reads a webhook whose signature is good.
///
/// # Errors
///
/// [`Kind::InvalidDocument`] where the body is not a webhook at all. An event is never the reason:
/// what cannot be understood is an event of type `unknown`.
pub fn read<'a>(body: &'a [u8], terms: &Terms<'a>) -> Result<Delivery<'a>, Error> {
    let text = json::decoded(body).map_err(foreign)?;
    let body: Body<'a> = serde_json::from_str(text).map_err(|error| {
        foreign(if error.is_data() {
            "it must be an object with `destination` and an array of `events`".to_owned()
        } else {
            format!("it is not JSON: {}", json::why(text, &error))
        })
    })?;
    let destination = body.destination.filled();
    let destination = destination.ok_or_else(|| foreign("`destination` is missing"))?;
    let events = body.events.into_iter();
    let events = events.map(|raw| normalise::event(raw, terms)).collect();
    Ok(Delivery {
        destination,
        events,
    })
}

fn foreign(reason: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::InvalidDocument,
        format!("the signed body is not a webhook of LINE's: {reason}"),
    )
    .with_hint("hand over the bodies that LINE posts to the channel's webhook URL, and no others")
}

/// Whom a body claims to be for. It chooses the secret to verify with; nothing else of a body may
/// be used before that.
#[must_use]
pub fn destination(body: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Claim<'a> {
        #[serde(borrow, default)]
        destination: Text<'a>,
    }
    let claim: Claim<'_> = serde_json::from_slice(body).ok()?;
    claim.destination.filled()
}

//! The events that were played, for redelivery and download.

use serde_json::Value;

use super::bounded::BoundedMap;
use crate::content::Content;
use crate::settings::Settings;

/// Contents are large: of what users send, only so much can still be downloaded.
const MOST_CONTENTS: usize = 1000;

/// What was played, for redelivery and download.
#[derive(Debug)]
pub(crate) struct PlayedEvents {
    /// By `webhookEventId`.
    pub(crate) events: BoundedMap<Value>,
    /// By message ID.
    pub(crate) contents: BoundedMap<Content>,
}

impl PlayedEvents {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            events: BoundedMap::new(settings.keep_records),
            contents: BoundedMap::new(settings.keep_records.min(MOST_CONTENTS)),
        }
    }
}

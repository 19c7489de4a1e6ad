//! The events that were played, for redelivery, and their contents, for download.

use serde_json::Value;

use super::bounded::BoundedMap;
use crate::content::Content;
use crate::settings::Settings;

/// How many contents are kept; they are large.
const MAX_CONTENTS: usize = 1000;

/// The events that were played, and their contents.
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
            contents: BoundedMap::new(settings.keep_records.min(MAX_CONTENTS)),
        }
    }
}

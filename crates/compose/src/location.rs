//! Places on a map. LINE demands an address: without one it is the title, and its limits are short.

use line_connector_text::length::utf16;
use serde_json::{Value, json};

use crate::composer::{Composer, Words};
use crate::message::LocationMessage;
use crate::report::Place;

/// The most that a title and an address may have, UTF-16 units.
const MAX_TEXT: usize = 100;

impl<'a> Composer<'a> {
    /// The message of a location.
    pub(crate) fn location(&mut self, location: &LocationMessage<'a>, place: &Place) -> Vec<Value> {
        let coordinates = self.coordinates(&location.coordinates, place);
        let title = self.label(location.title, place, "title");
        let (Some((latitude, longitude)), Some(title)) = (coordinates, title) else {
            return Vec::new();
        };
        let shown = self.short(&title);
        let address = match Words::optional(location.label, place, "label") {
            Some(label) => self.short(&label),
            None => shown.clone(),
        };
        vec![json!({
            "type": "location", "title": shown, "address": address,
            "latitude": latitude, "longitude": longitude,
        })]
    }

    fn short(&mut self, words: &Words<'_>) -> String {
        let plain = self.plain(words);
        self.cut_plain(plain, &words.place, MAX_TEXT, utf16)
            .into_owned()
    }
}

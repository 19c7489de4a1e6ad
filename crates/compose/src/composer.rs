//! What composing one item needs: the options, the report, and what all kinds of messages share: texts
//! without emoji, shortened texts, alternative texts, URLs of media, default postback data.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use line_connector_text::cut::shortened;
use line_connector_text::length::{code_points, escaped_bytes, utf16};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::emoji;
use crate::link::{self, MAX_MEDIA};
use crate::options::{Emoji, Options};
use crate::report::{Code, Place, Problem, Report, What};
use crate::{MAX_BYTES, text};

/// The most that an alternative text may have, UTF-16 units.
const MAX_ALT_TEXT: usize = 1500;

/// The most that one text in a Flex Message has as JSON, bytes: LINE's limit is on the whole bubble.
/// Longer ones are shown whole in text messages.
pub(crate) const MAX_FLEX_TEXT: usize = 6000;

/// How much of such a text the Flex Message has, characters.
const MAX_BEGINNING: usize = 200;

/// The most that postback data may have, UTF-16 units.
pub(crate) const MAX_DATA: usize = 300;

/// Hexadecimal digits of a digest that tell messages apart.
const DIGEST: usize = 12;

/// A visible text and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct Words<'a> {
    pub(crate) text: &'a str,
    pub(crate) place: Place,
}

impl<'a> Words<'a> {
    /// An optional text; an empty one is an absent one.
    pub(crate) fn optional(text: Option<&'a str>, place: &Place, name: &str) -> Option<Self> {
        let text = crate::message::filled(text)?;
        Some(Self {
            text,
            place: place.key(name),
        })
    }
}

/// Composes one item.
#[derive(Debug)]
pub(crate) struct Composer<'a> {
    pub(crate) options: &'a Options,
    pub(crate) report: Report,
    /// Whether no item follows.
    pub(crate) is_last: bool,
    /// What the request's body has beside the messages.
    pub(crate) request: Map<String, Value>,
    item: &'a Value,
    key: Option<String>,
    /// How often each default data was given to choices, to keep them apart.
    given: HashMap<String, usize>,
}

impl<'a> Composer<'a> {
    pub(crate) fn new(item: &'a Value, options: &'a Options, is_last: bool) -> Self {
        Self {
            options,
            report: Report::default(),
            is_last,
            request: Map::new(),
            item,
            key: None,
            given: HashMap::new(),
        }
    }

    /// A text for a place where LINE has no emoji.
    pub(crate) fn without_emoji<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.options.emoji {
            Emoji::On => emoji::without(text),
            Emoji::Off => Cow::Borrowed(text),
        }
    }

    /// The same, and reported.
    pub(crate) fn plain<'t>(&mut self, words: &Words<'t>) -> Cow<'t, str> {
        let plain = self.without_emoji(words.text);
        if let Cow::Owned(plain) = &plain
            && plain != words.text
        {
            let message = "lost its LINE emoji: LINE shows them in text messages only";
            self.report.changed(&words.place, What::Dropped, message);
        }
        plain
    }

    /// A text without emoji that has at most so many characters.
    pub(crate) fn cut<'t>(&mut self, words: &Words<'t>, limit: usize) -> Cow<'t, str> {
        let plain = self.plain(words);
        self.cut_plain(plain, &words.place, limit, code_points)
    }

    /// Shortens what is too long, and reports it.
    pub(crate) fn cut_plain<'t>(
        &mut self,
        text: Cow<'t, str>,
        place: &Place,
        limit: usize,
        measure: fn(&str) -> usize,
    ) -> Cow<'t, str> {
        let Some(short) = shortened(&text, limit, measure) else {
            return text;
        };
        let found = measure(&text);
        let message = format!("is shortened to {limit} characters");
        self.report
            .exceeded(place, What::Truncated, (limit, found), message);
        Cow::Owned(short)
    }

    /// A text for a Flex Message. One that is too long is shortened there, and its whole goes into text
    /// messages, which are added to `whole`.
    pub(crate) fn flex_text<'t>(
        &mut self,
        words: &Words<'t>,
        whole: &mut Vec<Value>,
    ) -> Cow<'t, str> {
        let plain = self.without_emoji(words.text);
        let found = escaped_bytes(&plain);
        if found <= MAX_FLEX_TEXT {
            return self.plain(words);
        }
        let message = "is shown whole in a text message; the Flex Message has its beginning";
        let amounts = (MAX_FLEX_TEXT, found);
        self.report
            .exceeded(&words.place, What::Transcoded, amounts, message);
        whole.extend(self.texts(words.text, &words.place));
        Cow::Owned(shortened(&plain, MAX_BEGINNING, code_points).unwrap_or_default())
    }

    /// The text messages that a text becomes.
    pub(crate) fn texts(&mut self, text: &str, place: &Place) -> Vec<Value> {
        if text.len() > MAX_BYTES {
            self.report.refuse(Problem::too_large(place));
            return Vec::new();
        }
        text::messages(text, place, self.options, &mut self.report)
    }

    /// What stands where a message cannot be shown: the caller's, or the first of these that is there.
    pub(crate) fn alt_text(&self, lines: &[&str], labels: &[&str]) -> String {
        let own = crate::message::filled(self.options.alt_text.as_deref());
        let text = match own {
            Some(own) => own.to_owned(),
            None if lines.is_empty() => self.without_emoji(&labels.join(" / ")).into_owned(),
            None => self.without_emoji(&lines.join("\n")).into_owned(),
        };
        // A picture with nothing to say.
        let text = if text.trim().is_empty() {
            "🖼".to_owned()
        } else {
            text
        };
        shortened(&text, MAX_ALT_TEXT, utf16).unwrap_or(text)
    }

    /// The URL of media as LINE takes it.
    pub(crate) fn media_url(&mut self, url: &str, place: &Place) -> Option<String> {
        let encoded = link::encoded(url);
        let problem = if !encoded.starts_with("https://") || encoded.len() <= "https://".len() {
            Problem::new(place, "is no HTTPS URL")
                .code(Code::MediaNotReachable)
                .expected("a URL that begins with https://; LINE fetches nothing else")
        } else if encoded.len() > MAX_MEDIA {
            Problem::new(place, "is too long a URL")
                .expected(format!("at most {MAX_MEDIA} characters, percent-encoded"))
                .found(format!("{} characters", encoded.len()))
        } else {
            self.report_encoding(url, &encoded, place);
            return Some(encoded);
        };
        self.report.refuse(problem);
        None
    }

    /// Says so where percent-encoding changed a URL.
    pub(crate) fn report_encoding(&mut self, url: &str, encoded: &str, place: &Place) {
        if url.trim().len() != encoded.len() {
            let message = "is percent-encoded, as LINE wants URLs";
            self.report.changed(place, What::Transcoded, message);
        }
    }

    /// Default postback data of a choice: stable, and its own within the item.
    pub(crate) fn default_data(&mut self, text: &str) -> String {
        let key = self.key();
        let mut data = format!("{key}_{text}");
        if utf16(&data) > MAX_DATA {
            let short = digest(text.as_bytes());
            data = format!("{key}_{short}");
        }
        if utf16(&data) > MAX_DATA {
            data = digest(data.as_bytes());
        }
        let given = self.given.entry(data.clone()).or_default();
        *given += 1;
        if *given == 1 {
            return data;
        }
        let numbered = format!("{data}_{given}");
        if utf16(&numbered) > MAX_DATA {
            digest(numbered.as_bytes())
        } else {
            numbered
        }
    }

    fn key(&mut self) -> String {
        if let Some(key) = crate::message::filled(self.options.key.as_deref()) {
            return key.to_owned();
        }
        let item = self.item;
        let key = self
            .key
            .get_or_insert_with(|| digest(item.to_string().as_bytes()));
        key.clone()
    }

    /// Reports what belongs to other channels.
    pub(crate) fn foreign(&mut self, properties: Option<&Map<String, Value>>, place: &Place) {
        for name in properties.into_iter().flat_map(Map::keys) {
            let at = place.key("message_properties").key(name);
            self.report.changed(
                &at,
                What::Dropped,
                "is for other channels; LINE has no place for it",
            );
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(DIGEST);
    for byte in Sha256::digest(bytes).iter().take(DIGEST / 2) {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

//! How LINE measures length: UTF-16 code units, grapheme clusters, and bytes of compact JSON. The
//! schemas say which limit applies where.

use serde_json::{Map, Number, Value};
use unicode_segmentation::UnicodeSegmentation;

/// What a length is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// UTF-16 code units, LINE's default.
    Utf16,
    /// Grapheme clusters: labels, postback texts, template texts.
    Graphemes,
}

impl Unit {
    /// How long a text is.
    #[must_use]
    pub fn count(self, text: &str) -> usize {
        match self {
            Unit::Utf16 => utf16(text),
            Unit::Graphemes => text.graphemes(true).count(),
        }
    }

    /// One of them, in words.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Unit::Utf16 => "UTF-16 unit",
            Unit::Graphemes => "character",
        }
    }
}

/// UTF-16 code units, as LINE counts most texts.
#[must_use]
pub fn utf16(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Code points. LINE documents grapheme clusters for labels and the texts of templates, and was seen
/// to count these: what has few enough code points is short enough either way.
#[must_use]
pub fn code_points(text: &str) -> usize {
    text.chars().count()
}

/// The size of a value as compact JSON in UTF-8.
#[must_use]
pub fn json_bytes(value: &Value) -> usize {
    Sizes::default().of(value)
}

/// Caches the sizes of values that have a limit of their own, so that the sizes of their containers
/// need no second pass. Keyed by address, so valid for one borrowed document only.
#[derive(Debug, Default)]
pub struct Sizes(Vec<(*const Value, usize)>);

impl Sizes {
    /// Whether a value as compact JSON in UTF-8 has at most so many bytes.
    pub fn fits(&mut self, value: &Value, most: usize) -> bool {
        let bytes = self.of(value);
        self.0.push((value, bytes));
        bytes <= most
    }

    fn of(&self, value: &Value) -> usize {
        match value {
            Value::Null | Value::Bool(true) => 4,
            Value::Bool(false) => 5,
            Value::Number(number) => digits(number),
            Value::String(text) => text_bytes(text),
            Value::Array(items) => self.of_array(items),
            Value::Object(members) => self.known(value).unwrap_or_else(|| self.of_object(members)),
        }
    }

    fn of_array(&self, items: &[Value]) -> usize {
        around(items.len()) + items.iter().map(|item| self.of(item)).sum::<usize>()
    }

    fn of_object(&self, members: &Map<String, Value>) -> usize {
        let member = |(name, value): (&String, &Value)| text_bytes(name) + 1 + self.of(value);
        around(members.len()) + members.iter().map(member).sum::<usize>()
    }

    fn known(&self, value: &Value) -> Option<usize> {
        let mut known = self.0.iter();
        known.find_map(|(place, bytes)| std::ptr::eq(*place, value).then_some(*bytes))
    }
}

fn digits(number: &Number) -> usize {
    match number.as_u64() {
        Some(0) => 1,
        Some(whole) => whole.ilog10() as usize + 1,
        None => number.to_string().len(),
    }
}

/// Brackets, and the commas between `count` elements.
fn around(count: usize) -> usize {
    2 + count.saturating_sub(1)
}

/// The size of a string with its quotes and escapes.
fn text_bytes(text: &str) -> usize {
    2 + escaped_bytes(text)
}

/// The size of a string within JSON, with its escapes and without quotes.
#[must_use]
pub fn escaped_bytes(text: &str) -> usize {
    let more: usize = text
        .bytes()
        .map(|byte| usize::from(MORE[usize::from(byte)]))
        .sum();
    text.len() + more
}

/// How many extra bytes escaping adds to each byte of a string.
const MORE: [u8; 256] = {
    let mut more = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        more[byte] = 5;
        byte += 1;
    }
    // Two-character escapes, such as `\n`.
    more[0x08] = 1;
    more[b'\t' as usize] = 1;
    more[b'\n' as usize] = 1;
    more[0x0c] = 1;
    more[b'\r' as usize] = 1;
    more[b'"' as usize] = 1;
    more[b'\\' as usize] = 1;
    more
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_counted_as_it_is_written() {
        let letters: String = ('\0'..='\u{ff}').chain("海🍎\u{2028}".chars()).collect();
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!([true, false, 0, -7, 1.5, 1e300, u64::MAX]),
            json!({letters.clone(): {"b": [letters, ""]}, "c": [[], {}]}),
        ] {
            assert_eq!(json_bytes(&value), value.to_string().len(), "{value}");
        }
    }

    #[test]
    fn parts_that_were_counted_add_up() {
        let part = json!({"texts": ["\"", "é", -7], "more": {"a": null}});
        let whole = json!({"before": part.clone(), "parts": [part, {}], "after": 1.5});
        let bytes = |value: &Value| value.to_string().len();
        let mut sizes = Sizes::default();
        for part in [&whole["parts"][0], &whole["parts"][1], &whole] {
            assert!(!sizes.fits(part, bytes(part) - 1), "{part}");
            assert!(sizes.fits(part, bytes(part)), "{part}");
        }
    }

    #[test]
    fn the_sheets_vectors_count_as_line_counts_them() {
        for (text, units, graphemes) in [
            ("A", 1, 1),
            ("あ", 1, 1),
            ("🍎", 2, 1),
            ("👍🏽", 4, 1),
            ("👨‍👩‍👧‍👦", 11, 1),
            ("🇯🇵", 4, 1),
            ("\u{304b}\u{3099}", 2, 1),
            ("𠮷", 2, 1),
        ] {
            assert_eq!(Unit::Utf16.count(text), units, "{text}");
            assert_eq!(Unit::Graphemes.count(text), graphemes, "{text}");
        }
    }
}

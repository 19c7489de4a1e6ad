//! How LINE counts: UTF-16 units, what people see as one character, and bytes of JSON. Which limit
//! applies where is the schemas' business.

use std::io;

use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

/// What a length is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// UTF-16 code units, LINE's default.
    Utf16,
    /// Grapheme clusters: labels, postback texts, template texts.
    Graphemes,
}

impl Unit {
    pub(super) fn count(self, text: &str) -> usize {
        match self {
            Unit::Utf16 => utf16(text),
            Unit::Graphemes => text.graphemes(true).count(),
        }
    }

    pub(super) fn noun(self) -> &'static str {
        match self {
            Unit::Utf16 => "UTF-16 unit",
            Unit::Graphemes => "character",
        }
    }
}

pub(super) fn utf16(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The size of a value as compact JSON in UTF-8.
pub(super) fn json_bytes(value: &Value) -> usize {
    let mut counter = Counter(0);
    // Counting cannot fail, and neither can a `Value` be without a JSON text.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

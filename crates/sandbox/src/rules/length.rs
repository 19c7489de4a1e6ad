//! Counts characters the two ways LINE does: UTF-16 code units, and grapheme clusters, which are
//! what a reader sees as one character.

use unicode_segmentation::UnicodeSegmentation as _;

/// The unit in which a length is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LengthUnit {
    Utf16,
    Grapheme,
}

pub(super) fn length(text: &str, unit: LengthUnit) -> usize {
    match unit {
        LengthUnit::Utf16 => text.encode_utf16().count(),
        LengthUnit::Grapheme => text.graphemes(true).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fact_sheets_values_are_counted_as_printed() {
        for (text, utf16, graphemes) in [
            ("", 0, 0),
            ("A", 1, 1),
            ("あ", 1, 1),
            ("🍎", 2, 1),
            ("👍🏽", 4, 1),
            ("👨‍👩‍👧‍👦", 11, 1),
            ("🇯🇵", 4, 1),
            ("🇯🇵🇹🇭", 8, 2),
            ("か\u{3099}", 2, 1),
            ("𠮷", 2, 1),
            ("สวัสดี", 6, 4),
            ("한국", 2, 2),
            ("\u{1112}\u{1161}\u{11ab}", 3, 1),
            ("a\r\nb", 4, 3),
            ("❤️‍🔥", 5, 1),
            ("1️⃣", 3, 1),
        ] {
            assert_eq!(length(text, LengthUnit::Utf16), utf16, "{text:?} in UTF-16");
            assert_eq!(
                length(text, LengthUnit::Grapheme),
                graphemes,
                "{text:?} in graphemes"
            );
        }
    }
}

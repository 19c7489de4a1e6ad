//! Shortens visible texts: at a grapheme border, ending in `…`, which counts.

use unicode_segmentation::UnicodeSegmentation;

/// What stands at the end of a shortened text.
const ELLIPSIS: &str = "…";

/// The text shortened to `limit` as `measure` counts; `None` where it fits as it is. `measure` must be
/// additive. White space before the `…` goes.
#[must_use]
pub fn shortened(text: &str, limit: usize, measure: fn(&str) -> usize) -> Option<String> {
    if measure(text) <= limit {
        return None;
    }
    let mut left = limit.saturating_sub(measure(ELLIPSIS));
    let mut kept = 0;
    for grapheme in text.graphemes(true) {
        let Some(rest) = left.checked_sub(measure(grapheme)) else {
            break;
        };
        left = rest;
        kept += grapheme.len();
    }
    let kept = text.get(..kept).unwrap_or_default().trim_end();
    Some(format!("{kept}{ELLIPSIS}"))
}

#[cfg(test)]
mod tests {
    use super::shortened;
    use crate::length::{code_points, utf16};

    #[test]
    fn nothing_is_cut_within_what_people_see_as_one_character() {
        let family = "👨‍👩‍👧‍👦";
        for (text, limit, expected) in [
            ("abc", 3, None),
            ("abcd", 3, Some("ab…")),
            ("ab cd", 4, Some("ab…")),
            ("か\u{3099}か\u{3099}", 3, Some("か\u{3099}…")),
        ] {
            assert_eq!(
                shortened(text, limit, code_points).as_deref(),
                expected,
                "{text}"
            );
        }
        let families = family.repeat(3);
        assert_eq!(shortened(&families, 20, utf16), Some(format!("{family}…")));
        assert_eq!(shortened(&families, 5, utf16).as_deref(), Some("…"));
    }
}

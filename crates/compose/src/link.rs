//! URLs as LINE takes them. They are percent-encoded where they must be, and never shortened.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// The most that an action's URI may have, UTF-16 units.
pub(crate) const MAX_ACTION: usize = 1000;

/// The most that the URL of media may have, UTF-16 units.
pub(crate) const MAX_MEDIA: usize = 2000;

/// LINE wants printable ASCII; everything else that stands in a URL stays.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ');

/// The URL without white space around it, its scheme in small letters, the rest percent-encoded.
pub(crate) fn encoded(url: &str) -> String {
    let mut encoded = utf8_percent_encode(url.trim(), ESCAPED).to_string();
    if let Some(end) = encoded.find(':')
        && let Some(scheme) = encoded.get_mut(..end)
    {
        scheme.make_ascii_lowercase();
    }
    encoded
}

/// Whether LINE opens it: http, https, line or tel.
pub(crate) fn is_opened(uri: &str) -> bool {
    ["https://", "http://", "line:", "tel:"]
        .iter()
        .any(|start| uri.starts_with(start))
}

/// The address of a call: digits, without what people write between them. `None` if it is no number.
pub(crate) fn telephone(number: &str) -> Option<String> {
    let number = number.trim();
    let (plus, number) = match number.strip_prefix('+') {
        Some(rest) => ("+", rest),
        None => ("", number),
    };
    let written = |character: &char| !matches!(character, ' ' | '-' | '.' | '(' | ')' | '\u{a0}');
    let digits: String = number.chars().filter(written).collect();
    let valid =
        (3..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| format!("tel:{plus}{digits}"))
}

/// What the file's name ends in, in small letters: `jpg`.
pub(crate) fn ending(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    // A host's name has no ending that says something about a file.
    if folder.is_empty() && url.contains("://") {
        return None;
    }
    let (_, ending) = name.rsplit_once('.')?;
    let valid = !ending.is_empty() && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    valid.then(|| ending.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_encoded_once() {
        for (url, expected) in [
            (" HTTPS://example.com/A b ", "https://example.com/A%20b"),
            (
                "https://example.com/%E6%B5%B7?q=海",
                "https://example.com/%E6%B5%B7?q=%E6%B5%B7",
            ),
            (
                "https://example.com/a?b=c&d={e}#f",
                "https://example.com/a?b=c&d={e}#f",
            ),
        ] {
            assert_eq!(encoded(url), expected);
        }
    }

    #[test]
    fn numbers_are_called_as_they_are_written() {
        assert_eq!(
            telephone("+81 (3) 1234-5678").as_deref(),
            Some("tel:+81312345678")
        );
        assert_eq!(telephone("0120123456").as_deref(), Some("tel:0120123456"));
        for wrong in ["", "+", "call me", "+8131234567890123", "12;34", "１２３４"] {
            assert_eq!(telephone(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_file_is_known_by_the_end_of_its_path() {
        for (url, expected) in [
            ("https://example.com/a.JPG?v=1.2#x.y", Some("jpg")),
            ("https://example.com/a.b/c", None),
            ("https://example.com", None),
            ("https://example.com?f=a.jpg", None),
            ("report.pdf", Some("pdf")),
            ("https://example.com/a.", None),
        ] {
            assert_eq!(ending(url).as_deref(), expected, "{url}");
        }
    }
}

//! Where the strings of a JSON text stand, without reading the rest of it.

use std::ops::Range;

/// A string in a JSON text.
#[derive(Debug, Clone)]
pub(crate) struct JsonString {
    /// Where its literal stands, quotation marks included.
    pub(crate) range: Range<usize>,
    /// Whether it is the name of a member.
    pub(crate) is_key: bool,
}

/// The strings of a JSON text, in order.
pub(crate) fn strings(json: &str) -> impl Iterator<Item = JsonString> {
    let bytes = json.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes.get(at..)?.iter().position(|byte| *byte == b'"')?;
        let mut end = start + 1;
        while *bytes.get(end)? != b'"' {
            end += if bytes.get(end) == Some(&b'\\') { 2 } else { 1 };
        }
        at = end + 1;
        let mut after = bytes.get(at..)?.iter();
        let is_key = after.find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
        Some(JsonString {
            range: start..at,
            is_key,
        })
    })
}

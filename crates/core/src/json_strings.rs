//! Where the strings of a JSON text stand, without reading the rest of it.

use std::ops::Range;

use memchr::{memchr, memchr2};

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
        let start = at + memchr(b'"', bytes.get(at..)?)?;
        let mut end = start + 1;
        loop {
            end += memchr2(b'"', b'\\', bytes.get(end..)?)?;
            if bytes.get(end) == Some(&b'"') {
                break;
            }
            // What is escaped ends nothing.
            end += 2;
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

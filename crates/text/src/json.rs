//! JSON that is looked at as text: where its strings stand, how much it holds, and whether every reader
//! can take it, without making values of it.

use std::ops::Range;

use memchr::{memchr, memchr2, memmem};

/// How many levels a value may have: what `serde_json` reads, and less than what others do.
const MAX_DEPTH: usize = 127;
/// How many characters a number may have: Python, for one, refuses a whole number of more than 4300.
const MAX_NUMBER: usize = 1000;
/// A number without an exponent that is no longer than this is within 64 bits of floating point.
const MAX_SURE_NUMBER: usize = 308;

/// A string in a JSON text.
#[derive(Debug, Clone)]
pub struct JsonString {
    /// Where its literal stands, quotation marks included.
    pub range: Range<usize>,
    /// Whether it is the name of a member.
    pub is_key: bool,
}

/// The strings of a JSON text, in order.
pub fn strings(json: &str) -> impl Iterator<Item = JsonString> {
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

/// The most values that a parser makes of a text, whether it is JSON or not: each stands at the
/// beginning, behind a bracket or behind a comma. As values they take a hundred times their bytes; to
/// count them makes none.
#[must_use]
pub fn values_at_most(json: &[u8]) -> usize {
    let mut values = 1;
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    values
}

/// A JSON text without line ends. Outside a string, where alone they may stand, they mean nothing.
#[must_use]
pub fn in_one_line(json: String) -> String {
    if json.contains(['\n', '\r']) {
        return json.replace(['\n', '\r'], " ");
    }
    json
}

/// A JSON text laid out for people, two spaces a level: every string and every number stays as it
/// was written.
#[must_use]
pub fn laid_out(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut level = 0_usize;
    let mut at = 0;
    let mut outside = |part: &str, out: &mut String| {
        let mut letters = part.chars().filter(|c| !c.is_whitespace()).peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '{' | '[' => {
                    out.push(letter);
                    if let Some(closing) = letters.next_if(|next| matches!(next, '}' | ']')) {
                        out.push(closing);
                    } else {
                        level += 1;
                        new_line(out, level);
                    }
                }
                '}' | ']' => {
                    level = level.saturating_sub(1);
                    new_line(out, level);
                    out.push(letter);
                }
                ',' => {
                    out.push(letter);
                    new_line(out, level);
                }
                ':' => out.push_str(": "),
                other => out.push(other),
            }
        }
    };
    for string in strings(json) {
        outside(
            json.get(at..string.range.start).unwrap_or_default(),
            &mut out,
        );
        out.push_str(json.get(string.range.clone()).unwrap_or_default());
        at = string.range.end;
    }
    outside(json.get(at..).unwrap_or_default(), &mut out);
    out
}

fn new_line(out: &mut String, level: usize) {
    out.push('\n');
    (0..level).for_each(|_| out.push_str("  "));
}

/// What may be a number in what stands between two strings of a JSON text.
fn numbers(part: &str) -> impl Iterator<Item = &str> {
    let in_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
    part.split(move |c| !in_number(c))
}

fn is_moderate_number(number: &str) -> bool {
    let may_be_infinite = number.len() > MAX_SURE_NUMBER || number.contains(['e', 'E']);
    let is_infinite = may_be_infinite && number.parse().is_ok_and(|value: f64| value.is_infinite());
    number.len() <= MAX_NUMBER && !is_infinite
}

/// Whether readers with usual bounds can take a JSON text: it is [within bounds](is_within_bounds), and no
/// string has half a surrogate pair.
#[must_use]
pub fn is_moderate(json: &str) -> bool {
    let has_codes = memmem::find(json.as_bytes(), b"\\u").is_some();
    let is_text = |string: &JsonString| {
        let literal = json.get(string.range.clone()).unwrap_or_default();
        !literal.contains("\\u") || serde_json::from_str::<String>(literal).is_ok()
    };
    is_within_bounds(json) && (!has_codes || strings(json).all(|string| is_text(&string)))
}

/// Whether a JSON text has at most 127 levels, and no number beyond 64 bits of floating point or of more
/// than 1000 characters.
#[must_use]
pub fn is_within_bounds(json: &str) -> bool {
    let mut outside = 0..0;
    let mut depth = 0_usize;
    let mut between = |part: &str| {
        let mut has_digits = false;
        for byte in part.bytes() {
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                b'0'..=b'9' => has_digits = true,
                _ => {}
            }
            if depth > MAX_DEPTH {
                return false;
            }
        }
        // Between most strings there is no number.
        !has_digits || numbers(part).all(is_moderate_number)
    };
    for string in strings(json) {
        outside.end = string.range.start;
        if !between(json.get(outside.clone()).unwrap_or_default()) {
            return false;
        }
        outside.start = string.range.end;
    }
    between(json.get(outside.start..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_laid_out_is_as_serde_would_have_it_with_its_numbers_as_they_were() {
        let value = json!({"a": [], "b": {}, "c": [1, {"d": "x: {[,]} \" é"}, [null, true]]});
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        assert_eq!(laid_out(&value.to_string()), pretty);
        assert_eq!(laid_out(&pretty), pretty);
        assert_eq!(
            laid_out("[1.50,461230966842064897123]"),
            "[\n  1.50,\n  461230966842064897123\n]"
        );
        assert_eq!(laid_out("\"a b\""), "\"a b\"");
    }

    #[test]
    fn values_are_counted_without_a_parser() {
        for (text, count) in [
            ("7", 1),
            (r#"[1,"a,[{",{"b\",":[2,3]}]"#, 7),
            (r#"{"":0}"#, 2),
            (r#"{"a":1,"b":{"c":null}}"#, 4),
        ] {
            assert_eq!(values_at_most(text.as_bytes()), count, "{text}");
        }
        // Never fewer than there are, whatever the text.
        for text in ["[[],[]]", "[1,", "\"\\", "{]"] {
            assert!(
                values_at_most(text.as_bytes()) >= text.matches(['[', '{']).count(),
                "{text}"
            );
        }
    }
}

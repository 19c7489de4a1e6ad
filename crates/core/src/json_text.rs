//! JSON that is passed on as text: most who get a body of LINE's only hand it to somebody else, and
//! a value is dearer to make than to check.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::documents::json::{MAX_VALUES, values_at_most};
use crate::json_strings::strings;
use crate::redact::Redactor;

/// How many levels a value may have: what `serde_json` reads, and less than what others do.
const MAX_DEPTH: usize = 127;
/// How many characters a number may have: Python, for one, refuses a whole number of more than 4300.
const MAX_NUMBER: usize = 1000;
/// A number without an exponent that is no longer than this is within 64 bits of floating point.
const MAX_SURE_NUMBER: usize = 308;

/// One JSON value as text, in one line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonText(Box<RawValue>);

impl JsonText {
    /// A text that is a JSON value which every reader of the output can take; `None` where it is
    /// not: more than 127 levels, a number beyond 64 bits of floating point or of more than 1000
    /// characters, half a surrogate pair.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::of(serde_json::from_str(text).ok()?)
    }

    /// A value that stood in a larger text; `None` as by [`JsonText::read`].
    pub(crate) fn of(mut value: Box<RawValue>) -> Option<Self> {
        if value.get().contains(['\n', '\r']) {
            value = RawValue::from_string(in_one_line(value.get().to_owned())).ok()?;
        }
        is_moderate(value.get()).then_some(Self(value))
    }

    /// The text, in one line.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// The same with every secret in a string replaced.
    pub(crate) fn redact(&mut self, redactor: &Redactor) {
        if let Some(text) = redactor.json(self.text()) {
            self.0 = RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned());
        }
    }

    /// The value; `null` where it may have more values than a document: nobody looks into that.
    #[must_use]
    pub fn value(&self) -> Value {
        heard(self.text().as_bytes()).unwrap_or_default()
    }

    /// Whether it may have more values than a document.
    pub(crate) fn is_large(&self) -> bool {
        is_large(self.text().as_bytes())
    }
}

/// What a server says, as a value; `None` where it is none, or too large to look into.
#[must_use]
pub fn heard(body: &[u8]) -> Option<Value> {
    if is_large(body) {
        return None;
    }
    serde_json::from_slice(body).ok()
}

fn is_large(json: &[u8]) -> bool {
    values_at_most(json) > MAX_VALUES
}

impl From<Value> for JsonText {
    fn from(value: Value) -> Self {
        Self(to_raw_value(&value).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
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

/// Whether readers with usual bounds can take a JSON text, each string of which is a text.
fn is_moderate(json: &str) -> bool {
    is_bounded(json, |literal| {
        !literal.contains("\\u") || serde_json::from_str::<String>(literal).is_ok()
    })
}

/// Whether a JSON text has at most 127 levels, and no number beyond 64 bits of floating point or of more
/// than 1000 characters.
pub(crate) fn is_within_bounds(json: &str) -> bool {
    is_bounded(json, |_| true)
}

/// The same, and whether each of its strings, with its quotation marks, is as wanted.
fn is_bounded(json: &str, is_wanted: impl Fn(&str) -> bool) -> bool {
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
        let literal = json.get(string.range.clone()).unwrap_or_default();
        if !is_wanted(literal) || !between(json.get(outside.clone()).unwrap_or_default()) {
            return false;
        }
        outside.start = string.range.end;
    }
    between(json.get(outside.start..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{JsonText, laid_out};

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

    fn written(text: &str) -> Option<String> {
        JsonText::read(text).map(|read| serde_json::to_string(&read).unwrap())
    }

    #[test]
    fn a_text_stays_as_it_came() {
        let text = "{\"id\": 461230966842064897123, \"point\":1.50, \"name\":\"山田\"}";
        assert_eq!(written(text).as_deref(), Some(text));
        assert_eq!(JsonText::read(text).unwrap().value()["name"], "山田");
    }

    #[test]
    fn lines_become_one() {
        let text = "{\n  \"path\": \"a\\/b\\u00e9\"\r\n}\n";
        assert_eq!(
            written(text).as_deref(),
            Some(r#"{   "path": "a\/b\u00e9"  }"#)
        );
        assert_eq!(
            JsonText::read(text).unwrap().value(),
            json!({"path": "a/bé"})
        );
    }

    #[test]
    fn what_is_no_json_is_none() {
        for text in [
            "",
            "<html>",
            "{",
            "{}{}",
            "\"\\ud800\"",
            "nul",
            "[1,]",
            "\"\t\"",
            &format!("{}{}", "[".repeat(128), "]".repeat(128)),
            &"[".repeat(2_000_000),
            &format!("[{}]", "9".repeat(1001)),
            &format!("[{}]", "9".repeat(309)),
            &format!("[-{}.5]", "9".repeat(309)),
            "{\"a\":1e400}",
            "[-1E999]",
        ] {
            assert!(written(text).is_none(), "{text}");
        }
    }
}

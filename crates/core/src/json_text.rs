//! JSON that is passed on as text: most who get a body of LINE's only hand it to somebody else, and
//! a value is dearer to make than to check.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::documents::json::{MAX_VALUES, values_at_most};
use crate::redact::Redactor;
use line_connector_text::json::is_moderate;
pub use line_connector_text::json::{in_one_line, laid_out};

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::JsonText;

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

//! JSON that is passed on as text: most who get a body of LINE's only hand it to somebody else, and
//! a value is dearer to make than to check.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// One JSON value as text, in one line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonText(Box<RawValue>);

impl JsonText {
    /// A text that is a JSON value; `None` where it is not.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        // Written anew where it has several lines, or where a string could be written otherwise: a
        // secret is looked for in one way of writing it.
        let other_way = |byte| matches!(byte, b'\\' | b'\n' | b'\r');
        if text.bytes().any(other_way) {
            return serde_json::from_str::<Value>(text).ok().map(Self::from);
        }
        serde_json::from_str(text).ok().map(Self)
    }

    /// The value; `null` where none can hold it: a number beyond 64 bits of floating point, or more
    /// than 127 levels.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }
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
    fn lines_become_one_and_a_string_is_written_in_one_way() {
        let text = "{\n  \"path\": \"a\\/b\\u00e9\"\r\n}\n";
        assert_eq!(written(text).as_deref(), Some("{\"path\":\"a/bé\"}"));
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
        ] {
            assert!(written(text).is_none(), "{text}");
        }
    }
}

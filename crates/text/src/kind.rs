//! What kind of JSON value something is, in words.

use serde_json::Value;

/// A value's JSON type with its article, without the value.
#[must_use]
pub fn a_kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

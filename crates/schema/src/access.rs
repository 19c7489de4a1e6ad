//! Member access for the generated validators and the rules. Messages are made of small objects whose
//! `type` comes first: a linear scan costs less than hashing the name.

use serde_json::Value;

/// The member of that name; `None` unless `value` is an object that has it.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let mut members = value.as_object()?.iter();
    members.find_map(|(key, part)| (key == name).then_some(part))
}

/// The member of that name, if it is a string.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    member(value, name)?.as_str()
}

/// The value's `type`, if it is a string.
#[must_use]
pub fn kind(value: &Value) -> Option<&str> {
    text(value, "type")
}

/// The items of an array; empty for anything else.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

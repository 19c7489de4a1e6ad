//! How the quick validators and the rules look into values. Messages are made of small objects whose
//! `type` stands first: looking along the members costs less than hashing a name.

use serde_json::Value;

/// The member of that name; `None` of anything but an object.
pub(super) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let mut members = value.as_object()?.iter();
    members.find_map(|(key, part)| (key == name).then_some(part))
}

/// The text of that name.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    member(value, name)?.as_str()
}

/// What the value says that it is.
pub(super) fn kind(value: &Value) -> Option<&str> {
    text(value, "type")
}

/// The items of an array; of anything else, none.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

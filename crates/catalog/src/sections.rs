//! The sections of an action's inputs: the places of a request that a value can go to.

use serde_json::{Map, Value};

use crate::definition::Action;

/// The sections in which a value can go to LINE, in the order of a request.
pub const SECTIONS: [&str; 6] = [
    "headers",
    "path_parameters",
    "parameters",
    "json_body",
    "data_body",
    "files",
];

/// The header that makes a repeated send harmless, on the operations that take it.
pub const RETRY_KEY: &str = "X-Line-Retry-Key";

/// The names between `{{` and `}}`.
pub fn placeholders_of(endpoint: &str) -> impl Iterator<Item = &str> {
    endpoint
        .split("{{")
        .skip(1)
        .filter_map(|part| part.split_once("}}").map(|(name, _)| name.trim()))
}

/// A section's schema in an action's inputs.
#[must_use]
pub fn section<'a>(action: &'a Action, name: &str) -> Option<&'a Map<String, Value>> {
    let sections = action.inputs.get("properties")?.as_object()?;
    sections.get(name)?.as_object()
}

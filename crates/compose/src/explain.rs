//! Generic messages as JSON Schema, and what is wrong with one that does not parse. Only a message that
//! was refused pays to be explained.

use std::sync::LazyLock;

use line_connector_text::kind::a_kind_of;
use line_connector_text::nearest::nearest;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::message::{BODIES, Message};
use crate::report::{Place, Problem};

/// How much of a name is quoted, bytes.
const MAX_NAME: usize = 100;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Message<'_>>().to_value();
    without_null(&mut schema);
    if let Value::Object(members) = &mut schema {
        let bodies = BODIES
            .iter()
            .map(|body| serde_json::json!({"required": [body]}));
        members.insert("anyOf".to_owned(), bodies.collect());
    }
    schema
});

/// The JSON Schema (2020-12) of a generic message: the object, not the plain string that may stand in
/// for it. Keywords beyond the standard (`x-exactlyOne`) are those of the connector's own schemas.
#[must_use]
pub fn schema() -> Value {
    SCHEMA.clone()
}

/// An optional property is left out; `null` for it is taken and not advertised.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_mut_slice() {
                    let only = only.take();
                    members.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(branches)) = members.get_mut("anyOf") {
                branches.retain(|branch| branch.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(only)] = branches.as_mut_slice() {
                    let only = std::mem::take(only);
                    members.shift_remove("anyOf");
                    members.extend(only);
                }
            }
            if members.get("default").is_some_and(Value::is_null) {
                members.shift_remove("default");
            }
            members.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

/// Everything in `value` that a generic message does not have or has otherwise.
pub(crate) fn explain(value: &Value, place: &Place) -> Vec<Problem> {
    let mut problems = Vec::new();
    check(&SCHEMA, value, place, &mut problems);
    problems
}

fn resolved(schema: &Value) -> &Value {
    let name = schema.get("$ref").and_then(Value::as_str);
    let target = name.and_then(|name| SCHEMA.pointer(name.trim_start_matches('#')));
    target.unwrap_or(schema)
}

fn check(schema: &Value, value: &Value, place: &Place, problems: &mut Vec<Problem>) {
    let schema = resolved(schema);
    if let Some(names) = enumerated(schema) {
        if !value.as_str().is_some_and(|value| names.contains(&value)) {
            let problem = Problem::new(place, "is none of the values that it may have");
            problems.push(problem.expected(one_of(&names)));
        }
        return;
    }
    match (schema.get("type").and_then(Value::as_str), value) {
        (Some("object"), Value::Object(members)) => check_members(schema, members, place, problems),
        (Some("array"), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                let schema = schema.get("items").unwrap_or(&Value::Null);
                check(schema, item, &place.index(index), problems);
            }
        }
        (Some("string"), Value::String(_)) | (Some("number"), Value::Number(_)) | (None, _) => {}
        (Some(kind), _) => {
            let article = if matches!(kind, "object" | "array") {
                "an"
            } else {
                "a"
            };
            let message = format!("must be {article} {kind}, not {}", a_kind_of(value));
            problems.push(Problem::new(place, message));
        }
    }
}

fn check_members(
    schema: &Value,
    members: &Map<String, Value>,
    place: &Place,
    problems: &mut Vec<Problem>,
) {
    let empty = Map::new();
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let others = schema.get("additionalProperties");
    for (name, member) in members {
        let shown = name
            .get(..name.floor_char_boundary(MAX_NAME))
            .unwrap_or_default();
        let at = place.key(shown);
        match (properties.get(name), others) {
            (Some(_), _) if member.is_null() && !is_required(schema, name) => {}
            (Some(property), _) => check(property, member, &at, problems),
            (None, Some(Value::Bool(false))) => {
                problems.push(unknown(shown, &at, properties));
            }
            (None, Some(other)) => check(other, member, &at, problems),
            (None, None) => {}
        }
    }
    for name in required(schema).filter(|name| !members.contains_key(*name)) {
        problems.push(Problem::new(place, format!("lacks `{name}`")));
    }
}

fn unknown(name: &str, at: &Place, properties: &Map<String, Value>) -> Problem {
    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    let problem = Problem::new(at, "is not known here").expected(one_of(&names));
    match nearest(name, names.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem,
    }
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    let names = schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str)
}

fn is_required(schema: &Value, name: &str) -> bool {
    required(schema).any(|required| required == name)
}

/// The values of an enumeration, whichever way it is written.
fn enumerated(schema: &Value) -> Option<Vec<&str>> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return Some(values.iter().filter_map(Value::as_str).collect());
    }
    let branches = schema.get("oneOf").and_then(Value::as_array)?;
    Some(
        branches
            .iter()
            .filter_map(|branch| branch.get("const")?.as_str())
            .collect(),
    )
}

/// Names for people.
pub(crate) fn one_of(names: &[&str]) -> String {
    format!("one of {}", listed(names))
}

/// Names for a message, as many as help.
pub(crate) fn listed(names: &[&str]) -> String {
    const MAX_SHOWN: usize = 20;
    let shown = &names[..names.len().min(MAX_SHOWN)];
    let more = names.len() - shown.len();
    match more {
        0 => shown.join(", "),
        _ => format!("{} and {more} more", shown.join(", ")),
    }
}

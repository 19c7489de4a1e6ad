//! Actions in the short form for hosts that show all of them at once, such as AI agents: flat inputs,
//! no sections, no `$defs`, and of an object whose `type` decides the rest no more than the types. What
//! it leaves out `describe` says, and every call is checked in full.

use serde_json::{Map, Value, json};

use crate::catalog::{Catalog, Schemas};
use line_connector_catalog::definition::Action;
use line_connector_catalog::references as pointer;
use line_connector_catalog::sections::{RETRY_KEY, SECTIONS, section};

/// What is kept of a schema beside the parts that are followed.
const KEPT: [&str; 15] = [
    "type",
    "enum",
    "const",
    "default",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "required",
];

/// What stands in a stub's place for the rest.
const BY_TYPE: &str = "`type` decides what else it has; the action's full description tells.";

/// What stands for messages, which every host would else be told in 60 KB for each action.
const MESSAGES: &str = "Each is a text, or a LINE message object such as {\"type\": \"text\", \"text\": …}. \
The action's full description has all of them.";

/// An action in the short form, by any of its names.
#[must_use]
pub fn action(catalog: &Catalog, name: &str) -> Option<Value> {
    let entry = catalog.entry(name)?;
    let action = catalog.action(name)?;
    Some(json!({
        "name": entry.name,
        "short": entry.short,
        "family": entry.family,
        "title": action.title,
        "description": action.description,
        "effect": action.meta.effect,
        "inputs": inputs(catalog, &action),
    }))
}

/// All actions in the short form.
#[must_use]
pub fn all(catalog: &Catalog) -> Value {
    let entries = catalog.entries().into_iter();
    entries
        .filter_map(|entry| action(catalog, &entry.name))
        .collect()
}

/// The inputs as one flat object: every call takes them so.
#[must_use]
pub fn inputs(catalog: &Catalog, action: &Action) -> Value {
    let shared = catalog.schemas();
    let mut properties = Map::new();
    let mut required = Vec::new();
    let needed = names(&action.inputs, "required");
    let messages = action.meta.messages.as_deref();
    for name in SECTIONS {
        let Some(schema) = section(action, name) else {
            continue;
        };
        for (property, schema) in catalog.section_properties(action, name).iter() {
            if property == RETRY_KEY || schema.get("x-refuse").is_some() {
                continue;
            }
            let place = format!("{name}/{property}");
            let mut short = short(
                shared,
                &home(schema_file(shared, action, name), schema),
                &mut Vec::new(),
            );
            if messages == Some(&place)
                && let Some(list) = short.as_object_mut()
            {
                list.insert("items".to_owned(), json!({"description": MESSAGES}));
            }
            properties.insert(property.clone(), short);
        }
        if needed.iter().any(|needed| needed == name) {
            required.extend(names(&resolved(shared, "", schema).1, "required"));
        }
    }
    required.retain(|name| properties.contains_key(name));
    let mut inputs = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        inputs["required"] = json!(required);
    }
    inputs
}

fn names(schema: &Map<String, Value>, keyword: &str) -> Vec<String> {
    let names = schema.get(keyword).and_then(Value::as_array);
    let names = names.into_iter().flatten();
    names
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

/// The file that the properties of a section stand in: the action's own, or the one referred to.
fn schema_file(shared: &Schemas, action: &Action, name: &str) -> String {
    let schema = section(action, name);
    schema.map_or_else(String::new, |schema| match schema.get("properties") {
        Some(_) => String::new(),
        None => resolved(shared, "", schema).0,
    })
}

/// A schema and the file whose references it uses.
struct Home {
    file: String,
    schema: Map<String, Value>,
}

fn home(file: String, schema: &Value) -> Home {
    let schema = schema.as_object().cloned().unwrap_or_default();
    Home { file, schema }
}

/// The schema that stands at the end of the references, with what stood beside them on the way.
fn resolved(
    shared: &Schemas,
    from: &str,
    schema: &Map<String, Value>,
) -> (String, Map<String, Value>) {
    let mut file = from.to_owned();
    let mut whole = schema.clone();
    while let Some(Value::String(reference)) = whole.remove("$ref") {
        let (next, inside) = pointer::target(&file, &reference);
        let document = shared.get(&next).unwrap_or_default();
        let found = document.pointer(&inside).and_then(Value::as_object);
        for (keyword, value) in found.into_iter().flatten() {
            whole.entry(keyword).or_insert_with(|| value.clone());
        }
        file = next;
    }
    (file, whole)
}

/// The short form of one schema. `above` are the references on the way to it: what contains itself is
/// not followed again.
fn short(shared: &Schemas, of: &Home, above: &mut Vec<(String, String)>) -> Value {
    let own = of.schema.get("$ref").and_then(Value::as_str);
    let own = own.map(|reference| pointer::target(&of.file, reference));
    if own.as_ref().is_some_and(|own| above.contains(own)) {
        return json!({"type": "object"});
    }
    let depth = above.len();
    above.extend(own);
    let (file, schema) = resolved(shared, &of.file, &of.schema);
    let mut kept = Map::new();
    if let Some(text) = schema.get("description") {
        kept.insert("description".to_owned(), text.clone());
    }
    for keyword in KEPT {
        if let Some(value) = schema.get(keyword) {
            kept.insert(keyword.to_owned(), value.clone());
        }
    }
    let mut follow = |schema: &Value| short(shared, &home(file.clone(), schema), above);
    let branches = schema.get("allOf").and_then(Value::as_array);
    let by_type = branches
        .into_iter()
        .flatten()
        .any(|branch| pointer::type_chosen_by(branch).is_some());
    if by_type {
        let types = schema.get("properties").and_then(|all| all.get("type"));
        let types = types.and_then(|kind| kind.get("enum")).cloned();
        kept.insert("type".to_owned(), json!("object"));
        kept.insert("properties".to_owned(), json!({"type": {"enum": types}}));
        let text = kept.get("description").and_then(Value::as_str);
        let text = format!("{} {BY_TYPE}", text.unwrap_or_default());
        kept.insert("description".to_owned(), json!(text.trim()));
    } else {
        if let Some(Value::Object(properties)) = schema.get("properties") {
            let shown = properties
                .iter()
                .filter(|(_, schema)| schema.is_object() && schema.get("x-refuse").is_none());
            let shown: Map<String, Value> = shown
                .map(|(name, schema)| (name.clone(), follow(schema)))
                .collect();
            kept.insert("properties".to_owned(), Value::Object(shown));
        }
        if let Some(items @ Value::Object(_)) = schema.get("items") {
            kept.insert("items".to_owned(), follow(items));
        }
    }
    above.truncate(depth);
    Value::Object(kept)
}

//! The catalog as lists, self-contained schemas and tables: what `list` and `describe` answer, what
//! the manuals show, what is committed under `schemas/`. It calls nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::SystemTime;

use line_connector_compose as compose;
use schemars::schema_for;
use serde_json::{Map, Value, json};

use crate::catalog::{Catalog, Schemas};
use crate::documents::{Invocation, Output};
use crate::error::Kind;
use crate::webhook::{self, Event, Terms};
use line_connector_catalog::definition::{Action, Example, Manifest, Trigger, Triggers};
use line_connector_catalog::references as pointer;
use line_connector_catalog::sections::{RETRY_KEY, SECTIONS};

/// Every action and every trigger in short, as `list --json` prints them; `kind` tells which.
#[must_use]
pub fn list(catalog: &Catalog) -> Value {
    let actions = catalog.entries().into_iter().filter_map(|entry| {
        let action = catalog.action(&entry.name)?;
        Some(json!({
            "kind": "action",
            "name": entry.name,
            "short": entry.short,
            "operation_id": action.meta.operation_id,
            "family": entry.family,
            "title": entry.title,
            "description": action.description,
            "method": action.meta.method,
            "endpoint": action.meta.endpoint,
            "host": action.meta.host,
            "effect": action.meta.effect,
            "retry": action.meta.retry,
            "rate_limit": action.meta.rate_limit,
            "docs": action.meta.docs,
        }))
    });
    let triggers = catalog.triggers().events.into_iter().map(|trigger| {
        json!({
            "kind": "trigger",
            "name": trigger.name,
            "family": family_of(&trigger),
            "title": trigger.title,
            "description": trigger.description,
            "event": trigger.event,
            "docs": trigger.docs,
        })
    });
    actions.chain(triggers).collect()
}

/// A trigger's name up to its first dot.
fn family_of(trigger: &Trigger) -> &str {
    trigger.name.split('.').next().unwrap_or_default()
}

/// The whole connector: its card, every action and every trigger in full, and the schema of what
/// triggers emit.
#[must_use]
pub fn connector(catalog: &Catalog) -> Value {
    let names = catalog.entries().into_iter().map(|entry| entry.name);
    let actions: Vec<Value> = names.filter_map(|name| action(catalog, &name)).collect();
    let mut card = json!(catalog.card());
    card["version"] = json!(env!("CARGO_PKG_VERSION"));
    card["actions"] = json!(actions);
    let triggers = catalog.triggers();
    let in_full: Vec<Value> = triggers
        .events
        .iter()
        .map(|one| full_trigger(&triggers, one))
        .collect();
    card["triggers"] = json!(in_full);
    card["event"] = json!(schema_for!(Event<'_>));
    card
}

/// One trigger in full: its documentation, what it emits, and its example as LINE sends it and as
/// it is emitted.
#[must_use]
pub fn trigger(catalog: &Catalog, name: &str) -> Option<Value> {
    let triggers = catalog.triggers();
    let trigger = triggers.events.iter().find(|one| one.name == name)?;
    let mut described = full_trigger(&triggers, trigger);
    let mut emits = json!(schema_for!(Event<'_>));
    emits["properties"]["type"] = json!({"const": trigger.name});
    described["emits"] = emits;
    Some(described)
}

fn full_trigger(triggers: &Triggers, trigger: &Trigger) -> Value {
    json!({
        "name": trigger.name,
        "family": family_of(trigger),
        "title": trigger.title,
        "description": trigger.description,
        "docs": trigger.docs,
        "event": trigger.event,
        "example": emitted(triggers, &trigger.example),
    })
}

/// The event that LINE's event becomes, as if it had come in the moment that it happened.
fn emitted(triggers: &Triggers, example: &Map<String, Value>) -> Value {
    let body = json!({"destination": "U", "events": [example]}).to_string();
    let terms = Terms::new(&triggers.content, SystemTime::UNIX_EPOCH);
    let delivery = webhook::read(body.as_bytes(), &terms).ok();
    delivery.map_or(Value::Null, |delivery| json!(delivery.events.first()))
}

/// One action in full: its schemas with everything that they refer to, and its examples.
#[must_use]
pub fn action(catalog: &Catalog, name: &str) -> Option<Value> {
    let action = catalog.action(name)?;
    let entry = catalog.entry(name)?;
    let examples = catalog.examples(name);
    let mut inputs = bundled(catalog.schemas(), &action.inputs);
    if let Some(place) = &action.meta.messages {
        with_generic_messages(&mut inputs, place);
    }
    Some(json!({
        "name": action.name,
        "short": entry.short,
        "operation_id": action.meta.operation_id,
        "family": entry.family,
        "title": action.title,
        "description": action.description,
        "docs": action.meta.docs,
        "meta": action.meta,
        "inputs": inputs,
        "output": bundled(catalog.schemas(), &action.output),
        "examples": examples,
    }))
}

/// What makes the call of an example, its inputs beside one another. The retry key is left out: one
/// that stands in a manual would have been used by somebody.
#[must_use]
pub fn invocation(catalog: &Catalog, name: &str, example: &Example) -> Value {
    let mut inputs = Map::new();
    let action = catalog.action(name);
    let declared = |section: &str| {
        let properties = action
            .as_ref()
            .map(|action| catalog.section_properties(action, section));
        properties.map(|properties| properties.keys().cloned().collect::<Vec<_>>())
    };
    let sections = SECTIONS.map(|section| declared(section).unwrap_or_default());
    let is_flat = |name: &String| {
        let homes = sections.iter().filter(|section| section.contains(name));
        homes.count() == 1 && !SECTIONS.contains(&name.as_str())
    };
    for (section, given) in &example.inputs {
        let mut given = given.clone();
        let Some(members) = given.as_object_mut() else {
            inputs.insert(section.clone(), given);
            continue;
        };
        members.shift_remove(RETRY_KEY);
        if members.keys().all(is_flat) {
            inputs.append(members);
        } else {
            inputs.insert(section.clone(), given);
        }
    }
    json!({"action": name, "inputs": inputs})
}

/// A schema with every file that it refers to under its own `$defs`, so that it stands alone.
#[must_use]
pub fn bundled(shared: &Schemas, schema: &Map<String, Value>) -> Value {
    let mut waiting = BTreeSet::new();
    let mut bundle = rewritten("", &Value::Object(schema.clone()), &mut waiting);
    let mut definitions = Map::new();
    while let Some(file) = waiting.pop_first() {
        if definitions.contains_key(&file) {
            continue;
        }
        let document = shared.get(&file).unwrap_or(Value::Bool(true));
        let mut found = BTreeSet::new();
        let mut definition = rewritten(&file, &document, &mut found);
        if let Some(members) = definition.as_object_mut() {
            members.remove("$schema");
            members.remove("$id");
        }
        definitions.insert(file, definition);
        waiting.extend(found);
    }
    if !definitions.is_empty() {
        bundle["$defs"] = Value::Object(definitions);
    }
    bundle["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    bundle
}

/// Where the definition of a generic message stands in a bundle: the name of its own file.
const GENERIC: &str = "message.json";

/// A bundle whose messages, at `section/name`, may also be as people write them.
fn with_generic_messages(bundle: &mut Value, place: &str) {
    let (section, name) = place.split_once('/').unwrap_or_default();
    let pointer = format!("/properties/{section}/properties/{name}");
    let Some(messages) = bundle.pointer_mut(&pointer) else {
        return;
    };
    let generic = json!({"$ref": format!("#/$defs/{GENERIC}")});
    *messages = json!({
        "title": "Messages",
        "description": "Texts, messages as people write them, and LINE's own message objects, in any mix; or one \
    of them. More than five of LINE's objects take several requests. How the former become the latter is up to the \
    options.",
        "anyOf": [
            messages.take(),
            {"type": "string", "minLength": 1},
            generic.clone(),
            {"type": "array", "minItems": 1, "items": {"anyOf": [
                {"type": "string", "minLength": 1},
                generic,
                {"type": "object", "required": ["type"]},
            ]}},
        ],
    });
    let mut definition = compose::schema();
    if let Some(members) = definition.as_object_mut() {
        members.shift_remove("$schema");
    }
    within(&mut definition, &format!("#/$defs/{GENERIC}/$defs/"));
    bundle["$defs"][GENERIC] = definition;
}

/// Turns a schema's references to its own definitions to where those stand in a bundle.
fn within(schema: &mut Value, place: &str) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("{place}{name}");
            }
            members
                .values_mut()
                .for_each(|member| within(member, place));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| within(item, place)),
        _ => {}
    }
}

/// The same bundle with only those definitions that something in it refers to.
#[must_use]
pub fn without_unused(bundle: Value) -> Value {
    let Value::Object(mut bundle) = bundle else {
        return bundle;
    };
    let Some(Value::Object(files)) = bundle.remove("$defs") else {
        return Value::Object(bundle);
    };
    let files = json!({"$defs": files});
    let mut waiting: Vec<String> = targets(&Value::Object(bundle.clone()));
    let mut used = BTreeSet::new();
    let mut kept = Map::new();
    while let Some(place) = waiting.pop() {
        let Some(found) = files.pointer(&place).filter(|_| used.insert(place.clone())) else {
            continue;
        };
        // A reference names a file or one of its definitions.
        let mut parts = place.split('/').skip(2).map(pointer::unescape);
        let (file, name) = (parts.next().unwrap_or_default(), parts.nth(1));
        let mut found = found.clone();
        if name.is_none()
            && let Some(whole) = found.as_object_mut()
        {
            whole.remove("$defs");
        }
        waiting.extend(targets(&found));
        let Value::Object(entry) = kept.entry(file).or_insert_with(|| json!({})) else {
            continue;
        };
        match (name, found) {
            (Some(name), found) => {
                let definitions = entry.entry("$defs").or_insert_with(|| json!({}));
                definitions[name] = found;
            }
            (None, Value::Object(found)) => entry.extend(found),
            (None, _) => {}
        }
    }
    if !kept.is_empty() {
        bundle.insert("$defs".to_owned(), Value::Object(kept));
    }
    Value::Object(bundle)
}

/// The places within the same document that a schema refers to.
fn targets(schema: &Value) -> Vec<String> {
    let references = pointer::references(schema).into_iter();
    let places = references.filter_map(|(_, to)| to.strip_prefix('#').map(str::to_owned));
    places.collect()
}

/// The same schema with its references turned to where a bundle holds their files.
fn rewritten(from: &str, schema: &Value, found: &mut BTreeSet<String>) -> Value {
    match schema {
        Value::Object(members) => {
            let turned = members.iter().map(|(key, member)| match member {
                Value::String(reference) if key == "$ref" => {
                    let (file, inside) = pointer::target(from, reference);
                    if file.is_empty() {
                        return (key.clone(), member.clone());
                    }
                    let place = format!("#/$defs/{}{inside}", pointer::escape(&file));
                    found.insert(file);
                    (key.clone(), Value::from(place))
                }
                member => (key.clone(), rewritten(from, member, found)),
            });
            Value::Object(turned.collect())
        }
        Value::Array(items) => items
            .iter()
            .map(|item| rewritten(from, item, found))
            .collect(),
        other => other.clone(),
    }
}

/// The generated files under `schemas/`: their names and contents.
#[must_use]
pub fn schemas() -> Vec<(&'static str, String)> {
    let files = [
        ("action.json", json!(schema_for!(Action))),
        ("manifest.json", json!(schema_for!(Manifest))),
        ("invocation.json", json!(schema_for!(Invocation))),
        ("output.json", json!(schema_for!(Output))),
        ("event.json", json!(schema_for!(Event<'_>))),
        (GENERIC, compose::schema()),
    ];
    files.map(|(name, schema)| (name, pretty(&schema))).into()
}

/// JSON as it is committed and printed for people.
#[must_use]
pub fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// The table of actions in `docs/actions.md`.
#[must_use]
pub fn action_table(catalog: &Catalog) -> String {
    let mut table = String::from(
        "| Action | Short name | LINE's endpoint | Retry | Limit |\n|---|---|---|---|---|\n",
    );
    for entry in catalog.entries() {
        let Some(action) = catalog.action(&entry.name) else {
            continue;
        };
        let meta = &action.meta;
        let repeats = serde_json::to_value(meta.retry).unwrap_or_default();
        let _ = writeln!(
            table,
            "| [`{}`]({}) {} | `{}` | `{} /{}` | {} | {} |",
            entry.name,
            meta.docs,
            entry.title,
            entry.short,
            meta.method.as_str(),
            meta.endpoint,
            repeats.as_str().unwrap_or_default(),
            meta.rate_limit.as_deref().unwrap_or("none stated"),
        );
    }
    table
}

/// The table of the ways to authenticate in `docs/credentials.md`.
#[must_use]
pub fn asset_table(catalog: &Catalog) -> String {
    let mut table = String::from("| Way | Needs | Environment |\n|---|---|---|\n");
    for asset in &catalog.manifest().assets {
        let name = serde_json::to_value(asset.name).unwrap_or_default();
        let needs = asset.inputs.required.iter().map(|name| format!("`{name}`"));
        let variables = asset.inputs.required.iter().filter_map(|name| {
            let schema = asset.inputs.properties.get(name)?;
            crate::asset::environment_variable(schema).map(|variable| format!("`{variable}`"))
        });
        let _ = writeln!(
            table,
            "| `{}` {} | {} | {} |",
            name.as_str().unwrap_or_default(),
            asset.title,
            needs.collect::<Vec<_>>().join(", "),
            variables.collect::<Vec<_>>().join(", "),
        );
    }
    table
}

/// The table of error kinds in `docs/errors.md`.
#[must_use]
pub fn error_table() -> String {
    let mut table = String::from(
        "| `error.kind` | Exit code | Again later? | What to do |\n|---|---|---|---|\n",
    );
    for kind in Kind::ALL {
        let name = serde_json::to_value(kind).unwrap_or_default();
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} |",
            name.as_str().unwrap_or_default(),
            kind.exit_code() as i32,
            if kind.retryable() { "yes" } else { "no" },
            kind.hint(),
        );
    }
    table
}

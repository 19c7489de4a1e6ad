//! Loads the schema files that a schema refers to, on first use. Resolves references against the
//! connector's root. It compiles nothing and fetches nothing from the network.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use line_connector_catalog::references;
use serde_json::{Map, Value};

/// Where a reference leads: a file and one of its `$defs`, or the whole file.
pub(super) type Target = (String, Option<String>);

/// Gives the parsed file for a path from the connector's root.
pub(super) type Source = Box<dyn Fn(&str) -> Option<Value> + Send + Sync>;

/// The documents by their path from the connector's root, each loaded when it is first needed; the
/// schema itself has the empty path.
pub(super) struct Documents {
    source: Source,
    loaded: Mutex<BTreeMap<String, Arc<Value>>>,
}

impl Documents {
    pub(super) fn new(schema: Value, source: Source) -> Self {
        let loaded = BTreeMap::from([(String::new(), Arc::new(schema))]);
        Self {
            source,
            loaded: Mutex::new(loaded),
        }
    }

    fn document(&self, path: &str) -> Result<Arc<Value>, String> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = loaded.get(path) {
            return Ok(Arc::clone(document));
        }
        let document = (self.source)(path).ok_or_else(|| format!("`{path}` is not there"))?;
        let document = Arc::new(document);
        loaded.insert(path.to_owned(), Arc::clone(&document));
        Ok(document)
    }

    /// Hands over the schema that a reference leads to.
    pub(super) fn with<R>(
        &self,
        (path, name): &Target,
        take: impl FnOnce(&Value) -> R,
    ) -> Result<R, String> {
        let document = self.document(path)?;
        match name {
            None => Ok(take(&document)),
            Some(name) => document
                .get("$defs")
                .and_then(|definitions| definitions.get(name))
                .map(take)
                .ok_or_else(|| format!("`{path}` defines no `{name}`")),
        }
    }

    /// Anything within a document.
    pub(super) fn at(&self, path: &str, pointer: &str) -> Option<Value> {
        self.document(path).ok()?.pointer(pointer).cloned()
    }

    /// Calls `visit` on every schema object that the schema reaches.
    pub(super) fn visit(&self, visit: &mut dyn FnMut(&Map<String, Value>)) -> Result<(), String> {
        let mut seen: BTreeSet<Target> = BTreeSet::from([(String::new(), None)]);
        let mut waiting: Vec<Target> = seen.iter().cloned().collect();
        while let Some(target) = waiting.pop() {
            let mut references = Vec::new();
            self.with(&target, |schema| {
                walk(schema, &mut |object| {
                    visit(object);
                    let reference = object.get("$ref").and_then(Value::as_str);
                    references.extend(reference.map(str::to_owned));
                });
            })?;
            for reference in references {
                let next = resolve(&target.0, &reference)?;
                if seen.insert(next.clone()) {
                    waiting.push(next);
                }
            }
        }
        Ok(())
    }
}

/// Where `reference`, written in the document at `path`, leads.
pub(super) fn resolve(path: &str, reference: &str) -> Result<Target, String> {
    let (file, pointer) = references::target(path, reference);
    let name = match pointer.strip_prefix("/$defs/") {
        Some(name) if !name.contains(['/', '~', '%']) => Some(name.to_owned()),
        None if pointer.is_empty() => None,
        _ => {
            return Err(format!(
                "`{path}` refers to `{reference}`; a reference names a file, or one of its `$defs`"
            ));
        }
    };
    if file.starts_with("../") {
        return Err(format!(
            "`{path}` refers to `{reference}`, outside the connector"
        ));
    }
    Ok((file, name))
}

/// Calls `visit` on `schema` and every schema within it, `$defs` excepted: those count when
/// something refers to them.
fn walk(schema: &Value, visit: &mut dyn FnMut(&Map<String, Value>)) {
    let Value::Object(object) = schema else {
        return;
    };
    visit(object);
    for (keyword, value) in object {
        match (place(keyword), value) {
            (Some(Place::Schema), value) => walk(value, visit),
            (Some(Place::List), Value::Array(schemas)) => {
                for schema in schemas {
                    walk(schema, visit);
                }
            }
            (Some(Place::Named | Place::Properties), Value::Object(schemas)) => {
                for schema in schemas.values() {
                    walk(schema, visit);
                }
            }
            _ => {}
        }
    }
}

/// How a keyword holds the schemas within it.
pub(super) enum Place {
    /// It is one.
    Schema,
    /// A list of them.
    List,
    /// One for each name that is not an instance's key.
    Named,
    /// One for each key of an instance.
    Properties,
}

/// The place that a keyword gives to schemas, if it holds any.
pub(super) fn place(keyword: &str) -> Option<Place> {
    match keyword {
        "additionalProperties"
        | "contains"
        | "else"
        | "if"
        | "items"
        | "not"
        | "propertyNames"
        | "then" => Some(Place::Schema),
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Some(Place::List),
        "patternProperties" => Some(Place::Named),
        "properties" => Some(Place::Properties),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_relative_to_their_file() {
        let to = |path: &str, reference: &str| resolve(path, reference).ok();
        assert_eq!(
            to("", "schemas/line/message.json#/$defs/list"),
            Some(("schemas/line/message.json".into(), Some("list".into())))
        );
        assert_eq!(
            to("schemas/line/message/text.json", "../sender.json"),
            Some(("schemas/line/sender.json".into(), None))
        );
        assert_eq!(
            to("a.json", "#/$defs/x"),
            Some(("a.json".into(), Some("x".into())))
        );
        assert_eq!(to("a.json", "../b.json"), None);
        assert_eq!(to("a.json", "#/properties/x"), None);
    }
}

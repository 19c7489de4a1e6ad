//! Which properties hold secrets, by the `writeOnly` that some schema declares for their name, so
//! that no finding ever shows one. A harmless property of the same name loses its value as well.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::finding::Finding;

/// The names of secret properties.
#[derive(Default)]
pub(super) struct Secrets(BTreeSet<String>);

impl Secrets {
    /// Learns the secrets that one schema object declares.
    pub(super) fn learn(&mut self, schema: &Map<String, Value>) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            if property.get("writeOnly") == Some(&Value::Bool(true)) {
                self.0.insert(name.clone());
            }
        }
    }

    /// The finding without the value it is about, if that is or holds a secret.
    pub(super) fn keep(&self, mut finding: Finding, instance: &Value) -> Finding {
        let path = &finding.detail.path;
        let is_secret = path.split('/').any(|step| self.0.contains(step))
            || instance
                .pointer(path)
                .is_some_and(|value| self.within(value));
        if is_secret {
            finding.detail.found = None;
        }
        finding
    }

    fn within(&self, value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().any(|item| self.within(item)),
            Value::Object(members) => members
                .iter()
                .any(|(key, value)| self.0.contains(key) || self.within(value)),
            _ => false,
        }
    }
}

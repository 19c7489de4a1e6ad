//! The part of a schema that can matter to an instance: properties whose key occurs in it, and
//! choices whose `type` occurs in it. Leaving the rest out is what makes compiling a text message
//! cheap; it never changes a verdict.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::document::{Documents, Place, Target, place, resolve};

/// Every property name and every `type` that a schema and its documents know, numbered.
#[derive(Default)]
pub(super) struct Names {
    keys: HashMap<String, usize>,
    types: HashMap<String, usize>,
}

/// Which of the names occur in an instance.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Vocabulary(Vec<u64>);

impl Names {
    /// Learns the names that one schema object declares.
    pub(super) fn learn(&mut self, schema: &Map<String, Value>) {
        if let Some(Value::Object(properties)) = schema.get("properties") {
            for name in properties.keys() {
                let next = self.keys.len() + self.types.len();
                self.keys.entry(name.clone()).or_insert(next);
            }
        }
        for name in schema
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if let Some(name) = type_chosen_by(name) {
                let next = self.keys.len() + self.types.len();
                self.types.entry(name.to_owned()).or_insert(next);
            }
        }
    }

    /// The names that occur in `instance`.
    pub(super) fn within(&self, instance: &Value) -> Vocabulary {
        let mut vocabulary = Vocabulary(vec![0; (self.keys.len() + self.types.len()).div_ceil(64)]);
        self.collect(instance, &mut vocabulary);
        vocabulary
    }

    /// Every name there is.
    pub(super) fn all(&self) -> Vocabulary {
        Vocabulary(vec![
            u64::MAX;
            (self.keys.len() + self.types.len()).div_ceil(64)
        ])
    }

    fn collect(&self, instance: &Value, vocabulary: &mut Vocabulary) {
        match instance {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, vocabulary)),
            Value::Object(members) => {
                for (key, value) in members {
                    vocabulary.insert(self.keys.get(key));
                    match value {
                        Value::String(name) if key == "type" => {
                            vocabulary.insert(self.types.get(name));
                        }
                        Value::Array(_) | Value::Object(_) => self.collect(value, vocabulary),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn knows_key(&self, vocabulary: &Vocabulary, key: &str) -> bool {
        self.keys
            .get(key)
            .is_some_and(|number| vocabulary.contains(*number))
    }

    fn knows_type(&self, vocabulary: &Vocabulary, name: &str) -> bool {
        self.types
            .get(name)
            .is_some_and(|number| vocabulary.contains(*number))
    }
}

impl Vocabulary {
    fn insert(&mut self, number: Option<&usize>) {
        if let Some(number) = number {
            self.0[number / 64] |= 1 << (number % 64);
        }
    }

    fn contains(&self, number: usize) -> bool {
        self.0[number / 64] & (1 << (number % 64)) != 0
    }
}

/// The `type` that a branch `{"if": {"properties": {"type": {"const": …}}}, "then": …}` is for.
fn type_chosen_by(branch: &Value) -> Option<&str> {
    if branch.get("else").is_some() {
        return None;
    }
    let condition = branch.get("if")?;
    let on_presence = condition
        .get("required")?
        .as_array()?
        .iter()
        .any(|name| name == "type");
    on_presence.then(|| condition.pointer("/properties/type/const")?.as_str())?
}

/// Whether an object that matches `schema` is judged by its `type`.
pub(super) fn chooses_by_type(schema: &Value) -> bool {
    let branches = schema.get("allOf").and_then(Value::as_array);
    branches.is_some_and(|branches| {
        branches
            .iter()
            .any(|branch| type_chosen_by(branch).is_some())
    })
}

/// The documents with only what can matter to instances of this vocabulary. Everything that is
/// left stands at its old place.
pub(super) fn prune(
    documents: &Documents,
    names: &Names,
    vocabulary: &Vocabulary,
) -> Result<BTreeMap<String, Value>, String> {
    let mut pruned: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut waiting: Vec<Target> = vec![(String::new(), None)];
    let mut seen: Vec<Target> = waiting.clone();
    while let Some((path, name)) = waiting.pop() {
        let mut part = Pruner {
            names,
            vocabulary,
            references: Vec::new(),
        };
        let kept = part.schema(documents.target(&path, name.as_deref())?);
        for reference in part.references {
            let next = resolve(&path, &reference)?;
            if !seen.contains(&next) {
                seen.push(next.clone());
                waiting.push(next);
            }
        }
        let document = pruned.entry(path).or_default();
        match (name, kept) {
            (None, Value::Object(members)) => document.extend(members),
            (None, _) => {}
            (Some(name), kept) => {
                document.entry("$defs").or_insert_with(|| json!({}))[name.as_str()] = kept;
            }
        }
    }
    Ok(pruned
        .into_iter()
        .map(|(path, document)| (path, Value::Object(document)))
        .collect())
}

struct Pruner<'a> {
    names: &'a Names,
    vocabulary: &'a Vocabulary,
    references: Vec<String>,
}

impl Pruner<'_> {
    fn schema(&mut self, schema: &Value) -> Value {
        let Value::Object(object) = schema else {
            return schema.clone();
        };
        let mut kept = Map::with_capacity(object.len());
        for (keyword, value) in object {
            let value = match keyword.as_str() {
                "$defs" | "title" | "description" | "examples" | "x-expected" => continue,
                "$ref" => {
                    self.references.extend(value.as_str().map(str::to_owned));
                    value.clone()
                }
                _ => self.within(keyword, value),
            };
            kept.insert(keyword.clone(), value);
        }
        Value::Object(kept)
    }

    fn within(&mut self, keyword: &str, value: &Value) -> Value {
        match (place(keyword), value) {
            (Some(Place::Schema), value) => self.schema(value),
            (Some(Place::List), Value::Array(schemas)) => {
                schemas.iter().map(|schema| self.branch(schema)).collect()
            }
            (Some(Place::Named), Value::Object(schemas)) => schemas
                .iter()
                .map(|(name, schema)| (name.clone(), self.schema(schema)))
                .collect::<Map<_, _>>()
                .into(),
            (Some(Place::Properties), Value::Object(schemas)) => schemas
                .iter()
                .filter(|(name, _)| self.names.knows_key(self.vocabulary, name))
                .map(|(name, schema)| (name.clone(), self.schema(schema)))
                .collect::<Vec<_>>()
                .into_iter()
                .collect::<Map<_, _>>()
                .into(),
            (_, value) => value.clone(),
        }
    }

    fn branch(&mut self, schema: &Value) -> Value {
        match type_chosen_by(schema) {
            Some(name) if !self.names.knows_type(self.vocabulary, name) => Value::Bool(true),
            _ => self.schema(schema),
        }
    }
}

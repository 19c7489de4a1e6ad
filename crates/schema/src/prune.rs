//! Prunes a schema to what can apply to an instance: properties whose key occurs in it, and branches
//! whose `type` occurs in it. That makes the schema of a text message cheap to compile, and never
//! changes the result.

use std::collections::{BTreeMap, HashMap, HashSet};

use line_connector_catalog::references::type_chosen_by;
use serde_json::{Map, Value, json};

use super::references::{Documents, Place, Target, place, resolve};

/// The keys and the values of `type` that occur in an instance.
#[derive(Default)]
pub(super) struct InstanceNames<'i> {
    keys: HashSet<&'i str>,
    types: HashSet<&'i str>,
    /// Whether everything counts as occurring.
    all: bool,
}

/// A question that pruning asks of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Question {
    Key(String),
    Type(String),
}

/// What pruning asked, and the answers: what is left of the schema serves every instance that gives
/// the same.
#[derive(Debug, Default)]
pub(super) struct Answers(HashMap<Question, bool>);

impl<'i> InstanceNames<'i> {
    /// The names that occur in `instance`.
    pub(super) fn of(instance: &'i Value) -> Self {
        let mut names = Self::default();
        names.collect(instance);
        names
    }

    /// Every name there is.
    pub(super) fn all() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    fn collect(&mut self, instance: &'i Value) {
        match instance {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(members) => {
                for (key, value) in members {
                    self.keys.insert(key);
                    match value {
                        Value::String(name) if key == "type" => {
                            self.types.insert(name);
                        }
                        Value::Array(_) | Value::Object(_) => self.collect(value),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn answer(&self, question: &Question) -> bool {
        self.all
            || match question {
                Question::Key(name) => self.keys.contains(name.as_str()),
                Question::Type(name) => self.types.contains(name.as_str()),
            }
    }

    /// Whether it gives the same answers.
    pub(super) fn gives(&self, answers: &Answers) -> bool {
        answers
            .0
            .iter()
            .all(|(question, answer)| self.answer(question) == *answer)
    }
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

/// The documents with only what can matter to instances that give the same answers. Everything that
/// is left stands at its old place.
pub(super) fn prune(
    documents: &Documents,
    names: &InstanceNames<'_>,
) -> Result<(BTreeMap<String, Value>, Answers), String> {
    let mut pruned: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut part = Pruner {
        names,
        answers: Answers::default(),
        references: Vec::new(),
    };
    let mut waiting: Vec<Target> = vec![(String::new(), None)];
    let mut seen: HashSet<Target> = waiting.iter().cloned().collect();
    while let Some(target) = waiting.pop() {
        let kept = documents.with(&target, |schema| part.schema(schema))?;
        for reference in std::mem::take(&mut part.references) {
            let next = resolve(&target.0, &reference)?;
            if seen.insert(next.clone()) {
                waiting.push(next);
            }
        }
        let (path, name) = target;
        let document = pruned.entry(path).or_default();
        match (name, kept) {
            (None, Value::Object(members)) => document.extend(members),
            (None, _) => {}
            (Some(name), kept) => {
                document.entry("$defs").or_insert_with(|| json!({}))[name.as_str()] = kept;
            }
        }
    }
    let pruned = pruned
        .into_iter()
        .map(|(path, document)| (path, Value::Object(document)))
        .collect();
    Ok((pruned, part.answers))
}

struct Pruner<'a> {
    names: &'a InstanceNames<'a>,
    answers: Answers,
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
                .filter_map(|(name, schema)| {
                    let occurs = self.ask(Question::Key(name.clone()));
                    occurs.then(|| (name.clone(), self.schema(schema)))
                })
                .collect::<Map<_, _>>()
                .into(),
            (_, value) => value.clone(),
        }
    }

    fn branch(&mut self, schema: &Value) -> Value {
        match type_chosen_by(schema) {
            Some(name) if !self.ask(Question::Type(name.to_owned())) => Value::Bool(true),
            _ => self.schema(schema),
        }
    }

    fn ask(&mut self, question: Question) -> bool {
        let answer = self.names.answer(&question);
        self.answers.0.insert(question, answer);
        answer
    }
}

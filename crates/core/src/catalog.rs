//! The manifest, the actions and LINE's schemas, compiled in as JSON text and parsed one by one
//! when asked for; and the actions that a user adds. It reads no folder: texts are handed in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use line_connector_catalog::definition::{self, Defaults};
use line_connector_catalog::definition::{Action, Example, Manifest, Triggers};
use line_connector_catalog::reader::{self, Problem};
use line_connector_catalog::{lint, references, sections};

/// One action as the build script left it.
struct EmbeddedAction {
    name: &'static str,
    family: &'static str,
    title: &'static str,
    /// The action without its examples, as JSON.
    definition: &'static str,
    /// The examples, as JSON.
    examples: &'static str,
}

mod embedded {
    use super::EmbeddedAction;
    include!(concat!(env!("OUT_DIR"), "/catalog.rs"));
}

/// An action's line in a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// The folder it stands in.
    pub family: String,
    /// The title for people.
    pub title: String,
}

/// Everything that is declared.
#[derive(Debug, Clone)]
pub struct Catalog {
    manifest: Manifest,
    added: BTreeMap<String, (String, Action)>,
}

impl Default for Catalog {
    fn default() -> Self {
        Self::embedded()
    }
}

impl Catalog {
    /// What is compiled in.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            manifest: parsed(embedded::MANIFEST),
            added: BTreeMap::new(),
        }
    }

    /// The connector's card as calls need it: of the assets' parameters the names, the defaults and
    /// the environment variables.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The connector's card in full, without the triggers. It is parsed here, and by no call.
    #[must_use]
    pub fn card(&self) -> Manifest {
        parsed(embedded::CARD)
    }

    /// What LINE sends by itself. It is parsed here, and by no call.
    #[must_use]
    pub fn triggers(&self) -> Triggers {
        parsed(embedded::TRIGGERS)
    }

    /// Adds an action file, or replaces the action of its name.
    ///
    /// # Errors
    ///
    /// Every [`Problem`] of the file, with its line.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), Vec<Problem>> {
        let action: Action = reader::yaml(file, text).map_err(|problem| vec![problem])?;
        let mut parts = file.rsplit(['/', '\\']);
        let stem = parts
            .next()
            .and_then(|name| name.split('.').next())
            .unwrap_or_default();
        let family = parts.next().unwrap_or("added");
        let schemas = embedded::SCHEMAS
            .iter()
            .map(|(name, text)| ((*name).to_owned(), parsed(text)))
            .collect();
        let breaches = lint::action(stem, &action, &self.manifest.hosts, &schemas);
        if !breaches.is_empty() {
            return Err(reader::placed(file, text, breaches));
        }
        self.added
            .insert(action.name.clone(), (family.to_owned(), action));
        Ok(())
    }

    /// Whether an action came by [`Catalog::add`].
    #[must_use]
    pub fn is_added(&self, name: &str) -> bool {
        self.added.contains_key(name)
    }

    /// An action, without its examples.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<Action> {
        match self.added.get(name) {
            Some((_, action)) => Some(action.clone()),
            None => find(name).map(|action| parsed(action.definition)),
        }
    }

    /// Whether there is an action of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.added.contains_key(name) || find(name).is_some()
    }

    /// An action's examples.
    #[must_use]
    pub fn examples(&self, name: &str) -> Vec<Example> {
        match self.added.get(name) {
            Some((_, action)) => action.examples.clone(),
            None => find(name)
                .map(|action| parsed(action.examples))
                .unwrap_or_default(),
        }
    }

    /// All actions, by family and name.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let embedded = embedded::ACTIONS
            .iter()
            .filter(|action| !self.added.contains_key(action.name))
            .map(|action| Entry {
                name: action.name.to_owned(),
                family: action.family.to_owned(),
                title: action.title.to_owned(),
            });
        let added = self.added.values().map(|(family, action)| Entry {
            name: action.name.clone(),
            family: family.clone(),
            title: action.title.clone(),
        });
        let mut entries: Vec<Entry> = embedded.chain(added).collect();
        entries
            .sort_by(|left, right| (&left.family, &left.name).cmp(&(&right.family, &right.name)));
        entries
    }

    /// One of LINE's schemas by its path, such as `schemas/line/id.json`.
    #[must_use]
    pub fn schema(path: &str) -> Option<Value> {
        embedded::SCHEMAS
            .binary_search_by_key(&path, |(name, _)| name)
            .ok()
            .map(|index| parsed(embedded::SCHEMAS[index].1))
    }

    /// The properties that a section of an action declares, references followed.
    #[must_use]
    pub fn section_properties<'a>(
        &self,
        action: &'a Action,
        section: &str,
    ) -> Cow<'a, Map<String, Value>> {
        let Some(schema) = sections::section(action, section) else {
            return Cow::Owned(Map::new());
        };
        match schema.get("properties") {
            Some(Value::Object(properties)) => Cow::Borrowed(properties),
            _ => Cow::Owned(referred_properties(schema)),
        }
    }
}

/// What a keyword says in a schema of `file`, or in the first that it refers to which has the keyword,
/// and the file in which that stands.
#[must_use]
pub fn keyword(file: &str, schema: &Value, name: &str) -> Option<(String, Value)> {
    let mut file = file.to_owned();
    let mut schema = Cow::Borrowed(schema);
    loop {
        if let Some(value) = schema.get(name) {
            return Some((file, value.clone()));
        }
        let (next, pointer) = references::target(&file, schema.get("$ref")?.as_str()?);
        let mut document = Catalog::schema(&next)?;
        schema = Cow::Owned(document.pointer_mut(&pointer)?.take());
        file = next;
    }
}

/// The properties of the schema that `schema` refers to, in whichever file it stands.
fn referred_properties(schema: &Map<String, Value>) -> Map<String, Value> {
    let mut from = String::new();
    let mut reference = schema.get("$ref").cloned();
    while let Some(Value::String(target)) = reference {
        let (file, pointer) = references::target(&from, &target);
        let mut document = Catalog::schema(&file).unwrap_or_default();
        let mut schema = document.pointer_mut(&pointer).map(Value::take);
        if let Some(Value::Object(properties)) = schema
            .as_mut()
            .and_then(|schema| schema.get_mut("properties"))
        {
            return std::mem::take(properties);
        }
        reference = schema.and_then(|schema| schema.get("$ref").cloned());
        from = file;
    }
    Map::new()
}

fn find(name: &str) -> Option<&'static EmbeddedAction> {
    embedded::ACTIONS
        .binary_search_by_key(&name, |action| action.name)
        .ok()
        .map(|index| &embedded::ACTIONS[index])
}

#[expect(
    clippy::expect_used,
    reason = "the build script wrote this text from the same types"
)]
fn parsed<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("the embedded catalog is well-formed")
}

//! The manifest, the actions and LINE's schemas, compiled in as JSON text and parsed one by one
//! when asked for; and the actions that a user adds. It reads no folder: texts are handed in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub use line_connector_catalog::definition::{self, Defaults};
use line_connector_catalog::definition::{Action, Example, Manifest, Triggers};
pub use line_connector_catalog::reader;
use line_connector_catalog::reader::Problem;
pub use line_connector_catalog::sections::{RETRY_KEY, SECTIONS};
use line_connector_catalog::{lint, references, sections};

use crate::documents::shortened;
use crate::error::{Error, Kind};
use crate::nearest::nearest;
use crate::schema::{Salvaged, Schema};

/// One action as the build script left it.
struct EmbeddedAction {
    name: &'static str,
    short: Option<&'static str>,
    operation_id: Option<&'static str>,
    default_set: bool,
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
    /// The full name.
    pub name: String,
    /// The name for hosts: the short one, where there is one.
    pub short: String,
    /// The folder it stands in.
    pub family: String,
    /// The title for people.
    pub title: String,
    /// Whether it belongs to the few that a host offers first.
    pub default_set: bool,
}

/// Everything that is declared.
#[derive(Debug, Clone)]
pub struct Catalog {
    manifest: Manifest,
    added: BTreeMap<String, Arc<AddedAction>>,
    schemas: Schemas,
}

/// An action that a user adds.
#[derive(Debug, Clone)]
struct AddedAction {
    family: String,
    /// The file that it stands in, as it was named.
    file: String,
    text: String,
    action: Action,
}

/// A file to add to what is compiled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedFile {
    /// What messages call it.
    pub name: String,
    /// Its path from the folder of added files, with `/` between the parts.
    pub path: String,
    /// What stands in it.
    pub text: String,
}

impl AddedFile {
    /// Whether its path is that of an action or of a shared schema.
    #[must_use]
    pub fn is_known(path: &str) -> bool {
        is_action(path) || is_schema(path)
    }

    /// Whether it is a shared schema.
    #[must_use]
    pub fn is_schema(&self) -> bool {
        is_schema(&self.path)
    }
}

fn is_action(path: &str) -> bool {
    matches!(ending(path), "yaml" | "yml")
}

fn is_schema(path: &str) -> bool {
    path.starts_with(references::SCHEMAS) && ending(path) == "json"
}

/// What follows the last dot of a path.
fn ending(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// LINE's schemas by their paths from the root, such as `schemas/line/id.json`: what is compiled in,
/// and what was added in its place.
#[derive(Debug, Clone, Default)]
pub struct Schemas(Arc<BTreeMap<String, Value>>);

impl Schemas {
    /// The schema of a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Value> {
        self.0.get(path).cloned().or_else(|| Catalog::schema(path))
    }

    /// What a keyword says in a schema of `file`, or in the first that it refers to which has the
    /// keyword, and the file in which that stands.
    #[must_use]
    pub fn keyword(&self, file: &str, schema: &Value, name: &str) -> Option<(String, Value)> {
        let mut file = file.to_owned();
        let mut schema = Cow::Borrowed(schema);
        loop {
            if let Some(value) = schema.get(name) {
                return Some((file, value.clone()));
            }
            let (next, pointer) = references::target(&file, schema.get("$ref")?.as_str()?);
            let mut document = self.get(&next)?;
            schema = Cow::Owned(document.pointer_mut(&pointer)?.take());
            file = next;
        }
    }

    /// The properties of the schema that `schema` refers to, in whichever file it stands.
    fn properties(&self, schema: &Map<String, Value>) -> Map<String, Value> {
        let mut from = String::new();
        let mut reference = schema.get("$ref").cloned();
        while let Some(Value::String(target)) = reference {
            let (file, pointer) = references::target(&from, &target);
            let mut document = self.get(&file).unwrap_or_default();
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

    /// All of them, parsed.
    fn all(&self) -> BTreeMap<String, Value> {
        let embedded = embedded::SCHEMAS.iter();
        let embedded = embedded.map(|(name, text)| ((*name).to_owned(), parsed(text)));
        let added = self.0.iter();
        let added = added.map(|(name, schema)| (name.clone(), schema.clone()));
        embedded.chain(added).collect()
    }
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
            schemas: Schemas::default(),
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
        self.add_all(&[AddedFile {
            name: file.to_owned(),
            path: file.replace('\\', "/"),
            text: text.to_owned(),
        }])
    }

    /// Adds action files and shared schemas, or replaces those of their names. Where anything is wrong
    /// nothing is added. A file that is neither is left out.
    ///
    /// # Errors
    ///
    /// Every [`Problem`] of every file, with its line.
    pub fn add_all(&mut self, files: &[AddedFile]) -> Result<(), Vec<Problem>> {
        let mut problems = Vec::new();
        let (schemas, texts) = added_schemas(files, &mut problems);
        let schemas = if schemas.is_empty() {
            self.schemas.clone()
        } else {
            let mut all = (*self.schemas.0).clone();
            all.extend(schemas);
            Schemas(Arc::new(all))
        };
        let all = schemas.all();
        for (name, file) in texts {
            let mut breaches = Vec::new();
            if let Some(schema) = all.get(&file.path) {
                lint::references("", &name, schema, &all, &mut breaches);
                if let Some(schema) = schema.as_object() {
                    lint::keywords("", schema, &mut breaches);
                }
            }
            problems.extend(reader::placed(&file.name, &file.text, breaches));
        }
        let mut next = Self {
            schemas,
            ..self.clone()
        };
        let mut homes: BTreeMap<String, &str> = BTreeMap::new();
        for file in files.iter().filter(|file| is_action(&file.path)) {
            let (action, found) = read(file);
            problems.extend(found);
            let Some((action, salvaged)) = action else {
                continue;
            };
            let mut parts = file.path.rsplit('/');
            let stem = parts.next().and_then(|name| name.split('.').next());
            let mut breaches = lint::action(
                stem.unwrap_or_default(),
                &action,
                &self.manifest.hosts,
                &all,
            );
            if let Some(salvaged) = salvaged {
                breaches.retain(|(path, _)| !salvaged.is_changed(path));
                problems.extend(reader::placed(&file.name, &file.text, breaches));
                continue;
            }
            if let Some(other) = homes.insert(action.name.clone(), &file.name) {
                let reason = format!("`{}` is already the name of {other}", action.name);
                breaches.push(("/name".to_owned(), reason));
            }
            problems.extend(reader::placed(&file.name, &file.text, breaches));
            let added = AddedAction {
                family: parts.next().unwrap_or("added").to_owned(),
                file: file.name.clone(),
                text: file.text.clone(),
                action,
            };
            next.added
                .insert(added.action.name.clone(), Arc::new(added));
        }
        for name in homes.keys() {
            let Some(added) = next.added.get(name) else {
                continue;
            };
            let breaches = lint::beside(&added.action, next.names());
            problems.extend(reader::placed(&added.file, &added.text, breaches));
        }
        if problems.is_empty() {
            *self = next;
            return Ok(());
        }
        let place = |problem: &Problem| (problem.file.clone(), problem.line, problem.column);
        problems.sort_by_cached_key(place);
        Err(problems)
    }

    /// The schemas that actions refer to.
    #[must_use]
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// The names of the actions that came by [`Catalog::add_all`].
    pub fn added(&self) -> impl Iterator<Item = &str> {
        self.added.keys().map(String::as_str)
    }

    /// The file of an action: what messages call it, and its text.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<(Cow<'_, str>, &str)> {
        match self.find(name)? {
            Found::Added(added) => Some((Cow::Borrowed(&added.file), &added.text)),
            Found::Embedded(action) => {
                let at = embedded::SOURCES.binary_search_by_key(&action.name, |(name, _)| name);
                let (name, text) = at.ok().and_then(|at| embedded::SOURCES.get(at))?;
                let file = format!("actions/{}/{name}.yaml", action.family);
                Some((Cow::Owned(file), text))
            }
        }
    }

    /// Whether an action and every schema that it could refer to are as they were compiled in.
    #[must_use]
    pub(crate) fn is_as_built(&self, name: &str) -> bool {
        self.schemas.0.is_empty() && !self.is_added(name)
    }

    /// Whether an action came by [`Catalog::add`].
    #[must_use]
    pub fn is_added(&self, name: &str) -> bool {
        matches!(self.find(name), Some(Found::Added(_)))
    }

    /// An action, without its examples.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<Action> {
        Some(match self.find(name)? {
            Found::Added(added) => added.action.clone(),
            Found::Embedded(action) => parsed(action.definition),
        })
    }

    /// Whether there is an action of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The full name of the action that goes by this name: its full one, its short one, or LINE's
    /// `operationId`, as LINE writes it or in `snake_case`. A full name always means its own action.
    #[must_use]
    pub fn full_name(&self, name: &str) -> Option<&str> {
        self.find(name).map(|found| found.names().name)
    }

    /// An action's examples.
    #[must_use]
    pub fn examples(&self, name: &str) -> Vec<Example> {
        match self.find(name) {
            Some(Found::Added(added)) => added.action.examples.clone(),
            Some(Found::Embedded(action)) => parsed(action.examples),
            None => Vec::new(),
        }
    }

    /// The action's line in the list.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<Entry> {
        self.find(name).map(Found::entry)
    }

    /// The name of an action that is nearest to this one, if any is near enough. What people mostly
    /// mean comes first: to send a message to somebody, and what a host offers first.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let first = self.find(&self.manifest.send.one);
        let (usual, others): (Vec<Found<'_>>, Vec<Found<'_>>) =
            self.all().partition(Found::is_in_default_set);
        let all = first.into_iter().chain(usual).chain(others);
        let names = all.flat_map(|found| {
            let names = found.names();
            let all = [Some(names.name), names.short, names.operation_id];
            all.into_iter().flatten()
        });
        nearest(name, names)
    }

    /// The error of a name that no action has. Its hint names the nearest one.
    #[must_use]
    pub fn unknown(&self, name: &str) -> Error {
        let text = format!("there is no action `{}`", shortened(name));
        let error = Error::new(Kind::UnknownAction, text);
        match self.nearest(name) {
            Some(known) => error.with_hint(format!("did you mean `{known}`?")),
            None => error,
        }
    }

    /// The one place that knows what an action may be called.
    fn find(&self, name: &str) -> Option<Found<'_>> {
        if let Some(added) = self.added.get(name) {
            return Some(Found::Added(added));
        }
        let embedded = embedded::ACTIONS.binary_search_by_key(&name, |action| action.name);
        if let Some(action) = embedded.ok().and_then(|at| embedded::ACTIONS.get(at)) {
            return Some(Found::Embedded(action));
        }
        let short = |found: &Found<'_>| found.names().short == Some(name);
        let lines = |found: &Found<'_>| {
            let id = found.names().operation_id;
            id.is_some_and(|id| id == name || snake_case(id).eq(name.bytes()))
        };
        self.all().find(short).or_else(|| self.all().find(lines))
    }

    fn all(&self) -> impl Iterator<Item = Found<'_>> {
        let added = self.added.values().map(|added| Found::Added(added));
        let embedded = embedded::ACTIONS.iter();
        let embedded = embedded.filter(|action| !self.added.contains_key(action.name));
        added.chain(embedded.map(Found::Embedded))
    }

    fn names(&self) -> impl Iterator<Item = lint::Names<'_>> {
        self.all().map(Found::names)
    }

    /// All actions, by family and name.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.all().map(Found::entry).collect();
        entries
            .sort_by(|left, right| (&left.family, &left.name).cmp(&(&right.family, &right.name)));
        entries
    }

    /// One of LINE's schemas as it is compiled in, by its path, such as `schemas/line/id.json`.
    #[must_use]
    pub fn schema(path: &str) -> Option<Value> {
        embedded::SCHEMAS
            .binary_search_by_key(&path, |(name, _)| name)
            .ok()
            .map(|index| parsed(embedded::SCHEMAS[index].1))
    }

    /// The path of a compiled schema that is nearest to this one, if any is near enough.
    #[must_use]
    pub fn nearest_schema(path: &str) -> Option<&'static str> {
        nearest(path, embedded::SCHEMAS.iter().map(|(name, _)| *name))
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
            _ => Cow::Owned(self.schemas.properties(schema)),
        }
    }
}

/// An action file: the action, as far as it can be read, and everything that is wrong with it. Where the
/// action is not whole, what was changed to read it is beside it.
fn read(file: &AddedFile) -> (Option<(Action, Option<Salvaged>)>, Vec<Problem>) {
    let problem = match reader::yaml(&file.name, &file.text) {
        Ok(action) => return (Some((action, None)), Vec::new()),
        Err(problem) => problem,
    };
    let (document, mut problems) = reader::text(&file.name, &file.text);
    let Some(document) = document else {
        return (None, problems);
    };
    let schema = json!(schemars::schema_for!(Action));
    let mut salvaged = Schema::new(&schema, |_| None).salvage(&document, &stand_in());
    let breaches = salvaged.violations.iter();
    let breaches = breaches.map(|detail| (detail.path.clone(), detail.in_full()));
    problems.extend(reader::placed(&file.name, &file.text, breaches.collect()));
    if problems.is_empty() {
        problems.push(problem);
    }
    // What is said of the rest of a file depends on these.
    let is_told = ["/inputs", "/meta/endpoint"].map(|path| salvaged.is_changed(path));
    let action = serde_json::from_value(salvaged.rest.take()).ok();
    let action = action.filter(|_| !is_told.contains(&true));
    (action.map(|action| (action, Some(salvaged))), problems)
}

/// What must be there in an action file: it takes the place of what is wrong while the rest is checked.
fn stand_in() -> Value {
    json!({
        "schema": "action/1",
        "name": "",
        "title": "",
        "description": "",
        "inputs": {},
        "output": {},
        "meta": {
            "endpoint": "",
            "method": "GET",
            "docs": "",
            "host": "api",
            "retry": "safe",
            "effect": "read",
        },
    })
}

/// The shared schemas among added files, and the files by the paths of their schemas. One that says
/// what the compiled one says replaces nothing.
fn added_schemas<'f>(
    files: &'f [AddedFile],
    problems: &mut Vec<Problem>,
) -> (BTreeMap<String, Value>, BTreeMap<String, &'f AddedFile>) {
    let mut schemas = BTreeMap::new();
    let mut texts = BTreeMap::new();
    for file in files.iter().filter(|file| is_schema(&file.path)) {
        match reader::json(&file.name, &file.text) {
            Ok(schema) if Catalog::schema(&file.path).as_ref() == Some(&schema) => {}
            Ok(schema) => {
                texts.insert(file.path.clone(), file);
                schemas.insert(file.path.clone(), schema);
            }
            Err(problem) => problems.push(problem),
        }
    }
    (schemas, texts)
}

/// An action, wherever it stands.
#[derive(Clone, Copy)]
enum Found<'a> {
    Added(&'a AddedAction),
    Embedded(&'static EmbeddedAction),
}

impl<'a> Found<'a> {
    fn names(self) -> lint::Names<'a> {
        match self {
            Self::Added(added) => lint::Names::from(&added.action),
            Self::Embedded(action) => lint::Names {
                name: action.name,
                short: action.short,
                operation_id: action.operation_id,
            },
        }
    }

    fn is_in_default_set(&self) -> bool {
        match self {
            Self::Added(added) => added.action.meta.default_set,
            Self::Embedded(action) => action.default_set,
        }
    }

    fn entry(self) -> Entry {
        let names = self.names();
        let (family, title) = match self {
            Self::Added(added) => (&*added.family, &*added.action.title),
            Self::Embedded(action) => (action.family, action.title),
        };
        Entry {
            name: names.name.to_owned(),
            short: names.short.unwrap_or(names.name).to_owned(),
            family: family.to_owned(),
            title: title.to_owned(),
            default_set: self.is_in_default_set(),
        }
    }
}

/// `issueChannelTokenByJWT` as `issue_channel_token_by_jwt`, byte by byte: where names differ, that is
/// known at once.
fn snake_case(id: &str) -> impl Iterator<Item = u8> {
    let bytes = id.as_bytes();
    bytes.iter().enumerate().flat_map(move |(at, letter)| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let after = bytes.get(at + 1);
        let ends = before.is_some_and(|one| one.is_ascii_lowercase() || one.is_ascii_digit());
        let begins = before.is_some() && after.is_some_and(u8::is_ascii_lowercase);
        let is_start = letter.is_ascii_uppercase() && (ends || begins);
        let underscore = is_start.then_some(b'_').into_iter();
        underscore.chain([letter.to_ascii_lowercase()])
    })
}

#[expect(
    clippy::expect_used,
    reason = "the build script wrote this text from the same types"
)]
fn parsed<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("the embedded catalog is well-formed")
}

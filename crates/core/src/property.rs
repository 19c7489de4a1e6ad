//! One place of an action's inputs or output, or of an event, found by the names on the way to it:
//! `messages/text/quickReply`, `/messages/0/text` as errors write it, or `messages[0].text` as LINE
//! does. It reads what `describe` shows, so whatever stands there can be found.

use line_connector_catalog::references::{self, type_chosen_by};
use line_connector_catalog::sections::SECTIONS;
use serde_json::{Map, Value, json};

use crate::describe::without_unused;
use crate::error::{Error, Kind};
use crate::nearest::nearest;

/// What stands at a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Whether it must be given.
    pub required: bool,
    /// Its own keywords, with those of the schemas that it refers to.
    pub facts: Map<String, Value>,
}

/// A place, with what is below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The property itself.
    pub property: Property,
    /// The values of `type`, or of items' `type`, that decide what else there is.
    pub types: Vec<String>,
    /// The properties of the object, or of the list's items, that are there whatever the `type`.
    pub properties: Vec<Property>,
    /// The schema, with everything that it refers to.
    pub schema: Value,
}

/// All inputs of a described action, beside one another as a call takes them.
#[must_use]
pub fn inputs(description: &Value) -> Place {
    let (bundle, flat) = flat_inputs(description);
    Walk { bundle: &bundle }.place("", true, &flat)
}

/// What stands at `path` in what is described: of an action in its inputs, as a call takes them or in
/// their sections, or below `output`; of a trigger in the event that it emits.
///
/// # Errors
///
/// [`Kind::Usage`]: nothing stands there. The nearest name that does is in the hint.
pub fn find(description: &Value, path: &str) -> Result<Place, Error> {
    let tokens = tokens(path);
    if let Some(emits) = description.get("emits") {
        return within(emits, emits, &tokens);
    }
    let (bundle, flat) = flat_inputs(description);
    match tokens.as_slice() {
        [Token::Name(first), rest @ ..] if flat["properties"].get(first).is_none() => {
            match first.as_str() {
                "output" => within(&description["output"], &description["output"], rest),
                section if SECTIONS.contains(&section) => within(&bundle, &bundle, &tokens),
                _ => within(&bundle, &flat, &tokens),
            }
        }
        _ => within(&bundle, &flat, &tokens),
    }
}

/// One step of a path.
#[derive(Debug)]
enum Token {
    Name(String),
    /// A place of a list. They are all alike.
    Index,
}

fn tokens(path: &str) -> Vec<Token> {
    let steps = path.split(['/', '.', '[', ']']);
    let steps = steps.filter(|step| !step.is_empty());
    steps
        .map(|step| match step {
            "-" | "*" => Token::Index,
            step if step.parse::<usize>().is_ok() => Token::Index,
            step => Token::Name(references::unescape(step)),
        })
        .collect()
}

/// The inputs as they are bundled, and as one flat object.
fn flat_inputs(description: &Value) -> (Value, Value) {
    let bundle = description["inputs"].clone();
    let walk = Walk { bundle: &bundle };
    let needed = names(bundle.as_object(), "required");
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for section in SECTIONS {
        let Some(schema) = bundle["properties"].get(section) else {
            continue;
        };
        for part in walk.parts(schema) {
            for (name, schema) in members(part.schema, "properties") {
                properties
                    .entry(name.clone())
                    .or_insert_with(|| schema.clone());
            }
            if needed.iter().any(|needed| needed == section) {
                required.extend(part.required());
            }
        }
    }
    let flat = json!({"type": "object", "properties": properties, "required": required});
    (bundle, flat)
}

fn within(bundle: &Value, root: &Value, tokens: &[Token]) -> Result<Place, Error> {
    let walk = Walk { bundle };
    let start = Reached {
        name: String::new(),
        required: true,
        schema: root.clone(),
        path: Vec::new(),
    };
    let reached = walk.follow(start, tokens, false).map_err(|lost| {
        let Lost { at, token, known } = *lost;
        let whose = match at.path.join("/") {
            path if path.is_empty() => String::new(),
            path => format!(" in `{path}`"),
        };
        let all = walk.names(&at.schema, true);
        let near = nearest(&token, all.iter().map(String::as_str)).map(str::to_owned);
        let error = Error::new(Kind::Usage, format!("there is no `{token}`{whose}"));
        error.with_hint(match near.or_else(|| walk.below(&at, &known, &token)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "nothing is declared below it".to_owned(),
            None => format!("there are {}", known.join(", ")),
        })
    })?;
    Ok(walk.place(&reached.name, reached.required, &reached.schema))
}

/// Where a path has led.
struct Reached {
    name: String,
    required: bool,
    schema: Value,
    /// The names on the way.
    path: Vec<String>,
}

/// Where a path leads no further.
struct Lost {
    at: Reached,
    token: String,
    /// The names that there are.
    known: Vec<String>,
}

/// A schema that holds at a place.
#[derive(Clone, Copy)]
struct Part<'a> {
    schema: &'a Map<String, Value>,
    /// When it does.
    holds: When<'a>,
}

/// When a schema holds.
#[derive(Clone, Copy, Default, PartialEq)]
struct When<'a> {
    /// The `type` for which alone it does.
    kind: Option<&'a str>,
    /// Whether there are others that may hold instead.
    is_choice: bool,
}

impl Part<'_> {
    /// The properties that must be there.
    fn required(&self) -> Vec<String> {
        if self.holds.is_choice {
            return Vec::new();
        }
        names(Some(self.schema), "required")
    }
}

struct Walk<'a> {
    bundle: &'a Value,
}

impl<'a> Walk<'a> {
    /// Goes where the names lead. A name may be that of a property and of a `type`: behind an index, as
    /// in a document, it is rather the property.
    fn follow(&self, at: Reached, tokens: &[Token], is_item: bool) -> Result<Reached, Box<Lost>> {
        let (token, rest) = match tokens {
            [] => return Ok(at),
            [Token::Index, rest @ ..] => return self.follow(at, rest, true),
            [Token::Name(token), rest @ ..] => (token, rest),
        };
        let mut steps = self.steps(&at.schema, token, is_item);
        if steps.is_empty()
            && let Some(schema) = self.free_member(&at.schema)
        {
            steps.push((false, schema));
        }
        let mut deepest: Option<Box<Lost>> = None;
        for (required, schema) in steps {
            let next = Reached {
                name: token.clone(),
                required,
                schema,
                path: at.path.iter().chain([token]).cloned().collect(),
            };
            let lost = match self.follow(next, rest, false) {
                Ok(reached) => return Ok(reached),
                Err(lost) => lost,
            };
            let depth = |lost: &Lost| (lost.at.path.len(), !lost.known.is_empty());
            if deepest
                .as_ref()
                .is_none_or(|known| depth(&lost) > depth(known))
            {
                deepest = Some(lost);
            }
        }
        Err(deepest.unwrap_or_else(|| {
            Box::new(Lost {
                known: self.names(&at.schema, false),
                at,
                token: token.clone(),
            })
        }))
    }

    /// What a name may mean, the likeliest first: whether it is required, and its schema.
    fn steps(&self, schema: &Value, name: &str, is_item: bool) -> Vec<(bool, Value)> {
        let parts = self.parts(schema);
        let declared = |kind: Option<&str>| {
            let parts: Vec<&Part<'_>> = parts
                .iter()
                .filter(|part| part.holds.kind == kind)
                .collect();
            let schemas = parts
                .iter()
                .filter_map(|part| part.schema.get("properties")?.get(name).cloned());
            let schemas = schemas.collect();
            let needed = parts.iter().any(|part| {
                let names = part.required();
                names.iter().any(|needed| needed == name)
            });
            Some((needed, all_of(schemas)?))
        };
        let kinds = kinds(&parts);
        let of_some_kind = kinds.iter().filter_map(|kind| declared(Some(kind)));
        let of_kind = parts.iter().find(|part| part.holds.kind == Some(name));
        let of_kind = of_kind.map(|part| (false, Value::Object(part.schema.clone())));
        let plain = declared(None).into_iter();
        if is_item {
            plain.chain(of_some_kind).chain(of_kind).collect()
        } else {
            plain.chain(of_kind).chain(of_some_kind).collect()
        }
    }

    /// The names below a schema: of properties that are there whatever the `type`, and of types; `in_all`
    /// also of properties that only some types have.
    fn names(&self, schema: &Value, in_all: bool) -> Vec<String> {
        let parts = self.parts(schema);
        let shown = parts
            .iter()
            .filter(|part| in_all || part.holds.kind.is_none());
        let known = shown.flat_map(|part| members(part.schema, "properties"));
        let mut known: Vec<String> = known.map(|(name, _)| name.clone()).collect();
        known.extend(kinds(&parts));
        known.sort();
        known.dedup();
        known
    }

    /// The path of a property of this name one level further down.
    fn below(&self, at: &Reached, known: &[String], name: &str) -> Option<String> {
        let parent = known.iter().find(|parent| {
            let steps = self.steps(&at.schema, parent, false);
            let mut below = steps
                .iter()
                .flat_map(|(_, schema)| self.names(schema, true));
            below.any(|below| below == name)
        })?;
        let path: Vec<&str> = at.path.iter().map(String::as_str).collect();
        Some([path.as_slice(), &[parent, name]].concat().join("/"))
    }

    /// The schema of members whose names are the caller's own, as those of substitutions are.
    fn free_member(&self, schema: &Value) -> Option<Value> {
        let parts = self.parts(schema);
        let mut members = parts
            .iter()
            .filter_map(|part| part.schema.get("additionalProperties"));
        members.find(|schema| schema.is_object()).cloned()
    }

    fn place(&self, name: &str, required: bool, schema: &Value) -> Place {
        let parts = self.parts(schema);
        let types = kinds(&parts);
        let mut properties: Vec<Property> = Vec::new();
        for part in parts
            .iter()
            .filter(|part| part.holds.kind.is_none() || types.len() == 1)
        {
            let needed = part.required();
            for (name, schema) in members(part.schema, "properties") {
                let facts = self.facts(schema);
                let is_known = properties.iter().any(|known| known.name == *name);
                if is_known || facts.contains_key("x-refuse") || schema.as_bool() == Some(false) {
                    continue;
                }
                let required = needed.contains(name);
                let name = name.clone();
                properties.push(Property {
                    name,
                    required,
                    facts,
                });
            }
        }
        let mut whole = schema.clone();
        if let (Some(whole), Some(definitions)) = (whole.as_object_mut(), self.bundle.get("$defs"))
        {
            whole.insert("$defs".to_owned(), definitions.clone());
        }
        Place {
            property: Property {
                name: name.to_owned(),
                required,
                facts: self.facts(schema),
            },
            types,
            properties,
            schema: without_unused(whole),
        }
    }

    /// A schema's own keywords and, where it lacks them, those of what it refers to.
    fn facts(&self, schema: &Value) -> Map<String, Value> {
        let mut facts = schema.as_object().cloned().unwrap_or_default();
        let mut seen = Vec::new();
        while let Some(Value::String(reference)) = facts.remove("$ref") {
            let target = self.target(&reference).and_then(Value::as_object);
            for (keyword, value) in target.into_iter().flatten() {
                facts.entry(keyword).or_insert_with(|| value.clone());
            }
            if seen.contains(&reference) {
                break;
            }
            seen.push(reference);
        }
        if !facts.contains_key("type") {
            let types = self.types(&facts, 0);
            match types.as_slice() {
                [] => {}
                [only] => drop(facts.insert("type".to_owned(), json!(only))),
                several => drop(facts.insert("type".to_owned(), json!(several))),
            }
        }
        facts
    }

    /// The types of what has no `type` of its own: those of its alternatives, or what has properties.
    fn types(&self, facts: &Map<String, Value>, depth: usize) -> Vec<String> {
        const DEEP_ENOUGH: usize = 8;
        let mut types: Vec<String> = match facts.get("type") {
            Some(Value::String(own)) => vec![own.clone()],
            Some(Value::Array(_)) => names(Some(facts), "type"),
            _ if facts.contains_key("properties") => vec!["object".to_owned()],
            _ => Vec::new(),
        };
        let alternatives = ["anyOf", "oneOf"].map(|keyword| facts.get(keyword));
        for alternative in alternatives
            .into_iter()
            .flatten()
            .filter_map(Value::as_array)
            .flatten()
        {
            let reference = alternative.get("$ref").and_then(Value::as_str);
            let target = reference.and_then(|reference| self.target(reference));
            let schema = target.unwrap_or(alternative).as_object();
            if let Some(schema) = schema.filter(|_| depth < DEEP_ENOUGH) {
                types.extend(self.types(schema, depth + 1));
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        types.retain(|name| name != "null" && seen.insert(name.clone()));
        types
    }

    fn target(&self, reference: &str) -> Option<&'a Value> {
        self.bundle.pointer(reference.strip_prefix('#')?)
    }

    /// Every schema that a value at this place, or an item of its list, may have to fit.
    fn parts<'b>(&self, schema: &'b Value) -> Vec<Part<'b>>
    where
        'a: 'b,
    {
        let mut found = Vec::new();
        self.collect(schema, When::default(), &mut Vec::new(), &mut found);
        found
    }

    fn collect<'b>(
        &self,
        schema: &'b Value,
        holds: When<'b>,
        seen: &mut Vec<(String, Option<String>)>,
        found: &mut Vec<Part<'b>>,
    ) where
        'a: 'b,
    {
        let Some(schema) = schema.as_object() else {
            return;
        };
        found.push(Part { schema, holds });
        if let Some(Value::String(reference)) = schema.get("$ref") {
            let step = (reference.clone(), holds.kind.map(str::to_owned));
            if !seen.contains(&step) {
                seen.push(step);
                if let Some(target) = self.target(reference) {
                    self.collect(target, holds, seen, found);
                }
            }
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let branches = schema.get(keyword).and_then(Value::as_array);
            let branches = branches.into_iter().flatten();
            let is_something =
                |branch: &&Value| branch.get("type").is_none_or(|name| name != "null");
            let is_choice = keyword != "allOf" && branches.clone().filter(is_something).count() > 1;
            let is_choice = holds.is_choice || is_choice;
            for branch in branches {
                match (type_chosen_by(branch), branch.get("then")) {
                    (Some(chosen), Some(then)) if holds.kind.is_none() => {
                        let kind = Some(chosen);
                        self.collect(then, When { kind, is_choice }, seen, found);
                    }
                    (Some(_), _) => {}
                    (None, _) => {
                        let holds = When { is_choice, ..holds };
                        self.collect(branch, holds, seen, found);
                    }
                }
            }
        }
        for keyword in ["then", "else", "items", "additionalProperties"] {
            if let Some(below) = schema.get(keyword) {
                self.collect(below, holds, seen, found);
            }
        }
    }
}

/// The schema of what has to fit all of these, the first of which speaks for it.
fn all_of(schemas: Vec<Value>) -> Option<Value> {
    let mut schemas = schemas.into_iter();
    let mut first = schemas.next()?;
    let others: Vec<Value> = schemas.collect();
    if let (Some(members), false) = (first.as_object_mut(), others.is_empty()) {
        match members.entry("allOf").or_insert_with(|| json!([])) {
            Value::Array(branches) => branches.extend(others),
            _ => return Some(first),
        }
    }
    Some(first)
}

/// The types that choose a part, in order, each once.
fn kinds(parts: &[Part<'_>]) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for kind in parts.iter().filter_map(|part| part.holds.kind) {
        if !kinds.iter().any(|known| known == kind) {
            kinds.push(kind.to_owned());
        }
    }
    kinds
}

fn members<'b>(
    schema: &'b Map<String, Value>,
    keyword: &str,
) -> impl Iterator<Item = (&'b String, &'b Value)> {
    let members = schema.get(keyword).and_then(Value::as_object);
    members.into_iter().flatten()
}

fn names(schema: Option<&Map<String, Value>>, keyword: &str) -> Vec<String> {
    let names = schema.and_then(|schema| schema.get(keyword)?.as_array());
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

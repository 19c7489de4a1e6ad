//! Tests the table of actions as a table: what no type can say about a file, or about all of them
//! together. It reads no file and stops at nothing: every problem is reported.

use std::collections::{BTreeMap, BTreeSet};

use line_connector_text::nearest::nearest;
use serde_json::{Map, Value};

use crate::definition::{Action, Binary, Effect, Host, Manifest, Repeat, Triggers, rate};
use crate::references as pointer;
use crate::sections::{RETRY_KEY, SECTIONS, placeholders_of, section};

/// A rule that a file breaks, with the JSON pointer of the place.
pub type Breach = (String, String);

/// What one action file breaks. `stem` is the file's name without `.yaml`.
#[must_use]
pub fn action(
    stem: &str,
    action: &Action,
    hosts: &BTreeMap<Host, String>,
    schemas: &BTreeMap<String, Value>,
) -> Vec<Breach> {
    let mut breaches = Vec::new();
    identity(stem, action, &mut breaches);
    sections(action, &mut breaches);
    binaries(action, &mut breaches);
    pages(action, &mut breaches);
    placeholders(action, &mut breaches);
    retry(action, &mut breaches);
    hints(action, &mut breaches);
    places(action, &mut breaches);
    fallback(action, &mut breaches);
    for (part, schema) in [("inputs", &action.inputs), ("output", &action.output)] {
        references(
            &format!("/{part}"),
            "",
            &Value::Object(schema.clone()),
            schemas,
            &mut breaches,
        );
        keywords(&format!("/{part}"), schema, &mut breaches);
    }
    examples(action, hosts, &mut breaches);
    breaches
}

fn identity(stem: &str, action: &Action, breaches: &mut Vec<Breach>) {
    let well_formed = action.name.starts_with(|c: char| c.is_ascii_lowercase())
        && action
            .name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !well_formed {
        breaches.push(breach("/name", "a name is snake_case: a-z, 0-9 and _"));
    }
    if let Some(short) = &action.meta.short
        && !is_short_name(short)
    {
        breaches.push(breach(
            "/meta/short",
            "a short name is snake_case of at most 40 characters: a-z, 0-9 and _",
        ));
    }
    if action.name != stem {
        breaches.push(breach(
            "/name",
            &format!("the name must be the file's own, `{stem}`"),
        ));
    }
    if action.title.trim().is_empty() {
        breaches.push(breach("/title", "the title is empty"));
    }
    if action.description.trim().is_empty() {
        breaches.push(breach("/description", "the description is empty"));
    }
    if !action.meta.docs.starts_with("https://developers.line.biz/") {
        breaches.push(breach(
            "/meta/docs",
            "docs must link to https://developers.line.biz/",
        ));
    }
    if let Some(limit) = &action.meta.rate_limit
        && rate(limit).is_none()
    {
        breaches.push(breach(
            "/meta/rate_limit",
            "a rate is `N/s`, `N/min` or `N/h`",
        ));
    }
}

/// The most characters of a short name: with the prefixes of hosts it stays within 64.
const MAX_SHORT: usize = 40;

fn is_short_name(name: &str) -> bool {
    name.len() <= MAX_SHORT
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// What an action breaks beside the others: its short name and its operation ID name nothing else,
/// and the listings that it refers to are there.
#[must_use]
pub fn beside<'a>(action: &Action, others: impl Iterator<Item = Names<'a>>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut known = Vec::new();
    let mut wanted: BTreeSet<&str> = action.meta.choices.values().map(|c| &*c.action).collect();
    for other in others {
        wanted.remove(other.name);
        known.push(other.name);
        if other.name == action.name {
            continue;
        }
        let taken = |name: &str| other.name == name || other.short == Some(name);
        let own = [
            (
                "/name",
                Some(&action.name).filter(|name| other.short == Some(name)),
            ),
            (
                "/meta/short",
                action.meta.short.as_ref().filter(|name| taken(name)),
            ),
            (
                "/meta/operation_id",
                action
                    .meta
                    .operation_id
                    .as_ref()
                    .filter(|name| taken(name) || other.operation_id == Some(name.as_str())),
            ),
        ];
        for (at, name) in own {
            if let Some(name) = name {
                let reason = format!("`{name}` is already a name of {}", other.name);
                breaches.push((at.to_owned(), reason));
            }
        }
    }
    for name in wanted {
        let reason = format!("there is no action `{name}`");
        let reason = with_suggestion(&reason, name, known.iter().copied());
        breaches.push(breach("/meta/choices", &reason));
    }
    breaches
}

/// The names of an action.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The full one.
    pub name: &'a str,
    /// The short one.
    pub short: Option<&'a str>,
    /// LINE's own.
    pub operation_id: Option<&'a str>,
}

impl<'a> From<&'a Action> for Names<'a> {
    fn from(action: &'a Action) -> Self {
        Self {
            name: &action.name,
            short: action.meta.short.as_deref(),
            operation_id: action.meta.operation_id.as_deref(),
        }
    }
}

fn sections(action: &Action, breaches: &mut Vec<Breach>) {
    for name in properties(&action.inputs).into_iter().flat_map(Map::keys) {
        if !SECTIONS.contains(&name.as_str()) {
            breaches.push(breach(
                &format!("/inputs/properties/{}", pointer::escape(name)),
                &format!(
                    "`{name}` is not a section; {}",
                    suggestion(name, SECTIONS)
                        .unwrap_or_else(|| { format!("the sections are {}", SECTIONS.join(", ")) })
                ),
            ));
        }
    }
    let [json, data, files] =
        ["json_body", "data_body", "files"].map(|name| section(action, name).is_some());
    if json && (data || files) {
        breaches.push(breach(
            "/inputs/properties",
            "a request has one body, not two",
        ));
    }
}

/// Where bytes go to LINE, the file says which.
fn binaries(action: &Action, breaches: &mut Vec<Breach>) {
    let parts = section(action, "files")
        .and_then(properties)
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            (
                format!("/inputs/properties/files/properties/{name}"),
                schema.get("x-binary"),
            )
        });
    let body = section(action, "data_body")
        .and_then(|schema| schema.get("x-binary"))
        .map(|binary| ("/inputs/properties/data_body".to_owned(), Some(binary)));
    for (at, binary) in parts.chain(body) {
        let Some(binary) = binary else {
            breaches.push(breach(&at, "a file needs `x-binary`"));
            continue;
        };
        if let Err(error) = serde_json::from_value::<Binary>(binary.clone()) {
            breaches.push((at, format!("`x-binary` is wrong: {error}")));
        }
    }
}

fn hints(action: &Action, breaches: &mut Vec<Breach>) {
    for (status, hint) in &action.meta.hints {
        if !(400..500).contains(status) || hint.trim().is_empty() {
            breaches.push(breach(
                &format!("/meta/hints/{status}"),
                "a hint is words about a refusal, 400 to 499",
            ));
        }
    }
}

/// The inputs that `meta` names are declared.
fn places(action: &Action, breaches: &mut Vec<Breach>) {
    let resumes = action.meta.resumes_with.iter();
    let resumes = resumes.map(|place| ("/meta/resumes_with".to_owned(), place));
    let days = action.meta.years_back.keys();
    let days = days.map(|place| {
        (
            format!("/meta/years_back/{}", pointer::escape(place)),
            place,
        )
    });
    let messages = action.meta.messages.iter();
    let messages = messages.map(|place| ("/meta/messages".to_owned(), place));
    let choices = action.meta.choices.keys();
    let choices = choices.map(|place| (format!("/meta/choices/{}", pointer::escape(place)), place));
    for (at, place) in resumes.chain(days).chain(messages).chain(choices) {
        let declared = place.split_once('/').is_some_and(|(name, input)| {
            // A section that is a reference names its inputs elsewhere.
            let section = section(action, name);
            section.is_some_and(|section| {
                properties(section).is_none_or(|inputs| inputs.contains_key(input))
            })
        });
        if !declared {
            let reason = "no input of this `section/name` is declared";
            let names = SECTIONS.into_iter().flat_map(|name| {
                let section = section(action, name).and_then(properties);
                let inputs = section.into_iter().flat_map(Map::keys);
                inputs.map(move |input| format!("{name}/{input}"))
            });
            let names: Vec<String> = names.collect();
            let names = names.iter().map(String::as_str);
            breaches.push(breach(&at, &with_suggestion(reason, place, names)));
        }
    }
}

/// What another way to send takes is there.
fn fallback(action: &Action, breaches: &mut Vec<Breach>) {
    let sends = action.meta.sends.as_ref();
    let body = section(action, "json_body").and_then(properties);
    if let Some(fallback) = sends.and_then(|sends| sends.fallback.as_ref())
        && (action.meta.messages.is_none()
            || !body.is_some_and(|body| body.contains_key(&fallback.once_per)))
    {
        breaches.push(breach(
            "/meta/sends/fallback",
            "it needs `meta.messages`, and `once_per` names a member of inputs.json_body",
        ));
    }
}

fn pages(action: &Action, breaches: &mut Vec<Breach>) {
    let Some(pages) = &action.meta.pages else {
        return;
    };
    let parameters = section(action, "parameters").and_then(properties);
    if !parameters.is_some_and(|known| known.contains_key(&pages.parameter)) {
        breaches.push(breach(
            "/meta/pages/parameter",
            "the parameter is not declared in inputs.parameters",
        ));
    }
    if action.meta.effect != Effect::Read {
        breaches.push(breach("/meta/pages", "only what reads has pages"));
    }
}

fn placeholders(action: &Action, breaches: &mut Vec<Breach>) {
    let endpoint = &action.meta.endpoint;
    if endpoint.starts_with('/') || endpoint.contains(char::is_whitespace) || endpoint.is_empty() {
        breaches.push(breach(
            "/meta/endpoint",
            "no leading slash and no white space",
        ));
    }
    let used: BTreeSet<&str> = placeholders_of(endpoint).collect();
    let schema = section(action, "path_parameters");
    let declared: BTreeSet<&str> = schema
        .and_then(properties)
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    for name in used.difference(&declared) {
        breaches.push(breach(
            "/meta/endpoint",
            &format!("`{{{{{name}}}}}` is not declared in inputs.path_parameters"),
        ));
    }
    for name in declared.difference(&used) {
        breaches.push(breach(
            "/inputs/properties/path_parameters",
            &format!("`{name}` is declared but not used in meta.endpoint"),
        ));
    }
    let required = schema
        .and_then(|schema| schema.get("required"))
        .and_then(Value::as_array);
    for name in &used {
        if !required.is_some_and(|names| names.iter().any(|known| known == name)) {
            breaches.push(breach(
                "/inputs/properties/path_parameters",
                &format!("`{name}` stands in the path, so it must be required"),
            ));
        }
    }
}

fn retry(action: &Action, breaches: &mut Vec<Breach>) {
    let takes_key = section(action, "headers")
        .and_then(properties)
        .and_then(|headers| headers.get(RETRY_KEY))
        .is_some_and(|schema| schema.get("x-refuse").is_none());
    match (action.meta.retry, takes_key) {
        (Repeat::Keyed, false) => {
            breaches.push(breach(
                "/meta/retry",
                &format!("`keyed` needs the header {RETRY_KEY}"),
            ));
        }
        (Repeat::Safe | Repeat::Never, true) => {
            breaches.push(breach(
                "/meta/retry",
                &format!("an action with {RETRY_KEY} is `keyed`"),
            ));
        }
        _ => {}
    }
}

fn examples(action: &Action, hosts: &BTreeMap<Host, String>, breaches: &mut Vec<Breach>) {
    if action.examples.is_empty() {
        breaches.push(breach("/examples", "an action needs at least one example"));
    }
    let fixed = action.meta.endpoint.split("{{").next().unwrap_or_default();
    let start = hosts
        .get(&action.meta.host)
        .map(|host| format!("{host}/{fixed}"));
    for (index, example) in action.examples.iter().enumerate() {
        if start
            .as_ref()
            .is_some_and(|start| !example.request.url.starts_with(start.as_str()))
        {
            breaches.push(breach(
                &format!("/examples/{index}/request/url"),
                "the example's URL is not this action's endpoint",
            ));
        }
    }
}

/// Reports the references of one schema that lead nowhere. `from` is the schema's own path, empty
/// for action files.
pub fn references(
    at: &str,
    from: &str,
    schema: &Value,
    schemas: &BTreeMap<String, Value>,
    breaches: &mut Vec<Breach>,
) {
    for (place, reference) in pointer::references(schema) {
        let (file, inside) = pointer::target(from, &reference);
        let document = if file == from {
            Some(schema)
        } else {
            schemas.get(&file)
        };
        let reason = format!("`{reference}` leads nowhere");
        let reason = match document {
            Some(document) if document.pointer(&inside).is_some() => continue,
            Some(document) => {
                let definitions = document.get("$defs").and_then(Value::as_object);
                let names: Vec<String> = definitions
                    .into_iter()
                    .flat_map(Map::keys)
                    .map(|name| format!("/$defs/{}", pointer::escape(name)))
                    .collect();
                with_suggestion(&reason, &inside, names.iter().map(String::as_str))
            }
            None => with_suggestion(&reason, &file, schemas.keys().map(String::as_str)),
        };
        breaches.push((format!("{at}{place}"), reason));
    }
}

/// The keywords of JSON Schema 2020-12 that a schema may have, and ours.
const KEYWORDS: [&str; 66] = [
    "$anchor",
    "$comment",
    "$defs",
    "$id",
    "$ref",
    "$schema",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "default",
    "dependentRequired",
    "dependentSchemas",
    "deprecated",
    "description",
    "else",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "readOnly",
    "required",
    "then",
    "title",
    "type",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
    "writeOnly",
    "x-ascending",
    "x-binary",
    "x-digest",
    "x-exactlyOne",
    "x-expected",
    "x-maxDays",
    "x-maxJsonKilobytes",
    "x-ordered",
    "x-refuse",
    "x-rules",
    "x-unit",
    "x-warn",
];

/// Reports the keywords of a schema that are none: a misspelt one would limit nothing. Others may have
/// annotations of their own, `x-…`, unless they look like one of ours.
pub fn keywords(at: &str, schema: &Map<String, Value>, breaches: &mut Vec<Breach>) {
    for (name, value) in schema {
        let place = format!("{at}/{}", pointer::escape(name));
        let is_annotation = name.starts_with("x-") && nearest(name, KEYWORDS).is_none();
        if !KEYWORDS.contains(&name.as_str()) && !is_annotation {
            let reason = format!("`{name}` is no keyword of a schema");
            breaches.push((place, with_suggestion(&reason, name, KEYWORDS)));
            continue;
        }
        let mut below = |step: &str, value: &Value| {
            if let Some(schema) = value.as_object() {
                keywords(&format!("{place}{step}"), schema, breaches);
            }
        };
        match (name.as_str(), value) {
            (
                "properties" | "patternProperties" | "$defs" | "dependentSchemas",
                Value::Object(all),
            ) => {
                for (name, schema) in all {
                    below(&format!("/{}", pointer::escape(name)), schema);
                }
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(all)) => {
                for (index, schema) in all.iter().enumerate() {
                    below(&format!("/{index}"), schema);
                }
            }
            (
                "additionalProperties"
                | "contains"
                | "else"
                | "if"
                | "items"
                | "not"
                | "propertyNames"
                | "then"
                | "unevaluatedItems"
                | "unevaluatedProperties"
                | "x-warn",
                schema,
            ) => below("", schema),
            _ => {}
        }
    }
}

/// What the manifest breaks, given the names of all actions.
#[must_use]
pub fn manifest(manifest: &Manifest, actions: &BTreeSet<&str>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for host in [Host::Api, Host::Data, Host::Manager] {
        if !manifest
            .hosts
            .get(&host)
            .is_some_and(|url| url.starts_with("https://"))
        {
            breaches.push(breach("/hosts", &format!("{host:?} needs an https URL")));
        }
    }
    for (index, asset) in manifest.assets.iter().enumerate() {
        for name in &asset.inputs.required {
            if !asset.inputs.properties.contains_key(name) {
                breaches.push(breach(
                    &format!("/assets/{index}/inputs/required"),
                    &format!("`{name}` is required but not declared"),
                ));
            }
        }
    }
    for name in &manifest.check {
        if !actions.contains(name.as_str()) {
            breaches.push(breach("/check", &format!("there is no action `{name}`")));
        }
    }
    let send = &manifest.send;
    for (part, name) in [
        ("one", &send.one),
        ("many", &send.many),
        ("reply", &send.reply),
    ] {
        if !actions.contains(name.as_str()) {
            let reason = format!("there is no action `{name}`");
            breaches.push(breach(&format!("/send/{part}"), &reason));
        }
    }
    let quota = &manifest.quota;
    for (part, figure) in [("limit", &quota.limit), ("used", &quota.used)] {
        if !actions.contains(figure.action.as_str()) {
            let reason = format!("there is no action `{}`", figure.action);
            breaches.push(breach(&format!("/quota/{part}"), &reason));
        }
    }
    let campaign = &manifest.campaign;
    for (part, name) in [
        ("followers", &campaign.followers),
        ("account", &campaign.account.action),
        ("profile", &campaign.profile.action),
        ("units", &campaign.units.action),
        ("statistics", &campaign.statistics),
    ] {
        if !actions.contains(name.as_str()) {
            let reason = format!("there is no action `{name}`");
            breaches.push(breach(&format!("/campaign/{part}"), &reason));
        }
    }
    triggers(manifest.triggers.as_ref(), actions, &mut breaches);
    breaches
}

fn triggers(triggers: Option<&Triggers>, actions: &BTreeSet<&str>, breaches: &mut Vec<Breach>) {
    let Some(triggers) = triggers else {
        breaches.push(breach("", "the triggers are missing"));
        return;
    };
    let content = &triggers.content;
    for (part, name) in [("fetch", &content.fetch), ("preview", &content.preview)] {
        if !actions.contains(name.as_str()) {
            breaches.push(breach(
                &format!("/triggers/content/{part}"),
                &format!("there is no action `{name}`"),
            ));
        }
    }
    let mut names = BTreeSet::new();
    for (index, trigger) in triggers.events.iter().enumerate() {
        let mut note = |part: &str, reason: &str| {
            breaches.push(breach(&format!("/triggers/events/{index}/{part}"), reason));
        };
        let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c == '.';
        if trigger.name.is_empty() || !trigger.name.chars().all(plain) {
            note("name", "a trigger's name is made of a-z, _ and .");
        }
        if actions.contains(trigger.name.as_str()) || !names.insert(&trigger.name) {
            note("name", &format!("`{}` is there already", trigger.name));
        }
        for (part, text) in [
            ("title", &trigger.title),
            ("description", &trigger.description),
        ] {
            if text.trim().is_empty() {
                note(part, &format!("the {part} is empty"));
            }
        }
        if !trigger.docs.starts_with("https://developers.line.biz/") {
            note("docs", "docs must link to https://developers.line.biz/");
        }
        let example = trigger.example.get("type").and_then(Value::as_str);
        if trigger.event != "*" && example != Some(&trigger.event) {
            note(
                "example",
                "the example is not an event of LINE's type `event`",
            );
        }
    }
}

fn properties(schema: &Map<String, Value>) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

/// The question whether the nearest of some names was meant, where one is near.
fn suggestion<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, names).map(|near| format!("did you mean `{near}`?"))
}

fn with_suggestion<'a>(
    reason: &str,
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> String {
    match suggestion(name, names) {
        Some(question) => format!("{reason}; {question}"),
        None => reason.to_owned(),
    }
}

fn breach(at: &str, reason: &str) -> Breach {
    (at.to_owned(), reason.to_owned())
}

//! The catalog and LINE's published inventory agree one to one: method, host and path. The inventory
//! is `tests/coverage/operations.json`, made from LINE's OpenAPI; this is the one check that trusts
//! neither our own catalog nor the sandbox. What goes in and comes out is not judged here.

use std::collections::{BTreeMap, BTreeSet};

use line_connector_client::Catalog;
use serde_json::{Value, json};

/// Where an operation is: method, host and path, with `{}` for each parameter.
type Place = (String, String, String);

const INDEX: &str = include_str!("../coverage/operations.json");

/// How many operations LINE documents: 110 in its OpenAPI, 2 in its reference alone.
const DOCUMENTED: usize = 112;

/// What the catalog has beyond the inventory, and why.
const BEYOND: [(&str, &str, &str, &str); 2] = [
    (
        "POST",
        "api",
        "/v2/bot/message/pnp/templated/push",
        "LINE documents notification messages by template, but its OpenAPI leaves them out",
    ),
    (
        "GET",
        "api",
        "/v2/bot/message/delivery/pnp/templated",
        "the count of the same messages, likewise",
    ),
];

/// A path whose parameters have lost their names, which are ours to choose.
fn nameless(path: &str, open: &str, close: &str) -> String {
    let mut parts = path.split(open);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |path, part| {
        let (_, after) = part.split_once(close).unwrap_or_default();
        path + "{}" + after
    })
}

fn text(operation: &Value, key: &str) -> String {
    let text = operation.get(key).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("{operation} has no {key}"))
        .to_owned()
}

fn published() -> BTreeMap<Place, String> {
    let index: Value = serde_json::from_str(INDEX).expect("the index is JSON");
    let mut places = BTreeMap::new();
    for entry in index.as_array().expect("a list of operations") {
        let text = |key: &str| text(entry, key);
        let path = nameless(&text("path"), "{", "}");
        let place = (text("method"), text("host"), path);
        let other = places.insert(place, text("operation"));
        assert_eq!(other, None, "{} is in the index twice", text("operation"));
    }
    places
}

fn declared() -> BTreeMap<Place, String> {
    let catalog = Catalog::embedded();
    let mut places = BTreeMap::new();
    for entry in catalog.entries() {
        let meta = catalog.action(&entry.name).map(|action| json!(action.meta));
        let text = |key: &str| text(meta.as_ref().unwrap_or(&Value::Null), key);
        let path = format!("/{}", nameless(&text("endpoint"), "{{", "}}"));
        let place = (text("method"), text("host"), path);
        if let Some(other) = places.insert(place, entry.name.clone()) {
            panic!("{} and {other} are the same operation", entry.name);
        }
    }
    places
}

fn beyond() -> BTreeSet<Place> {
    let places = BEYOND.map(|(method, host, path, reason)| {
        assert!(!reason.is_empty());
        (method.to_owned(), host.to_owned(), path.to_owned())
    });
    places.into()
}

fn listed<'a>(operations: impl Iterator<Item = (&'a Place, &'a String)>) -> Vec<String> {
    operations
        .map(|((method, host, path), name)| format!("{method} {host} {path} ({name})"))
        .collect()
}

#[test]
fn the_catalog_has_every_published_operation() {
    let declared = declared();
    let published = published();
    let missing = listed(
        published
            .iter()
            .filter(|(place, _)| !declared.contains_key(place)),
    );
    assert!(
        missing.is_empty(),
        "{} operations without an action:\n{}",
        missing.len(),
        missing.join("\n")
    );
}

#[test]
fn the_catalog_has_nothing_that_line_does_not_publish() {
    let published = published();
    let beyond = beyond();
    let declared = declared();
    let unknown = listed(
        declared
            .iter()
            .filter(|(place, _)| !published.contains_key(place) && !beyond.contains(place)),
    );
    assert!(
        unknown.is_empty(),
        "{} actions that tests/coverage/operations.json does not have (make_index.py makes it anew from \
         LINE's OpenAPI; what LINE only documents belongs to BEYOND in this file, with the reason):\n{}",
        unknown.len(),
        unknown.join("\n")
    );
}

#[test]
fn operation_ids_are_lines_own() {
    let catalog = Catalog::embedded();
    let published = published();
    for (place, name) in declared() {
        let meta = catalog.action(&name).map(|action| action.meta);
        let declared = meta.and_then(|meta| meta.operation_id);
        assert_eq!(declared.as_ref(), published.get(&place), "{name}");
    }
}

#[test]
fn what_is_listed_as_unpublished_is_declared_and_still_unpublished() {
    let published = published();
    let declared = declared();
    for place in beyond() {
        assert!(declared.contains_key(&place), "{place:?} has no action");
        assert!(
            !published.contains_key(&place),
            "{place:?} is published now; take it off the list"
        );
    }
}

#[test]
fn nothing_that_line_documents_is_left_out() {
    let count = Catalog::embedded().entries().len();
    assert!(count >= DOCUMENTED, "{count} actions of {DOCUMENTED}");
}

#[test]
fn names_of_path_parameters_do_not_matter() {
    assert_eq!(nameless("a/{x}/b/{y}", "{", "}"), "a/{}/b/{}");
    assert_eq!(nameless("a/{{x}}/b", "{{", "}}"), "a/{}/b");
    assert_eq!(nameless("a/b", "{{", "}}"), "a/b");
}

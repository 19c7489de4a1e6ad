//! LINE's objects in `schemas/line/` and the step that judges by them: a file per topic in
//! `tests/cases/schema/`, and the schema files as a table. No action and no network is involved.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests may panic like the tests"
)]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use line_connector_core::error::Detail;
use line_connector_core::schema::Schema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One file of `tests/cases/schema/`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    schema: Value,
    /// Nothing is found in these.
    #[serde(default)]
    valid: Vec<Value>,
    /// Exactly these violations are found.
    #[serde(default)]
    invalid: Vec<Expectation>,
    /// No violation, exactly these warnings.
    #[serde(default)]
    warns: Vec<Expectation>,
    /// What a person reads is kept as a snapshot beside the case.
    #[serde(default)]
    reads: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    instance: Value,
    expect: Vec<Place>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    path: String,
    /// Stands somewhere in the message, what is expected, what was found, or the hint.
    contains: String,
}

#[test]
fn instances_are_judged_as_their_cases_say() {
    let surprises = RefCell::new(Vec::new());
    insta::glob!("../cases/schema", "*/*.json", |path| {
        let text = fs::read_to_string(path).unwrap();
        let case: Case =
            serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let schema = Schema::new(&case.schema, document);
        let note = |text: String| {
            let text = format!("{}\n{text}", path.display());
            surprises.borrow_mut().push(text);
        };
        for instance in &case.valid {
            let instance = &expand(instance);
            let findings = schema.check(instance);
            surprise(&[], &findings.violations, instance).map(note);
            surprise(&[], &findings.warnings, instance).map(note);
        }
        for wrong in &case.invalid {
            let instance = &expand(&wrong.instance);
            surprise(&wrong.expect, &schema.check(instance).violations, instance).map(note);
        }
        for doubtful in &case.warns {
            let instance = &expand(&doubtful.instance);
            let findings = schema.check(instance);
            surprise(&[], &findings.violations, instance).map(note);
            surprise(&doubtful.expect, &findings.warnings, instance).map(note);
        }
        if !case.reads.is_empty() {
            let texts: Vec<String> = case
                .reads
                .iter()
                .map(|instance| read(&schema, instance))
                .collect();
            insta::with_settings!({
                snapshot_path => path.parent().unwrap(), prepend_module_to_snapshot => false,
                omit_expression => true,
            }, { insta::assert_snapshot!("reads", texts.join("\n")) });
        }
    });
    let surprises = surprises.into_inner();
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

/// What differs from what was expected of an instance.
fn surprise(expected: &[Place], found: &[Detail], instance: &Value) -> Option<String> {
    let is = |place: &Place, detail: &Detail| {
        detail.path == place.path
            && rendered(std::slice::from_ref(detail)).contains(&place.contains)
    };
    let agrees = expected.len() == found.len()
        && expected
            .iter()
            .all(|place| found.iter().any(|detail| is(place, detail)));
    let expected: Vec<String> = expected
        .iter()
        .map(|place| format!("{}: …{}…", place.path, place.contains))
        .collect();
    let (expected, found) = (expected.join("\n"), rendered(found));
    (!agrees).then(|| format!("{}\nexpected\n{expected}\nfound\n{found}", short(instance)))
}

fn read(schema: &Schema, instance: &Value) -> String {
    let findings = schema.check(&expand(instance));
    let (wrong, doubtful) = (rendered(&findings.violations), rendered(&findings.warnings));
    format!(
        "{}\n--- violations\n{wrong}--- warnings\n{doubtful}",
        short(instance)
    )
}

fn rendered(details: &[Detail]) -> String {
    let part = |name: &str, part: &Option<String>| {
        part.as_ref()
            .map_or(String::new(), |part| format!("\n    {name}: {part}"))
    };
    let line = |detail: &Detail| {
        let Detail {
            path,
            message,
            expected,
            found,
            hint,
        } = detail;
        let (expected, found, hint) = (
            part("expected", expected),
            part("found", found),
            part("hint", hint),
        );
        format!("{path} {message}{expected}{found}{hint}\n")
    };
    details.iter().map(line).collect()
}

fn short(instance: &Value) -> String {
    instance.to_string().chars().take(600).collect()
}

/// Writes out the short forms of long values: `{"$text": ["a", 5001]}` is a string,
/// `{"$list": [item, 6]}` an array, and `{"$keys": ["k#", value, 101]}` an object whose keys carry a number for `#`;
/// so do strings in a list's item that hold `#`.
pub(crate) fn expand(value: &Value) -> Value {
    let Value::Object(members) = value else {
        return match value {
            Value::Array(items) => items.iter().map(expand).collect(),
            value => value.clone(),
        };
    };
    let arguments = |name: &str| members.get(name).and_then(Value::as_array);
    if let Some([part, count]) = arguments("$text").map(Vec::as_slice) {
        return part.as_str().unwrap().repeat(times(count)).into();
    }
    if let Some([item, count]) = arguments("$list").map(Vec::as_slice) {
        return (0..times(count))
            .map(|index| numbered(&expand(item), index))
            .collect();
    }
    if let Some([key, item, count]) = arguments("$keys").map(Vec::as_slice) {
        let key = |index: usize| key.as_str().unwrap().replace('#', &index.to_string());
        let member = |index| (key(index), expand(item));
        return Value::Object((0..times(count)).map(member).collect());
    }
    Value::Object(
        members
            .iter()
            .map(|(key, value)| (key.clone(), expand(value)))
            .collect(),
    )
}

fn times(count: &Value) -> usize {
    usize::try_from(count.as_u64().unwrap()).unwrap()
}

/// `#` in an item stands for its number, as 32 hexadecimal digits.
fn numbered(item: &Value, index: usize) -> Value {
    match item {
        Value::String(text) => text.replace('#', &format!("{index:032x}")).into(),
        item => item.clone(),
    }
}

#[test]
fn every_file_parses_and_says_what_it_is() {
    for (path, document) in files() {
        assert_eq!(
            document["$schema"], "https://json-schema.org/draft/2020-12/schema",
            "{path}"
        );
        assert!(
            document["title"].is_string() && document["description"].is_string(),
            "{path}"
        );
        assert!(document.get("$id").is_none(), "{path}");
    }
}

#[test]
fn every_definition_compiles_and_every_reference_resolves() {
    for (path, contents) in files() {
        let definitions = contents.get("$defs").and_then(Value::as_object).cloned();
        let names = definitions.unwrap_or_default();
        let targets = names.keys().map(|name| format!("{path}#/$defs/{name}"));
        for target in targets.chain([path.clone()]) {
            let schema = Schema::new(&serde_json::json!({ "$ref": target }), document);
            schema
                .prove()
                .unwrap_or_else(|why| panic!("{target}: {why}"));
        }
    }
}

#[test]
fn every_property_says_what_it_means() {
    let mut silent = Vec::new();
    for (path, document) in files() {
        properties(&document, &mut |name, property| {
            let own = property.get("description").is_some();
            let referred = property.get("$ref").and_then(Value::as_str);
            let inherited = referred.is_some_and(|reference| describes(&path, reference));
            if !own && !inherited {
                silent.push(format!("{path}: {name}"));
            }
        });
    }
    assert_eq!(silent, Vec::<String>::new());
}

/// Whether what `reference` leads to has a description.
fn describes(path: &str, reference: &str) -> bool {
    let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
    let base = Path::new(path).parent().unwrap();
    let path = if file.is_empty() {
        PathBuf::from(path)
    } else {
        base.join(file)
    };
    let text = fs::read_to_string(root().join(path)).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    document
        .pointer(pointer)
        .is_some_and(|target| target.get("description").is_some())
}

/// Every property outside conditions and variants, which only narrow one declared elsewhere.
fn properties(schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    match schema {
        Value::Object(members) => {
            for (keyword, value) in members {
                if let ("properties", Value::Object(all)) = (keyword.as_str(), value) {
                    for (name, property) in all {
                        visit(name, property);
                        properties(property, visit);
                    }
                } else if !matches!(keyword.as_str(), "if" | "x-warn" | "enum") {
                    properties(value, visit);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, visit)),
        _ => {}
    }
}

/// A warning fails like a violation inside the validator, so it must not decide a choice.
#[test]
fn no_warning_stands_where_it_would_decide_something() {
    fn check(path: &str, schema: &Value, deciding: bool) {
        match schema {
            Value::Object(members) => {
                for (keyword, value) in members {
                    assert!(!(deciding && keyword == "x-warn"), "{path}");
                    let choice = matches!(
                        keyword.as_str(),
                        "if" | "not" | "anyOf" | "oneOf" | "contains"
                    );
                    check(path, value, deciding || choice);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| check(path, item, deciding)),
            _ => {}
        }
    }
    for (path, document) in files() {
        check(&path, &without_property_names(&document), false);
    }
}

/// Properties are named like keywords sometimes: `not`, `oneOf`, `x-line-request-id`.
fn without_property_names(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let rename = |(keyword, value): (&String, &Value)| match (keyword.as_str(), value) {
                ("properties", Value::Object(all)) => {
                    let renamed: Map<String, Value> = all
                        .iter()
                        .map(|(name, property)| {
                            (format!("property {name}"), without_property_names(property))
                        })
                        .collect();
                    (keyword.clone(), Value::Object(renamed))
                }
                _ => (keyword.clone(), without_property_names(value)),
            };
            Value::Object(members.iter().map(rename).collect())
        }
        Value::Array(items) => items.iter().map(without_property_names).collect(),
        value => value.clone(),
    }
}

#[test]
fn every_keyword_of_ours_is_explained() {
    fn collect(schema: &Value, keywords: &mut BTreeSet<String>) {
        match schema {
            Value::Object(members) => {
                keywords.extend(
                    members
                        .keys()
                        .filter(|name| name.starts_with("x-"))
                        .cloned(),
                );
                for value in members.values() {
                    collect(value, keywords);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, keywords)),
            _ => {}
        }
    }
    let mut keywords = BTreeSet::new();
    for (_, document) in files() {
        collect(&without_property_names(&document), &mut keywords);
    }
    let manual = fs::read_to_string(root().join("schemas/line/README.md")).unwrap();
    for keyword in keywords {
        assert!(
            manual.contains(&format!("`{keyword}`")),
            "{keyword} is not in schemas/line/README.md"
        );
    }
}

#[test]
fn a_broken_reference_is_named() {
    let broken = |reference: &str| {
        let schema = serde_json::json!({ "properties": { "a": { "$ref": reference } } });
        Schema::new(&schema, document)
            .prove()
            .err()
            .unwrap_or_default()
    };
    assert_eq!(
        broken("schemas/line/nowhere.json"),
        "`schemas/line/nowhere.json` is not there"
    );
    assert_eq!(
        broken("schemas/line/message.json#/$defs/lists"),
        "`schemas/line/message.json` defines no `lists`"
    );
    assert!(broken("https://example.com/a.json").contains("is not there"));
}

#[test]
fn a_secret_is_never_shown() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {
            "secret": { "type": "string", "pattern": "^s-", "maxLength": 9, "writeOnly": true, "x-warn": { "pattern": "^.-[a-z]+$" } },
            "key": { "type": "integer", "writeOnly": true },
            "retry": { "$ref": "schemas/line/id.json#/$defs/retry_key", "writeOnly": true },
            "chat": { "$ref": "schemas/line/id.json#/$defs/chat_id", "writeOnly": true },
            "word": { "enum": ["a"], "x-expected": "a", "writeOnly": true },
            "open": { "type": "string" },
        },
        "additionalProperties": false,
    });
    let schema = Schema::new(&schema, document);
    for instance in [
        serde_json::json!({ "secret": "HUSH-HUSH-HUSH" }),
        serde_json::json!({ "secret": "s-HUSH" }),
        serde_json::json!({ "secret": ["HUSH"] }),
        serde_json::json!({ "key": "HUSH" }),
        serde_json::json!({ "retry": "HUSH" }),
        serde_json::json!({ "chat": "HUSH" }),
        serde_json::json!({ "word": "HUSH" }),
        serde_json::json!({ "open": { "secret": "HUSH" } }),
        serde_json::json!({ "secrte": "HUSH" }),
        serde_json::json!(["HUSH"]),
    ] {
        let findings = schema.check(&instance);
        let text = rendered(&findings.violations) + &rendered(&findings.warnings);
        assert!(!text.is_empty() && !text.contains("HUSH"), "{text}");
    }
}

/// Leaving out what an instance does not use must not change what is found in it.
#[test]
fn an_instance_is_judged_the_same_after_others() {
    let schema = serde_json::json!({ "$ref": "schemas/line/message.json#/$defs/message" });
    let used = Schema::new(&schema, document);
    let wrong = serde_json::json!({ "type": "text", "txt": "a" });
    for other in ["sticker", "flex", "imagemap", "text"] {
        drop(used.check(
            &serde_json::json!({ "type": other, "text": "", "contents": { "type": "bubble" } }),
        ));
    }
    let fresh = Schema::new(&schema, document);
    assert_eq!(used.check(&wrong), fresh.check(&wrong));
    assert_eq!(fresh.check(&wrong).violations.len(), 2);
}

fn document(path: &str) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(root().join(path)).ok()?).ok()
}

/// LINE's schema files by their path from the root.
fn files() -> Vec<(String, Value)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("schemas/line")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                let name = path
                    .strip_prefix(root())
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .replace('\\', "/");
                let text = fs::read_to_string(&path).unwrap();
                files.push((
                    name,
                    serde_json::from_str(&text)
                        .unwrap_or_else(|why| panic!("{}: {why}", path.display())),
                ));
            }
        }
    }
    assert!(!files.is_empty());
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

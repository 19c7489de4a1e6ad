//! Messages as people write them, from the generic document to LINE's objects: a file per topic in
//! `tests/cases/compose`, with its reviewed snapshot beside it, and arbitrary messages.

mod arbitrary;

use std::fmt::Write as _;
use std::fs;
use std::sync::LazyLock;

use line_connector_client::Catalog;
use line_connector_compose::{Options, Problem, compose, schema};
use line_connector_core::schema::{Findings, Schema, accepts};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::schema::expand;

/// How many messages one request takes.
const MAX_MESSAGES: usize = 5;

/// One case of a file in `tests/cases/compose`. Its snapshot says what it becomes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What is tried.
    name: String,
    #[serde(default)]
    options: Value,
    /// As in `tests/cases/schema`, `$text` and `$list` stand for long values.
    items: Vec<Value>,
}

/// Everything that LINE would say against messages, however many requests they take.
fn judged(messages: &[Value]) -> Findings {
    static LIST: LazyLock<Schema> = LazyLock::new(|| {
        Schema::new(
            &json!({"$ref": "schemas/line/message.json#/$defs/list"}),
            Catalog::schema,
        )
    });
    let mut all = Findings::default();
    for request in messages.chunks(MAX_MESSAGES) {
        let body = json!({"to": "U4af4980629f0b5a3c3d6b8a1d2e3f405", "messages": request});
        let inputs = json!({"json_body": body});
        if accepts("send_push_message", &inputs) != Some(true) {
            let mut findings = LIST.check(&inputs["json_body"]["messages"]);
            all.violations.append(&mut findings.violations);
            all.warnings.append(&mut findings.warnings);
        }
    }
    all
}

fn options(value: &Value) -> Options {
    let value = if value.is_null() {
        json!({})
    } else {
        expand(value)
    };
    serde_json::from_value(value).unwrap()
}

#[test]
fn messages_become_what_their_cases_show() {
    insta::glob!("../../cases/compose", "*.json", |path| {
        let text = fs::read_to_string(path).unwrap();
        let cases: Vec<Case> =
            serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let mut shown = String::new();
        for case in &cases {
            let items: Vec<Value> = case.items.iter().map(expand).collect();
            writeln!(shown, "=== {}", case.name).unwrap();
            match compose(&items, &options(&case.options)) {
                Ok(composed) => {
                    let findings = judged(&composed.messages);
                    assert!(
                        findings.violations.is_empty(),
                        "{}: {findings:#?}",
                        case.name
                    );
                    assert!(findings.warnings.is_empty(), "{}: {findings:#?}", case.name);
                    for message in &composed.messages {
                        writeln!(shown, "{}", short(message)).unwrap();
                    }
                    for change in &composed.report {
                        let amounts = match (change.limit, change.found) {
                            (Some(limit), Some(found)) => format!(" ({found} of {limit})"),
                            _ => String::new(),
                        };
                        let what = serde_json::to_value(change.what).unwrap();
                        let what = what.as_str().unwrap();
                        writeln!(shown, "{what} {} {}{amounts}", change.path, change.message)
                            .unwrap();
                    }
                    if !composed.request.is_empty() {
                        writeln!(shown, "request {}", json!(composed.request)).unwrap();
                    }
                }
                Err(problems) => problems
                    .iter()
                    .for_each(|problem| show(problem, &mut shown)),
            }
        }
        insta::with_settings!({
            snapshot_path => path.parent().unwrap(), prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!("becomes", shown) });
    });
}

fn show(problem: &Problem, shown: &mut String) {
    let code = serde_json::to_value(problem.code).unwrap();
    writeln!(shown, "{} {problem}", code.as_str().unwrap()).unwrap();
    for (name, part) in [
        ("expected", &problem.expected),
        ("found", &problem.found),
        ("hint", &problem.hint),
    ] {
        if let Some(part) = part {
            writeln!(shown, "    {name}: {part}").unwrap();
        }
    }
}

/// A message with its long texts as their beginning, their length and their end.
fn short(message: &Value) -> Value {
    match message {
        Value::String(text) if text.chars().count() > 80 => {
            let letters: Vec<char> = text.chars().collect();
            let units = text.encode_utf16().count();
            let (start, end) = (&letters[..20], &letters[letters.len() - 20..]);
            let text = |part: &[char]| part.iter().collect::<String>();
            format!("{} [{units} units] {}", text(start), text(end)).into()
        }
        Value::Array(items) => items.iter().map(short).collect(),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| (name.clone(), short(value));
            Value::Object(members.iter().map(member).collect())
        }
        other => other.clone(),
    }
}

/// Every body that is documented can be written, and says what it means.
#[test]
fn the_schema_describes_what_people_write() {
    let schema = schema();
    let judge = Schema::new(&schema, |_| None);
    judge.prove().unwrap();
    for valid in [
        json!({"text_message": {"text": "a"}}),
        json!({"choice_message": {"choices": [{"text_message": {"text": "a"}}]}}),
        json!({"location_message": {"coordinates": {"latitude": 1, "longitude": 2.5}, "title": "a"}}),
    ] {
        assert_eq!(judge.check(&valid).violations, [], "{valid}");
        assert!(compose(&[valid], &Options::default()).is_ok());
    }
    for invalid in [
        json!({}),
        json!({"text_message": {"text": 1}}),
        json!({"text_message": {"text": "a", "more": 1}}),
        json!({"choice_message": {"choices": [{}]}}),
    ] {
        assert!(!judge.check(&invalid).violations.is_empty(), "{invalid}");
        assert!(compose(&[invalid], &Options::default()).is_err());
    }
}

//! Differential test: the validators generated at build time accept exactly what the schemas accept,
//! on every example of every action, on the cases of the schemas, and on thousands of mutations.

use std::fs;
use std::path::Path;

use line_connector_catalog::references::escape;
use line_connector_client::Catalog;
use line_connector_core::schema::{Schema, accepts};
use serde_json::{Value, json};

/// Both validators for the inputs of one action.
struct Judges {
    action: String,
    schema: Schema,
    compared: usize,
    accepted: usize,
}

impl Judges {
    fn of(catalog: &Catalog, name: &str) -> Self {
        let action = catalog.action(name).unwrap();
        Self {
            action: name.to_owned(),
            schema: Schema::new(&Value::Object(action.inputs), Catalog::schema),
            compared: 0,
            accepted: 0,
        }
    }

    fn compare(&mut self, inputs: &Value) {
        let findings = self.schema.check(inputs);
        let nothing = findings.violations.is_empty() && findings.warnings.is_empty();
        assert_eq!(
            accepts(&self.action, inputs),
            Some(nothing),
            "{}: {inputs}\n{findings:?}",
            self.action
        );
        self.compared += 1;
        self.accepted += usize::from(nothing);
    }
}

/// What may stand where something else should.
fn invalid_values(turn: usize) -> Value {
    match turn % 12 {
        0 => Value::Null,
        1 => json!(""),
        2 => json!("あ".repeat(101)),
        3 => json!(-1),
        4 => json!(1.5),
        5 => json!(1e12),
        6 => json!([]),
        7 => json!([{"type": "text", "text": "a"}, 7, "b"]),
        8 => json!({}),
        9 => json!({"type": "text", "text": "$", "label": "👍🏽", "extra": true}),
        10 => json!(true),
        _ => json!("https://example.com/a b.png"),
    }
}

/// The places in a value, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                places(member, &format!("{at}/{}", escape(key)), found);
            }
        }
        _ => {}
    }
}

/// Every value that is one change away: each place once replaced, once without one of its members,
/// once with one too many.
fn changed(value: &Value, turn: usize) -> Vec<Value> {
    let mut found = Vec::new();
    places(value, "", &mut found);
    let mut changed = Vec::new();
    for (index, place) in found.iter().enumerate() {
        let replaced = |make: &dyn Fn(&mut Value)| {
            let mut copy = value.clone();
            make(copy.pointer_mut(place).unwrap());
            copy
        };
        changed.push(replaced(&|part| *part = invalid_values(turn + index)));
        changed.push(replaced(&|part| match part {
            Value::Object(members) => {
                let name = members.keys().nth((turn + index) % members.len().max(1));
                let name = name.cloned().unwrap_or_default();
                members.shift_remove(&name);
            }
            Value::Array(items) => items.extend(items.clone()),
            Value::String(text) => text.push_str(["%", " ", "x", "9"][(turn + index) % 4]),
            Value::Number(_) => *part = json!(format!("{part}")),
            _ => *part = json!(0),
        }));
        if index % 3 == 0 {
            changed.push(replaced(&|part| match part {
                Value::Object(members) => {
                    members.insert("surplus".to_owned(), invalid_values(index));
                }
                Value::Array(items) => items.push(invalid_values(index)),
                Value::String(text) => *text = text.chars().skip(1).collect(),
                _ => *part = Value::Null,
            }));
        }
    }
    changed
}

#[test]
fn on_every_example_and_whatever_is_near_it() {
    let catalog = Catalog::embedded();
    let (mut compared, mut accepted) = (0, 0);
    for entry in catalog.entries() {
        let mut judges = Judges::of(&catalog, &entry.name);
        for (turn, example) in catalog.examples(&entry.name).into_iter().enumerate() {
            let inputs = Value::Object(example.inputs);
            judges.compare(&inputs);
            // The first examples show most; later ones are about LINE's answers.
            for inputs in changed(&inputs, turn)
                .iter()
                .take(if turn < 2 { 120 } else { 10 })
            {
                judges.compare(inputs);
            }
        }
        compared += judges.compared;
        accepted += judges.accepted;
    }
    assert!(compared > 3_000, "{compared}");
    assert!(accepted > 500, "{accepted}");
}

/// Where an instance of the cases can stand in the inputs of an action.
fn around(instance: &Value) -> Vec<(&'static str, Value)> {
    let push = |messages: Value| json!({"json_body": {"to": "U4af4980629f0b5a3c3d6b8a1d2e3f405", "messages": messages}});
    let flex = json!({"type": "flex", "altText": "a", "contents": instance});
    let template = json!({"type": "template", "altText": "a", "template": instance});
    let menu = json!({
        "size": {"width": 2500, "height": 1686}, "selected": false, "name": "a",
        "chatBarText": "b", "areas": instance,
    });
    let narrowcast = json!({"json_body": {
        "messages": [{"type": "text", "text": "a"}],
        "recipient": instance, "filter": {"demographic": instance}, "limit": instance,
    }});
    vec![
        ("send_push_message", push(instance.clone())),
        ("send_push_message", push(json!([instance]))),
        ("send_push_message", push(json!([flex]))),
        ("send_push_message", push(json!([template]))),
        ("send_push_message", json!({"json_body": instance})),
        ("send_narrowcast_message", narrowcast),
        ("create_rich_menu", json!({"json_body": menu})),
        ("create_rich_menu", json!({"json_body": instance})),
        ("create_a_coupon", json!({"json_body": instance})),
    ]
}

#[test]
fn on_every_instance_of_the_cases() {
    let catalog = Catalog::embedded();
    let mut instances = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/schema");
    for topic in fs::read_dir(root).unwrap() {
        for entry in fs::read_dir(topic.unwrap().path()).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            let Ok(case) = serde_json::from_str::<Value>(&text) else {
                continue;
            };
            for list in ["valid", "reads"] {
                instances.extend(case[list].as_array().cloned().unwrap_or_default());
            }
            for list in ["invalid", "warns"] {
                let expectations = case[list].as_array().cloned().unwrap_or_default();
                instances.extend(expectations.into_iter().map(|one| one["instance"].clone()));
            }
        }
    }
    let mut all: Vec<Judges> = Vec::new();
    for instance in &instances {
        for (name, inputs) in around(instance) {
            let at = all.iter().position(|judges| judges.action == name);
            let at = at.unwrap_or_else(|| {
                all.push(Judges::of(&catalog, name));
                all.len() - 1
            });
            all[at].compare(&inputs);
        }
    }
    let compared: usize = all.iter().map(|judges| judges.compared).sum();
    let accepted: usize = all.iter().map(|judges| judges.accepted).sum();
    assert!(compared > 5_000 && accepted > 50, "{compared} {accepted}");
}

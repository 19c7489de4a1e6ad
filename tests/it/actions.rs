//! Each action as its file declares it: the file obeys the vocabulary, each example builds exactly
//! its request and reads exactly its reply, and what the sandbox answers fits the output schema.

use std::sync::{Arc, Mutex};

use line_connector_catalog::definition::Example;
use line_connector_client::examples::reply;
use line_connector_client::{Catalog, Random};
use line_connector_core::describe;
use line_connector_core::documents::Invocation;
use line_connector_core::schema::Schema;
use line_connector_http::{Failure, Reply, Request, Transport};
use line_connector_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};

use crate::world;

/// Answers every request with one reply and keeps the request.
struct Canned {
    reply: Reply,
    seen: Mutex<Vec<Request>>,
}

impl Transport for Canned {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        self.seen.lock().unwrap().push(request.clone());
        Ok(self.reply.clone())
    }
}

/// Every example of every action, with a name for messages.
fn examples() -> Vec<(String, String, Example)> {
    let catalog = Catalog::embedded();
    let entries = catalog.entries();
    let all = entries.iter().flat_map(|entry| {
        catalog.examples(&entry.name).into_iter().map(|example| {
            (
                entry.name.clone(),
                format!("{}: {}", entry.name, example.title),
                example,
            )
        })
    });
    all.collect()
}

#[test]
fn every_example_builds_its_request_and_reads_its_reply() {
    let examples = examples();
    assert!(examples.len() >= 18, "only {} examples", examples.len());
    for (action, name, example) in examples {
        let canned = Arc::new(Canned {
            reply: reply(&example),
            seen: Mutex::default(),
        });
        let transport: Arc<dyn Transport> = Arc::<Canned>::clone(&canned);
        let connector = world::builder().transport(transport).build();
        let document = json!({
            "action": action, "asset": {"token": "t"},
            "inputs": example.inputs, "options": {"attempts": 1},
        });
        let output = connector.call(Invocation::from_value(document).unwrap());
        let seen = canned.seen.lock().unwrap();
        let [request] = seen.as_slice() else {
            panic!("{name}: {} requests; {:?}", seen.len(), output.error);
        };
        compare_request(&name, &example, request);
        let mut output: Value = serde_json::from_str(&output.render()).unwrap();
        let members = output.as_object_mut().unwrap();
        members.remove("meta");
        members.remove("delivery");
        if let Some(error) = output.get_mut("error") {
            *error = json!({"kind": error["kind"]});
        }
        assert_eq!(output, Value::Object(example.output), "{name}: the output");
    }
}

#[test]
fn every_example_is_an_invocation_that_makes_its_request() {
    let catalog = Catalog::embedded();
    for (action, name, mut example) in examples() {
        let canned = Arc::new(Canned {
            reply: reply(&example),
            seen: Mutex::default(),
        });
        let transport: Arc<dyn Transport> = Arc::<Canned>::clone(&canned);
        let connector = world::builder().transport(transport).build();
        let mut document = describe::invocation(&catalog, &action, &example);
        document["asset"] = json!({"token": "t"});
        document["options"] = json!({"attempts": 1});
        let _ = connector.call(Invocation::from_value(document).unwrap());
        // A key of its own each time, so that an example can be sent twice.
        example.request.headers.remove("X-Line-Retry-Key");
        let seen = canned.seen.lock().unwrap();
        let request = seen.first().unwrap_or_else(|| panic!("{name}: no request"));
        compare_request(&name, &example, request);
    }
}

fn compare_request(name: &str, example: &Example, request: &Request) {
    let expected = &example.request;
    assert_eq!(request.method, expected.method, "{name}: the method");
    assert_eq!(request.url, expected.url, "{name}: the URL");
    let multipart = example.inputs.contains_key("files");
    match str::from_utf8(&request.body) {
        // Its boundary differs from request to request; `files` below looks inside.
        _ if multipart => {}
        Ok("") => assert_eq!(None, expected.body, "{name}: the body"),
        Ok(text) => {
            let body = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
            assert_eq!(Some(body), expected.body, "{name}: the body");
        }
        Err(_) => assert_eq!(None, expected.body, "{name}: bytes stand in no example"),
    }
    let mut headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if !expected.headers.contains_key("X-Line-Retry-Key") {
        headers.retain(|(name, _)| name != "X-Line-Retry-Key");
    }
    if multipart {
        headers.retain(|(name, _)| name != "Content-Type");
    }
    headers.sort();
    let expected: Vec<(String, String)> = expected.headers.clone().into_iter().collect();
    assert_eq!(headers, expected, "{name}: the headers");
}

#[test]
fn every_example_output_fits_its_actions_output_schema() {
    let catalog = Catalog::embedded();
    for (action, name, example) in examples() {
        let output = catalog.action(&action).unwrap().output;
        let schema = Schema::new(&Value::Object(output), Catalog::schema);
        let findings = schema.check(&Value::Object(example.output));
        assert!(
            findings.violations.is_empty(),
            "{name}: {:?}",
            findings.violations
        );
    }
}

#[test]
fn no_successful_example_draws_a_warning() {
    let catalog = Catalog::embedded();
    for (action, name, example) in examples() {
        if example.reply.status_code >= 300 {
            continue;
        }
        let inputs = catalog.action(&action).unwrap().inputs;
        let schema = Schema::new(&Value::Object(inputs), Catalog::schema);
        let findings = schema.check(&Value::Object(example.inputs));
        assert!(
            findings.warnings.is_empty(),
            "{name}: {:?}",
            findings.warnings
        );
    }
}

/// Only files of this repository must: one of `--actions DIR` may write its output out.
#[test]
fn shared_output_properties_refer_to_their_definitions() {
    let catalog = Catalog::embedded();
    for entry in catalog.entries() {
        let output = catalog.action(&entry.name).unwrap().output;
        for property in ["status_code", "reason", "response_headers", "response_text"] {
            let Some(schema) = output["properties"].get(property) else {
                continue;
            };
            let definition = format!("schemas/line/output.json#/$defs/{property}");
            let reference = schema.get("$ref").and_then(Value::as_str);
            assert!(
                reference.is_some_and(|reference| reference.starts_with(&definition)),
                "{}: `{property}` of `output` repeats a definition; make it a `$ref` to \
                 {definition} or to a variant of it",
                entry.name
            );
        }
    }
}

/// What the sandbox says to an example, held against the action's output schema whatever it says.
/// Whether it fits a fresh sandbox's state is another matter: stories bring about the rest.
fn ask_sandbox(catalog: &Catalog, action: &str, name: &str, example: &Example) -> bool {
    let sandbox = Arc::new(Sandbox::new(Settings::default()));
    let mut asset = sandbox.asset("http://sandbox.invalid");
    if catalog
        .action(action)
        .unwrap()
        .meta
        .endpoint
        .starts_with("liff/")
    {
        asset = json!({"url": "http://sandbox.invalid", "token": "sandbox-token"});
    }
    let transport: Arc<dyn Transport> = sandbox;
    let connector = world::builder().transport(transport).build();
    let document = json!({"action": action, "asset": asset, "inputs": example.inputs});
    let output = connector.call(Invocation::from_value(document).unwrap());
    assert_ne!(output.status_code, Some(405), "{name}: {}", output.render());
    world::fits(catalog, action, &output);
    output.error.is_none()
}

/// Actions that no example and no story can bring to success, for they deal in signed assertions;
/// `tokens::signed_assertions_serve_the_token_actions` does.
const SIGNED: [&str; 3] = [
    "get_all_valid_channel_access_token_key_ids_v2_1",
    "issue_channel_access_token_v2_1",
    "verify_the_validity_of_the_channel_access_token_v2_1",
];

#[test]
fn every_answer_of_the_sandbox_fits_the_output_schema_and_every_action_can_succeed() {
    let catalog = Catalog::embedded();
    let mut succeeded = world::stories(&catalog);
    for action in SIGNED {
        assert!(succeeded.insert(action.to_owned()), "{action}: not needed");
    }
    for (action, name, example) in examples() {
        if example.reply.status_code < 300 && ask_sandbox(&catalog, &action, &name, &example) {
            succeeded.insert(action);
        }
    }
    let never: Vec<String> = catalog
        .entries()
        .into_iter()
        .map(|entry| entry.name)
        .filter(|name| !succeeded.contains(name))
        .collect();
    assert!(
        never.is_empty(),
        "neither an example nor a story succeeds at the sandbox for {never:#?}; add a handler and its \
         route to crates/sandbox/src/operations, or what must come before it to a story under \
         tests/cases/stories"
    );
}

#[test]
fn sections_and_flat_inputs_make_the_same_request() {
    for (action, name, example) in examples() {
        let flat: serde_json::Map<String, Value> = example
            .inputs
            .iter()
            .filter(|(section, _)| *section != "headers")
            .filter_map(|(_, members)| members.as_object())
            .flat_map(|members| members.clone().into_iter())
            .chain(
                example
                    .inputs
                    .get("headers")
                    .map(|headers| ("headers".to_owned(), headers.clone())),
            )
            .collect();
        let plan = |inputs: &serde_json::Map<String, Value>| {
            let connector = world::builder().random(Seven).build();
            let document = json!({"action": action, "inputs": inputs});
            let output = connector.plan(Invocation::from_value(document).unwrap());
            assert!(output.error.is_none(), "{name}: {}", output.render());
            serde_json::to_string(&output.request).unwrap()
        };
        assert_eq!(plan(&flat), plan(&example.inputs), "{name}");
    }
}

/// Randomness that repeats, so that two requests can be compared.
struct Seven;

impl Random for Seven {
    fn bits(&self) -> u128 {
        7
    }
}

#[test]
fn every_action_file_obeys_the_published_schema() {
    let schema: Value = serde_json::from_str(
        &std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/action.json"))
            .unwrap(),
    )
    .unwrap();
    let schema = Schema::new(&schema, |_| None);
    let catalog = Catalog::embedded();
    for entry in catalog.entries() {
        let mut action = json!(catalog.action(&entry.name).unwrap());
        action["examples"] = json!(catalog.examples(&entry.name));
        let findings = schema.check(&action);
        assert!(
            findings.violations.is_empty(),
            "{}: {:?}",
            entry.name,
            findings.violations
        );
    }
}

//! Arbitrary bytes and arbitrary JSON as the document, the inputs and LINE's reply: no panic,
//! always one JSON document, always an exit code of the table.

use std::sync::Arc;

use line_connector_client::Catalog;
use line_connector_client::Connector;
use line_connector_core::call::exit_code;
use line_connector_core::documents::{Invocation, Output};
use line_connector_http::{Failure, Headers, Reply, Request, Transport};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world;

/// Any JSON, with the names that the connector and LINE know among its keys and strings.
fn json_value() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "type",
            "text",
            "textV2",
            "to",
            "messages",
            "flex",
            "bubble",
            "carousel",
            "contents",
            "box",
            "layout",
            "vertical",
            "template",
            "buttons",
            "actions",
            "action",
            "uri",
            "label",
            "emojis",
            "index",
            "substitution",
            "mention",
            "quickReply",
            "items",
            "recipient",
            "operator",
            "and",
            "filter",
            "limit",
            "json_body",
            "headers",
            "path_parameters",
            "parameters",
            "message",
            "details",
            "property",
            "altText",
            "imagemap",
            "area",
        ])
        .prop_map(str::to_owned),
        ".{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(word.clone(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Answers with one reply.
struct Fixed(Reply);

impl Transport for Fixed {
    fn send(&self, _: &Request) -> Result<Reply, Failure> {
        Ok(self.0.clone())
    }
}

fn connector(reply: Reply) -> Connector {
    world::builder().transport(Arc::new(Fixed(reply))).build()
}

/// One document, which is JSON, and an exit code that agrees with it.
fn sound(output: &Output) {
    let document: Value = serde_json::from_str(&output.render()).expect("one JSON document");
    assert!(document.is_object());
    let code = exit_code(output) as i32;
    assert_eq!(code == 0, document.get("error").is_none(), "{document}");
    assert_ne!(code, 70, "{document}");
}

fn any_action() -> impl Strategy<Value = String> {
    let names: Vec<String> = Catalog::embedded()
        .entries()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    prop::sample::select(names)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_as_the_document(bytes in vec(any::<u8>(), 0..200)) {
        if let Err(error) = Invocation::from_json(&bytes) {
            sound(&Output::from(error));
        }
    }

    #[test]
    fn any_json_as_the_document(document in json_value()) {
        match Invocation::from_json(document.to_string().as_bytes()) {
            Ok(invocation) => sound(&connector(Reply::default()).call(invocation)),
            Err(error) => sound(&Output::from(error)),
        }
    }

    #[test]
    fn any_json_as_the_inputs(action in any_action(), inputs in json_value(), off: bool) {
        let inputs = if inputs.is_object() { inputs } else { json!({"json_body": inputs}) };
        let validation = if off { "off" } else { "strict" };
        let document = json!({
            "action": action, "asset": {"token": "t"}, "inputs": inputs,
            "options": {"validation": validation},
        });
        let invocation = Invocation::from_value(document).unwrap();
        let reply = Reply { status: 200, ..Reply::default() };
        let connector = connector(reply);
        sound(&connector.plan(invocation.clone()));
        sound(&connector.call(invocation));
    }

    #[test]
    fn any_messages(messages in vec(json_value(), 0..6)) {
        let document = json!({
            "action": "send_push_message", "asset": {"token": "t"},
            "inputs": {"to": world::USER, "messages": messages},
        });
        let reply = Reply { status: 200, ..Reply::default() };
        sound(&connector(reply).call(Invocation::from_value(document).unwrap()));
    }

    #[test]
    fn any_reply(
        status in 100_u16..=999,
        json in json_value(),
        bytes in vec(any::<u8>(), 0..100),
        as_json: bool,
        headers in vec(("[a-zA-Z-]{1,20}", ".{0,20}"), 0..4),
    ) {
        let mut fields = Headers::new();
        for (name, value) in headers {
            fields.push(name, value);
        }
        let body = if as_json { json.to_string().into_bytes() } else { bytes };
        let reply = Reply { status, reason: String::new(), headers: fields, body };
        let invocation = Invocation::from_value(world::push(&json!({"token": "t"}))).unwrap();
        sound(&connector(reply).call(invocation));
    }

    #[test]
    fn any_reply_of_the_token_endpoint(status in 100_u16..=999, json in json_value()) {
        let reply = Reply { status, body: json.to_string().into_bytes(), ..Reply::default() };
        let asset = json!({"client_id": "1", "client_secret": "s"});
        let invocation = Invocation::from_value(world::push(&asset)).unwrap();
        sound(&connector(reply).call(invocation));
    }
}

#[test]
fn arbitrary_bytes_through_the_real_binary() {
    let deep = "[".repeat(100_000);
    for input in [
        &b""[..],
        b"\0",
        b"\xff\xfe{}",
        b"{}{}",
        b"null",
        b"1e999",
        deep.as_bytes(),
        "\u{feff}{}".as_bytes(),
        b"{\"inputs\":{\"a\":1,\"a\":2}}",
        b"{\"id\":1e400}",
    ] {
        let ended = world::run(&["run"], input, &[]);
        assert_eq!(ended.code, 2, "{input:?}: {}", ended.stdout);
        assert!(ended.document()["error"]["kind"].is_string());
    }
}

#[test]
fn a_deep_document_is_refused_and_a_large_one_is_taken() {
    let deep = format!("{{\"id\": {}1{}}}", "[".repeat(100), "]".repeat(100));
    let ended = world::run(
        &["run", "get_number_of_messages_sent_this_month", "--sandbox"],
        deep.as_bytes(),
        &[],
    );
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let large = json!({
        "id": "x".repeat(5_000_000),
        "inputs": {"to": world::USER, "messages": [{"type": "text", "text": "hi"}]},
    });
    let ended = world::run(
        &["run", "send_push_message", "--sandbox"],
        large.to_string().as_bytes(),
        &[],
    );
    assert_eq!(ended.code, 0);
}

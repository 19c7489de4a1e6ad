//! What must hold for any bytes. Each check panics where it does not.

mod multipart;
mod queue;
mod wire;

use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use line_connector_client::{Catalog, Connector, Invocation, Output};
use line_connector_core::documents::json;
use line_connector_core::json_text::{JsonText, in_one_line};
use line_connector_core::redact::Redactor;
use line_connector_core::webhook::{self, Terms};
use line_connector_http::{Failure, Headers, Reply, Request, Secret, Transport};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use url::Url;

/// A check.
pub type Check = fn(&[u8]);

/// All of them, by name.
pub const CHECKS: [(&str, Check); 11] = [
    ("document", document),
    ("inputs", inputs),
    ("path", path),
    ("reply", reply),
    ("json", json_text),
    ("webhook", webhook),
    ("redaction", redaction),
    ("multipart", multipart::multipart),
    ("queue", queue::queue),
    ("client", wire::client),
    ("receiver", wire::receiver),
];

/// What must appear nowhere.
const PLANTED: &str = "pl4nted/s3cret+of=the\"asset";
const USER: &str = "U4af4980629f0b5a3c3d6b8a1d2e3f405";

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);
static PLANNER: LazyLock<Connector> = LazyLock::new(|| Connector::builder().build());

/// The output is one JSON document without the planted secret, and no bug.
fn sound(output: &Output) {
    let text = output.render();
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_ne!(document["error"]["kind"], "internal", "{text}");
    assert!(!text.contains("pl4nted"), "{text}");
    assert!(!text.contains('\n'));
}

/// Bytes as the document.
fn document(bytes: &[u8]) {
    match Invocation::from_json(bytes) {
        Ok(invocation) => sound(&PLANNER.plan(invocation)),
        Err(refused) => sound(&refused.into()),
    }
}

/// Bytes as the inputs of an action that the first of them choose.
fn inputs(bytes: &[u8]) {
    let [first, second, rest @ ..] = bytes else {
        return;
    };
    let Ok(inputs @ Value::Object(_)) = json::read(rest) else {
        return;
    };
    let entries = CATALOG.entries();
    let index = usize::from(u16::from_be_bytes([*first, *second]));
    let action = &entries[index % entries.len()].name;
    for validation in ["strict", "off"] {
        let document = json!({
            "action": action, "asset": {"token": PLANTED}, "inputs": inputs,
            "options": {"validation": validation},
        });
        sound(&PLANNER.plan(Invocation::from_value(document).expect("a document")));
    }
}

/// Bytes as a path parameter: they stay in their segment.
fn path(bytes: &[u8]) {
    let value = String::from_utf8_lossy(bytes);
    let document = json!({
        "action": "get_profile", "inputs": {"path_parameters": {"userId": value}},
        "options": {"validation": "off"},
    });
    let output = PLANNER.plan(Invocation::from_value(document).expect("a document"));
    if let Some(request) = &output.request {
        let url = Url::parse(&request.url).expect("a URL");
        let segments: Vec<&str> = url.path_segments().expect("a path").collect();
        assert_eq!(segments[..3], ["v2", "bot", "profile"], "{}", request.url);
        assert_eq!(segments.len(), 4, "{}", request.url);
        assert!(url.query().is_none() && url.fragment().is_none());
        let decoded: Vec<u8> = url::form_urlencoded::byte_serialize(value.as_bytes())
            .collect::<String>()
            .replace('+', "%20")
            .into_bytes();
        assert_eq!(
            segments[3]
                .replace('~', "%7E")
                .replace('*', "%2A")
                .as_bytes(),
            String::from_utf8_lossy(&decoded)
                .replace('*', "%2A")
                .as_bytes()
        );
    }
}

/// Answers with one reply.
struct Fixed(Reply);

impl Transport for Fixed {
    fn send(&self, _: &Request) -> Result<Reply, Failure> {
        Ok(self.0.clone())
    }
}

/// Bytes as LINE's answer: status, a header, the body.
fn reply(bytes: &[u8]) {
    let [first, second, body @ ..] = bytes else {
        return;
    };
    let mut headers = Headers::new();
    let value = String::from_utf8_lossy(&body[..body.len().min(20)]);
    headers.push("X-Line-Request-Id", &value);
    let status = 200 + u16::from_be_bytes([*first, *second]) % 400;
    let reply = Reply {
        status,
        headers,
        body: body.to_vec(),
        ..Reply::default()
    };
    let connector = Connector::builder()
        .transport(Arc::new(Fixed(reply)))
        .build();
    let document = json!({
        "action": "send_push_message", "asset": {"token": PLANTED},
        "inputs": {"to": USER, "messages": [{"type": "text", "text": "hi"}]},
        "options": {"attempts": 1},
    });
    sound(&connector.call(Invocation::from_value(document).expect("a document")));
}

/// Bytes as JSON that is passed on: every common reader takes what comes out.
fn json_text(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes)
        && let Some(read) = JsonText::read(text)
    {
        assert!(!read.text().contains(['\n', '\r']));
        let again: Result<Value, _> = serde_json::from_str(read.text());
        assert!(again.is_ok(), "{text}");
    }
    // Both readers agree about what is JSON, apart from what only one refuses.
    if let Ok(value) = json::read(bytes) {
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        assert_eq!(value, serde_json::from_slice::<Value>(text).expect("JSON"));
    }
}

/// Bytes as the body of a webhook whose signature is good.
fn webhook(bytes: &[u8]) {
    let triggers = CATALOG.triggers();
    let terms = Terms::new(&triggers.content, SystemTime::UNIX_EPOCH);
    if let Ok(delivery) = webhook::read(bytes, &terms) {
        let text = in_one_line(serde_json::to_string(&delivery.events).expect("JSON"));
        assert!(!text.contains(['\n', '\r']));
        // LINE's event is passed on as it came: JSON, even if no reader can hold its numbers.
        assert!(serde_json::from_str::<IgnoredAny>(&text).is_ok(), "{text}");
    }
}

/// A secret and a text: nothing of it is left, and what is JSON stays JSON with its keys.
fn redaction(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let Some((secret, text)) = text.split_once('\n') else {
        return;
    };
    if secret.len() < 6 || "[redacted]".contains(secret) {
        return;
    }
    let redactor = Redactor::new([&Secret::new(secret)]);
    let mut plain = format!("{text}{secret}");
    redactor.text(&mut plain);
    if !"[redacted]".contains(&secret[..secret.floor_char_boundary(1)]) {
        assert!(!plain.contains(secret), "{plain}");
    }
    if let Ok(before) = json::read(text.as_bytes())
        && let Some(after) = redactor.json(text)
    {
        let after = json::read(after.as_bytes()).expect("still JSON");
        assert_eq!(keys(&before), keys(&after));
    }
}

fn keys(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| std::iter::once(key.as_str()).chain(keys(value)))
            .collect(),
        _ => Vec::new(),
    }
}

//! What must hold for any bytes. Each check panics where it does not.

mod authored;
mod multipart;
mod queue;
mod reply;
mod seeds;
mod wire;

use std::sync::LazyLock;
use std::time::SystemTime;

use line_connector_client::{Catalog, Connector, Invocation, Output};
use line_connector_core::catalog::definition::Triggers;
use line_connector_core::documents::json;
use line_connector_core::json_text::{JsonText, in_one_line};
use line_connector_core::redact::Redactor;
use line_connector_core::webhook::{self, Terms};
use line_connector_http::{REDACTED, Secret};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

pub use seeds::seeds;

/// A check.
pub type Check = fn(&[u8]);

/// All of them, by name.
pub const CHECKS: [(&str, Check); 14] = [
    ("document", document),
    ("inputs", inputs),
    ("path", path),
    ("reply", reply::reply),
    ("json", json_text),
    ("webhook", webhook),
    ("redaction", redaction),
    ("multipart", multipart::multipart),
    ("queue", queue::queue),
    ("action", authored::action),
    ("campaign", authored::campaign),
    ("list", authored::list),
    ("client", wire::client),
    ("receiver", wire::receiver),
];

/// What must appear nowhere.
const PLANTED: &str = "pl4nted/s3cret+of=the\"asset";
/// What tells it apart.
const FRAGMENT: &str = "pl4nted";
const USER: &str = "U4af4980629f0b5a3c3d6b8a1d2e3f405";

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);
static PLANNER: LazyLock<Connector> = LazyLock::new(|| Connector::builder().build());
static TRIGGERS: LazyLock<Triggers> = LazyLock::new(|| CATALOG.triggers());
/// The names of all actions, which bytes choose by their index.
static ACTIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
    CATALOG
        .entries()
        .into_iter()
        .map(|entry| entry.name)
        .collect()
});

/// Beside an action's index: its inputs are not validated.
const UNVALIDATED: u16 = 0x8000;

/// The output is one JSON document without the planted secret, and no bug. Where a fuzzer has found
/// the secret's fragment by itself, it is the whole that must not be shown.
fn sound(output: &Output, bytes: &[u8]) {
    let text = output.render();
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_ne!(document["error"]["kind"], "internal", "{text}");
    assert!(!text.contains('\n'));
    if text.contains(FRAGMENT) {
        let given = String::from_utf8_lossy(bytes).contains(FRAGMENT);
        let whole = Value::from(PLANTED).to_string();
        assert!(given && !text.contains(whole.trim_matches('"')), "{text}");
    }
}

/// A folder in memory, where nothing waits for a disk, if there is such a place.
fn folder() -> TempDir {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    folder.expect("a folder")
}

/// Bytes as the document.
fn document(bytes: &[u8]) {
    match Invocation::from_json(bytes) {
        Ok(invocation) => sound(&PLANNER.plan(invocation), bytes),
        Err(refused) => sound(&refused.into(), bytes),
    }
}

/// Bytes as the inputs of an action that the first of them choose, and whether they are validated.
fn inputs(bytes: &[u8]) {
    let [first, second, rest @ ..] = bytes else {
        return;
    };
    let Ok(inputs @ Value::Object(_)) = json::read(rest) else {
        return;
    };
    let chosen = u16::from_be_bytes([*first, *second]);
    let action = &ACTIONS[usize::from(chosen & !UNVALIDATED) % ACTIONS.len()];
    let validation = if chosen & UNVALIDATED == 0 {
        "strict"
    } else {
        "off"
    };
    let document = json!({
        "action": action, "asset": {"token": PLANTED}, "inputs": inputs,
        "options": {"validation": validation},
    });
    let invocation = Invocation::from_value(document).expect("a document");
    sound(&PLANNER.plan(invocation), bytes);
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
    let terms = Terms::new(&TRIGGERS.content, SystemTime::UNIX_EPOCH);
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
    if secret.len() < 6 || REDACTED.contains(secret) {
        return;
    }
    let redactor = Redactor::new([&Secret::new(secret)]);
    let mut plain = format!("{text}{secret}");
    redactor.text(&mut plain);
    // What stands there instead may begin like the secret, or end like it.
    assert!(
        !plain.split(REDACTED).any(|rest| rest.contains(secret)),
        "{plain}"
    );
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

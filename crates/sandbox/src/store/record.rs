//! The records of requests and deliveries, for tests and for people. Secrets are redacted before
//! anything is stored.

use std::collections::BTreeMap;

use line_connector_http::REDACTED;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::crypto::fingerprint;
use crate::http::{Call, MAX_BODY_BYTES, decode_form};
use crate::settings::Settings;

/// One request that the sandbox received. Requests to `/sandbox/…` are not recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The HTTP method.
    pub method: String,
    /// The path, still percent-encoded, without the query.
    pub path: String,
    /// The query parameters, decoded; tokens as fingerprints.
    pub query: Vec<(String, String)>,
    /// The header fields, names in lower case; `authorization` shows the scheme and a fingerprint.
    pub headers: Vec<(String, String)>,
    /// The body: JSON as it is, a form as an object, other text as a string; binary or oversized bodies
    /// as their length and fingerprint; `null` when empty.
    pub body: Value,
    /// The status of the answer; `None` where a fault suppressed the answer.
    pub status: Option<u16>,
    /// The `x-line-request-id` of this attempt.
    pub request_id: String,
    /// Whether it was accepted as a new send.
    pub delivered: bool,
    /// Whether its retry key was accepted before with another body or path.
    pub retry_key_reused_with_other_body: bool,
    /// The kind of fault that was applied.
    pub fault: Option<String>,
}

impl Record {
    /// The record of a call that is not answered yet.
    pub(crate) fn of(call: &Call, request_id: &str, settings: &Settings) -> Self {
        let mut headers: Vec<(String, String)> = call
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .map(|(name, value)| {
                let secret = matches!(name.as_str(), "proxy-authorization" | "cookie");
                (
                    name,
                    if secret {
                        REDACTED.to_owned()
                    } else {
                        redact_text(value, call, settings)
                    },
                )
            })
            .collect();
        if let Some(value) = &call.authorization {
            let (scheme, credential) = value
                .expose()
                .split_once(' ')
                .unwrap_or(("", value.expose()));
            let shown = format!("{scheme} {}", fingerprint(credential.trim().as_bytes()));
            headers.push(("authorization".to_owned(), shown.trim().to_owned()));
        }
        Self {
            method: call.method.clone(),
            path: redact_text(&call.path, call, settings),
            query: decode_form(&call.query)
                .into_iter()
                .map(|(name, value)| {
                    let value = redact_value(&name, &value)
                        .unwrap_or_else(|| redact_text(&value, call, settings));
                    (name, value)
                })
                .collect(),
            headers,
            body: body(call, settings),
            status: None,
            request_id: request_id.to_owned(),
            delivered: false,
            retry_key_reused_with_other_body: false,
            fault: None,
        }
    }
}

/// One accepted send: what people would have received, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// `reply`, `push`, `multicast`, `narrowcast`, `broadcast`, `pnp` or `pnp/templated`.
    pub kind: String,
    /// `to`, `replyToken` or `recipient` as given; `null` for a broadcast.
    pub to: Value,
    /// The message objects; for a template, its key and body.
    pub messages: Value,
    /// The `X-Line-Retry-Key`.
    pub retry_key: Option<String>,
    /// The `x-line-request-id` under which it was accepted.
    pub request_id: String,
    /// How many people it reached.
    pub people: u64,
}

/// How many requests and deliveries there were, including those no longer remembered.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    requests: u64,
    /// Requests whose answer a fault suppressed.
    unanswered: u64,
    statuses: BTreeMap<u16, u64>,
    deliveries: BTreeMap<String, u64>,
}

impl Counts {
    pub(crate) fn request(&mut self, record: &Record) {
        self.requests += 1;
        match record.status {
            Some(status) => *self.statuses.entry(status).or_default() += 1,
            None => self.unanswered += 1,
        }
    }

    pub(crate) fn delivery(&mut self, kind: &str) {
        *self.deliveries.entry(kind.to_owned()).or_default() += 1;
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "requests": self.requests,
            "unanswered": self.unanswered,
            "statuses": self.statuses,
            "deliveries": self.deliveries,
        })
    }
}

fn body(call: &Call, settings: &Settings) -> Value {
    if call.body.is_empty() {
        return Value::Null;
    }
    let is_text = std::str::from_utf8(&call.body).is_ok();
    if !is_text || call.body.len() > MAX_BODY_BYTES {
        let (length, print) = (call.body.len(), fingerprint(&call.body));
        return Value::String(format!("[{length} bytes, {print}]"));
    }
    if let Some(form) = call.form().and(std::str::from_utf8(&call.body).ok()) {
        let hidden = decode_form(form).into_iter().map(|(name, value)| {
            let shown =
                redact_value(&name, &value).unwrap_or_else(|| redact_text(&value, call, settings));
            (name, Value::String(shown))
        });
        return Value::Object(hidden.collect());
    }
    let text = redact_text(&String::from_utf8_lossy(&call.body), call, settings);
    match serde_json::from_str(&text) {
        Ok(mut value) => {
            redact_members(&mut value);
            value
        }
        Err(_) => Value::String(text),
    }
}

/// Redacts properties with secret names, at any depth.
fn redact_members(value: &mut Value) {
    match value {
        Value::Object(members) => redact_object(members),
        Value::Array(items) => items.iter_mut().for_each(redact_members),
        _ => {}
    }
}

fn redact_object(members: &mut Map<String, Value>) {
    for (name, value) in members.iter_mut() {
        match value.as_str().and_then(|text| redact_value(name, text)) {
            Some(shown) => *value = Value::String(shown),
            None => redact_members(value),
        }
    }
}

fn redact_value(name: &str, value: &str) -> Option<String> {
    const SECRET_NAMES: [&str; 5] = [
        "access_token",
        "client_secret",
        "client_assertion",
        "code",
        "code_verifier",
    ];
    SECRET_NAMES
        .contains(&name)
        .then(|| fingerprint(value.as_bytes()))
}

/// Redacts the secrets known to this call wherever they occur in a text.
fn redact_text(text: &str, call: &Call, settings: &Settings) -> String {
    let known = [
        call.bearer(),
        Some(settings.channel_secret.expose()),
        settings
            .long_lived_token
            .as_ref()
            .map(line_connector_http::Secret::expose),
    ];
    let mut text = text.to_owned();
    for secret in known
        .into_iter()
        .flatten()
        .filter(|secret| secret.len() >= 8)
    {
        if text.contains(secret) {
            text = text.replace(secret, REDACTED);
        }
    }
    text
}

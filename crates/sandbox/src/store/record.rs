//! What the sandbox remembers of the traffic, for tests and for people who look: every request as
//! it came, every send that was accepted. Secrets are replaced before anything is kept; it judges
//! nothing.

use std::collections::BTreeMap;

use line_connector_http::REDACTED;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::crypto::fingerprint;
use crate::http::{BODY_CAP, Call, decode_form};
use crate::settings::Settings;

/// One request that arrived at the sandbox. Requests to `/sandbox/…` are not kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The method on the wire.
    pub method: String,
    /// The path, still percent-encoded, without the query.
    pub path: String,
    /// The query's parameters, decoded; tokens as fingerprints.
    pub query: Vec<(String, String)>,
    /// The fields, names in lower case; `authorization` shows the scheme and a fingerprint.
    pub headers: Vec<(String, String)>,
    /// The body: JSON as it is, a form as an object, other text as text; bytes that are no text, and
    /// what is too large to keep, as their number and fingerprint; `null` when empty.
    pub body: Value,
    /// The status that was answered; none where a fault kept the answer back.
    pub status: Option<u16>,
    /// The `x-line-request-id` of this attempt.
    pub request_id: String,
    /// Whether it was accepted as a new send.
    pub delivered: bool,
    /// Whether its retry key was first used with another body or path.
    pub retry_key_reused_with_other_body: bool,
    /// The kind of fault that was applied.
    pub fault: Option<String>,
}

/// One send that was accepted: what people would have received, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// `reply`, `push`, `multicast`, `narrowcast`, `broadcast`, `pnp` or `pnp/templated`.
    pub kind: String,
    /// `to`, `replyToken` or `recipient` as given; `null` for a broadcast.
    pub to: Value,
    /// The message objects; of a template, its key and what it was filled in with.
    pub messages: Value,
    /// The `X-Line-Retry-Key`.
    pub retry_key: Option<String>,
    /// The `x-line-request-id` under which it was accepted.
    pub request_id: String,
    /// How many people it reached.
    pub people: u64,
}

/// How much there was of everything, whatever is still remembered of it.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    requests: u64,
    /// Requests that a fault left without an answer.
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

    pub(crate) fn shown(&self) -> Value {
        json!({
            "requests": self.requests,
            "unanswered": self.unanswered,
            "statuses": self.statuses,
            "deliveries": self.deliveries,
        })
    }
}

/// Makes the record of a call, before anything is known of its answer.
pub(crate) fn record(call: &Call, request_id: &str, settings: &Settings) -> Record {
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
                    scrub(value, call, settings)
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
    Record {
        method: call.method.clone(),
        path: scrub(&call.path, call, settings),
        query: decode_form(&call.query)
            .into_iter()
            .map(|(name, value)| {
                let value = hide(&name, &value).unwrap_or_else(|| scrub(&value, call, settings));
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

fn body(call: &Call, settings: &Settings) -> Value {
    if call.body.is_empty() {
        return Value::Null;
    }
    let is_text = std::str::from_utf8(&call.body).is_ok();
    if !is_text || call.body.len() > BODY_CAP {
        let (length, print) = (call.body.len(), fingerprint(&call.body));
        return Value::String(format!("[{length} bytes, {print}]"));
    }
    if let Some(form) = call.form().and(std::str::from_utf8(&call.body).ok()) {
        let hidden = decode_form(form).into_iter().map(|(name, value)| {
            let shown = hide(&name, &value).unwrap_or_else(|| scrub(&value, call, settings));
            (name, Value::String(shown))
        });
        return Value::Object(hidden.collect());
    }
    let text = scrub(&String::from_utf8_lossy(&call.body), call, settings);
    match serde_json::from_str(&text) {
        Ok(mut value) => {
            hide_members(&mut value);
            value
        }
        Err(_) => Value::String(text),
    }
}

/// Replaces the values of members whose names say that they are secret, however deep.
fn hide_members(value: &mut Value) {
    match value {
        Value::Object(members) => hide_in(members),
        Value::Array(items) => items.iter_mut().for_each(hide_members),
        _ => {}
    }
}

fn hide_in(members: &mut Map<String, Value>) {
    for (name, value) in members.iter_mut() {
        match value.as_str().and_then(|text| hide(name, text)) {
            Some(shown) => *value = Value::String(shown),
            None => hide_members(value),
        }
    }
}

fn hide(name: &str, value: &str) -> Option<String> {
    const HIDDEN: [&str; 5] = [
        "access_token",
        "client_secret",
        "client_assertion",
        "code",
        "code_verifier",
    ];
    HIDDEN
        .contains(&name)
        .then(|| fingerprint(value.as_bytes()))
}

/// Replaces the secrets this call could have carried to a place where they do not belong.
fn scrub(text: &str, call: &Call, settings: &Settings) -> String {
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

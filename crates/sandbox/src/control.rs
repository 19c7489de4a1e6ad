//! The `/sandbox/…` endpoints: what people and tests use to set the scene and to look at what
//! happened. They need no token, and LINE has none of them.

use serde_json::{Value, json};

use crate::client_assertion;
use crate::events;
use crate::http::Answer;
use crate::state::Turn;
use crate::store::fault;

/// Where these endpoints live; calls below it are neither recorded nor befallen by faults.
pub(crate) const PREFIX: &str = "/sandbox/";

pub(crate) fn dispatch(turn: &mut Turn<'_>) -> Answer {
    let answer = match (turn.call.method.as_str(), turn.call.path.as_str()) {
        ("GET", "/sandbox/asset") => Ok(turn.settings.asset(&turn.call.base_url())),
        ("POST", "/sandbox/keys") => body(turn)
            .and_then(|jwk| client_assertion::register(turn.state, &jwk))
            .map(|kid| json!({ "kid": kid })),
        ("POST", "/sandbox/reply-tokens") => {
            Ok(json!({ "replyToken": turn.state.reply_tokens.create(turn.now) }))
        }
        ("POST", "/sandbox/events") => {
            return body(turn)
                .and_then(|described| events::play(turn, &described))
                .unwrap_or_else(|text| Answer::message(400, &text));
        }
        ("PUT", "/sandbox/webhook") => body(turn).and_then(|value| configure_webhook(turn, &value)),
        ("GET", "/sandbox/webhook") => Ok(turn.state.webhook.shown()),
        ("POST", "/sandbox/faults") => body(turn).and_then(|value| add_faults(turn, &value)),
        ("GET", "/sandbox/faults") => Ok(json!({ "faults": turn.state.faults.all() })),
        ("DELETE", "/sandbox/faults") => {
            turn.state.faults.clear();
            Ok(json!({}))
        }
        ("GET", "/sandbox/requests") => {
            let log = &turn.state.records;
            Ok(json!({ "requests": log.all(), "forgotten": log.forgotten }))
        }
        ("DELETE", "/sandbox/requests") => {
            turn.state.forget();
            Ok(json!({}))
        }
        ("GET", "/sandbox/counts") => Ok(turn.state.counts.shown()),
        ("GET", "/sandbox/deliveries") => {
            let log = &turn.state.deliveries;
            Ok(json!({ "deliveries": log.all(), "forgotten": log.forgotten }))
        }
        ("POST", path) if redelivered(path).is_some() => {
            let id = redelivered(path).unwrap_or_default().to_owned();
            return events::redeliver(turn, &id).unwrap_or_else(|text| Answer::message(404, &text));
        }
        _ => return Answer::message(404, "The sandbox has no such endpoint"),
    };
    match answer {
        Ok(body) => Answer::json(200, &body),
        Err(text) => Answer::message(400, &text),
    }
}

/// The ID of the event that a path asks to have delivered again.
fn redelivered(path: &str) -> Option<&str> {
    let id = path.strip_prefix("/sandbox/events/")?;
    id.strip_suffix("/redeliver")
}

fn body(turn: &Turn<'_>) -> Result<Value, String> {
    serde_json::from_slice(&turn.call.body).map_err(|error| format!("the body is no JSON: {error}"))
}

/// Takes one fault or an array of them; all or none are queued.
fn add_faults(turn: &mut Turn<'_>, value: &Value) -> Result<Value, String> {
    let given = value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice);
    let faults = given
        .iter()
        .map(fault::parse)
        .collect::<Result<Vec<_>, _>>()?;
    for fault in faults {
        turn.state.faults.push(fault);
    }
    Ok(json!({ "waiting": turn.state.faults.len() }))
}

/// Sets the endpoint as people and tests want it: unlike LINE's own operation, also to plain HTTP.
fn configure_webhook(turn: &mut Turn<'_>, body: &Value) -> Result<Value, String> {
    let members = body.as_object().ok_or("the body is an object")?;
    for (name, value) in members {
        match (name.as_str(), value) {
            ("active", Value::Bool(_)) | ("endpoint", Value::Null) => {}
            ("endpoint", Value::String(url))
                if url.starts_with("http://") || url.starts_with("https://") => {}
            ("active", _) => return Err("`active` is true or false".to_owned()),
            ("endpoint", _) => return Err("`endpoint` is an http or https URL, or null".to_owned()),
            _ => {
                return Err(format!(
                    "there is no `{name}`, only `endpoint` and `active`"
                ));
            }
        }
    }
    let webhook = &mut turn.state.webhook;
    if let Some(url) = members.get("endpoint") {
        webhook.url = url.as_str().map(str::to_owned);
    }
    if let Some(active) = members.get("active").and_then(Value::as_bool) {
        webhook.active = active;
    }
    Ok(webhook.shown())
}

//! The `/sandbox/…` endpoints: what people and tests use to set the scene and to look at what
//! happened. They need no token, and LINE has none of them.

use serde_json::{Value, json};

use super::assertion;
use super::events;
use super::exchange::Answer;
use super::fault;
use super::settings::Settings;
use super::state::Turn;
use super::webhook;

/// Where these endpoints live; calls below it are neither recorded nor befallen by faults.
pub(super) const PREFIX: &str = "/sandbox/";

pub(super) fn dispatch(turn: &mut Turn<'_>) -> Answer {
    let answer = match (turn.call.method.as_str(), turn.call.path.as_str()) {
        ("GET", "/sandbox/asset") => Ok(asset(turn.settings, &base(turn))),
        ("POST", "/sandbox/keys") => body(turn)
            .and_then(|jwk| assertion::register(turn.state, &jwk))
            .map(|kid| json!({ "kid": kid })),
        ("POST", "/sandbox/reply-tokens") => {
            Ok(json!({ "replyToken": turn.state.reply_tokens.create(turn.now) }))
        }
        ("POST", "/sandbox/events") => {
            return body(turn)
                .and_then(|described| events::play(turn, &described))
                .unwrap_or_else(|text| Answer::message(400, &text));
        }
        ("PUT", "/sandbox/webhook") => {
            body(turn).and_then(|value| webhook::configure(turn, &value))
        }
        ("GET", "/sandbox/webhook") => Ok(webhook::shown(turn)),
        ("POST", "/sandbox/faults") => body(turn).and_then(|value| add_faults(turn, &value)),
        ("GET", "/sandbox/faults") => Ok(json!({ "faults": turn.state.faults })),
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
    turn.state.faults.extend(faults);
    Ok(json!({ "waiting": turn.state.faults.len() }))
}

/// The base URL under which the caller reached the sandbox.
pub(super) fn base(turn: &Turn<'_>) -> String {
    format!(
        "http://{}",
        turn.call.headers.get("host").unwrap_or("127.0.0.1")
    )
}

/// The asset with which a connector reaches this sandbox.
pub(super) fn asset(settings: &Settings, base: &str) -> Value {
    json!({
        "url": base,
        "data_url": base,
        "manager_url": base,
        "token_url": format!("{base}/oauth2/v3/token"),
        "client_id": settings.channel_id,
        "client_secret": settings.channel_secret.expose(),
    })
}

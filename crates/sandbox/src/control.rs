//! The control endpoints below `/sandbox/`, with which people and tests set the sandbox up and look at
//! what happened. They need no token, and LINE has none of them.

use serde_json::{Value, json};

use crate::client_assertion;
use crate::events;
use crate::http::Answer;
use crate::state::Context;
use crate::store::fault;

/// The path prefix of the control endpoints. Calls below it are not recorded, and no fault applies
/// to them.
pub(crate) const PREFIX: &str = "/sandbox/";

/// How many faults wait at most.
const MAX_FAULTS: usize = 10_000;

pub(crate) fn dispatch(ctx: &mut Context<'_>) -> Answer {
    let answer = match (ctx.call.method.as_str(), ctx.call.path.as_str()) {
        ("GET", "/sandbox/asset") => Ok(ctx.settings.asset(&ctx.call.base_url())),
        ("POST", "/sandbox/keys") => body(ctx)
            .and_then(|jwk| client_assertion::register(ctx.state, &jwk))
            .map(|kid| json!({ "kid": kid })),
        ("POST", "/sandbox/reply-tokens") => {
            Ok(json!({ "replyToken": ctx.state.reply_tokens.create(ctx.now) }))
        }
        ("POST", "/sandbox/events") => {
            return body(ctx)
                .and_then(|described| events::play(ctx, &described))
                .unwrap_or_else(|text| Answer::message(400, &text));
        }
        ("PUT", "/sandbox/webhook") => body(ctx).and_then(|value| configure_webhook(ctx, &value)),
        ("GET", "/sandbox/webhook") => Ok(ctx.state.webhook.to_json()),
        ("POST", "/sandbox/faults") => body(ctx).and_then(|value| add_faults(ctx, &value)),
        ("GET", "/sandbox/faults") => Ok(json!({ "faults": ctx.state.faults.all() })),
        ("DELETE", "/sandbox/faults") => {
            ctx.state.faults.clear();
            Ok(json!({}))
        }
        ("GET", "/sandbox/requests") => {
            let log = &ctx.state.records;
            Ok(json!({ "requests": log.to_vec(), "forgotten": log.forgotten }))
        }
        ("DELETE", "/sandbox/requests") => {
            ctx.state.forget_records();
            Ok(json!({}))
        }
        ("GET", "/sandbox/counts") => Ok(ctx.state.counts.to_json()),
        ("GET", "/sandbox/deliveries") => {
            let log = &ctx.state.deliveries;
            Ok(json!({ "deliveries": log.to_vec(), "forgotten": log.forgotten }))
        }
        ("POST", path) if redelivered(path).is_some() => {
            let id = redelivered(path).unwrap_or_default().to_owned();
            return events::redeliver(ctx, &id).unwrap_or_else(|text| Answer::message(404, &text));
        }
        _ => return Answer::message(404, "The sandbox has no such endpoint"),
    };
    match answer {
        Ok(body) => Answer::json(200, &body),
        Err(text) => Answer::message(400, &text),
    }
}

/// The ID of the event that a path asks to redeliver.
fn redelivered(path: &str) -> Option<&str> {
    let id = path.strip_prefix("/sandbox/events/")?;
    id.strip_suffix("/redeliver")
}

fn body(ctx: &Context<'_>) -> Result<Value, String> {
    let media_type = ctx.call.media_type();
    if media_type != "application/json" {
        return Err("give the body as JSON, with `Content-Type: application/json`".to_owned());
    }
    serde_json::from_slice(&ctx.call.body).map_err(|error| format!("the body is no JSON: {error}"))
}

/// Queues one fault or an array of them; where one is invalid, none.
fn add_faults(ctx: &mut Context<'_>, value: &Value) -> Result<Value, String> {
    let given = value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice);
    let faults = given
        .iter()
        .map(|value| fault::parse(value, &ctx.settings.operations))
        .collect::<Result<Vec<_>, _>>()?;
    if ctx.state.faults.len() + faults.len() > MAX_FAULTS {
        return Err(format!("at most {MAX_FAULTS} faults wait"));
    }
    for fault in faults {
        ctx.state.faults.push(fault);
    }
    Ok(json!({ "waiting": ctx.state.faults.len() }))
}

/// Sets the webhook endpoint. Unlike LINE's own operation it accepts plain HTTP.
fn configure_webhook(ctx: &mut Context<'_>, body: &Value) -> Result<Value, String> {
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
    let webhook = &mut ctx.state.webhook;
    if let Some(url) = members.get("endpoint") {
        webhook.url = url.as_str().map(str::to_owned);
    }
    if let Some(active) = members.get("active").and_then(Value::as_bool) {
        webhook.active = active;
    }
    Ok(webhook.to_json())
}

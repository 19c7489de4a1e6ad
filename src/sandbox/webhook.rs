//! The channel's webhook endpoint: set, shown and tested. Nothing is ever sent to it: a test says
//! what LINE would, and fails for hosts below `.invalid`.

use serde_json::{Value, json};

use super::calendar::iso_millis;
use super::exchange::Answer;
use super::routes::Route;
use super::state::Turn;

pub(super) const ROUTES: &[Route] = &[
    Route::bot("PUT", "/v2/bot/channel/webhook/endpoint", |turn| {
        set(turn).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("GET", "/v2/bot/channel/webhook/endpoint", |turn| {
        get(turn).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("POST", "/v2/bot/channel/webhook/test", |turn| {
        test(turn).unwrap_or_else(|refusal| refusal)
    }),
];

const LONGEST: usize = 500;

/// The host of an `https` URL that could be one.
pub(super) fn https_host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    let host = rest.split(['/', '?', '#', ':']).next()?;
    let plain = !url.contains(|c: char| c.is_whitespace() || c.is_control());
    (plain && !host.is_empty()).then_some(host)
}

/// The `endpoint` of a body.
fn endpoint(body: &Value) -> Result<String, Answer> {
    let url = body
        .get("endpoint")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if https_host(url).is_some() && url.chars().count() <= LONGEST {
        return Ok(url.to_owned());
    }
    Err(Answer::message(400, "Invalid webhook endpoint URL"))
}

fn configured(turn: &Turn<'_>) -> Result<String, Answer> {
    let url = turn.state.webhook.clone();
    url.ok_or_else(|| Answer::message(404, "Webhook endpoint not found"))
}

fn set(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    turn.state.webhook = Some(endpoint(&turn.call.json()?)?);
    Ok(Answer::json(200, &json!({})))
}

fn get(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = json!({ "endpoint": configured(turn)?, "active": true });
    Ok(Answer::json(200, &body))
}

fn test(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = if turn.call.body.is_empty() {
        Value::Null
    } else {
        turn.call.json()?
    };
    let url = match body.get("endpoint") {
        Some(_) => endpoint(&body)?,
        None => configured(turn)?,
    };
    let timestamp = iso_millis(turn.now);
    let unreachable = https_host(&url).is_none_or(|host| host.ends_with(".invalid"));
    let body = if unreachable {
        json!({ "success": false, "timestamp": timestamp, "statusCode": 0,
            "reason": "COULD_NOT_CONNECT", "detail": format!("TLS handshake failure: {url}") })
    } else {
        json!({ "success": true, "timestamp": timestamp, "statusCode": 200,
            "reason": "OK", "detail": "200" })
    };
    Ok(Answer::json(200, &body))
}

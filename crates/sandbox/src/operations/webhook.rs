//! The channel's webhook endpoint: set, shown and tested. Where the sandbox has a way out, a test
//! really calls it; otherwise it says what LINE would, and fails for hosts below `.invalid`. The
//! events that go there are `events`'s.

use line_connector_http::{Failure, FailureKind, Reply};
use serde_json::{Value, json};

use super::request::https_host;
use crate::calendar::iso_millis;
use crate::events::Webhook;
use crate::http::{Answer, Outbound};
use crate::route::Route;
use crate::state::Turn;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("PUT", "/v2/bot/channel/webhook/endpoint", set),
    Route::bot("GET", "/v2/bot/channel/webhook/endpoint", get),
    Route::bot("POST", "/v2/bot/channel/webhook/test", test),
];

const LONGEST: usize = 500;

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
    let url = turn.state.webhook.url.clone();
    url.ok_or_else(|| Answer::message(404, "Webhook endpoint not found"))
}

fn set(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    turn.state.webhook.url = Some(endpoint(&turn.call.json()?)?);
    Ok(Answer::json(200, &json!({})))
}

fn get(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = json!({ "endpoint": configured(turn)?, "active": turn.state.webhook.active });
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
    let known = json!({ "timestamp": iso_millis(turn.now), "url": url });
    if turn.settings.outward.is_some() {
        let probe = Webhook::new(turn.settings, &[]).request(&url);
        return Ok(Answer::json(200, &json!({})).after(Outbound::new(probe, known, tested)));
    }
    let unreachable = https_host(&url).is_some_and(|host| host.ends_with(".invalid"));
    let outcome = if unreachable {
        Err(Failure {
            kind: FailureKind::Tls,
            maybe_sent: false,
            message: String::new(),
        })
    } else {
        Ok(Reply {
            status: 200,
            ..Reply::default()
        })
    };
    Ok(tested(&known, outcome))
}

/// What LINE tells of a test.
fn tested(known: &Value, outcome: Result<Reply, Failure>) -> Answer {
    let url = known["url"].as_str().unwrap_or_default();
    let (status, reason, detail) = match outcome {
        Ok(Reply { status, .. }) if (200..300).contains(&status) => {
            (status, "OK", status.to_string())
        }
        Ok(Reply { status, .. }) => (status, "ERROR_STATUS_CODE", status.to_string()),
        Err(failure) => {
            let (reason, detail) = match failure.kind {
                FailureKind::Timeout if failure.maybe_sent => {
                    ("REQUEST_TIMEOUT", "Request timeout")
                }
                FailureKind::Timeout => ("COULD_NOT_CONNECT", "Connection timeout"),
                FailureKind::Connect => ("COULD_NOT_CONNECT", "Connection failed"),
                FailureKind::Tls => ("COULD_NOT_CONNECT", "TLS handshake failure"),
                FailureKind::Invalid => ("COULD_NOT_CONNECT", "Invalid URL syntax"),
                _ => ("UNCLASSIFIED", "Session closed unexpectedly"),
            };
            (0, reason, format!("{detail}: {url}"))
        }
    };
    let body = json!({
        "success": reason == "OK",
        "timestamp": known["timestamp"],
        "statusCode": status,
        "reason": reason,
        "detail": detail,
    });
    Answer::json(200, &body)
}

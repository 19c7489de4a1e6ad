//! The channel's webhook endpoint: set, read and tested. With a transport for webhooks, a test really
//! calls the endpoint; without one it succeeds, but for hosts below `.invalid`. Events are sent by
//! `events`.

use line_connector_http::{Failure, FailureKind, Reply};
use serde_json::{Value, json};

use super::request::https_host;
use crate::calendar::iso_millis;
use crate::events::Webhook;
use crate::http::{Answer, Outbound};
use crate::route::Route;
use crate::state::Context;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("PUT", "/v2/bot/channel/webhook/endpoint", set),
    Route::bot("GET", "/v2/bot/channel/webhook/endpoint", get),
    Route::bot("POST", "/v2/bot/channel/webhook/test", test),
];

const MAX_URL_LENGTH: usize = 500;

/// The `endpoint` of the body.
fn endpoint(body: &Value) -> Result<String, Answer> {
    let url = body
        .get("endpoint")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if https_host(url).is_some() && url.chars().count() <= MAX_URL_LENGTH {
        return Ok(url.to_owned());
    }
    Err(Answer::message(400, "Invalid webhook endpoint URL"))
}

fn configured(ctx: &Context<'_>) -> Result<String, Answer> {
    let url = ctx.state.webhook.url.clone();
    url.ok_or_else(|| Answer::message(404, "Webhook endpoint not found"))
}

fn set(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    ctx.state.webhook.url = Some(endpoint(&ctx.call.json()?)?);
    Ok(Answer::json(200, &json!({})))
}

fn get(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = json!({ "endpoint": configured(ctx)?, "active": ctx.state.webhook.active });
    Ok(Answer::json(200, &body))
}

fn test(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = if ctx.call.body.is_empty() {
        Value::Null
    } else {
        ctx.call.json()?
    };
    let url = match body.get("endpoint") {
        Some(_) => endpoint(&body)?,
        None => configured(ctx)?,
    };
    let known = json!({ "timestamp": iso_millis(ctx.now), "url": url });
    if ctx.settings.outward.is_some() {
        let probe = Webhook::new(ctx.settings, &[]).request(&url);
        return Ok(Answer::json(200, &json!({})).after(Outbound::new(probe, known, test_result)));
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
    Ok(test_result(&known, outcome))
}

/// LINE's answer to a test.
fn test_result(known: &Value, outcome: Result<Reply, Failure>) -> Answer {
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

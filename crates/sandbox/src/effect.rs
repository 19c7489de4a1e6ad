//! What a fault does to a call. The server and the in-memory transport turn the effect into what a
//! client sees.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::Answer;
use crate::quota::MONTHLY_LIMIT;
use crate::rate_limit;
use crate::state::Context;
use crate::store::fault::{DropPoint, FaultKind, When};

/// What a call came to, with or without a fault.
#[derive(Debug)]
pub(crate) enum Effect {
    Answer(Answer),
    Delayed(Duration, Answer),
    /// The head announces the whole body, and half of it is sent.
    Truncated(Answer),
    Stalled(Duration),
    Closed,
    Garbage,
}

/// Applies a fault to a call. `process` is what would happen without it.
pub(crate) fn apply(
    fault: FaultKind,
    ctx: &mut Context<'_>,
    process: fn(&mut Context<'_>) -> Answer,
) -> Effect {
    ctx.record.fault = fault.name();
    match fault {
        FaultKind::Status {
            code,
            when,
            body,
            headers,
        } => {
            if when == When::After {
                process(ctx);
            }
            Effect::Answer(status_answer(code, &body, &headers))
        }
        FaultKind::Delay { ms } => Effect::Delayed(Duration::from_millis(ms), process(ctx)),
        FaultKind::Drop {
            at: DropPoint::BeforeRead | DropPoint::AfterRead,
        } => Effect::Closed,
        FaultKind::Drop {
            at: DropPoint::AfterProcessing,
        } => {
            process(ctx);
            Effect::Closed
        }
        FaultKind::Drop {
            at: DropPoint::MidBody,
        } => Effect::Truncated(process(ctx)),
        FaultKind::Html { code } => Effect::Answer(Answer::html(code)),
        FaultKind::ExpireToken => {
            if let Some(token) = ctx.call.bearer() {
                ctx.state.tokens.expire(token, ctx.now);
            }
            Effect::Answer(process(ctx))
        }
        FaultKind::RateLimit => too_many(rate_limit::EXCEEDED),
        FaultKind::MonthlyLimit => too_many(MONTHLY_LIMIT),
        FaultKind::Unreachable => Effect::Answer(unreachable(ctx, process)),
        FaultKind::ConcurrentOperations { message } => too_many(&message),
        FaultKind::Stall { ms } => Effect::Stalled(Duration::from_millis(ms)),
        FaultKind::Redirect { location } => {
            Effect::Answer(Answer::raw(302, "text/html", "").with("location", &location))
        }
        FaultKind::Huge { bytes } => Effect::Answer(huge(bytes)),
        FaultKind::Garbage => Effect::Garbage,
    }
}

/// What LINE says of one person who cannot be reached. Of several it says nothing.
fn unreachable(ctx: &mut Context<'_>, process: fn(&mut Context<'_>) -> Answer) -> Answer {
    let path = ctx.call.path.as_str();
    if path.contains("/pnp/") {
        return Answer::message(422, "Failed to send messages");
    }
    if path.ends_with("/message/push") {
        return Answer::message(400, "Failed to send messages");
    }
    if path.starts_with("/v2/bot/profile/") {
        return Answer::message(404, "Not found");
    }
    process(ctx)
}

fn too_many(text: &str) -> Effect {
    Effect::Answer(Answer::message(429, text))
}

fn status_answer(code: u16, body: &Value, headers: &BTreeMap<String, String>) -> Answer {
    let (usual_type, body) = match body {
        Value::Null => ("application/json", String::new()),
        Value::String(text) => ("text/plain;charset=UTF-8", text.clone()),
        other => ("application/json", other.to_string()),
    };
    let own_type = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let content_type = own_type.map_or(usual_type, |(_, value)| value);
    let others = headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    others.fold(
        Answer::raw(code, content_type, body),
        |answer, (name, value)| answer.with(&name.to_ascii_lowercase(), value),
    )
}

fn huge(bytes: usize) -> Answer {
    let frame = json!({ "padding": "" }).to_string();
    let padding = "x".repeat(bytes.saturating_sub(frame.len()));
    Answer::raw(
        200,
        "application/json",
        format!("{{\"padding\":\"{padding}\"}}"),
    )
}

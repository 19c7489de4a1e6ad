//! Simulating users: a described event changes the state, becomes LINE's webhook, signed as LINE signs
//! it, and is sent to the channel's endpoint.

mod draft;
mod event_type;
mod message;
mod webhook;

use line_connector_http::{Failure, Reply};
use serde_json::{Value, json};

use crate::http::{Answer, Outbound};
use crate::state::Context;
use draft::Draft;

pub(crate) use webhook::Webhook;

/// Plays one event, or an array of them in one webhook; where one is invalid, none.
pub(crate) fn play(ctx: &mut Context<'_>, described: &Value) -> Result<Answer, String> {
    let described = described
        .as_array()
        .map_or(std::slice::from_ref(described), Vec::as_slice);
    let drafts = described
        .iter()
        .enumerate()
        .map(|(index, one)| Draft::parse(one).map_err(|why| format!("event {index}: {why}")))
        .collect::<Result<Vec<_>, _>>()?;
    let events: Vec<Value> = drafts.into_iter().map(|draft| draft.play(ctx)).collect();
    for event in &events {
        if let Some(id) = event.get("webhookEventId").and_then(Value::as_str) {
            ctx.state.played.events.insert(id.to_owned(), event.clone());
        }
    }
    Ok(deliver(ctx, &events))
}

/// Sends an event again, with `isRedelivery` set; its reply token is valid for another minute.
pub(crate) fn redeliver(ctx: &mut Context<'_>, id: &str) -> Result<Answer, String> {
    let event = ctx.state.played.events.get(id);
    let mut event = event
        .cloned()
        .ok_or_else(|| format!("no event `{id}` was played"))?;
    if let Some(Value::Object(delivery)) = event.get_mut("deliveryContext") {
        delivery.insert("isRedelivery".to_owned(), json!(true));
    }
    if let Some(token) = event.get("replyToken").and_then(Value::as_str) {
        ctx.state.reply_tokens.renew(token, ctx.now);
    }
    Ok(deliver(ctx, &[event]))
}

/// Sends the webhook, where there is an endpoint and a transport, and reports how that went.
fn deliver(ctx: &Context<'_>, events: &[Value]) -> Answer {
    let webhook = Webhook::new(ctx.settings, events);
    let asset = ctx.settings.asset(&ctx.call.base_url());
    let mut report = json!({
        "delivered": false,
        "status": null,
        "problem": null,
        "events": events,
        "invocation": { "asset": asset, "request": webhook.to_json() },
    });
    let endpoint = &ctx.state.webhook;
    match (&endpoint.url, &ctx.settings.outward) {
        (Some(url), Some(_)) if endpoint.active => {
            let request = webhook.request(url);
            return Answer::json(200, &report).after(Outbound::new(request, report, with_outcome));
        }
        (Some(_), Some(_)) => report["problem"] = json!("the use of webhooks is switched off"),
        (Some(_), None) => report["problem"] = json!("this sandbox has no way out"),
        (None, _) => {
            let text =
                "there is no webhook endpoint: PUT /sandbox/webhook {\"endpoint\": URL} sets one";
            report["problem"] = json!(text);
        }
    }
    Answer::json(200, &report)
}

fn with_outcome(report: &Value, outcome: Result<Reply, Failure>) -> Answer {
    let mut report = report.clone();
    match outcome {
        Ok(reply) => {
            let good = (200..300).contains(&reply.status);
            report["delivered"] = json!(good);
            report["status"] = json!(reply.status);
            if !good {
                report["problem"] = json!("the receiver did not answer 2xx");
            }
        }
        Err(failure) => report["problem"] = json!(failure.message),
    }
    Answer::json(200, &report)
}

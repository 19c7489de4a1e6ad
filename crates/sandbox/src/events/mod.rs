//! The sandbox plays the user: what people do becomes LINE's webhook, signed as LINE signs it, and
//! goes to the channel's endpoint. This file has the calls that play and redeliver; which events
//! there are, and what is in them, is `draft`'s and `message`'s.

mod draft;
mod message;
mod types;
mod webhook;

use line_connector_http::{Failure, Reply};
use serde_json::{Value, json};

use crate::http::{Answer, Outbound};
use crate::state::Turn;
use draft::Draft;

pub(crate) use webhook::Webhook;

/// Plays one event, or an array of them in one webhook; all of them or, where one is wrong, none.
pub(crate) fn play(turn: &mut Turn<'_>, described: &Value) -> Result<Answer, String> {
    let described = described
        .as_array()
        .map_or(std::slice::from_ref(described), Vec::as_slice);
    let drafts = described
        .iter()
        .enumerate()
        .map(|(place, one)| Draft::read(one).map_err(|why| format!("event {place}: {why}")))
        .collect::<Result<Vec<_>, _>>()?;
    let events: Vec<Value> = drafts.into_iter().map(|draft| draft.play(turn)).collect();
    for event in &events {
        if let Some(id) = event.get("webhookEventId").and_then(Value::as_str) {
            turn.state.played.events.put(id.to_owned(), event.clone());
        }
    }
    Ok(deliver(turn, &events))
}

/// Sends an event again: the same but for `isRedelivery`, its reply token good for another minute.
pub(crate) fn redeliver(turn: &mut Turn<'_>, id: &str) -> Result<Answer, String> {
    let event = turn.state.played.events.get(id);
    let mut event = event
        .cloned()
        .ok_or_else(|| format!("no event `{id}` was played"))?;
    if let Some(Value::Object(context)) = event.get_mut("deliveryContext") {
        context.insert("isRedelivery".to_owned(), json!(true));
    }
    if let Some(token) = event.get("replyToken").and_then(Value::as_str) {
        turn.state.reply_tokens.renew(token, turn.now);
    }
    Ok(deliver(turn, &[event]))
}

/// The answer that tells of a webhook, and the errand of sending it where it has somewhere to go.
fn deliver(turn: &Turn<'_>, events: &[Value]) -> Answer {
    let webhook = Webhook::new(turn.settings, events);
    let asset = turn.settings.asset(&turn.call.base_url());
    let mut told = json!({
        "delivered": false,
        "status": null,
        "problem": null,
        "events": events,
        "invocation": { "asset": asset, "request": webhook.shown() },
    });
    let endpoint = &turn.state.webhook;
    match (&endpoint.url, &turn.settings.outward) {
        (Some(url), Some(_)) if endpoint.active => {
            let request = webhook.request(url);
            return Answer::json(200, &told).after(Outbound::new(request, told, report));
        }
        (Some(_), Some(_)) => told["problem"] = json!("the use of webhooks is switched off"),
        (Some(_), None) => told["problem"] = json!("this sandbox has no way out"),
        (None, _) => {
            let text =
                "there is no webhook endpoint: PUT /sandbox/webhook {\"endpoint\": URL} sets one";
            told["problem"] = json!(text);
        }
    }
    Answer::json(200, &told)
}

fn report(told: &Value, outcome: Result<Reply, Failure>) -> Answer {
    let mut told = told.clone();
    match outcome {
        Ok(reply) => {
            let good = (200..300).contains(&reply.status);
            told["delivered"] = json!(good);
            told["status"] = json!(reply.status);
            if !good {
                told["problem"] = json!("the receiver did not answer 2xx");
            }
        }
        Err(failure) => told["problem"] = json!(failure.message),
    }
    Answer::json(200, &told)
}

//! The sandbox plays the user: what people do becomes LINE's webhook, signed as LINE signs it, and
//! goes to the channel's endpoint. This file has the calls that play and redeliver; which events
//! there are, and what is in them, is `draft`'s and `message`'s.

mod draft;
mod kinds;
mod message;

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::content::Content;
use super::control;
use super::crypto::hmac_base64;
use super::errand::Errand;
use super::exchange::Answer;
use super::people::bot_id;
use super::record::Shelf;
use super::settings::Settings;
use super::state::Turn;
use line_connector_http::{Failure, Headers, Method, Reply, Request};

use draft::Draft;

/// LINE waits no longer for the answer to a webhook.
pub(super) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Contents are large: of what users send, only so much can still be downloaded.
const MOST_CONTENTS: usize = 1000;

/// What was played, for redelivery and download.
#[derive(Debug)]
pub(super) struct Played {
    /// By `webhookEventId`.
    events: Shelf<Value>,
    /// By message ID.
    pub(super) contents: Shelf<Content>,
}

impl Played {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            events: Shelf::new(settings.keep_records),
            contents: Shelf::new(settings.keep_records.min(MOST_CONTENTS)),
        }
    }
}

/// Plays one event, or an array of them in one webhook; all of them or, where one is wrong, none.
pub(super) fn play(turn: &mut Turn<'_>, described: &Value) -> Result<Answer, String> {
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
pub(super) fn redeliver(turn: &mut Turn<'_>, id: &str) -> Result<Answer, String> {
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

/// A webhook's bytes, and what LINE sends along.
pub(super) struct Webhook {
    body: String,
    headers: Vec<(&'static str, String)>,
}

impl Webhook {
    pub(super) fn new(settings: &Settings, events: &[Value]) -> Self {
        let body = escape(&json!({ "destination": bot_id(0), "events": events }).to_string());
        let signature = hmac_base64(settings.channel_secret.expose(), body.as_bytes());
        let headers = vec![
            ("content-type", "application/json; charset=utf-8".to_owned()),
            ("user-agent", "LineBotWebhook/2.0".to_owned()),
            ("x-line-signature", signature),
        ];
        Self { body, headers }
    }

    pub(super) fn request(&self, url: &str) -> Request {
        let mut headers = Headers::new();
        for (name, value) in &self.headers {
            headers.push(*name, value.as_str());
        }
        Request {
            method: Method::Post,
            url: url.to_owned(),
            headers,
            bearer: None,
            body: self.body.clone().into_bytes(),
            timeout: PATIENCE,
        }
    }

    /// As the document that a platform hands over, which owns the HTTP endpoint.
    fn shown(&self) -> Value {
        let headers = self.headers.iter();
        let headers: Map<String, Value> = headers
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        json!({ "headers": headers, "body": self.body })
    }
}

/// Writes characters beyond the first plane as escapes, as LINE may: whoever checks the signature of
/// anything but the bytes that came must fail.
fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for symbol in json.chars() {
        if u32::from(symbol) > 0xffff {
            for unit in symbol.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(symbol);
        }
    }
    escaped
}

/// The answer that tells of a webhook, and the errand of sending it where it has somewhere to go.
fn deliver(turn: &Turn<'_>, events: &[Value]) -> Answer {
    let webhook = Webhook::new(turn.settings, events);
    let asset = control::asset(turn.settings, &control::base(turn));
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
            return Answer::json(200, &told).after(Errand::new(request, told, report));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_symbols_beyond_the_first_plane_are_escaped() {
        assert_eq!(
            escape("{\"a\":\"é あ 😀\"}"),
            "{\"a\":\"é あ \\ud83d\\ude00\"}"
        );
    }
}

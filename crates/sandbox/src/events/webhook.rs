//! A webhook as LINE sends it: the body, signed with the channel secret.

use std::fmt::Write as _;
use std::time::Duration;

use line_connector_http::{Headers, Method, Request};
use serde_json::{Map, Value, json};

use crate::crypto::hmac_base64;
use crate::ids::bot_id;
use crate::settings::Settings;

/// How long LINE waits for the answer to a webhook.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The body and the header fields of a webhook.
pub(crate) struct Webhook {
    body: String,
    headers: Vec<(&'static str, String)>,
}

impl Webhook {
    pub(crate) fn new(settings: &Settings, events: &[Value]) -> Self {
        let body = escape(&json!({ "destination": bot_id(0), "events": events }).to_string());
        let signature = hmac_base64(settings.channel_secret.expose(), body.as_bytes());
        let headers = vec![
            ("content-type", "application/json; charset=utf-8".to_owned()),
            ("user-agent", "LineBotWebhook/2.0".to_owned()),
            ("x-line-signature", signature),
        ];
        Self { body, headers }
    }

    pub(crate) fn request(&self, url: &str) -> Request {
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
            timeout: TIMEOUT,
            download_timeout: None,
        }
    }

    /// The `request` of the document that `line-connector webhook` reads.
    pub(crate) fn to_json(&self) -> Value {
        let headers = self.headers.iter();
        let headers: Map<String, Value> = headers
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        json!({ "headers": headers, "body": self.body })
    }
}

/// Escapes characters beyond the Basic Multilingual Plane, as LINE may: a receiver that checks the
/// signature of re-encoded JSON must fail.
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

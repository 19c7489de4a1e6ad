//! The output: what the connector answers. The pipeline hands it out with every secret replaced.

use std::collections::BTreeMap;

use line_connector_compose::Change;
use line_connector_http::Headers;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::delivery::Delivery;
use super::details::MAX_DETAILS;
use super::headers;
use crate::error::{Detail, Error, Kind, Outcome};
use crate::json_text::JsonText;
use crate::redact::Redactor;

/// More than the answer to a push takes.
const USUAL_BYTES: usize = 1024;

/// What the connector answers.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The invocation's `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub id: Option<JsonText>,
    /// LINE's HTTP status code; absent where LINE was never reached or never answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// The reason phrase of the status code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// LINE's response headers; names in lower case, repeated ones joined with a comma.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "headers")]
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub response_headers: Option<Headers>,
    /// The response body, where it is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub json_body: Option<JsonText>,
    /// The response body, where it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_text: Option<String>,
    /// The response body, where it is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileReport>,
    /// With `--dry-run`: the request that would be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<PlannedRequest>,
    /// With `--dry-run`, where the messages take more than one request: the further ones, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_requests: Vec<PlannedRequest>,
    /// What became of the messages, for actions that send some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// What went wrong. Present on every failure, absent on every success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
    /// What the runtime knows about the call. Never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<CallReport>,
}

/// A request that `--dry-run` shows instead of sending.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PlannedRequest {
    /// The method.
    pub method: String,
    /// The complete URL.
    pub url: String,
    /// The headers, the token redacted where one is sent.
    pub headers: BTreeMap<String, String>,
    /// The body: JSON as it is, other text as text; of bytes their content type, size and SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub body: Option<JsonText>,
}

impl PlannedRequest {
    fn redact(&mut self, redactor: &Redactor) {
        redactor.text(&mut self.url);
        self.headers
            .values_mut()
            .for_each(|value| redactor.text(value));
        if let Some(body) = &mut self.body {
            body.redact(redactor);
        }
    }
}

/// A file that came as the response body.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct FileReport {
    /// The name that LINE gave it, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Its content type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
    /// Its bytes, where it was not saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Where it was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl FileReport {
    /// What the headers of a reply tell about the file in its body.
    #[must_use]
    pub fn of(headers: &Headers) -> Self {
        let disposition = headers.get("content-disposition").unwrap_or_default();
        let name = disposition
            .split(';')
            .find_map(|part| part.trim().strip_prefix("filename="));
        Self {
            file_name: name.map(|name| name.trim_matches('"').to_owned()),
            content_type: headers.get("content-type").map(str::to_owned),
            ..Self::default()
        }
    }
}

/// What went wrong, and what to do.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReport {
    /// The class; stable.
    pub kind: Kind,
    /// One sentence for people.
    pub message: String,
    /// Whether the same call may succeed later without a change to it.
    pub retryable: bool,
    /// Whether the call may have had an effect.
    pub outcome: Outcome,
    /// What to do.
    pub hint: String,
    /// The places that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// What the runtime knows about a call.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct CallReport {
    /// The action that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// How often the request was sent.
    pub attempts: u32,
    /// The `X-Line-Retry-Key` that every attempt carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_key: Option<String>,
    /// What `options.idempotency_key` means for this action; absent where none was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<Idempotency>,
    /// LINE's id of the request that had the effect: after a 409, of the accepted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// `true` where LINE had accepted this retry key before, so that nothing was sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub already_accepted: Option<bool>,
    /// `true` where LINE has accepted the work, or still prepares the content, and the caller's
    /// patience ended first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<bool>,
    /// `true` where the caller gave the call up: the request under way was finished, and nothing was begun
    /// after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<bool>,
    /// With `all_pages`: how many pages were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<u32>,
    /// With `all_pages`: how many items there are in the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
    /// With `all_pages`: whether `max_items` cut the listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
    /// How long the call waited for its turn within the rate limit, milliseconds; absent where it
    /// did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
    /// How long the call took, milliseconds.
    pub elapsed_ms: u64,
    /// Where the messages took more than one request: what became of each that was sent, in order. LINE
    /// counts the people of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<PartReport>,
    /// What became of messages that were not LINE's own, where it differs from what was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub composed: Vec<Change>,
    /// What may be wrong, though LINE leaves it open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Detail>,
}

/// One of several requests that the messages of one call took.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PartReport {
    /// How it was sent: `push`, `reply`.
    pub sent_as: String,
    /// How many message objects it carried.
    pub messages: usize,
    /// LINE's HTTP status code, if it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// LINE's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The `X-Line-Retry-Key` that it carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_key: Option<String>,
}

/// How long a text in an error is, bytes: names in it may be somebody else's.
const MAX_TEXT: usize = 1000;

/// The first details, and how many there are beyond them.
pub(crate) fn bounded(details: &[Detail]) -> Vec<Detail> {
    let shown = details.iter().take(MAX_DETAILS).map(|detail| Detail {
        path: cut(&detail.path),
        message: cut(&detail.message),
        expected: detail.expected.as_deref().map(cut),
        found: detail.found.as_deref().map(cut),
        hint: detail.hint.as_deref().map(cut),
    });
    let more = details.len().saturating_sub(MAX_DETAILS);
    let more = (more > 0).then(|| Detail::new("", format!("and {more} more")));
    shown.chain(more).collect()
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(MAX_TEXT)])
}

/// What an idempotency key means for an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Idempotency {
    /// LINE carries out one request with the retry key that is made of it, for 24 hours.
    KeptByLine,
    /// Making the call again does no harm, so the key is not used.
    NotNeeded,
}

impl From<&Error> for ErrorReport {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind,
            message: cut(&error.message),
            retryable: error.retryable,
            outcome: error.outcome,
            hint: error
                .hint
                .clone()
                .unwrap_or_else(|| error.kind.hint().to_owned()),
            details: bounded(&error.details),
        }
    }
}

impl From<ErrorReport> for Error {
    fn from(report: ErrorReport) -> Self {
        Self {
            kind: report.kind,
            message: report.message,
            outcome: report.outcome,
            details: report.details,
            hint: Some(report.hint),
            retryable: report.retryable,
        }
    }
}

impl From<&Error> for Output {
    fn from(error: &Error) -> Self {
        Self {
            error: Some(error.into()),
            ..Self::default()
        }
    }
}

impl Output {
    /// LINE's answer as a value, where it is JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        self.json_body.as_ref().map(JsonText::value)
    }

    /// The document as a value. A body of too many values to look into is its `response_text`, as one
    /// that is no JSON.
    #[must_use]
    pub fn document(&self) -> Value {
        let body = self.json_body.as_ref().filter(|body| body.is_large());
        let lean = body.map(|body| Self {
            json_body: None,
            response_text: Some(body.text().to_owned()),
            ..self.clone()
        });
        let text = lean.as_ref().unwrap_or(self).render();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The document as one line of JSON.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Vec::with_capacity(USUAL_BYTES);
        let written = serde_json::to_writer(&mut text, self);
        let text = String::from_utf8(text).map_err(|error| error.to_string());
        match (written, text) {
            (Ok(()), Ok(text)) => text,
            (Err(_), _) | (_, Err(_)) => {
                r#"{"error":{"kind":"internal","message":"the output cannot be written"}}"#
                    .to_owned()
            }
        }
    }

    /// Replaces the secrets in what came from elsewhere: LINE, a gateway, the inputs. Keys, numbers
    /// and what only the connector says stay as they are.
    pub(crate) fn redact(&mut self, redactor: &Redactor) {
        if let Some(headers) = &mut self.response_headers {
            redactor.headers(headers);
        }
        let body = self.response_text.iter_mut();
        let file = self
            .file
            .iter_mut()
            .flat_map(|file| [&mut file.file_name, &mut file.content_type, &mut file.path]);
        body.chain(file.flatten())
            .for_each(|text| redactor.text(text));
        if let Some(body) = &mut self.json_body {
            body.redact(redactor);
        }
        if let Some(request) = &mut self.request {
            request.redact(redactor);
        }
        self.further_requests
            .iter_mut()
            .for_each(|request| request.redact(redactor));
        if let Some(reason) = self
            .delivery
            .as_mut()
            .and_then(|delivery| delivery.reason.as_mut())
        {
            redactor.text(&mut reason.description);
        }
        let is_unknown = |error: &ErrorReport| error.kind == Kind::UnknownAction;
        if self.error.as_ref().is_some_and(is_unknown)
            && let Some(name) = self.meta.as_mut().and_then(|meta| meta.action.as_mut())
        {
            redactor.text(name);
        }
        if let Some(error) = &mut self.error {
            redactor.text(&mut error.message);
            error
                .details
                .iter_mut()
                .for_each(|detail| redactor.detail(detail));
        }
        if let Some(meta) = &mut self.meta {
            let parts = meta.requests.iter_mut().map(|part| &mut part.request_id);
            let ids = parts.chain([&mut meta.request_id]).flatten();
            ids.for_each(|id| redactor.text(id));
            meta.warnings
                .iter_mut()
                .for_each(|detail| redactor.detail(detail));
        }
    }
}

#[cfg(test)]
mod tests {
    use line_connector_http::Secret;
    use serde_json::json;

    use super::{Headers, JsonText, Output};
    use crate::documents::json::MAX_VALUES;
    use crate::redact::Redactor;

    #[test]
    fn repeated_headers_are_joined_under_a_lower_case_name() {
        let mut headers = Headers::new();
        headers.push("Set-Cookie", "a=1");
        headers.push("date", "today");
        headers.push("set-cookie", "b=2");
        let output = Output {
            response_headers: Some(headers),
            ..Output::default()
        };
        let rendered = output.render();
        let expected = r#"{"response_headers":{"date":"today","set-cookie":"a=1, b=2"}}"#;
        assert_eq!(rendered, expected);
        let read: Output = serde_json::from_str(&rendered).unwrap();
        assert_eq!(read.render(), expected);
    }

    #[test]
    fn a_body_of_many_values_stays_a_text() {
        let output = |body: &str| Output {
            json_body: JsonText::read(body),
            ..Output::default()
        };
        assert_eq!(output("[1,2]").document(), json!({"json_body": [1, 2]}));
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert_eq!(output(&many).document(), json!({"response_text": many}));
    }

    #[test]
    fn a_redacted_output_holds_no_secret_even_where_it_needs_escaping() {
        let mut output = Output {
            response_text: Some("token is a\"b\\c123!".to_owned()),
            ..Output::default()
        };
        output.redact(&Redactor::new([&Secret::new("a\"b\\c123")]));
        assert_eq!(
            output.render(),
            r#"{"response_text":"token is [redacted]!"}"#
        );
    }
}

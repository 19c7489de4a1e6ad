//! The output: what the connector answers, with every secret replaced.

use std::collections::BTreeMap;

use line_connector_http::{Headers, REDACTED, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::headers;
use crate::error::{Detail, Error, Kind, Outcome};
use crate::json_text::JsonText;

/// More than the answer to a push takes.
const USUAL_BYTES: usize = 1024;

/// What the connector answers.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
pub struct Output {
    /// The invocation's `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
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
    /// What went wrong. Present on every failure, absent on every success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
    /// What the runtime knows about the call. Never a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<CallReport>,
    /// Values that must not appear in the rendered document.
    #[serde(skip)]
    pub secrets: Vec<Secret>,
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
    /// What may be wrong, though LINE leaves it open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Detail>,
}

impl From<&Error> for ErrorReport {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind,
            message: error.message.clone(),
            retryable: error.retryable,
            outcome: error.outcome,
            hint: error
                .hint
                .clone()
                .unwrap_or_else(|| error.kind.hint().to_owned()),
            details: error.details.clone(),
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

    /// The document as one line of JSON, every secret replaced.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = self.text().unwrap_or_else(|error| {
            format!("{{\"error\":{{\"kind\":\"internal\",\"message\":\"{error}\"}}}}")
        });
        for (index, secret) in self.secrets.iter().enumerate() {
            if self.secrets[..index].contains(secret) {
                continue;
            }
            let quoted = serde_json::to_string(secret.expose()).unwrap_or_default();
            let bare = quoted.get(1..quoted.len().saturating_sub(1));
            let bare = bare.unwrap_or_default();
            // A shorter value is likelier to be part of an ordinary word than to be found by it.
            // Looking for its beginning is quicker, and nearly always enough.
            let start = &bare[..bare.floor_char_boundary(16)];
            if bare.len() >= 6 && text.contains(start) && text.contains(bare) {
                text = text.replace(bare, REDACTED);
            }
        }
        text
    }

    fn text(&self) -> serde_json::Result<String> {
        let mut text = Vec::with_capacity(USUAL_BYTES);
        // The derived function, which knows nothing of secrets.
        Self::serialize(self, &mut serde_json::Serializer::new(&mut text))?;
        String::from_utf8(text).map_err(serde::ser::Error::custom)
    }

    /// The document as it is, secrets included: for the pipeline's own eyes.
    pub(crate) fn unredacted(&self) -> Value {
        Self::serialize(self, serde_json::value::Serializer).unwrap_or_default()
    }
}

/// The rendered form: every secret replaced.
impl Serialize for Output {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = RawValue::from_string(self.render()).map_err(serde::ser::Error::custom)?;
        text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.render())
    }
}

#[cfg(test)]
mod tests {
    use super::{Headers, Output, Secret};

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
    fn a_rendered_document_holds_no_secret_even_where_it_needs_escaping() {
        let output = Output {
            response_text: Some("token is a\"b\\c123!".to_owned()),
            secrets: vec![Secret::new("a\"b\\c123")],
            ..Output::default()
        };
        assert_eq!(
            output.render(),
            r#"{"response_text":"token is [redacted]!"}"#
        );
        assert_eq!(serde_json::to_string(&output).unwrap(), output.render());
        assert_eq!(format!("{output:?}"), output.render());
    }
}

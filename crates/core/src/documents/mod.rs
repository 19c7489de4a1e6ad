//! The documents on the wire: the invocation that comes in and the output that goes out, field by
//! field. They carry no behaviour but reading and writing themselves; what a call does with them
//! is `run`'s matter.

mod headers;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::{Detail, Error, Kind, Outcome};
use crate::json_text::JsonText;
use crate::nearest::nearest;
use line_connector_catalog::definition::Validation;
use line_connector_http::Headers;
use line_connector_http::{REDACTED, Secret};

/// More than the answer to a push takes.
const USUAL_BYTES: usize = 1024;

/// What a platform hands over: one call.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invocation {
    /// Anything; it comes back in the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// The action's name; may be left out where the command line names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Where LINE is and how to authenticate. What is missing is taken from the environment.
    #[serde(default)]
    #[schemars(schema_with = "asset_schema")]
    pub asset: AssetParameters,
    /// The action's inputs, in sections or flat: a key that is no section goes to the one section
    /// that declares it.
    #[serde(default)]
    pub inputs: Map<String, Value>,
    /// How the call is made.
    #[serde(default)]
    pub options: Options,
}

/// How a call is made. What is missing is taken from the manifest.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// How long one attempt may take, milliseconds, from connecting to the last byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3_600_000))]
    pub timeout_ms: Option<u64>,
    /// How many attempts the call may take where it may be repeated at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub attempts: Option<u32>,
    /// Names the effect of this call: a call with the same key, action and channel reaches people
    /// once within LINE's 24 hours, however often it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub idempotency_key: Option<String>,
    /// Whether inputs are checked before they are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// Where downloaded content goes: a file that appears there only when it is whole. Without it
    /// content comes as base64 in the output, up to the manifest's `max_response_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub save_to: Option<String>,
    /// How long to wait for work that LINE only accepts, or for content that it still prepares,
    /// milliseconds; 0 does not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 86_400_000))]
    pub wait_ms: Option<u64>,
    /// How long the call may wait for its turn within LINE's rate limit, milliseconds; 0 does not
    /// wait. Without it the call waits as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 86_400_000))]
    pub max_wait_ms: Option<u64>,
    /// Whether a listing is followed to its end and comes as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_pages: Option<bool>,
    /// With `all_pages`: the most items that are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_items: Option<u64>,
}

/// The asset's parameters as they came, all taken for secrets until `asset` has sorted them. A copy
/// shares them, since calls mostly come with the same ones.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AssetParameters(Arc<Map<String, Value>>);

impl AssetParameters {
    /// These parameters, and those of `beneath` that are not among them.
    #[must_use]
    pub fn over(self, beneath: &Self) -> Self {
        if self.0.is_empty() {
            return beneath.clone();
        }
        if beneath.0.is_empty() {
            return self;
        }
        let mut all = beneath.0.as_ref().clone();
        all.extend(Arc::unwrap_or_clone(self.0));
        Self::from(all)
    }
}

impl From<Map<String, Value>> for AssetParameters {
    fn from(parameters: Map<String, Value>) -> Self {
        Self(Arc::new(parameters))
    }
}

impl Deref for AssetParameters {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl std::fmt::Debug for AssetParameters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_map()
            .entries(self.0.keys().map(|name| (name, REDACTED)))
            .finish()
    }
}

fn asset_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "description": "Parameters of one of the manifest's assets; `describe` lists them."
    })
}

impl Invocation {
    /// Reads an invocation document.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidDocument`] with every place that is wrong. No value of the document is quoted.
    pub fn from_json(text: &[u8]) -> Result<Self, Error> {
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        let value: Value = serde_json::from_slice(text).map_err(|error| {
            Error::new(
                Kind::InvalidDocument,
                format!(
                    "standard input is not JSON: {} at line {}, column {}",
                    syntax(&error),
                    error.line(),
                    error.column()
                ),
            )
        })?;
        Self::from_value(value)
    }

    /// Takes a parsed invocation document.
    ///
    /// # Errors
    ///
    /// As [`Invocation::from_json`].
    pub fn from_value(value: Value) -> Result<Self, Error> {
        let Value::Object(members) = value else {
            return Err(Error::new(
                Kind::InvalidDocument,
                format!(
                    "the document must be a JSON object, not {}",
                    a_kind_of(&value)
                ),
            ));
        };
        let mut details = Vec::new();
        let mut invocation = Self::default();
        for (key, member) in members {
            invocation.take(&key, member, &mut details);
        }
        if details.is_empty() {
            Ok(invocation)
        } else {
            Err(
                Error::new(Kind::InvalidDocument, "the invocation document is wrong")
                    .with_details(details),
            )
        }
    }

    fn take(&mut self, key: &str, member: Value, details: &mut Vec<Detail>) {
        match (key, member) {
            ("id", id) => self.id = Some(id),
            ("action" | "asset" | "inputs" | "options", Value::Null) => {}
            ("action", Value::String(name)) => self.action = Some(name),
            ("asset", Value::Object(asset)) => self.asset = asset.into(),
            ("inputs", Value::Object(inputs)) => self.inputs = inputs,
            ("options", Value::Object(options)) => self.options = Options::read(options, details),
            ("action", other) => details.push(mistyped("/action", "a string", &other)),
            ("asset" | "inputs" | "options", other) => {
                details.push(mistyped(&format!("/{key}"), "an object", &other));
            }
            (key, _) => {
                details.push(unknown(
                    key,
                    "",
                    &["id", "action", "asset", "inputs", "options"],
                ));
            }
        }
    }
}

impl Options {
    fn read(members: Map<String, Value>, details: &mut Vec<Detail>) -> Self {
        const NAMES: [&str; 9] = [
            "timeout_ms",
            "attempts",
            "idempotency_key",
            "validation",
            "save_to",
            "wait_ms",
            "max_wait_ms",
            "all_pages",
            "max_items",
        ];
        let mut options = Self::default();
        for (key, member) in members {
            let path = format!("/options/{key}");
            match (key.as_str(), member) {
                (known, Value::Null) if NAMES.contains(&known) => {}
                ("timeout_ms", value) => match value.as_u64() {
                    Some(time @ 1..=3_600_000) => options.timeout_ms = Some(time),
                    _ => details.push(mistyped(&path, "milliseconds from 1 to 3600000", &value)),
                },
                ("attempts", value) => match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
                    Some(count @ 1..=10) => options.attempts = Some(count),
                    _ => details.push(mistyped(&path, "a whole number from 1 to 10", &value)),
                },
                ("idempotency_key", Value::String(key)) if !key.is_empty() && key.len() <= 500 => {
                    options.idempotency_key = Some(key);
                }
                ("idempotency_key", value) => {
                    details.push(mistyped(&path, "a string of 1 to 500 bytes", &value));
                }
                ("validation", value) => match value.as_str() {
                    Some("strict") => options.validation = Some(Validation::Strict),
                    Some("off") => options.validation = Some(Validation::Off),
                    _ => details.push(mistyped(&path, "\"strict\" or \"off\"", &value)),
                },
                ("save_to", Value::String(path)) if !path.is_empty() => {
                    options.save_to = Some(path);
                }
                ("save_to", value) => details.push(mistyped(&path, "a path", &value)),
                ("wait_ms", value) => match value.as_u64() {
                    Some(time @ 0..=86_400_000) => options.wait_ms = Some(time),
                    _ => details.push(mistyped(&path, "milliseconds from 0 to 86400000", &value)),
                },
                ("max_wait_ms", value) => match value.as_u64() {
                    Some(time @ 0..=86_400_000) => options.max_wait_ms = Some(time),
                    _ => details.push(mistyped(&path, "milliseconds from 0 to 86400000", &value)),
                },
                ("all_pages", Value::Bool(all)) => options.all_pages = Some(all),
                ("all_pages", value) => details.push(mistyped(&path, "true or false", &value)),
                ("max_items", value) => match value.as_u64() {
                    Some(most @ 1..) => options.max_items = Some(most),
                    _ => details.push(mistyped(&path, "a whole number from 1", &value)),
                },
                (key, _) => details.push(unknown(key, "/options", &NAMES)),
            }
        }
        options
    }
}

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

fn syntax(error: &serde_json::Error) -> &'static str {
    if error.is_eof() {
        "it ends too early"
    } else {
        "a syntax error"
    }
}

/// A member of the wrong type, its value not quoted.
#[must_use]
pub fn mistyped(path: &str, expected: &str, found: &Value) -> Detail {
    Detail {
        expected: Some(expected.to_owned()),
        found: Some(a_kind_of(found).to_owned()),
        ..Detail::new(
            path,
            format!("must be {expected}, not {}", a_kind_of(found)),
        )
    }
}

/// A member that is not known, with the nearest one that is.
#[must_use]
pub fn unknown(key: &str, parent: &str, names: &[&str]) -> Detail {
    Detail {
        expected: Some(format!("one of {}", names.join(", "))),
        hint: nearest(key, names.iter().copied()).map(|name| format!("did you mean `{name}`?")),
        ..Detail::new(
            format!("{parent}/{key}"),
            format!("`{key}` is not a key here"),
        )
    }
}

/// A value's JSON type with its article, without the value.
#[must_use]
pub fn a_kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::{Headers, Invocation, Output};
    use line_connector_http::Secret;

    #[test]
    fn every_wrong_place_is_named_at_once_and_no_value_is_quoted() {
        let text = br#"{"input": {}, "asset": "s3cr3t", "options": {"attempts": 99, "time": 1}}"#;
        let error = Invocation::from_json(text).unwrap_err();
        let paths: Vec<&str> = error
            .details
            .iter()
            .map(|detail| detail.path.as_str())
            .collect();
        assert_eq!(
            paths,
            ["/input", "/asset", "/options/attempts", "/options/time"]
        );
        assert_eq!(
            error.details[0].hint.as_deref(),
            Some("did you mean `inputs`?")
        );
        assert!(!error.to_string().contains("s3cr3t"));
    }

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

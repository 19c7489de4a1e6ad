//! The invocation: what a platform hands over.

use std::ops::{Deref, RangeInclusive};
use std::sync::Arc;

use line_connector_catalog::definition::Validation;
use line_connector_compose as compose;
use line_connector_http::REDACTED;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Output;
use super::a_kind_of;
use super::details::{add, mistyped, unknown};
use super::json::{Document, SECOND_DOCUMENT, Unreadable};
use crate::error::{Detail, Error, Kind};
use crate::handle::Handle;
use crate::json_text::JsonText;

/// What `options` may hold, in the units of each.
const TIMEOUT_MS: RangeInclusive<u64> = 1..=3_600_000;
const ATTEMPTS: RangeInclusive<u64> = 1..=10;
const KEY_BYTES: RangeInclusive<u64> = 1..=500;
const DEADLINE_MS: RangeInclusive<u64> = 1..=86_400_000;
const WAIT_MS: RangeInclusive<u64> = 0..=86_400_000;
const ITEMS: RangeInclusive<u64> = 1..=u64::MAX;

/// What a platform hands over: one call.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invocation {
    /// Anything; it comes back in the output as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub id: Option<JsonText>,
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
#[schemars(deny_unknown_fields)]
pub struct Options {
    /// How long one attempt may take, milliseconds, from connecting to the last byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = *TIMEOUT_MS.start(), max = *TIMEOUT_MS.end()))]
    pub timeout_ms: Option<u64>,
    /// How long the whole call may take, milliseconds: turns, tokens, attempts, pauses, pages,
    /// progress and downloads together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = *DEADLINE_MS.start(), max = *DEADLINE_MS.end()))]
    pub deadline_ms: Option<u64>,
    /// How many attempts the call may take where it may be repeated at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = *ATTEMPTS.start(), max = *ATTEMPTS.end()))]
    pub attempts: Option<u32>,
    /// Names the effect of this call: a call with the same key, action and channel reaches people
    /// once within LINE's 24 hours, however often it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = *KEY_BYTES.start(), max = *KEY_BYTES.end()))]
    pub idempotency_key: Option<String>,
    /// Whether inputs are checked before they are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
    /// Where downloaded content goes: a file beneath a folder that the operator opened, which appears
    /// there only when it is whole. Without it content comes as base64 in the output, up to the
    /// manifest's `max_response_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub save_to: Option<String>,
    /// With `save_to`: whether a file that exists under that name is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overwrite: Option<bool>,
    /// How long to wait for work that LINE only accepts, or for content that it still prepares,
    /// milliseconds; 0 does not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = *WAIT_MS.start(), max = *WAIT_MS.end()))]
    pub wait_ms: Option<u64>,
    /// How long the call may wait for its turn within LINE's rate limit, milliseconds; 0 does not
    /// wait. Without it the call waits until its `deadline_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = *WAIT_MS.start(), max = *WAIT_MS.end()))]
    pub max_wait_ms: Option<u64>,
    /// Whether a listing is followed to its end and comes as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_pages: Option<bool>,
    /// With `all_pages`: the most items that are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = *ITEMS.start()))]
    pub max_items: Option<u64>,
    /// What to do where LINE surely takes the messages no more this way, as after a reply token has
    /// expired: send them in another, to whom the inputs name. Never where LINE may have sent them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<FallbackTo>,
    /// Whether the media of the messages are looked at before they are sent: LINE fetches them only when
    /// somebody opens the chat, and tells nobody of a picture that is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_check: Option<MediaCheck>,
    /// How messages that are not LINE's own objects become such.
    #[serde(flatten)]
    pub compose: compose::Options,
    /// The caller's hold on the call. It is no part of the document.
    #[serde(skip)]
    pub handle: Option<Handle>,
}

/// What media that LINE cannot show mean for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MediaCheck {
    /// Nothing: they are not looked at.
    Off,
    /// A warning.
    Warn,
    /// Nothing is sent.
    Fail,
}

/// The other way that messages may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FallbackTo {
    /// As a push, which counts toward the month's quota.
    Push,
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
    /// [`Kind::InvalidDocument`] with every place that is wrong, or [`Kind::InvalidInputs`] where a
    /// text of the inputs is cut; the `id` beside it, where it can be read. No value of the document
    /// is quoted.
    pub fn from_json(text: &[u8]) -> Result<Self, Refused> {
        match Document::read(text) {
            Ok(Document { id, members }) => match Self::from_members(members) {
                Ok(invocation) => Ok(Self { id, ..invocation }),
                Err(error) => Err(Refused { error, id }),
            },
            Err((unreadable, id)) => Err(Refused {
                error: error_of(&unreadable),
                id,
            }),
        }
    }

    /// Takes a parsed invocation document.
    ///
    /// # Errors
    ///
    /// As [`Invocation::from_json`].
    pub fn from_value(value: Value) -> Result<Self, Refused> {
        let Value::Object(mut members) = value else {
            let kind = a_kind_of(&value);
            let message = format!("the document must be a JSON object, not {kind}");
            return Err(Error::new(Kind::InvalidDocument, message).into());
        };
        let id = members.shift_remove("id").map(JsonText::from);
        match Self::from_members(members) {
            Ok(invocation) => Ok(Self { id, ..invocation }),
            Err(error) => Err(Refused { error, id }),
        }
    }

    fn from_members(members: Map<String, Value>) -> Result<Self, Error> {
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
            ("action" | "asset" | "inputs" | "options", Value::Null) => {}
            ("action", Value::String(name)) => self.action = Some(name),
            ("asset", Value::Object(asset)) => self.asset = asset.into(),
            ("inputs", Value::Object(inputs)) => self.inputs = inputs,
            ("options", Value::Object(options)) => self.options = Options::read(options, details),
            ("action", other) => details.push(mistyped("/action", "a string", &other)),
            ("asset" | "inputs" | "options", other) => {
                details.push(mistyped(&format!("/{key}"), "an object", &other));
            }
            (key, _) => add(details, || {
                let mut detail = unknown(key, "", &["id", "action", "asset", "inputs", "options"]);
                let beneath = if Options::has(key) {
                    "put it beneath `options`"
                } else {
                    "an action's input goes beneath `inputs`"
                };
                detail.hint.get_or_insert_with(|| beneath.to_owned());
                detail
            }),
        }
    }
}

impl Options {
    /// The options that mean something only where there are messages.
    pub(crate) fn about_messages(&self) -> Vec<&'static str> {
        let fallback = self.fallback.map(|_| "fallback");
        let media = self.media_check.map(|_| "media_check");
        let own = fallback.into_iter().chain(media);
        own.chain(self.compose.changed()).collect()
    }

    /// Takes the members of `options`.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidDocument`] with every place that is wrong.
    pub fn from_members(members: Map<String, Value>) -> Result<Self, Error> {
        let mut details = Vec::new();
        let options = Self::read(members, &mut details);
        if details.is_empty() {
            return Ok(options);
        }
        Err(Error::new(Kind::InvalidDocument, "the options are wrong").with_details(details))
    }

    /// The options of a call that say nothing of how messages are composed.
    const NAMES: [&str; 13] = [
        "timeout_ms",
        "deadline_ms",
        "attempts",
        "idempotency_key",
        "validation",
        "save_to",
        "overwrite",
        "wait_ms",
        "max_wait_ms",
        "all_pages",
        "max_items",
        "fallback",
        "media_check",
    ];

    fn has(name: &str) -> bool {
        Self::NAMES.contains(&name) || compose::Options::NAMES.contains(&name)
    }

    fn read(members: Map<String, Value>, details: &mut Vec<Detail>) -> Self {
        let mut options = Self::default();
        for (key, value) in members {
            if value.is_null() && Self::has(&key) {
                continue;
            }
            let read = match key.as_str() {
                "timeout_ms" => {
                    milliseconds(&value, &TIMEOUT_MS).map(|time| options.timeout_ms = Some(time))
                }
                "deadline_ms" => {
                    milliseconds(&value, &DEADLINE_MS).map(|time| options.deadline_ms = Some(time))
                }
                "attempts" => whole(&value, &ATTEMPTS)
                    .map(|count| options.attempts = u32::try_from(count).ok()),
                "idempotency_key" => key_of(&value).map(|key| options.idempotency_key = Some(key)),
                "validation" => validation(&value).map(|how| options.validation = Some(how)),
                "save_to" => path(&value).map(|path| options.save_to = Some(path)),
                "overwrite" => boolean(&value).map(|yes| options.overwrite = Some(yes)),
                "wait_ms" => {
                    milliseconds(&value, &WAIT_MS).map(|time| options.wait_ms = Some(time))
                }
                "max_wait_ms" => {
                    milliseconds(&value, &WAIT_MS).map(|time| options.max_wait_ms = Some(time))
                }
                "all_pages" => boolean(&value).map(|yes| options.all_pages = Some(yes)),
                "max_items" => whole(&value, &ITEMS).map(|most| options.max_items = Some(most)),
                "media_check" => media_check(&value).map(|check| options.media_check = Some(check)),
                "fallback" => fallback(&value).map(|way| options.fallback = Some(way)),
                key if compose::Options::NAMES.contains(&key) => options.compose.set(key, &value),
                key => {
                    add(details, || {
                        let known = [Self::NAMES.as_slice(), compose::Options::NAMES].concat();
                        unknown(key, "/options", &known)
                    });
                    continue;
                }
            };
            if let Err(expected) = read {
                details.push(unfit(&key, &expected, &value));
            }
        }
        options
    }
}

/// An option that does not hold what it should. A number is no secret; of a text the length is told.
fn unfit(key: &str, expected: &str, value: &Value) -> Detail {
    let is_text = ['"', 'a'].iter().any(|start| expected.starts_with(*start));
    let found = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) if is_text && !expected.contains("number") => {
            format!("a string of {} bytes", text.len())
        }
        other => return mistyped(&format!("/options/{key}"), expected, other),
    };
    Detail {
        expected: Some(expected.to_owned()),
        found: Some(found.clone()),
        ..Detail::new(
            format!("/options/{key}"),
            format!("must be {expected}, not {found}"),
        )
    }
}

// What an option holds, or in words what it should hold.

fn whole(value: &Value, range: &RangeInclusive<u64>) -> Result<u64, String> {
    match value.as_u64() {
        Some(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("a whole number {}", bounds(range))),
    }
}

fn milliseconds(value: &Value, range: &RangeInclusive<u64>) -> Result<u64, String> {
    whole(value, range).map_err(|_| format!("milliseconds {}", bounds(range)))
}

fn bounds(range: &RangeInclusive<u64>) -> String {
    match (range.start(), range.end()) {
        (least, &u64::MAX) => format!("from {least}"),
        (least, most) => format!("from {least} to {most}"),
    }
}

fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "true or false".to_owned())
}

fn validation(value: &Value) -> Result<Validation, String> {
    Validation::deserialize(value).map_err(|_| "\"strict\" or \"off\"".to_owned())
}

fn fallback(value: &Value) -> Result<FallbackTo, String> {
    FallbackTo::deserialize(value).map_err(|_| "\"push\"".to_owned())
}

fn media_check(value: &Value) -> Result<MediaCheck, String> {
    MediaCheck::deserialize(value).map_err(|_| "\"off\", \"warn\" or \"fail\"".to_owned())
}

fn path(value: &Value) -> Result<String, String> {
    let path = value.as_str().filter(|path| !path.is_empty());
    path.map(str::to_owned).ok_or_else(|| "a path".to_owned())
}

fn key_of(value: &Value) -> Result<String, String> {
    let key = value
        .as_str()
        .filter(|key| KEY_BYTES.contains(&(key.len() as u64)));
    key.map(str::to_owned).ok_or_else(|| {
        let (least, most) = (KEY_BYTES.start(), KEY_BYTES.end());
        format!("a string of {least} to {most} bytes")
    })
}

/// A document that is no invocation, and its `id`, where that could be read.
#[derive(Debug)]
pub struct Refused {
    /// What is wrong.
    pub error: Error,
    /// What comes back in the output.
    pub id: Option<JsonText>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, id: None }
    }
}

impl From<Refused> for Output {
    fn from(refused: Refused) -> Self {
        Self {
            id: refused.id,
            ..Self::from(&refused.error)
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        refused.error
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(formatter)
    }
}

impl std::error::Error for Refused {}

fn error_of(unreadable: &Unreadable) -> Error {
    let inputs = unreadable.path.strip_prefix("/inputs");
    if let Some(path) = inputs.filter(|_| unreadable.is_cut_text) {
        let detail = Detail::new(path, unreadable.reason.as_str());
        return Error::new(Kind::InvalidInputs, "the inputs break a rule; nothing was sent")
            .with_details(vec![detail])
            .with_hint(
                "cut texts between whole characters, as the platform counts them, not between UTF-16 units",
            );
    }
    let message = format!("the document cannot be read: {unreadable}");
    let error = Error::new(Kind::InvalidDocument, message);
    if unreadable.reason == SECOND_DOCUMENT {
        return error
            .with_hint("`run` takes one document; `serve` takes many, each on a line of its own");
    }
    error.with_hint(
        "give one JSON object such as {\"inputs\": {…}}, written by a JSON library rather than a text template",
    )
}

#[cfg(test)]
mod tests {
    use super::Invocation;

    #[test]
    fn every_wrong_place_is_named_at_once_and_no_value_is_quoted() {
        let text = br#"{"input": {}, "asset": "s3cr3t", "options": {"attempts": 99, "time": 1}}"#;
        let error = Invocation::from_json(text).unwrap_err().error;
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
}

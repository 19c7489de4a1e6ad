//! The campaign document: who gets what, from which accounts, and when.

use std::collections::BTreeMap;

use line_connector_catalog::reader::{self, Problem};
use line_connector_core::compose;
use line_connector_core::documents::{mistyped, unknown};
use line_connector_core::error::Detail;
use line_connector_core::schema::Schema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::template::{Breach, Fixed, Templates};

/// The name of the only account of a document that names none.
pub const DEFAULT_ACCOUNT: &str = "default";

/// A campaign: a list of people, messages with blanks for what is known of each of them, and the
/// accounts that send them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// The format of this file.
    pub schema: Format,
    /// The campaign's name.
    #[schemars(
        length(min = 1, max = 256),
        regex(pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"),
        extend("x-expected" = "a text in one line, without control characters")
    )]
    pub name: String,
    /// Which of its repetitions this is, such as a date. The same people in whatever order, planned
    /// again as the same occurrence within LINE's 24 hours, get the same messages once. A list with
    /// somebody more or less makes other requests, of which LINE does not know that they repeat some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 100),
        regex(pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"),
        extend("x-expected" = "a text in one line, without control characters")
    )]
    pub occurrence: Option<String>,
    /// What it is for. Nothing follows from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The accounts that send, by names of your own. Without it there is one, whose asset comes from
    /// the command line or the environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, Account>,
    /// The list of people.
    pub recipients: Recipients,
    /// An expression that is true for those who are meant, such as
    /// `UserAttribute['country'] == 'JP'`.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// A share of the people who get nothing, to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_group: Option<ControlGroup>,
    /// People who get nothing, whatever the list says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppress: Option<Suppress>,
    /// How much one person may get over several campaigns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_cap: Option<FrequencyCap>,
    /// The messages: what people write, or LINE's own objects. Their strings are templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Value>,
    /// Instead of `messages`: the body of a push as other campaign tools have it, with `to` and
    /// `messages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// How messages that are not LINE's own objects become such; as the options of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compose: Option<Map<String, Value>>,
    /// When to begin, such as `2026-12-01T10:00:00+09:00`; at once without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The IANA time zone that `now` is told in, such as `Asia/Tokyo`; UTC without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// LINE's aggregation unit, under which it counts who saw and clicked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 30),
        regex(pattern = "^[A-Za-z0-9_]+$"),
        extend("x-expected" = "1 to 30 letters of ASCII, digits and `_`")
    )]
    pub unit: Option<String>,
    /// Whether people's phones stay quiet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// How it is sent.
    #[serde(default)]
    pub sending: Sending,
}

/// The format of a campaign document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// The first one.
    #[serde(rename = "campaign/1")]
    One,
}

/// An account that sends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Where its credentials are; those of the command line or the environment without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<AssetSource>,
    /// The provider that it belongs to: user IDs mean something within a provider alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Its share of the people who follow several accounts, beside the weights of the others; 1
    /// without it. One of weight 0 gets nobody new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub weight: Option<f64>,
    /// The hours in which it sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// Where an account's credentials are. They never stand in the document itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum AssetSource {
    /// A JSON file of asset parameters, its path relative to the document.
    File(String),
    /// Asset parameters to the variables of the environment that hold them, such as
    /// `{token: TOKYO_TOKEN}`.
    Environment(BTreeMap<String, String>),
}

/// Hours of the day. Where `to` is not after `from` they go over midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first minute, such as `09:00`.
    #[schemars(
        regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"),
        extend("x-expected" = "a time such as 09:00")
    )]
    pub from: String,
    /// The minute from which nothing is sent any more, such as `21:00`.
    #[schemars(
        regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"),
        extend("x-expected" = "a time such as 09:00")
    )]
    pub to: String,
    /// The IANA time zone, such as `Asia/Tokyo`.
    pub zone: String,
}

/// The list of people: one of `csv`, `ndjson` and `followers`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipients {
    /// A CSV file with a header line, its path relative to the document; `-` for standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<String>,
    /// With `csv`: what stands between the cells; a comma without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1))]
    pub delimiter: Option<String>,
    /// A file with a JSON object a line, its path relative to the document; `-` for standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ndjson: Option<String>,
    /// Everybody who follows an account of the campaign. LINE tells verified and premium accounts
    /// alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub followers: bool,
    /// The template that gives a person's ID; `{{UserAttribute['line_id']}}` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The attribute that names the accounts which the person follows, with blanks, commas or `|`
    /// between them. Without it everybody is taken to follow every account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<String>,
}

/// People who get nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ControlGroup {
    /// How many of a hundred.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub percent: f64,
    /// Whoever is chosen is chosen again with the same salt.
    #[serde(default)]
    pub salt: String,
}

/// Whom to leave out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suppress {
    /// Text files with an ID a line, or CSV files whose first column holds the ID; their paths
    /// relative to the document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// The queue of a receiver (`line-connector listen --queue`): whoever unfollowed the account that
    /// would send. It is asked again just before each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

/// At most so many messages in so many days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrequencyCap {
    /// The file in which campaigns remember what they sent, its path relative to the document; it is
    /// made where there is none.
    pub history: String,
    /// How many campaigns' messages a person may get.
    #[schemars(range(min = 1, max = 1000))]
    pub most: u32,
    /// In how many days, each of 24 hours, up to now.
    #[schemars(range(min = 1, max = 366))]
    pub days: u32,
    /// Counts only campaigns with the same tag.
    #[serde(default)]
    pub tag: String,
}

/// The body of a push, as other campaign tools have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The template that gives a person's ID.
    pub to: String,
    /// The messages.
    pub messages: Value,
    /// Whether people's phones stay quiet.
    #[serde(
        default,
        rename = "notificationDisabled",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub notification_disabled: bool,
    /// LINE's aggregation unit.
    #[serde(
        default,
        rename = "customAggregationUnits",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(length(max = 1))]
    pub custom_aggregation_units: Vec<String>,
}

/// How a campaign is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sending {
    /// How many requests of an account are under way at once; 64 without it.
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: u16,
    /// After so many requests in a row that failed, the account sends no more until the campaign is
    /// resumed; 500 without it.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_failures: u32,
    /// How long one attempt may take, milliseconds; 10,000 without it.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub timeout_ms: u64,
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            // LINE's 2,000 pushes a second take this many where an answer takes some 30 ms.
            concurrency: 64,
            max_failures: 500,
            timeout_ms: 10_000,
        }
    }
}

/// What must be there in a document: it takes the place of what is wrong while the rest is checked.
fn stand_in(document: &Value) -> Value {
    let mut stand_in = json!({
        "schema": "campaign/1",
        "name": "campaign",
        "recipients": {"csv": "-"},
    });
    if document.get("body").is_some() {
        stand_in["body"] = json!({"to": "-", "messages": "-"});
    }
    for name in members(document.get("accounts")) {
        let window = json!({"from": "00:00", "to": "00:01", "zone": "UTC"});
        stand_in["accounts"][name] = json!({"window": window});
    }
    stand_in
}

fn members(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let members = value.and_then(Value::as_object).into_iter().flatten();
    members.map(|(name, _)| name.as_str())
}

/// What stands between the names of accounts in a list.
pub(crate) fn is_between_accounts(character: char) -> bool {
    character.is_whitespace() || character == ',' || character == '|'
}

impl Campaign {
    /// Reads a document, YAML or JSON. `file` is what errors call it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with its place.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let start = text.trim_start().strip_prefix('{').map(str::trim_start);
        let is_json = start.is_some_and(|rest| rest.starts_with(['"', '}']));
        let value = if is_json {
            // A mapping of YAML may begin so, too.
            reader::json(file, text)
                .or_else(|problem| reader::yaml(file, text).map_err(|_| problem))
        } else {
            reader::yaml(file, text)
        };
        let value: Value = value.map_err(|problem| vec![problem])?;
        let mut salvaged =
            Schema::new(&Self::schema(), |_| None).salvage(&value, &stand_in(&value));
        let violations = std::mem::take(&mut salvaged.violations).into_iter();
        let mut breaches: Vec<(String, String)> = violations
            .map(|detail| (detail.path.clone(), detail.in_full()))
            .collect();
        match serde_json::from_value::<Self>(salvaged.rest.take()) {
            Ok(campaign) => {
                let others = campaign.breaches().into_iter();
                let others = others.filter(|(path, _)| !salvaged.is_changed(path));
                breaches.extend(others.map(|(path, reason)| {
                    let told = format!("{path}: {reason}");
                    (path, told)
                }));
                if breaches.is_empty() {
                    return Ok(campaign);
                }
            }
            Err(error) => breaches.push((String::new(), error.to_string())),
        }
        let mut problems = reader::placed(file, text, breaches);
        problems.sort_by_key(|problem| (problem.line, problem.column));
        Err(problems)
    }

    /// The JSON Schema of the document.
    #[must_use]
    pub fn schema() -> Value {
        schemars::schema_for!(Self).to_value()
    }

    /// What the schema cannot say: JSON pointer and reason.
    fn breaches(&self) -> Vec<(String, String)> {
        let mut breaches = self.breaches_of_list();
        breaches.extend(self.breaches_of_messages());
        breaches.extend(self.breaches_of_accounts());
        breaches.extend(self.templates(&Fixed::default()).err().unwrap_or_default());
        if let Some(zone) = &self.zone
            && let Err(reason) = crate::window::zone(zone)
        {
            breaches.push(("/zone".to_owned(), reason));
        }
        if let Some(at) = &self.at
            && at.parse::<jiff::Timestamp>().is_err()
        {
            let reason =
                format!("`{at}` is not a time with its offset, such as 2026-12-01T10:00:00+09:00");
            breaches.push(("/at".to_owned(), reason));
        }
        breaches
    }

    fn breaches_of_list(&self) -> Vec<(String, String)> {
        let mut breaches = Vec::new();
        let mut say =
            |path: &str, reason: &str| breaches.push((path.to_owned(), reason.to_owned()));
        let list = &self.recipients;
        let sources = [list.csv.is_some(), list.ndjson.is_some(), list.followers];
        if sources.iter().filter(|given| **given).count() != 1 {
            say(
                "/recipients",
                "take exactly one of `csv`, `ndjson` and `followers`",
            );
        }
        if list.delimiter.is_some() && list.csv.is_none() {
            say("/recipients/delimiter", "belongs to `csv`");
        }
        let delimiter = list.delimiter.as_ref();
        if delimiter.is_some_and(|delimiter| !delimiter.is_ascii()) {
            say("/recipients/delimiter", "is not an ASCII character");
        }
        if list.followers && (list.to.is_some() || list.accounts.is_some()) {
            let reason = "brings IDs and accounts of its own; leave `to` and `accounts` out";
            say("/recipients/followers", reason);
        }
        breaches
    }

    fn breaches_of_messages(&self) -> Vec<(String, String)> {
        let mut breaches = self.compose_options().err().unwrap_or_default();
        let mut say =
            |path: &str, reason: &str| breaches.push((path.to_owned(), reason.to_owned()));
        match (&self.messages, &self.body) {
            (None, None) => {
                say(
                    "/messages",
                    "is missing (or `body`, with `to` and `messages`)",
                );
            }
            (Some(_), Some(_)) => say("/body", "stands beside `messages`; give one of them"),
            (None, Some(_)) if self.recipients.to.is_some() => {
                say(
                    "/recipients/to",
                    "stands beside `body.to`; give one of them",
                );
            }
            _ => {}
        }
        if let Some(body) = &self.body {
            if self.unit.is_some() && !body.custom_aggregation_units.is_empty() {
                let reason = "stands beside `body.customAggregationUnits`; give one of them";
                say("/unit", reason);
            }
            if self.recipients.followers {
                let reason = "has a `to`, and followers bring their IDs; give `messages`";
                say("/body", reason);
            }
        }
        breaches
    }

    fn breaches_of_accounts(&self) -> Vec<(String, String)> {
        let mut breaches = Vec::new();
        let mut say =
            |path: &str, reason: &str| breaches.push((path.to_owned(), reason.to_owned()));
        for (name, account) in &self.accounts {
            let at = format!("/accounts/{name}");
            if name.is_empty()
                || name.contains(is_between_accounts)
                || name.contains(char::is_control)
            {
                say(
                    &at,
                    "has a name with blanks, commas, `|` or control characters",
                );
            }
            if let Some(window) = &account.window {
                if window.from == window.to {
                    let reason =
                        "is empty: `from` and `to` are the same; leave it out for the whole day";
                    say(&format!("{at}/window"), reason);
                }
                if let Err(reason) = crate::window::zone(&window.zone) {
                    say(&format!("{at}/window/zone"), &reason);
                }
            }
        }
        let mut weights = self.accounts.values().map(|account| account.weight);
        if !self.accounts.is_empty() && weights.all(|weight| weight == Some(0.0)) {
            say(
                "/accounts",
                "all have weight 0, so that nobody would be sent anything",
            );
        }
        let mut providers = self.accounts.values().map(|account| &account.provider);
        let first = providers.next();
        let differ = providers.any(|provider| Some(provider) != first);
        if differ && self.recipients.accounts.is_none() && !self.recipients.followers {
            say(
                "/accounts",
                "belong to different providers, and an ID means something within one alone: name the attribute with each person's accounts in `recipients.accounts`",
            );
        }
        breaches
    }

    /// How messages are composed.
    ///
    /// # Errors
    ///
    /// JSON pointer and reason of each option that is wrong.
    pub fn compose_options(&self) -> Result<compose::Options, Vec<(String, String)>> {
        let mut options = compose::Options::default();
        let mut breaches = Vec::new();
        for (name, value) in self.compose.iter().flatten() {
            let detail = if !compose::Options::NAMES.contains(&name.as_str()) {
                unknown(name, "/compose", compose::Options::NAMES)
            } else if let Err(expected) = options.set(name, value) {
                mistyped(&format!("/compose/{name}"), &expected, value)
            } else {
                continue;
            };
            let path = detail.path.clone();
            let reason = Detail {
                path: String::new(),
                ..detail
            };
            breaches.push((path, reason.in_full()));
        }
        if breaches.is_empty() {
            Ok(options)
        } else {
            Err(breaches)
        }
    }

    /// When it is to begin, milliseconds since 1970; `None` where that is at once.
    #[must_use]
    pub fn begins_ms(&self) -> Option<i64> {
        self.begins().map(jiff::Timestamp::as_millisecond)
    }

    pub(crate) fn begins(&self) -> Option<jiff::Timestamp> {
        self.at.as_deref()?.parse().ok()
    }

    /// The hours in which an account sends, where it has some.
    pub(crate) fn hours(&self, account: &str) -> Option<crate::window::Window> {
        let window = self.accounts.get(account)?.window.as_ref()?;
        crate::window::Window::new(window).ok()
    }

    /// The templates, compiled.
    ///
    /// # Errors
    ///
    /// JSON pointer and reason of everything that is wrong with them.
    pub(crate) fn templates(&self, fixed: &Fixed) -> Result<Templates, Vec<Breach>> {
        let messages = (self.message_template(), self.message_place());
        Templates::new(
            self.id_template(),
            messages,
            self.condition.as_deref(),
            fixed,
        )
    }

    /// The messages' template.
    #[must_use]
    pub fn message_template(&self) -> Value {
        let body = self.body.as_ref().map(|body| &body.messages);
        self.messages.as_ref().or(body).cloned().unwrap_or_default()
    }

    /// The JSON pointer of the messages' template.
    #[must_use]
    pub fn message_place(&self) -> &'static str {
        if self.body.is_some() {
            "/body/messages"
        } else {
            "/messages"
        }
    }

    /// The template that gives a person's ID, and its JSON pointer.
    #[must_use]
    pub fn id_template(&self) -> (&str, &'static str) {
        if let Some(body) = &self.body {
            return (&body.to, "/body/to");
        }
        let to = self.recipients.to.as_deref();
        (
            to.unwrap_or("{{UserAttribute['line_id']}}"),
            "/recipients/to",
        )
    }

    /// Whether phones stay quiet.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.silent
            || self
                .body
                .as_ref()
                .is_some_and(|body| body.notification_disabled)
    }

    /// LINE's aggregation unit.
    #[must_use]
    pub fn aggregation_unit(&self) -> Option<&str> {
        let body = self
            .body
            .as_ref()
            .and_then(|body| body.custom_aggregation_units.first());
        self.unit.as_deref().or(body.map(String::as_str))
    }

    /// The accounts by name; the default one where the document names none.
    #[must_use]
    pub fn all_accounts(&self) -> BTreeMap<String, Account> {
        if self.accounts.is_empty() {
            return BTreeMap::from([(DEFAULT_ACCOUNT.to_owned(), Account::default())]);
        }
        self.accounts.clone()
    }
}

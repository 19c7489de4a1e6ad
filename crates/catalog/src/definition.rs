//! The vocabulary of action files (`action/1`) and of the manifest (`connector/1`, with assets in
//! `asset/1`). It is closed: no expressions, no scripts. `schemas/action.json` and
//! `schemas/manifest.json` are generated from these types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use line_connector_http::Method;

/// One operation of LINE's API, complete: identity, inputs, request mapping, output, examples.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// The format of this file.
    pub schema: ActionFormat,
    /// The file's own name: the `snake_case` of the operation's title.
    pub name: String,
    /// The title for people.
    pub title: String,
    /// What the operation does, for workflow authors.
    pub description: String,
    /// JSON Schema of the inputs. Its properties are the sections `headers`, `path_parameters`,
    /// `parameters`, `json_body` and `data_body`.
    pub inputs: Map<String, Value>,
    /// JSON Schema of the output document.
    pub output: Map<String, Value>,
    /// How inputs become a request.
    pub meta: Meta,
    /// Calls with their exact request, LINE's reply and the output. They run as tests.
    #[serde(default)]
    pub examples: Vec<Example>,
}

/// The version of the action format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ActionFormat {
    /// Swimlane's published format, with our keys under `meta`.
    #[serde(rename = "action/1")]
    V1,
}

/// How inputs become a request, and how it may be repeated.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// A short name for hosts whose own limits the full name exceeds: at most 40 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short: Option<String>,
    /// LINE's own name of the operation, its `operationId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// Whether it belongs to the few that a host offers first where it cannot offer all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default_set: bool,
    /// Which listing knows the values of an input (`section/name`), where one does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub choices: BTreeMap<String, Choices>,
    /// The path below the host, without a leading slash; `{{name}}` stands for a path parameter.
    pub endpoint: String,
    /// The HTTP method.
    pub method: Method,
    /// LINE's reference for the operation.
    pub docs: String,
    /// Which base URL of the asset serves it.
    pub host: Host,
    /// When the request may be repeated.
    pub retry: Repeat,
    /// LINE's limit for a channel, as `2000/s`, `60/min` or `60/h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<String>,
    /// Whether LINE requires the header that names the bot, which otherwise only module channels need.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bot_header: bool,
    /// The input (`section/name`) with which a repeat goes on where the request before it stopped:
    /// where it is given, the request may be repeated whatever `retry` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes_with: Option<String>,
    /// What a call changes.
    pub effect: Effect,
    /// Whether hosts ask a person first, though it neither removes anything nor sends to many.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirm: bool,
    /// The statuses that LINE documents for success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub success: Vec<u16>,
    /// Whether the request carries the channel access token.
    #[serde(default, skip_serializing_if = "Authorization::is_bearer")]
    pub auth: Authorization,
    /// How a listing goes on, for `options.all_pages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Pages>,
    /// Which action tells how far LINE has come with the work that this one only started, for
    /// `options.wait_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Success statuses that mean "not ready yet, ask again", for `options.wait_ms`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<u16>,
    /// The input (`section/name`) that takes messages: as people write them, or LINE's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<String>,
    /// Whom a call sends something to, if anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sends: Option<Sends>,
    /// What to do about a refusal with a status, where it means something of its own here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hints: BTreeMap<u16, String>,
    /// How many years before today in UTC+9 a day may be, by its input (`section/name`). An earlier one
    /// is a warning: this machine's clock may be wrong.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub years_back: BTreeMap<String, u8>,
}

impl Action {
    /// The name for hosts: the short one, where there is one.
    #[must_use]
    pub fn short(&self) -> &str {
        self.meta.short.as_deref().unwrap_or(&self.name)
    }

    /// Whether hosts ask a person first: it sends to many, removes what cannot be brought back, or
    /// says so itself.
    #[must_use]
    pub fn asks_first(&self) -> bool {
        let reach = self.meta.sends.as_ref().map(|sends| sends.reach);
        self.meta.confirm || self.meta.effect == Effect::Destructive || reach == Some(Reach::Many)
    }
}

/// The listing that knows the values of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choices {
    /// The action that lists them.
    pub action: String,
    /// JSON pointer to the list, in its body.
    pub items: String,
    /// The property of an item that is the value; without it the item is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The property of an item that tells people which one it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Whether a request carries the channel access token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Authorization {
    /// As `Authorization: Bearer`.
    #[default]
    Bearer,
    /// It does not: what it needs stands in the inputs.
    None,
}

impl Authorization {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for a reference"
    )]
    fn is_bearer(&self) -> bool {
        *self == Self::Bearer
    }
}

/// What a call sends to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sends {
    /// What a delivery report calls it, such as `push`.
    #[serde(rename = "as")]
    pub name: String,
    /// How many chats a call may reach.
    pub reach: Reach,
    /// How else the messages can be sent, for `options.fallback`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
}

/// How many chats a call may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// One user, group or multi-person chat.
    One,
    /// More than one.
    Many,
}

/// The action that sends the same messages where LINE takes no reply any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// Its name.
    pub action: String,
    /// The member of its JSON body that this action does not take, and that the caller gives beside
    /// the others.
    pub needs: String,
    /// The member of this action's JSON body that stands for the effect: the same one is sent once.
    pub once_per: String,
}

/// How a listing goes on from one page to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// The property of the body that holds the items.
    pub items: String,
    /// The query parameter that asks for a further page.
    pub parameter: String,
    /// The property of the body that says how to go on: a continuation token that goes into
    /// `parameter` and is absent on the last page, or a boolean, `true` where the page with the next
    /// number exists.
    pub next: String,
    /// The number of the first page, where pages are numbered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
}

/// How to ask for the end of work that an action only started. Pointers start at
/// `{"inputs": …, "output": …}` of the action that started it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The action that tells.
    pub action: String,
    /// Its inputs: `section/name` to the JSON pointer that their value comes from.
    pub inputs: BTreeMap<String, String>,
    /// JSON pointer to the phase, in the telling action's body.
    pub phase: String,
    /// Where the work is one of several that LINE tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub among: Option<Among>,
    /// The phases at which the work has ended.
    pub done: Vec<String>,
    /// Those among them that mean failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

/// Several pieces of work, of which nothing says which is the caller's: it is the newest, and it has
/// ended for sure once all have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Among {
    /// JSON pointer to the list of them, in the telling action's body; `phase` starts at an item.
    pub list: String,
    /// The property of an item by which the newest has the greatest number.
    pub newest: String,
}

/// What a binary body or part may be: `x-binary` beside a section or a property of `files`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binary {
    /// The content types that LINE takes.
    pub content_types: Vec<String>,
    /// The largest size, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// The dimensions, where it must be a JPEG or PNG image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageBounds>,
    /// What stands on each line, where it must be a text file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Lines>,
}

/// A text file of one value a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    /// How many values LINE takes.
    pub max: u64,
    /// What a value may be; all values of a file are of one kind.
    pub kinds: Vec<LineKind>,
    /// The boolean field of `data_body` that tells the kind: the second where it is true, else the
    /// first. Without it the file's first value tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen_by: Option<String>,
}

/// A kind of value on a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LineKind {
    /// What it is called, with its article.
    pub title: String,
    /// The definition with its pattern, from the root, such as
    /// `schemas/line/id.json#/$defs/user_id`.
    pub schema: String,
}

/// What an image must measure, in pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageBounds {
    /// The least width.
    pub min_width: u64,
    /// The greatest width.
    pub max_width: u64,
    /// The least height.
    pub min_height: u64,
    /// The least width divided by height.
    pub min_ratio: f64,
}

/// A base URL of the asset.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// `https://api.line.me`
    Api,
    /// `https://api-data.line.me`
    Data,
    /// `https://manager.line.biz`
    Manager,
}

/// When a request may be sent again after a failure that leaves its outcome open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Always, with the same `X-Line-Retry-Key`.
    Keyed,
    /// Always: repeating changes nothing.
    Safe,
    /// Only where it provably never left.
    Never,
}

/// What a call changes at LINE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing.
    Read,
    /// It adds, sends or sets: what it replaces can be read before, and set again.
    Write,
    /// It removes what cannot be brought back, or replaces it for people whom the caller does not name.
    Destructive,
}

/// One call as documentation and as a test.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// What it shows.
    pub title: String,
    /// The inputs, in sections.
    #[serde(default)]
    pub inputs: Map<String, Value>,
    /// The request that must be built from them.
    pub request: ExampleRequest,
    /// LINE's reply.
    pub reply: ExampleReply,
    /// The output document that must be read from it, without `meta`; of `error` only `kind`.
    pub output: Map<String, Value>,
}

/// The request of an example.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleRequest {
    /// The method.
    pub method: Method,
    /// The complete URL.
    pub url: String,
    /// The headers beside `Authorization`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The JSON body, or the text of another body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// The reply of an example.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleReply {
    /// The status code.
    pub status_code: u16,
    /// The headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The JSON body, or the text of another body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// The connector's card: what it is, where LINE is, how to authenticate, what holds by default.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format of this file.
    pub schema: ManifestFormat,
    /// The connector's name.
    pub name: String,
    /// The title for people.
    pub title: String,
    /// What it does.
    pub description: String,
    /// The product that it connects to.
    pub product: String,
    /// The product's documentation.
    pub docs: String,
    /// LINE's own base URLs.
    pub hosts: BTreeMap<Host, String>,
    /// The ways to authenticate, in order of preference.
    pub assets: Vec<AssetDefinition>,
    /// What holds where `options` are silent.
    pub defaults: Defaults,
    /// The actions that `check` calls to see whether an asset works; they only read.
    pub check: Vec<String>,
    /// The actions behind the command `send`.
    pub send: Send,
    /// How the channel of a channel access token is learnt.
    pub channel_of_token: ChannelOfToken,
    /// How it is learnt how much of the month's quota is left, before people are asked.
    pub quota: Quota,
    /// What campaigns ask LINE beside sending.
    pub campaign: CampaignActions,
    /// What LINE sends by itself. It is left out where calls read the manifest, which need none of
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triggers: Option<Triggers>,
}

/// The actions that send messages for the command `send`. Their inputs are `to`, `messages`,
/// `replyToken` and `notificationDisabled`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// To one chat.
    pub one: String,
    /// To several users.
    pub many: String,
    /// In answer to an event.
    pub reply: String,
}

/// The call that tells which channel a channel access token belongs to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelOfToken {
    /// The action.
    pub action: String,
    /// The input that takes the token.
    pub input: String,
    /// The JSON pointer of the channel ID in the answer's body.
    pub output: String,
}

/// The calls that tell the month's quota and what of it is used.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// The quota; where its figure is absent, there is no limit.
    pub limit: Figure,
    /// What is used.
    pub used: Figure,
}

/// The actions that campaigns call beside those that send.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignActions {
    /// Lists an account's followers, in pages.
    pub followers: String,
    /// Tells who the account is, at no cost: it works if this does. `output` is its user ID.
    pub account: Figure,
    /// Shows a user's profile: whether the account knows them.
    pub profile: UserAction,
    /// How many unit names were used this month.
    pub units: Figure,
    /// Tells who saw and clicked what was sent under a unit's name.
    pub statistics: String,
}

/// An action about one user.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserAction {
    /// The action.
    pub action: String,
    /// The input that takes the user ID.
    pub input: String,
}

/// A value that an action without inputs tells.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// The action.
    pub action: String,
    /// The JSON pointer of the value in the answer's body.
    pub output: String,
}

/// What LINE sends by itself, and how it reaches workflows.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Triggers {
    /// The actions that fetch what an event only names.
    pub content: ContentActions,
    /// The triggers, one for each type of event.
    pub events: Vec<Trigger>,
}

/// The actions that fetch the content of a message; each takes the message's id as `messageId`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentActions {
    /// Fetches the content itself.
    pub fetch: String,
    /// Fetches a small picture of it.
    pub preview: String,
}

/// One type of event that can start a workflow. What it emits obeys `schemas/event.json`, with
/// `name` as the event's `type`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// The `type` of the events that it emits.
    pub name: String,
    /// The title for people.
    pub title: String,
    /// When it happens, for workflow authors.
    pub description: String,
    /// LINE's reference for the event.
    pub docs: String,
    /// LINE's own `type` of the event; `*` for all that no other trigger takes.
    pub event: String,
    /// An event as LINE sends it. It is a test: it becomes an event of this trigger's `type`.
    pub example: Map<String, Value>,
}

/// The version of the manifest's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ManifestFormat {
    /// The first version.
    #[serde(rename = "connector/1")]
    V1,
}

/// One way to authenticate, in Swimlane's `asset/1` format.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssetDefinition {
    /// The format.
    pub schema: AssetFormat,
    /// Which way it is.
    pub name: AssetKind,
    /// The title for people.
    pub title: String,
    /// When to use it.
    pub description: String,
    /// JSON Schema of the parameters; `x-env` names the environment variable that stands in for a
    /// missing one, `format: password` marks a secret.
    pub inputs: AssetInputs,
    /// Swimlane's own description of the security scheme.
    pub meta: Map<String, Value>,
}

/// The version of the asset format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AssetFormat {
    /// Swimlane's published format.
    #[serde(rename = "asset/1")]
    V1,
}

/// The ways to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssetKind {
    /// A long-lived channel access token.
    HttpBearer,
    /// Channel ID and channel secret: a stateless or a short-lived token.
    #[serde(rename = "oauth2_client_credentials")]
    Oauth2ClientCredentials,
    /// A signed assertion: a channel access token v2.1, or a stateless one.
    JwtAssertion,
}

/// The parameters of a way to authenticate.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AssetInputs {
    /// Their schemas by name.
    pub properties: BTreeMap<String, Map<String, Value>>,
    /// Those without which this way cannot be chosen.
    pub required: Vec<String>,
    /// The other keywords of the schema.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What holds where `options` are silent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// How long one attempt may take, milliseconds.
    pub timeout_ms: u64,
    /// How long a whole call may take, milliseconds.
    pub deadline_ms: u64,
    /// How long connecting may take, milliseconds.
    pub connect_timeout_ms: u64,
    /// How many attempts a call may take.
    pub attempts: u32,
    /// Whether inputs are checked before they are sent.
    pub validation: Validation,
    /// The largest answer that is taken, bytes.
    pub max_response_bytes: u64,
    /// The largest content that is saved in a file, bytes.
    pub max_file_bytes: u64,
    /// The first pause between attempts, milliseconds; it doubles.
    pub backoff_ms: u64,
    /// The longest pause between attempts, milliseconds.
    pub max_backoff_ms: u64,
}

/// Whether inputs are checked before they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Validation {
    /// Violations stop the call, what LINE leaves open is a warning.
    Strict,
    /// Everything is sent as it is.
    Off,
}

/// A rate limit as calls and the seconds in which they are allowed.
#[must_use]
pub fn rate(limit: &str) -> Option<(u32, u32)> {
    let (count, unit) = limit.split_once('/')?;
    let seconds = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        _ => return None,
    };
    count
        .parse()
        .ok()
        .filter(|count| *count > 0)
        .map(|count| (count, seconds))
}

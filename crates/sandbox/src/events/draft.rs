//! Makes LINE's JSON from the description of an event: it adds the defaults, and applies the event to
//! the state. Message objects are completed by `message`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::event_type::{EVENT_TYPES, EventType, SourceScope};
use super::message;
use crate::calendar::unix_millis;
use crate::content::{Content, ContentFate};
use crate::ids::{bot_id, has_id_format, is_user_id, new_ulid, user_id};
use crate::nearest::question;
use crate::state::Context;

/// The group of events that need one and whose description names none.
const DEFAULT_GROUP: &str = "C0123456789abcdef0123456789abcdef";

/// The properties that every event has; a description may override them.
const ENVELOPE: [&str; 6] = [
    "webhookEventId",
    "deliveryContext",
    "timestamp",
    "source",
    "replyToken",
    "mode",
];

/// The properties of a description that stand for `source`.
const WHO: [&str; 3] = ["userId", "groupId", "roomId"];

/// A valid description of an event that has not happened yet.
pub(crate) enum Draft {
    /// A JSON value that is sent as it is.
    Raw(Value),
    /// An event made from a description.
    Described(Box<DescribedEvent>),
}

/// What a description says of an event.
pub(crate) struct DescribedEvent {
    kind: EventType,
    name: String,
    source: Option<Value>,
    /// The value of the property that only this type has.
    payload: Map<String, Value>,
    /// Envelope properties that the description sets.
    overrides: Map<String, Value>,
    content: Option<Content>,
    profile: Option<Value>,
}

impl Draft {
    /// Parses a description, or says what is wrong with it.
    pub(crate) fn parse(described: &Value) -> Result<Self, String> {
        let Value::Object(mut described) = described.clone() else {
            return Err("it is described by an object such as {\"type\": \"follow\"}".to_owned());
        };
        if let Some(raw) = described.remove("raw") {
            return match described.keys().next() {
                Some(other) => Err(format!("beside `raw` there can be no `{other}`")),
                None => Ok(Self::Raw(raw)),
            };
        }
        DescribedEvent::parse(described).map(|event| Self::Described(Box::new(event)))
    }

    /// Applies the event to the state and returns its JSON.
    pub(crate) fn play(self, ctx: &mut Context<'_>) -> Value {
        match self {
            Self::Raw(event) => event,
            Self::Described(event) => event.play(ctx),
        }
    }
}

impl DescribedEvent {
    fn parse(mut described: Map<String, Value>) -> Result<Self, String> {
        let name = match described.remove("type") {
            Some(Value::String(name)) if !name.is_empty() => name,
            _ => return Err("`type` names the event, such as `follow` or `message`".to_owned()),
        };
        let mut types = EVENT_TYPES.iter();
        let Some(kind) = types.find(|kind| kind.name == name).copied() else {
            let names: Vec<&str> = EVENT_TYPES.iter().map(|kind| kind.name).collect();
            let all = format!("there are {}", names.join(", "));
            let question = question(&name, names, &all);
            return Err(format!(
                "LINE has no event of type `{name}`; {question} (`{{\"raw\": …}}` sends anything as it is)"
            ));
        };
        let source = source(kind, &mut described)?;
        let profile = match name.as_str() {
            "follow" => described.remove("profile"),
            _ => None,
        };
        let mut payload = payload(kind, &mut described)?;
        if let Some(other) = unknown_property(&described) {
            let known = ENVELOPE.iter().chain(&WHO).chain(kind.shorthand).copied();
            let known = known
                .chain([kind.payload_key])
                .filter(|known| !known.is_empty());
            let all = format!("it has {}", known.clone().collect::<Vec<_>>().join(", "));
            let question = question(other, known, &all);
            return Err(format!(
                "an event of type `{name}` has no `{other}`; {question}"
            ));
        }
        let content = match kind.payload_key {
            "message" => message::parse(&mut payload, kind.name)?,
            _ => check_payload(kind, &mut payload).map(|()| None)?,
        };
        Ok(Self {
            kind,
            name,
            source,
            payload,
            overrides: described,
            content,
            profile,
        })
    }

    fn play(mut self, ctx: &mut Context<'_>) -> Value {
        self.add_defaults(ctx);
        self.apply(ctx);
        let mut event = Map::new();
        let mut add = |name: &str, value: Value| drop(event.insert(name.to_owned(), value));
        let failed = self
            .payload
            .get("result")
            .is_some_and(|result| result != "ok");
        let standby = self
            .overrides
            .get("mode")
            .is_some_and(|mode| mode != "active");
        let payload = std::mem::take(&mut self.payload);
        add("type", json!(self.name));
        if !self.kind.payload_key.is_empty() {
            add(self.kind.payload_key, Value::Object(payload));
        }
        add("webhookEventId", json!(new_ulid(unix_millis(ctx.now))));
        add("deliveryContext", json!({ "isRedelivery": false }));
        add("timestamp", json!(unix_millis(ctx.now)));
        if let Some(source) = self.source.filter(|_| !failed) {
            add("source", source);
        }
        let has_token = self.overrides.contains_key("replyToken");
        if self.kind.replies && !standby && !failed && !has_token {
            add("replyToken", json!(ctx.state.reply_tokens.create(ctx.now)));
        }
        add("mode", json!("active"));
        for (name, value) in self.overrides {
            match value {
                Value::Null => drop(event.shift_remove(&name)),
                value => drop(event.insert(name, value)),
            }
        }
        Value::Object(event)
    }

    /// Adds the defaults that depend on the state.
    fn add_defaults(&mut self, ctx: &mut Context<'_>) {
        let attached = self.payload.get("type") == Some(&json!("attached"));
        let default_payload = match self.kind.name {
            "message" | "messageEdited" => {
                let content = self.content.take();
                return message::complete(ctx, &mut self.payload, self.kind.name, content);
            }
            "follow" => {
                let back = ctx.state.friends.has_left(&user(self.source.as_ref()));
                json!({ "isUnblocked": back })
            }
            "module" if attached => {
                json!({ "botId": bot_id(0), "scopes": ["message:send", "message:receive"] })
            }
            "module" => json!({ "botId": bot_id(0), "reason": "bot_deleted" }),
            "activated" => {
                json!({ "expireAt": unix_millis(ctx.now + Duration::from_hours(1)) })
            }
            _ => return,
        };
        for (name, value) in default_payload.as_object().into_iter().flatten() {
            self.payload.entry(name).or_insert_with(|| value.clone());
        }
    }

    /// Changes the state as the event does at LINE.
    fn apply(&mut self, ctx: &mut Context<'_>) {
        let source = self.source.as_ref();
        match self.kind.name {
            "follow" => {
                let profile = self.profile.take();
                ctx.state.friends.add(ctx.settings, user(source), profile);
            }
            "unfollow" => ctx.state.friends.remove(user(source)),
            "join" => {
                ctx.state.left_chats.remove(&chat(source));
            }
            "leave" => {
                ctx.state.left_chats.insert(chat(source));
            }
            "unsend" => {
                let id = self.payload.get("messageId").and_then(Value::as_str);
                unsend(ctx, id.unwrap_or_default());
            }
            _ => {}
        }
    }
}

/// LINE's `source`, from the `userId`, `groupId` or `roomId` of the description.
fn source(kind: EventType, described: &mut Map<String, Value>) -> Result<Option<Value>, String> {
    let mut id = |name: &str, fits: fn(&str) -> bool| match described.remove(name) {
        None => Ok(None),
        Some(Value::String(id)) if fits(&id) => Ok(Some(id)),
        Some(other) => Err(format!("`{name}` cannot be {other}")),
    };
    let user = id("userId", is_user_id)?;
    let group = id("groupId", |id| id.starts_with('C') && has_id_format(id))?;
    let room = id("roomId", |id| id.starts_with('R') && has_id_format(id))?;
    let named = user.is_some() || group.is_some() || room.is_some();
    let name = kind.name;
    if kind.scope == SourceScope::Nowhere {
        return if named {
            Err(format!("an event of type `{name}` has no source"))
        } else {
            Ok(None)
        };
    }
    let group = group.or_else(|| {
        let needed = matches!(kind.scope, SourceScope::Chat | SourceScope::Group) && room.is_none();
        needed.then(|| DEFAULT_GROUP.to_owned())
    });
    let mut source = match (group, room) {
        (Some(_), Some(_)) => return Err("it cannot have both `groupId` and `roomId`".to_owned()),
        (Some(_), _) | (_, Some(_)) if kind.scope == SourceScope::User => {
            return Err(format!("`{name}` does not happen in groups or rooms"));
        }
        (_, Some(_)) if kind.scope == SourceScope::Group => {
            return Err(format!("`{name}` does not happen in rooms"));
        }
        (Some(group), None) => json!({ "type": "group", "groupId": group }),
        (None, Some(room)) => json!({ "type": "room", "roomId": room }),
        (None, None) => json!({ "type": "user" }),
    };
    match (user, kind.scope) {
        (Some(user), _) => source["userId"] = json!(user),
        (None, SourceScope::Chat) => {}
        (None, _) => source["userId"] = json!(user_id(0)),
    }
    Ok(Some(source))
}

/// The payload: the default one, overridden by the description. A string stands for an object with
/// that `type`.
fn payload(
    kind: EventType,
    described: &mut Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let Value::Object(mut payload) = (kind.default_payload)() else {
        return Ok(Map::new());
    };
    match described.remove(kind.payload_key) {
        None => {}
        Some(Value::Object(said)) => payload.extend(said),
        Some(Value::String(kind)) => drop(payload.insert("type".to_owned(), json!(kind))),
        Some(other) => return Err(format!("`{}` cannot be {other}", kind.payload_key)),
    }
    for name in kind.shorthand {
        payload.extend(
            described
                .remove(*name)
                .map(|value| ((*name).to_owned(), value)),
        );
    }
    Ok(payload)
}

/// A property that no event has.
fn unknown_property(described: &Map<String, Value>) -> Option<&String> {
    let mut names = described.keys();
    names.find(|name| !ENVELOPE.contains(&name.as_str()))
}

/// Checks required properties, and replaces user IDs in `members` by sources.
fn check_payload(kind: EventType, payload: &mut Map<String, Value>) -> Result<(), String> {
    let needed = match kind.name {
        "postback" => "data",
        "unsend" => "messageId",
        "memberJoined" | "memberLeft" => {
            let members = payload.get_mut("members").and_then(Value::as_array_mut);
            for member in members.into_iter().flatten() {
                if let Some(id) = member.as_str().filter(|id| is_user_id(id)) {
                    *member = json!({ "type": "user", "userId": id });
                }
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    match payload.get(needed) {
        Some(Value::String(_)) => Ok(()),
        _ => Err(format!(
            "an event of type `{}` needs `{needed}`, a string",
            kind.name
        )),
    }
}

/// Makes the content of an unsent message unavailable.
fn unsend(ctx: &mut Context<'_>, id: &str) {
    let played = &mut ctx.state.played.contents;
    let known = played.get(id).or_else(|| ctx.settings.contents.get(id));
    if let Some(content) = known {
        let gone = Content {
            fate: ContentFate::Unsent,
            ..content.clone()
        };
        played.insert(id.to_owned(), gone);
    }
}

fn text(source: Option<&Value>, name: &str) -> String {
    let found = source.and_then(|source| source.get(name)?.as_str());
    found.unwrap_or_default().to_owned()
}

fn user(source: Option<&Value>) -> String {
    text(source, "userId")
}

/// The group or room of a source.
fn chat(source: Option<&Value>) -> String {
    text(source, "groupId") + &text(source, "roomId")
}

//! One event from its description to LINE's JSON: what the description leaves out is filled in, and
//! what the event changes in the channel is changed. Message objects are `message`'s.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::message;
use super::types::{KINDS, Kind, Place, UNKNOWN};
use crate::content::{Content, ContentFate};
use crate::ids::{bot_id, has_id_shape, is_user, ulid, user_id};
use crate::state::Turn;

/// The chat in which events happen that need one, where the description names none.
const USUAL_GROUP: &str = "C0123456789abcdef0123456789abcdef";

/// What every event has, and a description may set.
const ENVELOPE: [&str; 6] = [
    "webhookEventId",
    "deliveryContext",
    "timestamp",
    "source",
    "replyToken",
    "mode",
];

/// An event that is well described and has not happened yet.
pub(crate) enum Draft {
    /// LINE's JSON as it is.
    Raw(Value),
    Made(Box<Made>),
}

pub(crate) struct Made {
    kind: Kind,
    name: String,
    source: Option<Value>,
    /// What only this type has.
    own: Map<String, Value>,
    /// What the description sets of the envelope, and all else of a type that is not known.
    given: Map<String, Value>,
    content: Option<Content>,
    profile: Option<Value>,
}

impl Draft {
    /// Reads a description, or says what is wrong with it.
    pub(crate) fn read(described: &Value) -> Result<Self, String> {
        let Value::Object(mut described) = described.clone() else {
            return Err("it is described by an object such as {\"type\": \"follow\"}".to_owned());
        };
        if let Some(raw) = described.remove("raw") {
            return match described.keys().next() {
                Some(other) => Err(format!("beside `raw` there can be no `{other}`")),
                None => Ok(Self::Raw(raw)),
            };
        }
        Made::read(described).map(|made| Self::Made(Box::new(made)))
    }

    /// Lets it happen.
    pub(crate) fn play(self, turn: &mut Turn<'_>) -> Value {
        match self {
            Self::Raw(event) => event,
            Self::Made(made) => made.play(turn),
        }
    }
}

impl Made {
    fn read(mut described: Map<String, Value>) -> Result<Self, String> {
        let name = match described.remove("type") {
            Some(Value::String(name)) if !name.is_empty() => name,
            _ => return Err("`type` names the event, such as `follow` or `message`".to_owned()),
        };
        let known = KINDS.iter().find(|kind| kind.name == name).copied();
        let kind = known.unwrap_or(UNKNOWN);
        let source = source(kind, &mut described)?;
        let profile = match name.as_str() {
            "follow" => described.remove("profile"),
            _ => None,
        };
        let mut own = own(kind, &mut described)?;
        if let (Some(_), Some(other)) = (known, stranger(&described)) {
            return Err(format!("an event of type `{name}` has no `{other}`"));
        }
        let content = match kind.own {
            "message" => message::read(&mut own, kind.name)?,
            _ => check(kind, &mut own).map(|()| None)?,
        };
        Ok(Self {
            kind,
            name,
            source,
            own,
            given: described,
            content,
            profile,
        })
    }

    fn play(mut self, turn: &mut Turn<'_>) -> Value {
        self.fill(turn);
        self.change(turn);
        let mut event = Map::new();
        let mut add = |name: &str, value: Value| drop(event.insert(name.to_owned(), value));
        let failed = self.own.get("result").is_some_and(|result| result != "ok");
        let standby = self.given.get("mode").is_some_and(|mode| mode != "active");
        let own = std::mem::take(&mut self.own);
        add("type", json!(self.name));
        if !self.kind.own.is_empty() {
            add(self.kind.own, Value::Object(own));
        }
        add("webhookEventId", json!(ulid(millis(turn.now))));
        add("deliveryContext", json!({ "isRedelivery": false }));
        add("timestamp", json!(millis(turn.now)));
        if let Some(source) = self.source.filter(|_| !failed) {
            add("source", source);
        }
        let own_token = self.given.contains_key("replyToken");
        if self.kind.replies && !standby && !failed && !own_token {
            add(
                "replyToken",
                json!(turn.state.reply_tokens.create(turn.now)),
            );
        }
        add("mode", json!("active"));
        for (name, value) in self.given {
            match value {
                Value::Null => drop(event.shift_remove(&name)),
                value => drop(event.insert(name, value)),
            }
        }
        Value::Object(event)
    }

    /// Fills in what takes the channel's state to know.
    fn fill(&mut self, turn: &mut Turn<'_>) {
        let attached = self.own.get("type") == Some(&json!("attached"));
        let usual = match self.kind.name {
            "message" | "messageEdited" => {
                let content = self.content.take();
                return message::fill(turn, &mut self.own, self.kind.name, content);
            }
            "follow" => {
                let back = turn.state.friends.has_left(&user(self.source.as_ref()));
                json!({ "isUnblocked": back })
            }
            "module" if attached => {
                json!({ "botId": bot_id(0), "scopes": ["message:send", "message:receive"] })
            }
            "module" => json!({ "botId": bot_id(0), "reason": "bot_deleted" }),
            "activated" => json!({ "expireAt": millis(turn.now + Duration::from_hours(1)) }),
            _ => return,
        };
        for (name, value) in usual.as_object().into_iter().flatten() {
            self.own.entry(name).or_insert_with(|| value.clone());
        }
    }

    /// Changes in the channel what the event changes at LINE.
    fn change(&mut self, turn: &mut Turn<'_>) {
        let source = self.source.as_ref();
        match self.kind.name {
            "follow" => {
                let profile = self.profile.take();
                turn.state.friends.add(turn.settings, user(source), profile);
            }
            "unfollow" => turn.state.friends.remove(user(source)),
            "join" => {
                turn.state.left_chats.remove(&chat(source));
            }
            "leave" => {
                turn.state.left_chats.insert(chat(source));
            }
            "unsend" => {
                let id = self.own.get("messageId").and_then(Value::as_str);
                take_back(turn, id.unwrap_or_default());
            }
            _ => {}
        }
    }
}

/// Whom or what the description names, as LINE's `source`.
fn source(kind: Kind, described: &mut Map<String, Value>) -> Result<Option<Value>, String> {
    let mut id = |name: &str, fits: fn(&str) -> bool| match described.remove(name) {
        None => Ok(None),
        Some(Value::String(id)) if fits(&id) => Ok(Some(id)),
        Some(other) => Err(format!("`{name}` cannot be {other}")),
    };
    let user = id("userId", is_user)?;
    let group = id("groupId", |id| id.starts_with('C') && has_id_shape(id))?;
    let room = id("roomId", |id| id.starts_with('R') && has_id_shape(id))?;
    let named = user.is_some() || group.is_some() || room.is_some();
    let name = kind.name;
    if kind.place == Place::Nowhere {
        return if named {
            Err(format!("an event of type `{name}` has no source"))
        } else {
            Ok(None)
        };
    }
    let group = group.or_else(|| {
        let needed = matches!(kind.place, Place::Chat | Place::Group) && room.is_none();
        needed.then(|| USUAL_GROUP.to_owned())
    });
    let mut source = match (group, room) {
        (Some(_), Some(_)) => return Err("it cannot have both `groupId` and `roomId`".to_owned()),
        (Some(_), _) | (_, Some(_)) if kind.place == Place::User => {
            return Err(format!("`{name}` does not happen in groups or rooms"));
        }
        (_, Some(_)) if kind.place == Place::Group => {
            return Err(format!("`{name}` does not happen in rooms"));
        }
        (Some(group), None) => json!({ "type": "group", "groupId": group }),
        (None, Some(room)) => json!({ "type": "room", "roomId": room }),
        (None, None) => json!({ "type": "user" }),
    };
    match (user, kind.place) {
        (Some(user), _) => source["userId"] = json!(user),
        (None, Place::Chat) => {}
        (None, _) => source["userId"] = json!(user_id(0)),
    }
    Ok(Some(source))
}

/// The member that only this type has: the usual one, overlaid with what the description says. A
/// string stands for the member's `type`.
fn own(kind: Kind, described: &mut Map<String, Value>) -> Result<Map<String, Value>, String> {
    let Value::Object(mut own) = (kind.usual)() else {
        return Ok(Map::new());
    };
    match described.remove(kind.own) {
        None => {}
        Some(Value::Object(said)) => own.extend(said),
        Some(Value::String(kind)) => drop(own.insert("type".to_owned(), json!(kind))),
        Some(other) => return Err(format!("`{}` cannot be {other}", kind.own)),
    }
    for name in kind.flat {
        own.extend(
            described
                .remove(*name)
                .map(|value| ((*name).to_owned(), value)),
        );
    }
    Ok(own)
}

/// A member that no event has.
fn stranger(described: &Map<String, Value>) -> Option<&String> {
    let mut names = described.keys();
    names.find(|name| !ENVELOPE.contains(&name.as_str()))
}

/// Judges what an event cannot do without, and writes members by their user IDs as sources.
fn check(kind: Kind, own: &mut Map<String, Value>) -> Result<(), String> {
    let needed = match kind.name {
        "postback" => "data",
        "unsend" => "messageId",
        "memberJoined" | "memberLeft" => {
            let members = own.get_mut("members").and_then(Value::as_array_mut);
            for member in members.into_iter().flatten() {
                if let Some(id) = member.as_str().filter(|id| is_user(id)) {
                    *member = json!({ "type": "user", "userId": id });
                }
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    match own.get(needed) {
        Some(Value::String(_)) => Ok(()),
        _ => Err(format!(
            "an event of type `{}` needs `{needed}`, a string",
            kind.name
        )),
    }
}

/// Makes a message's content unavailable, as its sender wants.
fn take_back(turn: &mut Turn<'_>, id: &str) {
    let played = &mut turn.state.played.contents;
    let known = played.get(id).or_else(|| turn.settings.contents.get(id));
    if let Some(content) = known {
        let gone = Content {
            fate: ContentFate::Unsent,
            ..content.clone()
        };
        played.put(id.to_owned(), gone);
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

/// Milliseconds since 1970.
pub(crate) fn millis(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

//! The table of LINE's webhook events: where each can happen, whether it can be replied to, and
//! what it carries when nothing else is said. A new event of LINE's is a line here.

use serde_json::{Value, json};

/// Where an event can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// With one user.
    User,
    /// In a group or room; the event is about the chat, not about who caused it.
    Chat,
    /// What a user does in a group.
    Group,
    /// With one user, or what a user does in a group or room.
    Anywhere,
    /// It has no source.
    Nowhere,
}

/// One type of event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    /// Whether it carries a reply token.
    pub(crate) replies: bool,
    /// The member that holds what only this type has.
    pub(crate) own: &'static str,
    /// What may stand beside `type` in a description though it belongs into the own member.
    pub(crate) flat: &'static [&'static str],
    /// What the own member holds where the description does not say.
    pub(crate) usual: fn() -> Value,
}

const fn kind(name: &'static str, place: Place, replies: bool) -> Kind {
    Kind {
        name,
        place,
        replies,
        own: "",
        flat: &[],
        usual: || Value::Null,
    }
}

impl Kind {
    const fn with(
        self,
        own: &'static str,
        flat: &'static [&'static str],
        usual: fn() -> Value,
    ) -> Self {
        Self {
            own,
            flat,
            usual,
            ..self
        }
    }
}

/// What a type that is not in the table is taken for.
pub(crate) const UNKNOWN: Kind = kind("", Place::Anywhere, true);

const TEXT: &[&str] = &["text", "emojis", "mention", "quotedMessageId"];

const SOMEONE: &str = "U4af4980629f0b5a3c3d6b8a1d2e3f405";

pub(crate) const KINDS: &[Kind] = &[
    kind("message", Place::Anywhere, true).with("message", TEXT, || json!({})),
    kind("messageEdited", Place::Group, true).with("message", TEXT, || json!({})),
    kind("unsend", Place::Anywhere, false).with("unsend", &["messageId"], || json!({})),
    kind("follow", Place::User, true).with("follow", &["isUnblocked"], || json!({})),
    kind("unfollow", Place::User, false),
    kind("join", Place::Chat, true),
    kind("leave", Place::Chat, false),
    kind("memberJoined", Place::Chat, true).with(
        "joined",
        &["members"],
        || json!({ "members": [SOMEONE] }),
    ),
    kind("memberLeft", Place::Chat, false).with(
        "left",
        &["members"],
        || json!({ "members": [SOMEONE] }),
    ),
    kind("postback", Place::Anywhere, true).with("postback", &["data", "params"], || json!({})),
    kind("videoPlayComplete", Place::User, true).with(
        "videoPlayComplete",
        &["trackingId"],
        || json!({ "trackingId": "track-id" }),
    ),
    kind("beacon", Place::User, true).with(
        "beacon",
        &["hwid", "dm"],
        || json!({ "hwid": "d41d8cd98f", "type": "enter" }),
    ),
    kind("accountLink", Place::User, true).with(
        "link",
        &["result", "nonce"],
        || json!({ "result": "ok", "nonce": "sandbox-nonce" }),
    ),
    kind("membership", Place::User, true).with(
        "membership",
        &["membershipId"],
        || json!({ "type": "joined", "membershipId": 3189 }),
    ),
    kind("delivery", Place::Nowhere, false).with(
        "delivery",
        &["data"],
        || json!({ "data": "sandbox-delivery-tag" }),
    ),
    kind("module", Place::Nowhere, false).with(
        "module",
        &["botId", "scopes", "reason"],
        || json!({ "type": "attached" }),
    ),
    kind("activated", Place::User, false).with("chatControl", &["expireAt"], || json!({})),
    kind("deactivated", Place::User, false),
    kind("botSuspended", Place::Nowhere, false),
    kind("botResumed", Place::Nowhere, false),
];

//! The table of LINE's webhook events: where each can happen, whether it has a reply token, and its
//! default payload. A new event of LINE's is a line here.

use serde_json::{Value, json};

/// Where an event can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceScope {
    /// In a chat with one user.
    User,
    /// In a group or room; the source has no user.
    Chat,
    /// In a group, by a user.
    Group,
    /// In a chat with one user, or in a group or room by a user.
    Anywhere,
    /// The event has no source.
    Nowhere,
}

/// One type of event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventType {
    pub(crate) name: &'static str,
    pub(crate) scope: SourceScope,
    /// Whether it has a reply token.
    pub(crate) replies: bool,
    /// The property that only this type has; empty where there is none.
    pub(crate) payload_key: &'static str,
    /// Properties of the payload that a description may put beside `type`.
    pub(crate) shorthand: &'static [&'static str],
    /// The payload where the description has none.
    pub(crate) default_payload: fn() -> Value,
}

const fn event(name: &'static str, scope: SourceScope, replies: bool) -> EventType {
    EventType {
        name,
        scope,
        replies,
        payload_key: "",
        shorthand: &[],
        default_payload: || Value::Null,
    }
}

impl EventType {
    const fn with(
        self,
        payload_key: &'static str,
        shorthand: &'static [&'static str],
        default_payload: fn() -> Value,
    ) -> Self {
        Self {
            payload_key,
            shorthand,
            default_payload,
            ..self
        }
    }
}

const TEXT_SHORTHAND: &[&str] = &["text", "emojis", "mention", "quotedMessageId"];

const SAMPLE_MEMBER: &str = "U4af4980629f0b5a3c3d6b8a1d2e3f405";

pub(crate) const EVENT_TYPES: &[EventType] = &[
    event("message", SourceScope::Anywhere, true).with("message", TEXT_SHORTHAND, || json!({})),
    event("messageEdited", SourceScope::Group, true).with("message", TEXT_SHORTHAND, || json!({})),
    event("unsend", SourceScope::Anywhere, false).with("unsend", &["messageId"], || json!({})),
    event("follow", SourceScope::User, true).with("follow", &["isUnblocked"], || json!({})),
    event("unfollow", SourceScope::User, false),
    event("join", SourceScope::Chat, true),
    event("leave", SourceScope::Chat, false),
    event("memberJoined", SourceScope::Chat, true).with(
        "joined",
        &["members"],
        || json!({ "members": [SAMPLE_MEMBER] }),
    ),
    event("memberLeft", SourceScope::Chat, false).with(
        "left",
        &["members"],
        || json!({ "members": [SAMPLE_MEMBER] }),
    ),
    event("postback", SourceScope::Anywhere, true)
        .with("postback", &["data", "params"], || json!({})),
    event("videoPlayComplete", SourceScope::User, true).with(
        "videoPlayComplete",
        &["trackingId"],
        || json!({ "trackingId": "track-id" }),
    ),
    event("beacon", SourceScope::User, true).with(
        "beacon",
        &["hwid", "dm"],
        || json!({ "hwid": "d41d8cd98f", "type": "enter" }),
    ),
    event("accountLink", SourceScope::User, true).with(
        "link",
        &["result", "nonce"],
        || json!({ "result": "ok", "nonce": "sandbox-nonce" }),
    ),
    event("membership", SourceScope::User, true).with(
        "membership",
        &["membershipId"],
        || json!({ "type": "joined", "membershipId": 3189 }),
    ),
    event("delivery", SourceScope::Nowhere, false).with(
        "delivery",
        &["data"],
        || json!({ "data": "sandbox-delivery-tag" }),
    ),
    event("module", SourceScope::Nowhere, false).with(
        "module",
        &["botId", "scopes", "reason"],
        || json!({ "type": "attached" }),
    ),
    event("activated", SourceScope::User, false).with("chatControl", &["expireAt"], || json!({})),
    event("deactivated", SourceScope::User, false),
    event("botSuspended", SourceScope::Nowhere, false),
    event("botResumed", SourceScope::Nowhere, false),
];

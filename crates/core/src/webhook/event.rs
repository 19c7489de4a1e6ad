//! The connector's own event, as workflows get it; `schemas/event.json` is generated from it. It
//! carries no behaviour but telling who it is; `normalise` makes it of LINE's event.

use std::borrow::Cow;
use std::collections::BTreeMap;

use line_connector_text::json::is_within_bounds;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::moment::Moment;

/// A text, borrowed from the body wherever it stands there without escapes.
type Text<'a> = Option<Cow<'a, str>>;

/// One event: what happened, when, to whom, with its content in the connector's terms, and LINE's
/// own event beside it. What LINE did not tell is absent.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Event<'a> {
    /// What happened. `unknown` and `message.unknown` are what LINE has added since: see `raw`.
    #[serde(rename = "type")]
    pub kind: Type,
    /// LINE's `webhookEventId`, the same in every redelivery: an event with an id that was handled
    /// before is not to be handled again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Text<'a>,
    /// When it happened, by LINE's clock; the same in every redelivery. Events may come in another
    /// order than they happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Moment>,
    /// Whether LINE sends it again because it got no success for an earlier delivery.
    pub is_redelivery: bool,
    /// `active`, or `standby` where a module channel owns the chat: then do not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Text<'a>,
    /// Who did it, and where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source<'a>>,
    /// Answers this event, once; absent where LINE takes no reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_token: Text<'a>,
    /// The time by which the reply must have reached LINE: a minute after the event; of a
    /// redelivery a minute after it came, and at most 20 minutes after the event. LINE may refuse
    /// sooner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_by: Option<Moment>,
    /// `message.*`: the message. Of `message.unsent` only its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<Message<'a>>>,
    /// `postback`: what the tapped button carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postback: Option<Postback<'a>>,
    /// `opt_in`: how the account was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_in: Option<OptIn>,
    /// `member.joined`, `member.left`: who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member<'a>>>,
    /// `video.completed`: which video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<Video<'a>>,
    /// `beacon`: which one, and what the user does near it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beacon: Option<Beacon<'a>>,
    /// `account.linked`: how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_link: Option<AccountLink<'a>>,
    /// `membership.*`: which membership.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub membership: Option<Membership<'a>>,
    /// `delivery.completed`: which message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivered<'a>>,
    /// `module.*`: which account's module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<Module<'a>>,
    /// `chat.activated`: for how long the module has the chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_control: Option<ChatControl>,
    /// LINE's event, byte for byte; a string that holds it where usual readers of JSON could not take
    /// it: with more than 127 levels, or a number beyond 64 bits of floating point or of more than 1000
    /// characters.
    #[serde(serialize_with = "readable")]
    #[schemars(with = "Value")]
    pub raw: &'a RawValue,
}

/// Writes JSON as it is, and what would stop whoever reads the whole document as its text.
fn readable<S: Serializer>(raw: &RawValue, serializer: S) -> Result<S::Ok, S::Error> {
    if is_within_bounds(raw.get()) {
        raw.serialize(serializer)
    } else {
        serializer.serialize_str(raw.get())
    }
}

impl Event<'_> {
    /// LINE's `webhookEventId`, by which a redelivery is known.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The chat whose events keep their order: the group, the room or the user. Empty for what
    /// belongs to the account and to no chat.
    #[must_use]
    pub fn chat(&self) -> String {
        let source = self.source.as_ref();
        let chat = source.and_then(|at| {
            let place = at.group_id.as_deref().or(at.room_id.as_deref());
            place.or(at.user_id.as_deref())
        });
        chat.unwrap_or_default().to_owned()
    }

    /// When it happened, milliseconds since 1970 by LINE's clock.
    #[must_use]
    pub fn timestamp(&self) -> Option<i64> {
        self.time.map(Moment::millis)
    }
}

/// Declares the types of events, each with its name on the wire.
macro_rules! types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What happened. The names are part of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
        #[non_exhaustive]
        pub enum Type {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Type {
            /// Every type.
            pub const ALL: &[Type] = &[$(Type::$variant,)*];

            /// The name on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Type::$variant => $name,)* }
            }
        }
    };
}

types! {
    /// Someone wrote a text.
    MessageText = "message.text",
    /// Someone sent an image.
    MessageImage = "message.image",
    /// Someone sent a video.
    MessageVideo = "message.video",
    /// Someone sent a sound.
    MessageAudio = "message.audio",
    /// Someone sent a file.
    MessageFile = "message.file",
    /// Someone sent a place.
    MessageLocation = "message.location",
    /// Someone sent a sticker.
    MessageSticker = "message.sticker",
    /// Someone sent what LINE has added since.
    MessageUnknown = "message.unknown",
    /// Someone changed a text that they had written.
    MessageEdited = "message.edited",
    /// Someone took a message back.
    MessageUnsent = "message.unsent",
    /// Someone tapped a button, chose a date or switched a rich menu.
    Postback = "postback",
    /// Someone added the account as a friend, or unblocked it.
    OptIn = "opt_in",
    /// Someone blocked the account.
    OptOut = "opt_out",
    /// The account was taken into a group chat.
    GroupJoin = "group.join",
    /// The account left a group chat, or was removed.
    GroupLeave = "group.leave",
    /// The account was taken into a multi-person chat.
    RoomJoin = "room.join",
    /// The account left a multi-person chat, or was removed.
    RoomLeave = "room.leave",
    /// People joined a chat that the account is in.
    MemberJoined = "member.joined",
    /// People left a chat that the account is in.
    MemberLeft = "member.left",
    /// Someone watched a video to its end.
    VideoCompleted = "video.completed",
    /// Someone came near a beacon, stays there, or tapped its banner.
    Beacon = "beacon",
    /// Someone linked their account, or failed to.
    AccountLinked = "account.linked",
    /// Someone became a member.
    MembershipJoined = "membership.joined",
    /// Someone gave up a membership.
    MembershipLeft = "membership.left",
    /// Someone's membership was renewed.
    MembershipRenewed = "membership.renewed",
    /// A message to a phone number has arrived.
    DeliveryCompleted = "delivery.completed",
    /// An account has taken the module.
    ModuleAttached = "module.attached",
    /// An account has given the module up.
    ModuleDetached = "module.detached",
    /// The module has got control of a chat.
    ChatActivated = "chat.activated",
    /// The module has lost control of a chat.
    ChatDeactivated = "chat.deactivated",
    /// The account was suspended.
    BotSuspended = "bot.suspended",
    /// The account is back.
    BotResumed = "bot.resumed",
    /// What LINE has added since.
    Unknown = "unknown",
}

/// Who did it, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Source<'a> {
    /// `user`, `group` or `room`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Text<'a>,
    /// The user; absent where the user has not consented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Text<'a>,
    /// The group chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Text<'a>,
    /// The multi-person chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_id: Text<'a>,
}

/// A message from a chat.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Message<'a> {
    /// LINE's id of the message. An edited message keeps its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Text<'a>,
    /// The message that this one quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted_message_id: Text<'a>,
    /// Lets an answer quote this message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote_token: Text<'a>,
    /// Marks the chat as read up to this message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark_as_read_token: Text<'a>,
    /// The text, each LINE emoji as `[emoji:PRODUCT:ID]`. Of a sticker: the text on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Text<'a>,
    /// The text as LINE delivered it, where it differs from `text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub literal_text: Text<'a>,
    /// The LINE emoji in `text`, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub emojis: Vec<Emoji<'a>>,
    /// The mentions in `text`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub mentions: Vec<Mention<'a>>,
    /// The place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location<'a>>,
    /// The sticker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticker: Option<Sticker<'a>>,
    /// The image, video, sound or file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<Media<'a>>,
}

/// A part of `text`, counted in UTF-16 code units as LINE and JavaScript do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Span {
    /// Where it begins; the text's first unit is 0.
    pub start: usize,
    /// Where it has ended.
    pub end: usize,
}

/// A LINE emoji in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Emoji<'a> {
    /// Where its `[emoji:PRODUCT:ID]` stands.
    pub span: Span,
    /// LINE's product id.
    pub product_id: Cow<'a, str>,
    /// LINE's emoji id within the product.
    pub emoji_id: Cow<'a, str>,
}

/// A mention in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mention<'a> {
    /// `user` or `all`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Text<'a>,
    /// The mentioned user; absent for all, and where the user has not consented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Text<'a>,
    /// Whether it is the account itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_self: Option<bool>,
    /// Where the mention stands; absent where LINE's indexes lead outside the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// What stands there, such as `@example`. The name is the user's own choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Location<'a> {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Text<'a>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Text<'a>,
    /// Degrees north.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// Degrees east.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
}

/// A sticker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sticker<'a> {
    /// The package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_id: Text<'a>,
    /// The sticker within the package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticker_id: Text<'a>,
    /// LINE's `stickerResourceType`, such as `STATIC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_type: Text<'a>,
    /// Words that describe it; LINE picks up to 15.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub keywords: Vec<Cow<'a, str>>,
}

/// An image, a video, a sound or a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Media<'a> {
    /// Who has the content: `line`, or `external` where it lies at `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Text<'a>,
    /// An invocation that fetches the content from LINE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch: Option<Fetch<'a>>,
    /// An invocation that fetches a small picture of it from LINE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch_preview: Option<Fetch<'a>>,
    /// Where the content lies outside LINE. Fetch it without LINE's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Text<'a>,
    /// Where a small picture of it lies outside LINE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview_url: Text<'a>,
    /// How long it plays, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The file's name, which is the sender's choice: no path to write to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Text<'a>,
    /// The file's size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// The images that were sent together with this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_set: Option<ImageSet<'a>>,
}

/// An invocation that lacks only the asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fetch<'a> {
    /// The action.
    pub action: &'a str,
    /// Its inputs.
    pub inputs: FetchInputs<'a>,
}

/// The inputs of a fetching action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FetchInputs<'a> {
    /// The message whose content is meant.
    #[serde(rename = "messageId")]
    pub message_id: Cow<'a, str>,
}

/// Images that were sent at once; their events come in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ImageSet<'a> {
    /// Which set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Text<'a>,
    /// Which of them this one is, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// What a tapped button carries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Postback<'a> {
    /// The button's data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Text<'a>,
    /// The data's fields, where it is a query string; a repeated one is an array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<BTreeMap<Cow<'a, str>, Field<'a>>>,
    /// What LINE adds: `date`, `time` or `datetime` as the user chose; for a switch of rich menus
    /// `status` and `newRichMenuAliasId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
}

/// A field of a query string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Field<'a> {
    /// It stands there once.
    One(Cow<'a, str>),
    /// It stands there several times.
    Many(Vec<Cow<'a, str>>),
}

/// How the account was added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OptIn {
    /// Whether the user had blocked the account before. LINE calls it not fully reliable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_unblocked: Option<bool>,
}

/// Someone in a chat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Member<'a> {
    /// The user; absent where the user has not consented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Text<'a>,
}

/// A video that was watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Video<'a> {
    /// The `trackingId` that the video was sent with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_id: Text<'a>,
}

/// A beacon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Beacon<'a> {
    /// `enter`, `stay` or `banner`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Text<'a>,
    /// The beacon's hardware id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hwid: Text<'a>,
    /// The device message, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dm: Text<'a>,
}

/// How linking an account ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AccountLink<'a> {
    /// `ok`, or `failed`: then nothing was linked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Text<'a>,
    /// The nonce that the link was begun with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Text<'a>,
}

/// A membership.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Membership<'a> {
    /// Which one. LINE writes it as a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Text<'a>,
}

/// A message to a phone number that has arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Delivered<'a> {
    /// The delivery tag that it was sent with, or the SHA-256 of the phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Text<'a>,
}

/// A module of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Module<'a> {
    /// The account's bot user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot_id: Text<'a>,
    /// `module.attached`: what the account permits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub scopes: Vec<Cow<'a, str>>,
    /// `module.detached`: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Text<'a>,
}

/// For how long a module has a chat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChatControl {
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
}

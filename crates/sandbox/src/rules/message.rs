//! Message objects: what all types share, and the types that are a handful of fields. Templates,
//! imagemaps and Flex have files of their own.

use serde_json::{Map, Value};

use super::action::{self, Slot};
use super::count::{Unit, length};
use super::subject::{Need, Subject};
use super::{Chat, flex, imagemap, template};

const TYPES: [&str; 11] = [
    "text", "textV2", "sticker", "image", "video", "audio", "location", "coupon", "imagemap",
    "template", "flex",
];

/// Judges the message with this index.
pub(super) fn judge(message: &Subject<'_>, index: usize, chat: Chat) {
    let kind = message.choice("type", Need::Required, &TYPES);
    quick_reply(message);
    if let Some(sender) = message.object("sender", Need::Optional) {
        sender.text("name", Need::Optional, 20, Unit::Utf16);
        sender.https("iconUrl", Need::Optional);
    }
    match kind.unwrap_or_default() {
        "text" => text(message),
        "textV2" => text_v2(message, chat),
        "sticker" => {
            message.string("packageId", Need::Required);
            message.string("stickerId", Need::Required);
            message.string("quoteToken", Need::Optional);
        }
        "image" => message.media(),
        "video" => video(message, chat),
        "audio" => {
            message.https("originalContentUrl", Need::Required);
            message.integer("duration", Need::Required, 1..=i64::MAX);
        }
        "location" => {
            message.text("title", Need::Required, 100, Unit::Utf16);
            message.text("address", Need::Required, 100, Unit::Utf16);
            message.number("latitude", -90.0..=90.0);
            message.number("longitude", -180.0..=180.0);
        }
        "coupon" => {
            message.string("couponId", Need::Required);
            if let Some(tag) = message.text("deliveryTag", Need::Optional, 30, Unit::Utf16)
                && !is_word(tag)
            {
                message.fault("deliveryTag", "invalid property");
            }
        }
        "imagemap" => imagemap::judge(message),
        "template" => template::judge(message, index),
        "flex" => flex::judge(message, index),
        _ => {}
    }
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn quick_reply(message: &Subject<'_>) {
    let Some(quick_reply) = message.object("quickReply", Need::Optional) else {
        return;
    };
    for item in quick_reply.items("items", Need::Required, 1..=13) {
        item.choice("type", Need::Required, &["action"]);
        item.https("imageUrl", Need::Optional);
        if let Some(action) = item.object("action", Need::Required) {
            action::judge(&action, Slot::QuickReply);
        }
    }
}

fn video(message: &Subject<'_>, chat: Chat) {
    message.media();
    let Some(id) = message.text("trackingId", Need::Optional, 100, Unit::Utf16) else {
        return;
    };
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-.=,+*()%$&;:@{}!?<>[]".contains(&byte);
    if chat == Chat::Group || !id.bytes().all(allowed) {
        message.fault("trackingId", "invalid property");
    }
}

fn text(message: &Subject<'_>) {
    let text = message.text("text", Need::Required, 5000, Unit::Utf16);
    message.string("quoteToken", Need::Optional);
    let units: Vec<u16> = text.unwrap_or_default().encode_utf16().collect();
    for emoji in message.items("emojis", Need::Optional, 0..=20) {
        emoji.string("productId", Need::Required);
        emoji.string("emojiId", Need::Required);
        let index = emoji.integer("index", Need::Required, 0..=i64::MAX);
        let at = index.and_then(|index| usize::try_from(index).ok());
        if let Some(at) = at
            && units.get(at) != Some(&u16::from(b'$'))
        {
            emoji.fault("index", "invalid property");
        }
    }
}

fn text_v2(message: &Subject<'_>, chat: Chat) {
    let text = message.text("text", Need::Required, 5000, Unit::Utf16);
    message.string("quoteToken", Need::Optional);
    let substitution = message.object("substitution", Need::Optional);
    let empty = Map::new();
    let known = substitution
        .as_ref()
        .map_or(&empty, |subject| subject.fields);
    if let Some(text) = text
        && !placeholders_are_known(text, known)
    {
        message.fault("text", "invalid property");
    }
    let Some(substitution) = substitution else {
        return;
    };
    if known.len() > 100 {
        message.fault("substitution", "Size must be between 0 and 100");
    }
    let (mut mentions, mut emojis) = (0, 0);
    for key in known.keys() {
        if !is_word(key) || !(1..=20).contains(&length(key, Unit::Utf16)) {
            message.fault("substitution", "invalid property");
            continue;
        }
        let Some(value) = substitution.object(key, Need::Required) else {
            continue;
        };
        match value.choice("type", Need::Required, &["mention", "emoji"]) {
            Some("mention") => {
                mentions += 1;
                mention(&value, chat);
            }
            Some(_) => {
                emojis += 1;
                value.string("productId", Need::Required);
                value.string("emojiId", Need::Required);
            }
            None => {}
        }
    }
    if mentions > 20 || emojis > 20 {
        message.fault("substitution", "Size must be between 0 and 20");
    }
}

fn mention(value: &Subject<'_>, chat: Chat) {
    if chat == Chat::User {
        value.fault("type", "invalid property");
    }
    let Some(mentionee) = value.object("mentionee", Need::Required) else {
        return;
    };
    if mentionee.choice("type", Need::Required, &["user", "all"]) == Some("user") {
        mentionee.string("userId", Need::Required);
    }
}

/// Whether every brace has its partner, and every `{key}` its substitution.
fn placeholders_are_known(text: &str, known: &Map<String, Value>) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let brace = &rest[at..];
        if let Some(after) = brace
            .strip_prefix("{{")
            .or_else(|| brace.strip_prefix("}}"))
        {
            rest = after;
            continue;
        }
        let Some((key, after)) = brace
            .strip_prefix('{')
            .and_then(|open| open.split_once('}'))
        else {
            return false;
        };
        if !known.contains_key(key) {
            return false;
        }
        rest = after;
    }
    true
}

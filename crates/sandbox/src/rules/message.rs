//! Message objects: what all types share, and the simple types. Templates, imagemaps and Flex messages
//! have files of their own.

use serde_json::{Map, Value};

use super::action::{self, ActionSlot};
use super::length::{LengthUnit, length};
use super::object::{Need, Object};
use super::{Destination, flex, imagemap, template};

const TYPES: [&str; 11] = [
    "text", "textV2", "sticker", "image", "video", "audio", "location", "coupon", "imagemap",
    "template", "flex",
];

/// Checks the message with this index in `messages`.
pub(super) fn check(message: &Object<'_>, index: usize, destination: Destination) {
    let kind = message.choice("type", Need::Required, &TYPES);
    quick_reply(message);
    if let Some(sender) = message.object("sender", Need::Optional) {
        sender.text("name", Need::Optional, 20, LengthUnit::Utf16);
        sender.https("iconUrl", Need::Optional);
    }
    match kind.unwrap_or_default() {
        "text" => text(message),
        "textV2" => text_v2(message, destination),
        "sticker" => {
            message.string("packageId", Need::Required);
            message.string("stickerId", Need::Required);
            message.string("quoteToken", Need::Optional);
        }
        "image" => message.media(),
        "video" => video(message, destination),
        "audio" => {
            message.https("originalContentUrl", Need::Required);
            message.integer("duration", Need::Required, 1..=i64::MAX);
        }
        "location" => {
            message.text("title", Need::Required, 100, LengthUnit::Utf16);
            message.text("address", Need::Required, 100, LengthUnit::Utf16);
            message.number("latitude", -90.0..=90.0);
            message.number("longitude", -180.0..=180.0);
        }
        "coupon" => {
            message.string("couponId", Need::Required);
            if let Some(tag) = message.text("deliveryTag", Need::Optional, 30, LengthUnit::Utf16)
                && !is_word(tag)
            {
                message.reject("deliveryTag", "invalid property");
            }
        }
        "imagemap" => imagemap::check(message),
        "template" => template::check(message, index),
        "flex" => flex::check(message, index),
        _ => {}
    }
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn quick_reply(message: &Object<'_>) {
    let Some(quick_reply) = message.object("quickReply", Need::Optional) else {
        return;
    };
    for item in quick_reply.items("items", Need::Required, 1..=13) {
        item.choice("type", Need::Required, &["action"]);
        item.https("imageUrl", Need::Optional);
        if let Some(action) = item.object("action", Need::Required) {
            action::check(&action, ActionSlot::QuickReply);
        }
    }
}

fn video(message: &Object<'_>, destination: Destination) {
    message.media();
    let Some(id) = message.text("trackingId", Need::Optional, 100, LengthUnit::Utf16) else {
        return;
    };
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-.=,+*()%$&;:@{}!?<>[]".contains(&byte);
    if destination == Destination::Group || !id.bytes().all(allowed) {
        message.reject("trackingId", "invalid property");
    }
}

fn text(message: &Object<'_>) {
    let text = message.text("text", Need::Required, 5000, LengthUnit::Utf16);
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
            emoji.reject("index", "invalid property");
        }
    }
}

fn text_v2(message: &Object<'_>, destination: Destination) {
    let text = message.text("text", Need::Required, 5000, LengthUnit::Utf16);
    message.string("quoteToken", Need::Optional);
    let substitution = message.object("substitution", Need::Optional);
    let empty = Map::new();
    let known = substitution.as_ref().map_or(&empty, |object| object.fields);
    if let Some(text) = text
        && !placeholders_are_known(text, known)
    {
        message.reject("text", "invalid property");
    }
    let Some(substitution) = substitution else {
        return;
    };
    if known.len() > 100 {
        message.reject("substitution", "Size must be between 0 and 100");
    }
    let (mut mentions, mut emojis) = (0, 0);
    for key in known.keys() {
        if !is_word(key) || !(1..=20).contains(&length(key, LengthUnit::Utf16)) {
            message.reject("substitution", "invalid property");
            continue;
        }
        let Some(value) = substitution.object(key, Need::Required) else {
            continue;
        };
        match value.choice("type", Need::Required, &["mention", "emoji"]) {
            Some("mention") => {
                mentions += 1;
                mention(&value, destination);
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
        message.reject("substitution", "Size must be between 0 and 20");
    }
}

fn mention(value: &Object<'_>, destination: Destination) {
    if destination == Destination::User {
        value.reject("type", "invalid property");
    }
    let Some(mentionee) = value.object("mentionee", Need::Required) else {
        return;
    };
    if mentionee.choice("type", Need::Required, &["user", "all"]) == Some("user") {
        mentionee.string("userId", Need::Required);
    }
}

/// Whether all braces are paired, and every `{key}` has a substitution.
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

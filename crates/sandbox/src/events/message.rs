//! Messages from users: completes LINE's message objects from a short description, and keeps the
//! content for download.

use serde_json::{Map, Value, json};

use crate::content::{Content, ContentBytes, ContentFate, ContentKind, PIXEL};
use crate::crypto::base64;
use crate::ids::new_hex;
use crate::nearest::question;
use crate::state::Context;

/// The content types of media whose description names none.
const SAMPLE_TYPES: [(ContentKind, &str); 3] = [
    (ContentKind::Image, "image/png"),
    (ContentKind::Video, "video/mp4"),
    (ContentKind::Audio, "audio/x-m4a"),
];

/// The messages that users send.
const TYPES: [&str; 7] = [
    "text", "image", "video", "audio", "file", "location", "sticker",
];

/// What a description of a message may have, LINE's own properties and what stands for content.
const PROPERTIES: [&str; 24] = [
    "type",
    "id",
    "text",
    "emojis",
    "mention",
    "quoteToken",
    "quotedMessageId",
    "markAsReadToken",
    "contentProvider",
    "duration",
    "fileName",
    "fileSize",
    "imageSet",
    "title",
    "address",
    "latitude",
    "longitude",
    "packageId",
    "stickerId",
    "stickerResourceType",
    "keywords",
    "base64",
    "size",
    "contentType",
];

/// The largest `size` of generated content.
const MAX_FILLER_BYTES: u64 = 1 << 40;

/// Checks a described message and takes its content out of it.
pub(crate) fn parse(
    message: &mut Map<String, Value>,
    event: &str,
) -> Result<Option<Content>, String> {
    if message.contains_key("text") || event == "messageEdited" {
        message.entry("type").or_insert(json!("text"));
    }
    let Some(kind) = message.get("type").and_then(Value::as_str) else {
        return Err(
            "a message is described by `text`, or by `message`, such as \"image\"".to_owned(),
        );
    };
    if event == "messageEdited" && (kind != "text" || !message.contains_key("id")) {
        return Err("an edited message is a text with the `id` that it had".to_owned());
    }
    check_names(message, kind)?;
    let media = match kind {
        "image" => ContentKind::Image,
        "video" => ContentKind::Video,
        "audio" => ContentKind::Audio,
        "file" => ContentKind::File,
        "text" => return check_spans(message).map(|()| None),
        _ => return Ok(None),
    };
    let external = message
        .get("contentProvider")
        .and_then(|from| from.get("type"));
    if external.is_some_and(|kind| kind != "line") {
        return Ok(None);
    }
    content(message, media).map(Some)
}

/// Checks that LINE has such messages, with such properties.
fn check_names(message: &Map<String, Value>, kind: &str) -> Result<(), String> {
    if !TYPES.contains(&kind) {
        let all = format!("there are {}", TYPES.join(", "));
        let question = question(kind, TYPES, &all);
        return Err(format!(
            "users send no message of type `{kind}`; {question}"
        ));
    }
    match message
        .keys()
        .find(|name| !PROPERTIES.contains(&name.as_str()))
    {
        None => Ok(()),
        Some(name) => {
            let question = question(name, PROPERTIES, "`{\"raw\": …}` sends an event as it is");
            Err(format!("a message has no `{name}`; {question}"))
        }
    }
}

/// Checks that emojis and mentions lie within the text, counted in UTF-16 code units.
fn check_spans(message: &Map<String, Value>) -> Result<(), String> {
    let Some(text) = message.get("text").and_then(Value::as_str) else {
        return Err("`text` is a string".to_owned());
    };
    let length = u64::try_from(text.encode_utf16().count()).unwrap_or(u64::MAX);
    let mentions = message.get("mention").and_then(|all| all.get("mentionees"));
    for (name, check_spans) in [("emojis", message.get("emojis")), ("mention", mentions)] {
        for span in check_spans.and_then(Value::as_array).into_iter().flatten() {
            let number = |name: &str| span.get(name).and_then(Value::as_u64);
            let end = number("index").zip(number("length"));
            if end
                .is_none_or(|(index, content_length)| index.saturating_add(content_length) > length)
            {
                return Err(format!(
                    "each of `{name}` has an `index` and a `length` within the {length} UTF-16 units of the text"
                ));
            }
        }
    }
    Ok(())
}

/// The content that `base64`, or `size` and `contentType`, describe; a sample without them.
fn content(message: &mut Map<String, Value>, kind: ContentKind) -> Result<Content, String> {
    let bytes = match (message.remove("base64"), message.remove("size")) {
        (Some(_), Some(_)) => return Err("`base64` and `size` exclude each other".to_owned()),
        (Some(given), None) => {
            let bytes = given.as_str().and_then(base64);
            ContentBytes::Given(bytes.ok_or("`base64` is not base64")?)
        }
        (None, Some(content_length)) => {
            let content_length = content_length
                .as_u64()
                .filter(|content_length| *content_length <= MAX_FILLER_BYTES);
            ContentBytes::Filler(content_length.ok_or("`size` is a number of bytes")?)
        }
        (None, None) if kind == ContentKind::Image => ContentBytes::Given(PIXEL.to_vec()),
        (None, None) => ContentBytes::Filler(10_000),
    };
    let usual = SAMPLE_TYPES.iter().find(|(known, _)| *known == kind);
    let content_type = match message.remove("contentType") {
        Some(Value::String(given)) => Some(given),
        Some(_) => return Err("`contentType` is a string".to_owned()),
        None => usual.map(|(_, usual)| (*usual).to_owned()),
    };
    Ok(Content {
        kind,
        content_type,
        bytes,
        fate: ContentFate::Ready,
    })
}

/// Completes a message, and stores its content under the message's ID.
pub(crate) fn complete(
    ctx: &mut Context<'_>,
    message: &mut Map<String, Value>,
    event: &str,
    content: Option<Content>,
) {
    let said = std::mem::take(message);
    let kind = said.get("type").cloned().unwrap_or_default();
    let kind = kind.as_str().unwrap_or_default();
    let mut add = |name: &str, value: Value| drop(message.insert(name.to_owned(), value));
    add("type", json!(kind));
    add("id", json!(ctx.state.next_message_id().to_string()));
    if matches!(kind, "text" | "image" | "video" | "sticker") {
        add("quoteToken", json!(new_hex()));
    }
    if event == "message" {
        add("markAsReadToken", json!(new_hex()));
    }
    match kind {
        "image" => add("contentProvider", json!({ "type": "line" })),
        "video" | "audio" => {
            add("duration", json!(60_000));
            add("contentProvider", json!({ "type": "line" }));
        }
        "file" => {
            add("fileName", json!("file.txt"));
            add(
                "fileSize",
                json!(content.as_ref().map_or(0, content_length)),
            );
        }
        "location" => {
            add("latitude", json!(35.687_574));
            add("longitude", json!(139.729_22));
        }
        "sticker" => {
            add("packageId", json!("446"));
            add("stickerId", json!("1988"));
            add("stickerResourceType", json!("STATIC"));
        }
        _ => {}
    }
    message.extend(said);
    if let (Some(content), Some(id)) = (content, message.get("id").and_then(Value::as_str)) {
        ctx.state.played.contents.insert(id.to_owned(), content);
    }
}

fn content_length(content: &Content) -> u64 {
    match &content.bytes {
        ContentBytes::Given(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        ContentBytes::Filler(length) => *length,
    }
}

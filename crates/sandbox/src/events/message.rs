//! What users write and send: LINE's message objects, completed from the little that a description
//! says, and the content that can then be downloaded.

use serde_json::{Map, Value, json};

use crate::content::{Content, ContentBytes, ContentFate, ContentKind, PIXEL};
use crate::crypto::base64;
use crate::ids::fresh_hex;
use crate::state::Turn;

/// The content types of what is sent without one being named.
const SAMPLE_TYPES: [(ContentKind, &str); 3] = [
    (ContentKind::Image, "image/png"),
    (ContentKind::Video, "video/mp4"),
    (ContentKind::Audio, "audio/x-m4a"),
];

/// More bytes than this are not made up.
const LONGEST: u64 = 1 << 40;

/// Judges a message of a description and takes its content out of it.
pub(crate) fn read(
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
    let media = match kind {
        "image" => ContentKind::Image,
        "video" => ContentKind::Video,
        "audio" => ContentKind::Audio,
        "file" => ContentKind::File,
        "text" => return spans(message).map(|()| None),
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

/// The places of emojis and mentions must lie within the text, counted in UTF-16 units.
fn spans(message: &Map<String, Value>) -> Result<(), String> {
    let Some(text) = message.get("text").and_then(Value::as_str) else {
        return Err("`text` is a string".to_owned());
    };
    let length = u64::try_from(text.encode_utf16().count()).unwrap_or(u64::MAX);
    let mentions = message.get("mention").and_then(|all| all.get("mentionees"));
    for (name, spans) in [("emojis", message.get("emojis")), ("mention", mentions)] {
        for span in spans.and_then(Value::as_array).into_iter().flatten() {
            let number = |name: &str| span.get(name).and_then(Value::as_u64);
            let end = number("index").zip(number("length"));
            if end.is_none_or(|(index, size)| index.saturating_add(size) > length) {
                return Err(format!(
                    "each of `{name}` has an `index` and a `length` within the {length} UTF-16 units of the text"
                ));
            }
        }
    }
    Ok(())
}

/// The content that `base64` or `size` describe, or a sample; `contentType` goes with it.
fn content(message: &mut Map<String, Value>, kind: ContentKind) -> Result<Content, String> {
    let bytes = match (message.remove("base64"), message.remove("size")) {
        (Some(_), Some(_)) => return Err("`base64` and `size` exclude each other".to_owned()),
        (Some(given), None) => {
            let bytes = given.as_str().and_then(base64);
            ContentBytes::Given(bytes.ok_or("`base64` is not base64")?)
        }
        (None, Some(size)) => {
            let size = size.as_u64().filter(|size| *size <= LONGEST);
            ContentBytes::Filler(size.ok_or("`size` is a number of bytes")?)
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

/// Completes a message, and keeps its content under its ID.
pub(crate) fn fill(
    turn: &mut Turn<'_>,
    message: &mut Map<String, Value>,
    event: &str,
    content: Option<Content>,
) {
    let said = std::mem::take(message);
    let kind = said.get("type").cloned().unwrap_or_default();
    let kind = kind.as_str().unwrap_or_default();
    let mut add = |name: &str, value: Value| drop(message.insert(name.to_owned(), value));
    add("type", json!(kind));
    add("id", json!(turn.state.next_message_id().to_string()));
    if matches!(kind, "text" | "image" | "video" | "sticker") {
        add("quoteToken", json!(fresh_hex()));
    }
    if event == "message" {
        add("markAsReadToken", json!(fresh_hex()));
    }
    match kind {
        "image" => add("contentProvider", json!({ "type": "line" })),
        "video" | "audio" => {
            add("duration", json!(60_000));
            add("contentProvider", json!({ "type": "line" }));
        }
        "file" => {
            add("fileName", json!("file.txt"));
            add("fileSize", json!(content.as_ref().map_or(0, size)));
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
        turn.state.played.contents.put(id.to_owned(), content);
    }
}

fn size(content: &Content) -> u64 {
    match &content.bytes {
        ContentBytes::Given(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        ContentBytes::Filler(length) => *length,
    }
}

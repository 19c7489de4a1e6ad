//! LINE notification messages, which are sent to phone numbers: flexible ones and those from
//! templates. Their delivery counts are in `message::counts`.

use serde_json::{Value, json};

use super::request::{aggregation_units, required_text};
use crate::delivery::{self, Plan};
use crate::http::Answer;
use crate::route::Route;
use crate::rules::{self, Destination};
use crate::state::Context;

pub(crate) const ROUTES: &[Route] = &[
    Route::bot("POST", "/bot/pnp/push", flexible),
    Route::bot("POST", "/v2/bot/message/pnp/templated/push", templated),
];

const TAG: &str = "x-line-delivery-tag";

/// The hashed phone number in the body; checks the delivery tag too.
fn number(ctx: &Context<'_>, body: &Value) -> Result<String, Answer> {
    let tag = ctx.call.headers.get(TAG);
    if tag.is_some_and(|tag| !(16..=100).contains(&tag.chars().count())) {
        let text = "The value for the 'X-Line-Delivery-Tag' header is invalid";
        return Err(Answer::message(400, text));
    }
    let to = required_text(body, "to")?;
    if to.len() != 64 || !to.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let text = "The value must be a valid SHA-256 digest.";
        return Err(Answer::invalid(text, "to"));
    }
    aggregation_units(body)?;
    Ok(to.to_owned())
}

/// Sends, unless the number is unreachable.
fn deliver(
    ctx: &mut Context<'_>,
    kind: &'static str,
    to: &str,
    body: &Value,
) -> Result<Answer, Answer> {
    if ctx.settings.unreachable.contains(to) {
        return Err(Answer::message(422, "Failed to send messages"));
    }
    let plan = Plan::uncounted(kind, json!(to), 1);
    delivery::accept(ctx, &plan, body, None, None);
    let status = if kind == "pnp" { 200 } else { 202 };
    Ok(Answer::json(status, &json!({})))
}

fn flexible(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    let to = number(ctx, &body)?;
    rules::check_send(&body, Destination::User)?;
    let messages = body.get("messages").and_then(Value::as_array);
    for (index, message) in messages.into_iter().flatten().enumerate() {
        if ["image", "video", "audio"]
            .map(Some)
            .contains(&message["type"].as_str())
        {
            let path = format!("messages[{index}].type");
            return Err(Answer::invalid("invalid property", &path));
        }
    }
    deliver(ctx, "pnp", &to, &body)
}

fn templated(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let mut body = ctx.call.json()?;
    let to = number(ctx, &body)?;
    let key = required_text(&body, "templateKey")?;
    if !is_key(key) {
        let text = "The specified template doesn't exist, or you don't have the permission";
        let details = [json!({ "message": text, "property": "templateKey" })];
        let message = format!("Invalid templateKey: {key}");
        let body = json!({ "message": message, "details": details });
        return Err(Answer::json(400, &body));
    }
    let filling = body.get("body").cloned().unwrap_or(json!({}));
    fill(&filling)?;
    body["messages"] = json!({ "templateKey": key, "body": filling });
    deliver(ctx, "pnp/templated", &to, &body)
}

/// Whether a template or item key could exist. LINE publishes the keys online only. All of them end in
/// a language code, and LINE's samples of keys that do not exist end in digits.
fn is_key(key: &str) -> bool {
    let word = key
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let language = key.rsplit('_').next().unwrap_or_default();
    word && (2..key.len()).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Checks the body of a template.
fn fill(body: &Value) -> Result<(), Answer> {
    if !body.is_object() {
        return Err(Answer::invalid_property("'body'"));
    }
    let mut details = Vec::new();
    let items = list(body, "items", 15, &mut details);
    let buttons = list(body, "buttons", 2, &mut details);
    let emphasized = body.get("emphasizedItem");
    let mut keys = Vec::new();
    if let Some(item) = emphasized {
        let path = "body.emphasizedItem".to_owned();
        pair(item, ("itemKey", "content"), 15, &path, &mut details);
        keys.push((path, item));
    }
    for (index, item) in items.iter().enumerate() {
        let path = format!("body.items[{index}]");
        pair(item, ("itemKey", "content"), 300, &path, &mut details);
        keys.push((path, item));
    }
    for (index, button) in buttons.iter().enumerate() {
        let path = format!("body.buttons[{index}]");
        pair(button, ("buttonKey", "url"), 1000, &path, &mut details);
    }
    if !details.is_empty() {
        return Err(Answer::invalid_body(&details));
    }
    exist(&keys)?;
    differ(&keys)
}

/// The elements of an array of at most `most`.
fn list<'a>(body: &'a Value, name: &str, most: usize, details: &mut Vec<Value>) -> &'a [Value] {
    let found = body.get(name).and_then(Value::as_array);
    let found = found.map(Vec::as_slice).unwrap_or_default();
    if found.len() > most {
        let message = format!("Size must be between 0 and {most}");
        details.push(json!({ "message": message, "property": format!("body.{name}") }));
    }
    found
}

/// Checks an item or a button: a key, and a text of at most `most` characters.
fn pair(object: &Value, names: (&str, &str), most: usize, path: &str, details: &mut Vec<Value>) {
    for name in [names.0, names.1] {
        let property = format!("{path}.{name}");
        let text = object.get(name).and_then(Value::as_str).unwrap_or_default();
        if text.is_empty() {
            details.push(json!({ "message": "May not be empty", "property": property }));
        } else if name == names.1 && text.encode_utf16().count() > most {
            let message = format!("Length must be between 0 and {most}");
            details.push(json!({ "message": message, "property": property }));
        }
    }
}

fn item_key(item: &Value) -> &str {
    item.get("itemKey")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn exist(keys: &[(String, &Value)]) -> Result<(), Answer> {
    let unknown = keys.iter().filter(|(_, item)| !is_key(item_key(item)));
    let details: Vec<Value> = unknown
        .map(|(path, item)| {
            let message = format!("The specified item key does not exist: {}", item_key(item));
            json!({ "message": message, "property": format!("{path}.itemKey") })
        })
        .collect();
    if details.is_empty() {
        return Ok(());
    }
    let message = format!("The request body has {} invalid key(s).", details.len());
    let body = json!({ "message": message, "details": details });
    Err(Answer::json(400, &body))
}

fn differ(keys: &[(String, &Value)]) -> Result<(), Answer> {
    for (index, (path, item)) in keys.iter().enumerate() {
        let key = item_key(item);
        if keys
            .iter()
            .skip(index + 1)
            .any(|(_, other)| item_key(other) == key)
        {
            let rule =
                "Duplicate itemKey in items or between emphasizedItem and items are not allowed";
            let path = format!("{path}.itemKey");
            return Err(Answer::invalid(&format!("{rule}: {key}"), &path));
        }
    }
    Ok(())
}

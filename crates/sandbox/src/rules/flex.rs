//! Flex messages: containers, their sizes and their blocks. The components are in `flex_component`.

use serde_json::Value;

use super::action::{self, ActionSlot};
use super::flex_component::{check_box, check_component};
use super::length::LengthUnit;
use super::object::{Need, Object, PathStyle};

const SIZES: [&str; 7] = ["nano", "micro", "deca", "hecto", "kilo", "mega", "giga"];

const MAX_BUBBLE_BYTES: usize = 30 * 1024;
const MAX_CAROUSEL_BYTES: usize = 50 * 1024;

/// LINE's limit of animated images in a message.
const MAX_ANIMATED: usize = 10;

pub(super) fn check(message: &Object<'_>, index: usize) {
    message.text("altText", Need::Required, 1500, LengthUnit::Utf16);
    let Some(contents) = message.object("contents", Need::Required) else {
        return;
    };
    let container = contents.with_style(PathStyle::Flex(index), "");
    let written = message.fields.get("contents");
    let bytes = written.map_or(0, |contents| contents.to_string().len());
    match container.choice("type", Need::Required, &["bubble", "carousel"]) {
        Some("bubble") => {
            if bytes > MAX_BUBBLE_BYTES {
                container.reject("", "may not be larger than 30 KB");
            }
            bubble(&container, false);
        }
        Some(_) => {
            if bytes > MAX_CAROUSEL_BYTES {
                container.reject("", "may not be larger than 50 KB");
            }
            carousel(&container);
        }
        None => {}
    }
    if written.map_or(0, animated) > MAX_ANIMATED {
        container.reject("", "may not have more than 10 animated images");
    }
}

fn carousel(container: &Object<'_>) {
    let bubbles = container.items("contents", Need::Required, 1..=12);
    let size = |bubble: &Object<'_>| {
        bubble
            .fields
            .get("size")
            .and_then(Value::as_str)
            .unwrap_or("mega")
            .to_owned()
    };
    let first = bubbles.first().map(size);
    for one in &bubbles {
        one.choice("type", Need::Required, &["bubble"]);
        if Some(size(one)) != first {
            one.reject("size", "must be the same in all bubbles of a carousel");
        }
        bubble(one, true);
    }
}

fn bubble(bubble: &Object<'_>, in_carousel: bool) {
    let size = bubble
        .choice("size", Need::Optional, &SIZES)
        .unwrap_or("mega");
    bubble.choice("direction", Need::Optional, &["ltr", "rtl"]);
    for block in ["header", "body", "footer"] {
        if let Some(block) = bubble.object(block, Need::Optional)
            && block.choice("type", Need::Required, &["box"]).is_some()
        {
            check_box(&block);
        }
    }
    if let Some(hero) = bubble.object("hero", Need::Optional) {
        match hero.choice("type", Need::Required, &["box", "image", "video"]) {
            Some("video") => {
                if in_carousel || !["kilo", "mega", "giga"].contains(&size) {
                    hero.reject("type", "invalid property");
                }
                video(&hero);
            }
            Some(_) => check_component(&hero, &["box", "image"]),
            None => {}
        }
    }
    if let Some(action) = bubble.object("action", Need::Optional) {
        action::check(&action, ActionSlot::FlexOther);
    }
}

fn video(hero: &Object<'_>) {
    hero.https("url", Need::Required);
    hero.https("previewUrl", Need::Required);
    hero.string("aspectRatio", Need::Optional);
    if let Some(alternative) = hero.object("altContent", Need::Required) {
        check_component(&alternative, &["box", "image"]);
    }
    if let Some(action) = hero.object("action", Need::Optional) {
        action::check(&action, ActionSlot::FlexVideo);
    }
}

/// The number of animated images at any depth.
fn animated(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(animated).sum(),
        Value::Object(members) => {
            let itself = members.get("animated") == Some(&Value::Bool(true));
            usize::from(itself) + members.values().map(animated).sum::<usize>()
        }
        _ => 0,
    }
}

//! Flex messages: the containers, their sizes and their blocks. What stands inside a box is
//! `flex_component`'s part.

use serde_json::Value;

use super::action::{self, Slot};
use super::count::Unit;
use super::flex_component::{boxed, component};
use super::subject::{Need, Style, Subject};

const SIZES: [&str; 7] = ["nano", "micro", "deca", "hecto", "kilo", "mega", "giga"];

const BUBBLE_CAP: usize = 30 * 1024;
const CAROUSEL_CAP: usize = 50 * 1024;

/// More animated images than this in one message, and LINE refuses to send it.
const MOST_ANIMATED: usize = 10;

pub(super) fn judge(message: &Subject<'_>, index: usize) {
    message.text("altText", Need::Required, 1500, Unit::Utf16);
    let Some(contents) = message.object("contents", Need::Required) else {
        return;
    };
    let container = contents.restyled(Style::Flex(index), "");
    let written = message.fields.get("contents");
    let bytes = written.map_or(0, |contents| contents.to_string().len());
    match container.choice("type", Need::Required, &["bubble", "carousel"]) {
        Some("bubble") => {
            if bytes > BUBBLE_CAP {
                container.fault("", "may not be larger than 30 KB");
            }
            bubble(&container, false);
        }
        Some(_) => {
            if bytes > CAROUSEL_CAP {
                container.fault("", "may not be larger than 50 KB");
            }
            carousel(&container);
        }
        None => {}
    }
    if written.map_or(0, animated) > MOST_ANIMATED {
        container.fault("", "may not have more than 10 animated images");
    }
}

fn carousel(container: &Subject<'_>) {
    let bubbles = container.items("contents", Need::Required, 1..=12);
    let size = |bubble: &Subject<'_>| {
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
            one.fault("size", "must be the same in all bubbles of a carousel");
        }
        bubble(one, true);
    }
}

fn bubble(bubble: &Subject<'_>, in_carousel: bool) {
    let size = bubble
        .choice("size", Need::Optional, &SIZES)
        .unwrap_or("mega");
    bubble.choice("direction", Need::Optional, &["ltr", "rtl"]);
    for block in ["header", "body", "footer"] {
        if let Some(block) = bubble.object(block, Need::Optional)
            && block.choice("type", Need::Required, &["box"]).is_some()
        {
            boxed(&block);
        }
    }
    if let Some(hero) = bubble.object("hero", Need::Optional) {
        match hero.choice("type", Need::Required, &["box", "image", "video"]) {
            Some("video") => {
                if in_carousel || !["kilo", "mega", "giga"].contains(&size) {
                    hero.fault("type", "invalid property");
                }
                video(&hero);
            }
            Some(_) => component(&hero, &["box", "image"]),
            None => {}
        }
    }
    if let Some(action) = bubble.object("action", Need::Optional) {
        action::judge(&action, Slot::FlexOther);
    }
}

fn video(hero: &Subject<'_>) {
    hero.https("url", Need::Required);
    hero.https("previewUrl", Need::Required);
    hero.string("aspectRatio", Need::Optional);
    if let Some(alternative) = hero.object("altContent", Need::Required) {
        component(&alternative, &["box", "image"]);
    }
    if let Some(action) = hero.object("action", Need::Optional) {
        action::judge(&action, Slot::FlexVideo);
    }
}

/// Animated images anywhere below.
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

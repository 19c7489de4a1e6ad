//! Imagemap messages, with their own kind of actions. LINE does not document whether areas may overlap
//! or exceed the image, so that is not checked.

use super::length::LengthUnit;
use super::object::{Need, Object};

const SCHEMES: [&str; 4] = ["http", "https", "line", "tel"];

pub(super) fn check(message: &Object<'_>) {
    message.https("baseUrl", Need::Required);
    message.text("altText", Need::Required, 1500, LengthUnit::Utf16);
    if let Some(size) = message.object("baseSize", Need::Required) {
        size.integer("width", Need::Required, 1040..=1040);
        size.integer("height", Need::Required, 1..=i64::MAX);
    }
    if let Some(video) = message.object("video", Need::Optional) {
        video.media();
        area(&video);
        if let Some(link) = video.object("externalLink", Need::Optional) {
            link.uri("linkUri", Need::Required, 1000, &SCHEMES);
            link.text("label", Need::Required, 30, LengthUnit::Utf16);
        }
    }
    for action in message.items("actions", Need::Required, 0..=50) {
        match action.choice("type", Need::Required, &["uri", "message", "clipboard"]) {
            Some("uri") => action.uri("linkUri", Need::Required, 1000, &SCHEMES),
            Some("message") => drop(action.text("text", Need::Required, 400, LengthUnit::Utf16)),
            Some(_) => drop(action.text("clipboardText", Need::Required, 1000, LengthUnit::Utf16)),
            None => continue,
        }
        action.text("label", Need::Optional, 100, LengthUnit::Utf16);
        area(&action);
    }
}

fn area(holder: &Object<'_>) {
    let Some(area) = holder.object("area", Need::Required) else {
        return;
    };
    for key in ["x", "y", "width", "height"] {
        area.integer(key, Need::Required, 0..=i64::MAX);
    }
}

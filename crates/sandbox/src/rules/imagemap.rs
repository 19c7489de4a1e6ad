//! Imagemap messages, with their own species of actions and areas. Whether areas overlap or leave
//! the image is not documented, and not judged.

use super::count::Unit;
use super::subject::{Need, Subject};

const SCHEMES: [&str; 4] = ["http", "https", "line", "tel"];

pub(super) fn judge(message: &Subject<'_>) {
    message.https("baseUrl", Need::Required);
    message.text("altText", Need::Required, 1500, Unit::Utf16);
    if let Some(size) = message.object("baseSize", Need::Required) {
        size.integer("width", Need::Required, 1040..=1040);
        size.integer("height", Need::Required, 1..=i64::MAX);
    }
    if let Some(video) = message.object("video", Need::Optional) {
        video.media();
        area(&video);
        if let Some(link) = video.object("externalLink", Need::Optional) {
            link.uri("linkUri", Need::Required, 1000, &SCHEMES);
            link.text("label", Need::Required, 30, Unit::Utf16);
        }
    }
    for action in message.items("actions", Need::Required, 0..=50) {
        match action.choice("type", Need::Required, &["uri", "message", "clipboard"]) {
            Some("uri") => action.uri("linkUri", Need::Required, 1000, &SCHEMES),
            Some("message") => drop(action.text("text", Need::Required, 400, Unit::Utf16)),
            Some(_) => drop(action.text("clipboardText", Need::Required, 1000, Unit::Utf16)),
            None => continue,
        }
        action.text("label", Need::Optional, 100, Unit::Utf16);
        area(&action);
    }
}

fn area(holder: &Subject<'_>) {
    let Some(area) = holder.object("area", Need::Required) else {
        return;
    };
    for key in ["x", "y", "width", "height"] {
        area.integer(key, Need::Required, 0..=i64::MAX);
    }
}

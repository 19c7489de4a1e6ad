//! What stands inside Flex boxes: which component may be where, and what each needs. Sizes, spacings
//! and offsets are judged by their spelling only where one mistake is common.

use super::action::{self, Slot};
use super::subject::{Need, Subject};

const IN_BOX: [&str; 6] = ["box", "button", "image", "text", "separator", "filler"];
const IN_BASELINE: [&str; 3] = ["icon", "text", "filler"];

const WORDS: [&str; 7] = ["none", "xs", "sm", "md", "lg", "xl", "xxl"];

/// Judges a box; its `type` is known already.
pub(super) fn boxed(subject: &Subject<'_>) {
    let layout = subject.choice(
        "layout",
        Need::Required,
        &["horizontal", "vertical", "baseline"],
    );
    let allowed: &[&str] = if layout == Some("baseline") {
        &IN_BASELINE
    } else {
        &IN_BOX
    };
    for one in subject.items("contents", Need::Required, 0..=usize::MAX) {
        component(&one, allowed);
    }
    for key in ["backgroundColor", "borderColor"] {
        color(subject, key);
    }
    spacing(subject, "spacing");
    common(subject);
    let sides = ["center", "flex-start", "flex-end"];
    subject.choice("alignItems", Need::Optional, &sides);
    let spread = [
        "center",
        "flex-start",
        "flex-end",
        "space-between",
        "space-around",
        "space-evenly",
    ];
    subject.choice("justifyContent", Need::Optional, &spread);
    if let Some(background) = subject.object("background", Need::Optional) {
        background.choice("type", Need::Required, &["linearGradient"]);
        background.string("angle", Need::Required);
        for key in ["startColor", "endColor"] {
            background.string(key, Need::Required);
            color(&background, key);
        }
    }
    touch(subject, Slot::FlexOther, Need::Optional);
}

/// Judges one component where only some are allowed.
pub(super) fn component(subject: &Subject<'_>, allowed: &[&str]) {
    let Some(kind) = subject.string("type", Need::Required) else {
        return;
    };
    if !allowed.contains(&kind) {
        return subject.fault("type", "invalid property");
    }
    match kind {
        "box" => return boxed(subject),
        "button" => {
            touch(subject, Slot::FlexButton, Need::Required);
            subject.choice("style", Need::Optional, &["primary", "secondary", "link"]);
            subject.choice("height", Need::Optional, &["sm", "md"]);
            color(subject, "color");
        }
        "image" => {
            subject.https("url", Need::Required);
            subject.choice("aspectMode", Need::Optional, &["fit", "cover"]);
            subject.boolean("animated", Need::Optional);
            color(subject, "backgroundColor");
            touch(subject, Slot::FlexOther, Need::Optional);
        }
        "icon" => subject.https("url", Need::Required),
        "text" => text(subject),
        "separator" => color(subject, "color"),
        _ => {}
    }
    common(subject);
}

fn text(subject: &Subject<'_>) {
    let spans = subject.items("contents", Need::Optional, 0..=usize::MAX);
    if spans.is_empty() {
        subject.string("text", Need::Required);
    }
    for span in &spans {
        span.choice("type", Need::Required, &["span"]);
        style(span);
    }
    style(subject);
    subject.boolean("wrap", Need::Optional);
    subject.integer("maxLines", Need::Optional, 0..=i64::MAX);
    touch(subject, Slot::FlexOther, Need::Optional);
}

/// What texts and spans have in common.
fn style(subject: &Subject<'_>) {
    subject.choice("weight", Need::Optional, &["regular", "bold"]);
    subject.choice("style", Need::Optional, &["normal", "italic"]);
    subject.choice(
        "decoration",
        Need::Optional,
        &["none", "underline", "line-through"],
    );
    color(subject, "color");
}

/// What nearly all components have in common.
fn common(subject: &Subject<'_>) {
    subject.integer("flex", Need::Optional, 0..=i64::MAX);
    spacing(subject, "margin");
    subject.choice("position", Need::Optional, &["relative", "absolute"]);
    subject.choice("align", Need::Optional, &["start", "end", "center"]);
    subject.choice("gravity", Need::Optional, &["top", "bottom", "center"]);
    // Empty optional strings are refused like empty required ones.
    subject.string("size", Need::Optional);
}

fn touch(subject: &Subject<'_>, slot: Slot, need: Need) {
    if let Some(action) = subject.object("action", need) {
        action::judge(&action, slot);
    }
}

/// `#RRGGBB` or `#RRGGBBAA`.
fn color(subject: &Subject<'_>, key: &str) {
    let Some(text) = subject.string(key, Need::Optional) else {
        return;
    };
    let digits = text.strip_prefix('#').unwrap_or_default();
    if !matches!(digits.len(), 6 | 8) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        subject.fault(key, "invalid property");
    }
}

/// A word, or a number of pixels.
fn spacing(subject: &Subject<'_>, key: &str) {
    let Some(text) = subject.string(key, Need::Optional) else {
        return;
    };
    let pixels = text.strip_suffix("px").is_some_and(|number| {
        number.starts_with(|first: char| first.is_ascii_digit()) && number.parse::<f64>().is_ok()
    });
    if !pixels && !WORDS.contains(&text) {
        subject.fault(key, "invalid property");
    }
}

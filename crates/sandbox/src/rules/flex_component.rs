//! The components of Flex messages: which may be where, what each requires, and how lengths are
//! written.

use super::action::{self, ActionSlot};
use super::object::{Need, Object};

const IN_BOX: [&str; 6] = ["box", "button", "image", "text", "separator", "filler"];
const IN_BASELINE: [&str; 3] = ["icon", "text", "filler"];

const SPACING_KEYWORDS: [&str; 7] = ["none", "xs", "sm", "md", "lg", "xl", "xxl"];
const BORDER_KEYWORDS: [&str; 6] = ["none", "light", "normal", "medium", "semi-bold", "bold"];
const SIZE_KEYWORDS: [&str; 11] = [
    "xxs", "xs", "sm", "md", "lg", "xl", "xxl", "3xl", "4xl", "5xl", "full",
];

/// Checks a box, whose `type` is known already.
pub(super) fn check_box(object: &Object<'_>) {
    let layout = object.choice(
        "layout",
        Need::Required,
        &["horizontal", "vertical", "baseline"],
    );
    let allowed: &[&str] = if layout == Some("baseline") {
        &IN_BASELINE
    } else {
        &IN_BOX
    };
    for one in object.items("contents", Need::Required, 0..=usize::MAX) {
        check_component(&one, allowed);
    }
    for key in ["backgroundColor", "borderColor"] {
        color(object, key);
    }
    spacing(object, "spacing");
    for side in ["All", "Top", "Bottom", "Start", "End"] {
        measure(object, &format!("padding{side}"), &SPACING_KEYWORDS, 0.0);
    }
    measure(object, "cornerRadius", &SPACING_KEYWORDS, 0.0);
    measure(object, "borderWidth", &BORDER_KEYWORDS, 0.0);
    for key in ["width", "maxWidth", "height", "maxHeight"] {
        measure(object, key, &[], 0.0);
    }
    common_properties(object);
    let sides = ["center", "flex-start", "flex-end"];
    object.choice("alignItems", Need::Optional, &sides);
    let spread = [
        "center",
        "flex-start",
        "flex-end",
        "space-between",
        "space-around",
        "space-evenly",
    ];
    object.choice("justifyContent", Need::Optional, &spread);
    if let Some(background) = object.object("background", Need::Optional) {
        background.choice("type", Need::Required, &["linearGradient"]);
        background.string("angle", Need::Required);
        for key in ["startColor", "endColor"] {
            background.string(key, Need::Required);
            color(&background, key);
        }
    }
    tap_action(object, ActionSlot::FlexOther, Need::Optional);
}

/// Checks a component; `allowed` are the types that may stand here.
pub(super) fn check_component(object: &Object<'_>, allowed: &[&str]) {
    let Some(kind) = object.string("type", Need::Required) else {
        return;
    };
    if !allowed.contains(&kind) {
        return object.reject("type", "invalid property");
    }
    match kind {
        "box" => return check_box(object),
        "button" => {
            tap_action(object, ActionSlot::FlexButton, Need::Required);
            object.choice("style", Need::Optional, &["primary", "secondary", "link"]);
            object.choice("height", Need::Optional, &["sm", "md"]);
            color(object, "color");
        }
        "image" => {
            object.https("url", Need::Required);
            object.choice("aspectMode", Need::Optional, &["fit", "cover"]);
            object.boolean("animated", Need::Optional);
            color(object, "backgroundColor");
            tap_action(object, ActionSlot::FlexOther, Need::Optional);
        }
        "icon" => object.https("url", Need::Required),
        "text" => text(object),
        "separator" => color(object, "color"),
        _ => {}
    }
    common_properties(object);
}

fn text(object: &Object<'_>) {
    let spans = object.items("contents", Need::Optional, 0..=usize::MAX);
    if spans.is_empty() {
        object.string("text", Need::Required);
    }
    for span in &spans {
        span.choice("type", Need::Required, &["span"]);
        style(span);
    }
    style(object);
    measure(object, "lineSpacing", &[], 0.0);
    object.boolean("wrap", Need::Optional);
    object.integer("maxLines", Need::Optional, 0..=i64::MAX);
    tap_action(object, ActionSlot::FlexOther, Need::Optional);
}

/// The properties that texts and spans share.
fn style(object: &Object<'_>) {
    object.choice("weight", Need::Optional, &["regular", "bold"]);
    object.choice("style", Need::Optional, &["normal", "italic"]);
    object.choice(
        "decoration",
        Need::Optional,
        &["none", "underline", "line-through"],
    );
    color(object, "color");
}

/// The properties that nearly all components share.
fn common_properties(object: &Object<'_>) {
    object.integer("flex", Need::Optional, 0..=i64::MAX);
    spacing(object, "margin");
    object.choice("position", Need::Optional, &["relative", "absolute"]);
    object.choice("align", Need::Optional, &["start", "end", "center"]);
    object.choice("gravity", Need::Optional, &["top", "bottom", "center"]);
    measure(object, "size", &SIZE_KEYWORDS, 0.0);
    for side in ["Top", "Bottom", "Start", "End"] {
        let key = format!("offset{side}");
        measure(object, &key, &SPACING_KEYWORDS, f64::NEG_INFINITY);
    }
}

fn tap_action(object: &Object<'_>, slot: ActionSlot, need: Need) {
    if let Some(action) = object.object("action", need) {
        action::check(&action, slot);
    }
}

/// `#RRGGBB` or `#RRGGBBAA`.
fn color(object: &Object<'_>, key: &str) {
    let Some(text) = object.string(key, Need::Optional) else {
        return;
    };
    let digits = text.strip_prefix('#').unwrap_or_default();
    if !matches!(digits.len(), 6 | 8) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        object.reject(key, "invalid property");
    }
}

/// A keyword, or a number of pixels.
fn spacing(object: &Object<'_>, key: &str) {
    let Some(text) = object.string(key, Need::Optional) else {
        return;
    };
    let pixels = text.strip_suffix("px").is_some_and(|number| {
        number.starts_with(|first: char| first.is_ascii_digit()) && number.parse::<f64>().is_ok()
    });
    if !pixels && !SPACING_KEYWORDS.contains(&text) {
        object.reject(key, "invalid property");
    }
}

/// A keyword, or a number from `least` on of pixels or percent. Empty optional strings are refused like
/// empty required ones.
fn measure(object: &Object<'_>, key: &str, keywords: &[&str], least: f64) {
    let Some(text) = object.string(key, Need::Optional) else {
        return;
    };
    let number = text.strip_suffix("px").or_else(|| text.strip_suffix('%'));
    let number = number.and_then(|number| number.parse::<f64>().ok());
    let fits = number.is_some_and(|number| number.is_finite() && number >= least);
    if !fits && !keywords.contains(&text) {
        object.reject(key, "invalid property");
    }
}

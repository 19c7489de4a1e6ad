//! Flex Messages that look alike: sizes, colours and spacing stand here. Texts wrap, pictures fill their
//! width, long labels shrink; a bubble is as wide as LINE's own cards.

use line_connector_text::length::{code_points, json_bytes};
use serde_json::{Map, Value, json};

/// The most that a bubble may have as JSON, bytes. LINE does not say which KB it means.
pub(crate) const MAX_BUBBLE: usize = 30_000;

/// The most that a carousel may have as JSON, bytes.
pub(crate) const MAX_CAROUSEL: usize = 50_000;

/// The most bubbles in a carousel.
pub(crate) const MAX_BUBBLES: usize = 12;

/// The most characters on a button.
pub(crate) const MAX_LABEL: usize = 40;

/// Labels of more characters shrink where they do not fit.
const LONG_LABEL: usize = 16;

/// Secondary text: readable on white, lighter than a title.
const GREY: &str = "#666666";

/// An object of these members. `json!` would copy what is put into it, and grow.
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    /// Room for what `set` adds.
    const MORE: usize = 2;
    let mut object = Map::with_capacity(N + MORE);
    for (name, value) in members {
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

/// How a text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Title,
    Body,
    /// Below a title.
    Description,
    /// Small and grey: headings of sections, types of numbers.
    Note,
    /// The name of a row.
    Row,
}

pub(crate) fn text(text: &str, look: Look) -> Value {
    let (size, color, bold) = match look {
        Look::Title => ("lg", None, true),
        Look::Body => ("md", None, false),
        Look::Description => ("sm", Some(GREY), false),
        Look::Note => ("xs", Some(GREY), true),
        Look::Row => ("sm", None, false),
    };
    let mut component = object([
        ("type", "text".into()),
        ("text", text.into()),
        ("size", size.into()),
        ("wrap", true.into()),
    ]);
    if let Some(color) = color {
        set(&mut component, "color", color);
    }
    if bold {
        set(&mut component, "weight", "bold");
    }
    component
}

pub(crate) fn button(action: Value) -> Value {
    let label = action.get("label").and_then(Value::as_str);
    let is_long = label.is_some_and(|label| code_points(label) > LONG_LABEL);
    let mut button = object([
        ("type", "button".into()),
        ("height", "sm".into()),
        ("action", action),
    ]);
    if is_long {
        set(&mut button, "adjustMode", "shrink-to-fit");
    }
    button
}

pub(crate) fn image(url: &str, ratio: &str) -> Value {
    object([
        ("type", "image".into()),
        ("url", url.into()),
        ("size", "full".into()),
        ("aspectRatio", ratio.into()),
        ("aspectMode", "cover".into()),
    ])
}

pub(crate) fn separator() -> Value {
    json!({"type": "separator", "margin": "lg"})
}

pub(crate) fn column(contents: Vec<Value>) -> Value {
    arranged("vertical", "sm", contents)
}

pub(crate) fn row(contents: Vec<Value>) -> Value {
    arranged("horizontal", "md", contents)
}

fn arranged(layout: &str, spacing: &str, contents: Vec<Value>) -> Value {
    object([
        ("type", "box".into()),
        ("layout", layout.into()),
        ("spacing", spacing.into()),
        ("contents", contents.into()),
    ])
}

/// Adds a member to an object.
pub(crate) fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value.into());
    }
}

/// A bubble of what is there of picture, texts and buttons, from top to bottom.
pub(crate) fn bubble(hero: Option<Value>, body: Vec<Value>, footer: Vec<Value>) -> Value {
    let mut bubble = Map::with_capacity(6);
    let rtl = body.iter().any(is_right_to_left);
    bubble.insert("type".to_owned(), "bubble".into());
    if rtl {
        bubble.insert("direction".to_owned(), "rtl".into());
    }
    let separated = hero.is_some() || !body.is_empty();
    if let Some(hero) = hero {
        bubble.insert("hero".to_owned(), hero);
    }
    if !body.is_empty() {
        bubble.insert("body".to_owned(), column(body));
    }
    if !footer.is_empty() {
        bubble.insert("footer".to_owned(), column(footer));
        if separated {
            bubble.insert("styles".to_owned(), json!({"footer": {"separator": true}}));
        }
    }
    Value::Object(bubble)
}

/// Whether a component's text is Hebrew, Arabic or the like, by its first letter.
fn is_right_to_left(component: &Value) -> bool {
    let text = component
        .get("text")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let letter = text.chars().find(|character| character.is_alphabetic());
    letter.is_some_and(|letter| {
        matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
    })
}

/// A Flex Message of one bubble, or of a carousel.
pub(crate) fn message(mut bubbles: Vec<Value>, alt_text: String) -> Value {
    let contents = if bubbles.len() == 1 {
        bubbles.remove(0)
    } else {
        for bubble in &mut bubbles {
            set(bubble, "size", "kilo");
        }
        object([("type", "carousel".into()), ("contents", bubbles.into())])
    };
    object([
        ("type", "flex".into()),
        ("altText", alt_text.into()),
        ("contents", contents),
    ])
}

/// A template message.
pub(crate) fn template(template: Value, alt_text: String) -> Value {
    object([
        ("type", "template".into()),
        ("altText", alt_text.into()),
        ("template", template),
    ])
}

/// Bubbles in as many carousels as LINE's limits make necessary.
pub(crate) fn carousels(bubbles: Vec<Value>) -> Vec<Vec<Value>> {
    /// What a carousel adds to each bubble: its `size` and a comma.
    const MORE: usize = 20;
    let mut carousels: Vec<Vec<Value>> = Vec::new();
    let mut bytes = 0;
    for bubble in bubbles {
        let own = json_bytes(&bubble) + MORE;
        match carousels.last_mut() {
            Some(last) if last.len() < MAX_BUBBLES && bytes + own + 2 * MORE <= MAX_CAROUSEL => {
                bytes += own;
                last.push(bubble);
            }
            _ => {
                bytes = own;
                carousels.push(vec![bubble]);
            }
        }
    }
    carousels
}

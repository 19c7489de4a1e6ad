//! Action objects: which types are allowed where, how long their labels may be there, and what each
//! requires. Imagemap actions are different and are in `imagemap`.

use serde_json::Value;

use super::length::LengthUnit;
use super::object::{Need, Object};

/// Where an action stands, which decides the types and the label that it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActionSlot {
    QuickReply,
    Template,
    ImageCarousel,
    FlexButton,
    FlexOther,
    FlexVideo,
    RichMenu,
}

impl ActionSlot {
    fn kinds(self) -> &'static [&'static str] {
        match self {
            ActionSlot::QuickReply => &[
                "postback",
                "message",
                "uri",
                "datetimepicker",
                "camera",
                "cameraRoll",
                "location",
                "clipboard",
            ],
            ActionSlot::FlexVideo => &["uri"],
            // LINE documents the camera for quick replies only, but accepts it here:
            // https://github.com/line/line-bot-mcp-server/issues/121
            ActionSlot::RichMenu => &[
                "postback",
                "message",
                "uri",
                "datetimepicker",
                "richmenuswitch",
                "clipboard",
                "camera",
            ],
            _ => &["postback", "message", "uri", "datetimepicker", "clipboard"],
        }
    }

    fn label(self) -> (Need, usize) {
        match self {
            ActionSlot::QuickReply | ActionSlot::Template => (Need::Required, 20),
            ActionSlot::ImageCarousel => (Need::Optional, 12),
            ActionSlot::RichMenu => (Need::Optional, 20),
            ActionSlot::FlexButton => (Need::Required, 40),
            ActionSlot::FlexOther | ActionSlot::FlexVideo => (Need::Optional, 40),
        }
    }
}

pub(super) fn check(action: &Object<'_>, slot: ActionSlot) {
    let Some(kind) = action.choice("type", Need::Required, slot.kinds()) else {
        return;
    };
    let (need, most) = slot.label();
    action.text("label", need, most, LengthUnit::Grapheme);
    match kind {
        "postback" => postback(action, slot),
        "message" => drop(action.text("text", Need::Required, 300, LengthUnit::Grapheme)),
        "uri" => {
            let schemes = &["http", "https", "line", "tel"];
            action.uri("uri", Need::Required, 1000, schemes);
            let uri = action.fields.get("uri").and_then(Value::as_str);
            let ending = uri.and_then(|uri| uri.rsplit_once('.'));
            if ending.is_some_and(|(_, ending)| ending == "apk") {
                action.reject("uri", "invalid uri");
            }
            if let Some(desktop) = action.object("altUri", Need::Optional) {
                desktop.uri("desktop", Need::Required, 1000, schemes);
            }
        }
        "datetimepicker" => date_time(action),
        "richmenuswitch" => {
            action.text("richMenuAliasId", Need::Required, 32, LengthUnit::Utf16);
            action.text("data", Need::Required, 300, LengthUnit::Utf16);
        }
        "clipboard" => drop(action.text("clipboardText", Need::Required, 1000, LengthUnit::Utf16)),
        _ => {}
    }
}

fn postback(action: &Object<'_>, slot: ActionSlot) {
    action.text("data", Need::Required, 300, LengthUnit::Utf16);
    let shown = action.text("displayText", Need::Optional, 300, LengthUnit::Grapheme);
    let old = action.text("text", Need::Optional, 300, LengthUnit::Grapheme);
    if old.is_some() && (shown.is_some() || slot == ActionSlot::QuickReply) {
        action.reject("text", "Must not be specified");
    }
    let options = ["closeRichMenu", "openRichMenu", "openKeyboard", "openVoice"];
    action.choice("inputOption", Need::Optional, &options);
    action.text("fillInText", Need::Optional, 300, LengthUnit::Grapheme);
}

fn date_time(action: &Object<'_>) {
    action.text("data", Need::Required, 300, LengthUnit::Utf16);
    let Some(mode) = action.choice("mode", Need::Required, &["date", "time", "datetime"]) else {
        return;
    };
    let moment = |key| {
        let text = action.string(key, Need::Optional)?;
        let read = parse_moment(mode, text);
        if read.is_none() {
            action.reject(key, "invalid property");
        }
        read
    };
    let (_initial, least, most) = (moment("initial"), moment("min"), moment("max"));
    if let (Some(least), Some(most)) = (least, most)
        && least >= most
    {
        action.reject("min", "invalid property");
    }
}

/// Parses a picker's value as numbers that compare by time.
fn parse_moment(mode: &str, text: &str) -> Option<Vec<u32>> {
    let numbers = |text: &str, mark: char, widths: &[usize]| {
        let parts: Vec<&str> = text.split(mark).collect();
        let fits = parts.len() == widths.len()
            && parts.iter().zip(widths).all(|(part, width)| {
                part.len() == *width && part.bytes().all(|byte| byte.is_ascii_digit())
            });
        if !fits {
            return None;
        }
        parts
            .into_iter()
            .map(|part| part.parse().ok())
            .collect::<Option<Vec<u32>>>()
    };
    let date = |text: &str| {
        let date = numbers(text, '-', &[4, 2, 2])?;
        let exists = crate::calendar::parse_day(&text.replace('-', "")).is_some();
        (exists && (1900..=2100).contains(date.first()?)).then_some(date)
    };
    let time = |text: &str| {
        let time = numbers(text, ':', &[2, 2])?;
        (time <= vec![23, 59] && *time.get(1)? <= 59).then_some(time)
    };
    match mode {
        "date" => date(text),
        "time" => time(text),
        _ => {
            let (day, clock) = text.split_once(['T', 't'])?;
            let mut both = date(day)?;
            both.extend(time(clock)?);
            Some(both)
        }
    }
}

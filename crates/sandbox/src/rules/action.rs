//! Action objects: which ones a place allows, how long their labels may be there, and what each
//! needs. Imagemap actions are another species and live with the imagemap.

use super::count::Unit;
use super::subject::{Need, Subject};

/// What holds an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    QuickReply,
    Template,
    ImageCarousel,
    FlexButton,
    FlexOther,
    FlexVideo,
    RichMenu,
}

impl Slot {
    fn kinds(self) -> &'static [&'static str] {
        match self {
            Slot::QuickReply => &[
                "postback",
                "message",
                "uri",
                "datetimepicker",
                "camera",
                "cameraRoll",
                "location",
                "clipboard",
            ],
            Slot::FlexVideo => &["uri"],
            // The camera is for quick replies only, and yet LINE takes it here:
            // https://github.com/line/line-bot-mcp-server/issues/121
            Slot::RichMenu => &[
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
            Slot::QuickReply | Slot::Template => (Need::Required, 20),
            Slot::ImageCarousel => (Need::Optional, 12),
            Slot::RichMenu => (Need::Optional, 20),
            Slot::FlexButton => (Need::Required, 40),
            Slot::FlexOther | Slot::FlexVideo => (Need::Optional, 40),
        }
    }
}

pub(super) fn judge(action: &Subject<'_>, slot: Slot) {
    let Some(kind) = action.choice("type", Need::Required, slot.kinds()) else {
        return;
    };
    let (need, most) = slot.label();
    action.text("label", need, most, Unit::Grapheme);
    match kind {
        "postback" => postback(action, slot),
        "message" => drop(action.text("text", Need::Required, 300, Unit::Grapheme)),
        "uri" => {
            let schemes = &["http", "https", "line", "tel"];
            action.uri("uri", Need::Required, 1000, schemes);
            if let Some(desktop) = action.object("altUri", Need::Optional) {
                desktop.uri("desktop", Need::Required, 1000, schemes);
            }
        }
        "datetimepicker" => date_time(action),
        "richmenuswitch" => {
            action.text("richMenuAliasId", Need::Required, 32, Unit::Utf16);
            action.text("data", Need::Required, 300, Unit::Utf16);
        }
        "clipboard" => drop(action.text("clipboardText", Need::Required, 1000, Unit::Utf16)),
        _ => {}
    }
}

fn postback(action: &Subject<'_>, slot: Slot) {
    action.text("data", Need::Required, 300, Unit::Utf16);
    let shown = action.text("displayText", Need::Optional, 300, Unit::Grapheme);
    let old = action.text("text", Need::Optional, 300, Unit::Grapheme);
    if old.is_some() && (shown.is_some() || slot == Slot::QuickReply) {
        action.fault("text", "Must not be specified");
    }
    let options = ["closeRichMenu", "openRichMenu", "openKeyboard", "openVoice"];
    action.choice("inputOption", Need::Optional, &options);
    action.text("fillInText", Need::Optional, 300, Unit::Grapheme);
}

fn date_time(action: &Subject<'_>) {
    action.text("data", Need::Required, 300, Unit::Utf16);
    let Some(mode) = action.choice("mode", Need::Required, &["date", "time", "datetime"]) else {
        return;
    };
    let moment = |key| {
        let text = action.string(key, Need::Optional)?;
        let read = read_moment(mode, text);
        if read.is_none() {
            action.fault(key, "invalid property");
        }
        read
    };
    let (_initial, least, most) = (moment("initial"), moment("min"), moment("max"));
    if let (Some(least), Some(most)) = (least, most)
        && least >= most
    {
        action.fault("min", "invalid property");
    }
}

/// Reads a picker's value as numbers that order by time.
fn read_moment(mode: &str, text: &str) -> Option<Vec<u32>> {
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

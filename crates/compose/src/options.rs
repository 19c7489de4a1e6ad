//! How to compose: what the caller may choose. Every default is what most people want.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What choices, cards and carousels become.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Render {
    /// A template where every part fits unchanged, otherwise Flex.
    #[default]
    Auto,
    /// A template always: what is too long is shortened, what is too much goes into further messages.
    Template,
    /// Flex always.
    Flex,
}

/// How texts are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Markdown {
    /// As they are.
    #[default]
    Off,
    /// As Markdown, which becomes plain text; pictures become image messages.
    Plain,
    /// As Markdown; a text with a heading or a table becomes a Flex Message.
    Rich,
}

/// What `[emoji:PRODUCT:ID]` in a text is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Emoji {
    /// A LINE emoji.
    #[default]
    On,
    /// These very characters.
    Off,
}

/// What becomes of a text of more than 5,000 UTF-16 units or 20 LINE emoji.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Several messages.
    #[default]
    Auto,
    /// Too long a text is refused; emoji beyond the 20th become `(emoji)`.
    Never,
}

/// What becomes of the choices of a choice message, and of the outer ones of a carousel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Choices {
    /// Buttons below the text.
    #[default]
    Buttons,
    /// Quick replies, if the item is the last; LINE shows no others, and none on a desktop.
    QuickReply,
    /// Two choices below at most 240 characters become a confirm template; others are buttons.
    Confirm,
}

/// What a text choice without `postback_data` sends when it is tapped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextChoice {
    /// A postback with data of its own: `KEY_TEXT`.
    #[default]
    Postback,
    /// The text, as if the user had typed it.
    Message,
}

/// How items are composed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Options {
    /// What choices, cards and carousels become.
    pub render: Render,
    /// Whether any loss (`truncated`, `degraded`, `dropped`) is an error.
    pub strict: bool,
    /// How texts are read: plain strings and `text_message`.
    pub markdown: Markdown,
    /// Whether `[emoji:PRODUCT:ID]` is a LINE emoji.
    pub emoji: Emoji,
    /// What becomes of too long a text.
    pub split: Split,
    /// What becomes of the choices below a text or a carousel.
    pub choices: Choices,
    /// What a text choice without `postback_data` sends.
    pub text_choice: TextChoice,
    /// What stands where a template or Flex Message cannot be shown, at most 1,500 UTF-16 units; made
    /// from the content if absent.
    pub alt_text: Option<String>,
    /// What the default of `postback_data` begins with, such as your message's ID; a digest of the item
    /// if absent.
    pub key: Option<String>,
    /// The picture of videos that have no `thumbnail_url` of their own.
    pub video_thumbnail_url: Option<String>,
    /// How long sounds play, in milliseconds. LINE demands it; without it a sound becomes a link.
    pub audio_duration_ms: Option<u32>,
    /// Whether the chat is a group: sharing a location by LINE's own screen works with one user only.
    pub group: bool,
    /// The messages that `template_message` names: `ID` or `ID/LANGUAGE`, and an item or a list of items
    /// in whose strings `${name}` stands for a parameter.
    pub templates: BTreeMap<String, Value>,
}

impl Options {
    /// The names of all options.
    pub const NAMES: &'static [&'static str] = &[
        "render",
        "strict",
        "markdown",
        "emoji",
        "split",
        "choices",
        "text_choice",
        "alt_text",
        "key",
        "video_thumbnail_url",
        "audio_duration_ms",
        "group",
        "templates",
    ];

    /// Sets the option of that name.
    ///
    /// # Errors
    ///
    /// What the option should hold, in words.
    pub fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        fn read<T: DeserializeOwned>(value: &Value, expected: &str) -> Result<T, String> {
            T::deserialize(value).map_err(|_| expected.to_owned())
        }
        match name {
            "render" => self.render = read(value, "\"auto\", \"template\" or \"flex\"")?,
            "strict" => self.strict = read(value, "true or false")?,
            "markdown" => self.markdown = markdown(value)?,
            "emoji" => self.emoji = read(value, "\"on\" or \"off\"")?,
            "split" => self.split = read(value, "\"auto\" or \"never\"")?,
            "choices" => {
                self.choices = read(value, "\"buttons\", \"quick_reply\" or \"confirm\"")?;
            }
            "text_choice" => self.text_choice = read(value, "\"postback\" or \"message\"")?,
            "alt_text" => self.alt_text = Some(read(value, "a string")?),
            "key" => self.key = Some(read(value, "a string")?),
            "video_thumbnail_url" => self.video_thumbnail_url = Some(read(value, "a string")?),
            "audio_duration_ms" => {
                self.audio_duration_ms = Some(read(value, "a whole number of milliseconds")?);
            }
            "group" => self.group = read(value, "true or false")?,
            "templates" => self.templates = read(value, "an object with a message by each name")?,
            _ => return Err("one of the options that there are".to_owned()),
        }
        Ok(())
    }

    /// The options that are not as usual.
    #[must_use]
    pub fn changed(&self) -> Vec<&'static str> {
        if *self == Self::default() {
            return Vec::new();
        }
        let [own, usual] = [self, &Self::default()].map(|options| serde_json::json!(options));
        let names = Self::NAMES.iter().copied();
        names
            .filter(|name| own.get(name) != usual.get(name))
            .collect()
    }
}

/// `true` and `false` stand for the usual way and for none.
fn markdown(value: &Value) -> Result<Markdown, String> {
    match value {
        Value::Bool(true) => Ok(Markdown::Plain),
        Value::Bool(false) => Ok(Markdown::Off),
        value => Markdown::deserialize(value)
            .map_err(|_| "true, false, \"off\", \"plain\" or \"rich\"".to_owned()),
    }
}

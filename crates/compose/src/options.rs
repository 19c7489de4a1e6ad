//! How to compose: what the caller may choose. Every default is what most people want.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// What choices, cards and carousels become.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Emoji {
    /// A LINE emoji.
    #[default]
    On,
    /// These very characters.
    Off,
}

/// What becomes of a text of more than 5,000 UTF-16 units or 20 LINE emoji.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Several messages.
    #[default]
    Auto,
    /// Too long a text is refused; emoji beyond the 20th become `(emoji)`.
    Never,
}

/// What becomes of the choices of a choice message, and of the outer ones of a carousel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TextChoice {
    /// A postback with data of its own: `KEY_TEXT`.
    #[default]
    Postback,
    /// The text, as if the user had typed it.
    Message,
}

/// How items are composed.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
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

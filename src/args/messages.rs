//! The arguments of `compose` and `send`.

use std::path::PathBuf;

use super::Calling;

/// Where messages come from and how they are read.
#[derive(Debug, clap::Args)]
pub(crate) struct Content {
    /// Reads this file instead of standard input; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Reads texts as Markdown; `rich` makes Flex Messages of headings and tables.
    #[arg(long, value_name = "HOW", num_args = 0..=1, default_missing_value = "plain", require_equals = true, value_parser = ["plain", "rich"])]
    pub(crate) markdown: Option<String>,
    /// What choices, cards and carousels become.
    #[arg(long, value_name = "HOW", value_parser = ["auto", "template", "flex"])]
    pub(crate) render: Option<String>,
    /// Refuses what LINE would not show whole.
    #[arg(long)]
    pub(crate) strict: bool,
}

/// What is composed.
#[derive(Debug, clap::Args)]
pub(crate) struct ComposeArguments {
    /// Takes the input for a text, not for JSON.
    #[arg(long)]
    pub(crate) text: bool,
    #[command(flatten)]
    pub(crate) content: Content,
}

/// What is sent, and to whom.
#[derive(Debug, clap::Args)]
pub(crate) struct SendArguments {
    /// Whom to send to: the ID of a user, group or multi-person chat, or user IDs with commas between.
    #[arg(required_unless_present_any = ["reply", "sinch"])]
    pub(crate) to: Option<String>,
    /// The text; standard input where it is left out.
    #[arg(conflicts_with_all = ["file", "json", "sinch"])]
    pub(crate) text: Option<String>,
    /// Takes the input for JSON: a message as people write it, one of LINE's objects, or a list of them.
    #[arg(long)]
    pub(crate) json: bool,
    /// Takes the input for a send request of Sinch's Conversation API, recipient included.
    #[arg(long, conflicts_with_all = ["json", "to", "reply"])]
    pub(crate) sinch: bool,
    #[command(flatten)]
    pub(crate) content: Content,
    /// Answers an event, for free, by its reply token; where TO is given too, a token that is no longer
    /// valid makes a push of it.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) reply: Option<String>,
    /// Sends without a sound on the user's device.
    #[arg(long)]
    pub(crate) silent: bool,
    /// Names the effect, so that a repeated command sends nothing twice within 24 hours.
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// What media that LINE could not show mean: nothing, a warning (the default, unless it is a dry run), or
    /// that nothing is sent.
    #[arg(long, value_name = "WHAT", value_parser = ["off", "warn", "fail"])]
    pub(crate) media_check: Option<String>,
    #[command(flatten)]
    pub(crate) calling: Calling,
}

//! The arguments of `campaign`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::AssetFile;

/// What to do with a campaign.
#[derive(Debug, Subcommand)]
pub(crate) enum CampaignCommand {
    /// Fixes who gets what from which account in a ledger, and shows it; sends nothing
    Plan(PlanArguments),
    /// Sends what one row of the list would get to people you name, marked as a test
    Test(TestArguments),
    /// Sends what was planned
    Start(StartArguments),
    /// Goes on with a campaign that paused or whose process ended
    Resume(ResumeArguments),
    /// Shows where a campaign stands
    Status(About),
    /// Asks the process that sends a campaign to finish what is under way and stop
    Pause(About),
    /// Gives a campaign up: what was not sent is not sent
    Cancel(About),
    /// Writes what became of each person
    Results(ResultsArguments),
    /// Writes the JSON Schema of campaign documents
    Schema,
}

/// Which campaign.
#[derive(Debug, Args)]
pub(crate) struct About {
    /// The campaign's document, YAML or JSON; `-` for standard input.
    #[arg(value_name = "CAMPAIGN")]
    pub(crate) document: PathBuf,
    /// The ledger; without it a file beside the document, with its name.
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Writes JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A campaign, and what it is sent with.
#[derive(Debug, Args)]
pub(crate) struct Sent {
    #[command(flatten)]
    pub(crate) about: About,
    #[command(flatten)]
    pub(crate) asset: AssetFile,
    /// Asks an embedded sandbox instead of LINE for each account; needs no credentials.
    #[arg(long)]
    pub(crate) sandbox: bool,
}

/// How to plan.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) sent: Sent,
    /// Asks LINE nothing: not whether the accounts work, nor what is left of their quota.
    #[arg(long)]
    pub(crate) offline: bool,
    /// How many of the different renderings to show.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) show: usize,
    /// Asks each account whether it knows so many of its people.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) probe: usize,
    /// Does not look at the media of the messages.
    #[arg(long)]
    pub(crate) no_media_check: bool,
}

/// What to send as a test.
#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    #[command(flatten)]
    pub(crate) sent: Sent,
    /// The line of the list on which the person's row begins; the header is line 1.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) line: u64,
    /// The user IDs that get it, with commas between them.
    #[arg(long, value_name = "ID", required = true, value_delimiter = ',')]
    pub(crate) to: Vec<String>,
}

/// How to send.
#[derive(Debug, Args)]
pub(crate) struct Going {
    #[command(flatten)]
    pub(crate) sent: Sent,
    /// Goes on with the people who were planned although the list has changed.
    #[arg(long)]
    pub(crate) as_planned: bool,
    /// Returns when the campaign is under way, and lets it go on in the background.
    #[arg(long)]
    pub(crate) detach: bool,
}

/// How to begin.
#[derive(Debug, Args)]
pub(crate) struct StartArguments {
    #[command(flatten)]
    pub(crate) going: Going,
    /// The plan's digest, or its first 12 characters or more: this plan is what is meant.
    #[arg(long, value_name = "DIGEST", required = true)]
    pub(crate) confirm: String,
}

/// How to go on.
#[derive(Debug, Args)]
pub(crate) struct ResumeArguments {
    #[command(flatten)]
    pub(crate) going: Going,
    /// Sends again to people who may have got it, where that cannot be found out any more: their
    /// number, as `status` tells it.
    #[arg(long, value_name = "N")]
    pub(crate) resend_unknown: Option<u64>,
}

/// The states of people in results.
const STATES: [&str; 9] = [
    "planned",
    "sending",
    "accepted",
    "rejected",
    "unknown",
    "expired_unknown",
    "cancelled",
    "held",
    "skipped",
];

/// Which results, and how.
#[derive(Debug, Args)]
pub(crate) struct ResultsArguments {
    #[command(flatten)]
    pub(crate) sent: Sent,
    /// The form; `--json` means `ndjson`.
    #[arg(long, value_enum, default_value_t = ResultsForm::Csv)]
    pub(crate) format: ResultsForm,
    /// Only people in this state; may be repeated.
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    pub(crate) state: Vec<String>,
    /// Instead: what LINE tells of the campaign's unit, for each account: who saw and clicked.
    #[arg(long)]
    pub(crate) statistics: bool,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResultsForm {
    /// A table with a header line.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

//! The arguments of `campaign`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use line_connector_campaign::{Form, PlanOptions};

use super::AssetFile;

/// What to do with a campaign.
#[derive(Debug, Subcommand)]
pub enum CampaignCommand {
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

impl CampaignCommand {
    /// Whether it is about a run that several machines send.
    pub(crate) fn is_shared(&self) -> bool {
        let about = match self {
            Self::Plan(arguments) => return arguments.to.is_some(),
            Self::Start(arguments) => &arguments.going.sent.about,
            Self::Resume(arguments) => &arguments.going.sent.about,
            Self::Status(about) | Self::Pause(about) | Self::Cancel(about) => about,
            Self::Results(arguments) => &arguments.sent.about,
            Self::Test(_) | Self::Schema => return false,
        };
        about.url().is_some()
    }
}

impl About {
    /// The URL of a run that several machines send.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        let text = self.document.to_str()?;
        text.contains("://").then_some(text)
    }
}

/// Which campaign.
#[derive(Debug, Args)]
pub struct About {
    /// The campaign's document, YAML or JSON; `-` for standard input. Of a run that several machines
    /// send, its URL as `plan --to` tells it.
    #[arg(value_name = "CAMPAIGN")]
    pub document: PathBuf,
    /// The ledger; without it a file beside the document, with its name.
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Where Restate takes calls, for a run that several machines send; without it
    /// `http://127.0.0.1:8080`.
    #[arg(long, value_name = "URL")]
    pub ingress: Option<String>,
    /// Writes JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// A campaign, and what it is sent with.
#[derive(Debug, Args)]
pub struct Sent {
    #[command(flatten)]
    pub about: About,
    #[command(flatten)]
    pub(crate) asset: AssetFile,
    /// Asks an embedded sandbox instead of LINE for each account; needs no credentials.
    #[arg(long)]
    pub(crate) sandbox: bool,
}

/// How to plan.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// Which campaign, and what it is sent with.
    #[command(flatten)]
    pub sent: Sent,
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
    /// Puts the plan into a store instead of a ledger, for several machines to send it:
    /// `file:///srv/campaigns`, `s3://bucket/campaigns`, `gs://…`, `az://…`.
    #[arg(long, value_name = "URL", conflicts_with = "ledger")]
    pub to: Option<String>,
}

impl PlanArguments {
    pub(crate) fn options(&self) -> PlanOptions {
        PlanOptions {
            offline: self.offline,
            samples: self.show,
            probes: self.probe,
            media_check: !self.no_media_check && !self.sent.sandbox,
        }
    }
}

/// What to send as a test.
#[derive(Debug, Args)]
pub struct TestArguments {
    /// Which campaign, and what it is sent with.
    #[command(flatten)]
    pub sent: Sent,
    /// The line of the list on which the person's row begins; the header is line 1.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) line: u64,
    /// The user IDs that get it, with commas between them.
    #[arg(long, value_name = "ID", required = true, value_delimiter = ',')]
    pub(crate) to: Vec<String>,
}

/// How to send.
#[derive(Debug, Args)]
pub struct Going {
    /// Which campaign, and what it is sent with.
    #[command(flatten)]
    pub sent: Sent,
    /// Goes on with the people who were planned although the list has changed.
    #[arg(long)]
    pub(crate) as_planned: bool,
    /// Returns when the campaign is under way, and lets it go on in the background.
    #[arg(long)]
    pub(crate) detach: bool,
}

/// How to begin.
#[derive(Debug, Args)]
pub struct StartArguments {
    #[command(flatten)]
    pub going: Going,
    /// The plan's digest, or its first 12 characters or more: this plan is what is meant.
    #[arg(long, value_name = "DIGEST", required = true)]
    pub confirm: String,
}

/// How to go on.
#[derive(Debug, Args)]
pub struct ResumeArguments {
    #[command(flatten)]
    pub going: Going,
    /// Sends again to people who may have got it, where that cannot be found out any more: their
    /// number, as `status` tells it.
    #[arg(long, value_name = "N")]
    pub resend_unknown: Option<u64>,
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
pub struct ResultsArguments {
    /// Which campaign, and what it is sent with.
    #[command(flatten)]
    pub sent: Sent,
    /// The form; `--json` means `ndjson`.
    #[arg(long, value_enum, default_value_t = ResultsForm::Csv)]
    format: ResultsForm,
    /// Only people in this state; may be repeated.
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    pub state: Vec<String>,
    /// Instead: what LINE tells of the campaign's unit, for each account: who saw and clicked.
    #[arg(long)]
    pub statistics: bool,
}

impl ResultsArguments {
    /// The form that is meant.
    #[must_use]
    pub fn form(&self) -> Form {
        match self.format {
            ResultsForm::Ndjson => Form::Ndjson,
            ResultsForm::Csv if self.sent.about.json => Form::Ndjson,
            ResultsForm::Csv => Form::Csv,
        }
    }
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ResultsForm {
    /// A table with a header line.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

//! The command line as clap sees it, and nothing else: what the arguments are, not what they do.

mod action_name;
#[cfg(feature = "campaign")]
mod campaign;
mod deferred;
#[cfg(feature = "listen")]
mod listen;
#[cfg(feature = "mcp")]
mod mcp;
mod messages;
#[cfg(feature = "listen")]
mod nats;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use action_name::ActionName;
#[cfg(feature = "campaign")]
pub use campaign::{About, CampaignCommand, PlanArguments, ResultsArguments};
#[cfg(feature = "campaign")]
pub(crate) use campaign::{Going, Sent};
pub(crate) use deferred::Deferred;
#[cfg(feature = "listen")]
pub(crate) use listen::{Chosen, EventsCommand, QueueFile, Standing};
#[cfg(feature = "listen")]
pub use listen::{ListenArguments, LogForm};
#[cfg(feature = "listen")]
pub use nats::NatsArguments;

pub(crate) use messages::{ComposeArguments, Content, SendArguments};

#[cfg(feature = "mcp")]
pub(crate) use mcp::McpArguments;

use line_connector_sandbox::RateLimit;

/// What the program is called.
const PROGRAM: &str = "line-connector";

/// The whole LINE Messaging API for automation platforms: one JSON document in, one JSON document
/// out, each message exactly once.
#[derive(Debug, Parser)]
#[command(
    name = PROGRAM,
    version,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 LINE accepted it · 1 LINE refused it · 2 the command line or the \
document is wrong · 3 the inputs break the schema · 4 no token could be had · 5 no answer · \
6 a webhook that is not provably LINE's · 7 the month's messages are used up, or nearly \
(`check`) · 8 a call of `serve` failed (`--fail-on-error`) · 70 a bug · 74 the answer could not be written"
)]
pub(crate) struct Arguments {
    /// Adds the action files of this folder, or replaces actions of the same name.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) actions: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reads an invocation document from standard input, makes the call, writes the output document
    Run(CallArguments),
    /// Sends a message: a text, or JSON as people write messages
    Send(Box<Deferred<SendArguments>>),
    /// Reads messages as people write them from standard input, writes LINE's objects; sends nothing
    Compose(Deferred<ComposeArguments>),
    /// Reads an invocation document a line, makes many calls at once, writes an output document a line
    Serve(Deferred<ServeArguments>),
    /// Reads a document with a request from LINE's webhook on standard input, verifies its signature,
    /// writes its events
    Webhook {
        /// A JSON file with the asset's parameters; those of the document come first.
        #[arg(long, value_name = "FILE")]
        asset: Option<PathBuf>,
    },
    /// Lists the actions and the triggers, or those that have all the words
    List {
        /// Writes JSON instead of a table.
        #[arg(long)]
        json: bool,
        /// Looked for in names, titles, descriptions and endpoints.
        words: Vec<String>,
    },
    /// Shows what an action does and takes: in short on a terminal, in full as JSON for a program;
    /// without ACTION, the whole connector
    Describe(Deferred<DescribeArguments>),
    /// Writes an action's file to start from, and checks files of one's own
    #[command(subcommand)]
    Actions(Deferred<ActionsCommand>),
    /// Tries the asset: can a token be had, does LINE take it, and how many messages are left this
    /// month?
    Check(CheckArguments),
    /// Starts a LINE that lives in memory behind a loopback address, and writes the asset to use
    Sandbox(Box<Deferred<SandboxArguments>>),
    /// Receives LINE's webhooks over HTTP, keeps their events safe and hands each to the platform, in
    /// order per chat
    #[cfg(feature = "listen")]
    Listen(Box<Deferred<ListenArguments>>),
    /// Lists the events of a receiver's queue, replays and drops dead ones
    #[cfg(feature = "listen")]
    #[command(subcommand)]
    Events(Deferred<EventsCommand>),
    /// Serves AI agents over standard input and output, or HTTP: every action as a tool of the Model
    /// Context Protocol (MCP)
    #[cfg(feature = "mcp")]
    Mcp(Box<Deferred<McpArguments>>),
    /// Sends templated messages to a list of people, from one account or several, to each exactly once
    #[cfg(feature = "campaign")]
    #[command(subcommand)]
    Campaign(Box<Deferred<CampaignCommand>>),
    /// Makes a key pair for the assertion way to authenticate
    Keygen {
        /// Writes `private-key.jwk.json` and `public-key.jwk.json` into this folder, made where there is
        /// none.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Writes a shell's completion script
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// What is described, and for whom.
#[derive(Debug, clap::Args)]
pub(crate) struct DescribeArguments {
    /// Writes everything as JSON, as without a terminal.
    #[arg(long, conflicts_with = "text")]
    pub(crate) json: bool,
    /// Writes the short view for people, as on a terminal.
    #[arg(long, conflicts_with = "compact")]
    pub(crate) text: bool,
    /// The short form, for hosts that show all actions at once: flat inputs, stubs for messages.
    #[arg(long)]
    pub(crate) compact: bool,
    /// Writes an example of the action, from 1 on, as an invocation for `run`.
    #[arg(long, value_name = "N", requires = "action", conflicts_with_all = ["path", "compact", "text"])]
    pub(crate) example: Option<usize>,
    /// The action's name (full, short, or LINE's `operationId`), or a trigger's.
    #[arg(value_parser = ActionName, hide_possible_values = true)]
    pub(crate) action: Option<String>,
    /// One property: the names on the way to it, such as `messages/text/quickReply`, or its path as
    /// errors (`/messages/0/text`) or LINE (`messages[0].text`) write it; `output/…` for what comes back.
    #[arg(conflicts_with = "compact")]
    pub(crate) path: Option<String>,
}

/// What to do with the files of actions.
#[derive(Debug, Subcommand)]
pub(crate) enum ActionsCommand {
    /// Writes an action's file, to change it or to make another one of it
    Export {
        /// Writes into this folder instead of standard output: the file, and the shared schemas that
        /// it refers to.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// The action's name.
        #[arg(value_parser = ActionName, hide_possible_values = true)]
        action: String,
    },
    /// Checks the action files and shared schemas of a folder as the build checks its own, and runs
    /// their examples
    Lint {
        /// The folder, as for `--actions`.
        folder: PathBuf,
    },
}

/// What calls are made with, by whichever command.
#[derive(Debug, clap::Args)]
pub struct Calling {
    /// Shows the request instead of sending it; needs neither network nor credentials.
    #[arg(long)]
    pub dry_run: bool,
    /// Asks the embedded sandbox instead of LINE; needs no credentials.
    #[arg(long)]
    pub sandbox: bool,
    #[command(flatten)]
    pub(crate) asset: AssetFile,
    /// What documents may do.
    #[command(flatten)]
    pub permissions: Permissions,
    /// Shows each request that is sent, and how it went, on standard error.
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// One call.
#[derive(Debug, clap::Args)]
pub(crate) struct CallArguments {
    /// The action's name: the full one, the short one, or LINE's `operationId`. Without it the
    /// document's `action`.
    #[arg(value_parser = ActionName, hide_possible_values = true)]
    pub(crate) action: Option<String>,
    #[command(flatten)]
    pub(crate) calling: Calling,
}

/// What `check` tells, and when it warns.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) asset: AssetFile,
    /// Asks the embedded sandbox instead of LINE.
    #[arg(long)]
    pub(crate) sandbox: bool,
    /// Writes JSON also on a terminal; elsewhere it is JSON in any case.
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) json: bool,
    /// Writes nothing but what is wrong, to standard error: the exit code tells.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Fewer messages left this month than this are few: exit code 7. Without it: a tenth of the
    /// month's.
    #[arg(long, value_name = "N")]
    pub(crate) min_left: Option<u64>,
}

/// Many calls.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArguments {
    /// The action of documents that name none.
    #[arg(value_parser = ActionName, hide_possible_values = true)]
    pub(crate) action: Option<String>,
    /// How many calls are made at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) concurrency: u16,
    /// Answers in the order of the documents instead of as they finish.
    #[arg(long)]
    pub(crate) ordered: bool,
    /// Writes a JSON summary to standard error at the end; on SIGUSR1 it comes in any case.
    #[arg(long)]
    pub(crate) stats: bool,
    #[command(flatten)]
    pub(crate) ending: Ending,
    /// The longest line that is taken, bytes; all lines under way together take no more.
    #[arg(long, value_name = "N", default_value_t = 32 * 1024 * 1024)]
    pub(crate) max_line_bytes: usize,
    /// How long calls under way may take after SIGTERM or SIGINT.
    #[arg(long, value_name = "SECONDS", default_value_t = 25)]
    pub(crate) shutdown_seconds: u64,
    #[command(flatten)]
    pub(crate) calling: Calling,
}

/// What the failures of calls mean for all of them.
#[derive(Debug, clap::Args)]
pub(crate) struct Ending {
    /// Ends with exit code 8 where a call failed.
    #[arg(long)]
    pub(crate) fail_on_error: bool,
    /// Starts nothing more once LINE says that the month's messages are used up, and ends with exit
    /// code 7.
    #[arg(long)]
    pub(crate) stop_at_quota: bool,
}

/// What the sandbox is to be like.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SandboxArguments {
    #[command(subcommand)]
    pub(crate) command: Option<SandboxCommand>,
    /// The address to listen on; port 0 takes a free one. `--listen` is the same.
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:0",
        alias = "listen"
    )]
    pub(crate) address: SocketAddr,
    /// How many people may be reached in a month.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) quota: u64,
    /// How many friends the account has.
    #[arg(long, value_name = "N", default_value_t = 120)]
    pub(crate) friends: u64,
    /// How many requests, and how many deliveries, are remembered.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) keep_records: usize,
    /// The webhook endpoint's URL, to which what users do is sent.
    #[arg(long, value_name = "URL", value_parser = web_address)]
    pub(crate) webhook: Option<String>,
    /// Sends webhooks to other machines too, wherever the endpoint is moved to.
    #[arg(long)]
    pub(crate) webhook_anywhere: bool,
    /// Answers 429 above this rate: `200/s` for every endpoint, each by itself, or
    /// `POST /v2/bot/message/push=200/s` for one. May be repeated; the first that fits holds.
    #[arg(long, value_name = "LIMIT")]
    pub(crate) rate_limit: Vec<RateLimit>,
    /// Answers 429 above LINE's own rates.
    #[arg(long)]
    pub(crate) line_rate_limits: bool,
}

/// What to do instead of answering calls.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Lists the kinds of faults that can be injected, with their fields
    Faults,
}

/// A URL of the web, as far as the command line can tell.
fn web_address(text: &str) -> Result<String, &'static str> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return Ok(text.to_owned());
    }
    Err("expected an http or https URL")
}

/// Where the asset stands, if not in the document, and where its tokens are kept.
#[derive(Debug, Default, clap::Args)]
pub struct AssetFile {
    /// A JSON file with the asset's parameters. What it lacks comes from the environment.
    #[arg(long, value_name = "FILE")]
    pub(crate) asset: Option<PathBuf>,
    /// Keeps issued tokens in this folder for further processes; also `LINE_CONNECTOR_TOKEN_CACHE`.
    #[arg(long, value_name = "DIR")]
    pub(crate) token_cache: Option<PathBuf>,
}

/// What documents, whose authors may be anybody, may do.
#[derive(Debug, Default, clap::Args)]
pub struct Permissions {
    /// Lets documents read files beneath this folder; may be repeated. Also `LINE_FILES`.
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Vec<PathBuf>,
    /// Lets documents save files beneath this folder; may be repeated. Also `LINE_SAVE_INTO`.
    #[arg(long, value_name = "DIR")]
    pub(crate) save_into: Vec<PathBuf>,
    /// Refuses documents with an `asset` of their own.
    #[arg(long)]
    pub(crate) fixed_asset: bool,
    /// The longest that a call may take, milliseconds. Refuses documents whose `deadline_ms` is longer.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    pub(crate) max_deadline_ms: Option<u64>,
}

/// What is to be printed instead of running.
#[derive(Debug)]
pub(crate) struct Instead {
    /// The text.
    pub(crate) text: String,
    /// Whether the arguments were wrong, or help was asked for.
    pub(crate) wrong: bool,
}

/// Reads the command line. `help COMMAND` is another way to write `COMMAND --help`.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Arguments, Instead> {
    let asked: Vec<OsString>;
    let arguments = match arguments {
        [program, help, command @ ..] if help == "help" => {
            asked = std::iter::once(program)
                .chain(command)
                .cloned()
                .chain([OsString::from("--help")])
                .collect();
            &asked
        }
        arguments => arguments,
    };
    Arguments::try_parse_from(arguments).map_err(|error| Instead {
        wrong: !matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        ),
        text: error.render().to_string(),
    })
}

/// A shell's completion script.
pub(crate) fn completions(shell: Shell) -> String {
    let mut command = Arguments::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, PROGRAM, &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        // clap_complete looks for a program with a hyphen under one name and stores it under another, so
        // that nothing is completed after a command (https://github.com/clap-rs/clap/issues/6421).
        Shell::Bash => {
            let stored = PROGRAM.replace('-', "__subcmd__");
            script = script.replace(&stored, &PROGRAM.replace('-', "__"));
        }
        // What stands without an option clap_complete leaves to fish, which offers files.
        Shell::Fish => {
            for command in command.get_subcommands() {
                let arguments = command.get_positionals();
                let values = arguments.flat_map(Arg::get_possible_values);
                let values: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
                if !values.is_empty() {
                    let (name, values) = (command.get_name(), values.join(" "));
                    let seen = format!("__fish_seen_subcommand_from {name}");
                    let _ = writeln!(
                        script,
                        "complete -c {PROGRAM} -n \"{seen}\" -f -a \"{values}\""
                    );
                }
            }
        }
        _ => {}
    }
    script
}

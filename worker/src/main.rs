//! `line-connector-worker`: what runs on more than one machine. Each command stands, with its
//! arguments, in a module of its own.

mod campaign;
mod nats;

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use line_connector::{CampaignCommand, ListenArguments};
use line_connector_client::{Error, ExitCode};

/// What line-connector does on several machines: webhooks and calls over NATS JetStream, campaigns
/// on Restate.
#[derive(Debug, Parser)]
#[command(
    name = "line-connector-worker",
    version,
    disable_help_subcommand = true
)]
struct Arguments {
    /// Adds the action files of this folder, or replaces actions of the same name.
    #[arg(long, global = true, value_name = "DIR")]
    actions: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Receives LINE's webhooks over HTTP and publishes their events to NATS JetStream; what
    /// `line-connector listen --publish` starts
    Listen(Box<ListenArguments>),
    /// Makes the calls of a work queue on NATS JetStream, and publishes their answers
    Nats(Box<nats::CallsArguments>),
    /// Sends campaigns for Restate, which calls this process
    Restate(Box<campaign::RestateArguments>),
    /// Plans a campaign for several machines, steers it and tells of it; what `line-connector campaign`
    /// starts for a URL
    #[command(subcommand)]
    Campaign(Box<CampaignCommand>),
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that ends the process"
)]
fn main() {
    std::process::exit(line_connector::contained(run) as i32);
}

fn run() -> Result<ExitCode, Error> {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(instead) => return Ok(told(&instead)),
    };
    let catalog = || line_connector::catalog(arguments.actions.as_deref());
    match arguments.command {
        Command::Listen(arguments) => nats::listen(&catalog()?, &arguments),
        Command::Nats(arguments) => nats::calls(catalog()?, *arguments),
        Command::Restate(own) => campaign::serve(*own, arguments.actions),
        Command::Campaign(command) => campaign::campaign(&catalog, &command),
    }
}

/// Shows help or the version where they were asked for, and otherwise what is wrong.
fn told(instead: &clap::Error) -> ExitCode {
    let text = instead.render().to_string();
    match instead.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => line_connector::print(&text),
        _ => {
            line_connector::say_text(text.trim_end());
            ExitCode::Usage
        }
    }
}

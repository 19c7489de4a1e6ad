//! The program: parse the command line, run the command, say how it went. The library of a bot is
//! `line-connector-client`; this one is what `line-connector` and `line-connector-worker` share, and
//! promises nothing to others.

mod args;
mod commands;
mod host;
mod layout;
#[cfg(feature = "listen")]
mod notices;
mod panics;
#[cfg(feature = "listen")]
mod queue_file;
mod signals;
mod terminal;
mod token_store;
#[cfg(any(feature = "campaign", feature = "listen"))]
mod worker;

use std::ffi::OsString;

use line_connector_client::{Error, ExitCode, Kind, Output, private};

#[cfg(feature = "campaign")]
pub use args::{About, CampaignCommand, PlanArguments, ResultsArguments};
pub use args::{AssetFile, Calling, Permissions};
#[cfg(feature = "listen")]
pub use args::{ListenArguments, LogForm, NatsArguments};
#[cfg(feature = "campaign")]
pub use commands::campaign;
#[cfg(feature = "listen")]
pub use commands::publish;
pub use host::{MAX_FILE_BYTES, call, calling, catalog, permit, reread, variable};
#[cfg(feature = "listen")]
pub use notices::teller;
pub use panics::contain;
pub use signals::{Signal, watch};
pub use terminal::{print, say, say_text};

/// Runs the process's command line to its end. The answer is its exit code.
#[must_use]
pub fn program() -> ExitCode {
    contained(|| run(&std::env::args_os().collect::<Vec<_>>()))
}

/// Does a process's work and says how it went. The answer is its exit code.
#[must_use]
pub fn contained(work: impl FnOnce() -> Result<ExitCode, Error>) -> ExitCode {
    panics::report_place();
    // A platform gets its one document and an exit code even from a bug.
    contain(work)
        .and_then(|done| done)
        .unwrap_or_else(|error| terminal::refuse(&error))
}

/// Runs one command line to its end.
fn run(line: &[OsString]) -> Result<ExitCode, Error> {
    match args::parse(line) {
        Ok(arguments) => commands::dispatch(arguments),
        Err(instead) if instead.wrong => Ok(misused(line, &instead.text)),
        Err(instead) => Ok(print(&instead.text)),
    }
}

/// A command line that makes no sense. Whoever meant to `run` or to `serve` is a platform that waits
/// for a document.
fn misused(line: &[OsString], text: &str) -> ExitCode {
    say_text(text.trim_end());
    if line.get(1).is_some_and(|command| {
        ["run", "serve", "webhook"]
            .iter()
            .any(|known| command == known)
    }) {
        let reason = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        let error = Error::new(Kind::Usage, reason.to_owned());
        let document = format!("{}\n", Output::from(&error).render());
        if print(&document) == ExitCode::Unwritten {
            return ExitCode::Unwritten;
        }
    }
    ExitCode::Usage
}

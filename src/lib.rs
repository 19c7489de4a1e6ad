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
mod private;
#[cfg(feature = "listen")]
mod queue_file;
mod signals;
mod terminal;
mod token_store;

use std::ffi::OsString;

use line_connector_client::{Error, ExitCode, Kind, Output};

use terminal::{print, report, say};

/// Runs the process's command line to its end. The answer is its exit code.
#[must_use]
pub fn program() -> ExitCode {
    panics::report_place();
    // A platform gets its one document and an exit code even from a bug.
    panics::contain(|| run(&std::env::args_os().collect::<Vec<_>>()))
        .unwrap_or_else(|bug| report(&Output::from(&bug)))
}

/// Runs one command line to its end and says how it went.
fn run(line: &[OsString]) -> ExitCode {
    let arguments = match args::parse(line) {
        Ok(arguments) => arguments,
        Err(instead) if instead.wrong => return misused(line, &instead.text),
        Err(instead) => return print(&instead.text),
    };
    match commands::dispatch(arguments) {
        Ok(code) => code,
        Err(error) => report(&Output::from(&error)),
    }
}

/// A command line that makes no sense. Whoever meant to `run` or to `serve` is a platform that waits
/// for a document.
fn misused(line: &[OsString], text: &str) -> ExitCode {
    say(text.trim_end());
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

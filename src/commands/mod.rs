//! What each command does, a file for each.

mod actions;
#[cfg(feature = "campaign")]
pub mod campaign;
mod check;
mod compose;
mod describe;
#[cfg(feature = "listen")]
mod events;
mod keygen;
mod list;
#[cfg(feature = "listen")]
mod listen;
#[cfg(feature = "mcp")]
mod mcp;
mod run;
mod sandbox;
mod send;
mod serve;
mod webhook;

use line_connector_client::{Error, ExitCode};

use crate::args::{self, Arguments, Command, Deferred};
use crate::host;
use crate::terminal::print;

#[cfg(feature = "listen")]
pub use listen::publish;

/// Runs the command that the arguments name.
pub(crate) fn dispatch(arguments: Arguments) -> Result<ExitCode, Error> {
    let catalog = || host::catalog(arguments.actions.as_deref());
    match arguments.command {
        Command::Run(call) => Ok(run::run(catalog()?, call)),
        Command::Compose(Deferred(arguments)) => compose::compose(&arguments),
        Command::Send(arguments) => send::send(catalog()?, &arguments.0),
        Command::Serve(Deferred(arguments)) => serve::serve(catalog()?, arguments),
        Command::Webhook { asset } => webhook::webhook(&catalog()?, asset.as_deref()),
        Command::List { json, words } => Ok(list::list(&catalog()?, json, &words)),
        Command::Describe(Deferred(arguments)) => describe::describe(&catalog()?, &arguments),
        Command::Actions(Deferred(command)) => actions::actions(catalog, &command),
        Command::Check(arguments) => check::check(catalog()?, &arguments),
        Command::Sandbox(arguments) => sandbox::sandbox(catalog, arguments.0),
        #[cfg(feature = "listen")]
        Command::Listen(arguments) => listen::listen(catalog, &arguments.0),
        #[cfg(feature = "listen")]
        Command::Events(Deferred(command)) => events::events(&command),
        #[cfg(feature = "mcp")]
        Command::Mcp(arguments) => mcp::mcp(&catalog()?, &arguments.0),
        #[cfg(feature = "campaign")]
        Command::Campaign(command) => campaign::campaign(catalog, command.0),
        Command::Keygen { out } => keygen::keygen(out.as_deref()),
        Command::Completions { shell } => Ok(print(&args::completions(shell))),
    }
}

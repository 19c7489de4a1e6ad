//! The connector as a server of the Model Context Protocol (MCP), for AI agents: which tools there are,
//! what a call of one does, and what a person is asked first. It reads no environment and starts no
//! process; how calls are made is the connector's matter.

mod admission;
mod bounded;
mod calls;
mod confirm;
mod http;
mod lines;
mod offer;
mod pages;
mod plan;
mod room;
mod tools;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rmcp::ServiceExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use line_connector_client::{Connector, Error};
use line_connector_core::documents::AssetParameters;

pub use http::Door;

use bounded::Bounded;
use confirm::Confirmations;
use lines::{Input, Output};
use offer::Offer;

/// How many calls are made at once; the others wait.
const CALLS: u32 = 16;
/// How long calls under way may take once the client has gone.
const GRACE: Duration = Duration::from_secs(25);
/// How long the answers of the last calls have to leave.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A LINE Official Account to call for.
#[derive(Debug)]
pub struct Account {
    /// What tools call it, where there are several.
    pub name: String,
    /// Makes its calls.
    pub connector: Connector,
    /// The asset of its calls, where it is not the connector's own.
    pub asset: AssetParameters,
}

/// What the operator has decided.
#[derive(Debug, Default)]
pub struct Settings {
    /// Families of actions, `default` or `all`.
    pub toolsets: Vec<String>,
    /// Actions beside them.
    pub tools: Vec<String>,
    /// Tools and actions that are not offered, whatever else says so.
    pub exclude_tools: Vec<String>,
    /// Only what changes nothing is offered.
    pub read_only: bool,
    /// Nobody is asked before a call.
    pub yes: bool,
    /// Told, a line for people each, how calls ended that clients had cancelled.
    pub say: Option<fn(&str)>,
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Every answer was given.
    Whole,
    /// A call met a bug.
    Bug,
    /// The output did not take an answer.
    Unwritten,
}

/// A server for one client after the other, or for several at once.
#[derive(Debug, Clone)]
pub struct Server(Arc<Shared>);

/// What all sessions share.
struct Shared {
    accounts: Vec<Account>,
    offer: Offer,
    yes: bool,
    say: Option<fn(&str)>,
    confirmations: Confirmations,
    calls: Arc<Semaphore>,
    bug: AtomicBool,
    unwritten: AtomicBool,
    /// Whether the end was asked for.
    stop: watch::Sender<bool>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// A server of these accounts; the first is the one where a call names none.
    ///
    /// # Errors
    ///
    /// Where the settings name what is not there, or there is no account.
    pub fn new(accounts: Vec<Account>, settings: &Settings) -> Result<Self, Error> {
        let Some(first) = accounts.first() else {
            return Err(Error::new(
                line_connector_client::Kind::Usage,
                "there is no account",
            ));
        };
        let offer = Offer::new(first.connector.catalog(), settings)?;
        Ok(Self(Arc::new(Shared {
            accounts,
            offer,
            yes: settings.yes,
            say: settings.say,
            confirmations: Confirmations::default(),
            calls: Arc::new(Semaphore::new(CALLS as usize)),
            bug: AtomicBool::new(false),
            unwritten: AtomicBool::new(false),
            stop: watch::Sender::new(false),
        })))
    }

    /// Asks for the end, as if the client had closed its side.
    pub fn stop(&self) {
        self.0.stop.send_replace(true);
    }

    /// Serves one client until it closes its side, or [`Server::stop`]. Calls under way then have half a
    /// minute. `unwritten` is handed each answer that the output does not take, which is the end too.
    ///
    /// # Errors
    ///
    /// Where the threads cannot be started.
    pub fn serve(
        &self,
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Send + Unpin + 'static,
        unwritten: fn(&io::Error, &str),
    ) -> io::Result<Ending> {
        let runtime = Builder::new_current_thread().enable_time().build()?;
        runtime.block_on(async {
            let server = self.clone();
            let output = Output::new(
                output,
                Box::new(move |error, answer| {
                    // Who has gone away wants no more answers, which is no failure.
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        server.0.unwritten.store(true, Ordering::SeqCst);
                    }
                    unwritten(error, answer);
                    server.stop();
                }),
            );
            let transport = Bounded::new(Input::new(input), output, self.0.stop.subscribe());
            // A client that leaves before it has said anything is no failure of ours.
            if let Ok(session) = ServiceExt::serve(self.clone(), transport).await {
                let _ = session.waiting().await;
            }
        });
        Ok(self.end(runtime))
    }

    /// Lets calls under way finish.
    fn end(&self, runtime: Runtime) -> Ending {
        if self.0.calls.available_permits() < CALLS as usize {
            runtime.block_on(async {
                let _ = timeout(GRACE, self.0.calls.acquire_many(CALLS)).await;
                tokio::time::sleep(LAST_WORDS).await;
            });
        }
        // A thread may still read standard input, whose client has not closed it.
        runtime.shutdown_background();
        if self.0.unwritten.load(Ordering::SeqCst) {
            Ending::Unwritten
        } else if self.0.bug.load(Ordering::SeqCst) {
            Ending::Bug
        } else {
            Ending::Whole
        }
    }
}

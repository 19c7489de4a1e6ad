//! `serve`: a document a line in, an answer a line out, many at once, until the input ends or the
//! process is asked to. One thread reads, a fixed number make calls; whoever finishes writes.
//! What a call does is `run`'s matter.

mod answers;
mod lines;
mod queue;
mod tally;

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::arguments::ServeArguments;
use super::cli::{connector, name_action, say};
use super::signals::{self, Signal};
use crate::catalog::Catalog;
use crate::envelope::{AssetParameters, Invocation, Output};
use crate::error::{Error, ExitCode, Kind};
use crate::run::Connector;
use answers::Answers;
use lines::{Content, Lines};
use queue::{Job, Queue};
use tally::Tally;

/// What a worker's calls need of its stack at most: documents nest 128 deep.
const STACK_BYTES: usize = 2 * 1024 * 1024;
/// How often the line for people is renewed.
const PROGRESS: Duration = Duration::from_millis(500);
/// After a bug: how long the calls that are under way may still take.
const GRACE: Duration = Duration::from_mins(1);

/// What all threads share.
struct Server {
    connector: Connector,
    arguments: ServeArguments,
    /// The asset of every call: the sandbox's instead of the document's, or a file's beneath it.
    asset: AssetParameters,
    queue: Queue,
    answers: Answers,
    tally: Mutex<Tally>,
    in_flight: AtomicU64,
    /// Whether a call met a bug.
    bug: AtomicBool,
    /// Whether the input broke off.
    unreadable: AtomicBool,
}

thread_local! {
    /// The call that this worker makes: the place of its answer, and its `id`.
    static CURRENT: RefCell<Option<(u64, Option<Value>)>> = const { RefCell::new(None) };
}

/// Serves until the input ends, a signal asks for the end, or nobody reads the answers any more.
///
/// # Errors
///
/// Where it cannot begin.
pub(super) fn serve(catalog: Catalog, arguments: ServeArguments) -> Result<ExitCode, Error> {
    let mut template = Invocation::default();
    let connector = connector(catalog, &arguments.asset, arguments.sandbox, &mut template)?;
    let workers = usize::from(arguments.concurrency);
    let server = Arc::new(Server {
        connector,
        asset: template.asset,
        queue: Queue::new(2 * workers, arguments.max_line_bytes, workers),
        answers: Answers::new(arguments.ordered),
        tally: Mutex::new(Tally::new()),
        in_flight: AtomicU64::new(0),
        bug: AtomicBool::new(false),
        unreadable: AtomicBool::new(false),
        arguments,
    });
    server.start().map_err(|error| {
        Error::new(Kind::Usage, format!("the calls cannot be started: {error}"))
    })?;
    let code = server.wait();
    if server.arguments.stats {
        server.report();
    }
    Ok(code)
}

impl Server {
    /// Starts every thread.
    fn start(self: &Arc<Self>) -> io::Result<()> {
        self.survive_bugs();
        let watched = Arc::clone(self);
        signals::watch(move |signal| match signal {
            Signal::Stop => watched.stop(),
            Signal::Report => watched.report(),
        })?;
        for number in 0..self.arguments.concurrency {
            let server = Arc::clone(self);
            let thread = Builder::new().stack_size(STACK_BYTES);
            thread
                .name(format!("call-{number}"))
                .spawn(move || server.work())?;
        }
        let server = Arc::clone(self);
        let reader = Builder::new().name("read".to_owned());
        reader.spawn(move || server.read())?;
        Ok(())
    }

    /// Waits for the end of all calls, and shows people how far they are.
    fn wait(&self) -> ExitCode {
        let shown = io::stderr().is_terminal();
        let mut graces = 0;
        while !self.queue.wait(PROGRESS) {
            if shown {
                eprint_over(&self.progress());
            }
            graces += u32::from(self.bug.load(Ordering::SeqCst));
            if PROGRESS * graces >= GRACE {
                break;
            }
        }
        if shown {
            eprint_over(&self.progress());
            say("");
        }
        if self.bug.load(Ordering::SeqCst) {
            ExitCode::Bug
        } else if self.unreadable.load(Ordering::SeqCst) {
            ExitCode::Usage
        } else {
            ExitCode::Accepted
        }
    }

    /// Finishes what was started and starts nothing more.
    fn stop(&self) {
        self.queue.stop();
        self.connector.stop();
    }

    /// Reads until the input ends or nothing more is wanted.
    fn read(&self) {
        let input = io::stdin();
        if input.is_terminal() {
            say("reading one JSON document a line from standard input; end it with Ctrl-D");
        }
        let mut lines = Lines::new(input.lock(), self.arguments.max_line_bytes);
        let mut sequence = 0;
        let mut put = |line| {
            if let Err(job) = self.queue.push(Job { sequence, line }) {
                self.refuse(&job);
            }
            sequence += 1;
        };
        loop {
            while let Some(line) = lines.next_whole() {
                put(line);
            }
            if !self.queue.may_read() {
                break;
            }
            let more = lines.fill();
            if !self.queue.has_read() {
                break;
            }
            match more {
                Ok(true) => {}
                Ok(false) => {
                    lines.rest().into_iter().for_each(&mut put);
                    break;
                }
                Err(error) => {
                    say(&format!("error: standard input cannot be read: {error}"));
                    self.unreadable.store(true, Ordering::SeqCst);
                    break;
                }
            }
        }
        self.queue.end_of_input();
    }

    /// Makes calls until there are no more.
    fn work(&self) {
        while let Some((job, start)) = self.queue.pop() {
            if !start {
                self.refuse(&job);
                continue;
            }
            let begun = Instant::now();
            self.in_flight.fetch_add(1, Ordering::Relaxed);
            let output = self.answer(&job);
            self.give(job.sequence, &output, Some(begun.elapsed()));
            CURRENT.set(None);
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        self.queue.leave();
    }

    /// The answer to one line.
    fn answer(&self, job: &Job) -> Output {
        CURRENT.set(Some((job.sequence, None)));
        let document = match document(job) {
            Ok(document) => document,
            Err(error) => return Output::from(&error),
        };
        let id = document.get("id").cloned();
        CURRENT.set(Some((job.sequence, id.clone())));
        let invocation = Invocation::from_value(document).and_then(|mut invocation| {
            name_action(&mut invocation, self.arguments.action.clone())?;
            Ok(invocation)
        });
        match invocation {
            Ok(invocation) => self.call(invocation),
            Err(error) => Output {
                id,
                ..Output::from(&at_line(job, error))
            },
        }
    }

    fn call(&self, mut invocation: Invocation) -> Output {
        if self.arguments.sandbox {
            invocation.asset = self.asset.clone();
        } else {
            invocation.asset = invocation.asset.over(&self.asset);
        }
        if self.arguments.dry_run {
            self.connector.plan(invocation)
        } else {
            self.connector.call(invocation)
        }
    }

    /// Answers a line that was read and will not be started.
    fn refuse(&self, job: &Job) {
        let id = document(job)
            .ok()
            .and_then(|document| document.get("id").cloned());
        let error = Error::new(
            Kind::ShuttingDown,
            "the process is ending; this call was not started",
        );
        let output = Output {
            id,
            ..Output::from(&at_line(job, error))
        };
        self.give(job.sequence, &output, None);
    }

    /// Counts an answer and writes it.
    fn give(&self, sequence: u64, output: &Output, took: Option<Duration>) {
        let mut line = output.render();
        line.push('\n');
        self.tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count(output, took);
        if !self
            .answers
            .give(sequence, line.as_bytes(), &mut io::stdout())
        {
            // Nobody reads: nothing more is started, and what waits would be answered to nobody.
            self.queue.abandon();
            self.connector.stop();
        }
    }

    /// Writes the figures to standard error.
    fn report(&self) {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let mut summary = tally.summary(self.connector.tokens_issued());
        drop(tally);
        summary["in_flight"] = Value::from(self.in_flight.load(Ordering::Relaxed));
        summary["queued"] = Value::from(self.queue.length());
        say(&summary.to_string());
    }

    fn progress(&self) -> String {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        format!("{}, {in_flight} under way", tally.progress())
    }

    /// A bug in one call takes no answer from the others: its own line tells of it, what was
    /// started is finished, and then the process ends. The thread goes no further, since a panic
    /// cannot be caught in a release.
    fn survive_bugs(self: &Arc<Self>) {
        let server = Arc::clone(self);
        let otherwise = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let Some((sequence, id)) = CURRENT.take() else {
                return otherwise(panic);
            };
            let place = panic
                .location()
                .map(ToString::to_string)
                .unwrap_or_default();
            let error = Error::new(Kind::Internal, format!("the connector has a bug: {place}"));
            server.bug.store(true, Ordering::SeqCst);
            server.stop();
            let output = Output {
                id,
                ..Output::from(&error)
            };
            server.give(sequence, &output, None);
            server.queue.leave();
            loop {
                std::thread::park();
            }
        }));
    }
}

/// The JSON value of a line.
fn document(job: &Job) -> Result<Value, Error> {
    let (_, Content::Text(text)) = &job.line else {
        let error = Error::new(
            Kind::InvalidDocument,
            "it is longer than `--max-line-bytes` allows",
        );
        return Err(at_line(job, error));
    };
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    // Of a text whose encoding is known to be right, no string is looked through for it again.
    let read = match str::from_utf8(text) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(text),
    };
    read.map_err(|error| {
        let what = if error.is_eof() {
            "it ends too early"
        } else {
            "a syntax error"
        };
        let message = format!("it is not JSON: {what} at column {}", error.column());
        at_line(job, Error::new(Kind::InvalidDocument, message))
    })
}

/// The same error with the line that it is about.
fn at_line(job: &Job, error: Error) -> Error {
    let message = format!("line {}: {}", job.line.0, error.message);
    Error { message, ..error }
}

/// Writes over the last line that people see.
fn eprint_over(text: &str) {
    use std::io::Write as _;
    let _ = write!(io::stderr().lock(), "\r{text}\u{1b}[K");
}

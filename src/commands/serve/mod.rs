//! `serve`: a document per line in, an answer per line out, many calls at once, until the input ends
//! or a signal asks for a graceful shutdown. One thread reads, a fixed number make calls; whoever
//! finishes writes. A panic in a call is that call's answer, and the exit code tells of it.

mod line_reader;
mod output;
mod queue;
mod stats;

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use serde_json::Value;

use line_connector_client::{Catalog, Connector, Error, ExitCode, Invocation, Kind, Output};
use line_connector_core::documents::{AssetParameters, Refused};
use line_connector_core::error::Outcome;
use line_connector_core::json_text::JsonText;
use line_reader::{Content, Lines};
use output::Answers;
use queue::{Job, Queue};
use stats::Stats;

use super::run::{known, name_action};
use crate::args::ServeArguments;
use crate::host;
use crate::panics::contain;
use crate::signals::{self, Signal};
use crate::terminal::{say, say_over, say_unwritten};

/// What a worker's calls need of its stack at most: documents nest 128 deep.
const STACK_BYTES: usize = 2 * 1024 * 1024;
/// How often the line for people is renewed.
const PROGRESS: Duration = Duration::from_millis(500);

/// How long answers may take to be written once the time of a graceful shutdown is over.
const MAX_FLUSH: Duration = Duration::from_secs(5);
/// How often, meanwhile, lines without an answer are looked for: a thread may have had one in hand.
const SWEEP: Duration = Duration::from_millis(20);

/// A worker's call under way: its place among the answers and its `id`. Whoever takes it out answers
/// it.
#[derive(Default)]
struct Slot(Mutex<Option<(u64, Option<JsonText>)>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<(u64, Option<JsonText>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, sequence: u64) {
        *self.lock() = Some((sequence, None));
    }

    /// Adds the `id`, if nobody has taken the call out.
    fn identify(&self, id: Option<&JsonText>) {
        if let Some((_, known)) = self.lock().as_mut() {
            *known = id.cloned();
        }
    }

    fn take(&self) -> Option<(u64, Option<JsonText>)> {
        self.lock().take()
    }

    fn is_taken(&self) -> bool {
        self.lock().is_some()
    }
}

/// What all threads share. `O` is where answers go, such as standard output.
struct Server<O> {
    output: O,
    connector: Connector,
    arguments: ServeArguments,
    /// The asset of every call: the sandbox's instead of the document's, or a file's beneath it.
    asset: AssetParameters,
    queue: Queue,
    /// How many lines were read, each of which gets an answer.
    read: AtomicU64,
    answers: Answers,
    stats: Mutex<Stats>,
    /// The calls under way, one for each worker.
    under_way: Vec<Slot>,
    /// When the end was asked for.
    stopped: Mutex<Option<Instant>>,
    /// Whether a call met a bug.
    bug: AtomicBool,
    /// Whether a call failed.
    failed: AtomicBool,
    /// Whether LINE said that the month's messages are used up, and that is to end it.
    used_up: AtomicBool,
    /// Whether the input broke off.
    unreadable: AtomicBool,
    /// Whether answers could not be written, though somebody may want them.
    unwritten: AtomicBool,
}

/// Serves until the input ends, a signal asks for the end, or nobody reads the answers any more.
///
/// # Errors
///
/// Where it cannot begin.
pub(super) fn serve(catalog: Catalog, arguments: ServeArguments) -> Result<ExitCode, Error> {
    known(&catalog, arguments.action.as_deref())?;
    let mut template = Invocation::default();
    let connector = host::calling(catalog, &arguments.calling, &mut template)?;
    let server = Server::new(connector, template.asset, arguments, io::stdout());
    let cannot_start =
        |error| Error::new(Kind::Usage, format!("the calls cannot be started: {error}"));
    let watched = Arc::clone(&server);
    signals::watch(move |signal| match signal {
        Signal::Stop => watched.stop(),
        Signal::Report => watched.report(),
        Signal::Reread => host::reread(&watched.connector, &watched.arguments.calling),
    })
    .map_err(cannot_start)?;
    let input = io::stdin();
    if input.is_terminal() {
        say("reading one JSON document a line from standard input; end it with Ctrl-D");
    }
    server.start(input).map_err(cannot_start)?;
    let code = server.wait();
    if server.arguments.stats {
        server.report();
    }
    Ok(code)
}

impl<O> Server<O>
where
    O: Send + Sync + 'static,
    for<'o> &'o O: Write,
{
    fn new(
        connector: Connector,
        asset: AssetParameters,
        arguments: ServeArguments,
        output: O,
    ) -> Arc<Self> {
        let workers = usize::from(arguments.concurrency);
        Arc::new(Self {
            output,
            connector,
            asset,
            queue: Queue::new(2 * workers, arguments.max_line_bytes, workers),
            read: AtomicU64::new(0),
            answers: Answers::new(arguments.ordered),
            stats: Mutex::new(Stats::new()),
            under_way: std::iter::repeat_with(Slot::default)
                .take(workers)
                .collect(),
            stopped: Mutex::default(),
            bug: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            used_up: AtomicBool::new(false),
            unreadable: AtomicBool::new(false),
            unwritten: AtomicBool::new(false),
            arguments,
        })
    }

    /// Starts the threads that read and that call.
    fn start(self: &Arc<Self>, input: impl Read + Send + 'static) -> io::Result<()> {
        for number in 0..self.under_way.len() {
            let server = Arc::clone(self);
            let thread = Builder::new().stack_size(STACK_BYTES);
            thread.name(format!("call-{number}")).spawn(move || {
                if let Some(slot) = server.under_way.get(number) {
                    server.survive(|| server.work(slot));
                }
                server.queue.leave();
            })?;
        }
        let server = Arc::clone(self);
        let reader = Builder::new().name("read".to_owned());
        reader.spawn(move || {
            server.survive(|| server.read(input));
            server.queue.end_of_input();
        })?;
        Ok(())
    }

    /// Does a thread's whole work. Panics of calls are contained below; one beside them ends this
    /// thread, while the others finish what was started.
    fn survive(&self, work: impl FnOnce()) {
        if contain(work).is_err() {
            self.bug.store(true, Ordering::SeqCst);
            self.stop();
        }
    }

    /// Waits for the end of all calls, and shows people how far they are.
    fn wait(self: &Arc<Self>) -> ExitCode {
        let shown = io::stderr().is_terminal();
        while !self.queue.wait(PROGRESS) {
            if shown {
                say_over(&self.progress());
            }
            let stopped = *self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
            let grace = Duration::from_secs(self.arguments.shutdown_seconds);
            if stopped.is_some_and(|stopped| stopped.elapsed() >= grace) {
                self.cut_off();
                break;
            }
        }
        if shown {
            say_over(&self.progress());
            say("");
        }
        if self.bug.load(Ordering::SeqCst) {
            ExitCode::Bug
        } else if self.unwritten.load(Ordering::SeqCst) {
            ExitCode::Unwritten
        } else if self.unreadable.load(Ordering::SeqCst) {
            ExitCode::Usage
        } else if self.used_up.load(Ordering::SeqCst) {
            ExitCode::Quota
        } else if self.arguments.ending.fail_on_error && self.failed.load(Ordering::SeqCst) {
            ExitCode::SomeFailed
        } else {
            ExitCode::Accepted
        }
    }

    /// Finishes what was started and starts nothing more.
    fn stop(&self) {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        stopped.get_or_insert_with(Instant::now);
        drop(stopped);
        self.queue.stop();
        self.connector.stop();
    }

    /// Reads until the input ends or nothing more is wanted.
    fn read(&self, input: impl Read) {
        let mut lines = Lines::new(input, self.arguments.max_line_bytes);
        let put = |line| {
            let sequence = self.read.fetch_add(1, Ordering::SeqCst);
            if let Err(job) = self.queue.push(Job { sequence, line }) {
                self.refuse(&job);
            }
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
                    lines.rest().into_iter().for_each(put);
                    break;
                }
                Err(error) => {
                    say(&format!("error: standard input cannot be read: {error}"));
                    self.unreadable.store(true, Ordering::SeqCst);
                    break;
                }
            }
        }
    }

    /// Makes calls until there are no more.
    fn work(&self, slot: &Slot) {
        let mut done = 0;
        while let Some((job, start)) = self.queue.pop(done) {
            done = job.size();
            if !start {
                self.refuse(&job);
                continue;
            }
            let begun = Instant::now();
            slot.begin(job.sequence);
            let output = self.answer(&job, slot);
            if slot.take().is_some() {
                self.give(job.sequence, &output, Some(begun.elapsed()));
            }
        }
    }

    /// The answer to one line.
    fn answer(&self, job: &Job, slot: &Slot) -> Output {
        let mut invocation = match document(job) {
            Ok(invocation) => invocation,
            Err(refused) => return refused.into(),
        };
        let id = invocation.id.clone();
        slot.identify(id.as_ref());
        let permitted = host::permit(&self.arguments.calling.permissions, &mut invocation)
            .and_then(|()| {
                name_action(
                    self.connector.catalog(),
                    &mut invocation,
                    self.arguments.action.clone(),
                )
            });
        let error = match permitted {
            Ok(()) => match contain(|| self.call(invocation)) {
                Ok(output) => return output,
                Err(bug) => {
                    self.bug.store(true, Ordering::SeqCst);
                    bug
                }
            },
            Err(error) => at_line(job, error),
        };
        Output {
            id,
            ..Output::from(&error)
        }
    }

    fn call(&self, invocation: Invocation) -> Output {
        let calling = &self.arguments.calling;
        host::call(&self.connector, calling, &self.asset, invocation)
    }

    /// How many calls are under way.
    fn in_flight(&self) -> usize {
        let busy = self.under_way.iter().filter(|slot| slot.is_taken());
        busy.count()
    }

    /// Answers every line that has no answer when the time is over, and waits until all answers are
    /// written.
    fn cut_off(self: &Arc<Self>) {
        let server = Arc::clone(self);
        let sweep = move || {
            server.survive(|| {
                server.sweep();
                while !server.has_answered(SWEEP) {
                    server.sweep();
                }
            });
        };
        // In a thread of its own: where nobody takes the answers, it waits, and the end does not.
        if let Err(error) = Builder::new().name("cut-off".to_owned()).spawn(sweep) {
            say(&format!("error: no thread can be started: {error}"));
            self.sweep();
        }
        if !self.has_answered(MAX_FLUSH) {
            say("error: nobody takes the answers from standard output; some are lost");
            self.unwritten.store(true, Ordering::SeqCst);
        }
    }

    /// Answers the calls under way and the lines that were not started: in their order, since in order
    /// a later one may have to wait for an earlier one.
    fn sweep(&self) {
        let cut = |(sequence, id)| {
            let error = Error::new(Kind::Timeout, "the process ended before the call did")
                .with_outcome(Outcome::Unknown);
            let output = Output {
                id,
                ..Output::from(&error)
            };
            (sequence, output)
        };
        let jobs = self.queue.drain();
        let refused = jobs.iter().map(|job| (job.sequence, self.refusal(job)));
        let calls = self.under_way.iter().filter_map(Slot::take).map(cut);
        let mut outputs: Vec<(u64, Output)> = calls.chain(refused).collect();
        outputs.sort_by_key(|(sequence, _)| *sequence);
        for (sequence, output) in outputs {
            self.give(sequence, &output, None);
        }
    }

    /// Waits until every line that was read has an answer which is written or cannot be, about so long
    /// at most; says whether that has come.
    fn has_answered(&self, most: Duration) -> bool {
        self.queue.wait_for_reader(most)
            && self.answers.wait(self.read.load(Ordering::SeqCst), most)
    }

    /// Answers a line that was read and will not be started.
    fn refuse(&self, job: &Job) {
        self.give(job.sequence, &self.refusal(job), None);
    }

    /// The answer to a line that will not be started.
    fn refusal(&self, job: &Job) -> Output {
        let id = document(job).map_or_else(|refused| refused.id, |invocation| invocation.id);
        let error = if self.used_up.load(Ordering::SeqCst) {
            Error::new(
                Kind::MonthlyLimit,
                "LINE said before that the month's messages are used up; this call was not started",
            )
        } else {
            Error::new(
                Kind::ShuttingDown,
                "the process is ending; this call was not started",
            )
        };
        Output {
            id,
            ..Output::from(&at_line(job, error))
        }
    }

    /// Counts an answer and writes it.
    fn give(&self, sequence: u64, output: &Output, took: Option<Duration>) {
        if let Some(error) = &output.error {
            self.failed.store(true, Ordering::SeqCst);
            let used_up = self.arguments.ending.stop_at_quota && error.kind == Kind::MonthlyLimit;
            if used_up && !self.used_up.swap(true, Ordering::SeqCst) {
                say("the month's messages are used up: nothing more is started (--stop-at-quota)");
                self.stop();
            }
        }
        let mut line = output.render();
        line.push('\n');
        self.stats
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count(output, took);
        let given = self
            .answers
            .give(sequence, line.as_bytes(), &mut &self.output);
        if let Err((error, lines)) = given {
            self.stop();
            if error.kind() == ErrorKind::BrokenPipe {
                // Nobody reads: what waits would be answered to nobody.
                self.queue.drain();
            } else {
                self.unwritten.store(true, Ordering::SeqCst);
                say_unwritten(&error, &String::from_utf8_lossy(&lines));
            }
        }
    }

    /// Writes the figures to standard error.
    fn report(&self) {
        let stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        let mut summary = stats.summary(self.connector.tokens_issued());
        drop(stats);
        summary["in_flight"] = Value::from(self.in_flight());
        summary["queued"] = Value::from(self.queue.length());
        say(&summary.to_string());
    }

    fn progress(&self) -> String {
        let stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        let in_flight = self.in_flight();
        format!("{}, {in_flight} under way", stats.progress())
    }
}

/// The invocation in a line.
fn document(job: &Job) -> Result<Invocation, Refused> {
    let (_, Content::Text(text)) = &job.line else {
        let error = Error::new(
            Kind::InvalidDocument,
            "it is longer than `--max-line-bytes` allows",
        );
        return Err(at_line(job, error).into());
    };
    Invocation::from_json(text).map_err(|refused| {
        let error = at_line(job, refused.error);
        let error = if is_piece(text) {
            error.with_hint(
                "this line is a piece of a document: `serve` takes each document on one line, as `jq -c .` writes it",
            )
        } else {
            error
        };
        Refused { error, ..refused }
    })
}

/// Whether a line looks like one of a document that was laid out over several.
fn is_piece(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let is_whole = line.starts_with(b"{") && line.ends_with(b"}") && line.len() > 1;
    let is_edge = |byte: &u8| b"{}[],\"".contains(byte);
    !is_whole && line.first().is_some_and(is_edge)
}

/// The same error with the line that it is about.
fn at_line(job: &Job, error: Error) -> Error {
    let message = format!("line {}: {}", job.line.0, error.message);
    Error { message, ..error }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader, PipeWriter, pipe};

    use clap::Parser;
    use line_connector_client::{Failure, Reply, Request, Transport};

    use super::*;
    use crate::args::{Arguments, Command, Deferred};

    /// A LINE that takes every message, and a client with a bug that certain ones bring out.
    struct Buggy;

    impl Transport for Buggy {
        fn send(&self, request: &Request) -> Result<Reply, Failure> {
            assert!(!request.body.windows(4).any(|four| four == b"boom"));
            Ok(Reply {
                status: 200,
                reason: "OK".to_owned(),
                body: b"{}".to_vec(),
                ..Reply::default()
            })
        }
    }

    fn line(id: usize, text: &str) -> String {
        let document = serde_json::json!({
            "id": id,
            "action": "send_push_message",
            "asset": {"token": "a-secret-token"},
            "inputs": {
                "to": "U0123456789abcdef0123456789abcdef",
                "messages": [{"type": "text", "text": text}],
            },
        });
        format!("{document}\n")
    }

    fn server(output: PipeWriter) -> Arc<Server<PipeWriter>> {
        let line = ["line-connector", "serve", "--concurrency", "4"];
        let Command::Serve(Deferred(arguments)) = Arguments::parse_from(line).command else {
            panic!("not serve");
        };
        let connector = Connector::builder().transport(Arc::new(Buggy)).build();
        Server::new(connector, AssetParameters::default(), arguments, output)
    }

    #[test]
    fn a_panic_in_one_call_is_that_calls_answer() {
        let input: String = (0..400)
            .map(|id| line(id, if id % 40 == 7 { "boom" } else { "hi" }))
            .collect();
        let (answers, output) = pipe().unwrap();
        let server = server(output);
        server.start(io::Cursor::new(input)).unwrap();
        let reader = std::thread::spawn(move || {
            let lines = BufReader::new(answers).lines().take(400);
            let answer = |line: String| serde_json::from_str::<Value>(&line).unwrap();
            lines.map(|line| answer(line.unwrap())).collect::<Vec<_>>()
        });
        assert_eq!(server.wait(), ExitCode::Bug);
        let answers: BTreeMap<u64, Value> = reader
            .join()
            .unwrap()
            .into_iter()
            .map(|answer| (answer["id"].as_u64().unwrap(), answer))
            .collect();
        assert_eq!(answers.len(), 400);
        for (id, answer) in answers {
            if id % 40 == 7 {
                assert_eq!(answer["error"]["kind"], "internal", "{answer}");
                assert!(!answer.to_string().contains("a-secret-token"));
            } else {
                assert_eq!(answer["status_code"], 200, "{answer}");
            }
        }
    }

    #[test]
    fn without_a_panic_it_ends_well() {
        let (_answers, output) = pipe().unwrap();
        let server = server(output);
        server.start(io::Cursor::new(line(1, "hi"))).unwrap();
        assert_eq!(server.wait(), ExitCode::Accepted);
    }
}

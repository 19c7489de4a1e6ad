//! Sending what was planned. One thread owns the ledger: it takes parts, hands them to threads that
//! make the calls, and writes their ends down. A part is on the disk as being sent before its request
//! is made.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use line_connector_client::{Error, Kind};
use serde::Serialize;
use serde_json::Value;

use crate::campaigner::Campaigner;
use crate::history::History;
use crate::ledger::{
    Access, Claimed, Count, End, Gate, Ledger, Member, RunRow, RunState, State, Want, Wanted,
};
use crate::part::{Bodies, Part, Verdict, is_for_people, pause_of_account_ms, pause_of_part_ms};
use crate::unfollows::Unfollows;
use crate::window::Window;

/// How often the ledger is asked what other processes want, and progress is told.
const TICK: Duration = Duration::from_millis(250);

/// How a run goes on.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The digest of the plan, or its first characters, which says that this is what is meant.
    pub confirm: Option<String>,
    /// Goes on with the people who were planned although the list has changed.
    pub as_planned: bool,
    /// Sends again to people who may have got it already, and whose retry keys are too old: their
    /// number, which says that it is known.
    pub resend_unknown: Option<u64>,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// The run's state.
    pub state: RunState,
    /// People whom LINE accepted a message for.
    pub accepted: u64,
    /// People whom LINE refused a message for.
    pub rejected: u64,
    /// People of whom it is not known, and cannot be found out by repeating.
    pub expired_unknown: u64,
    /// People who are still to be sent to, or being sent to.
    pub left: u64,
    /// People a second, of late.
    pub rate: f64,
    /// How long it takes at this rate.
    pub seconds_left: Option<u64>,
    /// Why accounts wait, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub waiting: BTreeMap<String, String>,
}

/// One request's people, for the threads that make calls.
struct Job {
    claimed: Claimed,
    bodies: Arc<Bodies>,
}

/// What became of a job.
struct Done {
    lane: usize,
    part: i64,
    /// Everybody whom LINE may have sent something.
    members: Vec<Member>,
    verdict: Verdict,
}

/// One account's way to LINE.
struct Lane {
    name: String,
    window: Option<Window>,
    jobs: Option<Sender<Job>>,
    under_way: usize,
    failures: u32,
    /// Milliseconds since 1970.
    held_until: i64,
    stopped: Option<String>,
}

impl Campaigner<'_> {
    /// Sends a campaign that was planned and confirmed. It returns when the campaign has ended or
    /// paused. `stop` asks it to pause; `tell` is told how far it is.
    ///
    /// # Errors
    ///
    /// Why nothing more is sent. What is under way then is in the ledger.
    pub fn start(
        &self,
        options: &RunOptions,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(&Progress),
    ) -> Result<Value, Error> {
        let (ledger, run) = self.take_ledger()?;
        if !matches!(run.state, RunState::Planned | RunState::Scheduled) {
            let message = format!(
                "the campaign is {} already; nothing was sent",
                run.state.name()
            );
            let hint = match run.state {
                RunState::Running | RunState::Paused => "`campaign resume` goes on with it",
                _ => "`campaign status` shows how it ended; another `occurrence` is another run",
            };
            return Err(Error::new(Kind::Usage, message).with_hint(hint));
        }
        confirm(&run.digest, options.confirm.as_deref().unwrap_or_default())?;
        self.compare(&run, options.as_planned)?;
        if ledger.digest(&run.id)? != run.digest {
            let message = "the ledger is not as it was planned: somebody has changed who gets what; nothing was sent";
            let hint = "remove the ledger, find out who could write it, and plan again";
            return Err(Error::new(Kind::Usage, message).with_hint(hint));
        }
        self.send(ledger, &run.id, stop, tell)
    }

    /// Goes on with a campaign that paused, or whose process ended.
    ///
    /// # Errors
    ///
    /// As [`Campaigner::start`].
    pub fn resume(
        &self,
        options: &RunOptions,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(&Progress),
    ) -> Result<Value, Error> {
        let (ledger, run) = self.take_ledger()?;
        let resends = options.resend_unknown;
        match run.state {
            RunState::Planned => {
                let hint = "`campaign start` sends it";
                return Err(
                    Error::new(Kind::Usage, "the campaign was not started yet").with_hint(hint)
                );
            }
            RunState::Cancelled => {
                // Of requests that were under way it can still be found out what became of them.
                let counts = ledger.counts()?;
                if people_in(&counts, State::Unknown) == 0 {
                    return Err(Error::new(Kind::Usage, "the campaign was cancelled")
                        .with_hint("plan another `occurrence`"));
                }
            }
            RunState::Finished => return summary(&ledger),
            RunState::FinishedWithUnknown if resends.is_none() => return summary(&ledger),
            RunState::Scheduled
            | RunState::Running
            | RunState::Paused
            | RunState::FinishedWithUnknown => {}
        }
        self.compare(&run, options.as_planned)?;
        if let Some(told) = resends {
            let counts = ledger.counts()?;
            let doubles = people_in(&counts, State::ExpiredUnknown);
            if told != doubles {
                let message =
                    format!("{doubles} people may get it twice, not {told}; nothing was sent");
                let hint = format!("`--resend-unknown {doubles}` says that this is known");
                return Err(Error::new(Kind::Usage, message).with_hint(hint));
            }
            ledger.resend_unknown()?;
        }
        ledger.release()?;
        self.send(ledger, &run.id, stop, tell)
    }

    /// The ledger, which no other process sends from until it is dropped.
    fn take_ledger(&self) -> Result<(Ledger, RunRow), Error> {
        let ledger = Ledger::open(&self.ledger, Access::Send)?;
        let run = ledger.run()?;
        Ok((ledger, run))
    }

    fn send(
        &self,
        ledger: Ledger,
        run: &str,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(&Progress),
    ) -> Result<Value, Error> {
        let holder = format!("process {} on {}", std::process::id(), host());
        ledger.hold(Some(&holder))?;
        ledger.recover()?;
        let mut sender = Sending::new(self, ledger, run)?;
        let ended = sender.wait_for_time(stop, tell).and_then(|in_time| {
            if in_time {
                sender.send_all(stop, tell)
            } else {
                Ok(())
            }
        });
        let ledger = sender.ledger;
        let _ = ledger.hold(None);
        ended?;
        let summary = summary(&ledger);
        ledger.close();
        summary
    }
}

/// A run in numbers.
fn summary(ledger: &Ledger) -> Result<Value, Error> {
    crate::status::summary(ledger).map_err(Error::from)
}

/// Refuses a plan that is not the one that is meant.
///
/// # Errors
///
/// What confirms it.
pub(crate) fn confirm(digest: &str, confirmed: &str) -> Result<(), Error> {
    if confirmed.len() >= MIN_CONFIRMATION && digest.starts_with(confirmed) {
        return Ok(());
    }
    let message = "what was planned is not confirmed; nothing was sent";
    let digest = digest.get(..MIN_CONFIRMATION).unwrap_or_default();
    let hint = format!("look at the plan, then give `--confirm {digest}`");
    Err(Error::new(Kind::Usage, message).with_hint(hint))
}

/// How much of a digest confirms a plan.
const MIN_CONFIRMATION: usize = 12;

/// A run under way.
struct Sending<'a> {
    campaigner: &'a Campaigner<'a>,
    ledger: Ledger,
    run: String,
    lanes: Vec<Lane>,
    gatekeeper: Gatekeeper,
    /// The rendering that was read last: many parts in a row have the same.
    body: Option<(i64, Arc<Bodies>)>,
    meter: Meter,
}

/// Who is left out just before something is sent, and the history of what was.
struct Gatekeeper {
    history: Option<History>,
    unfollows: Option<Unfollows>,
    now: Timestamp,
}

impl Gate for Gatekeeper {
    fn left_out(&mut self, account: usize, ids: &[&str]) -> Result<Vec<(usize, String)>, Error> {
        let mut left_out = Vec::new();
        let mut places = Vec::new();
        for (place, id) in ids.iter().enumerate() {
            let unfollows = self.unfollows.as_ref();
            if unfollows
                .map(|unfollows| unfollows.has_left(account, id))
                .transpose()?
                == Some(true)
            {
                left_out.push((place, "unfollowed".to_owned()));
            } else {
                places.push(place);
            }
        }
        if let Some(history) = &mut self.history {
            let rest = places.iter().filter_map(|place| ids.get(*place).copied());
            let rest: Vec<&str> = rest.collect();
            let full = history.reserve(&rest, self.now)?;
            let full = full.into_iter().filter_map(|place| places.get(place));
            left_out.extend(full.map(|place| (*place, "frequency_cap".to_owned())));
        }
        Ok(left_out)
    }
}

/// Counts people.
struct Meter {
    accepted: u64,
    rejected: u64,
    expired: u64,
    left: u64,
    /// How many were accepted at times of late.
    marks: VecDeque<(Instant, u64)>,
}

impl Meter {
    fn new(counts: &[(State, Count)]) -> Self {
        let waiting = [State::Planned, State::Sending, State::Unknown, State::Held];
        Self {
            accepted: people_in(counts, State::Accepted),
            rejected: people_in(counts, State::Rejected),
            expired: people_in(counts, State::ExpiredUnknown),
            left: waiting.iter().map(|state| people_in(counts, *state)).sum(),
            marks: VecDeque::new(),
        }
    }

    fn count(&mut self, state: State, people: u64) {
        match state {
            State::Accepted => self.accepted += people,
            State::Rejected => self.rejected += people,
            _ => return,
        }
        self.left = self.left.saturating_sub(people);
    }

    fn progress(&mut self, state: RunState, waiting: BTreeMap<String, String>) -> Progress {
        const MARKS: usize = 40;
        let now = Instant::now();
        self.marks.push_back((now, self.accepted));
        if self.marks.len() > MARKS {
            self.marks.pop_front();
        }
        let first = self.marks.front().copied().unwrap_or((now, self.accepted));
        let seconds = now.duration_since(first.0).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = if seconds > 0.0 {
            (self.accepted - first.1) as f64 / seconds
        } else {
            0.0
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "an estimate for people"
        )]
        let seconds_left = (rate > 0.0).then(|| (self.left as f64 / rate).ceil() as u64);
        Progress {
            state,
            accepted: self.accepted,
            rejected: self.rejected,
            expired_unknown: self.expired,
            left: self.left,
            rate: (rate * 10.0).round() / 10.0,
            seconds_left,
            waiting,
        }
    }
}

fn people_in(counts: &[(State, Count)], state: State) -> u64 {
    let found = counts.iter().find(|(known, _)| *known == state);
    found.map_or(0, |(_, count)| count.people)
}

impl<'a> Sending<'a> {
    fn new(campaigner: &'a Campaigner<'a>, ledger: Ledger, run: &str) -> Result<Self, Error> {
        let mut lanes = Vec::new();
        let mut bots = Vec::new();
        for name in ledger.accounts()? {
            let window = campaigner.campaign.hours(&name);
            let health = campaigner.ask(&name);
            // One that does not answer now may later; one that is refused will be again.
            let stopped = health
                .as_ref()
                .err()
                .filter(|error| is_for_people(error.kind));
            lanes.push(Lane {
                name,
                window,
                jobs: None,
                under_way: 0,
                failures: 0,
                held_until: 0,
                stopped: stopped.map(|error| error.message.clone()),
            });
            bots.push(health.ok().and_then(|health| health.bot));
        }
        let queue = campaigner
            .campaign
            .suppress
            .as_ref()
            .and_then(|list| list.queue.as_ref());
        let queue = queue.map(|queue| Unfollows::open(&campaigner.beside(queue), bots));
        let meter = Meter::new(&ledger.counts()?);
        Ok(Self {
            campaigner,
            ledger,
            run: run.to_owned(),
            lanes,
            gatekeeper: Gatekeeper {
                history: campaigner.history(true)?,
                unfollows: queue.transpose()?,
                now: campaigner.now(),
            },
            body: None,
            meter,
        })
    }

    /// Waits until the campaign is to begin; false where it was stopped before.
    fn wait_for_time(
        &mut self,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(&Progress),
    ) -> Result<bool, Error> {
        let at = self.campaigner.campaign.begins();
        let Some(at) = at.filter(|at| *at > self.campaigner.now()) else {
            return Ok(true);
        };
        self.moved(RunState::Scheduled, Some(&format!("begins at {at}")))?;
        while at > self.campaigner.now() {
            if let Some(state) = self.asked(stop)? {
                self.end(state, None)?;
                return Ok(false);
            }
            tell(&self.meter.progress(RunState::Scheduled, BTreeMap::new()));
            self.campaigner.clock.sleep(TICK);
        }
        Ok(true)
    }

    fn moved(&self, state: RunState, reason: Option<&str>) -> Result<(), Error> {
        let now = self.campaigner.now().as_millisecond();
        self.ledger.moved(state, reason, now).map_err(Error::from)
    }

    fn end(&mut self, state: RunState, reason: Option<&str>) -> Result<(), Error> {
        if state == RunState::Cancelled {
            self.ledger.cancel()?;
        }
        self.moved(state, reason)?;
        // It has been done. What is asked before somebody sends is kept until then.
        self.ledger.ask(None).map_err(Error::from)
    }

    /// What somebody asks of this run.
    fn asked(&self, stop: &AtomicBool) -> Result<Option<RunState>, Error> {
        if stop.load(Ordering::Relaxed) {
            return Ok(Some(RunState::Paused));
        }
        let wanted = self.ledger.wanted()?;
        Ok(wanted.map(|wanted| match wanted {
            Wanted::Pause => RunState::Paused,
            Wanted::Cancel => RunState::Cancelled,
        }))
    }

    fn send_all(
        &mut self,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(&Progress),
    ) -> Result<(), Error> {
        self.moved(RunState::Running, None)?;
        let ending = AtomicBool::new(false);
        let (results, done) = channel();
        let campaigner = self.campaigner;
        thread::scope(|scope| {
            for (number, lane) in self.lanes.iter_mut().enumerate() {
                let (jobs, queue) = channel();
                lane.jobs = Some(jobs);
                let queue = Arc::new(Mutex::new(queue));
                for _ in 0..campaigner.campaign.sending.concurrency {
                    let (queue, results, name) =
                        (Arc::clone(&queue), results.clone(), lane.name.clone());
                    let ending = &ending;
                    let worker = Worker {
                        campaigner,
                        lane: number,
                        name,
                    };
                    scope.spawn(move || worker.work(&queue, &results, ending));
                }
            }
            drop(results);
            let ended = self.oversee(&done, &ending, stop, tell);
            // Workers end when nobody can give them anything more.
            ending.store(true, Ordering::Relaxed);
            for lane in &mut self.lanes {
                lane.jobs = None;
            }
            ended
        })
    }

    fn oversee(
        &mut self,
        done: &Receiver<Done>,
        ending: &AtomicBool,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(&Progress),
    ) -> Result<(), Error> {
        let mut asked = None;
        let mut looked = Instant::now();
        let mut written = Instant::now();
        let mut told = BTreeMap::new();
        let mut ends = Vec::new();
        loop {
            let wants = if asked.is_none() {
                self.wants()
            } else {
                Vec::new()
            };
            let is_idle = self.lanes.iter().all(|lane| lane.under_way == 0);
            // Ends alone can wait: one that is lost is found out by repeating.
            if !wants.is_empty() || is_idle || written.elapsed() >= TICK {
                written = Instant::now();
                self.turn(&mut ends, &wants)?;
            }
            if looked.elapsed() >= TICK {
                looked = Instant::now();
                if asked.is_none() {
                    asked = self.asked(stop)?;
                }
                if asked.is_some() {
                    ending.store(true, Ordering::Relaxed);
                    // Whoever waits for a turn gives up.
                    self.campaigner.stop();
                }
                let waiting = self.waiting()?;
                if waiting != told {
                    told.clone_from(&waiting);
                    self.moved(RunState::Running, reason_of(&waiting).as_deref())?;
                }
                tell(&self.meter.progress(RunState::Running, waiting));
            }
            if self.lanes.iter().all(|lane| lane.under_way == 0) {
                if let Some(state) = asked {
                    return self.end(state, None);
                }
                if let Some((state, reason)) = self.is_over()? {
                    return self.end(state, reason.as_deref());
                }
            }
            match done.recv_timeout(TICK.saturating_sub(looked.elapsed())) {
                Ok(first) => {
                    ends.push(self.ended(first)?);
                    while let Ok(next) = done.try_recv() {
                        ends.push(self.ended(next)?);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::new(
                        Kind::Internal,
                        "nobody makes the calls any more",
                    ));
                }
            }
        }
    }

    /// Writes ends down, takes parts, and hands them out.
    fn turn(&mut self, ends: &mut Vec<End>, wants: &[Want]) -> Result<(), Error> {
        if ends.is_empty() && wants.is_empty() {
            return Ok(());
        }
        let now = self.campaigner.now();
        self.gatekeeper.now = now;
        let taken = self.ledger.turn(
            &self.run,
            ends,
            wants,
            now.as_millisecond(),
            &mut self.gatekeeper,
        )?;
        ends.clear();
        for (place, claimed) in taken {
            let bodies = self.bodies(claimed.body)?;
            if let Some(lane) = self.lanes.get_mut(place)
                && let Some(jobs) = &lane.jobs
                && jobs.send(Job { claimed, bodies }).is_ok()
            {
                lane.under_way += 1;
            }
        }
        Ok(())
    }

    fn bodies(&mut self, body: i64) -> Result<Arc<Bodies>, Error> {
        if let Some((known, bodies)) = &self.body
            && *known == body
        {
            return Ok(Arc::clone(bodies));
        }
        let text = self.ledger.requests(body)?;
        let bodies: Arc<Bodies> = Arc::new(serde_json::from_str(&text).unwrap_or_default());
        self.body = Some((body, Arc::clone(&bodies)));
        Ok(bodies)
    }

    /// How many parts of each account are to be taken now.
    fn wants(&self) -> Vec<Want> {
        let now = self.campaigner.now();
        // As many again are ready as are under way when more are taken, so that no thread waits for
        // the disk.
        let most = usize::from(self.campaigner.campaign.sending.concurrency) * 4;
        let lanes = self.lanes.iter().enumerate().filter(|(_, lane)| {
            let is_held = lane.held_until > now.as_millisecond();
            let is_open = lane
                .window
                .as_ref()
                .is_none_or(|window| window.next_open(now) <= now);
            lane.stopped.is_none() && !is_held && is_open
        });
        let wants = lanes.map(|(account, lane)| Want {
            account,
            parts: most.saturating_sub(lane.under_way),
        });
        // Few at a time would be a write to the disk for each.
        wants.filter(|want| want.parts * 2 >= most).collect()
    }

    /// Why accounts wait.
    fn waiting(&self) -> Result<BTreeMap<String, String>, Error> {
        let now = self.campaigner.now();
        let mut waiting = BTreeMap::new();
        for (number, lane) in self.lanes.iter().enumerate() {
            let opens = lane.window.as_ref().map(|window| window.next_open(now));
            let reason = if let Some(reason) = &lane.stopped {
                reason.clone()
            } else if let Some(opens) = opens.filter(|opens| *opens > now) {
                format!("its window opens at {opens}")
            } else if lane.held_until > now.as_millisecond() {
                format!("{} requests in a row failed", lane.failures)
            } else {
                continue;
            };
            let due = self.ledger.next_due(number)?;
            if due.is_some() {
                waiting.insert(lane.name.clone(), reason);
            }
        }
        Ok(waiting)
    }

    /// How the run ends, if nothing is left that could be sent. Nothing is under way.
    fn is_over(&self) -> Result<Option<(RunState, Option<String>)>, Error> {
        let mut reasons = Vec::new();
        for (number, lane) in self.lanes.iter().enumerate() {
            if self.ledger.next_due(number)?.is_none() {
                continue;
            }
            match &lane.stopped {
                Some(reason) => reasons.push(format!("{}: {reason}", lane.name)),
                None => return Ok(None),
            }
        }
        if !reasons.is_empty() {
            return Ok(Some((RunState::Paused, Some(reasons.join("; ")))));
        }
        let counts = self.ledger.counts()?;
        let state = if people_in(&counts, State::Cancelled) > 0 {
            RunState::Cancelled
        } else if people_in(&counts, State::ExpiredUnknown) > 0 {
            RunState::FinishedWithUnknown
        } else {
            RunState::Finished
        };
        Ok(Some((state, None)))
    }

    /// What an answer comes to, for the ledger and for the account.
    fn ended(&mut self, done: Done) -> Result<End, Error> {
        let now = self.campaigner.now().as_millisecond();
        let max_failures = self.campaigner.campaign.sending.max_failures;
        let concurrency = u32::from(self.campaigner.campaign.sending.concurrency);
        let verdict = done.verdict;
        // They were remembered when the part was taken.
        if !matches!(verdict.state, State::Accepted | State::Unknown)
            && let Some(history) = &mut self.gatekeeper.history
        {
            history.release(done.members.iter().map(|member| member.id.as_str()))?;
        }
        self.meter.count(verdict.state, done.members.len() as u64);
        let mut due = 0;
        if let Some(lane) = self.lanes.get_mut(done.lane) {
            lane.under_way = lane.under_way.saturating_sub(1);
            if let Some(reason) = verdict.stops {
                lane.stopped = Some(reason);
            } else if verdict.is_failure {
                lane.failures += 1;
                due = now + pause_of_part_ms(lane.failures / concurrency);
                if lane.failures >= max_failures {
                    let last = verdict.reason.as_deref().unwrap_or("no reason was given");
                    lane.stopped = Some(format!(
                        "{} requests in a row failed, the last: {last}",
                        lane.failures
                    ));
                } else if lane.failures >= concurrency {
                    lane.held_until = now + pause_of_account_ms(lane.failures / concurrency);
                }
            } else if verdict.state == State::Accepted {
                lane.failures = 0;
                lane.held_until = 0;
            }
        }
        Ok(End {
            part: done.part,
            state: verdict.state,
            at_ms: now,
            due_ms: due,
            status: verdict.status,
            request_id: verdict.request_id,
            reason: verdict.reason,
        })
    }
}

/// Why accounts wait, for other processes.
fn reason_of(waiting: &BTreeMap<String, String>) -> Option<String> {
    let reasons = waiting
        .iter()
        .map(|(account, reason)| format!("{account} waits: {reason}"));
    let reasons: Vec<String> = reasons.collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// A thread that makes the calls of an account.
struct Worker<'a> {
    campaigner: &'a Campaigner<'a>,
    lane: usize,
    name: String,
}

impl Worker<'_> {
    fn work(&self, queue: &Mutex<Receiver<Job>>, results: &Sender<Done>, ending: &AtomicBool) {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else {
                return;
            };
            let verdict = if ending.load(Ordering::Relaxed) {
                // It was taken and no request was made: it stands as it stood.
                Verdict::unsent(job.claimed.in_doubt)
            } else {
                self.send(&job)
            };
            let done = Done {
                lane: self.lane,
                part: job.claimed.part,
                members: job.claimed.members,
                verdict,
            };
            if results.send(done).is_err() {
                return;
            }
        }
    }

    fn send(&self, job: &Job) -> Verdict {
        let claimed = &job.claimed;
        let ids: Vec<&str> = claimed.members.iter().map(|one| one.id.as_str()).collect();
        self.campaigner.send_part(&Part {
            account: &self.name,
            key: &claimed.key,
            ids: &ids,
            bodies: &job.bodies,
            in_doubt: claimed.in_doubt,
        })
    }
}

/// The machine's name, for people.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned())
}

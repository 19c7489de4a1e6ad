//! Sending a chunk's parts, within permits of LINE's rate that somebody else gives.

use std::collections::{BTreeMap, VecDeque};
use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Chunk;
use super::chunk::Row;
use crate::campaigner::Campaigner;
use crate::ledger::State;
use crate::part::{Part, Verdict, has_expired};

/// After so many failures in a row a turn begins nothing more: others of the chunk would fail as well.
const MAX_FAILURES: u32 = 16;
/// To how much the times of answers are rounded up, milliseconds, so that few are told.
const ROUNDED_MS: i64 = 5;
/// The longest that a request waits at a time before it looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(200);

/// The right to make so many requests from a time on, milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permit {
    /// How many requests.
    pub count: u32,
    /// From when on, or since when.
    pub at_ms: i64,
}

/// How parts of a chunk are sent now.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The number of the chunk's turn, from 1: in each a part is tried once.
    pub number: u32,
    /// When this turn began, milliseconds since 1970.
    pub began_ms: i64,
    /// Whether somebody may have sent parts in this turn before, and died.
    pub in_doubt: bool,
    /// Whether only what may have been sent before is sent: the run was given up.
    pub only_in_doubt: bool,
    /// The rights to send; `None` where nothing limits the rate.
    pub permits: Option<Vec<Permit>>,
    /// When the last request may begin, milliseconds since 1970.
    pub until_ms: i64,
    /// Lets nothing more begin.
    pub stop: &'a AtomicBool,
}

/// People by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// LINE accepted a message for them.
    pub accepted: u64,
    /// LINE refused it.
    pub rejected: u64,
    /// It is not known, and cannot be found out by repeating.
    pub expired_unknown: u64,
    /// They were given up.
    pub cancelled: u64,
    /// It is not known yet.
    pub unknown: u64,
    /// They wait: LINE refused for now.
    pub held: u64,
    /// Nothing was sent to them.
    pub planned: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.accepted += more.accepted;
        self.rejected += more.rejected;
        self.expired_unknown += more.expired_unknown;
        self.cancelled += more.cancelled;
        self.unknown += more.unknown;
        self.held += more.held;
        self.planned += more.planned;
    }
}

/// What came of sending: what the engine has to know, and nobody's ID.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Everybody in the chunk.
    pub people: Counts,
    /// How many requests are still wanted in this turn, and how many of them together.
    pub wanted: u32,
    /// See `wanted`.
    pub together: u32,
    /// How many requests would be made in another turn.
    pub left: u32,
    /// How many parts LINE accepted now.
    pub accepted: u32,
    /// How many failed in a row at last, in a way that passes.
    pub failures: u32,
    /// Why the account can send nothing more until somebody has mended it.
    pub stops: Option<String>,
    /// Why the last one failed.
    pub reason: Option<String>,
    /// Whether LINE refused a request for its rate.
    pub is_refused: bool,
    /// Permits that were used, by the time of the answer.
    pub used: Vec<Permit>,
    /// Permits that were not, as they were given.
    pub unused: Vec<Permit>,
}

/// A row on its way.
struct Job {
    row: usize,
    permits: Vec<Permit>,
}

/// What came of it.
struct Done {
    job: Job,
    verdict: Verdict,
    began_ms: i64,
    ended_ms: i64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Chunk {
    /// Sends parts of the chunk that were not tried in this turn, as many as there are permits for.
    pub fn send(&mut self, campaigner: &Campaigner<'_>, turn: &Turn<'_>) -> Round {
        self.prepare(turn, campaigner.now().as_millisecond());
        let (jobs, mut unused) = self.jobs(turn);
        let concurrency = usize::from(campaigner.campaign.sending.concurrency);
        let threads = concurrency.min(jobs.len());
        let (jobs, done) = (Mutex::new(jobs), Mutex::new(Vec::new()));
        let failures = AtomicU32::new(0);
        let ending = AtomicBool::new(false);
        let chunk = &*self;
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while !ending.load(Ordering::Relaxed) && !turn.stop.load(Ordering::Relaxed) {
                        let Some(job) = locked(&jobs).pop_front() else {
                            return;
                        };
                        match chunk.work(campaigner, turn, job, &ending) {
                            Ok(ended) => {
                                let verdict = &ended.verdict;
                                let so_many = if verdict.is_failure {
                                    failures.fetch_add(1, Ordering::Relaxed) + 1
                                } else {
                                    failures.store(0, Ordering::Relaxed);
                                    0
                                };
                                if verdict.stops.is_some() || so_many >= MAX_FAILURES {
                                    ending.store(true, Ordering::Relaxed);
                                }
                                locked(&done).push(ended);
                            }
                            Err(job) => locked(&jobs).push_front(job),
                        }
                    }
                });
            }
        });
        let jobs = jobs.into_inner().unwrap_or_else(PoisonError::into_inner);
        unused.extend(jobs.into_iter().flat_map(|job| job.permits));
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut round = self.settle(turn, done, unused);
        round.failures = failures.into_inner();
        round
    }

    /// What stands in the chunk before anything is sent.
    fn prepare(&mut self, turn: &Turn<'_>, now_ms: i64) {
        for row in self.rows.iter_mut().filter(|row| row.is_open()) {
            if turn.in_doubt && row.turn != turn.number && row.state != State::Unknown {
                row.state = State::Unknown;
                row.first_attempt_ms = Some(turn.began_ms);
            }
            let first_attempt = row.first_attempt_ms.unwrap_or(turn.began_ms);
            if row.state == State::Unknown && has_expired(first_attempt, now_ms) {
                row.state = State::ExpiredUnknown;
                row.at_ms = Some(now_ms);
            } else if turn.only_in_doubt && row.state != State::Unknown {
                row.state = State::Cancelled;
                row.at_ms = Some(now_ms);
            }
        }
    }

    /// The rows that are sent now, each with its permits, and the permits that are left.
    fn jobs(&self, turn: &Turn<'_>) -> (VecDeque<Job>, Vec<Permit>) {
        let mut permits: Option<VecDeque<Permit>> = turn.permits.clone().map(VecDeque::from);
        let mut jobs = VecDeque::new();
        for (row, wanted) in self.wanted(turn) {
            let taken = match &mut permits {
                None => Vec::new(),
                Some(permits) => match take(permits, wanted) {
                    Some(taken) => taken,
                    None => break,
                },
            };
            jobs.push_back(Job {
                row,
                permits: taken,
            });
        }
        (jobs, permits.map(Vec::from).unwrap_or_default())
    }

    /// The rows that were not tried in this turn, each with the number of its requests.
    fn wanted(&self, turn: &Turn<'_>) -> impl Iterator<Item = (usize, u32)> {
        let rows = self.rows.iter().enumerate();
        let rows = rows.filter(|(_, row)| row.is_open() && row.turn != turn.number);
        rows.map(|(place, row)| (place, self.requests(row)))
    }

    fn requests(&self, row: &Row) -> u32 {
        let bodies = self.bodies(row).map_or(0, Vec::len);
        u32::try_from(bodies).unwrap_or(u32::MAX)
    }

    /// Sends a row when its time has come; gives it back where it is not wanted any more by then.
    fn work(
        &self,
        campaigner: &Campaigner<'_>,
        turn: &Turn<'_>,
        job: Job,
        ending: &AtomicBool,
    ) -> Result<Done, Job> {
        let now = || campaigner.now().as_millisecond();
        let row = self.rows.get(job.row);
        let Some((row, bodies)) = row.and_then(|row| Some((row, self.bodies(row)?))) else {
            // Whoever opened the chunk has seen to it that there are both.
            ending.store(true, Ordering::Relaxed);
            return Err(job);
        };
        let from = job.permits.iter().map(|permit| permit.at_ms).max();
        let from = from.unwrap_or_default();
        while now() < from {
            if ending.load(Ordering::Relaxed) || turn.stop.load(Ordering::Relaxed) {
                return Err(job);
            }
            let left = u64::try_from(from - now()).unwrap_or_default();
            campaigner
                .clock
                .sleep(Duration::from_millis(left).min(LOOK));
        }
        let began_ms = now();
        if began_ms > turn.until_ms {
            ending.store(true, Ordering::Relaxed);
        }
        if ending.load(Ordering::Relaxed) || turn.stop.load(Ordering::Relaxed) {
            return Err(job);
        }
        let ids: Vec<&str> = self.people(row).iter().map(|(_, id)| id.as_str()).collect();
        let verdict = campaigner.send_part(&Part {
            account: &self.file.account,
            key: &row.key,
            ids: &ids,
            bodies,
            in_doubt: row.state == State::Unknown,
        });
        Ok(Done {
            job,
            verdict,
            began_ms,
            ended_ms: now(),
        })
    }

    /// Takes in what came of the rows, and adds it up.
    fn settle(&mut self, turn: &Turn<'_>, done: Vec<Done>, unused: Vec<Permit>) -> Round {
        let mut round = Round {
            unused,
            ..Round::default()
        };
        let mut used: BTreeMap<i64, u32> = BTreeMap::new();
        let mut halves = Vec::new();
        for ended in done {
            let count: u32 = ended.job.permits.iter().map(|permit| permit.count).sum();
            if count > 0 {
                let at_ms = (ended.ended_ms / ROUNDED_MS + 1) * ROUNDED_MS;
                *used.entry(at_ms).or_default() += count;
            }
            let verdict = &ended.verdict;
            round.accepted += u32::from(verdict.state == State::Accepted);
            round.is_refused |= verdict.status == Some(429) && verdict.stops.is_none();
            if verdict.stops.is_some() {
                round.stops.clone_from(&verdict.stops);
            }
            if verdict.is_failure {
                round.reason.clone_from(&verdict.reason);
            }
            if verdict.state == State::Split {
                halves.extend(self.rows.get(ended.job.row).map(|row| self.halves(row)));
            }
            if let Some(row) = self.rows.get_mut(ended.job.row) {
                row.take(turn, ended);
            }
        }
        self.rows.retain(|row| row.state != State::Split);
        self.rows.extend(halves.into_iter().flatten());
        (self.rows).sort_by_key(|row| (row.part, row.from));
        let permits = used.into_iter();
        let permits = permits.map(|(at_ms, count)| Permit { count, at_ms });
        round.used = permits.collect();
        self.count(turn, &mut round);
        round
    }

    fn count(&self, turn: &Turn<'_>, round: &mut Round) {
        for row in &self.rows {
            let people = row.people as u64;
            let counts = &mut round.people;
            *match row.state {
                State::Accepted => &mut counts.accepted,
                State::Rejected => &mut counts.rejected,
                State::ExpiredUnknown => &mut counts.expired_unknown,
                State::Cancelled => &mut counts.cancelled,
                State::Unknown | State::Sending => &mut counts.unknown,
                State::Held => &mut counts.held,
                State::Planned | State::Split => &mut counts.planned,
            } += people;
            if row.is_open() {
                round.left += self.requests(row);
            }
        }
        let mut wanted = self.wanted(turn).map(|(_, requests)| requests).peekable();
        round.together = wanted.peek().copied().unwrap_or_default();
        round.wanted = wanted.sum();
    }
}

impl Row {
    fn take(&mut self, turn: &Turn<'_>, done: Done) {
        let verdict = done.verdict;
        self.state = verdict.state;
        self.status = verdict.status;
        self.request_id = verdict.request_id;
        self.reason = verdict.reason;
        self.at_ms = Some(done.ended_ms);
        self.turn = turn.number;
        // A retry key lives from the first attempt that may have been carried out; one that LINE surely
        // refused is none.
        if matches!(self.state, State::Planned | State::Held) {
            self.first_attempt_ms = None;
        } else {
            self.first_attempt_ms.get_or_insert(done.began_ms);
        }
        self.attempts += i64::from(self.state != State::Planned);
    }
}

/// Takes so many permits from the first ones; `None`, and none taken, where there are not so many.
fn take(permits: &mut VecDeque<Permit>, mut wanted: u32) -> Option<Vec<Permit>> {
    let there: u32 = permits.iter().map(|permit| permit.count).sum();
    if there < wanted {
        return None;
    }
    let mut taken = Vec::new();
    while wanted > 0 {
        let first = permits.front_mut()?;
        let count = first.count.min(wanted);
        taken.push(Permit {
            count,
            at_ms: first.at_ms,
        });
        first.count -= count;
        wanted -= count;
        if first.count == 0 {
            permits.pop_front();
        }
    }
    Some(taken)
}

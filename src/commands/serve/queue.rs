//! The lines that were read and not started yet: few, so that whoever writes faster than LINE
//! answers has to wait. It knows nothing of what is in them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::line_reader::{Content, Line};

/// A line on its way to its answer.
#[derive(Debug)]
pub(super) struct Job {
    /// Its place among the answers, from 0.
    pub(super) sequence: u64,
    /// The line.
    pub(super) line: Line,
}

impl Job {
    pub(super) fn size(&self) -> usize {
        match &self.line.1 {
            Content::Text(text) => text.len(),
            Content::TooLong => 0,
        }
    }
}

/// What the reader is about.
#[derive(Debug, Default, PartialEq, Eq)]
enum Reader {
    /// It has lines in hand that have to be answered.
    #[default]
    Working,
    /// It waits for input.
    Reading,
    /// It is done.
    Done,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Those of the lines that wait and of those under way.
    bytes: usize,
    reader: Reader,
    stopped: bool,
    workers: usize,
    /// How many workers wait for a job. To wake nobody would still ask the system.
    idle: usize,
    /// Whether the reader waits for room.
    crowded: bool,
}

/// A bounded queue between one reader and many workers.
#[derive(Debug)]
pub(super) struct Queue {
    most: usize,
    most_bytes: usize,
    state: Mutex<State>,
    room: Condvar,
    work: Condvar,
    ended: Condvar,
}

impl Queue {
    /// A queue of so many lines, and of so many bytes, those under way included, unless one line alone
    /// has more, for so many workers.
    pub(super) fn new(most: usize, most_bytes: usize, workers: usize) -> Self {
        let state = State {
            workers,
            ..State::default()
        };
        Self {
            most,
            most_bytes,
            state: Mutex::new(state),
            room: Condvar::new(),
            work: Condvar::new(),
            ended: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job when there is room; gives it back where nothing more is started.
    pub(super) fn push(&self, job: Job) -> Result<(), Job> {
        let full = |state: &mut State| {
            let many = state.jobs.len() >= self.most;
            let large = state.bytes > 0 && state.bytes + job.size() > self.most_bytes;
            state.crowded = !state.stopped && (many || large);
            state.crowded
        };
        let mut state = self
            .room
            .wait_while(self.state(), full)
            .unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return Err(job);
        }
        state.bytes += job.size();
        state.jobs.push_back(job);
        let wake = state.idle > 0;
        drop(state);
        if wake {
            self.work.notify_one();
        }
        Ok(())
    }

    /// The next job, and whether it is still to be started; nothing when there will be no more.
    /// `done` is how many bytes the worker's last one had, which are free from now on.
    pub(super) fn pop(&self, done: usize) -> Option<(Job, bool)> {
        let empty = |state: &mut State| {
            state.jobs.is_empty() && !state.stopped && state.reader != Reader::Done
        };
        let mut state = self.state();
        state.bytes -= done;
        if done > 0 && state.crowded && state.jobs.len() <= self.most / 2 {
            state.crowded = false;
            self.room.notify_one();
        }
        state.idle += 1;
        state = self
            .work
            .wait_while(state, empty)
            .unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        let job = state.jobs.pop_front()?;
        let start = !state.stopped;
        // A reader that woke for every single place would cost more than the place is worth.
        let wake = state.crowded && state.jobs.len() <= self.most / 2;
        state.crowded &= !wake;
        drop(state);
        if wake {
            self.room.notify_one();
        }
        Some((job, start))
    }

    /// Asks whether the reader may read; from then on nobody waits for it.
    pub(super) fn may_read(&self) -> bool {
        let mut state = self.state();
        if !state.stopped {
            state.reader = Reader::Reading;
        }
        !state.stopped
    }

    /// The reader has read; says whether what it has is still wanted.
    pub(super) fn has_read(&self) -> bool {
        let mut state = self.state();
        if !state.stopped {
            state.reader = Reader::Working;
        }
        !state.stopped
    }

    /// The reader is done.
    pub(super) fn end_of_input(&self) {
        self.state().reader = Reader::Done;
        self.work.notify_all();
        self.ended.notify_all();
    }

    /// Nothing more is started.
    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.work.notify_all();
        self.room.notify_all();
        self.ended.notify_all();
    }

    /// Takes out the jobs that wait. Whoever takes them answers them.
    pub(super) fn drain(&self) -> VecDeque<Job> {
        let mut state = self.state();
        let jobs = std::mem::take(&mut state.jobs);
        state.bytes -= jobs.iter().map(Job::size).sum::<usize>();
        jobs
    }

    /// Waits, at most so long, until the reader has no more lines in hand; says whether it has none.
    pub(super) fn wait_for_reader(&self, most: Duration) -> bool {
        let working = |state: &mut State| state.reader == Reader::Working;
        let (state, time) = self
            .ended
            .wait_timeout_while(self.state(), most, working)
            .unwrap_or_else(PoisonError::into_inner);
        drop(state);
        !time.timed_out()
    }

    /// A worker has ended.
    pub(super) fn leave(&self) {
        self.state().workers -= 1;
        self.ended.notify_all();
    }

    /// How many jobs wait.
    pub(super) fn length(&self) -> usize {
        self.state().jobs.len()
    }

    /// Waits until everything has ended, at most so long; says whether it has.
    pub(super) fn wait(&self, most: Duration) -> bool {
        let under_way = |state: &mut State| state.workers > 0 || state.reader == Reader::Working;
        let state = self.state();
        let (state, time) = self
            .ended
            .wait_timeout_while(state, most, under_way)
            .unwrap_or_else(PoisonError::into_inner);
        drop(state);
        !time.timed_out()
    }
}

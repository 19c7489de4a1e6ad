//! The progress of work that LINE accepts at once and finishes later.

use std::time::{Duration, SystemTime};

use crate::settings::Pace;

/// How far the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Queued,
    Running,
    Done,
}

/// One piece of accepted work.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    pub(crate) accepted: SystemTime,
    /// When it was finished; set when someone asks.
    pub(crate) completed: Option<SystemTime>,
    polls: u32,
}

impl Progress {
    pub(crate) fn new(now: SystemTime) -> Self {
        Self {
            accepted: now,
            completed: None,
            polls: 0,
        }
    }

    /// Work that was finished from the start.
    pub(crate) fn finished(now: SystemTime) -> Self {
        Self {
            completed: Some(now),
            ..Self::new(now)
        }
    }

    /// The time since it was accepted.
    pub(crate) fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.accepted).unwrap_or_default()
    }

    pub(crate) fn step(&self, pace: Pace, now: SystemTime) -> Step {
        let (running, done) = match pace {
            Pace::PerPoll => (true, self.polls >= 1),
            Pace::Timed { sending, done } => (self.age(now) >= sending, self.age(now) >= done),
        };
        match (running, done || self.completed.is_some()) {
            (_, true) => Step::Done,
            (true, false) => Step::Running,
            (false, false) => Step::Queued,
        }
    }

    /// The step to report. With [`Pace::PerPoll`] each call advances the work by one step.
    pub(crate) fn poll(&mut self, pace: Pace, now: SystemTime) -> Step {
        let step = self.step(pace, now);
        if step == Step::Done && self.completed.is_none() {
            self.completed = Some(match pace {
                Pace::PerPoll => now,
                Pace::Timed { done, .. } => self.accepted + done,
            });
        }
        self.polls = self.polls.saturating_add(1);
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_twice_or_waiting_long_enough_finds_it_done() {
        let start = SystemTime::UNIX_EPOCH;
        let mut asked = Progress::new(start);
        assert_eq!(asked.poll(Pace::PerPoll, start), Step::Running);
        assert_eq!(asked.poll(Pace::PerPoll, start), Step::Done);
        let (sending, done) = (Duration::from_secs(1), Duration::from_secs(3));
        let pace = Pace::Timed { sending, done };
        let mut timed = Progress::new(start);
        assert_eq!(timed.poll(pace, start), Step::Queued);
        assert_eq!(timed.poll(pace, start + sending), Step::Running);
        assert_eq!(timed.poll(pace, start + done + done), Step::Done);
        assert_eq!(timed.completed, Some(start + done));
    }
}

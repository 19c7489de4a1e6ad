//! Narrowcasts: accepted at once and delivered in phases. Each reserves a part of the quota until it
//! ends.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crate::settings::Pace;

/// How long LINE knows the progress of a narrowcast, and can redeliver to its recipients.
pub(crate) const RETENTION: Duration = Duration::from_hours(14 * 24);

/// Why a narrowcast that was accepted reached nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureReason {
    TooFewRecipients,
    TooSmallAudience,
    PartialForbidden,
}

impl FailureReason {
    /// LINE's `errorCode`.
    pub(crate) fn code(self) -> u8 {
        match self {
            FailureReason::TooFewRecipients => 2,
            FailureReason::TooSmallAudience => 4,
            FailureReason::PartialForbidden => 5,
        }
    }

    /// LINE's `failedDescription`.
    pub(crate) fn description(self) -> &'static str {
        match self {
            FailureReason::TooFewRecipients => "The number of recipients is too small.",
            FailureReason::TooSmallAudience => "An audience has too few recipients.",
            FailureReason::PartialForbidden => {
                "The delivery was cancelled because it would be partial."
            }
        }
    }
}

/// One accepted narrowcast.
#[derive(Debug, Clone)]
pub(crate) struct Narrowcast {
    pub(crate) accepted: SystemTime,
    /// How many people it is sent to.
    pub(crate) target: u64,
    pub(crate) failure: Option<FailureReason>,
    /// How often its progress was asked for.
    pub(crate) polls: u32,
    /// When it ended.
    pub(crate) completed: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Waiting,
    Sending,
    Ended,
}

impl Narrowcast {
    pub(crate) fn new(target: u64, failure: Option<FailureReason>, now: SystemTime) -> Self {
        Self {
            accepted: now,
            target,
            failure,
            polls: 0,
            completed: None,
        }
    }

    /// Whether it has ended without a failure.
    pub(crate) fn succeeded(&self) -> bool {
        self.completed.is_some() && self.failure.is_none()
    }

    pub(crate) fn phase(&self, pace: Pace, now: SystemTime) -> Phase {
        let (sending, ended) = match pace {
            Pace::PerPoll => (self.polls >= 1, self.polls >= 2),
            Pace::Timed { sending, done } => {
                let elapsed = now.duration_since(self.accepted).unwrap_or_default();
                (elapsed >= sending, elapsed >= done)
            }
        };
        // A narrowcast that fails does so when it starts.
        match (sending, ended) {
            (_, true) => Phase::Ended,
            (true, false) if self.failure.is_some() => Phase::Ended,
            (true, false) => Phase::Sending,
            (false, false) => Phase::Waiting,
        }
    }

    fn end(&self, pace: Pace, now: SystemTime) -> SystemTime {
        match (pace, self.failure) {
            (Pace::PerPoll, _) => now,
            (Pace::Timed { sending, .. }, Some(_)) => self.accepted + sending,
            (Pace::Timed { done, .. }, None) => self.accepted + done,
        }
    }
}

/// The narrowcasts of a channel, by the request ID under which they were accepted.
#[derive(Debug, Default)]
pub(crate) struct Narrowcasts(HashMap<String, Narrowcast>);

impl Narrowcasts {
    pub(crate) fn get(&self, request_id: &str) -> Option<&Narrowcast> {
        self.0.get(request_id)
    }

    pub(crate) fn get_mut(&mut self, request_id: &str) -> Option<&mut Narrowcast> {
        self.0.get_mut(request_id)
    }

    /// Stores an accepted narrowcast, and removes those that LINE has forgotten by `now`.
    pub(crate) fn insert(&mut self, request_id: String, narrowcast: Narrowcast, now: SystemTime) {
        let young = |at| now.duration_since(at).unwrap_or_default() < RETENTION;
        self.0.retain(|_, known| young(known.accepted));
        self.0.insert(request_id, narrowcast);
    }

    /// Ends the narrowcasts that are due. Returns, for each, the time of its end and how many people it
    /// reached.
    pub(crate) fn settle(&mut self, pace: Pace, now: SystemTime) -> Vec<(SystemTime, u64)> {
        let mut ended = Vec::new();
        for narrowcast in self.0.values_mut() {
            if narrowcast.completed.is_none() && narrowcast.phase(pace, now) == Phase::Ended {
                let end = narrowcast.end(pace, now);
                narrowcast.completed = Some(end);
                let reached = match narrowcast.failure {
                    Some(_) => 0,
                    None => narrowcast.target,
                };
                ended.push((end, reached));
            }
        }
        ended
    }

    /// How many people running narrowcasts reserve in the quota.
    pub(crate) fn reserved(&self) -> u64 {
        let running = self.0.values().filter(|one| one.completed.is_none());
        let unfailed = running.filter(|one| one.failure.is_none());
        unfailed.map(|one| one.target).sum()
    }
}

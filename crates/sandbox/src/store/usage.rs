//! How many people were reached: in a month, which the quota limits, and on a day by each kind of
//! send.

use std::collections::HashMap;
use std::time::SystemTime;

use time::{Date, Month};

use crate::calendar::{line_day, line_month};

/// Counts of people reached.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// By year and month.
    monthly: HashMap<(i32, Month), u64>,
    /// By day and kind of send.
    daily: HashMap<(Date, &'static str), u64>,
}

impl Usage {
    /// People reached in the month of `now` that count towards the quota.
    pub(crate) fn month(&self, now: SystemTime) -> u64 {
        let people = self.monthly.get(&line_month(now));
        people.copied().unwrap_or_default()
    }

    /// Counts people towards the quota of the month of `now`.
    pub(crate) fn charge(&mut self, now: SystemTime, people: u64) {
        *self.monthly.entry(line_month(now)).or_default() += people;
    }

    /// People reached on a day by one kind of send.
    pub(crate) fn on(&self, day: Date, kind: &'static str) -> u64 {
        self.daily.get(&(day, kind)).copied().unwrap_or_default()
    }

    /// Counts people reached by a kind of send, whether or not the quota counts them.
    pub(crate) fn add(&mut self, now: SystemTime, kind: &'static str, people: u64) {
        *self.daily.entry((line_day(now), kind)).or_default() += people;
    }
}

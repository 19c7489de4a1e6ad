//! How many people were reached: in a calendar month, which the quota limits, and on a day by each
//! kind of send.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::calendar::{Date, line_day};

/// Counts of people reached.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// By year and month.
    monthly: BTreeMap<(u64, u64), u64>,
    /// By day and kind of send.
    daily: BTreeMap<(Date, &'static str), u64>,
}

impl Usage {
    /// People reached so far in the month of `now`, as far as they count towards the quota.
    pub(crate) fn month(&self, now: SystemTime) -> u64 {
        let day = line_day(now);
        let people = self.monthly.get(&(day.year, day.month));
        people.copied().unwrap_or_default()
    }

    /// Counts people towards the quota of the month of `now`.
    pub(crate) fn charge(&mut self, now: SystemTime, people: u64) {
        let day = line_day(now);
        *self.monthly.entry((day.year, day.month)).or_default() += people;
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

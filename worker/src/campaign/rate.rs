//! Sharing out one endpoint's rate of one channel among senders on several machines. Like the budgets
//! within a process (`core::rate_limit`): N calls a window are N permits, and a permit may be used again
//! one window after the answer of the request that used it. LINE counted the request somewhere between
//! sending and answer, so no window of LINE's ever holds more than N. Permits are given ahead of the
//! time from which they may be used, so that nobody waits for the way of a message.
//!
//! Times come from several machines' clocks, which are taken to be within `CLOCKS_MS` of each other.

use std::collections::VecDeque;

use line_connector_campaign::Permit;
use serde::{Deserialize, Serialize};

/// How far machines' clocks may be apart, milliseconds. NTP keeps them closer.
const CLOCKS_MS: i64 = 10;
/// A window is kept longer by a 500th of it, for clocks that run differently.
const MARGIN_DIVISOR: i64 = 500;
/// Into how many leases a window's calls are shared out at least: the first is told of as ended while the
/// others are used, so that its permits are given again in time.
const LEASES: u32 = 4;
/// In how many steps, over which time at most, a new budget's permits come up: all at once would come
/// again all at once, window after window.
const STEPS: u32 = 20;
const BEGINNING_MS: i64 = 1000;
/// How long nothing is sent after LINE refused a request for its rate: at first, and at most.
const MIN_PAUSE_MS: i64 = 1000;
const MAX_PAUSE_MS: i64 = 60_000;

/// A rate: so many calls in so many seconds.
pub(super) type Rate = (u32, u32);

/// Somebody asks for permits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ask {
    /// The lease's name.
    pub(super) lease: String,
    /// How many are wanted, at most.
    pub(super) wanted: u32,
    /// How many are of use together, at least.
    pub(super) together: u32,
    /// How long after its last permit's time a lease whose holder is silent is taken for lost.
    pub(super) hold_ms: i64,
}

/// Permits for somebody who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) lease: String,
    pub(super) permits: Vec<Permit>,
}

/// Permits come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Back {
    pub(super) lease: String,
    /// By the time of the answer.
    pub(super) used: Vec<Permit>,
    /// As they were given.
    pub(super) unused: Vec<Permit>,
    /// Whether LINE refused a request for its rate.
    pub(super) is_refused: bool,
}

/// A lease whose holder has not said what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    lease: String,
    count: u32,
    expires_ms: i64,
}

/// The budget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Budget {
    rate: Rate,
    /// By the time from which they may be used.
    free: VecDeque<Permit>,
    held: Vec<Held>,
    queue: VecDeque<Ask>,
    /// Nothing is sent before, since LINE refused something.
    closed_until_ms: i64,
    refusals: u32,
}

fn window_ms((_, seconds): Rate) -> i64 {
    let window = i64::from(seconds) * 1000;
    window + window / MARGIN_DIVISOR + CLOCKS_MS
}

fn total<'a>(permits: impl IntoIterator<Item = &'a Permit>) -> u32 {
    permits.into_iter().map(|permit| permit.count).sum()
}

impl Budget {
    /// Takes a wish in, and gives what can be given.
    pub(super) fn ask(&mut self, rate: Rate, ask: Ask, now_ms: i64) -> Vec<Grant> {
        self.set_rate(rate, now_ms);
        self.expire(now_ms);
        self.queue.push_back(ask);
        self.give()
    }

    /// Takes permits back. What a lease that was taken for lost brings back has been given to others.
    pub(super) fn back(&mut self, back: Back) -> Vec<Grant> {
        let place = self.held.iter().position(|held| held.lease == back.lease);
        let Some(place) = place else {
            return Vec::new();
        };
        self.held.swap_remove(place);
        let window = window_ms(self.rate);
        let last = back.used.iter().map(|permit| permit.at_ms).max();
        if let (true, Some(last)) = (back.is_refused, last) {
            let pause = (MIN_PAUSE_MS << self.refusals.min(10)).min(MAX_PAUSE_MS);
            self.refusals += 1;
            self.closed_until_ms = self.closed_until_ms.max(last + pause);
        } else if last.is_some() {
            self.refusals = 0;
        }
        self.free.extend(back.unused);
        let used = back.used.into_iter().map(|permit| Permit {
            at_ms: permit.at_ms + window,
            ..permit
        });
        self.free.extend(used);
        self.tidy();
        self.give()
    }

    /// Looks for leases that are lost.
    pub(super) fn sweep(&mut self, now_ms: i64) -> Vec<Grant> {
        self.expire(now_ms);
        self.give()
    }

    /// Whether it is to be looked for lost leases again.
    pub(super) fn is_in_use(&self) -> bool {
        !self.held.is_empty() || !self.queue.is_empty()
    }

    fn set_rate(&mut self, rate: Rate, now_ms: i64) {
        if self.rate == rate {
            return;
        }
        let is_new = self.rate == Rate::default();
        self.rate = rate;
        let window = window_ms(rate);
        let held: u32 = self.held.iter().map(|held| held.count).sum();
        let calls = rate.0.saturating_sub(held);
        // What was used at another rate is forgotten by then.
        let (steps, from_ms, over_ms) = if is_new {
            (STEPS.min(calls).max(1), now_ms, window.min(BEGINNING_MS))
        } else {
            (1, now_ms + window, 0)
        };
        let permits = (0..steps).map(|step| Permit {
            count: calls / steps + u32::from(step < calls % steps),
            at_ms: from_ms + over_ms * i64::from(step) / i64::from(steps),
        });
        self.free = permits.filter(|permit| permit.count > 0).collect();
    }

    fn expire(&mut self, now_ms: i64) {
        let window = window_ms(self.rate);
        let (lost, held) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| held.expires_ms <= now_ms);
        self.held = held;
        let lost: Vec<Held> = lost;
        self.free.extend(lost.into_iter().map(|held| Permit {
            count: held.count,
            at_ms: held.expires_ms + window,
        }));
        self.tidy();
    }

    /// In order of time, and of one time one entry. A rate that has become lower takes the first ones.
    fn tidy(&mut self) {
        let mut permits: Vec<Permit> = std::mem::take(&mut self.free).into();
        permits.sort_by_key(|permit| permit.at_ms);
        let held: u32 = self.held.iter().map(|held| held.count).sum();
        let mut above = (total(&permits) + held).saturating_sub(self.rate.0);
        for mut permit in permits {
            let gone = permit.count.min(above);
            above -= gone;
            permit.count -= gone;
            match self.free.back_mut() {
                Some(last) if last.at_ms == permit.at_ms => last.count += permit.count,
                _ if permit.count == 0 => {}
                _ => self.free.push_back(permit),
            }
        }
    }

    /// Gives permits to those who wait, in their order.
    fn give(&mut self) -> Vec<Grant> {
        let mut grants = Vec::new();
        while let Some(ask) = self.queue.front() {
            let calls = self.rate.0;
            // Whoever needs more than there ever are gets all.
            let together = ask.together.clamp(1, calls.max(1));
            let count = ask.wanted.min(calls / LEASES).max(together);
            if total(&self.free) < count {
                break;
            }
            let Some(ask) = self.queue.pop_front() else {
                break;
            };
            let permits = self.take(count);
            let last = permits.iter().map(|permit| permit.at_ms).max();
            self.held.push(Held {
                lease: ask.lease.clone(),
                count,
                expires_ms: last.unwrap_or_default() + ask.hold_ms,
            });
            grants.push(Grant {
                lease: ask.lease,
                permits,
            });
        }
        grants
    }

    fn take(&mut self, mut count: u32) -> Vec<Permit> {
        let mut taken = Vec::new();
        while count > 0
            && let Some(first) = self.free.front_mut()
        {
            let part = first.count.min(count);
            taken.push(Permit {
                count: part,
                at_ms: first.at_ms.max(self.closed_until_ms),
            });
            count -= part;
            first.count -= part;
            if first.count == 0 {
                self.free.pop_front();
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = (8, 1);
    /// A second, its margin, and what clocks may be apart.
    const WINDOW: i64 = 1012;

    fn ask(lease: &str, wanted: u32) -> Ask {
        Ask {
            lease: lease.to_owned(),
            wanted,
            together: 1,
            hold_ms: 15_000,
        }
    }

    fn back(lease: &str, used: &[(u32, i64)]) -> Back {
        Back {
            lease: lease.to_owned(),
            used: permits(used),
            unused: Vec::new(),
            is_refused: false,
        }
    }

    fn permits(list: &[(u32, i64)]) -> Vec<Permit> {
        let permits = list.iter();
        permits
            .map(|(count, at_ms)| Permit {
                count: *count,
                at_ms: *at_ms,
            })
            .collect()
    }

    fn given(grants: &[Grant]) -> Vec<(&str, u32)> {
        let grants = grants.iter();
        grants
            .map(|grant| (grant.lease.as_str(), total(&grant.permits)))
            .collect()
    }

    #[test]
    fn a_permit_is_used_again_one_window_after_the_answer() {
        let mut budget = Budget::default();
        let mut grants = Vec::new();
        for lease in ["a", "b", "c", "d", "e"] {
            grants.extend(budget.ask(RATE, ask(lease, 2), 0));
        }
        // Spread over the first second; nothing is left for the fifth.
        assert_eq!(given(&grants), [("a", 2), ("b", 2), ("c", 2), ("d", 2)]);
        assert_eq!(grants[0].permits, permits(&[(1, 0), (1, 125)]));
        assert_eq!(grants[3].permits, permits(&[(1, 750), (1, 875)]));
        let grants = budget.back(back("a", &[(1, 40), (1, 160)]));
        assert_eq!(given(&grants), [("e", 2)]);
        assert_eq!(
            grants[0].permits,
            permits(&[(1, 40 + WINDOW), (1, 160 + WINDOW)])
        );
    }

    /// Whatever senders do, no window of a second holds more than the rate between sending and answer.
    #[test]
    fn no_window_ever_holds_more_than_the_rate() {
        let mut budget = Budget::default();
        let mut seed = 7u64;
        let mut random = |most: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            i64::try_from((seed >> 33) % most).unwrap()
        };
        let mut counted = Vec::new();
        let mut open: Vec<Grant> = Vec::new();
        let mut now = 0;
        for number in 0..400 {
            open.extend(budget.ask(RATE, ask(&number.to_string(), 8), now));
            while let Some(grant) = open.pop() {
                let start = grant
                    .permits
                    .iter()
                    .map(|permit| permit.at_ms)
                    .max()
                    .unwrap();
                now = now.max(start) + random(30);
                let answered = now + random(200);
                // LINE counts somewhere in between.
                let count = total(&grant.permits);
                counted.extend((0..count).map(|_| now + random(200).min(answered - now)));
                open.extend(budget.back(back(&grant.lease, &[(count, answered)])));
            }
        }
        counted.sort_unstable();
        assert!(counted.len() > 700);
        for pair in counted.windows(9) {
            assert!(pair[8] - pair[0] >= 1000, "{pair:?}");
        }
    }

    #[test]
    fn what_was_not_used_is_given_at_once_and_what_is_lost_comes_back_in_time() {
        let mut budget = Budget::default();
        let grants = budget.ask(RATE, ask("a", 2), 0);
        let unused = Back {
            unused: grants[0].permits.clone(),
            ..back("a", &[])
        };
        budget.back(unused);
        assert_eq!(
            budget.ask(RATE, ask("b", 2), 0)[0].permits,
            permits(&[(1, 0), (1, 125)])
        );
        for lease in ["c", "d", "e"] {
            assert_eq!(budget.ask(RATE, ask(lease, 2), 0).len(), 1);
        }
        assert_eq!(budget.ask(RATE, ask("f", 2), 0), []);
        // "b" is silent.
        assert_eq!(budget.sweep(15_124), []);
        let grants = budget.sweep(15_125);
        assert_eq!(given(&grants), [("f", 2)]);
        assert_eq!(grants[0].permits, permits(&[(2, 15_125 + WINDOW)]));
        assert_eq!(budget.back(back("b", &[(2, 9000)])), []);
        assert!(budget.is_in_use());
    }

    #[test]
    fn a_refusal_closes_the_way_for_a_while_and_longer_each_time() {
        let mut budget = Budget::default();
        for (lease, closed) in [("a", 5000 + 1000), ("b", 5000 + 2000)] {
            budget.ask(RATE, ask(lease, 2), 0);
            budget.back(Back {
                is_refused: true,
                ..back(lease, &[(2, 5000)])
            });
            let grant = budget.ask(RATE, ask("next", 1), 0).remove(0);
            assert_eq!(grant.permits[0].at_ms, closed);
            budget.back(Back {
                unused: grant.permits,
                ..back("next", &[])
            });
        }
    }

    #[test]
    fn a_rate_that_changes_holds_from_then_on() {
        let mut budget = Budget::default();
        budget.ask(RATE, ask("a", 2), 0);
        let grants = budget.ask((4, 1), ask("b", 9), 100);
        assert_eq!(given(&grants), [("b", 1)]);
        assert_eq!(grants[0].permits[0].at_ms, 100 + WINDOW);
        budget.back(back("a", &[(2, 300)]));
        budget.back(back("b", &[(1, 1200)]));
        assert_eq!(total(&budget.free), 4);
    }

    #[test]
    fn requests_that_belong_together_get_permits_together() {
        let mut budget = Budget::default();
        let three = Ask {
            together: 3,
            ..ask("a", 3)
        };
        assert_eq!(given(&budget.ask(RATE, three, 0)), [("a", 3)]);
        let too_many = Ask {
            together: 50,
            ..ask("b", 50)
        };
        assert_eq!(budget.ask(RATE, too_many, 0), []);
        let grants = budget.back(back("a", &[(3, 10)]));
        assert_eq!(given(&grants), [("b", 8)]);
    }
}

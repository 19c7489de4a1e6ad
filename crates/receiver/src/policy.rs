//! Retry policy: what the end of a delivery means for its event, and for all that wait. It is pure;
//! time and randomness are arguments, and the `coordinator` does what is decided.

use std::time::Duration;

use line_connector_core::backoff::jittered;

use super::host::whole_millis;
use super::settings::RetryLimits;

/// The first pause after a failure; it doubles.
const MIN_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause of one event.
const MAX_PAUSE: Duration = Duration::from_mins(5);
/// The longest pause during an outage.
const MAX_OUTAGE_PAUSE: Duration = Duration::from_secs(15);
/// The longest pause that the platform may ask for, and the longest of all.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// How long an event that has waited since before the start is delivered at least, however old the
/// clock says it is.
const MIN_AGE_AFTER_START: Duration = Duration::from_hours(1);

/// How the delivery of one event ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeliveryResult {
    /// The platform has it.
    Acknowledged,
    /// The platform will never take it.
    Refused {
        /// Why.
        reason: String,
    },
    /// Nothing was sent, and nothing of it can ever be.
    Undeliverable {
        /// Why.
        reason: String,
    },
    /// Nothing was sent: it was called back before its turn came.
    NotTried,
    /// The platform failed at it.
    Failed {
        /// Why.
        reason: String,
        /// The pause that the platform asked for.
        retry_after: Option<Duration>,
    },
    /// The platform is not there, or asked for patience with everything.
    Unreachable {
        /// Why.
        reason: String,
        /// The pause that the platform asked for.
        retry_after: Option<Duration>,
    },
}

impl DeliveryResult {
    /// A panic interrupted the delivery. It counts against the event, so that an event that always
    /// meets the bug becomes a dead letter.
    pub(crate) fn panicked() -> Self {
        DeliveryResult::Failed {
            reason: "internal error: a bug of the connector".to_owned(),
            retry_after: None,
        }
    }
}

/// What is to be written about an event that was in flight.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The platform has it: it goes.
    Acknowledge,
    /// It is delivered again, from `due` on, milliseconds since 1970.
    Retry {
        due: i64,
        failures: i64,
        reason: String,
    },
    /// It waits as before.
    GiveBack,
    /// It becomes a dead letter: kept, and not delivered until somebody replays it.
    DeadLetter { failures: i64, reason: String },
}

/// What is known of an event that was in flight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    /// How many failures it had before.
    pub(crate) failures: i64,
    /// When it was accepted, milliseconds since 1970.
    pub(crate) accepted: i64,
}

/// The time from which the age of an event counts, at least: the clock may have been set while
/// nobody ran. `started` is the receiver's start; both are milliseconds since 1970.
pub(crate) fn oldest(limits: RetryLimits, started: i64) -> i64 {
    let left = limits.max_age.min(MIN_AGE_AFTER_START);
    started.saturating_sub(whole_millis(limits.max_age.saturating_sub(left)))
}

/// Whether the platform is there. While it is not, only one event at a time tries it.
#[derive(Default)]
pub(crate) struct Outage {
    /// How often in a row the platform was not there.
    pub(crate) failures: u32,
    /// Until when nothing tries it, milliseconds since 1970.
    pub(crate) until: i64,
}

impl Outage {
    /// Takes note of the latest result. `random` is uniform over its type.
    pub(crate) fn observe(&mut self, result: &DeliveryResult, now: i64, random: u64) {
        let retry_after = match result {
            DeliveryResult::Unreachable { retry_after, .. } => retry_after,
            // These say nothing about the platform.
            DeliveryResult::Undeliverable { .. } | DeliveryResult::NotTried => return,
            _ => {
                *self = Self::default();
                return;
            }
        };
        // Deliveries that were under way when it began say nothing new.
        if now < self.until {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let pause = jittered(MIN_PAUSE, self.failures, MAX_OUTAGE_PAUSE, || random);
        self.until = now + whole_millis(requested_or(*retry_after, pause));
    }
}

/// What a result means for its event. `random` is uniform over its type.
pub(crate) fn decide(
    limits: RetryLimits,
    history: History,
    result: &DeliveryResult,
    now: i64,
    random: u64,
) -> Decision {
    let History { failures, accepted } = history;
    let too_old = now - accepted > whole_millis(limits.max_age);
    match result {
        DeliveryResult::Acknowledged => Decision::Acknowledge,
        DeliveryResult::NotTried => Decision::GiveBack,
        DeliveryResult::Refused { reason } | DeliveryResult::Undeliverable { reason } => {
            Decision::DeadLetter {
                failures: failures.saturating_add(1),
                reason: reason.clone(),
            }
        }
        DeliveryResult::Failed {
            reason,
            retry_after,
        } => {
            let failures = failures.saturating_add(1);
            let reason = reason.clone();
            if too_old || failures >= limits.max_failures {
                return Decision::DeadLetter { failures, reason };
            }
            let count = u32::try_from(failures).unwrap_or(u32::MAX);
            let pause = jittered(MIN_PAUSE, count, MAX_PAUSE, || random);
            Decision::Retry {
                due: now + whole_millis(requested_or(*retry_after, pause)),
                failures,
                reason,
            }
        }
        DeliveryResult::Unreachable { reason, .. } if too_old => Decision::DeadLetter {
            failures,
            reason: reason.clone(),
        },
        // The outage itself delays the next attempt; the event keeps its turn.
        DeliveryResult::Unreachable { reason, .. } => Decision::Retry {
            due: now,
            failures,
            reason: reason.clone(),
        },
    }
}

/// The pause that the platform asked for, within reason, or our own.
fn requested_or(retry_after: Option<Duration>, pause: Duration) -> Duration {
    retry_after.map_or(pause, |requested| requested.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const LIMITS: RetryLimits = RetryLimits {
        max_failures: 3,
        max_age: Duration::from_hours(24),
    };

    fn refused() -> DeliveryResult {
        DeliveryResult::Refused {
            reason: "400".to_owned(),
        }
    }

    fn failed(retry_after: Option<Duration>) -> DeliveryResult {
        DeliveryResult::Failed {
            reason: "500".to_owned(),
            retry_after,
        }
    }

    fn unreachable() -> DeliveryResult {
        DeliveryResult::Unreachable {
            reason: "connection refused".to_owned(),
            retry_after: None,
        }
    }

    /// What follows a result of an event that was accepted at 0.
    fn after(failures: i64, result: &DeliveryResult, now: i64, random: u64) -> Decision {
        let history = History {
            failures,
            accepted: 0,
        };
        decide(LIMITS, history, result, now, random)
    }

    #[test]
    fn an_event_is_a_dead_letter_when_refused_failed_too_often_or_too_old() {
        let is_dead = |failures, result: &DeliveryResult, now| {
            matches!(after(failures, result, now, 0), Decision::DeadLetter { .. })
        };
        assert!(is_dead(0, &refused(), 0));
        assert!(!is_dead(1, &failed(None), 0));
        assert!(is_dead(2, &failed(None), 0));
        assert!(
            !is_dead(99, &unreachable(), 23 * HOUR),
            "an outage does not count against an event"
        );
        assert!(is_dead(0, &unreachable(), 25 * HOUR));
        assert!(is_dead(0, &failed(None), 25 * HOUR));
    }

    #[test]
    fn what_cannot_be_sent_says_nothing_about_the_platform() {
        let reason = "it cannot be sent".to_owned();
        let undeliverable = DeliveryResult::Undeliverable { reason };
        assert!(matches!(
            after(0, &undeliverable, 0, 0),
            Decision::DeadLetter { .. }
        ));
        assert_eq!(
            after(0, &DeliveryResult::NotTried, 25 * HOUR, 0),
            Decision::GiveBack
        );
        let mut outage = Outage::default();
        outage.observe(&unreachable(), 0, 0);
        for result in [undeliverable, DeliveryResult::NotTried] {
            outage.observe(&result, 300, 0);
            assert_eq!((outage.failures, outage.until), (1, 250));
        }
    }

    #[test]
    fn what_waited_before_the_start_is_not_too_old_at_once() {
        let started = 1_000 * HOUR;
        assert_eq!(oldest(LIMITS, started), started - 23 * HOUR);
        let short = RetryLimits {
            max_age: Duration::from_mins(10),
            ..LIMITS
        };
        assert_eq!(oldest(short, started), started);
    }

    #[test]
    fn pauses_double_within_their_bounds_and_a_wish_is_granted_within_reason() {
        for (failures, bound) in [(1, 500), (2, 1_000), (3, 2_000), (40, 300_000)] {
            let bound = Duration::from_millis(bound);
            let half = u64::try_from((bound / 2).as_nanos()).unwrap();
            let pause = |random| jittered(MIN_PAUSE, failures, MAX_PAUSE, || random);
            assert_eq!(pause(0), bound / 2);
            assert_eq!(pause(half - 1) + Duration::from_nanos(1), bound);
        }
        let due = |result: &DeliveryResult| match after(0, result, 0, 0) {
            Decision::Retry { due, .. } => due,
            decision => panic!("{decision:?}"),
        };
        assert_eq!(due(&failed(None)), 250);
        assert_eq!(due(&failed(Some(Duration::from_secs(7)))), 7_000);
        assert_eq!(due(&failed(Some(Duration::MAX))), HOUR);
    }

    #[test]
    fn an_outage_grows_with_each_failure_but_not_with_those_that_were_under_way() {
        let mut outage = Outage::default();
        outage.observe(&unreachable(), 0, 0);
        outage.observe(&unreachable(), 100, 0);
        assert_eq!((outage.failures, outage.until), (1, 250));
        outage.observe(&unreachable(), 250, 0);
        assert_eq!((outage.failures, outage.until), (2, 750));
        outage.observe(&refused(), 750, 0);
        assert_eq!(
            (outage.failures, outage.until),
            (0, 0),
            "an answer is an answer"
        );
    }
}

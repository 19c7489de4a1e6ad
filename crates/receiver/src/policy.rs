//! What the platform's answer to one event, or its silence, means: for that event, and for those
//! that wait. It is pure; time and randomness are arguments, and the `coordinator` does what is decided.

use std::time::Duration;

use super::coordinator::Terms;
use line_connector_core::backoff::bound;

/// The first pause after a failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause of one event.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// The longest pause while the platform cannot be reached.
const LONGEST_ABSENCE: Duration = Duration::from_secs(15);
/// The longest pause that the platform may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// What the platform said about one event, or that it said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeliveryResult {
    /// It has it.
    Acknowledged,
    /// It will never take it.
    Refused(String),
    /// It failed at it, and asked for a pause or not.
    Failed(String, Option<Duration>),
    /// It is not there, or asked for patience with everything.
    Unreachable(String, Option<Duration>),
}

/// What is to be written about an event that was out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The platform has it.
    Acknowledge,
    /// It is handed out again, from `due` on.
    Postpone {
        due: i64,
        failures: i64,
        reason: String,
    },
    /// It is given up.
    DeadLetter { failures: i64, reason: String },
}

/// Whether the platform is there. While it is not, only one event at a time tries it.
#[derive(Default)]
pub(crate) struct Outage {
    /// How often in a row it was not there.
    pub(crate) failures: u32,
    /// Until when nobody tries, milliseconds since 1970.
    pub(crate) until: i64,
}

impl Outage {
    /// Takes note of the platform's latest answer or silence.
    pub(crate) fn notice(&mut self, result: &DeliveryResult, now: i64, spread: u32) {
        let DeliveryResult::Unreachable(_, after) = result else {
            *self = Self::default();
            return;
        };
        if now < self.until {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let own = pause(self.failures, LONGEST_ABSENCE, spread);
        self.until = now + whole_millis(asked(*after, own));
    }
}

/// What a result means for its event, which had so many failures and was accepted then. `spread`
/// varies pauses.
pub(crate) fn judge(
    terms: &Terms,
    (failures, accepted): (i64, i64),
    result: &DeliveryResult,
    now: i64,
    spread: u32,
) -> Decision {
    let too_old = now - accepted > whole_millis(terms.max_age);
    match result {
        DeliveryResult::Acknowledged => Decision::Acknowledge,
        DeliveryResult::Refused(reason) => Decision::DeadLetter {
            failures: failures + 1,
            reason: reason.clone(),
        },
        DeliveryResult::Failed(reason, after) => {
            let failures = failures + 1;
            let reason = reason.clone();
            if too_old || failures >= terms.attempts {
                return Decision::DeadLetter { failures, reason };
            }
            let count = u32::try_from(failures).unwrap_or(u32::MAX);
            let own = pause(count, LONGEST_PAUSE, spread);
            Decision::Postpone {
                due: now + whole_millis(asked(*after, own)),
                failures,
                reason,
            }
        }
        // The outage itself delays the next attempt; the event keeps its turn.
        DeliveryResult::Unreachable(reason, _) if too_old => Decision::DeadLetter {
            failures,
            reason: reason.clone(),
        },
        DeliveryResult::Unreachable(reason, _) => Decision::Postpone {
            due: now,
            failures,
            reason: reason.clone(),
        },
    }
}

/// The pause that the platform asked for, within reason, or our own.
fn asked(after: Option<Duration>, own: Duration) -> Duration {
    after.map_or(own, |after| after.min(LONGEST_RETRY_AFTER))
}

/// The pause after the `failures`th failure in a row: it doubles up to `longest`, and lies between
/// half and all of that.
fn pause(failures: u32, longest: Duration, spread: u32) -> Duration {
    let half = bound(FIRST_PAUSE, failures, longest) / 2;
    half + half * (spread & 0xffff) / 0xffff
}

/// A duration as whole milliseconds.
pub(crate) fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// Terms for tests of the receiver.
    pub(crate) fn terms() -> Terms {
        Terms {
            in_flight: 4,
            attempts: 3,
            max_age: Duration::from_hours(24),
            settle: Duration::ZERO,
            acknowledge_within: None,
            max_waiting: 100,
            remember: Duration::from_hours(24),
        }
    }

    #[test]
    fn an_event_is_given_up_when_refused_failed_too_often_or_too_old() {
        let terms = terms();
        let failed = DeliveryResult::Failed("500".to_owned(), None);
        let absent = DeliveryResult::Unreachable("refused".to_owned(), None);
        let gives_up = |failures, result: &DeliveryResult, now| {
            matches!(
                judge(&terms, (failures, 0), result, now, 0),
                Decision::DeadLetter { .. }
            )
        };
        assert!(gives_up(0, &DeliveryResult::Refused("400".to_owned()), 0));
        assert!(!gives_up(1, &failed, 0));
        assert!(gives_up(2, &failed, 0));
        assert!(
            !gives_up(99, &absent, 23 * HOUR),
            "an outage does not count against an event"
        );
        assert!(gives_up(0, &absent, 25 * HOUR));
        assert!(gives_up(0, &failed, 25 * HOUR));
    }

    #[test]
    fn pauses_double_within_their_bounds_and_a_wish_is_granted_within_reason() {
        for (failures, bound) in [(1, 500), (2, 1_000), (3, 2_000), (40, 300_000)] {
            let bound = Duration::from_millis(bound);
            assert_eq!(pause(failures, LONGEST_PAUSE, 0), bound / 2);
            assert_eq!(pause(failures, LONGEST_PAUSE, 0xffff), bound);
        }
        let wish = Some(Duration::from_secs(7));
        assert_eq!(asked(wish, Duration::ZERO), Duration::from_secs(7));
        assert_eq!(
            asked(Some(Duration::MAX), Duration::ZERO),
            LONGEST_RETRY_AFTER
        );
    }

    #[test]
    fn an_absence_grows_with_each_failure_but_not_with_those_that_were_under_way() {
        let mut outage = Outage::default();
        let silent = DeliveryResult::Unreachable("refused".to_owned(), None);
        outage.notice(&silent, 0, 0xffff);
        outage.notice(&silent, 100, 0xffff);
        assert_eq!((outage.failures, outage.until), (1, 500));
        outage.notice(&silent, 500, 0xffff);
        assert_eq!((outage.failures, outage.until), (2, 1_500));
        outage.notice(&DeliveryResult::Refused("400".to_owned()), 1_500, 0);
        assert_eq!(
            (outage.failures, outage.until),
            (0, 0),
            "an answer is an answer"
        );
    }
}

//! Decides what follows an attempt: stop, try again after a pause, or renew the token first. It
//! also makes retry keys. Pure: time and randomness are arguments.

use std::time::Duration;

use uuid::{Builder, Uuid};

use crate::backoff;
use crate::response;
use line_connector_catalog::definition::Repeat;
use line_connector_http::{Failure, FailureKind, Reply};

/// The name space of retry keys that are derived from an idempotency key; a random UUID, fixed for
/// good, since a change would let repeated steps send twice.
const KEYS: Uuid = Uuid::from_u128(0x3bb8_2f1c_9a55_4d0e_8a77_5ed0_64c1_93b7);

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// This is the answer.
    Stop,
    /// Try again after a pause.
    Again(Duration),
    /// The token is no longer valid; try once with a new one.
    RenewToken,
}

/// The bounds of repeating.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Whether the request may be repeated.
    pub repeat: Repeat,
    /// How many attempts there may be.
    pub attempts: u32,
    /// The first pause; it doubles.
    pub backoff: Duration,
    /// The longest pause.
    pub max_backoff: Duration,
    /// Whether a new token can be had.
    pub renewable: bool,
    /// Whether a 429 for the rate is met by waiting: a gateway's, not LINE's, which asks not to repeat.
    pub slows_down: bool,
}

/// What follows the `attempt`th attempt (from 1). `random` gives what is uniform over its type
/// and spreads the pauses of many callers.
#[must_use]
pub fn decide(
    policy: &Policy,
    attempt: u32,
    renewed: bool,
    result: &Result<Reply, Failure>,
    random: impl FnOnce() -> u64,
) -> Decision {
    let repeatable = match result {
        // A 401 comes before LINE looks at the request, so it may be sent again whatever it does.
        Ok(reply) if reply.status == 401 && policy.renewable && !renewed => {
            return Decision::RenewToken;
        }
        Ok(reply) => {
            let slow = policy.slows_down && response::is_rate_limit(reply);
            (reply.status >= 500 || slow) && policy.repeat != Repeat::Never
        }
        Err(failure) => match failure.kind {
            FailureKind::Invalid
            | FailureKind::Tls
            | FailureKind::TooLarge
            | FailureKind::Receiver => false,
            FailureKind::Connect | FailureKind::Timeout | FailureKind::Broken => {
                !failure.maybe_sent || policy.repeat != Repeat::Never
            }
        },
    };
    if !repeatable || attempt >= policy.attempts {
        return Decision::Stop;
    }
    Decision::Again(pause(policy, attempt, result, random))
}

impl Policy {
    /// The pause after the `attempt`th attempt (from 1), with jitter.
    pub(crate) fn backoff(&self, attempt: u32, random: impl FnOnce() -> u64) -> Duration {
        backoff::jittered(self.backoff, attempt, self.max_backoff, random)
    }
}

/// A `Retry-After` is kept to, within the longest pause.
fn pause(
    policy: &Policy,
    attempt: u32,
    result: &Result<Reply, Failure>,
    random: impl FnOnce() -> u64,
) -> Duration {
    match result.as_ref().ok().and_then(backoff::retry_after) {
        Some(asked) => asked.min(policy.max_backoff),
        None => policy.backoff(attempt, random),
    }
}

/// The retry key that belongs to an idempotency key: the same for the same channel, action and key,
/// another for any other. Parts are told apart by their length, so none can run into the next.
#[must_use]
pub fn derived_key(channel: &str, action: &str, idempotency_key: &str) -> String {
    let name = format!(
        "{}:{channel}{}:{action}{idempotency_key}",
        channel.len(),
        action.len()
    );
    Uuid::new_v5(&KEYS, name.as_bytes()).to_string()
}

/// The retry key of a further request that belongs to one with this key: the `number`th, from 1 for the
/// first beyond it.
#[must_use]
pub fn further_key(key: &str, number: usize) -> String {
    Uuid::new_v5(&KEYS, format!("further:{number}:{key}").as_bytes()).to_string()
}

/// The retry key of what is sent instead of something that LINE takes once by itself.
#[must_use]
pub fn instead_key(once: &str) -> String {
    Uuid::new_v5(&KEYS, format!("instead:{once}").as_bytes()).to_string()
}

/// A retry key from random bits.
#[must_use]
pub fn random_key(random: u128) -> String {
    Builder::from_random_bytes(random.to_ne_bytes())
        .into_uuid()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(repeat: Repeat) -> Policy {
        Policy {
            repeat,
            attempts: 3,
            backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(8),
            renewable: true,
            slows_down: false,
        }
    }

    fn reply(status: u16) -> Reply {
        Reply {
            status,
            ..Reply::default()
        }
    }

    fn failure(kind: FailureKind, maybe_sent: bool) -> Failure {
        Failure {
            kind,
            maybe_sent,
            message: String::new(),
        }
    }

    fn repeats(repeat: Repeat, result: impl Into<Attempt>) -> bool {
        matches!(
            decide(&policy(repeat), 1, false, &result.into().0, || 7),
            Decision::Again(_)
        )
    }

    /// A reply or a failure, either of which ends an attempt.
    struct Attempt(Result<Reply, Failure>);

    impl From<Reply> for Attempt {
        fn from(reply: Reply) -> Self {
            Self(Ok(reply))
        }
    }

    impl From<Failure> for Attempt {
        fn from(failure: Failure) -> Self {
            Self(Err(failure))
        }
    }

    #[test]
    fn server_errors_repeat_only_what_may_be_repeated() {
        assert!(repeats(Repeat::Keyed, reply(500)));
        assert!(repeats(Repeat::Safe, reply(503)));
        assert!(!repeats(Repeat::Never, reply(500)));
        for status in [200, 202, 302, 400, 404, 409, 429] {
            assert!(!repeats(Repeat::Keyed, reply(status)), "{status}");
        }
    }

    #[test]
    fn what_never_left_may_always_be_repeated() {
        for repeat in [Repeat::Keyed, Repeat::Safe, Repeat::Never] {
            assert!(repeats(repeat, failure(FailureKind::Connect, false)));
        }
        assert!(!repeats(Repeat::Never, failure(FailureKind::Timeout, true)));
        assert!(!repeats(Repeat::Never, failure(FailureKind::Broken, true)));
        assert!(repeats(Repeat::Keyed, failure(FailureKind::Broken, true)));
        assert!(!repeats(Repeat::Keyed, failure(FailureKind::Tls, false)));
    }

    #[test]
    fn attempts_end_and_a_token_is_renewed_once() {
        let keyed = policy(Repeat::Keyed);
        assert_eq!(
            decide(&keyed, 3, false, &Ok(reply(500)), || 7),
            Decision::Stop
        );
        assert_eq!(
            decide(&keyed, 1, false, &Ok(reply(401)), || 7),
            Decision::RenewToken
        );
        assert_eq!(
            decide(&keyed, 2, true, &Ok(reply(401)), || 7),
            Decision::Stop
        );
    }

    #[test]
    fn pauses_double_within_their_bounds() {
        let keyed = Policy {
            attempts: 10,
            ..policy(Repeat::Keyed)
        };
        for (attempt, bound) in [
            (1, 500),
            (2, 1000),
            (3, 2000),
            (4, 4000),
            (5, 8000),
            (9, 8000),
        ] {
            for random in [0, 1, u64::MAX / 3, u64::MAX] {
                let Decision::Again(pause) =
                    decide(&keyed, attempt, false, &Ok(reply(500)), || random)
                else {
                    panic!("attempt {attempt} should repeat");
                };
                let bound = Duration::from_millis(bound);
                assert!(pause >= bound / 2 && pause <= bound, "{attempt} {pause:?}");
            }
        }
    }

    #[test]
    fn retry_after_is_kept_to_within_the_longest_pause() {
        let mut asked = Reply {
            status: 503,
            ..Reply::default()
        };
        asked.headers.push("Retry-After", "3");
        let result = Ok(asked);
        let decision = decide(&policy(Repeat::Safe), 1, false, &result, || 0);
        assert_eq!(decision, Decision::Again(Duration::from_secs(3)));
    }

    #[test]
    fn derived_keys_are_stable_and_apart() {
        let key = derived_key("123", "send_push_message", "order-1");
        assert_eq!(key, derived_key("123", "send_push_message", "order-1"));
        assert_eq!(key.len(), 36);
        for (channel, action, name) in [
            ("124", "send_push_message", "order-1"),
            ("123", "a", "order-1"),
            ("12", "3", "x"),
        ] {
            assert_ne!(key, derived_key(channel, action, name));
        }
        assert_ne!(derived_key("a", "bc", "d"), derived_key("ab", "c", "d"));
    }
}

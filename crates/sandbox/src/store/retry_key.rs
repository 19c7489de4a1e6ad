//! Retry keys: what was accepted under each, for a day and as little of it as will do, so that a
//! million keys are no burden.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::sent_messages::SentMessages;
use crate::crypto::Digest;

const REMEMBERED: Duration = Duration::from_hours(24);

/// A map this small is not worth tidying.
const FEW: usize = 4096;

/// What was accepted under a key.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) at: SystemTime,
    pub(crate) request_id: u128,
    pub(crate) path: Digest,
    pub(crate) body: Digest,
    pub(crate) sent_messages: Option<SentMessages>,
}

/// What was accepted, by the number that the key is.
#[derive(Debug, Default)]
pub(crate) struct RetryKeys {
    accepted: HashMap<u128, Accepted>,
    /// At this size, outdated keys are looked for: so seldom that a call's share of it is small.
    tidy_at: usize,
}

impl RetryKeys {
    /// What was accepted under a key, unless that was too long ago.
    pub(crate) fn get(&self, key: u128, now: SystemTime) -> Option<&Accepted> {
        let accepted = self.accepted.get(&key)?;
        let age = now.duration_since(accepted.at).unwrap_or_default();
        (age < REMEMBERED).then_some(accepted)
    }

    /// Remembers what was accepted under a key.
    pub(crate) fn insert(&mut self, key: u128, accepted: Accepted) {
        self.tidy(accepted.at);
        self.accepted.insert(key, accepted);
    }

    fn tidy(&mut self, now: SystemTime) {
        if self.accepted.len() < self.tidy_at.max(FEW) {
            return;
        }
        self.accepted
            .retain(|_, known| now.duration_since(known.at).unwrap_or_default() < REMEMBERED);
        self.tidy_at = self.accepted.len() * 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::short_digest;

    #[test]
    fn outdated_keys_are_let_go() {
        let mut keys = RetryKeys::default();
        let start = SystemTime::UNIX_EPOCH;
        let mut add = |number: u128, at: SystemTime| {
            let (path, body) = (short_digest(b""), short_digest(b""));
            let (request_id, sent_messages) = (0, None);
            let accepted = Accepted {
                at,
                request_id,
                path,
                body,
                sent_messages,
            };
            keys.insert(number, accepted);
            keys.accepted.len()
        };
        for number in 0..10_000 {
            assert_eq!(add(number, start), usize::try_from(number).unwrap() + 1);
        }
        let most = (10_000..40_000)
            .map(|number| add(number, start + REMEMBERED))
            .max();
        assert!(most.unwrap() <= 32_768, "{most:?}");
    }
}

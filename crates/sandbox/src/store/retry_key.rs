//! Retry keys: what was accepted under each, for a day, stored compactly so that a million keys fit in
//! memory.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::sent_messages::SentMessages;
use crate::crypto::Digest;

const RETENTION: Duration = Duration::from_hours(24);

/// A smaller map is never searched for expired keys.
const MIN_EVICTION_SIZE: usize = 4096;

/// What was accepted under a key.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) at: SystemTime,
    pub(crate) request_id: u128,
    pub(crate) path: Digest,
    pub(crate) body: Digest,
    pub(crate) sent_messages: Option<SentMessages>,
}

/// What was accepted, by the key as a number.
#[derive(Debug, Default)]
pub(crate) struct RetryKeys {
    accepted: HashMap<u128, Accepted>,
    /// The size at which expired keys are next removed: twice what was left, so the cost per call is
    /// constant on average.
    evict_at: usize,
}

impl RetryKeys {
    /// What was accepted under a key within the last day.
    pub(crate) fn get(&self, key: u128, now: SystemTime) -> Option<&Accepted> {
        let accepted = self.accepted.get(&key)?;
        let age = now.duration_since(accepted.at).unwrap_or_default();
        (age < RETENTION).then_some(accepted)
    }

    /// Remembers what was accepted under a key.
    pub(crate) fn insert(&mut self, key: u128, accepted: Accepted) {
        self.evict_expired(accepted.at);
        self.accepted.insert(key, accepted);
    }

    fn evict_expired(&mut self, now: SystemTime) {
        if self.accepted.len() < self.evict_at.max(MIN_EVICTION_SIZE) {
            return;
        }
        self.accepted
            .retain(|_, known| now.duration_since(known.at).unwrap_or_default() < RETENTION);
        self.evict_at = self.accepted.len() * 2;
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
            .map(|number| add(number, start + RETENTION))
            .max();
        assert!(most.unwrap() <= 32_768, "{most:?}");
    }
}

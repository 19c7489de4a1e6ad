//! Reply tokens: each can be used once, within a minute of the delivery of its event.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crate::ids::new_hex;

const LIFETIME: Duration = Duration::from_mins(1);

/// The age at which a token expires however often its event is redelivered.
const MAX_AGE: Duration = Duration::from_mins(20);

/// How long used and expired tokens are remembered, so that they do not count as unknown.
const RETENTION: Duration = Duration::from_hours(24);

#[derive(Debug, Clone, Copy)]
struct Entry {
    created: SystemTime,
    /// When its event was last delivered.
    delivered: SystemTime,
    used: bool,
}

#[derive(Debug, Default)]
pub(crate) struct ReplyTokens(HashMap<String, Entry>);

impl ReplyTokens {
    pub(crate) fn create(&mut self, now: SystemTime) -> String {
        self.evict_expired(now);
        let token = new_hex();
        self.0.insert(
            token.clone(),
            Entry {
                created: now,
                delivered: now,
                used: false,
            },
        );
        token
    }

    /// Extends a token whose event is redelivered.
    pub(crate) fn renew(&mut self, token: &str, now: SystemTime) {
        if let Some(entry) = self.0.get_mut(token) {
            entry.delivered = now;
        }
    }

    /// Uses a token; `false` if it is used, expired or unknown. `accept_unknown` accepts a well-formed
    /// unknown token once.
    pub(crate) fn consume(&mut self, token: &str, now: SystemTime, accept_unknown: bool) -> bool {
        if let Some(entry) = self.0.get_mut(token) {
            let since = |moment| now.duration_since(moment).unwrap_or_default();
            let fresh = since(entry.delivered) <= LIFETIME && since(entry.created) <= MAX_AGE;
            return fresh && !std::mem::replace(&mut entry.used, true);
        }
        let plausible = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        if accept_unknown && plausible {
            self.evict_expired(now);
            self.0.insert(
                token.to_owned(),
                Entry {
                    created: now,
                    delivered: now,
                    used: true,
                },
            );
        }
        accept_unknown && plausible
    }

    fn evict_expired(&mut self, now: SystemTime) {
        if self.0.len() >= 4096 && self.0.len().is_power_of_two() {
            self.0.retain(|_, entry| {
                now.duration_since(entry.created).unwrap_or_default() <= RETENTION
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_once_and_for_a_minute() {
        let mut tokens = ReplyTokens::default();
        let start = SystemTime::UNIX_EPOCH;
        let (first, second) = (tokens.create(start), tokens.create(start));
        assert!(tokens.consume(&first, start + LIFETIME, false));
        assert!(!tokens.consume(&first, start, false));
        assert!(!tokens.consume(&second, start + LIFETIME + Duration::from_millis(1), false));
    }

    #[test]
    fn a_redelivered_token_is_good_for_another_minute_within_twenty() {
        let mut tokens = ReplyTokens::default();
        let start = SystemTime::UNIX_EPOCH;
        let (first, second, third) = (
            tokens.create(start),
            tokens.create(start),
            tokens.create(start),
        );
        let later = start + Duration::from_mins(19);
        assert!(!tokens.consume(&first, later, false));
        tokens.renew(&first, later);
        assert!(tokens.consume(&first, later + LIFETIME, false));
        tokens.renew(&first, later + LIFETIME);
        assert!(
            !tokens.consume(&first, later + LIFETIME, false),
            "it was used"
        );
        tokens.renew(&second, later);
        let too_late = start + MAX_AGE + Duration::from_millis(1);
        assert!(!tokens.consume(&second, too_late, false));
        assert!(tokens.consume(&third, start, false));
    }

    #[test]
    fn an_unknown_token_is_good_once_where_that_is_allowed() {
        let mut tokens = ReplyTokens::default();
        let start = SystemTime::UNIX_EPOCH;
        let token = "85cbe770fa8b4f45bbe077b1d4be4a36";
        assert!(!tokens.consume(token, start, false));
        assert!(tokens.consume(token, start, true));
        assert!(!tokens.consume(token, start, true));
        assert!(!tokens.consume("nonsense", start, true));
    }
}

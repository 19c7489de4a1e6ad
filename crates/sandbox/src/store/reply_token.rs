//! Reply tokens: made by the sandbox, good for one reply within a minute. It does not know what a
//! reply contains.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crate::ids::fresh_hex;

const VALID: Duration = Duration::from_mins(1);

/// However often an event is delivered again, its token is good no longer than this.
const LONGEST: Duration = Duration::from_mins(20);

/// Used and outdated tokens are kept apart from unknown ones for this long.
const REMEMBERED: Duration = Duration::from_hours(24);

#[derive(Debug, Clone, Copy)]
struct Entry {
    created: SystemTime,
    /// When it was delivered last.
    delivered: SystemTime,
    used: bool,
}

#[derive(Debug, Default)]
pub(crate) struct ReplyTokens(HashMap<String, Entry>);

impl ReplyTokens {
    pub(crate) fn create(&mut self, now: SystemTime) -> String {
        self.tidy(now);
        let token = fresh_hex();
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

    /// The event of a token is delivered again.
    pub(crate) fn renew(&mut self, token: &str, now: SystemTime) {
        if let Some(entry) = self.0.get_mut(token) {
            entry.delivered = now;
        }
    }

    /// Uses a token up; `false` when it cannot be used any more, or never could.
    pub(crate) fn consume(&mut self, token: &str, now: SystemTime, accept_unknown: bool) -> bool {
        if let Some(entry) = self.0.get_mut(token) {
            let since = |moment| now.duration_since(moment).unwrap_or_default();
            let fresh = since(entry.delivered) <= VALID && since(entry.created) <= LONGEST;
            return fresh && !std::mem::replace(&mut entry.used, true);
        }
        let plausible = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        if accept_unknown && plausible {
            self.tidy(now);
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

    fn tidy(&mut self, now: SystemTime) {
        if self.0.len() >= 4096 && self.0.len().is_power_of_two() {
            self.0.retain(|_, entry| {
                now.duration_since(entry.created).unwrap_or_default() <= REMEMBERED
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
        assert!(tokens.consume(&first, start + VALID, false));
        assert!(!tokens.consume(&first, start, false));
        assert!(!tokens.consume(&second, start + VALID + Duration::from_millis(1), false));
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
        assert!(tokens.consume(&first, later + VALID, false));
        tokens.renew(&first, later + VALID);
        assert!(!tokens.consume(&first, later + VALID, false), "it was used");
        tokens.renew(&second, later);
        let too_late = start + LONGEST + Duration::from_millis(1);
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

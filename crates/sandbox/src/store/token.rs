//! The channel access tokens that are valid now: issuing, expiry, limits and revocation.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crate::ids::{new_hex, new_uuid};
use crate::settings::Settings;

/// LINE's limit for short-lived tokens, and for v2.1 tokens.
const MAX_TOKENS: usize = 30;

/// How long expired tokens are remembered, so that they do not count as unknown.
const RETENTION: Duration = Duration::from_hours(24);

/// A smaller map is never searched for expired tokens.
const MIN_EVICTION_SIZE: usize = 256;

/// The `expires_in` that LINE reports for a long-lived token, in seconds.
const LONG_LIVED_EXPIRES_IN: u64 = 3_138_007_490;

/// The kind of a token, which decides its lifetime and how it is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    LongLived,
    ShortLived,
    Stateless,
    V2_1,
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    kind: TokenKind,
    serial: u64,
    expires: Option<SystemTime>,
    pub(crate) key_id: String,
}

impl Token {
    fn is_live(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// Seconds until it expires; a constant for a long-lived token.
    pub(crate) fn seconds_left(&self, now: SystemTime) -> u64 {
        self.expires.map_or(LONG_LIVED_EXPIRES_IN, |expires| {
            expires.duration_since(now).unwrap_or_default().as_secs()
        })
    }
}

/// The status of a token that was presented.
pub(crate) enum TokenStatus {
    Live(Token),
    Expired,
    Unknown,
}

#[derive(Debug, Default)]
pub(crate) struct Tokens {
    known: HashMap<String, Token>,
    serial: u64,
    /// The size at which expired tokens are next removed.
    evict_at: usize,
}

impl Tokens {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut tokens = Self::default();
        if let Some(secret) = &settings.long_lived_token {
            tokens.insert(secret.expose().to_owned(), TokenKind::LongLived, None);
        }
        tokens
    }

    /// Issues a token and its key ID. At the limit, a short-lived token replaces the oldest one; a v2.1
    /// token is refused with `None`.
    pub(crate) fn issue(
        &mut self,
        kind: TokenKind,
        life: Duration,
        now: SystemTime,
    ) -> Option<(String, String)> {
        self.evict_expired(now);
        if matches!(kind, TokenKind::ShortLived | TokenKind::V2_1) {
            self.make_room(kind, now)?;
        }
        let text = match kind {
            TokenKind::V2_1 => format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", new_hex(), new_hex()),
            _ => format!("{}{}", new_hex(), new_hex()),
        };
        let key_id = self.insert(text.clone(), kind, Some(now + life));
        Some((text, key_id))
    }

    /// Removes tokens that expired long ago, seldom enough that the cost per call is constant on
    /// average.
    fn evict_expired(&mut self, now: SystemTime) {
        if self.known.len() < self.evict_at.max(MIN_EVICTION_SIZE) {
            return;
        }
        self.known.retain(|_, token| {
            token
                .expires
                .is_none_or(|expires| now < expires + RETENTION)
        });
        self.evict_at = self.known.len() * 2;
    }

    /// Makes room for a token of a kind; `None` where the limit is reached and no token is replaced.
    fn make_room(&mut self, kind: TokenKind, now: SystemTime) -> Option<()> {
        let valid = self
            .known
            .iter()
            .filter(|(_, token)| token.kind == kind && token.is_live(now));
        if valid.clone().count() < MAX_TOKENS {
            return Some(());
        }
        if kind == TokenKind::V2_1 {
            return None;
        }
        let oldest = valid.min_by_key(|(_, token)| token.serial);
        let oldest = oldest.map(|(text, _)| text.clone())?;
        self.known.remove(&oldest).map(drop)
    }

    fn insert(&mut self, text: String, kind: TokenKind, expires: Option<SystemTime>) -> String {
        self.serial += 1;
        let key_id = new_uuid();
        let token = Token {
            kind,
            serial: self.serial,
            expires,
            key_id: key_id.clone(),
        };
        self.known.insert(text, token);
        key_id
    }

    /// The status of a token, which is unknown unless it is of one of these kinds.
    pub(crate) fn look_up(&self, text: &str, kinds: &[TokenKind], now: SystemTime) -> TokenStatus {
        match self
            .known
            .get(text)
            .filter(|token| kinds.contains(&token.kind))
        {
            Some(token) if token.is_live(now) => TokenStatus::Live(token.clone()),
            Some(_) => TokenStatus::Expired,
            None => TokenStatus::Unknown,
        }
    }

    /// Revokes a token of one of these kinds; ignores any other.
    pub(crate) fn revoke(&mut self, text: &str, kinds: &[TokenKind]) {
        if self
            .known
            .get(text)
            .is_some_and(|token| kinds.contains(&token.kind))
        {
            self.known.remove(text);
        }
    }

    /// Expires a token now, whatever its kind.
    pub(crate) fn expire(&mut self, text: &str, now: SystemTime) {
        if let Some(token) = self.known.get_mut(text) {
            token.expires = Some(now);
        }
    }

    /// The IDs of the live v2.1 tokens, oldest first.
    pub(crate) fn key_ids(&self, now: SystemTime) -> Vec<String> {
        let mut live: Vec<&Token> = self
            .known
            .values()
            .filter(|token| token.kind == TokenKind::V2_1 && token.is_live(now))
            .collect();
        live.sort_by_key(|token| token.serial);
        live.into_iter().map(|token| token.key_id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn the_thirty_first_short_lived_token_ends_the_first() {
        let (mut tokens, now) = (Tokens::default(), SystemTime::UNIX_EPOCH);
        let issued: Vec<String> = (0..31)
            .filter_map(|_| tokens.issue(TokenKind::ShortLived, DAY, now))
            .map(|(text, _)| text)
            .collect();
        let live = |text: &String| {
            matches!(
                tokens.look_up(text, &[TokenKind::ShortLived], now),
                TokenStatus::Live(_)
            )
        };
        assert_eq!(issued.iter().filter(|text| live(text)).count(), 30);
        assert!(!live(&issued[0]));
    }

    #[test]
    fn the_thirty_first_assertion_token_is_refused_until_one_expires() {
        let (mut tokens, now) = (Tokens::default(), SystemTime::UNIX_EPOCH);
        for _ in 0..30 {
            assert!(tokens.issue(TokenKind::V2_1, DAY, now).is_some());
        }
        assert!(tokens.issue(TokenKind::V2_1, DAY, now).is_none());
        assert_eq!(tokens.key_ids(now).len(), 30);
        assert!(tokens.issue(TokenKind::V2_1, DAY, now + DAY).is_some());
        assert_eq!(tokens.key_ids(now + DAY).len(), 1);
    }

    #[test]
    fn stateless_tokens_have_no_limit_and_cannot_be_revoked() {
        let (mut tokens, now) = (Tokens::default(), SystemTime::UNIX_EPOCH);
        let issued: Vec<_> = (0..40)
            .filter_map(|_| tokens.issue(TokenKind::Stateless, DAY, now))
            .collect();
        assert_eq!(issued.len(), 40);
        tokens.revoke(&issued[0].0, &[TokenKind::LongLived, TokenKind::ShortLived]);
        let standing = tokens.look_up(&issued[0].0, &[TokenKind::Stateless], now);
        assert!(matches!(standing, TokenStatus::Live(_)));
    }
}

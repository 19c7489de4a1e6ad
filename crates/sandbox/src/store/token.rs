//! The channel access tokens that are valid now: issuing, expiry, limits and revocation.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crate::ids::{fresh_hex, fresh_id};
use crate::settings::Settings;

/// LINE's limit for short-lived and for v2.1 tokens, each.
const MOST: usize = 30;

/// An expired token is told apart from one that never was for this long.
const REMEMBERED: Duration = Duration::from_hours(24);

/// So few tokens are not worth tidying.
const FEW: usize = 256;

/// What LINE reports as the rest of a long-lived token's life.
const LONG_LIFE_SECONDS: u64 = 3_138_007_490;

/// How a token came to be, which decides how long it lives and who may revoke it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    LongLived,
    ShortLived,
    Stateless,
    Assertion,
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

    /// Seconds left; a long-lived token's are a constant.
    pub(crate) fn seconds_left(&self, now: SystemTime) -> u64 {
        self.expires.map_or(LONG_LIFE_SECONDS, |expires| {
            expires.duration_since(now).unwrap_or_default().as_secs()
        })
    }
}

/// What a token presented for checking turned out to be.
pub(crate) enum TokenStatus {
    Live(Token),
    Expired,
    Unknown,
}

#[derive(Debug, Default)]
pub(crate) struct Tokens {
    known: HashMap<String, Token>,
    serial: u64,
    /// At this size, tokens to let go of are looked for.
    tidy_at: usize,
}

impl Tokens {
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut tokens = Self::default();
        if let Some(secret) = &settings.long_lived_token {
            tokens.insert(secret.expose().to_owned(), TokenKind::LongLived, None);
        }
        tokens
    }

    /// Issues a token, and with it the ID under which LINE lists it; `None` where the limit of 30
    /// is reached and this kind does not give way.
    pub(crate) fn issue(
        &mut self,
        kind: TokenKind,
        life: Duration,
        now: SystemTime,
    ) -> Option<(String, String)> {
        self.tidy(now);
        if matches!(kind, TokenKind::ShortLived | TokenKind::Assertion) {
            self.make_room(kind, now)?;
        }
        let text = match kind {
            TokenKind::Assertion => format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", fresh_hex(), fresh_hex()),
            _ => format!("{}{}", fresh_hex(), fresh_hex()),
        };
        let key_id = self.insert(text.clone(), kind, Some(now + life));
        Some((text, key_id))
    }

    /// Lets go of tokens that expired long ago. It looks for them so seldom that the share of one
    /// call is small.
    fn tidy(&mut self, now: SystemTime) {
        if self.known.len() < self.tidy_at.max(FEW) {
            return;
        }
        self.known.retain(|_, token| {
            token
                .expires
                .is_none_or(|expires| now < expires + REMEMBERED)
        });
        self.tidy_at = self.known.len() * 2;
    }

    /// Ends the oldest token of a kind where the limit is reached; `None` where it does not give way.
    fn make_room(&mut self, kind: TokenKind, now: SystemTime) -> Option<()> {
        let valid = self
            .known
            .iter()
            .filter(|(_, token)| token.kind == kind && token.is_live(now));
        if valid.clone().count() < MOST {
            return Some(());
        }
        if kind == TokenKind::Assertion {
            return None;
        }
        let oldest = valid.min_by_key(|(_, token)| token.serial);
        let oldest = oldest.map(|(text, _)| text.clone())?;
        self.known.remove(&oldest).map(drop)
    }

    fn insert(&mut self, text: String, kind: TokenKind, expires: Option<SystemTime>) -> String {
        self.serial += 1;
        let key_id = fresh_id();
        let token = Token {
            kind,
            serial: self.serial,
            expires,
            key_id: key_id.clone(),
        };
        self.known.insert(text, token);
        key_id
    }

    /// What a token is, if it is of one of these kinds.
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

    /// Forgets a token of one of these kinds; any other text changes nothing.
    pub(crate) fn revoke(&mut self, text: &str, kinds: &[TokenKind]) {
        if self
            .known
            .get(text)
            .is_some_and(|token| kinds.contains(&token.kind))
        {
            self.known.remove(text);
        }
    }

    /// Ends a token's life now, whatever its kind.
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
            .filter(|token| token.kind == TokenKind::Assertion && token.is_live(now))
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
            assert!(tokens.issue(TokenKind::Assertion, DAY, now).is_some());
        }
        assert!(tokens.issue(TokenKind::Assertion, DAY, now).is_none());
        assert_eq!(tokens.key_ids(now).len(), 30);
        assert!(tokens.issue(TokenKind::Assertion, DAY, now + DAY).is_some());
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

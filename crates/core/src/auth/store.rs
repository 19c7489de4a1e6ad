//! Tokens that outlive the process: the name that one is kept under, what its content looks like,
//! and what a store must offer. The program brings the store.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Token;
use crate::asset::Credentials;
use crate::digest::{Sha256, sha256};
use crate::error::Error;
use line_connector_http::Secret;

/// The content's format. Another number is another program's and counts as nothing.
const FORMAT: u32 = 1;

/// LINE's longest-lived tokens last 30 days; a content that claims more is not a token's, or the
/// clock has moved.
const MAX_LIFETIME: Duration = Duration::from_hours(31 * 24);

/// Keeps contents under names, for all processes of one user.
pub trait Store: Send + Sync {
    /// What is kept under a name; `None` where nothing is.
    ///
    /// # Errors
    ///
    /// Where what is there must not be trusted, such as a file that others can read.
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Whether no further names should be taken but for the operator's credentials: documents may bring any
    /// number of them.
    fn is_full(&self) -> bool {
        false
    }

    /// Waits, for `patience` at most, until no other process holds the name.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::TimedOut`] where another held it all the time; others where it cannot be had.
    fn hold(&self, name: &str, patience: Duration) -> io::Result<Box<dyn Hold + '_>>;
}

/// The sole right to change what is kept under one name, until it is dropped.
pub trait Hold {
    /// Replaces the content: a reader sees the old or the new one, whole.
    ///
    /// # Errors
    ///
    /// Where it cannot be kept. The old one is then still there.
    fn replace(&self, content: &[u8]) -> io::Result<()>;
}

#[derive(Serialize, Deserialize)]
struct Content {
    format: u32,
    /// When the token must no longer be used, in seconds since 1970.
    expires: u64,
    token: String,
}

/// The name of an identity: a digest over all that makes it, so that another secret is another
/// name, and that tells neither the secret nor the channel. `None` for tokens that are not issued.
pub(super) fn name(credentials: &Credentials) -> Option<String> {
    let mut digest = Sha256::default();
    // Each part with its length, so that none can run into the next.
    let mut add = |part: &str| {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    };
    add("line-connector token cache");
    match credentials {
        Credentials::Bearer { .. } => return None,
        Credentials::ClientCredentials {
            token_url,
            client_id,
            client_secret,
        } => {
            let secret = sha256(client_secret.expose().as_bytes());
            for part in ["client credentials", token_url, client_id, &secret] {
                add(part);
            }
        }
        Credentials::JwtAssertion {
            token_url,
            client_id,
            kid,
            private_key,
            token_lifetime_seconds,
        } => {
            let key = sha256(private_key.expose().as_bytes());
            let lifetime = token_lifetime_seconds.to_string();
            for part in ["assertion", token_url, client_id, kid, &key, &lifetime] {
                add(part);
            }
        }
    }
    Some(digest.hex())
}

/// The content for a token.
pub(super) fn write(token: &Token) -> Vec<u8> {
    let expires = token.expires.duration_since(UNIX_EPOCH).unwrap_or_default();
    let content = Content {
        format: FORMAT,
        expires: expires.as_secs(),
        token: token.value.expose().to_owned(),
    };
    serde_json::to_vec(&content).unwrap_or_default()
}

/// The token of a content, if it is one and still good. Anything else (cut off, of another format,
/// expired) counts as nothing: a new token is always to be had.
pub(super) fn read(content: &[u8], now: SystemTime) -> Option<Token> {
    let content: Content = serde_json::from_slice(content).ok()?;
    let expires = UNIX_EPOCH.checked_add(Duration::from_secs(content.expires))?;
    let left = expires.duration_since(now).ok()?;
    let sendable = !content.token.is_empty() && content.token.bytes().all(|b| b.is_ascii_graphic());
    let good = content.format == FORMAT && sendable && !left.is_zero() && left <= MAX_LIFETIME;
    good.then(|| Token {
        value: Secret::new(content.token),
        expires,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn by_secret(url: &str, id: &str, secret: &str) -> Credentials {
        Credentials::ClientCredentials {
            token_url: url.to_owned(),
            client_id: id.to_owned(),
            client_secret: Secret::new(secret),
        }
    }

    fn by_assertion(kid: &str, key: &str, lifetime: u64) -> Credentials {
        Credentials::JwtAssertion {
            token_url: "https://api.line.me".to_owned(),
            client_id: "1".to_owned(),
            kid: kid.to_owned(),
            private_key: Secret::new(key),
            token_lifetime_seconds: lifetime,
        }
    }

    #[test]
    fn what_is_written_is_read_until_it_expires() {
        let token = Token {
            value: Secret::new("eyJhbGciOi.J9"),
            expires: at(1_000_000),
        };
        let content = write(&token);
        let again = read(&content, at(999_999)).unwrap();
        assert_eq!((again.value, again.expires), (token.value, token.expires));
        assert!(read(&content, at(1_000_000)).is_none(), "expired");
        assert!(read(&content, at(2_000_000)).is_none(), "long expired");
    }

    #[test]
    fn a_content_that_is_no_token_counts_as_nothing() {
        let now = at(1_000_000);
        let good = r#"{"format":1,"expires":1000900,"token":"t"}"#;
        assert!(read(good.as_bytes(), now).is_some());
        for content in [
            "",
            "{}",
            "null",
            &good[..good.len() - 1],
            r#"{"format":2,"expires":1000900,"token":"t"}"#,
            r#"{"format":1,"expires":1000900,"token":""}"#,
            r#"{"format":1,"expires":1000900,"token":"a\r\nb"}"#,
            r#"{"format":1,"expires":4000000,"token":"t"}"#,
            r#"{"format":1,"expires":18446744073709551615,"token":"t"}"#,
            r#"{"format":1,"expires":-1,"token":"t"}"#,
        ] {
            assert!(read(content.as_bytes(), now).is_none(), "{content}");
        }
    }

    #[test]
    fn every_part_of_an_identity_makes_another_name() {
        let names: Vec<String> = [
            by_secret("https://a", "1", "s"),
            by_secret("https://b", "1", "s"),
            by_secret("https://a", "2", "s"),
            by_secret("https://a", "1", "t"),
            by_secret("https://a1", "", "s"),
            by_assertion("k", "p", 60),
            by_assertion("l", "p", 60),
            by_assertion("k", "q", 60),
            by_assertion("k", "p", 61),
        ]
        .iter()
        .map(|credentials| name(credentials).unwrap())
        .collect();
        let different: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(different.len(), names.len());
        assert!(names.iter().all(|name| name.len() == 64));
        let again = by_secret("https://a", "1", "s");
        assert_eq!(name(&again).as_ref(), names.first());
    }

    #[test]
    fn a_token_that_is_given_has_no_name() {
        let bearer = Credentials::Bearer {
            token: Secret::new("t"),
            client_id: Some("1".to_owned()),
        };
        assert_eq!(name(&bearer), None);
    }
}

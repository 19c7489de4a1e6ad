//! Bytes as text, the ways that LINE and our documents write them: UTF-8, base64 and base64url. It
//! knows nothing of what the bytes mean.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Bytes that should be UTF-8; what is not becomes U+FFFD.
#[must_use]
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    // Nearly all is, and to find only that is quicker than to look for what is not.
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::from)
}

/// Base64url without padding, as JSON Web Tokens and Keys are written.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Bytes from base64url, with or without padding.
#[must_use]
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// Base64 with padding, as files stand in documents.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes that somebody wrote into a document, with the content type that stood beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The media type of a data URL.
    pub content_type: Option<String>,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Bytes from base64 as programs write it: standard or URL-safe, wrapped in lines, with or without
/// padding, alone or in a data URL.
///
/// # Errors
///
/// What cannot be read and where, a fragment for people that quotes one character at most.
pub fn from_any_base64(text: &str) -> Result<Written, String> {
    let is_data_url = text
        .trim_start()
        .get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    let (content_type, encoded) = if is_data_url {
        let (head, encoded) = text
            .split_once(',')
            .ok_or("is a data URL without the comma that its bytes follow")?;
        let (_, media_type) = head.split_once(':').unwrap_or_default();
        let mut parts = media_type.trim().rsplitn(2, ';');
        let form = parts.next().unwrap_or_default();
        if !form.trim().eq_ignore_ascii_case("base64") {
            return Err(
                "is a data URL whose bytes are not base64: it must have `;base64` before the comma"
                    .to_owned(),
            );
        }
        let media_type = parts.next().unwrap_or_default().trim();
        // What programs write that do not know.
        let says_nothing = ["", "application/octet-stream"].contains(&media_type);
        (
            Some(media_type.to_owned()).filter(|_| !says_nothing),
            encoded,
        )
    } else {
        (None, text)
    };
    let before = text.chars().count() - encoded.chars().count();
    let bytes = unwrapped(encoded, before)?;
    Ok(Written {
        content_type,
        bytes,
    })
}

/// Bytes from base64 in either alphabet with white space anywhere. `before` characters stand in
/// front of it.
fn unwrapped(encoded: &str, before: usize) -> Result<Vec<u8>, String> {
    let mut symbols = Vec::with_capacity(encoded.len());
    let mut padding = 0;
    for (index, character) in encoded.chars().enumerate() {
        let place = before + index + 1;
        let symbol = match character {
            '-' => b'+',
            '_' => b'/',
            '+' | '/' | '0'..='9' | 'A'..='Z' | 'a'..='z' => character as u8,
            '=' => {
                padding += 1;
                continue;
            }
            white if white.is_ascii_whitespace() => continue,
            other => {
                let other = if other.is_ascii_graphic() {
                    other.to_string()
                } else {
                    other.escape_debug().to_string()
                };
                return Err(format!(
                    "is not base64: character {place} is `{other}`, which base64 does not have"
                ));
            }
        };
        if padding > 0 {
            return Err(format!(
                "is not base64: it goes on at character {place}, after the `=` that ends it"
            ));
        }
        symbols.push(symbol);
    }
    let count = symbols.len();
    let missing = count.next_multiple_of(4) - count;
    if missing == 3 {
        return Err(format!(
            "is not base64: {count} characters cannot be whole bytes; it was cut, or characters were lost"
        ));
    }
    if padding > 0 && padding != missing {
        return Err(format!(
            "is not base64: {padding} `=` after {count} characters, where {missing} belong; it was cut, or characters were lost"
        ));
    }
    STANDARD_NO_PAD.decode(symbols).map_err(|_| {
        format!("is not base64: the last of {count} characters holds too many bits; it was cut, or characters were lost")
    })
}

/// Bytes from base64 with padding.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok()
}

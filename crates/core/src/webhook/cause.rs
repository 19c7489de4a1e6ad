//! Why a webhook cannot have LINE's signature, as far as that is visible: what happened to its body,
//! its header or the secret on the way here. It quotes none of them, and it never takes a webhook for
//! LINE's.

use crate::encoding;
use crate::error::Detail;

/// What is odd about a value of the header that cannot be a signature.
#[must_use]
pub fn of_malformed(signature: &str) -> Option<&'static str> {
    let bare = signature.trim();
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let is_digest_in_base64 =
        |text: &str| encoding::from_any_base64(text).is_ok_and(|written| written.bytes.len() == 32);
    Some(match bare {
        "" => "is empty: something on the way removed its value",
        _ if bare.len() != signature.len() => "has white space around it: hand it over as it came",
        _ if bare.starts_with(['"', '\'']) => "is in quotation marks: hand it over without them",
        _ if bare.contains("sha256=") => {
            "begins with `sha256=`, which LINE's does not: it is another service's, or was changed"
        }
        _ if is_digest(bare) => "is hexadecimal: LINE's is base64, it was made or changed here",
        _ if bare.contains(',') => "holds several values: hand over one",
        _ if bare.contains('%') => "is percent-encoded: hand it over as it came",
        _ if is_digest_in_base64(bare) => {
            "is base64 of another alphabet or without its `=`: hand it over as it came"
        }
        _ => return None,
    })
}

/// The header under a name that some frameworks give it, among those that came.
#[must_use]
pub fn of_missing<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names.into_iter().find(|name| {
        let name = name.trim().to_ascii_lowercase().replace(['_', ' '], "-");
        let name = name.trim_end_matches(':');
        [
            "x-line-signature",
            "http-x-line-signature",
            "line-signature",
        ]
        .contains(&name)
    })
}

/// What is visible in a body or a secret whose signature is another's. `body` is the place of the
/// body, `secret` that of the secret.
#[must_use]
pub fn of_mismatch((at, body): (&str, &[u8]), (key, secret): (&str, &str)) -> Vec<Detail> {
    let seen = in_body(body).map(|(message, hint)| Detail {
        hint: Some(hint.to_owned()),
        ..Detail::new(at, message)
    });
    let odd = (!is_usual_secret(secret)).then(|| Detail {
        expected: Some("32 hexadecimal digits".to_owned()),
        hint: Some(
            "copy the channel secret from the Basic settings tab; a channel access token, a channel ID or a LINE Login channel's secret does not sign"
                .to_owned(),
        ),
        ..Detail::new(key, "is not like a channel secret of LINE's")
    });
    seen.into_iter().chain(odd).collect()
}

/// Whether a channel secret looks like LINE's: 32 hexadecimal digits.
#[must_use]
pub fn is_usual_secret(secret: &str) -> bool {
    secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit())
}

const AS_IT_CAME: &str = "hand over the raw bytes that came, read before anything parses them";

/// What happened to a body, and what to do.
fn in_body(body: &[u8]) -> Option<(&'static str, &'static str)> {
    if body.is_empty() {
        let hint =
            "something read it before, or the platform keeps it elsewhere: hand over the raw body";
        return Some(("is empty", hint));
    }
    if body.starts_with(&[0x1f, 0x8b]) {
        return Some(("is compressed (gzip), which LINE's are not", AS_IT_CAME));
    }
    if body.starts_with(b"\xef\xbb\xbf") {
        return Some((
            "begins with a byte order mark, which LINE's do not",
            AS_IT_CAME,
        ));
    }
    let Ok(text) = str::from_utf8(body) else {
        let message = "is not UTF-8: it was changed into another encoding";
        return Some((message, AS_IT_CAME));
    };
    let bare = text.trim();
    let holds_json = |bytes: &[u8]| bytes.trim_ascii_start().starts_with(b"{");
    if encoding::from_any_base64(bare).is_ok_and(|written| holds_json(&written.bytes)) {
        return Some(("is base64 of a body", "give it as `body_base64`"));
    }
    if bare.starts_with('"') {
        let message = "is JSON inside a JSON string: it was serialised once more";
        return Some((message, AS_IT_CAME));
    }
    if bare.starts_with("%7B") || bare.starts_with("%7b") {
        return Some(("is percent-encoded", AS_IT_CAME));
    }
    if !bare.starts_with('{') {
        return Some(("is no JSON object, which LINE's are", AS_IT_CAME));
    }
    if serde_json::from_str::<serde::de::IgnoredAny>(bare).is_err() {
        let message = "is no whole JSON: it was cut, or printed by a program instead of handed on";
        return Some((message, AS_IT_CAME));
    }
    written_again(text).map(|message| (message, AS_IT_CAME))
}

/// The signs that JSON was parsed and written again: LINE writes it in one line without blanks.
fn written_again(text: &str) -> Option<&'static str> {
    if text.contains('\u{fffd}') {
        return Some("holds U+FFFD: characters were lost while it was decoded");
    }
    let mut in_string = false;
    let mut escaped = false;
    for byte in text.bytes() {
        match byte {
            _ if escaped => {
                if byte == b'/' {
                    return Some("was parsed and written again: it has escaped slashes");
                }
                escaped = false;
            }
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b' ' | b'\t' | b'\r' | b'\n' if !in_string => {
                return Some(
                    "was parsed and written again, or reformatted: it has blanks or line ends between its values",
                );
            }
            _ => {}
        }
    }
    let first = |name: &str| text.starts_with(&format!("{{\"{name}\""));
    (!first("destination") && !first("events")).then_some(
        "was parsed and written again, or is not a whole webhook: it does not begin with `destination` or `events`",
    )
}

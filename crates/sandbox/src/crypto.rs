//! The sandbox's arithmetic on bytes: base64url, fingerprints, fresh identifiers, and whether an
//! RS256 signature is genuine. It
//! signs webhooks with the channel secret, and holds no private key.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

/// The two numbers of an RSA public key, big endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    pub(crate) modulus: Vec<u8>,
    pub(crate) exponent: Vec<u8>,
}

impl PublicKey {
    /// Whether `signature` was made over `signed` by this key's other half.
    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        RsaPublicKeyComponents {
            n: &self.modulus,
            e: &self.exponent,
        }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
        .is_ok()
    }
}

/// Reads base64url without padding; anything else is `None`.
pub(crate) fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for symbol in text.bytes() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        held = (held << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    let leftover = held & ((1 << bits) - 1);
    (text.len() % 4 != 1 && leftover == 0).then_some(bytes)
}

/// Reads ordinary base64, padded or not.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    base64url(&bare.replace('+', "-").replace('/', "_"))
}

/// Writes ordinary base64, padded.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    const SYMBOLS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut held = [0; 3];
        held.iter_mut()
            .zip(group)
            .for_each(|(to, from)| *to = *from);
        let [first, second, third] = held.map(u32::from);
        let bits = first << 16 | second << 8 | third;
        for place in 0..4 {
            let symbol = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or_default();
            text.push(if place > group.len() {
                '='
            } else {
                char::from(SYMBOLS[symbol])
            });
        }
    }
    text
}

/// HMAC-SHA256 in base64, as LINE signs webhooks.
pub(crate) fn hmac_base64(key: &str, message: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    to_base64(hmac::sign(&key, message).as_ref())
}

/// Enough of a SHA-256 to tell two values apart without showing either.
pub(crate) fn fingerprint(value: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in digest(&SHA256, value).as_ref().iter().take(4) {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

/// Half of a SHA-256: enough to tell two values apart, and small.
pub(crate) type Digest = [u8; 16];

/// The first half of a value's SHA-256.
pub(crate) fn short_digest(value: &[u8]) -> Digest {
    let mut half = Digest::default();
    let whole = digest(&SHA256, value);
    half.iter_mut()
        .zip(whole.as_ref())
        .for_each(|(to, from)| *to = *from);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_reads_whole_values_only() {
        assert_eq!(base64url("AQAB").as_deref(), Some(&[1, 0, 1][..]));
        assert_eq!(base64url("_-8").as_deref(), Some(&[0xff, 0xef][..]));
        assert_eq!(base64url("").as_deref(), Some(&[][..]));
        for wrong in ["A", "AQ==", "A+/B", "_-9"] {
            assert_eq!(base64url(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn base64_is_written_as_it_is_read() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(to_base64(bytes.as_bytes()), text);
            assert_eq!(base64(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(to_base64(&[0xff, 0xef]), "/+8=");
    }

    #[test]
    fn webhooks_are_signed_as_line_documents_it() {
        for (secret, body, signature) in [
            (
                "8c570fa6dd201bb328f1c1eac23a96d8",
                r#"{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}"#,
                "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs=",
            ),
            (
                "channel_secret",
                "bodybodybodybody",
                "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=",
            ),
            (
                "channel_secret",
                "",
                "vJLnk//5JDP+T9L63iYGCdSsZhleMdxb4VxTS/9ePUg=",
            ),
        ] {
            assert_eq!(hmac_base64(secret, body.as_bytes()), signature);
        }
    }

    #[test]
    fn a_fingerprint_hides_the_value() {
        assert_eq!(fingerprint(b"abc"), "sha256:ba7816bf");
    }
}

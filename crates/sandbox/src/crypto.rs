//! Digests, signatures and base64: it verifies RS256 with public keys and signs webhooks with the
//! channel secret. It holds no private key.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

/// An RSA public key; both numbers are big-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    pub(crate) modulus: Vec<u8>,
    pub(crate) exponent: Vec<u8>,
}

impl PublicKey {
    /// Whether `signature` is an RS256 signature of `signed` with the matching private key.
    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        RsaPublicKeyComponents {
            n: &self.modulus,
            e: &self.exponent,
        }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
        .is_ok()
    }
}

/// Decodes base64url without padding; `None` for anything else.
pub(crate) fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decodes base64 of either alphabet, padded or not.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    base64url(&bare.replace('+', "-").replace('/', "_"))
}

/// HMAC-SHA256 in base64, as LINE signs webhooks.
pub(crate) fn hmac_base64(key: &str, message: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    STANDARD.encode(hmac::sign(&key, message))
}

/// `sha256:` and the first eight hex digits of a value's SHA-256: enough to compare values without
/// showing them.
pub(crate) fn fingerprint(value: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in digest(&SHA256, value).as_ref().iter().take(4) {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

/// Half of a SHA-256: enough to compare values, and small.
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
    fn base64_is_read_in_either_alphabet_padded_or_not() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(text).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(
                base64(text.trim_end_matches('=')).as_deref(),
                Some(bytes.as_bytes())
            );
        }
        for text in ["/+8=", "_-8", "/+8"] {
            assert_eq!(base64(text).as_deref(), Some(&[0xff, 0xef][..]), "{text}");
        }
        for wrong in ["A", "Zh", "Z g", "é"] {
            assert_eq!(base64(wrong), None, "{wrong}");
        }
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

//! LINE's signature: HMAC-SHA256 over the body as it came, in base64, compared in constant time.
//! It looks at bytes only; what they say is read afterwards, by others.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::encoding;
use crate::error::{Error, Kind};
use line_connector_http::Secret;

/// The header that holds the signature. Header names have no case.
pub const HEADER: &str = "x-line-signature";

/// 32 bytes as base64 with padding.
const LENGTH: usize = 44;

/// Why a body is not taken for LINE's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no signature.
    Missing,
    /// What stands there cannot be a signature.
    Malformed,
    /// The signature is another secret's, or another body's.
    Mismatch,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let message = match refusal {
            Refusal::Missing => "the request has no `x-line-signature` header",
            Refusal::Malformed => {
                "the `x-line-signature` header is not one signature of 44 base64 characters"
            }
            Refusal::Mismatch => {
                "the signature does not belong to this body and this channel's secret"
            }
        };
        Error::new(Kind::InvalidSignature, message)
    }
}

/// Whether a value can be a signature at all.
#[must_use]
pub fn is_well_formed(signature: &str) -> bool {
    signature.len() == LENGTH && encoding::from_base64(signature).is_some()
}

/// A channel's secret, prepared for many bodies.
pub struct Verifier(Hmac<Sha256>);

impl std::fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Verifier")
    }
}

impl Verifier {
    /// Prepares a channel secret. The key is its text as it stands, not decoded.
    ///
    /// # Panics
    ///
    /// Never: HMAC takes a key of any length.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        let mac = Hmac::new_from_slice(secret.expose().as_bytes());
        Self(mac.expect("HMAC takes a key of any length"))
    }

    /// Whether LINE signed exactly these bytes for this channel.
    ///
    /// # Errors
    ///
    /// The [`Refusal`], which says nothing about the body.
    pub fn verify(&self, body: &[u8], signature: Option<&str>) -> Result<(), Refusal> {
        let signature = signature.ok_or(Refusal::Missing)?;
        if signature.len() != LENGTH {
            return Err(Refusal::Malformed);
        }
        let tag = encoding::from_base64(signature).ok_or(Refusal::Malformed)?;
        let mut mac = self.0.clone();
        mac.update(body);
        mac.verify_slice(&tag).map_err(|_| Refusal::Mismatch)
    }
}

/// Whether LINE signed exactly these bytes for the channel with this secret.
///
/// # Errors
///
/// The [`Refusal`], which says nothing about the body.
pub fn verify(secret: &Secret, body: &[u8], signature: Option<&str>) -> Result<(), Refusal> {
    Verifier::new(secret).verify(body, signature)
}

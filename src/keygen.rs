//! Makes RSA key pairs for the assertion way to authenticate. It writes nothing; keys are handed
//! back as numbers.

use rsa::RsaPrivateKey;
use rsa::rand_core::OsRng;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};

use crate::key::PrivateKey;

/// LINE takes keys of exactly this size.
const BITS: usize = 2048;

/// Makes a new key pair. It takes about a second.
///
/// # Errors
///
/// A fragment for people where the system gives no random numbers.
pub fn generate() -> Result<PrivateKey, String> {
    let failed = |error: rsa::Error| format!("no key could be made: {error}");
    let mut key = RsaPrivateKey::new(&mut OsRng, BITS).map_err(failed)?;
    key.precompute().map_err(failed)?;
    let incomplete = || "no key could be made: its parts are incomplete".to_owned();
    let [p, q] = key.primes() else {
        return Err(incomplete());
    };
    let number = |number: Option<&rsa::BigUint>| {
        number.map(rsa::BigUint::to_bytes_be).ok_or_else(incomplete)
    };
    let coefficient = key.crt_coefficient();
    Ok(PrivateKey {
        n: key.n().to_bytes_be(),
        e: key.e().to_bytes_be(),
        d: key.d().to_bytes_be(),
        p: p.to_bytes_be(),
        q: q.to_bytes_be(),
        dp: number(key.dp())?,
        dq: number(key.dq())?,
        qi: number(coefficient.as_ref())?,
    })
}

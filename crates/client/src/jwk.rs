//! An RSA key as LINE's console and our asset hold it: a JSON Web Key. It makes keys
//! and reads and writes the format; `jwt` signs with them.

use line_connector_core::json_text::heard;
use rsa::RsaPrivateKey;
use rsa::rand_core::OsRng;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use serde_json::{Value, json};

use line_connector_core::encoding::{base64url, from_base64url};

/// LINE takes keys of exactly this size.
const BITS: usize = 2048;

/// The numbers of an RSA private key, big-endian.
#[derive(Clone)]
pub struct PrivateKey {
    /// The modulus.
    pub n: Vec<u8>,
    /// The public exponent.
    pub e: Vec<u8>,
    /// The private exponent.
    pub d: Vec<u8>,
    /// The first prime.
    pub p: Vec<u8>,
    /// The second prime.
    pub q: Vec<u8>,
    /// `d mod (p - 1)`.
    pub dp: Vec<u8>,
    /// `d mod (q - 1)`.
    pub dq: Vec<u8>,
    /// `q⁻¹ mod p`.
    pub qi: Vec<u8>,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PrivateKey")
    }
}

impl PrivateKey {
    /// Makes a new key pair. It takes about a second.
    ///
    /// # Errors
    ///
    /// A fragment for people where the system gives no random numbers.
    pub fn generate() -> Result<Self, String> {
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
        Ok(Self {
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

    /// Reads a private JWK.
    ///
    /// # Errors
    ///
    /// A fragment that names the member that is wrong, without its value.
    pub fn from_jwk(text: &str) -> Result<Self, String> {
        let jwk = heard(text.as_bytes()).ok_or("`private_key` must be a JWK: a JSON object")?;
        match jwk.get("kty").and_then(Value::as_str) {
            Some("RSA") => {}
            _ => return Err("`private_key` must be an RSA key (`\"kty\": \"RSA\"`)".to_owned()),
        }
        let number = |name: &str| {
            jwk.get(name)
                .and_then(Value::as_str)
                .and_then(from_base64url)
                .map(|bytes| bytes.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>())
                .filter(|bytes| !bytes.is_empty())
                .ok_or_else(|| {
                    format!("`private_key` lacks `{name}`, or it is not base64url; the whole private JWK is needed")
                })
        };
        Ok(Self {
            n: number("n")?,
            e: number("e")?,
            d: number("d")?,
            p: number("p")?,
            q: number("q")?,
            dp: number("dp")?,
            dq: number("dq")?,
            qi: number("qi")?,
        })
    }

    /// The private key as a JWK.
    #[must_use]
    pub fn private_jwk(&self) -> Value {
        let text = base64url;
        json!({
            "kty": "RSA", "alg": "RS256", "use": "sig",
            "n": text(&self.n), "e": text(&self.e), "d": text(&self.d),
            "p": text(&self.p), "q": text(&self.q),
            "dp": text(&self.dp), "dq": text(&self.dq), "qi": text(&self.qi),
        })
    }

    /// The public key as LINE's console takes it: without `kid`, which the console assigns.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        json!({
            "kty": "RSA", "alg": "RS256", "use": "sig",
            "n": base64url(&self.n), "e": base64url(&self.e),
        })
    }
}

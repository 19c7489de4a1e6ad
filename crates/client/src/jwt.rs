//! The signed assertion by which a channel proves itself without its secret: a JWT with RS256.
//! See `tokens` for what LINE issues for it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::json;

use crate::jwk::PrivateKey;
use line_connector_core::encoding::base64url;
use line_connector_http::Secret;

/// The audience that LINE asks for, trailing slash included.
const AUDIENCE: &str = "https://api.line.me/";
/// How long the assertion itself is good for; LINE takes 30 minutes at most.
const VALIDITY: Duration = Duration::from_mins(10);

/// Signs an assertion for a channel. `token_lifetime` is what the token v2.1 should live.
///
/// # Errors
///
/// A fragment for people where the key is not an RSA private key that fits itself.
pub(crate) fn sign(
    private_key: &Secret,
    kid: &str,
    client_id: &str,
    now: SystemTime,
    token_lifetime: Duration,
) -> Result<Secret, String> {
    let key = pair(&PrivateKey::from_jwk(private_key.expose())?)?;
    let expires = (now + VALIDITY)
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": kid});
    let claims = json!({
        "iss": client_id, "sub": client_id, "aud": AUDIENCE,
        "exp": expires, "token_exp": token_lifetime.as_secs(),
    });
    let encoded = |part: &serde_json::Value| base64url(part.to_string().as_bytes());
    let message = format!("{}.{}", encoded(&header), encoded(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message.as_bytes(),
        &mut signature,
    )
    .map_err(|_| "`private_key` cannot sign".to_owned())?;
    Ok(Secret::new(format!("{message}.{}", base64url(&signature))))
}

#[expect(non_snake_case, reason = "ring's own names")]
fn pair(key: &PrivateKey) -> Result<KeyPair, String> {
    let PrivateKey {
        n,
        e,
        d,
        p,
        q,
        dp: dP,
        dq: dQ,
        qi: qInv,
    } = key;
    let public_key = PublicKeyComponents { n, e };
    KeyPair::from_components(&KeyPairComponents {
        public_key,
        d,
        p,
        q,
        dP,
        dQ,
        qInv,
    })
    .map_err(|rejected| {
        format!("`private_key` is not a usable RSA key of at least 2048 bits: {rejected}")
    })
}

//! OAuth client assertions: registering a channel's public keys, and verifying JWTs that are signed
//! with the private halves. Tokens are issued elsewhere.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::calendar::unix_seconds;
use crate::crypto::{PublicKey, base64url};
use crate::http::Answer;
use crate::ids::new_uuid;
use crate::state::{Context, State};

pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const AUDIENCE: &str = "https://api.line.me/";

const MAX_EXPIRY_SECONDS: u64 = 30 * 60;

const MAX_TOKEN_SECONDS: u64 = 30 * 24 * 3600;

/// Parses a public JWK by the rules of LINE's console, or says what is wrong with it.
fn parse_public_key(jwk: &Value) -> Result<PublicKey, String> {
    let member = |name: &str| jwk.get(name).and_then(Value::as_str).unwrap_or_default();
    for private in ["d", "p", "q", "dp", "dq", "qi"] {
        if jwk.get(private).is_some() {
            return Err(format!(
                "`{private}` belongs to a private key; register the public one"
            ));
        }
    }
    if jwk.get("kid").is_some() {
        return Err("`kid` must not be given: it is the answer to the registration".to_owned());
    }
    if member("kty") != "RSA" || member("alg") != "RS256" {
        return Err("`kty` must be RSA and `alg` RS256".to_owned());
    }
    let operations = jwk.get("key_ops").and_then(Value::as_array);
    let verifies = operations.is_some_and(|all| all.iter().eq(["verify"]));
    if member("use") != "sig" && !verifies {
        return Err("either `use` is sig or `key_ops` is [\"verify\"]".to_owned());
    }
    let modulus = base64url(member("n")).unwrap_or_default();
    let exponent = base64url(member("e")).unwrap_or_default();
    if modulus.len() != 256 || exponent.is_empty() {
        return Err("`n` and `e` must be base64url, `n` of 2048 bits".to_owned());
    }
    Ok(PublicKey { modulus, exponent })
}

/// Registers a public JWK and returns its `kid`.
pub(crate) fn register(state: &mut State, jwk: &Value) -> Result<String, String> {
    let key = parse_public_key(jwk)?;
    let kid = new_uuid();
    state.public_keys.insert(kid.clone(), key);
    Ok(kid)
}

/// Verifies an assertion and returns its claims.
pub(crate) fn verify(ctx: &Context<'_>, assertion: &str) -> Result<Map<String, Value>, Answer> {
    let refuse = |description| Answer::oauth("invalid_client", description);
    let malformed = || refuse("Invalid client_assertion");
    let [header, payload, signature] =
        <[&str; 3]>::try_from(assertion.split('.').collect::<Vec<_>>()).map_err(|_| malformed())?;
    let header_members = decode_part(header).ok_or_else(malformed)?;
    let claims = decode_part(payload).ok_or_else(malformed)?;
    let text = |name: &str| header_members.get(name).and_then(Value::as_str);
    if text("alg") != Some("RS256") || text("typ") != Some("JWT") {
        return Err(malformed());
    }
    let key = text("kid")
        .and_then(|kid| ctx.state.public_keys.get(kid))
        .ok_or_else(|| {
            Answer::message(404, "Cannot find channel key that satisfies the conditions")
        })?;
    let signed = assertion.len() - signature.len() - 1;
    let bytes = base64url(signature).ok_or_else(malformed)?;
    if !key.verifies(&assertion.as_bytes()[..signed], &bytes) {
        return Err(refuse("Invalid signature"));
    }
    let claim = |name: &str| claims.get(name).and_then(Value::as_str);
    if claim("iss") != Some(&ctx.settings.channel_id) {
        return Err(refuse("iss and clientId of key do not match"));
    }
    if claim("sub") != claim("iss") {
        return Err(refuse("Invalid sub"));
    }
    if claim("aud") != Some(AUDIENCE) {
        return Err(refuse("Invalid aud"));
    }
    let now = unix_seconds(ctx.now);
    let expiry = claims.get("exp").and_then(Value::as_u64);
    if !expiry.is_some_and(|expiry| now < expiry && expiry <= now + MAX_EXPIRY_SECONDS) {
        return Err(refuse("Invalid exp"));
    }
    Ok(claims)
}

/// The lifetime that these claims request for a v2.1 token.
pub(crate) fn token_lifetime(claims: &Map<String, Value>) -> Result<Duration, Answer> {
    claims
        .get("token_exp")
        .and_then(Value::as_u64)
        .filter(|life| (1..=MAX_TOKEN_SECONDS).contains(life))
        .map(Duration::from_secs)
        .ok_or_else(|| Answer::oauth("invalid_client", "Invalid token_exp"))
}

fn decode_part(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&base64url(part)?).ok()
}

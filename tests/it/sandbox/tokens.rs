//! Channel access tokens over HTTP: every way to get one, to check one and to lose one, with the
//! documented refusals; and that no token, secret or assertion is ever recorded.

use std::sync::OnceLock;
use std::time::Duration;

use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::pkcs8::EncodePrivateKey;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};

use super::plain_client::Seen;
use super::{START_MILLIS, Scene};

const ID: (&str, &str) = ("client_id", "1234567890");
const SECRET: (&str, &str) = ("client_secret", "sandbox-channel-secret");
const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const NOW: u64 = START_MILLIS / 1000;

fn base64url(bytes: &[u8]) -> String {
    const SYMBOLS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut held = 0_u32;
        for index in 0..3 {
            held = (held << 8) | u32::from(three.get(index).copied().unwrap_or_default());
        }
        for index in 0..=three.len() {
            let symbol = held >> (18 - 6 * index) & 63;
            text.push(char::from(SYMBOLS[symbol as usize]));
        }
    }
    text
}

/// One key pair for all tests, with its public JWK: making it takes longer than all of them together.
pub(crate) fn key_pair() -> &'static (RsaKeyPair, Value) {
    static PAIR: OnceLock<(RsaKeyPair, Value)> = OnceLock::new();
    PAIR.get_or_init(|| {
        let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
        let jwk = json!({ "kty": "RSA", "alg": "RS256", "use": "sig",
            "n": base64url(&key.n().to_bytes_be()), "e": base64url(&key.e().to_bytes_be()) });
        let pair = RsaKeyPair::from_pkcs8(key.to_pkcs8_der().unwrap().as_bytes()).unwrap();
        (pair, jwk)
    })
}

pub(crate) fn sign(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(header), part(claims));
    let (pair, _) = key_pair();
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{signed}.{}", base64url(&signature))
}

fn claims() -> Value {
    json!({ "iss": "1234567890", "sub": "1234567890", "aud": "https://api.line.me/",
        "exp": NOW + 1800, "token_exp": 3600 })
}

fn header(kid: &str) -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": kid })
}

impl Scene {
    fn form(&self, target: &str, form: &[(&str, &str)]) -> Seen {
        self.client().form(target, form)
    }

    fn assert_with(&self, target: &str, assertion: &str) -> Seen {
        let kind = ("client_assertion_type", ASSERTION);
        self.form(target, &[GRANT, kind, ("client_assertion", assertion)])
    }

    fn register(&self) -> String {
        let seen = self.call("POST", "/sandbox/keys", Some(&key_pair().1));
        seen.json()["kid"].as_str().unwrap().to_owned()
    }

    /// The status of a bot call with this token.
    fn try_token(&self, token: &str) -> u16 {
        let bearer = format!("bearer {token}");
        let fields = [("Authorization", bearer.as_str())];
        self.client()
            .call("GET", "/v2/bot/info", &fields, None)
            .unwrap()
            .status
    }
}

fn token(seen: &Seen) -> String {
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert_eq!(seen.json()["token_type"], "Bearer");
    seen.json()["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn a_stateless_token_lives_fifteen_minutes() {
    let scene = Scene::new();
    let seen = scene.form("/oauth2/v3/token", &[GRANT, ID, SECRET]);
    assert_eq!(seen.json()["expires_in"], 900);
    let token = token(&seen);
    scene.pass(Duration::from_secs(899));
    assert_eq!(scene.try_token(&token), 200);
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.try_token(&token), 401);
}

#[test]
fn stateless_tokens_are_refused_as_documented() {
    let scene = Scene::new();
    let wrong = scene.form("/oauth2/v3/token", &[GRANT, ID, ("client_secret", "wrong")]);
    let expected = json!({ "error": "invalid_request",
        "error_description": "Invalid 'client_credentials'." });
    assert_eq!((wrong.status, wrong.json()), (400, expected));
    let both = [GRANT, ID, SECRET, ("client_assertion", "")];
    assert_eq!(scene.form("/oauth2/v3/token", &both).status, 400);
    assert_eq!(scene.form("/oauth2/v3/token", &[ID, SECRET]).status, 400);
}

#[test]
fn a_short_lived_token_lives_thirty_days_and_can_be_verified_and_revoked() {
    let scene = Scene::new();
    let seen = scene.form("/v2/oauth/accessToken", &[GRANT, ID, SECRET]);
    assert_eq!(seen.json()["expires_in"], 2_592_000);
    let token = token(&seen);
    scene.pass(Duration::from_secs(92_000));
    let field = ("access_token", token.as_str());
    let verified = scene.form("/v2/oauth/verify", &[field]).json();
    assert_eq!(verified["client_id"], "1234567890");
    assert_eq!(verified["expires_in"], 2_500_000);
    let revoked = scene.form("/v2/oauth/revoke", &[field]);
    assert_eq!((revoked.status, revoked.body.len()), (200, 0));
    assert_eq!(scene.try_token(&token), 401);
    let gone = scene.form("/v2/oauth/verify", &[field]);
    assert_eq!(gone.json()["error_description"], "access_token invalid");
    assert_eq!(
        scene.form("/v2/oauth/revoke", &[field]).status,
        200,
        "no error to revoke twice"
    );
}

#[test]
fn short_lived_tokens_are_refused_as_documented() {
    let scene = Scene::new();
    for (form, error, description) in [
        (
            vec![GRANT, ("client_id", "1"), SECRET],
            "invalid_client",
            "invalid client_id",
        ),
        (
            vec![GRANT, ID, ("client_secret", "x")],
            "invalid_client",
            "invalid client_secret",
        ),
        (
            vec![GRANT, ID],
            "invalid_request",
            "some parameters missed or invalid",
        ),
    ] {
        let seen = scene.form("/v2/oauth/accessToken", &form);
        let expected = json!({ "error": error, "error_description": description });
        assert_eq!((seen.status, seen.json()), (400, expected));
    }
    let malformed = scene.form("/v2/oauth/verify", &[("access_token", "")]);
    assert_eq!(
        malformed.json()["error_description"],
        "access_token in invalid format"
    );
    let malformed = scene.form("/v2/oauth/revoke", &[("access_token", "")]);
    assert_eq!(
        (malformed.status, malformed.json()),
        (400, json!({ "error": "invalid_request" }))
    );
}

#[test]
fn a_token_by_assertion_lives_as_long_as_asked_and_is_listed_by_its_key_id() {
    let scene = Scene::new();
    let assertion = sign(&header(&scene.register()), &claims());
    let seen = scene.assert_with("/oauth2/v2.1/token", &assertion);
    let (token, key_id) = (token(&seen), seen.json()["key_id"].clone());
    assert_eq!(seen.json()["expires_in"], 3600);
    assert_eq!(scene.try_token(&token), 200);
    let kids = format!(
        "/oauth2/v2.1/tokens/kid?client_assertion_type={ASSERTION}&client_assertion={assertion}"
    );
    assert_eq!(scene.get(&kids)["kids"], json!([key_id]));
    scene.pass(Duration::from_mins(10));
    let verify = format!("/oauth2/v2.1/verify?access_token={token}");
    assert_eq!(
        scene.get(&verify),
        json!({ "client_id": "1234567890", "expires_in": 3000 })
    );
    scene.pass(Duration::from_mins(50));
    let expired = scene.call("GET", &verify, None);
    assert_eq!((expired.status, scene.try_token(&token)), (400, 401));
    assert_eq!(
        expired.json()["error_description"],
        "The access token expired"
    );
    let stale = scene.call("GET", &kids, None);
    let expected = json!({ "error": "invalid_client", "error_description": "Invalid exp" });
    assert_eq!((stale.status, stale.json()), (400, expected));
}

#[test]
fn a_token_by_assertion_is_revoked_with_the_channel_secret() {
    let scene = Scene::new();
    let assertion = sign(&header(&scene.register()), &claims());
    let token = token(&scene.assert_with("/oauth2/v2.1/token", &assertion));
    let field = ("access_token", token.as_str());
    let wrong = [ID, ("client_secret", "x"), field];
    assert_eq!(scene.form("/oauth2/v2.1/revoke", &wrong).status, 400);
    assert_eq!(scene.try_token(&token), 200);
    let not_jws = scene.form(
        "/oauth2/v2.1/revoke",
        &[ID, SECRET, ("access_token", "abc")],
    );
    assert_eq!(
        not_jws.json()["error_description"],
        "The access token not JWS"
    );
    let revoked = scene.form("/oauth2/v2.1/revoke", &[ID, SECRET, field]);
    assert_eq!((revoked.status, revoked.body.len()), (200, 0));
    assert_eq!(scene.try_token(&token), 401);
}

#[test]
fn a_stateless_token_by_assertion_needs_no_lifetime() {
    let scene = Scene::new();
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove("token_exp");
    let assertion = sign(&header(&scene.register()), &claims);
    let seen = scene.assert_with("/oauth2/v3/token", &assertion);
    assert_eq!(
        (
            seen.json()["expires_in"].clone(),
            scene.try_token(&token(&seen))
        ),
        (json!(900), 200)
    );
    assert_eq!(
        scene.assert_with("/oauth2/v2.1/token", &assertion).status,
        400
    );
}

#[test]
fn the_thirty_first_token_by_assertion_is_refused() {
    let scene = Scene::new();
    let assertion = sign(&header(&scene.register()), &claims());
    for _ in 0..30 {
        assert_eq!(
            scene.assert_with("/oauth2/v2.1/token", &assertion).status,
            200
        );
    }
    let seen = scene.assert_with("/oauth2/v2.1/token", &assertion);
    let text = "The maximum number of access tokens has already been issued";
    assert_eq!(
        (seen.status, seen.json()),
        (400, json!({ "message": text }))
    );
}

#[test]
fn assertions_that_prove_nothing_are_refused() {
    let scene = Scene::new();
    let kid = scene.register();
    let refuse = |assertion: &str| {
        let seen = scene.assert_with("/oauth2/v2.1/token", assertion);
        (seen.status, seen.json())
    };
    let unknown = json!({ "message": "Cannot find channel key that satisfies the conditions" });
    assert_eq!(refuse(&sign(&header("nobody"), &claims())), (404, unknown));
    let client = |text: &str| {
        (
            400,
            json!({ "error": "invalid_client", "error_description": text }),
        )
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        refuse(&sign(&header(&kid), &claims))
    };
    assert_eq!(
        with("iss", json!("1")),
        client("iss and clientId of key do not match")
    );
    assert_eq!(with("sub", json!("1")), client("Invalid sub"));
    assert_eq!(
        with("aud", json!("https://api.line.me")),
        client("Invalid aud")
    );
    assert_eq!(with("exp", json!(NOW)), client("Invalid exp"));
    assert_eq!(with("exp", json!(NOW + 1801)), client("Invalid exp"));
    assert_eq!(
        with("token_exp", json!(2_592_001)),
        client("Invalid token_exp")
    );
    let unsigned = json!({ "alg": "none", "typ": "JWT", "kid": kid });
    assert_eq!(refuse(&sign(&unsigned, &claims())).0, 400);
    let genuine = sign(&header(&kid), &claims());
    let (front, signature) = genuine.rsplit_once('.').unwrap();
    let (head, _) = front.split_once('.').unwrap();
    let mut forged = claims();
    forged["token_exp"] = json!(7200);
    let payload = base64url(forged.to_string().as_bytes());
    assert_eq!(
        refuse(&format!("{head}.{payload}.{signature}")),
        client("Invalid signature")
    );
    for nonsense in ["", "a.b", "a.b.c", "a.b.c.d"] {
        assert_eq!(refuse(nonsense).0, 400, "{nonsense}");
    }
}

#[test]
fn only_public_keys_of_the_right_kind_are_registered() {
    let scene = Scene::new();
    let with = |name: &str, value: Value| {
        let mut jwk = key_pair().1.clone();
        jwk[name] = value;
        scene.call("POST", "/sandbox/keys", Some(&jwk)).status
    };
    assert_eq!(with("d", json!("AQAB")), 400);
    assert_eq!(with("kid", json!("mine")), 400);
    assert_eq!(with("kty", json!("EC")), 400);
    assert_eq!(with("n", json!("AQAB")), 400);
    assert_eq!(with("use", json!("enc")), 400);
    assert_eq!(with("ext", json!(true)), 200);
    let mut jwk = key_pair().1.clone();
    jwk.as_object_mut().unwrap().remove("use");
    assert!(scene.sandbox.register_key(&jwk).is_err());
    jwk["key_ops"] = json!(["verify"]);
    assert!(scene.sandbox.register_key(&jwk).is_ok());
}

#[test]
fn calls_without_a_good_token_are_refused() {
    let scene = Scene::new();
    let seen = scene.client().call(
        "GET",
        "/v2/bot/info",
        &[("Authorization", "Bearer x")],
        None,
    );
    let expected = "Authentication failed due to the following reason: invalid token. \
        Confirm that the access token in the authorization header is valid.";
    let seen = seen.unwrap();
    assert_eq!((seen.status, seen.message().as_str()), (401, expected));
    for fields in [vec![], vec![("Authorization", "Basic sandbox-token")]] {
        let seen = scene
            .client()
            .call("GET", "/v2/bot/info", &fields, None)
            .unwrap();
        assert_eq!(seen.status, 401);
        assert!(
            seen.message()
                .starts_with("Authentication failed due to the following reason: ")
        );
    }
}

#[test]
fn no_secret_is_ever_recorded() {
    let scene = Scene::new();
    let assertion = sign(&header(&scene.register()), &claims());
    let issued = token(&scene.assert_with("/oauth2/v2.1/token", &assertion));
    let older = token(&scene.form("/v2/oauth/accessToken", &[GRANT, ID, SECRET]));
    scene.try_token(&issued);
    scene.call(
        "GET",
        &format!("/oauth2/v2.1/verify?access_token={issued}"),
        None,
    );
    scene.form(
        "/oauth2/v2.1/revoke",
        &[ID, SECRET, ("access_token", &issued)],
    );
    scene.form("/v2/oauth/revoke", &[("access_token", &older)]);
    // Secrets in places where they do not belong.
    let stray = json!({ "access_token": older, "text": format!("my token is {}", super::TOKEN) });
    scene.call("POST", "/v2/bot/message/push", Some(&stray));
    scene.call(
        "GET",
        &format!("/v2/bot/{}?x={}", super::TOKEN, SECRET.1),
        None,
    );
    scene.call_with("GET", "/v2/bot/info", None, &[("X-Stray", super::TOKEN)]);
    let recorded = scene.get("/sandbox/requests").to_string() + &format!("{:?}", scene.sandbox);
    for secret in [&issued, &older, &assertion, super::TOKEN, SECRET.1] {
        assert!(!recorded.contains(secret), "{secret} is in {recorded}");
    }
    assert!(recorded.contains("sha256:"));
}

//! Tokens by each way to authenticate: issued once, shared, renewed before they expire and on a
//! 401, refused with LINE's own reason.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use line_connector_client::Catalog;
use line_connector_client::Clock as _;
use line_connector_client::jwk::PrivateKey;
use line_connector_core::asset::Operator;
use line_connector_core::call::exit_code;
use line_connector_core::error::Kind;
use line_connector_sandbox::Settings;
use serde_json::{Value, json};

use crate::network::server;
use crate::sandbox::tokens::{key_pair, sign};
use crate::world::{self, World, call, connector, push};

const V3: &str = "/oauth2/v3/token";
const V2: &str = "/v2/oauth/accessToken";
const V21: &str = "/oauth2/v2.1/token";

/// One key pair for all tests: making one takes long.
fn key() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate().unwrap())
}

fn assertion_asset(world: &World) -> Value {
    let kid = world.sandbox.register_key(&key().public_jwk()).unwrap();
    json!({
        "url": world.url(), "client_id": "1234567890",
        "kid": kid, "private_key": key().private_jwk(),
    })
}

#[test]
fn signed_assertions_serve_the_token_actions() {
    let world = World::new();
    let (catalog, connector) = (Catalog::embedded(), connector());
    let (_, public_key) = key_pair();
    let kid = world.sandbox.register_key(public_key).unwrap();
    let now = line_connector_client::SystemClock
        .now()
        .duration_since(SystemTime::UNIX_EPOCH);
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": kid});
    let claims = json!({
        "iss": "1234567890", "sub": "1234567890", "aud": "https://api.line.me/",
        "exp": now.unwrap().as_secs() + 600, "token_exp": 3600,
    });
    let proof = json!({
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": sign(&header, &claims),
    });
    let mut grant = proof.clone();
    grant["grant_type"] = json!("client_credentials");
    let succeed = |action: &str, inputs: Value| {
        let document = json!({"action": action, "asset": world.asset(), "inputs": inputs});
        let output = call(&connector, document);
        assert!(output.error.is_none(), "{action}: {}", output.render());
        world::fits(&catalog, action, &output);
        serde_json::from_str::<Value>(&output.render()).unwrap()["json_body"].take()
    };
    let kids = || {
        let action = "get_all_valid_channel_access_token_key_ids_v2_1";
        succeed(action, json!({"parameters": proof}))["kids"].take()
    };

    let grant = json!({"data_body": grant});
    let stateless = succeed("issue_stateless_channel_access_token", grant.clone());
    assert_eq!(stateless["expires_in"], 900);
    assert_eq!(kids(), json!([]), "a stateless token has no key ID");

    let issued = succeed("issue_channel_access_token_v2_1", grant);
    assert_eq!(issued["expires_in"], 3600);
    assert_eq!(kids(), json!([issued["key_id"]]));

    let token = &issued["access_token"];
    let action = "verify_the_validity_of_the_channel_access_token_v2_1";
    let verified = succeed(action, json!({"parameters": {"access_token": token}}));
    assert_eq!(verified["client_id"], "1234567890");

    let owner = json!({
        "client_id": "1234567890", "client_secret": "sandbox-channel-secret",
        "access_token": token,
    });
    let action = "revoke_channel_access_token_v2_1";
    succeed(action, json!({"data_body": owner}));
    assert_eq!(kids(), json!([]));
}

#[test]
fn one_token_serves_many_calls() {
    let world = World::new();
    let connector = connector();
    for _ in 0..5 {
        assert!(call(&connector, push(&world.asset())).error.is_none());
    }
    assert_eq!(world.count(V3), 1);
}

#[test]
fn fifty_concurrent_calls_issue_one_token() {
    let world = World::with(Settings {
        quota: None,
        ..Settings::default()
    });
    let connector = connector();
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| assert!(call(&connector, push(&world.asset())).error.is_none()));
        }
    });
    assert_eq!(world.count(V3), 1);
    assert_eq!(world.sandbox.delivered().len(), 50);
}

#[test]
fn the_token_request_is_the_client_credentials_form() {
    let world = World::new();
    assert!(call(&connector(), push(&world.asset())).error.is_none());
    let request = world
        .sandbox
        .requests()
        .into_iter()
        .find(|one| one.path == V3)
        .unwrap();
    let fields: Vec<&String> = request.body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["grant_type", "client_id", "client_secret"]);
    assert_eq!(request.body["grant_type"], "client_credentials");
}

#[test]
fn the_token_url_chooses_the_kind_of_token() {
    let world = World::new();
    let mut asset = world.asset();
    asset["token_url"] = json!(format!("{}{V2}", world.url()));
    assert!(call(&connector(), push(&asset)).error.is_none());
    assert_eq!((world.count(V2), world.count(V3)), (1, 0));

    let world = World::new();
    let mut asset = assertion_asset(&world);
    assert!(call(&connector(), push(&asset)).error.is_none());
    asset["token_url"] = json!(format!("{}{V3}", world.url()));
    let output = call(&connector(), push(&asset));
    assert!(output.error.is_none(), "{}", output.render());
    assert_eq!((world.count(V21), world.count(V3)), (1, 1));
    let request = world
        .sandbox
        .requests()
        .into_iter()
        .find(|one| one.path == V3)
        .unwrap();
    let fields: Vec<&String> = request.body.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        ["grant_type", "client_assertion_type", "client_assertion"]
    );
}

#[test]
fn the_private_key_may_be_json_text() {
    let world = World::new();
    let mut asset = assertion_asset(&world);
    asset["private_key"] = json!(key().private_jwk().to_string());
    assert!(call(&connector(), push(&asset)).error.is_none());
}

#[test]
fn a_public_key_fits_lines_console() {
    let public = key().public_jwk();
    let mut members: Vec<&String> = public.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(
        members,
        ["alg", "e", "kty", "n", "use"],
        "no `kid` and nothing private"
    );
}

#[test]
fn a_token_is_renewed_before_it_expires() {
    let elapsed = Arc::new(AtomicU64::new(0));
    let clock = |elapsed: &Arc<AtomicU64>| {
        let elapsed = Arc::clone(elapsed);
        let start = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
        move || start + Duration::from_secs(elapsed.load(Ordering::SeqCst))
    };
    let world = World::with(Settings {
        now: Arc::new(clock(&elapsed)),
        ..Settings::default()
    });
    let clock = world::TestClock {
        now: Box::new(clock(&elapsed)),
        ..world::TestClock::default()
    };
    let connector = world::builder().clock(clock).build();
    for (seconds, issued) in [(0, 1), (800, 1), (850, 2), (1600, 2), (1700, 3)] {
        elapsed.store(seconds, Ordering::SeqCst);
        let output = call(&connector, push(&world.asset()));
        assert!(output.error.is_none(), "{}", output.render());
        assert_eq!(world.count(V3), issued, "after {seconds} s");
    }
    let unauthorised = world
        .sandbox
        .requests()
        .iter()
        .any(|one| one.status == Some(401));
    assert!(!unauthorised, "no request went out with an expired token");
}

#[test]
fn a_refused_token_is_renewed_once() {
    let world = World::new();
    let connector = connector();
    world.fault(json!({"kind": "expire_token"}));
    let output = call(&connector, push(&world.asset()));
    assert!(output.error.is_none(), "{}", output.render());
    assert_eq!(world.count(V3), 2);
    assert_eq!(world.sandbox.delivered().len(), 1);

    world.fault(json!({"kind": "expire_token", "times": 5}));
    let output = call(&connector, push(&world.asset()));
    assert_eq!(output.error.unwrap().kind, Kind::Unauthorized);
    assert_eq!(world.count(V3), 3);
}

#[test]
fn a_long_lived_token_cannot_be_renewed() {
    let world = World::new();
    let asset = json!({"url": world.url(), "token": "revoked-long-ago"});
    let output = call(&connector(), push(&asset));
    assert_eq!(output.error.as_ref().unwrap().kind, Kind::Unauthorized);
    assert_eq!(output.meta.as_ref().unwrap().attempts, 1);
    assert_eq!(exit_code(&output) as i32, 1);
}

#[test]
fn a_wrong_secret_is_told_in_lines_words() {
    let world = World::new();
    let mut asset = world.asset();
    asset["client_secret"] = json!("not-the-channel-secret");
    let output = call(&connector(), push(&asset));
    let error = output.error.as_ref().unwrap();
    assert_eq!(error.kind, Kind::TokenRefused);
    assert!(
        error.message.contains("Invalid 'client_credentials'."),
        "{}",
        error.message
    );
    assert_eq!(exit_code(&output) as i32, 4);
}

#[test]
fn an_unknown_kid_is_told_in_lines_words() {
    let world = World::new();
    let mut asset = assertion_asset(&world);
    asset["kid"] = json!("00000000-0000-0000-0000-000000000000");
    let error = call(&connector(), push(&asset)).error.unwrap();
    assert_eq!(error.kind, Kind::TokenRefused);
    assert!(
        error.message.contains("Cannot find channel key"),
        "{}",
        error.message
    );
}

#[test]
fn a_broken_private_key_is_named_without_being_shown() {
    let world = World::new();
    for (member, value) in [("d", json!(null)), ("n", json!("!!")), ("kty", json!("EC"))] {
        let mut asset = assertion_asset(&world);
        asset["private_key"][member] = value;
        let output = call(&connector(), push(&asset));
        let error = output.error.as_ref().unwrap();
        assert_eq!(error.kind, Kind::TokenRefused);
        assert!(
            error.message.contains(member) || member == "kty",
            "{}",
            error.message
        );
    }
}

#[test]
fn credentials_of_the_document_come_before_those_of_the_environment() {
    let world = World::new();
    let environment = [("token".to_owned(), json!("of-another-channel"))];
    let connector = world::builder()
        .operator(Operator {
            environment: environment.into_iter().collect(),
            ..Operator::default()
        })
        .build();
    let output = call(&connector, push(&world.asset()));
    assert!(output.error.is_none(), "{}", output.render());
}

/// Channels have few tokens: LINE refuses more, or takes back older ones.
#[test]
fn documents_do_not_make_the_operators_token_be_forgotten() {
    let world = World::new();
    let asset = world.asset();
    let connector = world::builder()
        .operator(Operator {
            file: asset.as_object().unwrap().clone(),
            ..Operator::default()
        })
        .build();
    let operators = || {
        let output = call(&connector, push(&json!({})));
        assert!(output.error.is_none(), "{}", output.render());
    };
    operators();
    for number in 0..2_100 {
        let identity = json!({
            "client_id": number.to_string(), "client_secret": "secret",
            "token_url": "http://127.0.0.1:1/", "url": "http://127.0.0.1:1/",
        });
        let mut document = push(&identity);
        document["options"] = json!({"attempts": 1});
        let error = call(&connector, document).error.unwrap();
        assert_eq!(error.kind, Kind::TokenUnavailable);
    }
    operators();
    assert_eq!(world.count(V3), 1);
}

#[test]
fn a_token_of_more_than_8_kib_is_none() {
    let port = server(|mut stream| {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        let body =
            json!({"access_token": "t".repeat(9_000), "expires_in": 900, "token_type": "Bearer"});
        let body = body.to_string();
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
    });
    let url = format!("http://127.0.0.1:{port}");
    let asset = json!({"client_id": "1", "client_secret": "secret", "token_url": url, "url": url});
    let error = call(&connector(), push(&asset)).error.unwrap();
    assert_eq!(error.kind, Kind::TokenRefused);
    assert!(error.message.contains("8192 bytes"), "{}", error.message);
}

#[test]
fn what_is_missing_is_named_with_its_variable() {
    let output = call(&connector(), push(&json!({"client_id": "1234567890"})));
    let error = output.error.unwrap();
    assert_eq!(error.kind, Kind::NoCredentials);
    assert_eq!(error.details[0].path, "/asset/client_secret");
    assert_eq!(
        error.details[0].hint.as_deref(),
        Some("or set LINE_CLIENT_SECRET")
    );
}

#[test]
fn a_moved_url_moves_the_token_endpoint_along() {
    let world = World::new();
    let asset = json!({
        "url": world.url(), "client_id": "1234567890", "client_secret": "sandbox-channel-secret",
    });
    assert!(call(&connector(), push(&asset)).error.is_none());
}

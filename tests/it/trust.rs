//! Who may decide what: the operator speaks through the command line, files and the environment; a
//! document may come from anybody.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::LazyLock;

use line_connector_client::jwk::PrivateKey;
use serde_json::{Value, json};

use crate::world::{self, USER, World, call, connector, push, run};

/// One key for all tests: making it takes longer than all of them together.
static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate().unwrap());

/// Variables and their values.
type Environment<'a> = Vec<(&'a str, &'a str)>;

/// What a document may try to decide of the operator's credentials: where they go, whose account they
/// open, how they are used.
fn decisions(elsewhere: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("url", json!(elsewhere)),
        ("data_url", json!(elsewhere)),
        ("manager_url", json!(elsewhere)),
        ("http_proxy", json!(elsewhere)),
        ("verify_ssl", json!(false)),
        ("verify_ssl", json!("0")),
        ("ca_file", json!("/etc/ssl/certs/ca-certificates.crt")),
        ("bot_header", json!({"X-Example-Bot": USER})),
        ("token_url", json!(elsewhere)),
        ("client_id", json!("999")),
        ("client_id", json!(999)),
        ("kid", json!("another")),
        ("token_lifetime_seconds", json!(60)),
        ("rate_limits", json!({"*": "off"})),
    ]
}

fn document(asset: &Value) -> Vec<u8> {
    let messages = json!([{"type": "text", "text": "hi"}]);
    let inputs = json!({"to": USER, "messages": messages});
    json!({"asset": asset, "inputs": inputs})
        .to_string()
        .into_bytes()
}

#[test]
fn a_document_does_not_decide_where_and_for_whom_the_operators_credentials_are_used() {
    let line = World::new();
    let elsewhere = World::new();
    let url = line.url();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asset.json");
    let secret = line.asset()["client_secret"].as_str().unwrap().to_owned();
    let channel = line.asset()["client_id"].as_str().unwrap().to_owned();
    let kid = line.sandbox.register_key(&KEY.public_jwk()).unwrap();
    let key = KEY.private_jwk();
    let signed = json!({"client_id": channel, "kid": kid, "private_key": key, "url": url});
    let mut file_of_two = line.asset();
    file_of_two["token"] = json!("sandbox-token");
    let operators: [(Environment<'_>, Option<Value>); 6] = [
        (
            vec![
                ("LINE_CHANNEL_ACCESS_TOKEN", "sandbox-token"),
                ("LINE_API_URL", &url),
            ],
            None,
        ),
        (
            vec![
                ("LINE_CLIENT_ID", &channel),
                ("LINE_CLIENT_SECRET", &secret),
                ("LINE_API_URL", &url),
            ],
            None,
        ),
        (vec![], Some(line.asset())),
        (
            vec![("LINE_API_URL", &url)],
            Some(json!({"token": "sandbox-token"})),
        ),
        (vec![], Some(file_of_two)),
        (vec![], Some(signed)),
    ];
    for (environment, asset) in operators {
        let path: Option<&PathBuf> = asset.as_ref().map(|asset| {
            std::fs::write(&file, asset.to_string()).unwrap();
            &file
        });
        let mut arguments = vec!["run", "send_push_message"];
        arguments.extend(
            path.iter()
                .flat_map(|path| ["--asset", path.to_str().unwrap()]),
        );
        let ended = run(&arguments, &document(&json!({})), &environment);
        assert_eq!(ended.code, 0, "{}", ended.stdout);
        for (name, value) in decisions(&elsewhere.url()) {
            let ended = run(&arguments, &document(&json!({name: value})), &environment);
            assert_eq!(ended.code, 2, "{name}: {}", ended.stdout);
            let error = &ended.document()["error"];
            assert_eq!(error["kind"], "invalid_asset");
            assert_eq!(error["details"][0]["path"], format!("/asset/{name}"));
        }
    }
    assert!(elsewhere.sandbox.requests().is_empty());
    assert_eq!(line.sandbox.delivered().len(), 6);
}

#[test]
fn a_document_that_brings_its_credentials_says_where_they_go() {
    let world = World::new();
    let environment = [
        ("LINE_CHANNEL_ACCESS_TOKEN", "the-operators"),
        ("LINE_API_URL", "http://127.0.0.1:9"),
    ];
    for asset in [world.asset(), world.bearer()] {
        let ended = run(
            &["run", "send_push_message"],
            &document(&asset),
            &environment,
        );
        assert_eq!(ended.code, 0, "{}", ended.stdout);
    }
    let requests = world.sandbox.requests();
    assert!(
        requests
            .iter()
            .all(|request| !format!("{request:?}").contains("the-operators"))
    );
}

#[test]
fn a_fixed_asset_takes_none_of_a_documents() {
    let world = World::new();
    let url = world.url();
    let environment = [
        ("LINE_CHANNEL_ACCESS_TOKEN", "sandbox-token"),
        ("LINE_API_URL", url.as_str()),
    ];
    let arguments = ["run", "send_push_message", "--fixed-asset"];
    for asset in [
        json!({"token": "t"}),
        json!({"client_id": "1"}),
        json!({"rate_limits": {}}),
    ] {
        let ended = run(&arguments, &document(&asset), &environment);
        assert_eq!(ended.code, 2, "{}", ended.stdout);
        assert_eq!(ended.document()["error"]["details"][0]["path"], "/asset");
    }
    for asset in [json!({}), Value::Null] {
        assert_eq!(run(&arguments, &document(&asset), &environment).code, 0);
    }
    let mut line = document(&json!({"token": "t"}));
    line.push(b'\n');
    let ended = run(
        &["serve", "send_push_message", "--fixed-asset"],
        &line,
        &environment,
    );
    assert!(ended.stdout.contains("is fixed by"), "{}", ended.stdout);
}

/// One call at a time, and the first would wait for an hour.
#[test]
fn a_call_takes_no_longer_than_the_operator_lets_it() {
    let world = World::new();
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let line = |asset: Value, options: Value| {
        let mut document = push(&asset);
        document["options"] = options;
        format!("{document}\n")
    };
    let lines = [
        line(
            json!({"token": "t", "url": silent}),
            json!({"timeout_ms": 3_600_000, "attempts": 1}),
        ),
        line(world.bearer(), json!({})),
        line(world.bearer(), json!({"deadline_ms": 1_000})),
        line(world.bearer(), json!({"deadline_ms": 1_001})),
    ];
    let served = [
        "serve",
        "--ordered",
        "--concurrency",
        "1",
        "--max-deadline-ms",
        "1000",
    ];
    let ended = run(&served, lines.concat().as_bytes(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let outputs = ended.stdout.lines();
    let outputs: Vec<Value> = outputs
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(outputs.len(), 4, "{}", ended.stdout);
    assert_eq!(outputs[0]["error"]["kind"], "timeout", "{}", outputs[0]);
    assert_eq!(outputs[1]["status_code"], 200, "{}", outputs[1]);
    assert_eq!(outputs[2]["status_code"], 200, "{}", outputs[2]);
    assert_eq!(outputs[3]["error"]["kind"], "invalid_document");
    let detail = &outputs[3]["error"]["details"][0];
    assert_eq!(detail["path"], "/options/deadline_ms");
    assert_eq!(detail["expected"], "at most 1000");
}

#[test]
fn what_lets_others_read_along_is_warned_about() {
    let warnings = |asset: Value| -> Vec<String> {
        let output =
            connector().plan(line_connector_client::Invocation::from_value(push(&asset)).unwrap());
        let warnings = output.meta.unwrap().warnings;
        warnings.into_iter().map(|warning| warning.path).collect()
    };
    let none: [&str; 0] = [];
    assert_eq!(warnings(json!({"token": "t"})), none);
    assert_eq!(
        warnings(json!({"token": "t", "verify_ssl": false})),
        ["/asset/verify_ssl"]
    );
    for url in [
        "http://gateway.example",
        "http://10.0.0.7:8080/line",
        "http://[2001:db8::1]",
    ] {
        assert_eq!(
            warnings(json!({"token": "t", "url": url})),
            ["/asset/url"],
            "{url}"
        );
    }
    for url in [
        "http://127.0.0.1:1",
        "http://localhost:1",
        "http://[::1]:1",
        "https://gateway.example",
    ] {
        assert_eq!(warnings(json!({"token": "t", "url": url})), none, "{url}");
    }
}

#[test]
fn a_url_with_a_user_is_refused_and_a_key_in_its_query_is_hidden() {
    for name in ["url", "data_url", "manager_url", "token_url"] {
        let asset = json!({"client_id": "1", "client_secret": "s3cr3t-s3cr3t", name: "https://user:pa55word@gateway.example"});
        let output = call(&connector(), push(&asset));
        let shown = output.render();
        let error = output.error.unwrap();
        assert_eq!(error.details[0].path, format!("/asset/{name}"));
        assert!(!shown.contains("pa55word"), "{shown}");
    }
    let asset = json!({"token": "t", "url": "https://gateway.example/line?key=k3y-of-the-gateway"});
    let ended = run(
        &["run", "send_push_message", "--dry-run"],
        &document(&asset),
        &[],
    );
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert!(
        !ended.stdout.contains("k3y-of-the-gateway"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_credential_that_was_pasted_with_something_around_it_is_the_assets_fault() {
    let world = World::new();
    let good = "0123456789abcdef0123456789abcdef";
    for (pasted, says) in [
        (format!("{good}\n"), "a line end at its end"),
        (format!("{good}\r\n"), "a line end at its end"),
        (format!(" {good}"), "a blank at position 1"),
        (format!("{good} "), "a blank at its end"),
        (format!("{good}\t"), "a blank at its end"),
        (good.replacen('8', " ", 1), "a blank at position 9"),
        (format!("{good}\u{200b}"), "U+200B"),
        (format!("\u{feff}{good}"), "U+FEFF"),
        (format!("{good}\u{a0}"), "U+00A0"),
        (format!("“{good}”"), "U+201C"),
        (format!("\"{good}\""), "quotation marks"),
        (format!("'{good}'"), "quotation marks"),
        (good.replacen('a', "\u{430}", 1), "U+0430"),
        (format!("{good}\u{0}"), "U+0000"),
        (format!("{good}\u{7f}"), "U+007F"),
    ] {
        for (name, mut asset) in [
            ("token", json!({})),
            ("client_secret", json!({"client_id": "1"})),
            ("client_id", json!({"client_secret": good})),
        ] {
            asset["url"] = json!(world.url());
            asset[name] = json!(pasted);
            let output = call(&connector(), push(&asset));
            let shown = output.render();
            let error = output.error.unwrap();
            assert_eq!(error.details[0].path, format!("/asset/{name}"), "{shown}");
            assert!(error.details[0].message.contains(says), "{says}: {shown}");
            assert!(!shown.contains(good), "{shown}");
            assert_eq!(output.meta.unwrap().attempts, 0);
            assert_eq!(error.outcome, line_connector_core::error::Outcome::NotDone);
        }
    }
    for pasted in ["Bearer abcdef", "bearer abcdef", "BEARER abcdef"] {
        let output = call(
            &connector(),
            push(&json!({"url": world.url(), "token": pasted})),
        );
        let message = &output.error.unwrap().details[0].message;
        assert!(message.contains("the word Bearer"), "{message}");
    }
    let url = world.url();
    let environment = [
        ("LINE_CHANNEL_ACCESS_TOKEN", "sandbox-token\n"),
        ("LINE_API_URL", &url),
    ];
    let ended = run(
        &["run", "send_push_message"],
        &document(&json!({})),
        &environment,
    );
    assert_eq!(ended.code, 2, "{}", ended.stdout);
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn a_private_key_that_is_none_is_the_assets_fault() {
    let key = &*KEY;
    let mut half = key.private_jwk();
    half.as_object_mut().unwrap().remove("qi");
    for (given, says) in [
        (key.public_jwk(), "a public key"),
        (json!(key.public_jwk().to_string()), "a public key"),
        (
            json!({"private_key": key.private_jwk(), "public_key": key.public_jwk()}),
            "whole output of `keygen`",
        ),
        (json!("-----BEGIN RSA PRIVATE KEY-----\nMIIE"), "PEM"),
        (json!("  -----BEGIN PRIVATE KEY-----\nMIIE"), "PEM"),
        (json!("/home/me/private-key.jwk.json"), "not JSON"),
        (json!({}), "no whole JWK"),
        (half, "no whole JWK"),
        (json!({"kty": "EC", "d": "x"}), "no whole JWK"),
    ] {
        let asset = json!({"client_id": "1", "kid": "k", "private_key": given, "url": "http://127.0.0.1:9"});
        let error = call(&connector(), push(&asset)).error.unwrap();
        assert_eq!(error.kind, line_connector_core::error::Kind::InvalidAsset);
        assert_eq!(error.details[0].path, "/asset/private_key");
        assert!(
            error.details[0].message.contains(says),
            "{says}: {}",
            error.details[0].message
        );
    }
}

#[test]
fn a_token_endpoint_that_gives_no_token_is_told() {
    for token in ["", " ", "a b", "a\r\nX: y", "\u{200b}"] {
        for asset in [world::World::asset, |world: &World| {
            let jwk = line_connector_client::jwk::PrivateKey::generate()
                .unwrap()
                .private_jwk();
            json!({"url": world.url(), "client_id": "1", "kid": "k", "private_key": jwk})
        }] {
            let world = World::new();
            let issued = json!({"access_token": token, "expires_in": 900, "token_type": "Bearer"});
            world.fault(json!({"kind": "status", "code": 200, "body": issued, "path": "/oauth2"}));
            let output = call(&connector(), push(&asset(&world)));
            let error = output.error.unwrap();
            assert_eq!(
                error.kind,
                line_connector_core::error::Kind::TokenRefused,
                "{token:?}"
            );
            assert_eq!(world.count("/v2/bot/message/push"), 0);
        }
    }
}

#[test]
fn an_idempotency_key_is_kept_or_refused() {
    let world = World::new();
    let made = |action: &str, inputs: Value| {
        let document = json!({
            "action": action, "asset": world.asset(), "inputs": inputs,
            "options": {"idempotency_key": "order-1"},
        });
        call(&connector(), document)
    };
    let messages = json!([{"type": "text", "text": "hi"}]);
    let push = made(
        "send_push_message",
        json!({"to": USER, "messages": messages}),
    );
    assert_eq!(json!(push.meta.unwrap().idempotency), "kept_by_line");
    let info = made("get_bot_info", json!({}));
    assert_eq!(json!(info.meta.unwrap().idempotency), "not_needed");
    let mut refused = 0;
    let catalog = line_connector_client::Catalog::embedded();
    for entry in catalog.entries() {
        let action = catalog.action(&entry.name).unwrap();
        if json!(action.meta.retry) == "never" {
            let output = made(&entry.name, json!({}));
            let error = output.error.unwrap();
            assert_eq!(
                error.details[0].path, "/options/idempotency_key",
                "{}",
                entry.name
            );
            refused += 1;
        }
    }
    assert!(refused > 10);
}

#[test]
fn a_key_means_the_same_whatever_token_comes_with_it() {
    let world = World::new();
    let asset = world.asset();
    let issued = call(
        &connector(),
        json!({
            "action": "issue_short_lived_channel_access_token",
            "asset": {"url": world.url()},
            "inputs": {"grant_type": "client_credentials", "client_id": asset["client_id"], "client_secret": asset["client_secret"]},
        }),
    );
    let other = issued.json().unwrap()["access_token"].clone();
    let mut keys = Vec::new();
    for asset in [
        world.bearer(),
        json!({"url": world.url(), "token": other}),
        asset,
    ] {
        let mut document = push(&asset);
        document["options"] = json!({"idempotency_key": "order-1"});
        let output = call(&connector(), document);
        assert!(output.error.is_none(), "{}", output.render());
        let meta = output.meta.unwrap();
        keys.push(meta.retry_key.unwrap());
        if keys.len() > 1 {
            assert_eq!(meta.already_accepted, Some(true));
            let warned = meta
                .warnings
                .iter()
                .any(|warning| warning.message.contains("accepted this retry key before"));
            assert!(warned);
        }
    }
    assert_eq!(keys, [keys[0].as_str(); 3]);
    assert_eq!(world.sandbox.delivered().len(), 1);
}

#[test]
fn the_operators_channel_id_says_nothing_of_a_documents_token() {
    let world = World::new();
    let mut document = push(&world.bearer());
    document["options"] = json!({"idempotency_key": "order-1"});
    let keys = [&[("LINE_CLIENT_ID", "999")][..], &[]].map(|environment| {
        let document = document.to_string().into_bytes();
        let ended = run(&["run", "send_push_message"], &document, environment);
        assert_eq!(ended.code, 0, "{}", ended.stdout);
        ended.document()["meta"]["retry_key"].clone()
    });
    assert!(keys[0].is_string());
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn a_channel_that_cannot_be_learnt_is_warned_about() {
    let world = World::new();
    world.fault(json!({"kind": "status", "code": 404, "path": "/v2/oauth/verify", "times": 9}));
    let mut document = push(&world.bearer());
    document["options"] = json!({"idempotency_key": "order-1"});
    let output = call(&connector(), document);
    assert!(output.error.is_none());
    assert_eq!(
        output.meta.unwrap().warnings[0].path,
        "/options/idempotency_key"
    );
}

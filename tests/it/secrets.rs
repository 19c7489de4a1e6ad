//! No secret is shown: whatever is planted in asset, inputs or environment appears neither on
//! standard output nor on standard error, on any path through the binary, nor in `Debug`.

use line_connector_client::jwk::PrivateKey;
use line_connector_core::documents::Invocation;
use serde_json::{Value, json};

use crate::world::{self, USER, World, run};

/// What is planted, in a form that needs escaping in JSON and in URLs.
const PLANTED: &str = "pl4nted/s3cret+\"v\\alue\"=";

fn look(what: &str, ended: &world::Ended, secret: &str) {
    let escaped = Value::from(secret).to_string();
    for (name, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
        assert!(!text.contains(secret), "{what}: {name} shows it: {text}");
        assert!(
            !text.contains(escaped.trim_matches('"')),
            "{what}: {name} shows it: {text}"
        );
    }
    assert!(
        [0, 1, 2, 3, 4, 5].contains(&ended.code),
        "{what}: exit code {}",
        ended.code
    );
}

/// Assets with the secret in every parameter, right and wrong.
fn assets(url: &str) -> Vec<Value> {
    vec![
        json!({"url": url, "token": PLANTED}),
        json!({"url": url, "client_id": "1234567890", "client_secret": PLANTED}),
        json!({"url": url, "client_id": "1", "kid": "k", "private_key": PLANTED}),
        json!({"url": url, "client_id": "1", "kid": "k", "private_key": {"kty": "RSA", "d": PLANTED}}),
        json!({"url": url, "token": [PLANTED]}),
        json!({"url": url, "client_id": "1", "client_secret": {"value": PLANTED}}),
        json!({"url": url, "client_id": "1", "client_secert": PLANTED}),
        json!({"url": url, "token": "sandbox-token", "http_proxy": PLANTED}),
        json!({"url": url, "token": "sandbox-token", "http_proxy": format!("http://user:{PLANTED}@127.0.0.1:1")}),
        json!({"url": PLANTED, "token": PLANTED}),
        json!(PLANTED),
        json!([PLANTED]),
    ]
}

#[test]
fn a_secret_of_the_asset_is_never_shown() {
    let world = World::new();
    let commands: [&[&str]; 4] = [
        &["run", "send_push_message"],
        &["run", "send_push_message", "--dry-run"],
        &["run", "send_push_message", "--sandbox"],
        &["serve"],
    ];
    for asset in assets(&world.url()) {
        for arguments in commands {
            let mut document = world::push(&asset);
            document["options"] = json!({"attempts": 1});
            let ended = run(arguments, document.to_string().as_bytes(), &[]);
            look(&format!("{arguments:?} {asset}"), &ended, PLANTED);
        }
    }
}

#[test]
fn a_secret_that_the_server_repeats_is_not_passed_on() {
    for body in [
        json!(format!("<html>your token {PLANTED} is bad</html>")),
        json!({"message": format!("invalid token {PLANTED}"), "details": [{"message": PLANTED, "property": PLANTED}]}),
        json!({"error": "invalid_client", "error_description": PLANTED}),
    ] {
        for asset_of in [
            |url: &str| json!({"url": url, "token": PLANTED}),
            |url: &str| json!({"url": url, "client_id": "1", "client_secret": PLANTED}),
        ] {
            let world = World::new();
            let mut escaped = body.clone();
            if let Some(text) = body.as_str() {
                escaped = Value::from(text);
            }
            world.fault(json!({"kind": "status", "code": 400, "body": escaped, "times": 9}));
            let document = world::push(&asset_of(&world.url()));
            let ended = run(&["run"], document.to_string().as_bytes(), &[]);
            look(&format!("{body}"), &ended, PLANTED);
            assert_ne!(ended.code, 0);
        }
    }
}

#[test]
fn an_issued_token_is_never_shown() {
    let world = World::new();
    let token = "1ssued-t0ken-of-the-sandbox";
    let issued = json!({"access_token": token, "expires_in": 900, "token_type": "Bearer"});
    world.fault(json!({"kind": "status", "code": 200, "body": issued, "path": "/oauth2"}));
    let echo = json!({"message": format!("no such token: {token}")});
    world.fault(json!({"kind": "status", "code": 400, "body": echo}));
    let ended = run(
        &["run"],
        world::push(&world.asset()).to_string().as_bytes(),
        &[],
    );
    look("an issued token", &ended, token);
    assert_eq!(ended.code, 1, "{}", ended.stdout);
}

#[test]
fn a_secret_of_the_inputs_is_never_shown() {
    let world = World::new();
    let text = json!([{"type": "text", "text": "hi"}]);
    let long = "x".repeat(5001);
    for inputs in [
        json!({"replyToken": PLANTED, "messages": text}),
        json!({"replyToken": PLANTED, "messages": [{"type": "text", "text": long}]}),
        json!({"json_body": {"replyToken": PLANTED, "messages": text}}),
        json!({"replyToken": [PLANTED], "messages": text}),
        json!({"client_secret": PLANTED, "messages": text}),
        json!({"json_body": {"replyTokn": PLANTED, "messages": text}}),
        json!({"headers": {"Authorization": format!("Bearer {PLANTED}")}, "messages": text}),
    ] {
        for extra in [&[][..], &["--dry-run"][..], &["--sandbox"][..]] {
            let mut arguments = vec!["run", "send_reply_message"];
            arguments.extend(extra);
            let document = json!({"asset": world.bearer(), "inputs": inputs});
            let ended = run(&arguments, document.to_string().as_bytes(), &[]);
            look(&format!("{extra:?} {inputs}"), &ended, PLANTED);
        }
    }
}

#[test]
fn a_secret_of_the_environment_is_never_shown() {
    let world = World::new();
    let url = world.url();
    let document = json!({"inputs": {"to": USER, "messages": [{"type": "text", "text": "hi"}]}});
    let environments: [&[(&str, &str)]; 4] = [
        &[("LINE_CHANNEL_ACCESS_TOKEN", PLANTED)],
        &[("LINE_CLIENT_ID", "1"), ("LINE_CLIENT_SECRET", PLANTED)],
        &[
            ("LINE_CLIENT_ID", "1"),
            ("LINE_ASSERTION_KID", "k"),
            ("LINE_ASSERTION_PRIVATE_KEY", PLANTED),
        ],
        &[
            ("LINE_CHANNEL_ACCESS_TOKEN", "t"),
            ("LINE_HTTP_PROXY", PLANTED),
        ],
    ];
    for variables in environments {
        let mut variables = variables.to_vec();
        variables.push(("LINE_API_URL", &url));
        for arguments in [
            &["run", "send_push_message"][..],
            &["check"],
            &["describe"],
            &["list"],
        ] {
            let ended = run(arguments, document.to_string().as_bytes(), &variables);
            look(&format!("{arguments:?} {variables:?}"), &ended, PLANTED);
        }
    }
}

#[test]
fn a_private_key_shows_no_part_of_itself() {
    let world = World::new();
    let jwk = PrivateKey::generate().unwrap().private_jwk();
    let asset =
        json!({"url": world.url(), "client_id": "1234567890", "kid": "k", "private_key": jwk});
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        let secret = jwk[member].as_str().unwrap();
        world.fault(
            json!({"kind": "status", "code": 400, "body": {"message": format!("bad: {secret}")}}),
        );
        let ended = run(&["run"], world::push(&asset).to_string().as_bytes(), &[]);
        look(member, &ended, secret);
    }
}

#[test]
fn debug_shows_no_secret() {
    let world = World::new();
    for asset in assets(&world.url()).into_iter().filter(Value::is_object) {
        let invocation = Invocation::from_value(world::push(&asset)).unwrap();
        let shown = format!("{invocation:?}");
        assert!(!shown.contains("pl4nted"), "{shown}");
        let connector = world::connector();
        let output = connector.call(invocation);
        for shown in [format!("{connector:?}"), format!("{output:?}")] {
            assert!(!shown.contains("pl4nted"), "{shown}");
        }
    }
}

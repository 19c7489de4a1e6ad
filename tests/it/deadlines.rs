//! The end of a call's time, `options.deadline_ms`: no wait of any kind goes beyond it, and the
//! output says what is known by then. Every wait here would take a minute or more without it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use line_connector_client::{Connector, SystemFiles, WebMedia};
use line_connector_core::documents::Output;
use line_connector_core::error::{Kind, Outcome};
use serde_json::{Value, json};

use crate::world::{self, World, call, push};

const PUSH: &str = "/v2/bot/message/push";
const FOLLOWERS: &str = "get_a_list_of_users_who_added_your_line_official_account_as_a_friend";

/// A connector whose pauses take their time.
fn connector() -> Connector {
    Connector::builder().build()
}

fn with(mut document: Value, options: Value) -> Value {
    document["options"] = options;
    document
}

fn assert_failed(output: &Output, kind: Kind, outcome: Outcome) {
    let error = output.error.as_ref().expect("an error");
    assert_eq!(
        (error.kind, error.outcome),
        (kind, outcome),
        "{}",
        output.render()
    );
}

#[test]
fn an_attempt_ends_with_the_call_in_run_and_in_serve() {
    let world = World::new();
    world.fault(json!({"kind": "stall", "ms": 120_000, "path": PUSH, "times": 2}));
    let options = json!({"timeout_ms": 3_600_000, "deadline_ms": 300});
    let document = with(push(&world.bearer()), options).to_string();
    for command in ["run", "serve"] {
        let ended = world::run(&[command], document.as_bytes(), &[]);
        let output = ended.document();
        assert_eq!(output["error"]["kind"], "timeout", "{}", ended.stdout);
        assert_eq!(output["error"]["outcome"], "unknown");
        assert_eq!(output["meta"]["attempts"], 1);
    }
}

#[test]
fn no_attempt_begins_after_the_end() {
    let world = World::new();
    let fault = json!({"kind": "status", "code": 503, "path": PUSH, "times": 99, "headers": {"Retry-After": "60"}});
    world.fault(fault);
    let options = json!({"attempts": 10, "deadline_ms": 2_000});
    let output = call(&connector(), with(push(&world.bearer()), options));
    assert_failed(&output, Kind::Unavailable, Outcome::Unknown);
    assert_eq!((output.status_code, world.count(PUSH)), (Some(503), 1));
}

#[test]
fn a_pause_between_attempts_ends_when_the_process_is_to_end() {
    let world = World::new();
    world.fault(
        json!({"kind": "status", "code": 503, "path": PUSH, "headers": {"Retry-After": "60"}}),
    );
    let connector = connector();
    let output = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| call(&connector, push(&world.bearer())));
        while world.count(PUSH) == 0 {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        connector.stop();
        waiting.join().unwrap()
    });
    assert_failed(&output, Kind::Unavailable, Outcome::Unknown);
    assert_eq!(world.count(PUSH), 1);
}

#[test]
fn a_turn_that_comes_later_is_not_waited_for() {
    let world = World::new();
    let mut asset = world.bearer();
    asset["rate_limits"] = json!({"*": "2/h"});
    let connector = connector();
    let document = with(push(&asset), json!({"deadline_ms": 500}));
    for _ in 0..2 {
        assert!(call(&connector, document.clone()).error.is_none());
    }
    let output = call(&connector, document);
    assert_failed(&output, Kind::RateBudget, Outcome::NotDone);
    assert!(
        output.render().contains("deadline_ms"),
        "{}",
        output.render()
    );
    assert_eq!(world.count(PUSH), 2);
    // Of pages and whatever else a call takes, too.
    let listing = json!({
        "action": FOLLOWERS, "asset": asset, "inputs": {"parameters": {"limit": 1}},
        "options": {"all_pages": true, "deadline_ms": 500},
    });
    assert_failed(
        &call(&connector, listing),
        Kind::RateBudget,
        Outcome::NotDone,
    );
}

#[test]
fn a_token_is_not_waited_for_whoever_asks_for_it() {
    let world = World::new();
    let asset = world.asset();
    let token = "/oauth2/";
    world.fault(json!({"kind": "stall", "ms": 3_000, "path": token, "times": 99}));
    let connector = connector();
    let document = |options: Value| with(push(&asset), options);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            let options = json!({"timeout_ms": 2_000, "attempts": 1});
            call(&connector, document(options))
        });
        while world.sandbox.requests().is_empty() {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let second = call(&connector, document(json!({"deadline_ms": 100})));
        assert!(!first.is_finished(), "it waited for the other call");
        assert_failed(&second, Kind::TokenUnavailable, Outcome::NotDone);
        let text = second.render();
        assert!(text.contains("time of this call was up"), "{text}");
        assert_failed(
            &first.join().unwrap(),
            Kind::TokenUnavailable,
            Outcome::NotDone,
        );
    });
    let output = call(&connector, document(json!({"deadline_ms": 300})));
    assert_failed(&output, Kind::TokenUnavailable, Outcome::NotDone);
    assert_eq!(world.count(PUSH), 0);
}

#[test]
fn work_that_goes_on_is_pending_at_the_end() {
    let world = World::new();
    let document = json!({
        "action": "send_narrowcast_message", "asset": world.bearer(),
        "inputs": {"messages": [{"type": "text", "text": "hi"}]},
        "options": {"wait_ms": 600_000, "deadline_ms": 400},
    });
    let output = call(&connector(), document);
    assert!(output.error.is_none(), "{}", output.render());
    assert_eq!(output.meta.unwrap().pending, Some(true));
    assert_eq!(world.sandbox.delivered().len(), 1);
}

#[test]
fn a_download_ends_with_the_call_however_it_comes() {
    for trickles in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1000000\r\n\r\n";
            let _ = stream.write_all(head.as_bytes());
            if trickles {
                while stream.write_all(b"x").is_ok() {
                    std::thread::park_timeout(Duration::from_millis(20));
                }
            } else {
                let _ = stream.read(&mut [0; 1]);
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let files = SystemFiles::default().saving_into(folder.path());
        let connector = Connector::builder().files(files).build();
        let document = json!({
            "action": "get_content",
            "asset": {"url": format!("http://127.0.0.1:{port}"), "token": "sandbox-token"},
            "inputs": {"messageId": "354718705033693862"},
            "options": {
                "save_to": folder.path().join("image.png"), "attempts": 1,
                "timeout_ms": 120_000, "deadline_ms": 300,
            },
        });
        let output = call(&connector, document);
        assert_eq!(
            output.error.as_ref().map(|error| error.kind),
            Some(Kind::Timeout),
            "{}",
            output.render()
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        server.join().unwrap();
    }
}

#[test]
fn the_requests_of_one_call_share_its_time() {
    let world = World::new();
    world.fault(json!({"kind": "delay", "ms": 2_000, "path": PUSH, "times": 99}));
    let mut document = push(&world.bearer());
    let texts: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    document["inputs"]["messages"] = json!(texts);
    let output = call(&connector(), with(document, json!({"deadline_ms": 5_000})));
    assert_failed(&output, Kind::Timeout, Outcome::Partial);
    let meta = output.meta.as_ref().unwrap();
    assert!((1..4).contains(&meta.requests.len()), "{}", output.render());
}

#[test]
fn media_are_not_waited_for_beyond_the_end() {
    let world = World::new();
    // It takes connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connector = Connector::builder()
        .media(WebMedia::default().at_any_address())
        .build();
    let url = format!("https://localhost:{port}/picture.png");
    let mut document = push(&world.bearer());
    document["inputs"]["messages"] = json!([{"media_message": {"url": url}}]);
    for check in ["fail", "warn"] {
        let options = json!({"media_check": check, "timeout_ms": 3_600_000, "deadline_ms": 500});
        let output = call(&connector, with(document.clone(), options));
        let error = output.error.as_ref().expect("an error");
        assert_eq!(error.outcome, Outcome::NotDone, "{}", output.render());
        assert_eq!(world.count(PUSH), 0, "{}", output.render());
    }
    drop(listener);
}

#[test]
fn a_deadline_that_is_none_is_told() {
    for value in [
        json!(0),
        json!(86_400_001),
        json!(-1),
        json!(1.5),
        json!("1000"),
    ] {
        let document = json!({"action": "get_bot_info", "options": {"deadline_ms": value}});
        let ended = world::run(&["run", "--dry-run"], document.to_string().as_bytes(), &[]);
        let error = &ended.document()["error"];
        assert_eq!(error["kind"], "invalid_document");
        assert_eq!(error["details"][0]["path"], "/options/deadline_ms");
    }
}

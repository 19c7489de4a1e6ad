//! The sandbox as a transport in memory: the same LINE, and faults as the failures they are.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use line_connector_http::Secret;
use line_connector_http::{Failure, FailureKind, Headers, Method, Reply, Request, Transport};
use line_connector_sandbox::{DropPoint, Fault, FaultKind, Sandbox, Settings};
use serde_json::{Value, json};

use super::{TOKEN, push_body};

fn request(url: &str, body: &Value) -> Request {
    let mut headers = Headers::new();
    headers.push("Content-Type", "application/json");
    Request {
        method: Method::Post,
        url: url.to_owned(),
        headers,
        bearer: Some(Secret::new(TOKEN)),
        body: body.to_string().into_bytes(),
        timeout: Duration::from_secs(5),
        download_timeout: None,
    }
}

fn push(sandbox: &Sandbox) -> Result<Reply, Failure> {
    sandbox.send(&request(
        "https://api.line.me/v2/bot/message/push",
        &push_body("Hello"),
    ))
}

#[test]
fn any_host_is_line() {
    let sandbox = Sandbox::default();
    for host in [
        "https://api.line.me",
        "http://localhost:1",
        "https://example.com",
    ] {
        let url = format!("{host}/v2/bot/message/push");
        let reply = sandbox.send(&request(&url, &push_body("Hello"))).unwrap();
        assert_eq!((reply.status, reply.reason.as_str()), (200, "OK"));
        assert_eq!(reply.headers.get("server"), Some("legy"));
        let length = reply.body.len().to_string();
        assert_eq!(reply.headers.get("content-length"), Some(length.as_str()));
    }
    assert_eq!(sandbox.delivered().len(), 3);
}

#[test]
fn an_unknown_reply_token_is_good_once_unless_settings_are_strict() {
    let reply = |sandbox: &Sandbox, token: &str| {
        let mut body = push_body("Hello");
        body["replyToken"] = json!(token);
        let url = "https://api.line.me/v2/bot/message/reply";
        sandbox.send(&request(url, &body)).unwrap().status
    };
    let token = "85cbe770fa8b4f45bbe077b1d4be4a36";
    let sandbox = Sandbox::default();
    assert_eq!((reply(&sandbox, token), reply(&sandbox, token)), (200, 400));
    let strict = Sandbox::new(Settings {
        accept_unknown_reply_tokens: false,
        ..Settings::default()
    });
    assert_eq!(reply(&strict, token), 400);
    let made = strict.reply_token();
    assert_eq!((reply(&strict, &made), reply(&strict, &made)), (200, 400));
}

#[test]
fn dropped_connections_are_broken_and_maybe_sent() {
    for (at, delivered) in [
        (DropPoint::BeforeRead, 0),
        (DropPoint::AfterRead, 0),
        (DropPoint::AfterProcessing, 1),
        (DropPoint::MidBody, 1),
    ] {
        let sandbox = Sandbox::default();
        sandbox.inject(Fault::once(FaultKind::Drop { at }));
        let failure = push(&sandbox).unwrap_err();
        assert_eq!(
            (failure.kind, failure.maybe_sent),
            (FailureKind::Broken, true),
            "{at:?}"
        );
        assert_eq!(sandbox.delivered().len(), delivered, "{at:?}");
        assert_eq!(sandbox.requests()[0].status, None);
    }
    let sandbox = Sandbox::default();
    sandbox.inject(Fault::once(FaultKind::Garbage));
    assert_eq!(push(&sandbox).unwrap_err().kind, FailureKind::Broken);
}

#[test]
fn waiting_takes_the_time_of_the_injected_sleep_and_no_longer_than_the_timeout() {
    let slept = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&slept);
    let sleep = Arc::new(move |time| log.lock().unwrap().push(time));
    let sandbox = Sandbox::new(Settings {
        sleep,
        ..Settings::default()
    });
    sandbox.inject(Fault::once(FaultKind::Delay { ms: 2000 }));
    assert_eq!(push(&sandbox).unwrap().status, 200);
    sandbox.inject(Fault::once(FaultKind::Delay { ms: 9000 }));
    assert_eq!(push(&sandbox).unwrap_err().kind, FailureKind::Timeout);
    sandbox.inject(Fault::once(FaultKind::Stall { ms: 60_000 }));
    let failure = push(&sandbox).unwrap_err();
    assert_eq!(
        (failure.kind, failure.maybe_sent),
        (FailureKind::Timeout, true)
    );
    sandbox.inject(Fault::once(FaultKind::Stall { ms: 1000 }));
    assert_eq!(push(&sandbox).unwrap_err().kind, FailureKind::Broken);
    let seconds: Vec<u64> = slept
        .lock()
        .unwrap()
        .iter()
        .map(Duration::as_secs)
        .collect();
    assert_eq!(seconds, [2, 5, 5, 1]);
    assert_eq!(
        sandbox.delivered().len(),
        2,
        "a late answer was accepted, a stalled call was not"
    );
}

#[test]
fn bodies_over_two_megabytes_are_answered_413() {
    let text = "a".repeat(2 * 1024 * 1024);
    let url = "https://api.line.me/v2/bot/message/push";
    let reply = Sandbox::default()
        .send(&request(url, &push_body(&text)))
        .unwrap();
    assert_eq!(reply.status, 413);
}

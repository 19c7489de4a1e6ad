//! Each kind of fault, as a client on the other end of a socket sees it, and what LINE did or did
//! not do meanwhile.

use std::time::{Duration, Instant};

use line_connector_sandbox::{DropPoint, Fault, FaultKind, Operation, Settings};
use serde_json::{Value, json};

use super::plain_client::Seen;
use super::{KEY, Scene, TOKEN, push_body};

fn queue(scene: &Scene, fault: &Value) {
    let seen = scene.call("POST", "/sandbox/faults", Some(fault));
    assert_eq!(seen.status, 200, "{}", seen.text());
}

/// Pushes with a retry key while a fault waits; says what came back and whether it was delivered.
fn push_under(fault: &Value) -> (Scene, Option<Seen>, bool) {
    let scene = Scene::new();
    queue(&scene, fault);
    let seen = try_push(&scene);
    let delivered = !scene.sandbox.delivered().is_empty();
    let record = scene.sandbox.requests().pop().unwrap();
    assert_eq!(record.fault.as_deref(), fault["kind"].as_str());
    assert_eq!(record.delivered, delivered);
    assert_eq!(
        record.status,
        seen.as_ref().map(|seen| seen.status),
        "{fault}"
    );
    (scene, seen, delivered)
}

fn try_push(scene: &Scene) -> Option<Seen> {
    let bearer = format!("Bearer {TOKEN}");
    let fields = [
        ("Authorization", bearer.as_str()),
        ("X-Line-Retry-Key", KEY),
    ];
    let body = push_body("Hello");
    scene
        .client()
        .call("POST", "/v2/bot/message/push", &fields, Some(&body))
}

#[test]
fn somebody_who_cannot_be_reached_is_told_as_line_tells_it() {
    let (_scene, seen, delivered) = push_under(&json!({"kind": "unreachable"}));
    let seen = seen.unwrap();
    let refused = (seen.status, seen.message(), delivered);
    assert_eq!(refused, (400, "Failed to send messages".to_owned(), false));
    let scene = Scene::new();
    queue(
        &scene,
        &json!({"kind": "unreachable", "path": "/v2/bot/profile"}),
    );
    let bearer = format!("Bearer {TOKEN}");
    let fields = [("Authorization", bearer.as_str())];
    let path = "/v2/bot/profile/U4af4980629f0b5a3c3d6b8a1d2e3f405";
    let seen = scene.client().call("GET", path, &fields, None).unwrap();
    assert_eq!(seen.status, 404);
    let record = scene.sandbox.requests().pop().unwrap();
    assert_eq!(record.fault.as_deref(), Some("unreachable"));
}

#[test]
fn a_status_before_processing_delivers_nothing() {
    let fault = json!({ "kind": "status", "code": 503, "body": { "message": "later" },
        "headers": { "Retry-After": "1" } });
    let (scene, seen, delivered) = push_under(&fault);
    let seen = seen.unwrap();
    assert_eq!(
        (seen.status, seen.message(), delivered),
        (503, "later".to_owned(), false)
    );
    assert_eq!(seen.field("retry-after"), Some("1"));
    assert_eq!(
        try_push(&scene).unwrap().status,
        200,
        "the fault is used up"
    );
}

#[test]
fn a_status_after_processing_has_delivered_once() {
    let (scene, seen, delivered) =
        push_under(&json!({ "kind": "status", "code": 500, "when": "after" }));
    let seen = seen.unwrap();
    assert_eq!((seen.status, seen.body.len(), delivered), (500, 0, true));
    let retried = try_push(&scene).unwrap();
    assert_eq!(retried.status, 409);
    let accepted = scene.sandbox.delivered();
    assert_eq!(accepted.len(), 1);
    assert_eq!(
        retried.field("x-line-accepted-request-id"),
        Some(accepted[0].request_id.as_str())
    );
}

#[test]
fn a_delay_is_a_late_answer_to_an_accepted_call() {
    let start = Instant::now();
    let (_, seen, delivered) = push_under(&json!({ "kind": "delay", "ms": 60 }));
    assert!(start.elapsed() >= Duration::from_millis(60));
    assert_eq!((seen.unwrap().status, delivered), (200, true));
}

#[test]
fn connections_drop_at_four_moments() {
    for (at, is_delivered) in [
        ("before_read", false),
        ("after_read", false),
        ("after_processing", true),
        ("mid_body", true),
    ] {
        let (scene, seen, delivered) = push_under(&json!({ "kind": "drop", "at": at }));
        assert!(seen.is_none(), "{at}");
        assert_eq!(delivered, is_delivered, "{at}");
        let read = scene.sandbox.requests()[0].body.is_object();
        assert_eq!(read, at != "before_read", "{at}");
    }
}

#[test]
fn a_connection_dropped_in_the_middle_shows_half_of_the_body() {
    let scene = Scene::new();
    let kind = FaultKind::Drop {
        at: DropPoint::MidBody,
    };
    scene.sandbox.inject(Fault::once(kind));
    let mut client = scene.client();
    client.send(
        "GET /v2/bot/info HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sandbox-token\r\n\r\n",
    );
    let bytes = String::from_utf8(client.drain()).unwrap();
    let (head, body) = bytes.split_once("\r\n\r\n").unwrap();
    let promised: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(body.len(), promised / 2);
}

#[test]
fn html_comes_from_the_edge() {
    let (_, seen, delivered) = push_under(&json!({ "kind": "html", "code": 502 }));
    let seen = seen.unwrap();
    assert_eq!(
        (seen.status, seen.field("content-type"), delivered),
        (502, Some("text/html"), false)
    );
    assert!(seen.text().contains("<TITLE>Bad Gateway</TITLE>"));
}

#[test]
fn an_expired_token_stays_expired() {
    let (scene, seen, delivered) = push_under(&json!({ "kind": "expire_token" }));
    let seen = seen.unwrap();
    assert_eq!((seen.status, delivered), (401, false));
    assert!(seen.message().contains("expired"), "{}", seen.message());
    assert_eq!(try_push(&scene).unwrap().status, 401);
}

#[test]
fn an_expiring_token_waits_for_a_call_that_has_one() {
    let scene = Scene::new();
    queue(&scene, &json!({ "kind": "expire_token" }));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "1234567890"),
        ("client_secret", "sandbox-channel-secret"),
    ];
    assert_eq!(scene.client().form("/oauth2/v3/token", &form).status, 200);
    assert_eq!(scene.call("GET", "/v2/bot/info", None).status, 401);
}

#[test]
fn the_three_kinds_of_429_have_their_texts() {
    for (fault, text) in [
        (
            json!({ "kind": "rate_limit" }),
            "The API rate limit has been exceeded. Try again later.",
        ),
        (
            json!({ "kind": "monthly_limit" }),
            "You have reached your monthly limit.",
        ),
        (
            json!({ "kind": "concurrent_operations", "message": "Busy" }),
            "Busy",
        ),
    ] {
        let (_, seen, delivered) = push_under(&fault);
        let seen = seen.unwrap();
        assert_eq!(
            (seen.status, seen.message().as_str(), delivered),
            (429, text, false)
        );
    }
}

#[test]
fn a_stall_ends_without_an_answer() {
    let start = Instant::now();
    let (_, seen, delivered) = push_under(&json!({ "kind": "stall", "ms": 50 }));
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert!(seen.is_none() && !delivered);
}

#[test]
fn a_stall_does_not_outlive_its_client_or_the_listener() {
    let scene = Scene::new();
    scene.sandbox.inject(Fault {
        times: 2,
        ..Fault::once(FaultKind::Stall { ms: 600_000 })
    });
    let request = "GET /v2/bot/info HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut leaving = scene.client();
    leaving.send(request);
    drop(leaving);
    let mut staying = scene.client();
    staying.send(request);
    let start = Instant::now();
    scene.listener.stop();
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(staying.drain(), b"");
}

#[test]
fn a_redirect_leads_where_it_was_told_to() {
    let fault = json!({ "kind": "redirect", "location": "https://example.com/" });
    let (_, seen, delivered) = push_under(&fault);
    let seen = seen.unwrap();
    assert_eq!((seen.status, delivered), (302, false));
    assert_eq!(seen.field("location"), Some("https://example.com/"));
}

#[test]
fn a_huge_answer_is_as_long_as_asked_and_still_json() {
    let (_, seen, _) = push_under(&json!({ "kind": "huge", "bytes": 3_000_000 }));
    let seen = seen.unwrap();
    assert_eq!((seen.status, seen.body.len()), (200, 3_000_000));
    assert!(seen.json()["padding"].is_string());
}

#[test]
fn garbage_is_not_http() {
    let scene = Scene::new();
    scene.sandbox.inject(Fault::once(FaultKind::Garbage));
    let mut client = scene.client();
    client.send("GET /v2/bot/info HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let bytes = client.drain();
    assert!(!bytes.is_empty() && !bytes.starts_with(b"HTTP/"));
}

#[test]
fn faults_strike_the_path_and_the_number_of_times_they_name() {
    let scene = Scene::new();
    let faults = json!([
        { "kind": "status", "code": 500, "path": "/v2/bot/message/", "times": 2 },
        { "kind": "status", "code": 503, "path": "/v2/bot/info" },
    ]);
    queue(&scene, &faults);
    assert_eq!(scene.call("GET", "/v2/bot/info", None).status, 503);
    assert_eq!(scene.call("GET", "/v2/bot/message/quota", None).status, 500);
    assert_eq!(scene.get("/sandbox/faults")["faults"][0]["times"], 1);
    assert_eq!(scene.call("GET", "/v2/bot/info", None).status, 200);
    assert_eq!(scene.call("GET", "/v2/bot/message/quota", None).status, 500);
    assert_eq!(scene.call("GET", "/v2/bot/message/quota", None).status, 200);
}

#[test]
fn a_fault_that_makes_no_sense_is_refused_and_waiting_ones_can_be_dropped() {
    let scene = Scene::new();
    let wrong = json!([{ "kind": "rate_limit" }, { "kind": "rate_limit", "tims": 2 }]);
    let seen = scene.call("POST", "/sandbox/faults", Some(&wrong));
    assert_eq!(seen.status, 400);
    assert!(seen.message().contains("`tims`"), "{}", seen.message());
    assert_eq!(
        scene.get("/sandbox/faults")["faults"],
        json!([]),
        "all or none"
    );
    queue(&scene, &json!({ "kind": "rate_limit" }));
    assert_eq!(scene.call("DELETE", "/sandbox/faults", None).status, 200);
    assert_eq!(scene.push(&[]).status, 200);
}

/// The sandbox's refusal of a fault.
fn refused(scene: &Scene, fault: &Value) -> String {
    let answer = scene.call("POST", "/sandbox/faults", Some(fault));
    assert_eq!(answer.status, 400, "{fault}");
    answer.json()["message"].as_str().unwrap().to_owned()
}

#[test]
fn what_no_fault_has_is_refused_with_what_was_meant() {
    let scene = Scene::with(Settings {
        operations: vec![named("get_bot_info", "GET", "/v2/bot/info")],
        ..Settings::default()
    });
    for (fault, says) in [
        (json!({"kind": "rate_limt"}), "did you mean `rate_limit`?"),
        (json!({"kind": "explode"}), "there are status, delay, drop"),
        (json!({}), "there are status"),
        (
            json!({"kind": "status", "kode": 500}),
            "did you mean `code`?",
        ),
        (
            json!({"kind": "garbage", "unlike": 1}),
            "it has kind, action, path, times",
        ),
        (
            json!({"kind": "status", "code": "500"}),
            "the fault `status` is wrong",
        ),
        (
            json!({"kind": "garbage", "action": "get_bot_inf"}),
            "did you mean `get_bot_info`?",
        ),
        (json!(["garbage"]), "line-connector sandbox faults"),
    ] {
        let refusal = refused(&scene, &fault);
        assert!(refusal.contains(says), "{refusal}");
    }
    assert_eq!(scene.get("/sandbox/faults"), json!({"faults": []}));
}

fn named(name: &str, method: &str, template: &str) -> Operation {
    Operation {
        names: vec![name.to_owned()],
        method: method.to_owned(),
        template: template.to_owned(),
        ..Operation::default()
    }
}

#[test]
fn a_fault_strikes_the_action_that_it_is_aimed_at() {
    let scene = Scene::with(Settings {
        operations: vec![
            named("get_profile", "GET", "/v2/bot/profile/{userId}"),
            named("get_bot_info", "GET", "/v2/bot/info"),
        ],
        ..Settings::default()
    });
    let fault = json!({"kind": "status", "code": 503, "action": "get_profile"});
    assert_eq!(
        scene.call("POST", "/sandbox/faults", Some(&fault)).status,
        200
    );
    assert_eq!(scene.call("GET", "/v2/bot/info", None).status, 200);
    let profile = "/v2/bot/profile/U0123456789abcdef0123456789abcdef";
    assert_eq!(scene.call("GET", profile, None).status, 503);
    assert_eq!(scene.call("GET", profile, None).status, 200);
}

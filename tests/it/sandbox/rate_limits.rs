//! LINE's rate limits, kept on request: how many calls pass, which ones they are, and when the next.

use std::time::Duration;

use line_connector_sandbox::{RateLimit, Settings};
use serde_json::json;

use super::sends::post;
use super::{KEY, Scene, USER, push_body};

const PUSH: &str = "/v2/bot/message/push";

fn scene(limits: &[&str]) -> Scene {
    Scene::with(Settings {
        rate_limits: limits.iter().map(|limit| limit.parse().unwrap()).collect(),
        quota: None,
        ..Settings::default()
    })
}

/// How many of so many pushes are let through.
fn pushes(scene: &Scene, count: usize) -> usize {
    let statuses = (0..count).map(|_| scene.push(&[]).status);
    statuses.filter(|status| *status == 200).count()
}

#[test]
fn a_call_too_many_is_lines_429_and_reaches_nobody() {
    let scene = scene(&["POST /v2/bot/message/push=3/s"]);
    assert_eq!(pushes(&scene, 3), 3);
    let seen = scene.push(&[("X-Line-Retry-Key", KEY)]);
    let text = "The API rate limit has been exceeded. Try again later.".to_owned();
    assert_eq!((seen.status, seen.message()), (429, text));
    assert_eq!(scene.sandbox.delivered().len(), 3);
    scene.pass(Duration::from_secs(1));
    let seen = scene.push(&[("X-Line-Retry-Key", KEY)]);
    assert_eq!(
        seen.status, 200,
        "the refused call did not use up its retry key"
    );
}

#[test]
fn the_window_slides() {
    let scene = scene(&["POST /v2/bot/message/push=4/s"]);
    // 2 at 0 ms, 2 at 600 ms: full until the first two are a second old, then until the others are.
    for (later, tried, passed) in [
        (0, 2, 2),
        (600, 9, 2),
        (399, 1, 0),
        (1, 9, 2),
        (599, 1, 0),
        (1, 9, 2),
    ] {
        scene.pass(Duration::from_millis(later));
        assert_eq!(pushes(&scene, tried), passed, "after {later} ms more");
    }
}

#[test]
fn in_no_second_do_more_calls_pass_than_the_limit() {
    let scene = scene(&["20/s"]);
    let mut passed: Vec<u64> = Vec::new();
    for step in 0..100_u64 {
        for _ in 0..(step * 7 % 5) {
            if scene.push(&[]).status == 200 {
                passed.push(step * 37);
            }
        }
        scene.pass(Duration::from_millis(37));
    }
    for start in &passed {
        let within = passed
            .iter()
            .filter(|at| (*start..start + 1000).contains(at))
            .count();
        assert!(within <= 20, "{within} calls in the second from {start} ms");
    }
    assert!(passed.len() >= 60, "{} calls in 3.7 seconds", passed.len());
}

#[test]
fn each_endpoint_is_counted_by_itself_and_its_ids_together() {
    let scene = scene(&["1/min"]);
    let profile = |user: &str| {
        scene
            .call("GET", &format!("/v2/bot/profile/{user}"), None)
            .status
    };
    let other = "U02468acf13579bde02468acf13579bde";
    assert_eq!(
        (profile(USER), profile(other), profile(USER)),
        (200, 429, 429)
    );
    assert_eq!(pushes(&scene, 2), 1);
    let hook = "/v2/bot/channel/webhook/endpoint";
    let url = json!({ "endpoint": "https://example.com/" });
    assert_eq!(scene.call("PUT", hook, Some(&url)).status, 200);
    assert_eq!(scene.call("GET", hook, None).status, 200, "another method");
    for _ in 0..3 {
        assert_eq!(scene.call("GET", "/sandbox/requests", None).status, 200);
    }
}

#[test]
fn the_first_limit_that_fits_holds() {
    let scene = scene(&["POST /v2/bot/message/push=2/s", "1/s"]);
    assert_eq!(pushes(&scene, 3), 2);
    let info = || scene.call("GET", "/v2/bot/info", None).status;
    assert_eq!((info(), info()), (200, 429));
}

#[test]
fn callers_without_a_token_use_nothing_up() {
    let scene = scene(&["1/s"]);
    let stranger = [("Authorization", "Bearer nobody")];
    for _ in 0..3 {
        let seen = scene
            .client()
            .call("POST", PUSH, &stranger, Some(&push_body("Hello")));
        assert_eq!(seen.unwrap().status, 401);
    }
    assert_eq!(pushes(&scene, 2), 1);
}

#[test]
fn token_endpoints_have_a_limit_too() {
    let scene = scene(&["POST /oauth2/v3/token=1/s"]);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "1234567890"),
        ("client_secret", "sandbox-channel-secret"),
    ];
    let issue = || scene.client().form("/oauth2/v3/token", &form).status;
    assert_eq!((issue(), issue()), (200, 429));
}

#[test]
fn lines_own_limits_are_kept_on_request() {
    let scene = Scene::with(Settings {
        rate_limits: RateLimit::lines_own(),
        quota: None,
        ..Settings::default()
    });
    let list = || scene.call("GET", "/v2/bot/richmenu/list", None).status;
    let statuses: Vec<u16> = (0..11).map(|_| list()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 10);
    assert_eq!(statuses[10], 429);
    let body = json!({ "messages": [{ "type": "text", "text": "Hello" }] });
    let broadcast = || post(&scene, "/v2/bot/message/broadcast", &body).status;
    assert_eq!((0..61).filter(|_| broadcast() == 200).count(), 60);
    scene.pass(Duration::from_hours(1));
    assert_eq!(broadcast(), 200);
}

#[test]
fn without_limits_nothing_is_refused() {
    assert_eq!(pushes(&scene(&[]), 50), 50);
}

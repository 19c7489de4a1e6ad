//! The sandbox as its users meet it: over TCP with a client made of nothing but sockets, and in
//! memory as a transport. No code of the connector's pipeline takes part.

mod audience_lists;
mod audiences;
mod coupons;
mod channel;
mod contents;
mod faults;
mod insights;
mod memberships;
mod memory;
mod narrowcasts;
mod notifications;
mod people;
mod rate_limits;
mod plain_client;
mod richmenu_users;
mod richmenus;
mod sends;
pub(crate) mod tokens;
mod uploads;
mod webhooks;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use line_connector_sandbox::{Listener, Sandbox, Settings};
use serde_json::{Value, json};

use plain_client::{Client, Seen};

const USER: &str = "U0123456789abcdef0123456789abcdef";
const KEY: &str = "123e4567-e89b-12d3-a456-426614174000";
const TOKEN: &str = "sandbox-token";

/// 2020-12-03T10:15:30.121Z.
const START_MILLIS: u64 = 1_606_990_530_121;

/// A sandbox behind a listener, with a clock that only moves when told to.
struct Scene {
    sandbox: Arc<Sandbox>,
    listener: Listener,
    millis: Arc<AtomicU64>,
}

impl Scene {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let millis = Arc::new(AtomicU64::new(START_MILLIS));
        let clock = Arc::clone(&millis);
        let now =
            Arc::new(move || UNIX_EPOCH + Duration::from_millis(clock.load(Ordering::SeqCst)));
        let sandbox = Arc::new(Sandbox::new(Settings { now, ..settings }));
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Arc::clone(&sandbox).listen(address).unwrap();
        Self {
            sandbox,
            listener,
            millis,
        }
    }

    fn pass(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.millis.fetch_add(millis, Ordering::SeqCst);
    }

    fn client(&self) -> Client {
        Client::connect(self.listener.address())
    }

    /// One call on a connection of its own, with the long-lived token.
    fn call(&self, method: &str, target: &str, body: Option<&Value>) -> Seen {
        self.call_with(method, target, body, &[])
    }

    fn call_with(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        fields: &[(&str, &str)],
    ) -> Seen {
        let authorization = format!("Bearer {TOKEN}");
        let mut all = vec![("Authorization", authorization.as_str())];
        all.extend_from_slice(fields);
        self.client()
            .call(method, target, &all, body)
            .expect("an answer")
    }

    fn get(&self, target: &str) -> Value {
        let seen = self.call("GET", target, None);
        assert_eq!(seen.status, 200, "{target}: {}", seen.text());
        seen.json()
    }

    fn push(&self, fields: &[(&str, &str)]) -> Seen {
        self.call_with(
            "POST",
            "/v2/bot/message/push",
            Some(&push_body("Hello")),
            fields,
        )
    }
}

fn push_body(text: &str) -> Value {
    json!({ "to": USER, "messages": [{ "type": "text", "text": text }] })
}

fn messages() -> Value {
    json!({ "messages": [{ "type": "text", "text": "Hello" }] })
}

#[test]
fn every_answer_carries_lines_fields() {
    let scene = Scene::new();
    let seen = scene.call("GET", "/v2/bot/info", None);
    assert_eq!(seen.status, 200);
    assert_eq!(seen.json()["basicId"], "@sandbox");
    for (name, value) in [
        ("server", "legy"),
        ("content-type", "application/json"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("x-xss-protection", "1; mode=block"),
        ("cache-control", "max-age=0, no-cache, no-store"),
        ("pragma", "no-cache"),
        ("date", "Thu, 03 Dec 2020 10:15:30 GMT"),
        ("connection", "keep-alive"),
    ] {
        assert_eq!(seen.field(name), Some(value), "{name}");
    }
    let other = scene.call("GET", "/v2/bot/info", None);
    assert_eq!(seen.field("x-line-request-id").unwrap().len(), 36);
    assert_ne!(
        seen.field("x-line-request-id"),
        other.field("x-line-request-id")
    );
}

#[test]
fn unknown_paths_and_wrong_methods_are_told_apart() {
    let scene = Scene::new();
    let seen = scene.call("GET", "/v2/bot/nothing", None);
    assert_eq!(
        (seen.status, seen.json()),
        (404, json!({ "message": "Not found" }))
    );
    let seen = scene.call("GET", "/v2/bot/message/push", None);
    assert_eq!(
        (seen.status, seen.field("content-type")),
        (405, Some("application/json"))
    );
    let seen = scene.call("GET", "/sandbox/nothing", None);
    assert_eq!(seen.status, 404);
}

#[test]
fn requests_are_recorded_as_they_came() {
    let scene = Scene::new();
    scene.push(&[("X-Line-Retry-Key", KEY)]);
    scene.call("GET", "/v2/bot/message/delivery/push?date=20201202", None);
    let requests = scene.sandbox.requests();
    assert_eq!(requests.len(), 2);
    let push = &requests[0];
    assert_eq!(
        (push.method.as_str(), push.path.as_str()),
        ("POST", "/v2/bot/message/push")
    );
    assert_eq!(
        (push.status, push.delivered, &push.fault),
        (Some(200), true, &None)
    );
    assert_eq!(push.body, push_body("Hello"));
    let field = |name: &str| push.headers.iter().find(|(known, _)| known == name);
    assert_eq!(field("x-line-retry-key").unwrap().1, KEY);
    assert!(
        field("authorization")
            .unwrap()
            .1
            .starts_with("Bearer sha256:")
    );
    assert_eq!(
        requests[1].query,
        vec![("date".to_owned(), "20201202".to_owned())]
    );
    assert!(!requests[1].delivered);
}

#[test]
fn the_record_is_read_and_cleared_over_http() {
    let scene = Scene::new();
    scene.push(&[("X-Line-Retry-Key", KEY)]);
    let requests = scene.get("/sandbox/requests");
    assert_eq!(requests["requests"].as_array().unwrap().len(), 1);
    assert_eq!(requests["requests"][0]["status"], 200);
    let deliveries = scene.get("/sandbox/deliveries");
    assert_eq!(deliveries["deliveries"][0]["to"], USER);
    assert_eq!(deliveries["deliveries"][0]["retry_key"], KEY);
    assert_eq!(scene.call("DELETE", "/sandbox/requests", None).status, 200);
    assert_eq!(scene.get("/sandbox/requests")["requests"], json!([]));
    assert_eq!(scene.get("/sandbox/deliveries")["deliveries"], json!([]));
    assert_eq!(
        scene.push(&[("X-Line-Retry-Key", KEY)]).status,
        409,
        "the key is still known"
    );
}

#[test]
fn old_records_give_way_to_new_ones() {
    let scene = Scene::with(Settings {
        keep_records: 2,
        ..Settings::default()
    });
    for _ in 0..3 {
        scene.push(&[]);
    }
    let requests = scene.get("/sandbox/requests");
    assert_eq!(requests["requests"].as_array().unwrap().len(), 2);
    assert_eq!(requests["forgotten"], 1);
    scene.call("GET", "/nothing", None);
    let counts = json!({ "requests": 4, "unanswered": 0, "statuses": { "200": 3, "404": 1 },
        "deliveries": { "push": 3 } });
    assert_eq!(scene.get("/sandbox/counts"), counts, "nothing is forgotten");
    scene.sandbox.forget();
    assert_eq!(scene.get("/sandbox/counts")["requests"], 0);
}

#[test]
fn the_asset_points_at_the_listener() {
    let scene = Scene::new();
    let url = scene.listener.url();
    assert_eq!(scene.get("/sandbox/asset"), scene.sandbox.asset(&url));
    let asset = scene.sandbox.asset(&url);
    assert_eq!(asset["token_url"], format!("{url}/oauth2/v3/token"));
    assert_eq!(asset["client_id"], "1234567890");
    assert_eq!(asset["client_secret"], "sandbox-channel-secret");
}

#[test]
fn thirty_two_pushes_with_one_key_are_one_delivery() {
    let scene = Scene::new();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|_| scope.spawn(|| scene.push(&[("X-Line-Retry-Key", KEY)]).status))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 31);
    assert_eq!(scene.sandbox.delivered().len(), 1);
    assert_eq!(scene.sandbox.requests().len(), 32);
}

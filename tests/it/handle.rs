//! Calls in the hands of whoever made them. Where they are given up, the request on its way is finished,
//! nothing is begun after it, no wait goes on, and the output says so: every wait here would take a minute
//! or more without that. Whoever listens hears the steps of those that go on.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use line_connector_client::transport::{Http, Settings};
use line_connector_client::{
    Connector, Failure, Handle, Invocation, Reply, Request, SystemFiles, Transport,
};
use line_connector_core::documents::Output;
use line_connector_core::encoding::base64;
use line_connector_core::error::{Kind, Outcome};
use serde_json::{Value, json};

use crate::world::{USER, World, builder, push};

const PUSH: &str = "/v2/bot/message/push";

/// The network, whose user gives the call up while a certain request is on its way.
struct Impatient {
    network: Http,
    /// Which request, from 1.
    at: usize,
    sent: AtomicUsize,
    handle: Handle,
}

impl Transport for Impatient {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        if self.sent.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            self.handle.cancel();
        }
        self.network.send(request)
    }
}

/// Makes a call that is given up during its request number `at`; says how many were made.
fn given_up(document: Value, at: usize) -> (Output, usize) {
    let handle = Handle::default();
    let settings = Settings {
        verify_tls: true,
        proxy: None,
        no_proxy: Vec::new(),
        authorities: None,
        connect_timeout: Duration::from_secs(10),
        usual_timeout: Duration::from_secs(10),
        max_response_bytes: 1 << 20,
    };
    let transport = Arc::new(Impatient {
        network: Http::new(settings).unwrap(),
        at,
        sent: AtomicUsize::new(0),
        handle: handle.clone(),
    });
    let connector = builder().transport(transport.clone()).build();
    let output = held(&connector, document, handle);
    (output, transport.sent.load(Ordering::SeqCst))
}

fn held(connector: &Connector, document: Value, handle: Handle) -> Output {
    let mut invocation = Invocation::from_value(document).unwrap();
    invocation.options.handle = Some(handle);
    connector.call(invocation)
}

fn assert_cancelled(output: &Output, outcome: Outcome) {
    let error = output.error.as_ref().expect("an error");
    assert_eq!(
        (error.kind, error.outcome),
        (Kind::Cancelled, outcome),
        "{}",
        output.render()
    );
    assert_eq!(output.meta.as_ref().unwrap().cancelled, Some(true));
}

fn texts(count: usize) -> Value {
    json!(vec![json!({"text_message": {"text": "hi"}}); count])
}

#[test]
fn the_request_on_its_way_is_finished() {
    let world = World::new();
    let (output, sent) = given_up(push(&world.bearer()), 1);
    assert_eq!((output.status_code, sent), (Some(200), 1));
    assert!(output.error.is_none(), "{}", output.render());
    assert_eq!(output.meta.unwrap().cancelled, Some(true));
    assert_eq!(world.sandbox.delivered().len(), 1);
}

#[test]
fn nothing_is_sent_where_it_comes_first() {
    let world = World::new();
    let handle = Handle::default();
    handle.cancel();
    let output = held(&builder().build(), push(&world.asset()), handle);
    assert_cancelled(&output, Outcome::NotDone);
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn no_attempt_follows() {
    let world = World::new();
    world.fault(json!({"kind": "status", "code": 503, "path": PUSH, "times": 99}));
    let (output, sent) = given_up(push(&world.bearer()), 1);
    let error = output.error.as_ref().unwrap();
    assert_eq!(
        (error.kind, error.outcome),
        (Kind::Unavailable, Outcome::Unknown)
    );
    assert_eq!((output.meta.unwrap().cancelled, sent), (Some(true), 1));
}

#[test]
fn neither_a_token_nor_its_channel_is_followed_by_a_send() {
    let world = World::new();
    for asset in [world.asset(), world.bearer()] {
        let mut document = push(&asset);
        document["options"] = json!({"idempotency_key": "order-1"});
        let (output, sent) = given_up(document, 1);
        assert_cancelled(&output, Outcome::NotDone);
        assert_eq!((sent, world.count(PUSH)), (1, 0));
    }
}

#[test]
fn no_further_page_is_asked_for() {
    let world = World::new();
    let document = json!({
        "action": "list_follower_ids", "asset": world.bearer(), "inputs": {"limit": 10},
        "options": {"all_pages": true},
    });
    let (output, sent) = given_up(document, 2);
    assert_cancelled(&output, Outcome::NotDone);
    let meta = output.meta.unwrap();
    assert_eq!((meta.pages, meta.items, sent), (Some(2), Some(20), 2));
}

#[test]
fn no_further_message_is_sent() {
    let world = World::new();
    let document = json!({
        "action": "push_message", "asset": world.bearer(),
        "inputs": {"to": USER, "messages": texts(12)},
    });
    let (output, sent) = given_up(document, 2);
    assert_cancelled(&output, Outcome::Partial);
    let error = output.error.as_ref().unwrap();
    assert!(
        error.message.starts_with("request 3 of 3"),
        "{}",
        error.message
    );
    assert_eq!((sent, world.sandbox.delivered().len()), (2, 2));
}

#[test]
fn no_other_way_is_tried() {
    let world = World::new();
    world.fault(json!({
        "kind": "status", "code": 400, "path": "/v2/bot/message/reply",
        "body": {"message": "Invalid reply token"},
    }));
    let document = json!({
        "action": "reply_message", "asset": world.bearer(),
        "inputs": {"replyToken": "0f3779fba3b349968c5d07db31eab56f", "to": USER, "messages": texts(1)},
        "options": {"fallback": "push"},
    });
    let (output, sent) = given_up(document, 1);
    assert_cancelled(&output, Outcome::NotDone);
    assert_eq!((sent, world.count(PUSH)), (1, 0));
}

#[test]
fn work_is_left_where_it_is_known_to_be() {
    let world = World::new();
    let narrowcast = json!({
        "action": "narrowcast_message", "asset": world.bearer(),
        "inputs": {"messages": [{"type": "text", "text": "hi"}]},
        "options": {"wait_ms": 600_000},
    });
    let content = json!({
        "action": "get_content", "asset": world.bearer(),
        "inputs": {"messageId": "354718705033693862"}, "options": {"wait_ms": 600_000},
    });
    world.fault(json!({"kind": "status", "code": 202, "path": "/v2/bot/message/354", "times": 99}));
    for (document, at) in [(narrowcast.clone(), 1), (narrowcast, 2), (content, 2)] {
        let (output, sent) = given_up(document, at);
        assert!(output.error.is_none(), "{}", output.render());
        let meta = output.meta.unwrap();
        assert_eq!((meta.pending, meta.cancelled), (Some(true), Some(true)));
        assert_eq!(sent, at);
    }
}

#[test]
fn a_wait_for_a_turn_and_a_pause_end() {
    let world = World::new();
    let connector = Connector::builder().build();
    let fault =
        json!({"kind": "status", "code": 503, "path": PUSH, "headers": {"Retry-After": "60"}});
    let mut limited = push(&world.bearer());
    limited["asset"]["rate_limits"] = json!({"*": "1/h"});
    assert!(
        held(&connector, limited.clone(), Handle::default())
            .error
            .is_none()
    );
    world.fault(fault);
    for (document, requests, kind) in [
        (limited, 1, Kind::Cancelled),
        (push(&world.bearer()), 2, Kind::Unavailable),
    ] {
        let handle = Handle::default();
        let output = std::thread::scope(|scope| {
            let held_by_other = handle.clone();
            let waiting = scope.spawn(|| held(&connector, document, held_by_other));
            while world.count(PUSH) < requests {
                std::thread::park_timeout(Duration::from_millis(10));
            }
            std::thread::park_timeout(Duration::from_millis(50));
            handle.cancel();
            waiting.join().unwrap()
        });
        let error = output.error.as_ref().unwrap();
        assert_eq!(error.kind, kind, "{}", output.render());
        assert_eq!(output.meta.unwrap().cancelled, Some(true));
        assert_eq!(world.count(PUSH), requests);
    }
}

#[test]
fn content_that_still_comes_is_broken_off() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = Handle::default();
    let held_by_user = handle.clone();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1000000\r\n\r\n";
        let _ = stream.write_all(head.as_bytes());
        held_by_user.cancel();
        while stream.write_all(b"x").is_ok() {
            std::thread::park_timeout(Duration::from_millis(20));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let files = SystemFiles::default().saving_into(folder.path());
    let connector = Connector::builder().files(files).build();
    let document = json!({
        "action": "get_content",
        "asset": {"url": format!("http://127.0.0.1:{port}"), "token": "sandbox-token"},
        "inputs": {"messageId": "354718705033693862"},
        "options": {"save_to": folder.path().join("image.png"), "timeout_ms": 120_000},
    });
    let output = held(&connector, document, handle);
    let error = output.error.as_ref().expect("an error");
    assert_eq!(error.kind, Kind::Cancelled, "{}", output.render());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    server.join().unwrap();
}

#[test]
fn whoever_listens_hears_what_takes_time() {
    let world = World::new();
    let narrowcast = json!({
        "action": "narrowcast_message", "inputs": {"messages": [{"type": "text", "text": "hi"}]},
        "options": {"wait_ms": 600_000},
    });
    let followers = json!({
        "action": "list_follower_ids", "inputs": {"limit": 50}, "options": {"all_pages": true},
    });
    let many = json!({"action": "push_message", "inputs": {"to": USER, "messages": texts(7)}});
    let ids = format!("{USER}\n").repeat(10_000);
    let upload = json!({
        "action": "create_audience_from_file",
        "inputs": {"description": "ids", "file": {"base64": base64(ids.as_bytes()), "content_type": "text/plain"}},
    });
    world.fault(json!({"kind": "status", "code": 500, "path": "/v2/bot/info"}));
    let info = json!({"action": "get_bot_info"});
    for (mut document, expected) in [
        (
            narrowcast,
            &[
                "LINE has accepted it; again in 0.5 s",
                "LINE goes on with it: `",
            ][..],
        ),
        (
            followers,
            &["after page 1: 50 items", "after page 2: 100 items"],
        ),
        (many, &["request 1 of 2", "request 2 of 2"]),
        (upload, &["sending 34"]),
        (info, &["LINE answered 500; again in"]),
    ] {
        document["asset"] = world.bearer();
        let steps = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&steps);
        let handle = Handle::listening(move |step| hears.lock().unwrap().push(step.to_owned()));
        let output = held(&builder().build(), document, handle);
        assert!(output.error.is_none(), "{}", output.render());
        let steps = steps.lock().unwrap();
        let mut told = steps.iter();
        for start in expected {
            assert!(
                told.any(|step| step.starts_with(start)),
                "{start}: {steps:?}"
            );
        }
    }
}

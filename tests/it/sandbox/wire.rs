//! HTTP/1.1 as the listener speaks it: framing, limits, connections, and what it refuses.

use std::sync::Arc;
use std::time::Instant;

use line_connector_sandbox::Sandbox;
use serde_json::json;

use super::plain_client::{Client, head};
use super::{Scene, TOKEN, USER, push_body};

fn authorized(fields: &str) -> String {
    format!(
        "POST /v2/bot/message/push HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\n{fields}\r\n"
    )
}

#[test]
fn only_loopback_addresses_are_listened_on() {
    for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let refused = Arc::new(Sandbox::default()).listen(address.parse().unwrap());
        assert_eq!(
            refused.err().unwrap().kind(),
            std::io::ErrorKind::InvalidInput,
            "{address}"
        );
    }
}

#[test]
fn one_connection_takes_several_calls() {
    let scene = Scene::new();
    let mut client = scene.client();
    let bearer = format!("Bearer {TOKEN}");
    for text in ["one", "two"] {
        let fields = [("Authorization", bearer.as_str())];
        let body = push_body(text);
        let seen = client
            .call("POST", "/v2/bot/message/push", &fields, Some(&body))
            .unwrap();
        assert_eq!(
            (seen.status, seen.field("connection")),
            (200, Some("keep-alive"))
        );
    }
    assert_eq!(scene.sandbox.delivered().len(), 2);
}

#[test]
fn calls_sent_at_once_are_answered_in_order() {
    let scene = Scene::new();
    let mut client = scene.client();
    let fields = [("Authorization", "Bearer sandbox-token")];
    client.send(head("GET", "/v2/bot/info", &fields, 0) + &head("GET", "/nothing", &fields, 0));
    assert_eq!(client.read().unwrap().status, 200);
    assert_eq!(client.read().unwrap().status, 404);
}

#[test]
fn garbage_behind_a_call_is_answered_400_and_ends_the_connection() {
    let scene = Scene::new();
    let mut client = scene.client();
    let fields = [("Authorization", "Bearer sandbox-token")];
    client.send(head("GET", "/v2/bot/info", &fields, 0) + "\u{1}\u{2} what is this\r\n\r\n");
    assert_eq!(client.read().unwrap().status, 200);
    let seen = client.read().unwrap();
    assert_eq!(
        (seen.status, seen.field("connection")),
        (400, Some("close"))
    );
    assert_eq!(client.drain(), b"");
}

#[test]
fn connection_close_is_honoured() {
    let scene = Scene::new();
    let mut client = scene.client();
    let fields = [
        ("Authorization", "Bearer sandbox-token"),
        ("Connection", "close"),
    ];
    let seen = client.call("GET", "/v2/bot/info", &fields, None).unwrap();
    assert_eq!(seen.field("connection"), Some("close"));
    assert_eq!(client.drain(), b"");
}

#[test]
fn a_post_that_does_not_say_how_long_it_is_gets_the_edges_411() {
    let scene = Scene::new();
    let mut client = scene.client();
    client.send(authorized(""));
    let seen = client.read().unwrap();
    assert_eq!(
        (seen.status, seen.field("content-type")),
        (411, Some("text/html"))
    );
    assert!(seen.text().starts_with("<HTML>"));
    assert_eq!(scene.sandbox.requests()[0].status, Some(411));
    let mut control = scene.client();
    control.send("POST /sandbox/reply-tokens HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(
        control.read().unwrap().status,
        200,
        "as `curl -X POST` sends it"
    );
}

#[test]
fn bodies_over_two_megabytes_are_answered_413_even_while_still_being_sent() {
    let scene = Scene::new();
    let length = 3 * 1024 * 1024;
    let mut client = scene.client();
    client.send(authorized(&format!("Content-Length: {length}\r\n")));
    client.send(vec![b' '; length]);
    assert_eq!(client.read().unwrap().status, 413);
    let mut chunked = scene.client();
    chunked.send(authorized("Transfer-Encoding: chunked\r\n"));
    chunked.send(format!("{length:x}\r\n"));
    assert_eq!(chunked.read().unwrap().status, 413);
    assert!(scene.sandbox.delivered().is_empty());
}

#[test]
fn a_body_of_exactly_two_megabytes_is_read() {
    let scene = Scene::new();
    let body = push_body("Hello").to_string();
    let length = 2 * 1024 * 1024;
    let mut client = scene.client();
    client.send(authorized(&format!("Content-Length: {length}\r\n")));
    client.send(body.clone() + &" ".repeat(length - body.len()));
    assert_eq!(client.read().unwrap().status, 200);
}

#[test]
fn heads_over_64_kilobytes_are_refused() {
    let scene = Scene::new();
    let mut client = scene.client();
    client.send(authorized(&format!(
        "X-Long: {}\r\n",
        "a".repeat(70 * 1024)
    )));
    assert_eq!(client.read().unwrap().status, 431);
}

#[test]
fn chunked_bodies_are_put_together() {
    let scene = Scene::new();
    let body = push_body("Hello").to_string();
    let (front, back) = body.split_at(17);
    let mut client = scene.client();
    client.send(authorized("Transfer-Encoding: chunked\r\n"));
    client.send(format!("{:x};ext=1\r\n{front}\r\n", front.len()));
    client.send(format!(
        "{:X}\r\n{back}\r\n0\r\nTrailer: x\r\n\r\n",
        back.len()
    ));
    assert_eq!(client.read().unwrap().status, 200);
    assert_eq!(scene.sandbox.delivered()[0].to, USER);
    client.send(head("GET", "/nothing", &[], 0));
    assert_eq!(
        client.read().unwrap().status,
        404,
        "nothing of the trailer is left over"
    );
}

#[test]
fn malformed_framing_is_refused() {
    let scene = Scene::new();
    for fields in [
        "Content-Length: ten\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "no colon\r\n",
    ] {
        let mut client = scene.client();
        client.send(authorized(fields));
        assert_eq!(client.read().unwrap().status, 400, "{fields}");
    }
    let mut chunked = scene.client();
    chunked.send(authorized("Transfer-Encoding: chunked\r\n") + "zz\r\n");
    assert_eq!(chunked.read().unwrap().status, 400);
}

#[test]
fn expect_continue_is_answered_before_the_body() {
    let scene = Scene::new();
    let body = push_body("Hello").to_string();
    let mut client = scene.client();
    client.send(authorized(&format!(
        "Content-Length: {}\r\nExpect: 100-continue\r\n",
        body.len()
    )));
    assert_eq!(client.read().unwrap().status, 100);
    client.send(body);
    assert_eq!(client.read().unwrap().status, 200);
    client.send(authorized(
        "Content-Length: 9999999\r\nExpect: 100-continue\r\n",
    ));
    assert_eq!(
        client.read().unwrap().status,
        413,
        "the body is not even asked for"
    );
}

#[test]
fn a_proxy_style_target_is_understood() {
    let scene = Scene::new();
    let seen = scene.call("GET", "http://api.line.me/v2/bot/info", None);
    assert_eq!(seen.status, 200);
    assert_eq!(scene.sandbox.requests()[0].path, "/v2/bot/info");
}

#[test]
fn stopping_ends_idle_connections_at_once() {
    let scene = Scene::new();
    let mut client = scene.client();
    client.send("GET /unfinished");
    let mut idle: Vec<Client> = (0..4).map(|_| scene.client()).collect();
    idle[0].send(head("GET", "/nothing", &[], 0));
    assert_eq!(idle[0].read().unwrap().status, 404);
    let start = Instant::now();
    let address = scene.listener.address();
    scene.listener.stop();
    assert!(start.elapsed().as_secs() < 2);
    assert!(std::net::TcpStream::connect(address).is_err());
    for connection in idle {
        assert_eq!(connection.drain(), b"");
    }
}

#[test]
fn a_page_elsewhere_reaches_nothing() {
    let scene = Scene::new();
    let ask = |head: &str, body: &str| {
        let mut client = scene.client();
        let length = body.len();
        client.send(format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}"));
        client.read().unwrap().status
    };
    let fault = r#"{"kind": "status", "code": 500}"#;
    for (head, body, status) in [
        ("GET /sandbox/asset HTTP/1.1\r\nHost: evil.example", "", 421),
        (
            "GET /v2/bot/info HTTP/1.1\r\nHost: evil.example:8080",
            "",
            421,
        ),
        (
            "POST /sandbox/faults HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nContent-Type: text/plain",
            fault,
            403,
        ),
        (
            "POST /sandbox/faults HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nContent-Type: application/json",
            fault,
            403,
        ),
        (
            "POST /sandbox/faults HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain",
            fault,
            400,
        ),
        (
            "POST /sandbox/faults HTTP/1.1\r\nHost: localhost",
            fault,
            400,
        ),
        (
            "POST /sandbox/faults HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded",
            fault,
            400,
        ),
        (
            "PUT /sandbox/webhook HTTP/1.1\r\nHost: rebound.example\r\nContent-Type: application/json",
            "{}",
            421,
        ),
        (
            "POST /sandbox/faults HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json",
            fault,
            200,
        ),
    ] {
        assert_eq!(ask(head, body), status, "{head}");
    }
}

#[test]
fn memory_is_bounded_in_bytes() {
    let scene = Scene::new();
    let many = json!({"kind": "status", "code": 500});
    let faults: Vec<_> = std::iter::repeat_n(many, 10_001).collect();
    assert_eq!(
        scene
            .call("POST", "/sandbox/faults", Some(&json!(faults)))
            .status,
        400
    );
    let text = "x".repeat(1_900_000);
    for _ in 0..40 {
        let body = json!({"to": "U1", "messages": [{"type": "text", "text": text}]});
        scene.call("POST", "/v2/bot/message/push", Some(&body));
    }
    let requests = scene.get("/sandbox/requests");
    assert!(
        requests["forgotten"].as_u64().unwrap() >= 5,
        "{}",
        requests["forgotten"]
    );
}

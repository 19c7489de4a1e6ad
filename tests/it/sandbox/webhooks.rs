//! The sandbox plays the user: what it makes of what people do, whether it is signed and delivered
//! as LINE does it, and whether the channel's operations work with what the events brought.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use line_connector_client::transport::{self, Http};
use line_connector_http::Transport;
use line_connector_sandbox::Settings;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::sends::post;
use super::{Scene, USER, messages, push_body};

const GROUP: &str = "C0123456789abcdef0123456789abcdef";
const STRANGER: &str = "U4af4980629f0b5a3c3d6b8a1d2e3f405";

/// What a receiver does with a webhook.
#[derive(Clone, Copy)]
enum Manner {
    Answer(u16),
    Slow,
    HangUp,
}

/// One webhook as it came over the wire.
#[derive(Debug, Clone)]
struct Seen {
    head: String,
    body: Vec<u8>,
}

impl Seen {
    fn field(&self, name: &str) -> &str {
        let mut all = self.fields(name);
        let value = all
            .next()
            .unwrap_or_else(|| panic!("no {name} in {}", self.head));
        assert_eq!(all.next(), None, "{name} twice");
        value
    }

    fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A webhook receiver of nothing but a socket.
struct Receiver {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Receiver {
    fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/webhook", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut bytes = Vec::new();
                let mut block = [0; 8192];
                let end = loop {
                    if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                        break end;
                    }
                    match stream.read(&mut block) {
                        Ok(count) if count > 0 => bytes.extend_from_slice(&block[..count]),
                        _ => return,
                    }
                };
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
                let mut body = bytes[end + 4..].to_vec();
                let mut one = Seen {
                    head,
                    body: Vec::new(),
                };
                let length: usize = one.field("content-length").parse().unwrap();
                while body.len() < length {
                    let count = stream.read(&mut block).unwrap();
                    body.extend_from_slice(&block[..count]);
                }
                one.body = body;
                log.lock().unwrap().push(one);
                match manner {
                    Manner::Answer(status) => {
                        let text = format!(
                            "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        );
                        stream.write_all(text.as_bytes()).unwrap();
                    }
                    Manner::Slow => {
                        let _until_the_sender_leaves = stream.read(&mut block);
                    }
                    Manner::HangUp => {}
                }
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn outward() -> Arc<dyn Transport> {
    let settings = transport::Settings {
        verify_tls: true,
        proxy: None,
        no_proxy: Vec::new(),
        authorities: None,
        connect_timeout: Duration::from_secs(2),
        usual_timeout: Duration::from_secs(2),
        max_response_bytes: 1024,
    };
    Arc::new(Http::new(settings).unwrap())
}

fn scene_with(receiver: &Receiver) -> Scene {
    Scene::with(Settings {
        webhook: Some(receiver.url.clone()),
        outward: Some(outward()),
        accept_unknown_reply_tokens: false,
        ..Settings::default()
    })
}

/// A scene without a receiver.
fn alone() -> Scene {
    Scene::with(Settings {
        accept_unknown_reply_tokens: false,
        ..Settings::default()
    })
}

/// HMAC-SHA256 from its definition, by another library than the sandbox's.
fn signature(secret: &str, body: &[u8]) -> String {
    let pad = |with: u8| {
        let mut block = [with; 64];
        for (to, from) in block.iter_mut().zip(secret.as_bytes()) {
            *to ^= from;
        }
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(body);
    let outer = Sha256::new().chain_update(pad(0x5c));
    let digest = outer.chain_update(inner.finalize()).finalize();
    base64::engine::general_purpose::STANDARD.encode(digest)
}

fn play(scene: &Scene, described: &Value) -> Value {
    let seen = scene.call("POST", "/sandbox/events", Some(described));
    assert_eq!(seen.status, 200, "{described}: {}", seen.text());
    seen.json()
}

fn played(scene: &Scene, described: &Value) -> Value {
    play(scene, described)["events"][0].clone()
}

fn reply(scene: &Scene, token: &Value) -> u16 {
    let mut body = messages();
    body["replyToken"] = token.clone();
    post(scene, "/v2/bot/message/reply", &body).status
}

/// What is made afresh each time, blanked after a look at its form.
fn steady(mut event: Value) -> Value {
    let mut blank = |pointer: &str, fits: &dyn Fn(&str) -> bool| {
        if let Some(value) = event.pointer_mut(pointer) {
            assert!(value.as_str().is_some_and(fits), "{pointer}: {value}");
            *value = json!("…");
        }
    };
    let hex = |text: &str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    // The time in a ULID is its first ten symbols; 2020-12-03T10:15:30.121Z here.
    blank("/webhookEventId", &|id| {
        id.len() == 26 && id.starts_with("01ERM1K1J9")
    });
    blank("/replyToken", &hex);
    blank("/message/quoteToken", &hex);
    blank("/message/markAsReadToken", &hex);
    event
}

#[test]
fn every_event_is_lines_json() {
    let scene = alone();
    let described = [
        json!({ "type": "follow" }),
        json!({ "type": "unfollow", "userId": STRANGER }),
        json!({ "type": "follow", "userId": STRANGER }),
        json!({ "type": "message", "text": "Hello 🍎" }),
        json!({ "type": "message", "text": "@All @example Good Morning!! (love)", "groupId": GROUP,
            "mention": { "mentionees": [
                { "index": 0, "length": 4, "type": "all" },
                { "index": 5, "length": 8, "type": "user", "userId": STRANGER, "isSelf": false } ] },
            "emojis": [{ "index": 29, "length": 6, "productId": "5ac1bfd5040ab15980c9b435", "emojiId": "001" }] }),
        json!({ "type": "message", "message": "image" }),
        json!({ "type": "message", "message": { "type": "image", "imageSet": { "id": "E005D41A", "index": 1, "total": 2 },
            "contentProvider": { "type": "external", "originalContentUrl": "https://example.com/o.jpg",
                "previewImageUrl": "https://example.com/p.jpg" } } }),
        json!({ "type": "message", "message": "video" }),
        json!({ "type": "message", "message": { "type": "audio", "duration": 1500 } }),
        json!({ "type": "message", "message": { "type": "file", "fileName": "list.csv", "base64": "YSxiCg==", "contentType": "text/csv" } }),
        json!({ "type": "message", "message": { "type": "location", "title": "Office" } }),
        json!({ "type": "message", "message": { "type": "sticker", "keywords": ["bye"] }, "roomId": "R0123456789abcdef0123456789abcdef" }),
        json!({ "type": "message", "text": "not for us", "mode": "standby" }),
        json!({ "type": "messageEdited", "message": { "id": "461230966842064897" }, "text": "Hello!" }),
        json!({ "type": "unsend", "messageId": "461230966842064897" }),
        json!({ "type": "postback", "data": "storeId=12345" }),
        json!({ "type": "postback", "data": "when", "params": { "datetime": "2017-12-25T01:00" } }),
        json!({ "type": "postback", "data": "menu", "params": { "newRichMenuAliasId": "b", "status": "SUCCESS" } }),
        json!({ "type": "join" }),
        json!({ "type": "leave", "roomId": "R0123456789abcdef0123456789abcdef" }),
        json!({ "type": "memberJoined", "members": [USER, STRANGER] }),
        json!({ "type": "memberLeft" }),
        json!({ "type": "videoPlayComplete", "trackingId": "intro" }),
        json!({ "type": "beacon", "beacon": "stay", "dm": "1234567890abcdef" }),
        json!({ "type": "accountLink", "nonce": "xxx" }),
        json!({ "type": "accountLink", "result": "failed", "nonce": "xxx" }),
        json!({ "type": "membership", "membership": "renewed" }),
        json!({ "type": "delivery", "data": "15034552939884E28681A7D668CEA94C147C716C0EC9DFE8B80B44EF3B57F6BD" }),
        json!({ "type": "module" }),
        json!({ "type": "module", "module": "detached" }),
        json!({ "type": "activated" }),
        json!({ "type": "deactivated" }),
        json!({ "type": "botSuspended" }),
        json!({ "type": "botResumed" }),
        json!({ "raw": { "type": "someFutureEvent", "newField": { "x": 1 } } }),
        json!({ "type": "message", "text": "at another time", "timestamp": 1_462_629_479_859_u64, "replyToken": null }),
        json!({ "raw": { "type": "message", "without": "an envelope" } }),
    ];
    let told: Vec<String> = described
        .iter()
        .map(|one| {
            let event = steady(played(&scene, one));
            format!("{one}\n{}", serde_json::to_string_pretty(&event).unwrap())
        })
        .collect();
    insta::assert_snapshot!("events", told.join("\n\n"));
}

#[test]
fn a_webhook_is_signed_over_the_bytes_that_are_sent() {
    let receiver = Receiver::new(Manner::Answer(200));
    let scene = scene_with(&receiver);
    let told = play(
        &scene,
        &json!({ "type": "message", "text": "Hello \"あ\" 🍎" }),
    );
    assert_eq!(
        (&told["delivered"], &told["status"]),
        (&json!(true), &json!(200))
    );
    assert_eq!(told["problem"], Value::Null);
    let [seen] = &receiver.seen()[..] else {
        panic!("one webhook");
    };
    assert!(
        seen.head.starts_with("POST /webhook HTTP/1.1"),
        "{}",
        seen.head
    );
    assert_eq!(
        seen.field("content-type"),
        "application/json; charset=utf-8"
    );
    assert_eq!(seen.field("user-agent"), "LineBotWebhook/2.0");
    let expected = signature("sandbox-channel-secret", &seen.body);
    assert_eq!(seen.field("x-line-signature"), expected);
    assert_eq!(seen.fields("authorization").next(), None);
    let body = seen.json();
    assert_eq!(body["destination"], scene.get("/v2/bot/info")["userId"]);
    assert_eq!(body["events"], told["events"]);
    assert_eq!(body["events"][0]["message"]["text"], "Hello \"あ\" 🍎");
    let reserialised = body.to_string();
    assert_ne!(
        signature("sandbox-channel-secret", reserialised.as_bytes()),
        expected,
        "who checks anything but the bytes that came is found out"
    );
    let shown = &told["invocation"]["request"];
    assert_eq!(shown["body"].as_str().unwrap().as_bytes(), seen.body);
    assert_eq!(shown["headers"]["x-line-signature"], expected);
}

#[test]
fn several_events_come_in_one_webhook_and_none_where_one_is_wrong() {
    let receiver = Receiver::new(Manner::Answer(200));
    let scene = scene_with(&receiver);
    play(
        &scene,
        &json!([{ "type": "follow" }, { "type": "message", "text": "hi" }]),
    );
    play(&scene, &json!([]));
    let wrong = json!([{ "type": "unfollow" }, { "type": "message" }]);
    let seen = scene.call("POST", "/sandbox/events", Some(&wrong));
    assert_eq!(seen.status, 400);
    assert!(
        seen.message().starts_with("event 1: "),
        "{}",
        seen.message()
    );
    let profile = format!("/v2/bot/profile/{USER}");
    assert_eq!(
        scene.call("GET", &profile, None).status,
        200,
        "nobody unfollowed"
    );
    let counts: Vec<usize> = receiver
        .seen()
        .iter()
        .map(|seen| seen.json()["events"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [2, 0]);
}

#[test]
fn a_description_that_makes_no_sense_is_told_what_is_wrong() {
    let scene = alone();
    for (described, word) in [
        (json!("follow"), "object"),
        (json!({}), "`type`"),
        (json!({ "type": "message" }), "`text`"),
        (json!({ "type": "message", "text": 1 }), "string"),
        (
            json!({ "type": "message", "txt": "hi", "text": "hi" }),
            "`txt`",
        ),
        (json!({ "type": "follow", "userId": "me" }), "`userId`"),
        (json!({ "type": "follow", "groupId": GROUP }), "groups"),
        (
            json!({ "type": "message", "text": "hi", "groupId": "R1" }),
            "`groupId`",
        ),
        (json!({ "type": "delivery", "userId": USER }), "source"),
        (json!({ "type": "messageEdited", "text": "hi" }), "`id`"),
        (json!({ "type": "unsend" }), "`messageId`"),
        (json!({ "type": "postback" }), "`data`"),
        (
            json!({ "type": "message", "message": { "type": "image", "base64": "*" } }),
            "base64",
        ),
        (
            json!({ "type": "message", "text": "🍎", "emojis": [{ "index": 1, "length": 2 }] }),
            "UTF-16",
        ),
        (json!({ "raw": {}, "type": "follow" }), "`raw`"),
    ] {
        let seen = scene.call("POST", "/sandbox/events", Some(&described));
        assert_eq!(seen.status, 400, "{described}");
        assert!(
            seen.message().contains(word),
            "{described}: {}",
            seen.message()
        );
    }
}

#[test]
fn a_redelivered_event_is_the_same_but_for_the_flag() {
    let receiver = Receiver::new(Manner::Answer(200));
    let scene = scene_with(&receiver);
    let first = played(&scene, &json!({ "type": "message", "text": "hi" }));
    scene.pass(Duration::from_secs(61));
    let id = first["webhookEventId"].as_str().unwrap();
    let target = format!("/sandbox/events/{id}/redeliver");
    let again = scene.call("POST", &target, None).json();
    assert_eq!(again["delivered"], true);
    let mut expected = first.clone();
    expected["deliveryContext"]["isRedelivery"] = json!(true);
    assert_eq!(again["events"][0].to_string(), expected.to_string());
    let bodies: Vec<Value> = receiver.seen().iter().map(Seen::json).collect();
    assert_eq!(bodies[1]["events"], json!([expected]));
    assert_eq!(
        reply(&scene, &first["replyToken"]),
        200,
        "good for another minute"
    );
    let unknown = scene.call("POST", "/sandbox/events/nothing/redeliver", None);
    assert_eq!(unknown.status, 404);
}

#[test]
fn a_reply_token_is_good_once_and_for_a_minute() {
    let scene = alone();
    let hello = json!({ "type": "message", "text": "hi" });
    let token = played(&scene, &hello)["replyToken"].clone();
    assert_eq!((reply(&scene, &token), reply(&scene, &token)), (200, 400));
    let token = played(&scene, &hello)["replyToken"].clone();
    scene.pass(Duration::from_secs(61));
    assert_eq!(reply(&scene, &token), 400);
}

#[test]
fn who_unfollows_sees_nothing_until_they_follow_again() {
    let scene = alone();
    let profile = || {
        scene
            .call("GET", &format!("/v2/bot/profile/{USER}"), None)
            .status
    };
    let reached = || {
        assert_eq!(scene.push(&[]).status, 200);
        scene.sandbox.delivered().last().unwrap().people
    };
    let used = || scene.get("/v2/bot/message/quota/consumption")["totalUsage"].clone();
    assert_eq!((profile(), reached(), used()), (200, 1, json!(1)));
    play(&scene, &json!({ "type": "unfollow" }));
    assert_eq!((profile(), reached(), used()), (404, 0, json!(1)));
    let ids = scene.get("/v2/bot/followers/ids?limit=1000")["userIds"].clone();
    assert_eq!(ids.as_array().unwrap().len(), 119);
    assert_eq!(
        post(&scene, "/v2/bot/message/broadcast", &messages()).status,
        200
    );
    assert_eq!(scene.sandbox.delivered().last().unwrap().people, 119);
    let mut body = push_body("hi");
    body["to"] = json!([USER, STRANGER]);
    assert_eq!(post(&scene, "/v2/bot/message/multicast", &body).status, 200);
    assert_eq!(scene.sandbox.delivered().last().unwrap().people, 1);
    let back = played(&scene, &json!({ "type": "follow" }));
    assert_eq!(back["follow"]["isUnblocked"], true);
    assert_eq!((profile(), reached()), (200, 1));
}

#[test]
fn a_stranger_who_follows_has_a_profile_and_is_listed() {
    let scene = alone();
    let target = format!("/v2/bot/profile/{STRANGER}");
    assert_eq!(scene.call("GET", &target, None).status, 404);
    let described = json!({ "type": "follow", "userId": STRANGER,
        "profile": { "displayName": "Taro", "language": "ja" } });
    let event = played(&scene, &described);
    assert_eq!(event["follow"], json!({ "isUnblocked": false }));
    assert_eq!(event.get("profile"), None);
    let profile = scene.get(&target);
    assert_eq!(
        profile,
        json!({ "displayName": "Taro", "userId": STRANGER, "language": "ja" })
    );
    play(&scene, &json!({ "type": "follow", "userId": STRANGER }));
    let ids = scene.get("/v2/bot/followers/ids?limit=1000")["userIds"].clone();
    let ids = ids.as_array().unwrap();
    assert_eq!((ids.len(), &ids[120]), (121, &json!(STRANGER)));
    let page = scene.get("/v2/bot/followers/ids?limit=120");
    assert!(page["next"].is_string(), "{page}");
}

#[test]
fn what_users_send_can_be_downloaded_until_they_take_it_back() {
    let scene = alone();
    let described = json!({ "type": "message",
        "message": { "type": "file", "base64": "YSxiCg==", "contentType": "text/csv" } });
    let message = played(&scene, &described)["message"].clone();
    assert_eq!(message["fileSize"], 4);
    let id = message["id"].as_str().unwrap();
    let target = format!("/v2/bot/message/{id}/content");
    let seen = scene.call("GET", &target, None);
    assert_eq!(
        (seen.status, seen.field("content-type")),
        (200, Some("text/csv"))
    );
    assert_eq!(seen.body, b"a,b\n");
    play(&scene, &json!({ "type": "unsend", "messageId": id }));
    assert_eq!(scene.call("GET", &target, None).status, 410);
    let film = json!({ "type": "message", "message": { "type": "video", "size": 3_000_000 } });
    let id = played(&scene, &film)["message"]["id"].clone();
    let target = format!("/v2/bot/message/{}/content", id.as_str().unwrap());
    assert_eq!(scene.call("GET", &target, None).body.len(), 3_000_000);
    let sample = "354718705033693861";
    play(&scene, &json!({ "type": "unsend", "messageId": sample }));
    let target = format!("/v2/bot/message/{sample}/content");
    assert_eq!(scene.call("GET", &target, None).status, 410);
}

#[test]
fn a_message_can_be_quoted_and_marked_as_read_by_its_tokens() {
    let scene = alone();
    let message = played(&scene, &json!({ "type": "message", "text": "hi" }))["message"].clone();
    let mut body = push_body("You said");
    body["messages"][0]["quoteToken"] = message["quoteToken"].clone();
    assert_eq!(post(&scene, "/v2/bot/message/push", &body).status, 200);
    let body = json!({ "markAsReadToken": message["markAsReadToken"] });
    assert_eq!(post(&scene, "/v2/bot/chat/markAsRead", &body).status, 200);
}

#[test]
fn a_group_is_left_and_joined() {
    let scene = alone();
    let summary = || {
        scene
            .call("GET", &format!("/v2/bot/group/{GROUP}/summary"), None)
            .status
    };
    assert_eq!(summary(), 200);
    play(&scene, &json!({ "type": "leave", "groupId": GROUP }));
    assert_eq!(summary(), 404);
    play(&scene, &json!({ "type": "join", "groupId": GROUP }));
    assert_eq!(summary(), 200);
}

#[test]
fn a_receiver_that_fails_is_reported() {
    let hello = json!({ "type": "message", "text": "hi" });
    let receiver = Receiver::new(Manner::Answer(500));
    let told = play(&scene_with(&receiver), &hello);
    assert_eq!(
        (&told["delivered"], &told["status"]),
        (&json!(false), &json!(500))
    );
    assert!(told["problem"].as_str().unwrap().contains("2xx"), "{told}");
    for manner in [Manner::Slow, Manner::HangUp] {
        let receiver = Receiver::new(manner);
        let scene = scene_with(&receiver);
        let start = Instant::now();
        let told = play(&scene, &hello);
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "LINE waits for two seconds"
        );
        assert_eq!(
            (&told["delivered"], &told["status"]),
            (&json!(false), &Value::Null)
        );
        assert!(told["problem"].is_string(), "{told}");
        assert_eq!(receiver.seen().len(), 1);
        assert_eq!(
            reply(&scene, &told["events"][0]["replyToken"]),
            200,
            "it happened all the same"
        );
    }
}

#[test]
fn without_an_endpoint_the_signed_request_is_answered() {
    let scene = Scene::with(Settings {
        outward: Some(outward()),
        ..Settings::default()
    });
    let told = play(&scene, &json!({ "type": "follow" }));
    assert_eq!(
        (&told["delivered"], &told["status"]),
        (&json!(false), &Value::Null)
    );
    assert!(
        told["problem"]
            .as_str()
            .unwrap()
            .contains("/sandbox/webhook"),
        "{told}"
    );
    let invocation = &told["invocation"];
    assert_eq!(
        invocation["asset"],
        scene.sandbox.asset(&scene.listener.url())
    );
    let body = invocation["request"]["body"].as_str().unwrap();
    let expected = signature("sandbox-channel-secret", body.as_bytes());
    assert_eq!(
        invocation["request"]["headers"]["x-line-signature"],
        expected
    );
}

#[test]
fn the_endpoint_is_set_shown_and_switched_off() {
    let receiver = Receiver::new(Manner::Answer(200));
    let scene = Scene::with(Settings {
        outward: Some(outward()),
        ..Settings::default()
    });
    let set = |body: &Value| scene.call("PUT", "/sandbox/webhook", Some(body));
    assert_eq!(
        scene.get("/sandbox/webhook"),
        json!({ "endpoint": null, "active": true })
    );
    let there = json!({ "endpoint": receiver.url, "active": true });
    assert_eq!(set(&json!({ "endpoint": receiver.url })).json(), there);
    assert_eq!(scene.get("/v2/bot/channel/webhook/endpoint"), there);
    let follow = json!({ "type": "follow" });
    assert_eq!(play(&scene, &follow)["delivered"], true);
    assert_eq!(set(&json!({ "active": false })).status, 200);
    assert_eq!(
        scene.get("/v2/bot/channel/webhook/endpoint")["active"],
        false
    );
    assert_eq!(play(&scene, &follow)["delivered"], false);
    assert_eq!(receiver.seen().len(), 1);
    for wrong in [
        json!([]),
        json!({ "endpoint": "example.com" }),
        json!({ "endpoint": 1 }),
        json!({ "active": "yes" }),
        json!({ "url": receiver.url }),
    ] {
        assert_eq!(set(&wrong).status, 400, "{wrong}");
    }
}

#[test]
fn a_test_of_the_endpoint_really_calls_it() {
    let probe = |receiver: &Receiver| {
        let scene = scene_with(receiver);
        post(&scene, "/v2/bot/channel/webhook/test", &json!({})).json()
    };
    let good = Receiver::new(Manner::Answer(200));
    assert_eq!(
        probe(&good),
        json!({ "success": true, "timestamp": "2020-12-03T10:15:30.121Z", "statusCode": 200,
            "reason": "OK", "detail": "200" })
    );
    let [seen] = &good.seen()[..] else {
        panic!("one probe");
    };
    assert_eq!(seen.json()["events"], json!([]));
    assert_eq!(
        seen.field("x-line-signature"),
        signature("sandbox-channel-secret", &seen.body)
    );
    for (manner, status, reason) in [
        (Manner::Answer(404), 404, "ERROR_STATUS_CODE"),
        (Manner::Slow, 0, "REQUEST_TIMEOUT"),
        (Manner::HangUp, 0, "UNCLASSIFIED"),
    ] {
        let told = probe(&Receiver::new(manner));
        assert_eq!(
            (&told["success"], &told["statusCode"]),
            (&json!(false), &json!(status))
        );
        assert_eq!(told["reason"], reason);
    }
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = Receiver {
        url: format!("http://{closed}/"),
        seen: Arc::default(),
    };
    assert_eq!(probe(&nobody)["reason"], "COULD_NOT_CONNECT");
}

#[test]
fn the_library_plays_without_http() {
    let receiver = Receiver::new(Manner::Answer(204));
    let sandbox = scene_with(&receiver).sandbox;
    let told = sandbox
        .play(&json!({ "type": "postback", "data": "a=b" }))
        .unwrap();
    assert_eq!(
        (&told["delivered"], &told["status"]),
        (&json!(true), &json!(204))
    );
    let id = told["events"][0]["webhookEventId"].as_str().unwrap();
    assert_eq!(sandbox.redeliver(id).unwrap()["delivered"], true);
    assert!(
        sandbox
            .redeliver("nothing")
            .unwrap_err()
            .contains("`nothing`")
    );
    assert!(
        sandbox
            .play(&json!({ "type": "postback" }))
            .unwrap_err()
            .contains("`data`")
    );
    assert_eq!(receiver.seen().len(), 2);
}

#[test]
fn the_receiver_may_call_the_sandbox_before_it_answers() {
    let scene = Arc::new(Scene::with(Settings {
        outward: Some(outward()),
        accept_unknown_reply_tokens: false,
        ..Settings::default()
    }));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let inside = Arc::clone(&scene);
    let receiver = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        let mut block = [0; 8192];
        while !text.contains("\"events\":[") || !text.ends_with("]}") {
            let count = stream.read(&mut block).unwrap();
            text.push_str(std::str::from_utf8(&block[..count]).unwrap());
        }
        let body: Value = serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        let status = reply(&inside, &body["events"][0]["replyToken"]);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        status
    });
    scene.call("PUT", "/sandbox/webhook", Some(&json!({ "endpoint": url })));
    let told = play(&scene, &json!({ "type": "message", "text": "hi" }));
    assert_eq!(told["delivered"], true);
    assert_eq!(receiver.join().unwrap(), 200);
    assert_eq!(scene.sandbox.delivered()[0].kind, "reply");
}

/// `line-connector sandbox` as a process, until the test is over.
struct Process {
    child: std::process::Child,
    card: Value,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        let mut child = Command::new(env!("CARGO_BIN_EXE_line-connector"))
            .arg("sandbox")
            .args(arguments)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let card = serde_json::from_str(&line).unwrap();
        Self { child, card }
    }

    fn call(&self, method: &str, target: &str, body: Option<&Value>) -> super::Seen {
        let listening = self.card["listening"].as_str().unwrap();
        let address = listening.strip_prefix("http://").unwrap().parse().unwrap();
        let bearer = [("Authorization", "Bearer sandbox-token")];
        let mut client = super::Client::connect(address);
        client
            .call(method, target, &bearer, body)
            .expect("an answer")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_command_sends_webhooks_keeps_limits_and_remembers_so_much() {
    let receiver = Receiver::new(Manner::Answer(200));
    let sandbox = Process::start(&[
        "--webhook",
        &receiver.url,
        "--rate-limit",
        "POST /v2/bot/message/push=3/h",
        "--line-rate-limits",
        "--keep-records",
        "2",
    ]);
    let told = sandbox.call(
        "POST",
        "/sandbox/events",
        Some(&json!({ "type": "follow" })),
    );
    assert_eq!(told.json()["delivered"], true, "{}", told.text());
    assert_eq!(receiver.seen().len(), 1);
    let push = || {
        sandbox
            .call("POST", "/v2/bot/message/push", Some(&push_body("hi")))
            .status
    };
    assert_eq!([push(), push(), push(), push()], [200, 200, 200, 429]);
    let batch = || {
        sandbox
            .call("POST", "/v2/bot/richmenu/batch", Some(&json!({})))
            .status
    };
    assert_eq!(
        [batch(), batch(), batch(), batch()],
        [400, 400, 400, 429],
        "LINE's own limit"
    );
    let kept = sandbox.call("GET", "/sandbox/requests", None).json();
    assert_eq!(kept["requests"].as_array().unwrap().len(), 2);
}

#[test]
fn an_option_that_makes_no_sense_is_refused_before_anything_starts() {
    let ended = crate::world::run(&["sandbox", "--rate-limit", "fast"], b"", &[]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("200/s"), "{}", ended.stderr);
    let ended = crate::world::run(&["sandbox", "--webhook", "localhost:9000"], b"", &[]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("http or https"), "{}", ended.stderr);
    let ended = crate::world::run(&["sandbox", "--rate-limit", "POST /nothing=1/s"], b"", &[]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("no endpoint `POST /nothing`"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_line_does_not_have_is_refused_with_what_was_meant() {
    let scene = Scene::new();
    for (described, says) in [
        (json!({"type": "folow"}), "did you mean `follow`?"),
        (
            json!({"type": "opt_in"}),
            "there are message, messageEdited",
        ),
        (
            json!({"type": "follow", "userid": "U1"}),
            "did you mean `userId`?",
        ),
        (
            json!({"type": "message", "txt": "hi"}),
            "did you mean `text`?",
        ),
        (
            json!({"type": "message", "message": "imge"}),
            "did you mean `image`?",
        ),
        (
            json!({"type": "message", "message": {"type": "image", "bas64": "AA=="}}),
            "did you mean `base64`?",
        ),
    ] {
        let refusal = scene.sandbox.play(&described).unwrap_err();
        assert!(refusal.contains(says), "{refusal}");
    }
    let raw = json!({"raw": {"type": "folow", "userid": "U1"}});
    assert!(scene.sandbox.play(&raw).is_ok());
}

//! Sending: retry keys, reply tokens, quota and counts, and the refusals that do not concern a
//! message object. Narrowcasts have a file of their own.

use std::collections::BTreeSet;
use std::time::Duration;

use line_connector_sandbox::Settings;
use serde_json::{Value, json};

use super::plain_client::Seen;
use super::{KEY, Scene, USER, messages, push_body};

const OTHER_KEY: &str = "223e4567-e89b-12d3-a456-426614174000";
pub(super) const DAY: Duration = Duration::from_hours(24);

pub(super) fn post(scene: &Scene, target: &str, body: &Value) -> Seen {
    scene.call("POST", target, Some(body))
}

pub(super) fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

#[test]
fn push_and_reply_answer_with_message_ids_and_the_others_do_not() {
    let scene = Scene::new();
    let pushed = scene.push(&[]).json();
    let sent = &pushed["sentMessages"][0];
    assert_eq!(sent["id"].as_str().unwrap().len(), 18);
    assert!(sent["quoteToken"].is_string());
    let token = post(&scene, "/sandbox/reply-tokens", &json!({})).json()["replyToken"].clone();
    let replied = post(
        &scene,
        "/v2/bot/message/reply",
        &with(messages(), "replyToken", token),
    );
    assert_ne!(replied.json()["sentMessages"][0]["id"], sent["id"]);
    let to = with(messages(), "to", json!([USER]));
    for (kind, body, status) in [
        ("multicast", to, 200),
        ("broadcast", messages(), 200),
        ("narrowcast", messages(), 202),
    ] {
        let seen = post(&scene, &format!("/v2/bot/message/{kind}"), &body);
        assert_eq!((seen.status, seen.json()), (status, json!({})), "{kind}");
    }
    let kinds: Vec<String> = scene
        .sandbox
        .delivered()
        .into_iter()
        .map(|one| one.kind)
        .collect();
    assert_eq!(
        kinds,
        ["push", "reply", "multicast", "broadcast", "narrowcast"]
    );
}

#[test]
fn a_retry_key_is_good_once_a_day() {
    let scene = Scene::new();
    let first = scene.push(&[("X-Line-Retry-Key", KEY)]);
    scene.pass(Duration::from_secs(86_399));
    let second = scene.push(&[("X-Line-Retry-Key", &KEY.to_uppercase())]);
    assert_eq!(
        (second.status, second.message().as_str()),
        (409, "The retry key is already accepted")
    );
    assert_eq!(second.json()["sentMessages"], first.json()["sentMessages"]);
    assert_eq!(
        second.field("x-line-accepted-request-id"),
        first.field("x-line-request-id")
    );
    assert_ne!(
        second.field("x-line-request-id"),
        first.field("x-line-request-id")
    );
    assert!(!scene.sandbox.requests()[1].delivered);
    scene.pass(Duration::from_secs(1));
    assert_eq!(
        scene.push(&[("X-Line-Retry-Key", KEY)]).status,
        200,
        "a new day, a new request"
    );
    assert_eq!(scene.sandbox.delivered().len(), 2);
}

#[test]
fn a_retry_key_with_another_body_is_a_409_with_a_note() {
    let scene = Scene::new();
    let push = |text: &str| {
        let body = push_body(text);
        let key = [("X-Line-Retry-Key", KEY)];
        scene
            .call_with("POST", "/v2/bot/message/push", Some(&body), &key)
            .status
    };
    assert_eq!(
        (push("Hello"), push("Hello"), push("Goodbye")),
        (200, 409, 409)
    );
    let notes: Vec<bool> = scene
        .sandbox
        .requests()
        .iter()
        .map(|record| record.retry_key_reused_with_other_body)
        .collect();
    assert_eq!(notes, [false, false, true]);
}

#[test]
fn a_refused_send_does_not_use_its_retry_key_up() {
    let scene = Scene::new();
    let key = [("X-Line-Retry-Key", KEY)];
    let bad = with(push_body("Hello"), "messages", json!([]));
    assert_eq!(
        scene
            .call_with("POST", "/v2/bot/message/push", Some(&bad), &key)
            .status,
        400
    );
    assert_eq!(scene.push(&key).status, 200);
}

#[test]
fn retry_keys_are_uuids_and_go_with_four_operations_only() {
    let scene = Scene::new();
    for wrong in ["abc", "urn:uuid:123e4567-e89b-12d3-a456-426614174000"] {
        assert_eq!(
            scene.push(&[("X-Line-Retry-Key", wrong)]).status,
            400,
            "{wrong}"
        );
    }
    let key = [("X-Line-Retry-Key", KEY)];
    let reply = with(messages(), "replyToken", json!(scene.sandbox.reply_token()));
    for (method, target, body) in [
        ("POST", "/v2/bot/message/reply", Some(&reply)),
        ("POST", "/v2/bot/message/validate/push", Some(&messages())),
        ("GET", "/v2/bot/info", None),
    ] {
        assert_eq!(
            scene.call_with(method, target, body, &key).status,
            400,
            "{target}"
        );
    }
    let multicast = with(messages(), "to", json!([USER]));
    let twice = |target: &str, body: &Value| {
        let fields = [("X-Line-Retry-Key", OTHER_KEY)];
        let seen = scene.call_with("POST", target, Some(body), &fields);
        (seen.status, seen.json().get("sentMessages").is_some())
    };
    assert_eq!(twice("/v2/bot/message/multicast", &multicast), (200, false));
    assert_eq!(twice("/v2/bot/message/multicast", &multicast), (409, false));
}

#[test]
fn a_reply_token_is_good_once_within_a_minute() {
    let scene = Scene::with(Settings {
        accept_unknown_reply_tokens: false,
        ..Settings::default()
    });
    let reply = |token: &str| {
        let seen = post(
            &scene,
            "/v2/bot/message/reply",
            &with(messages(), "replyToken", json!(token)),
        );
        (seen.status, seen.json()["message"].clone())
    };
    let refused = (400, json!("Invalid reply token"));
    let (used, late) = (scene.sandbox.reply_token(), scene.sandbox.reply_token());
    assert_eq!(reply(&used).0, 200);
    assert_eq!(reply(&used), refused);
    assert_eq!(reply("85cbe770fa8b4f45bbe077b1d4be4a36"), refused);
    scene.pass(Duration::from_secs(61));
    assert_eq!(reply(&late), refused);
    let empty = post(&scene, "/v2/bot/message/reply", &messages()).json();
    assert_eq!(
        empty["details"][0],
        json!({ "message": "May not be empty", "property": "replyToken" })
    );
}

#[test]
fn quota_counts_people_and_not_replies() {
    let settings = Settings {
        quota: Some(5),
        group_size: 3,
        ..Settings::default()
    };
    let scene = Scene::with(settings);
    assert_eq!(
        scene.get("/v2/bot/message/quota"),
        json!({ "type": "limited", "value": 5 })
    );
    let group = format!("C{}", &USER[1..]);
    assert_eq!(
        post(
            &scene,
            "/v2/bot/message/push",
            &with(messages(), "to", json!(group))
        )
        .status,
        200
    );
    let token = json!(scene.sandbox.reply_token());
    post(
        &scene,
        "/v2/bot/message/reply",
        &with(messages(), "replyToken", token),
    );
    let usage =
        |scene: &Scene| scene.get("/v2/bot/message/quota/consumption")["totalUsage"].clone();
    assert_eq!(usage(&scene), 3);
    let three = with(messages(), "to", json!([USER, USER, USER]));
    let key = [("X-Line-Retry-Key", KEY)];
    let seen = scene.call_with("POST", "/v2/bot/message/multicast", Some(&three), &key);
    assert_eq!(
        (seen.status, seen.message().as_str()),
        (429, "You have reached your monthly limit.")
    );
    assert_eq!(
        scene.push(&[]).status,
        200,
        "nothing was taken by the refused one"
    );
    scene.pass(31 * DAY);
    assert_eq!(usage(&scene), 0);
    let again = scene.call_with("POST", "/v2/bot/message/multicast", Some(&three), &key);
    assert_eq!(again.status, 200, "a new month");
}

#[test]
fn an_unlimited_plan_says_so() {
    let scene = Scene::with(Settings {
        quota: None,
        friends: 1_000_000,
        ..Settings::default()
    });
    assert_eq!(
        scene.get("/v2/bot/message/quota"),
        json!({ "type": "none" })
    );
    assert_eq!(
        post(&scene, "/v2/bot/message/broadcast", &messages()).status,
        200
    );
    assert_eq!(
        scene.get("/v2/bot/message/quota/consumption"),
        json!({ "totalUsage": 1_000_000 })
    );
}

#[test]
fn delivery_counts_are_ready_the_day_after() {
    let scene = Scene::new();
    scene.push(&[]);
    post(
        &scene,
        "/v2/bot/message/multicast",
        &with(messages(), "to", json!([USER, USER])),
    );
    let count =
        |kind: &str, date: &str| scene.get(&format!("/v2/bot/message/delivery/{kind}?date={date}"));
    assert_eq!(count("push", "20201203"), json!({ "status": "unready" }));
    scene.pass(DAY);
    assert_eq!(
        count("push", "20201203"),
        json!({ "status": "ready", "success": 1 })
    );
    assert_eq!(
        count("multicast", "20201203"),
        json!({ "status": "ready", "success": 2 })
    );
    assert_eq!(
        count("reply", "20201203"),
        json!({ "status": "ready", "success": 0 })
    );
    assert_eq!(
        count("broadcast", "20201205"),
        json!({ "status": "unready" })
    );
    assert_eq!(
        count("push", "20180330"),
        json!({ "status": "out_of_service" })
    );
    for wrong in ["?date=2020-12-03", "?date=20191232", ""] {
        let seen = scene.call(
            "GET",
            &format!("/v2/bot/message/delivery/push{wrong}"),
            None,
        );
        let expected = json!({ "message": "The value for the 'date' parameter is invalid" });
        assert_eq!((seen.status, seen.json()), (400, expected), "{wrong}");
    }
}

#[test]
fn recipients_are_judged_as_documented() {
    let unreachable = BTreeSet::from([format!("U{}", "f".repeat(32))]);
    let scene = Scene::with(Settings {
        unreachable: unreachable.clone(),
        ..Settings::default()
    });
    let refused = |kind: &str, to: Value| {
        let body = with(messages(), "to", to);
        let seen = post(&scene, &format!("/v2/bot/message/{kind}"), &body);
        assert_eq!(seen.status, 400, "{kind}");
        seen.message()
    };
    let at = |property: &str| {
        format!("The property, {property}, in the request body is invalid (line: -, column: -)")
    };
    assert_eq!(refused("push", json!("linetaro")), at("'to'"));
    assert_eq!(refused("push", json!([USER])), at("'to'"));
    assert_eq!(
        refused("push", json!(unreachable.first())),
        "Failed to send messages"
    );
    assert_eq!(refused("multicast", json!(USER)), at("'to'"));
    assert_eq!(
        refused("multicast", json!([USER, format!("C{}", &USER[1..])])),
        at("to[1]")
    );
    assert_eq!(
        refused("multicast", json!(vec![USER; 501])),
        "The request body has 1 error(s)"
    );
    assert_eq!(
        refused("multicast", json!([])),
        "The request body has 1 error(s)"
    );
    assert_eq!(refused("broadcast", json!(USER)), at("'to'"));
    assert!(scene.sandbox.delivered().is_empty());
}

#[test]
fn bodies_are_json_and_say_so() {
    let scene = Scene::new();
    let mut client = scene.client();
    let post = |kind: &str, body: &str| {
        let fields = [
            ("Authorization", "Bearer sandbox-token"),
            ("Content-Type", kind),
        ];
        super::plain_client::head("POST", "/v2/bot/message/push", &fields, body.len()) + body
    };
    client.send(post("text/plain", "{}"));
    let seen = client.read().unwrap();
    assert_eq!(
        (seen.status, seen.message().as_str()),
        (415, "The content type, text/plain, is not supported")
    );
    client.send(post("application/json; charset=utf-8", "{\n  \"to\": }"));
    let seen = client.read().unwrap();
    let text = "The request body could not be parsed as JSON (line: 2, column: 9)";
    assert_eq!((seen.status, seen.message().as_str()), (400, text));
    client.send(post("application/json", "[]"));
    assert_eq!(client.read().unwrap().status, 400);
}

#[test]
fn validation_looks_at_messages_and_delivers_nothing() {
    let scene = Scene::new();
    for kind in ["reply", "push", "multicast", "narrowcast", "broadcast"] {
        let target = format!("/v2/bot/message/validate/{kind}");
        let seen = post(&scene, &target, &messages());
        assert_eq!((seen.status, seen.json()), (200, json!({})), "{kind}");
        let seen = post(&scene, &target, &json!({ "messages": [{}] }));
        let detail = json!({ "message": "May not be empty", "property": "messages[0].type" });
        assert_eq!(
            (seen.status, &seen.json()["details"][0]),
            (400, &detail),
            "{kind}"
        );
    }
    assert!(scene.sandbox.delivered().is_empty());
}

#[test]
fn aggregation_units_are_one_word() {
    let scene = Scene::new();
    let push = |units: Value| {
        let body = with(push_body("Hello"), "customAggregationUnits", units);
        post(&scene, "/v2/bot/message/push", &body).status
    };
    assert_eq!(push(json!(["Promotion_a"])), 200);
    for wrong in [
        json!(["promo-a"]),
        json!(["a", "b"]),
        json!(["a".repeat(31)]),
        json!("a"),
    ] {
        assert_eq!(push(wrong.clone()), 400, "{wrong}");
    }
}

#[test]
fn the_loading_animation_is_for_people() {
    let scene = Scene::new();
    let start = |body: Value| {
        let seen = post(&scene, "/v2/bot/chat/loading/start", &body);
        (seen.status, seen.json())
    };
    assert_eq!(start(json!({ "chatId": USER })), (202, json!({})));
    assert_eq!(
        start(json!({ "chatId": USER, "loadingSeconds": 60 })).0,
        202
    );
    let (status, body) = start(json!({ "chatId": USER, "loadingSeconds": 4 }));
    let expected = json!({ "message": "The request body has 2 error(s)", "details": [
        { "message": "Must be between 5 and 60", "property": "loadingSeconds" },
        { "message": "must be a multiple of five", "property": "loadingSeconds" }] });
    assert_eq!((status, body), (400, expected));
    let (status, body) = start(json!({ "chatId": format!("C{}", &USER[1..]) }));
    assert_eq!(
        (status, &body["details"][0]["property"]),
        (400, &json!("chatId"))
    );
}

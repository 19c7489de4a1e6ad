//! Messages to phone numbers, flexible and from templates, and mission stickers.

use std::collections::BTreeSet;

use line_connector_sandbox::Settings;
use serde_json::{Value, json};

use super::plain_client::Seen;
use super::sends::{DAY, post, with};
use super::{Scene, USER, push_body};

/// The hash of `+818000001234`.
const NUMBER: &str = "d41e0ad70dddfeb68f149ad6fc61574b9c5780ab7bcb2fba5517771ffbb2409c";

fn flexible() -> Value {
    with(push_body("Hello"), "to", json!(NUMBER))
}

/// LINE's own sample.
fn templated() -> Value {
    json!({
        "to": NUMBER,
        "templateKey": "shipment_completed_ja",
        "body": {
            "emphasizedItem": { "itemKey": "date_002_ja", "content": "Aug 10, 2024" },
            "items": [
                { "itemKey": "time_range_001_ja", "content": "A.M." },
                { "itemKey": "number_001_ja", "content": "1234567" },
            ],
            "buttons": [
                { "buttonKey": "contact_ja", "url": "https://example.com/ContactUs/" },
            ],
        },
    })
}

fn send_flexible(scene: &Scene, body: &Value) -> Seen {
    post(scene, "/bot/pnp/push", body)
}

fn send_templated(scene: &Scene, body: &Value) -> Seen {
    post(scene, "/v2/bot/message/pnp/templated/push", body)
}

fn detail(seen: &Seen) -> (String, String) {
    let detail = &seen.json()["details"][0];
    let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    (text("message"), text("property"))
}

#[test]
fn messages_to_numbers_are_delivered_and_counted() {
    let scene = Scene::new();
    let seen = send_flexible(&scene, &flexible());
    assert_eq!((seen.status, seen.json()), (200, json!({})));
    for _ in 0..2 {
        let seen = send_templated(&scene, &templated());
        assert_eq!((seen.status, seen.json()), (202, json!({})));
    }
    let usage = scene.get("/v2/bot/message/quota/consumption");
    assert_eq!(usage["totalUsage"], 0, "they are billed apart");
    let delivered = scene.sandbox.delivered();
    assert_eq!(
        (delivered[0].kind.as_str(), &delivered[0].to),
        ("pnp", &json!(NUMBER))
    );
    assert_eq!(delivered[1].kind, "pnp/templated");
    assert_eq!(
        delivered[1].messages["templateKey"],
        "shipment_completed_ja"
    );
    assert_eq!(delivered[1].messages["body"], templated()["body"]);
    scene.pass(DAY);
    let count = |kind: &str| scene.get(&format!("/v2/bot/message/delivery/{kind}?date=20201203"));
    assert_eq!(count("pnp"), json!({ "status": "ready", "success": 1 }));
    assert_eq!(
        count("pnp/templated"),
        json!({ "status": "ready", "success": 2 })
    );
}

#[test]
fn a_number_is_a_hash_and_must_be_reachable() {
    let scene = Scene::with(Settings {
        unreachable: BTreeSet::from([NUMBER.to_owned()]),
        ..Settings::default()
    });
    let text = "The value must be a valid SHA-256 digest.".to_owned();
    for wrong in [USER, "+818000001234", &NUMBER[1..]] {
        for seen in [
            send_flexible(&scene, &with(flexible(), "to", json!(wrong))),
            send_templated(&scene, &with(templated(), "to", json!(wrong))),
        ] {
            assert_eq!(seen.status, 400, "{wrong}");
            assert_eq!(detail(&seen), (text.clone(), "to".to_owned()));
        }
    }
    for seen in [
        send_flexible(&scene, &flexible()),
        send_templated(&scene, &templated()),
    ] {
        let text = "Failed to send messages".to_owned();
        assert_eq!((seen.status, seen.message()), (422, text));
    }
    assert!(scene.sandbox.delivered().is_empty());
}

#[test]
fn a_delivery_tag_has_sixteen_to_a_hundred_characters() {
    let scene = Scene::new();
    for (length, status) in [(15, 400), (16, 200), (100, 200), (101, 400)] {
        let tag = "t".repeat(length);
        let fields = [("X-Line-Delivery-Tag", tag.as_str())];
        let seen = scene.call_with("POST", "/bot/pnp/push", Some(&flexible()), &fields);
        assert_eq!(seen.status, status, "{length}");
    }
}

#[test]
fn a_flexible_message_holds_no_media() {
    let scene = Scene::new();
    let image = json!({ "type": "image", "originalContentUrl": "https://example.com/a.png",
        "previewImageUrl": "https://example.com/b.png" });
    let seen = send_flexible(&scene, &with(flexible(), "messages", json!([image])));
    assert_eq!(seen.status, 400);
    assert_eq!(detail(&seen).1, "messages[0].type");
    let seen = send_flexible(&scene, &with(flexible(), "messages", json!([])));
    assert_eq!(detail(&seen).0, "Size must be between 1 and 5");
}

#[test]
fn a_template_is_filled_in_as_documented() {
    let scene = Scene::new();
    let send = |pointer: &str, value: Value| {
        let mut body = templated();
        *body.pointer_mut(pointer).unwrap() = value;
        send_templated(&scene, &body)
    };
    let seen = send("/templateKey", json!("reserve_004"));
    assert_eq!(seen.message(), "Invalid templateKey: reserve_004");
    assert_eq!(detail(&seen).1, "templateKey");
    let seen = send("/body/items/0/itemKey", json!("datetime_000"));
    assert_eq!(seen.message(), "The request body has 1 invalid key(s).");
    let text = "The specified item key does not exist: datetime_000".to_owned();
    assert_eq!(detail(&seen), (text, "body.items[0].itemKey".to_owned()));
    let seen = send("/body/items/1/itemKey", json!("date_002_ja"));
    let rule = "Duplicate itemKey in items or between emphasizedItem and items are not allowed";
    let place = "body.emphasizedItem.itemKey".to_owned();
    assert_eq!(detail(&seen), (format!("{rule}: date_002_ja"), place));
    let item = json!({ "itemKey": "a_ja", "content": "x" });
    for (pointer, value, text) in [
        (
            "/body/emphasizedItem/content",
            json!("x".repeat(16)),
            "Length must be between 0 and 15",
        ),
        (
            "/body/items/0/content",
            json!("x".repeat(301)),
            "Length must be between 0 and 300",
        ),
        (
            "/body/items",
            json!(vec![item; 16]),
            "Size must be between 0 and 15",
        ),
        ("/body/buttons/0/url", json!(""), "May not be empty"),
    ] {
        let seen = send(pointer, value);
        assert_eq!(
            (seen.status, detail(&seen).0.as_str()),
            (400, text),
            "{pointer}"
        );
    }
    let bare = json!({ "to": NUMBER, "templateKey": "shipment_completed_ja" });
    assert_eq!(
        send_templated(&scene, &bare).status,
        202,
        "a body is optional"
    );
}

#[test]
fn mission_stickers_are_answered_with_nothing() {
    let scene = Scene::new();
    let body = json!({ "to": USER, "productId": "1234", "productType": "STICKER",
        "sendPresentMessage": false });
    let seen = post(&scene, "/shop/v3/mission", &body);
    assert_eq!((seen.status, seen.body.len()), (200, 0));
    for (name, wrong, status, text) in [
        ("to", json!("taro"), 400, "invalid request"),
        ("productType", json!("THEME"), 400, "invalid request"),
        ("sendPresentMessage", json!(true), 400, "invalid request"),
        ("productId", json!("none"), 404, "not found"),
    ] {
        let seen = post(&scene, "/shop/v3/mission", &with(body.clone(), name, wrong));
        assert_eq!(
            (seen.status, seen.message().as_str()),
            (status, text),
            "{name}"
        );
    }
}

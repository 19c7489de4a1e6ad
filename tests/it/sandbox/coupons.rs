//! Coupons: what may be in one, and their life from creation to the end.

use std::time::Duration;

use serde_json::{Value, json};

use super::Scene;
use super::sends::{DAY, post, with};

const COUPONS: &str = "/v2/bot/coupon";
const NOW: u64 = 1_606_990_530;

fn coupon() -> Value {
    json!({
        "title": "Friends-only coupon",
        "description": "- Redeemable once only.\n- May be canceled.",
        "reward": { "type": "discount", "priceInfo": { "type": "fixed", "fixedAmount": 100 } },
        "acquisitionCondition": { "type": "normal" },
        "startTimestamp": 0,
        "endTimestamp": NOW + 86_400,
        "timezone": "ASIA_TOKYO",
        "visibility": "UNLISTED",
        "maxUseCountPerTicket": 1,
    })
}

fn create(scene: &Scene, title: &str) -> String {
    let seen = post(scene, COUPONS, &with(coupon(), "title", json!(title)));
    assert_eq!(seen.status, 200, "{}", seen.text());
    seen.json()["couponId"].as_str().unwrap().to_owned()
}

fn fault(message: &str, property: &str) -> Value {
    json!({ "message": "The request body has 1 error(s)",
        "details": [{ "message": message, "property": property }] })
}

#[test]
fn a_coupon_is_created_and_read() {
    let scene = Scene::new();
    let id = create(&scene, "Friends-only coupon");
    assert_eq!(id.len(), 26);
    let mut expected = coupon();
    expected["reward"]["priceInfo"]["currency"] = json!("JPY");
    for (name, value) in [
        ("couponId", json!(id)),
        ("maxTicketPerUser", json!(1)),
        ("status", json!("RUNNING")),
        ("createdTimestamp", json!(NOW)),
    ] {
        expected[name] = value;
    }
    assert_eq!(scene.get(&format!("{COUPONS}/{id}")), expected);
    let seen = scene.call("GET", &format!("{COUPONS}/01J"), None);
    let missing = fault("coupon not found", "");
    assert_eq!((seen.status, seen.json()), (404, missing));
}

#[test]
fn a_coupon_is_closed_once() {
    let scene = Scene::new();
    let id = create(&scene, "a");
    let close = |id: &str| {
        let seen = scene.call("PUT", &format!("{COUPONS}/{id}/close"), None);
        (seen.status, seen.json())
    };
    assert_eq!(close(&id), (200, json!({})));
    assert_eq!(scene.get(&format!("{COUPONS}/{id}"))["status"], "CLOSED");
    let gone = fault("The coupon has already been closed.", "");
    assert_eq!(close(&id), (410, gone.clone()));
    assert_eq!(close("01J"), (404, fault("coupon not found", "")));
    let second = create(&scene, "b");
    scene.pass(DAY);
    assert_eq!(close(&second), (410, gone), "its time is over");
}

#[test]
fn a_coupon_is_judged_in_lines_words() {
    let scene = Scene::new();
    let refused = |pointer: &str, value: Value| {
        let mut body = coupon();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[key] = value;
        let seen = post(&scene, COUPONS, &body);
        assert_eq!(seen.status, 400, "{pointer}");
        seen.json()
    };
    let size = fault("Size must be between 1 and 60", "title");
    assert_eq!(refused("/title", json!("a".repeat(61))), size);
    assert_eq!(refused("/title", json!("")), size);
    let text = "Must be one of the following values: [discount,free,gift,cashBack,others]";
    assert_eq!(
        refused("/reward/type", json!("x")),
        fault(text, "reward.type")
    );
    let text = "Must not be specified";
    assert_eq!(
        refused("/reward/priceInfo/percentage", json!(5)),
        fault(text, "reward.priceInfo.percentage")
    );
    let free = fault(text, "reward.priceInfo");
    assert_eq!(refused("/reward/type", json!("free")), free);
    let missing = refused("/reward/priceInfo", json!({ "type": "percentage" }));
    assert_eq!(
        missing["details"][0]["property"],
        "reward.priceInfo.percentage"
    );
    for (pointer, value) in [
        ("/endTimestamp", json!(NOW)),
        ("/startTimestamp", json!(NOW + 86_400)),
        ("/timezone", json!("Asia/Tokyo")),
        ("/maxUseCountPerTicket", json!(2)),
        ("/visibility", json!("PRIVATE")),
        ("/couponCode", json!("a".repeat(17))),
        ("/usageCondition", json!("a".repeat(101))),
        ("/description", json!("a".repeat(1001))),
        ("/imageUrl", json!("http://example.com/a.png")),
        ("/acquisitionCondition/type", json!("referral")),
        ("/acquisitionCondition/type", json!("lottery")),
        ("/reward", Value::Null),
        ("/reward/priceInfo/fixedAmount", json!(0)),
    ] {
        refused(pointer, value);
    }
    let explicit = json!({ "type": "cashBack", "priceInfo": { "type": "explicit",
        "originalPrice": 2, "priceAfterDiscount": 1 } });
    refused("/reward", explicit);
}

#[test]
fn every_kind_of_reward_is_taken() {
    let scene = Scene::new();
    let lottery = json!({ "type": "lottery", "lotteryProbability": 50, "maxAcquireCount": -1 });
    for reward in [
        json!({ "type": "discount", "priceInfo": { "type": "percentage", "percentage": 99 } }),
        json!({ "type": "discount", "priceInfo": { "type": "explicit",
            "originalPrice": 12_000, "priceAfterDiscount": 9500 } }),
        json!({ "type": "cashBack", "priceInfo": { "type": "fixed", "fixedAmount": 100 } }),
        json!({ "type": "free" }),
        json!({ "type": "gift" }),
        json!({ "type": "others" }),
    ] {
        let body = with(coupon(), "reward", reward);
        let body = with(body, "acquisitionCondition", lottery.clone());
        let seen = post(&scene, COUPONS, &body);
        assert_eq!(seen.status, 200, "{}", seen.text());
    }
}

#[test]
fn coupons_are_listed_newest_first_in_pages() {
    let scene = Scene::new();
    assert_eq!(scene.get(COUPONS), json!({ "items": [] }));
    let ids: Vec<String> = (0..5).map(|n| create(&scene, &format!("{n}"))).collect();
    let titles = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| item["title"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = scene.get(&format!("{COUPONS}?limit=2"));
    assert_eq!(titles(&first), ["4", "3"]);
    create(&scene, "meanwhile");
    let next = first["next"].as_str().unwrap();
    let second = scene.get(&format!("{COUPONS}?limit=3&start={next}"));
    assert_eq!(titles(&second), ["2", "1", "0"]);
    assert_eq!(second.get("next"), None);
    scene.call("PUT", &format!("{COUPONS}/{}/close", ids[1]), None);
    let closed = scene.get(&format!("{COUPONS}?status=CLOSED"));
    assert_eq!(titles(&closed), ["1"]);
    for query in ["status=DRAFT&status=RUNNING", "status=DRAFT,RUNNING"] {
        assert_eq!(titles(&scene.get(&format!("{COUPONS}?{query}"))).len(), 5);
    }
    let refused = |query: &str| {
        let seen = scene.call("GET", &format!("{COUPONS}?{query}"), None);
        assert_eq!(seen.status, 400, "{query}");
        seen.json()
    };
    let text = "Must be one of the following values: [DRAFT,RUNNING,CLOSED]";
    assert_eq!(refused("status=x"), fault(text, "status"));
    let text = "Must be less than or equal to 100";
    assert_eq!(refused("limit=101"), fault(text, "limit"));
    refused("limit=0");
    let stale = json!({ "message": "Invalid start param" });
    assert_eq!(refused("start=x"), stale);
    scene.pass(Duration::from_secs(86_399));
    scene.get(&format!("{COUPONS}?start={next}"));
    scene.pass(Duration::from_secs(1));
    assert_eq!(refused(&format!("start={next}")), stale);
}

//! Statistics: of the account, of messages and of rich menus, and what is kept back of them.

use line_connector_sandbox::Settings;
use serde_json::{Value, json};

use super::plain_client::Seen;
use super::richmenus::create_with_image;
use super::sends::{DAY, post, with};
use super::{KEY, Scene, USER, messages, push_body};

fn refused(seen: &Seen, text: &str) {
    let expected = json!({ "message": text });
    assert_eq!((seen.status, seen.json()), (400, expected));
}

#[test]
fn deliveries_of_a_day_are_counted_when_it_is_over() {
    let scene = Scene::new();
    scene.push(&[]);
    post(&scene, "/v2/bot/message/broadcast", &messages());
    let target = "/v2/bot/insight/message/delivery?date=";
    let day = format!("{target}20201203");
    assert_eq!(scene.get(&day), json!({ "status": "unready" }));
    scene.pass(DAY);
    let ready = scene.get(&day);
    assert_eq!(
        (&ready["status"], &ready["apiPush"], &ready["apiBroadcast"]),
        (&json!("ready"), &json!(1), &json!(120))
    );
    let old = scene.get(&format!("{target}20170228"));
    assert_eq!(old, json!({ "status": "out_of_service" }));
    for date in ["20191232", "2019-12-31", ""] {
        refused(
            &scene.call("GET", &format!("{target}{date}"), None),
            "Bad Request",
        );
    }
}

#[test]
fn followers_are_null_until_they_are_counted() {
    let scene = Scene::new();
    let target = "/v2/bot/insight/followers";
    let of = |day: &str| scene.get(&format!("{target}?date={day}"));
    let nothing = |status: &str| json!({ "status": status, "followers": null, "targetedReaches": null, "blocks": null });
    assert_eq!(of("20201203"), nothing("unready"));
    assert_eq!(of("20161031"), nothing("out_of_service"));
    let ready = json!({ "status": "ready", "followers": 126, "targetedReaches": 120, "blocks": 6 });
    assert_eq!(of("20201202"), ready);
    refused(&scene.call("GET", target, None), "date is required");
    let malformed = format!("{target}?date=1");
    refused(&scene.call("GET", &malformed, None), "Bad Request");
}

#[test]
fn demographics_need_twenty_people() {
    let percent = |list: &Value| -> f64 {
        let shares = list.as_array().unwrap().iter();
        shares
            .map(|share| share["percentage"].as_f64().unwrap())
            .sum()
    };
    let many = Scene::new().get("/v2/bot/insight/demographic");
    assert_eq!(many["available"], true);
    for list in [
        "genders",
        "ages",
        "areas",
        "appTypes",
        "subscriptionPeriods",
    ] {
        assert!((percent(&many[list]) - 100.0).abs() < 0.01, "{list}");
    }
    let few = Scene::with(Settings {
        friends: 19,
        ..Settings::default()
    });
    let expected = json!({ "available": false, "genders": [], "ages": [], "areas": [],
        "appTypes": [], "subscriptionPeriods": [] });
    assert_eq!(few.get("/v2/bot/insight/demographic"), expected);
}

#[test]
fn reactions_to_a_broadcast_are_shares_of_the_people() {
    let scene = Scene::new();
    let imagemap = json!({ "type": "imagemap", "baseUrl": "https://example.com/i", "altText": "a",
        "baseSize": { "width": 1040, "height": 1040 }, "actions": [{ "type": "uri",
            "linkUri": "https://example.com/", "area": { "x": 0, "y": 0, "width": 9, "height": 9 } }] });
    let video = json!({ "type": "video", "originalContentUrl": "https://example.com/v.mp4",
        "previewImageUrl": "https://example.com/p.png" });
    let body = json!({ "messages": [imagemap, video] });
    let seen = post(&scene, "/v2/bot/message/broadcast", &body);
    assert_eq!(seen.status, 200, "{}", seen.text());
    let id = seen.field("x-line-request-id").unwrap();
    let shown = scene.get(&format!("/v2/bot/insight/message/event?requestId={id}"));
    let overview = json!({ "requestId": id, "timestamp": 1_606_990_530, "delivered": 120,
        "uniqueImpression": 90, "uniqueClick": 60, "uniqueMediaPlayed": 60,
        "uniqueMediaPlayed100Percent": 30 });
    assert_eq!(shown["overview"], overview);
    assert_eq!(
        (
            &shown["messages"][0]["seq"],
            &shown["messages"][0]["mediaPlayed"]
        ),
        (&json!(1), &Value::Null)
    );
    assert_eq!(shown["messages"][1]["uniqueMediaPlayed25Percent"], 50);
    let click = json!([{ "seq": 1, "url": "https://example.com/", "click": 60,
        "uniqueClick": 60, "uniqueClickOfRequest": 60 }]);
    assert_eq!(shown["clicks"], click);
}

#[test]
fn reactions_to_few_and_to_what_is_still_on_its_way_are_kept_back() {
    let few = Scene::with(Settings {
        friends: 19,
        ..Settings::default()
    });
    let event = |scene: &Scene, seen: &Seen| {
        let id = seen.field("x-line-request-id").unwrap();
        scene.get(&format!("/v2/bot/insight/message/event?requestId={id}"))
    };
    let seen = post(&few, "/v2/bot/message/broadcast", &messages());
    let shown = event(&few, &seen);
    assert_eq!(
        (
            &shown["overview"]["delivered"],
            &shown["overview"]["uniqueImpression"]
        ),
        (&json!(19), &Value::Null)
    );
    assert_eq!(
        (&shown["messages"], &shown["clicks"]),
        (&json!([]), &json!([]))
    );
    let scene = Scene::new();
    let seen = post(&scene, "/v2/bot/message/narrowcast", &messages());
    assert_eq!(event(&scene, &seen)["overview"]["delivered"], Value::Null);
    let id = seen.field("x-line-request-id").unwrap();
    for _ in 0..3 {
        scene.get(&format!(
            "/v2/bot/message/progress/narrowcast?requestId={id}"
        ));
    }
    assert_eq!(event(&scene, &seen)["overview"]["delivered"], 120);
    let pushed = scene.push(&[]);
    let id = pushed.field("x-line-request-id").unwrap();
    let target = format!("/v2/bot/insight/message/event?requestId={id}");
    assert_eq!(
        scene.call("GET", &target, None).status,
        404,
        "a push has none"
    );
    let target = "/v2/bot/insight/message/event";
    assert_eq!(scene.call("GET", target, None).status, 400);
}

#[test]
fn units_add_up_over_their_days() {
    let scene = Scene::with(Settings {
        quota: None,
        ..Settings::default()
    });
    let unit = json!(["Promotion_a"]);
    let to = with(messages(), "to", json!(vec![USER; 30]));
    for _ in 0..2 {
        let body = with(to.clone(), "customAggregationUnits", unit.clone());
        let seen = post(&scene, "/v2/bot/message/multicast", &body);
        assert_eq!(seen.status, 200, "{}", seen.text());
        scene.pass(DAY);
    }
    let alone = with(push_body("a"), "customAggregationUnits", unit);
    assert_eq!(post(&scene, "/v2/bot/message/push", &alone).status, 200);
    let target = "/v2/bot/insight/message/event/aggregation";
    let of = |query: &str| scene.call("GET", &format!("{target}?{query}"), None);
    let whole = of("customAggregationUnit=Promotion_a&from=20201203&to=20210102").json();
    let overview = json!({ "uniqueImpression": 45, "uniqueClick": 30,
        "uniqueMediaPlayed": null, "uniqueMediaPlayed100Percent": null });
    assert_eq!(whole["overview"], overview);
    assert_eq!(whole["messages"][0]["uniqueImpression"], 45);
    let day = of("customAggregationUnit=Promotion_a&from=20201204&to=20201204").json();
    assert_eq!(day["overview"]["uniqueImpression"], 22);
    let other = of("customAggregationUnit=promotion_a&from=20201203&to=20201205").json();
    assert_eq!(
        (&other["overview"]["uniqueClick"], &other["messages"]),
        (&Value::Null, &json!([]))
    );
    let nothing = json!({ "message": null, "key": null, "stacktrace": null, "code": null });
    for query in [
        "",
        "customAggregationUnit=a&from=20201203",
        "from=20201203&to=20201203",
        "customAggregationUnit=a&from=20201203&to=20210103",
        "customAggregationUnit=a&from=20201203&to=20201202",
    ] {
        let seen = of(query);
        assert_eq!(
            (seen.status, seen.json()),
            (400, nothing.clone()),
            "{query}"
        );
    }
}

#[test]
fn rich_menus_are_counted_by_day_and_in_all() {
    let scene = Scene::new();
    // 2024-12-02, when LINE counts rich menus.
    scene.pass(1460 * DAY);
    let id = create_with_image(&scene);
    let of = |kind: &str, query: &str| {
        let target = format!("/v2/bot/insight/richmenu/{id}/{kind}?{query}");
        scene.call("GET", &target, None)
    };
    let around = "from=20241101&to=20241231";
    assert_eq!(of("summary", around).json(), json!({ "richMenuId": id }));
    scene.pass(2 * DAY);
    let bounds = json!({ "x": 0, "y": 0, "width": 2500, "height": 1686 });
    let expected = json!({ "richMenuId": id, "metricsFrom": "20241202", "metricsTo": "20241203",
        "impression": { "metrics": { "count": 180, "uniqueUsers": 90 } },
        "clicks": [{ "bounds": bounds, "metrics": { "count": 120, "uniqueUsers": 60 } }] });
    assert_eq!(of("summary", around).json(), expected);
    let daily = of("daily", around).json();
    let day = |date: &str| json!({ "date": date, "count": 90, "uniqueUsers": 90 });
    let days = json!([day("20241202"), day("20241203")]);
    assert_eq!(daily["impression"]["metrics"], days);
    refused(&of("summary", "from=2024&to=20241231"), "Bad Request");
    let text = "Parameter to must be the same date as, or after parameter from.";
    refused(&of("summary", "from=20241231&to=20241230"), text);
    assert_eq!(of("summary", "from=20231101&to=20241201").status, 200);
    let text = "Date range exceeds. Max range is 396 days.";
    refused(&of("summary", "from=20231101&to=20241202"), text);
    assert_eq!(of("daily", "from=20241101&to=20250208").status, 200);
    let text = "Date range exceeds. Max range is 99 days.";
    refused(&of("daily", "from=20241101&to=20250209"), text);
    let text = "Parameter from must be the same date as, or after 2023-06-29.";
    refused(&of("daily", "from=20230628&to=20230629"), text);
    let unknown = format!(
        "/v2/bot/insight/richmenu/richmenu-{}/daily?{around}",
        &KEY[..8]
    );
    assert_eq!(scene.call("GET", &unknown, None).status, 404);
}

//! Narrowcasts: their phases by poll and by the clock, whom they reach, what they reserve, and how
//! they are refused. What they share with the other sends is tested there.

use std::collections::BTreeMap;
use std::time::Duration;

use line_connector_sandbox::{Audience, Pace, Settings};
use serde_json::{Value, json};

use super::plain_client::Seen;
use super::sends::{DAY, post, with};
use super::{Scene, messages};

fn narrowcast(scene: &Scene, body: &Value) -> Seen {
    post(scene, "/v2/bot/message/narrowcast", body)
}

fn progress_of(seen: &Seen) -> String {
    assert_eq!(seen.status, 202, "{}", seen.text());
    let id = seen.field("x-line-request-id").unwrap();
    format!("/v2/bot/message/progress/narrowcast?requestId={id}")
}

#[test]
fn a_narrowcast_advances_with_each_poll() {
    let scene = Scene::new();
    let target = progress_of(&narrowcast(&scene, &messages()));
    let accepted = "2020-12-03T10:15:30.121Z";
    assert_eq!(
        scene.get(&target),
        json!({ "phase": "waiting", "acceptedTime": accepted })
    );
    scene.pass(Duration::from_mins(1));
    let counts = |phase: &str, success: u64| {
        json!({ "phase": phase, "successCount": success, "failureCount": 0, "targetCount": 120,
            "acceptedTime": accepted })
    };
    assert_eq!(scene.get(&target), counts("sending", 0));
    let done = with(
        counts("succeeded", 120),
        "completedTime",
        json!("2020-12-03T10:16:30.121Z"),
    );
    assert_eq!(scene.get(&target), done);
    scene.pass(Duration::from_mins(1));
    assert_eq!(scene.get(&target), done);
    assert_eq!(
        scene.get("/v2/bot/message/quota/consumption"),
        json!({ "totalUsage": 120 })
    );
    scene.pass(14 * DAY);
    let gone = scene.call("GET", &target, None);
    assert_eq!(
        (gone.status, gone.json()),
        (404, json!({ "message": "Not found" }))
    );
    let malformed = "/v2/bot/message/progress/narrowcast?requestId=x";
    assert_eq!(scene.call("GET", malformed, None).status, 400);
}

#[test]
fn a_narrowcast_can_advance_by_the_clock_and_holds_its_quota_meanwhile() {
    let pace = Pace::Timed {
        sending: Duration::from_secs(1),
        done: Duration::from_secs(3),
    };
    let scene = Scene::with(Settings {
        pace,
        quota: Some(120),
        ..Settings::default()
    });
    let target = progress_of(&narrowcast(&scene, &messages()));
    assert_eq!(scene.get(&target)["phase"], "waiting");
    assert_eq!(
        scene.get("/v2/bot/message/quota/consumption"),
        json!({ "totalUsage": 0 })
    );
    assert_eq!(scene.push(&[]).status, 429, "the room is reserved");
    scene.pass(Duration::from_secs(1));
    assert_eq!(scene.get(&target)["phase"], "sending");
    scene.pass(Duration::from_secs(9));
    assert_eq!(
        scene.get("/v2/bot/message/quota/consumption"),
        json!({ "totalUsage": 120 })
    );
    let done = scene.get(&target);
    assert_eq!(
        (&done["phase"], &done["completedTime"]),
        (&json!("succeeded"), &json!("2020-12-03T10:15:33.121Z"))
    );
}

#[test]
fn a_narrowcast_to_too_few_fails_later_or_at_once() {
    let audiences = BTreeMap::from([
        (
            1,
            Audience {
                size: 49,
                restricted: true,
            },
        ),
        (
            2,
            Audience {
                size: 80,
                restricted: false,
            },
        ),
    ]);
    let scene = Scene::with(Settings {
        audiences,
        friends: 99,
        ..Settings::default()
    });
    let audience = |id: u64| json!({ "type": "audience", "audienceGroupId": id });
    let failed = |recipient: Value| {
        let target = progress_of(&narrowcast(
            &scene,
            &with(messages(), "recipient", recipient),
        ));
        scene.get(&target);
        let failed = scene.get(&target);
        assert_eq!(
            (&failed["phase"], &failed["successCount"]),
            (&json!("failed"), &json!(0))
        );
        assert!(failed["failedDescription"].is_string() && failed["completedTime"].is_string());
        failed["errorCode"].clone()
    };
    assert_eq!(failed(audience(1)), 2);
    let either = json!({ "type": "operator", "or": [audience(1), audience(2)] });
    assert_eq!(failed(either), 4);
    let filter = json!({ "demographic": { "type": "gender", "oneOf": ["male"] } });
    let seen = narrowcast(&scene, &with(messages(), "filter", filter));
    let expected = json!({ "message": "Your account does not have enough friends" });
    assert_eq!((seen.status, seen.json()), (403, expected));
    assert_eq!(
        scene.get("/v2/bot/message/quota/consumption"),
        json!({ "totalUsage": 0 })
    );
}

#[test]
fn narrowcast_refusals_are_the_documented_ones() {
    let scene = Scene::new();
    let refused = |name: &str, value: Value| {
        let seen = narrowcast(&scene, &with(messages(), name, value));
        assert_eq!(seen.status, 400);
        seen.message()
    };
    let unknown = json!({ "type": "audience", "audienceGroupId": 1_234_567_890_123_u64 });
    assert_eq!(
        refused("recipient", unknown),
        "Invalid audience group id: 1234567890123"
    );
    let id = "5b59509c-c57b-11e9-aa8c-2a2ae2dbcce4";
    let redelivery = json!({ "type": "redelivery", "requestId": id });
    assert_eq!(
        refused("recipient", redelivery),
        format!("Invalid request id: {id}")
    );
    let misuse = "The option forbidPartialDelivery must be used with upToRemainingQuota.";
    assert_eq!(
        refused("limit", json!({ "forbidPartialDelivery": true })),
        misuse
    );
    let audience = json!({ "type": "audience", "audienceGroupId": 5_614_991_017_776_u64 });
    let two = json!({ "type": "operator", "and": [audience], "or": [audience] });
    assert_eq!(refused("recipient", two), "The request body has 1 error(s)");
    let eleven = json!({ "type": "operator", "or": vec![audience; 11] });
    assert_eq!(
        refused("recipient", eleven),
        "The request body has 1 error(s)"
    );
    for age in [
        json!({ "type": "age" }),
        json!({ "type": "age", "gte": "age_30", "lt": "age_20" }),
    ] {
        assert_eq!(
            refused("filter", json!({ "demographic": age })),
            "The request body has 1 error(s)"
        );
    }
}

#[test]
fn a_narrowcast_is_cut_to_the_quota_or_cancelled() {
    let scene = Scene::with(Settings {
        quota: Some(100),
        ..Settings::default()
    });
    assert_eq!(narrowcast(&scene, &messages()).status, 429);
    let capped = with(
        messages(),
        "limit",
        json!({ "max": 70, "upToRemainingQuota": true }),
    );
    let first = progress_of(&narrowcast(&scene, &capped));
    let strict = json!({ "max": 70, "upToRemainingQuota": true, "forbidPartialDelivery": true });
    let second = progress_of(&narrowcast(&scene, &with(messages(), "limit", strict)));
    scene.get(&first);
    scene.get(&second);
    assert_eq!(scene.get(&first)["targetCount"], 70);
    assert_eq!(scene.get(&second)["errorCode"], 5);
}

#[test]
fn a_succeeded_narrowcast_can_be_redelivered_to() {
    let scene = Scene::new();
    let seen = narrowcast(&scene, &messages());
    let id = seen.field("x-line-request-id").unwrap();
    let again = with(
        messages(),
        "recipient",
        json!({ "type": "redelivery", "requestId": id }),
    );
    assert_eq!(narrowcast(&scene, &again).status, 400, "not finished yet");
    let target = progress_of(&seen);
    for _ in 0..3 {
        scene.get(&target);
    }
    assert_eq!(narrowcast(&scene, &again).status, 202);
}

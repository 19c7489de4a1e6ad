//! Rate budgets: calls wait for their turn instead of meeting LINE's 429, in order and no longer than
//! they are allowed to; a 429 that comes all the same slows the endpoint down.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use line_connector_client::Connector;
use line_connector_core::documents::Output;
use line_connector_core::error::Kind;
use line_connector_sandbox::Settings;
use serde_json::{Value, json};

use crate::world::{World, call, connector, push};

const PUSH: &str = "/v2/bot/message/push";

/// A world that answers 429 above a rate.
fn world(limit: &str) -> World {
    World::with(Settings {
        quota: None,
        rate_limits: vec![limit.parse().unwrap()],
        ..Settings::default()
    })
}

/// A push over an asset with rates of its own.
fn limited(world: &World, limits: &Value, options: &Value) -> Value {
    let mut asset = world.bearer();
    asset["rate_limits"] = limits.clone();
    let mut document = push(&asset);
    document["options"] = options.clone();
    document
}

fn kind(output: &Output) -> Option<Kind> {
    output.error.as_ref().map(|error| error.kind)
}

/// Makes so many calls, so many at once.
fn calls(connector: &Connector, document: &Value, count: usize, at_once: usize) -> Vec<Output> {
    let outputs = Mutex::new(Vec::new());
    let left = Mutex::new(count);
    let next = || {
        let mut left = left.lock().unwrap();
        *left = left.checked_sub(1)?;
        Some(())
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while next().is_some() {
                    let output = call(connector, document.clone());
                    outputs.lock().unwrap().push(output);
                }
            });
        }
    });
    outputs.into_inner().unwrap()
}

#[test]
fn two_thousand_calls_at_two_hundred_a_second_meet_no_429() {
    let world = world("200/s");
    let limits = json!({"send_push_message": "200/s"});
    let document = limited(&world, &limits, &json!({}));
    let begun = Instant::now();
    let outputs = calls(&connector(), &document, 2_000, 32);
    assert!(begun.elapsed() >= Duration::from_secs(9));
    assert!(outputs.iter().all(|output| output.error.is_none()));
    assert_eq!(world.sandbox.delivered().len(), 2_000);
    assert_eq!(world.count(PUSH), 2_000);
    let waited = outputs
        .iter()
        .filter_map(|output| output.meta.as_ref()?.waited_ms);
    assert!(waited.sum::<u64>() > 9_000);
}

#[test]
fn without_a_budget_the_same_calls_meet_429() {
    let world = world("20/s");
    let document = limited(&world, &json!({}), &json!({}));
    let outputs = calls(&connector(), &document, 100, 8);
    assert!(
        outputs
            .iter()
            .any(|output| kind(output) == Some(Kind::RateLimit))
    );
}

#[test]
fn a_star_limits_each_action_by_itself_and_lines_own_limit_holds_beside_it() {
    let world = world("2000/s");
    let connector = connector();
    let now = json!({"max_wait_ms": 0});
    let document = limited(&world, &json!({"*": "1/h"}), &now);
    assert_eq!(kind(&call(&connector, document.clone())), None);
    assert_eq!(
        kind(&call(&connector, document.clone())),
        Some(Kind::RateBudget)
    );
    let mut other = document;
    other["action"] = json!("send_broadcast_message");
    other["inputs"] = json!({"messages": [{"type": "text", "text": "hi"}]});
    assert_eq!(kind(&call(&connector, other.clone())), None);

    // LINE takes 60 broadcasts an hour, whatever the asset says.
    other["asset"]["rate_limits"] = json!({"send_broadcast_message": "1000/s"});
    let outputs: Vec<Output> = (0..60).map(|_| call(&connector, other.clone())).collect();
    assert!(outputs[..59].iter().all(|output| output.error.is_none()));
    let refused = outputs[59].error.as_ref().unwrap();
    assert_eq!(refused.kind, Kind::RateBudget);
    assert!(refused.message.contains("60/h"), "{}", refused.message);
    assert_eq!(world.count("/v2/bot/message/broadcast"), 60);
}

#[test]
fn lines_own_limits_can_be_left_to_a_gateway_and_not_towards_line() {
    let world = World::new();
    let connector = connector();
    let now = json!({"max_wait_ms": 0});
    let mut document = limited(&world, &json!({"send_broadcast_message": "off"}), &now);
    document["action"] = json!("send_broadcast_message");
    document["inputs"] = json!({"messages": [{"type": "text", "text": "hi"}]});
    for _ in 0..70 {
        let output = call(&connector, document.clone());
        assert_ne!(kind(&output), Some(Kind::RateBudget), "{}", output.render());
    }
    document["asset"]["url"] = json!("https://api.line.me");
    assert_eq!(kind(&call(&connector, document)), Some(Kind::InvalidAsset));
}

#[test]
fn another_channel_has_a_budget_of_its_own() {
    let world = world("2000/s");
    let connector = connector();
    let mut document = limited(&world, &json!({"*": "1/h"}), &json!({"max_wait_ms": 0}));
    assert_eq!(kind(&call(&connector, document.clone())), None);
    document["asset"]["client_id"] = json!("987");
    assert_eq!(kind(&call(&connector, document.clone())), None);
    assert_eq!(kind(&call(&connector, document)), Some(Kind::RateBudget));
}

#[test]
fn rates_of_actions_that_there_are_not_are_told_in_short() {
    let world = World::new();
    let rates = (0..2_000).map(|number| (format!("m{number}"), json!("1/s")));
    let document = limited(&world, &Value::Object(rates.collect()), &json!({}));
    let output = call(&connector(), document);
    let error = output.error.unwrap();
    assert_eq!(error.kind, Kind::InvalidAsset);
    assert_eq!(error.details.len(), 101);
    assert_eq!(error.details[0].path, "/asset/rate_limits/m0");
    assert_eq!(error.details[100].message, "and 1900 more");
}

#[test]
fn naming_anothers_channel_takes_none_of_its_permits() {
    let world = world("2000/s");
    let connector = connector();
    let victims = json!({
        "url": world.url(), "client_id": world.asset()["client_id"],
        "client_secret": world.asset()["client_secret"],
    });
    let document = |credentials: &Value| {
        let mut asset = credentials.clone();
        asset["rate_limits"] = json!({"*": "1/h"});
        let mut document = push(&asset);
        document["options"] = json!({"max_wait_ms": 0});
        document
    };
    for (kind, forged, refused) in [
        ("token", "a-token", Kind::Unauthorized),
        ("client_secret", "a-secret", Kind::TokenRefused),
    ] {
        let mut claim = victims.clone();
        claim.as_object_mut().unwrap().remove("client_secret");
        claim[kind] = json!(forged);
        let output = call(&connector, document(&claim));
        assert_eq!(output.error.map(|error| error.kind), Some(refused));
    }
    assert_eq!(kind(&call(&connector, document(&victims))), None);
    assert_eq!(
        kind(&call(&connector, document(&victims))),
        Some(Kind::RateBudget)
    );
}

#[test]
fn a_call_waits_no_longer_than_it_may_and_not_at_all_in_vain() {
    let world = world("2000/s");
    let connector = connector();
    let limits = json!({"send_push_message": "1/min"});
    let begun = Instant::now();
    let document = limited(&world, &limits, &json!({"max_wait_ms": 30_000}));
    assert_eq!(kind(&call(&connector, document.clone())), None);
    let output = call(&connector, document);
    let error = output.error.unwrap();
    assert_eq!(error.kind, Kind::RateBudget);
    assert!(error.retryable);
    assert!(error.message.contains("1/min") && error.message.contains("30000 ms"));
    // That it would be in vain was known at once.
    assert!(begun.elapsed() < Duration::from_secs(25));
    assert_eq!(world.count(PUSH), 1);

    let limits = json!({"send_push_message": "1/s"});
    let document = limited(&world, &limits, &json!({"max_wait_ms": 30_000}));
    assert_eq!(kind(&call(&connector, document.clone())), None);
    let output = call(&connector, document);
    assert!(output.error.is_none(), "{}", output.render());
    assert!(output.meta.unwrap().waited_ms.unwrap() > 100);
}

#[test]
fn a_429_for_the_rate_slows_the_endpoint_down_and_one_for_the_month_does_not() {
    let world = World::new();
    let connector = connector();
    let document = limited(&world, &json!({}), &json!({"max_wait_ms": 0}));
    world.fault(json!({"kind": "monthly_limit", "path": PUSH}));
    assert_eq!(
        kind(&call(&connector, document.clone())),
        Some(Kind::MonthlyLimit)
    );
    assert_eq!(kind(&call(&connector, document.clone())), None);

    world.fault(json!({"kind": "rate_limit", "path": PUSH}));
    assert_eq!(
        kind(&call(&connector, document.clone())),
        Some(Kind::RateLimit)
    );
    let refused = call(&connector, document.clone());
    assert_eq!(
        kind(&refused),
        Some(Kind::RateBudget),
        "{}",
        refused.render()
    );
    let mut patient = document;
    patient["options"] = json!({});
    let output = call(&connector, patient);
    assert!(output.error.is_none());
    assert!(output.meta.unwrap().waited_ms.unwrap() > 100);
}

#[test]
fn an_attempt_without_a_turn_leaves_the_answer_of_the_one_before() {
    let world = World::new();
    world.fault(json!({"kind": "status", "code": 500, "path": PUSH}));
    let limits = json!({"send_push_message": "1/h"});
    let document = limited(&world, &limits, &json!({"max_wait_ms": 0}));
    let output = call(&connector(), document);
    assert_eq!(
        kind(&output),
        Some(Kind::Unavailable),
        "{}",
        output.render()
    );
    assert_eq!(output.meta.unwrap().attempts, 1);
}

#[test]
fn what_never_left_costs_no_turn() {
    let world = World::new();
    let limits = json!({"*": "1/h"});
    let mut document = limited(&world, &limits, &json!({"max_wait_ms": 0, "attempts": 1}));
    document["asset"]["url"] = json!("http://127.0.0.1:1");
    let connector = connector();
    for _ in 0..3 {
        let output = call(&connector, document.clone());
        assert_eq!(
            kind(&output),
            Some(Kind::ConnectionFailed),
            "{}",
            output.render()
        );
    }
}

#[test]
fn stopping_ends_the_wait_for_a_turn() {
    let world = World::new();
    let connector = connector();
    let document = limited(&world, &json!({"*": "1/h"}), &json!({}));
    assert_eq!(kind(&call(&connector, document.clone())), None);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| call(&connector, document.clone()));
        std::thread::park_timeout(Duration::from_millis(50));
        connector.stop();
        let output = waiting.join().unwrap();
        assert_eq!(
            kind(&output),
            Some(Kind::ShuttingDown),
            "{}",
            output.render()
        );
    });
    assert_eq!(world.count(PUSH), 1);
}

#[test]
fn pages_take_a_turn_each_and_share_the_patience() {
    let world = World::new();
    let mut document = limited(&world, &json!({"*": "2/h"}), &json!({}));
    document["action"] =
        json!("get_a_list_of_users_who_added_your_line_official_account_as_a_friend");
    document["inputs"] = json!({"parameters": {"limit": 50}});
    document["options"] = json!({"all_pages": true, "max_wait_ms": 0});
    let output = call(&connector(), document);
    assert_eq!(kind(&output), Some(Kind::RateBudget), "{}", output.render());
    let meta = output.meta.unwrap();
    assert_eq!((meta.pages, meta.items), (Some(2), Some(100)));
}

#[test]
fn wrong_rates_are_told_with_their_place() {
    let world = World::new();
    let places = |limits: Value| -> Vec<String> {
        let output = call(&connector(), limited(&world, &limits, &json!({})));
        assert_eq!(
            kind(&output),
            Some(Kind::InvalidAsset),
            "{}",
            output.render()
        );
        let details = output.error.unwrap().details;
        details.into_iter().map(|detail| detail.path).collect()
    };
    assert_eq!(places(json!("200/s")), ["/asset/rate_limits"]);
    assert_eq!(places(json!([1])), ["/asset/rate_limits"]);
    assert_eq!(
        places(json!({"*": "0/s", "send_push_message": 5})),
        [
            "/asset/rate_limits/*",
            "/asset/rate_limits/send_push_message"
        ]
    );
    assert_eq!(
        places(json!({"send_psh_message": "5/s"})),
        ["/asset/rate_limits/send_psh_message"]
    );
    let text = json!("{\"*\": \"5/s\"}");
    assert_eq!(
        kind(&call(&connector(), limited(&world, &text, &json!({})))),
        None
    );
}

#[test]
fn a_gateways_lower_rate_is_waited_for_within_the_attempts() {
    let refused = json!({"kind": "rate_limit", "times": 2});
    let tried = |action: &str, limits: &Value, attempts: u64| {
        let world = world("1000/s");
        world.fault(refused.clone());
        let mut document = limited(&world, limits, &json!({"attempts": attempts}));
        document["action"] = json!(action);
        if action != "send_push_message" {
            document["inputs"] = json!({"messages": [{"type": "text", "text": "hi"}], "replyToken": "nHuyWiB7yP5Zw52FIkcQobQuGDXCTA"});
        }
        let output = call(&connector(), document);
        let attempts = output.meta.as_ref().unwrap().attempts;
        (kind(&output), attempts)
    };
    let declared = json!({"send_push_message": "500/s", "send_reply_message": "500/s"});
    assert_eq!(tried("send_push_message", &declared, 3), (None, 3));
    assert_eq!(
        tried("send_push_message", &declared, 2),
        (Some(Kind::RateLimit), 2)
    );
    // One that is LINE's own, as far as anybody knows, and what may not be repeated.
    let nothing = json!({});
    assert_eq!(
        tried("send_push_message", &nothing, 3),
        (Some(Kind::RateLimit), 1)
    );
    assert_eq!(
        tried("send_reply_message", &declared, 3),
        (Some(Kind::RateLimit), 1)
    );
}

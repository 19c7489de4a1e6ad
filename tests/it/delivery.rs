//! Exactly once: whatever happens to the connection, the sandbox's record shows each message at
//! most once, and the output says what is known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use line_connector_core::call::exit_code;
use line_connector_core::error::{Kind, Outcome};
use line_connector_sandbox::Settings;
use serde_json::{Value, json};

use crate::world::{self, USER, World, call, connector, push};

const PUSH: &str = "/v2/bot/message/push";
const REPLY: &str = "/v2/bot/message/reply";

fn reply(world: &World, token: &str) -> Value {
    json!({
        "action": "send_reply_message",
        "asset": world.bearer(),
        "inputs": {"replyToken": token, "messages": [{"type": "text", "text": "hi"}]},
    })
}

/// The retry keys of the requests on one path, in order.
fn retry_keys(world: &World, path: &str) -> Vec<Option<String>> {
    let requests = world
        .sandbox
        .requests()
        .into_iter()
        .filter(|request| request.path == path);
    requests
        .map(|request| {
            let key = request
                .headers
                .iter()
                .find(|(name, _)| name == "x-line-retry-key");
            key.map(|(_, value)| value.clone())
        })
        .collect()
}

#[test]
fn a_connection_dropped_after_the_push_was_read_is_tried_again_with_the_same_key() {
    for at in ["before_read", "after_read", "after_processing", "mid_body"] {
        let world = World::new();
        world.fault(json!({"kind": "drop", "at": at, "path": PUSH}));
        let output = call(&connector(), push(&world.bearer()));
        assert!(output.error.is_none(), "{at}: {}", output.render());
        assert_eq!(world.sandbox.delivered().len(), 1, "{at}");
        assert_eq!(output.meta.unwrap().attempts, 2, "{at}");
        let keys = retry_keys(&world, PUSH);
        assert!(
            keys.iter().all(|key| key.is_some() && *key == keys[0]),
            "{at}: {keys:?}"
        );
    }
}

#[test]
fn two_server_errors_then_success_is_one_message() {
    let world = World::new();
    world.fault(json!({"kind": "status", "code": 500, "path": PUSH, "times": 2}));
    let output = call(&connector(), push(&world.bearer()));
    assert_eq!(output.status_code, Some(200));
    assert_eq!(output.meta.unwrap().attempts, 3);
    assert_eq!(world.sandbox.delivered().len(), 1);
}

#[test]
fn a_server_error_after_line_had_accepted_ends_as_already_accepted() {
    let world = World::new();
    world.fault(json!({"kind": "status", "code": 500, "when": "after", "path": PUSH}));
    let output = call(&connector(), push(&world.bearer()));
    assert!(output.error.is_none());
    assert_eq!(output.status_code, Some(409));
    assert_eq!(world.sandbox.delivered().len(), 1);
    let meta = output.meta.unwrap();
    assert_eq!(meta.already_accepted, Some(true));
    assert_eq!(
        meta.request_id,
        Some(world.sandbox.delivered()[0].request_id.clone())
    );
    assert!(output.json_body.unwrap().value()["sentMessages"][0]["id"].is_string());
}

#[test]
fn an_endpoint_that_keeps_failing_is_given_up_with_an_unknown_outcome() {
    let world = World::new();
    world.fault(json!({"kind": "html", "code": 502, "path": PUSH, "times": 9}));
    let output = call(&connector(), push(&world.bearer()));
    let error = output.error.as_ref().unwrap();
    assert_eq!(
        (error.kind, error.outcome),
        (Kind::Unavailable, Outcome::Unknown)
    );
    assert!(error.retryable);
    assert!(
        output.response_text.as_ref().unwrap().contains('<'),
        "HTML is kept as text"
    );
    assert_eq!(exit_code(&output) as i32, 1);
    assert_eq!(world.count(PUSH), 3);
    assert!(world.sandbox.delivered().is_empty());
}

#[test]
fn a_stall_past_the_timeout_is_tried_again_and_then_reported() {
    let world = World::new();
    world.fault(json!({"kind": "stall", "ms": 400, "path": PUSH, "times": 2}));
    let mut document = push(&world.bearer());
    document["options"] = json!({"timeout_ms": 100, "attempts": 2});
    let output = call(&connector(), document);
    let error = output.error.as_ref().unwrap();
    assert_eq!(
        (error.kind, error.outcome),
        (Kind::Timeout, Outcome::Unknown)
    );
    assert!(output.status_code.is_none());
    assert_eq!(exit_code(&output) as i32, 5);
    assert!(world.sandbox.delivered().is_empty());
}

#[test]
fn a_late_answer_leads_to_one_message() {
    let world = World::new();
    world.fault(json!({"kind": "delay", "ms": 1500, "path": PUSH}));
    let mut document = push(&world.bearer());
    document["options"] = json!({"timeout_ms": 750});
    let output = call(&connector(), document);
    assert!(output.error.is_none(), "{}", output.render());
    assert_eq!(world.sandbox.delivered().len(), 1);
}

#[test]
fn a_connection_closed_during_the_token_call_costs_nothing() {
    let world = World::new();
    world.fault(json!({"kind": "drop", "at": "after_read", "path": "/oauth2/v3/token"}));
    let output = call(&connector(), push(&world.asset()));
    assert!(output.error.is_none(), "{}", output.render());
    assert_eq!(world.sandbox.delivered().len(), 1);

    let world = World::new();
    world.fault(json!({"kind": "drop", "at": "after_read", "path": "/oauth2", "times": 9}));
    let output = call(&connector(), push(&world.asset()));
    let error = output.error.as_ref().unwrap();
    assert_eq!(
        (error.kind, error.outcome),
        (Kind::TokenUnavailable, Outcome::NotDone)
    );
    assert_eq!(exit_code(&output) as i32, 4);
    assert_eq!(world.count(PUSH), 0);
}

#[test]
fn a_reply_whose_outcome_is_unknown_is_not_repeated() {
    for (fault, delivered) in [
        (
            json!({"kind": "drop", "at": "after_read", "path": REPLY}),
            0,
        ),
        (
            json!({"kind": "drop", "at": "after_processing", "path": REPLY}),
            1,
        ),
        (json!({"kind": "status", "code": 500, "path": REPLY}), 0),
        (
            json!({"kind": "status", "code": 500, "when": "after", "path": REPLY}),
            1,
        ),
    ] {
        let world = World::new();
        let token = world.sandbox.reply_token();
        world.fault(fault.clone());
        let output = call(&connector(), reply(&world, &token));
        assert_eq!(
            output.error.as_ref().unwrap().outcome,
            Outcome::Unknown,
            "{fault}"
        );
        assert_eq!(world.count(REPLY), 1, "{fault}");
        assert_eq!(world.sandbox.delivered().len(), delivered, "{fault}");
    }
}

#[test]
fn a_used_reply_token_is_told_as_such() {
    let world = World::new();
    let token = world.sandbox.reply_token();
    assert!(call(&connector(), reply(&world, &token)).error.is_none());
    let output = call(&connector(), reply(&world, &token));
    assert_eq!(output.error.unwrap().kind, Kind::InvalidReplyToken);
    assert_eq!(world.sandbox.delivered().len(), 1);
}

#[test]
fn the_same_idempotency_key_sends_once_however_often_the_step_runs() {
    let world = World::new();
    let mut document = push(&world.asset());
    document["options"] = json!({"idempotency_key": "order-4711/shipped"});
    for _ in 0..3 {
        // A new connector each time, as a platform starts a process for each step.
        assert!(call(&connector(), document.clone()).error.is_none());
    }
    assert_eq!(world.sandbox.delivered().len(), 1);
    document["options"] = json!({"idempotency_key": "order-4712/shipped"});
    assert!(call(&connector(), document).error.is_none());
    assert_eq!(world.sandbox.delivered().len(), 2);
}

#[test]
fn without_a_key_the_same_document_is_two_messages() {
    let world = World::new();
    for _ in 0..2 {
        assert!(call(&connector(), push(&world.bearer())).error.is_none());
    }
    assert_eq!(world.sandbox.delivered().len(), 2);
}

#[test]
fn the_callers_own_key_comes_first() {
    let world = World::new();
    let key = "123e4567-e89b-12d3-a456-426614174000";
    let mut document = push(&world.bearer());
    document["inputs"]["headers"] = json!({"X-Line-Retry-Key": key});
    document["options"] = json!({"idempotency_key": "another"});
    let output = call(&connector(), document);
    assert_eq!(output.meta.unwrap().retry_key.as_deref(), Some(key));
    assert_eq!(retry_keys(&world, PUSH), [Some(key.to_owned())]);
}

#[test]
fn only_the_four_operations_that_take_a_key_get_one() {
    let world = World::new();
    let connector = connector();
    let messages = json!([{"type": "text", "text": "hi"}]);
    for (action, inputs, keyed) in [
        (
            "send_push_message",
            json!({"to": USER, "messages": messages}),
            true,
        ),
        (
            "send_multicast_message",
            json!({"to": [USER], "messages": messages}),
            true,
        ),
        (
            "send_narrowcast_message",
            json!({"messages": messages}),
            true,
        ),
        (
            "send_broadcast_message",
            json!({"messages": messages}),
            true,
        ),
        (
            "validate_message_objects_of_a_push_message",
            json!({"messages": messages}),
            false,
        ),
        (
            "display_a_loading_animation",
            json!({"chatId": USER}),
            false,
        ),
        ("get_number_of_messages_sent_this_month", json!({}), false),
    ] {
        world.sandbox.forget();
        let document = json!({"action": action, "asset": world.bearer(), "inputs": inputs});
        let output = call(&connector, document);
        assert!(output.error.is_none(), "{action}: {}", output.render());
        let sent = world.sandbox.requests();
        let has = sent[0]
            .headers
            .iter()
            .any(|(name, _)| name == "x-line-retry-key");
        assert_eq!(has, keyed, "{action}");
    }
}

#[test]
fn the_meanings_of_429_have_kinds_of_their_own_and_are_not_repeated() {
    for (fault, kind, retryable) in [
        (json!({"kind": "rate_limit"}), Kind::RateLimit, true),
        (json!({"kind": "monthly_limit"}), Kind::MonthlyLimit, false),
        (
            json!({"kind": "concurrent_operations", "message": "Too many concurrent operations"}),
            Kind::ConcurrentOperations,
            true,
        ),
    ] {
        let world = World::new();
        world.fault(fault);
        let output = call(&connector(), push(&world.bearer()));
        let error = output.error.unwrap();
        assert_eq!((error.kind, error.retryable), (kind, retryable));
        assert_eq!(world.count(PUSH), 1);
    }
}

#[test]
fn the_quota_of_the_month_ends_sending() {
    let world = World::with(Settings {
        quota: Some(1),
        ..Settings::default()
    });
    assert!(call(&connector(), push(&world.bearer())).error.is_none());
    let output = call(&connector(), push(&world.bearer()));
    assert_eq!(output.error.unwrap().kind, Kind::MonthlyLimit);
    assert_eq!(world.sandbox.delivered().len(), 1);
}

#[test]
fn pauses_between_attempts_grow_within_their_bounds() {
    let world = World::new();
    world.fault(json!({"kind": "status", "code": 503, "path": PUSH, "times": 9}));
    // By the number of requests before it; a pause comes in slices.
    let pauses = Arc::new(std::sync::Mutex::new(BTreeMap::<usize, Duration>::new()));
    let kept = Arc::clone(&pauses);
    let sandbox = Arc::clone(&world.sandbox);
    let clock = world::TestClock {
        sleep: Box::new(move |slice| {
            let mut pauses = kept.lock().unwrap();
            *pauses.entry(sandbox.requests().len()).or_default() += slice;
        }),
        ..world::TestClock::default()
    };
    let connector = world::builder().clock(clock).build();
    let mut document = push(&world.bearer());
    document["options"] = json!({"attempts": 4});
    let _ = call(&connector, document);
    let pauses = pauses.lock().unwrap();
    assert_eq!(pauses.len(), 3);
    for (pause, bound) in pauses.values().zip([500, 1000, 2000]) {
        let bound = Duration::from_millis(bound);
        assert!(*pause >= bound / 2 && *pause <= bound, "{pauses:?}");
    }
}

#[test]
fn validation_off_sends_what_the_schema_does_not_know() {
    let world = World::new();
    let mut document = push(&world.bearer());
    document["inputs"]["messages"][0]["brandNewField"] = json!(true);
    let output = call(&connector(), document.clone());
    assert_eq!(output.error.unwrap().kind, Kind::InvalidInputs);
    assert_eq!(world.count(PUSH), 0);
    document["options"] = json!({"validation": "off"});
    let _ = call(&connector(), document);
    let sent = world.sandbox.requests();
    assert_eq!(sent[0].body["messages"][0]["brandNewField"], json!(true));
}

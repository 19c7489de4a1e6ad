//! Calls that take several: listings page after page, work that LINE has only begun, content that
//! is not ready yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use line_connector_client::Connector;
use line_connector_core::error::Kind;
use line_connector_http::{Failure, Reply, Request, Transport};
use line_connector_sandbox::{Pace, Settings};
use serde_json::{Value, json};

use crate::world::{self, World, call, connector};

const FOLLOWERS: &str = "get_a_list_of_users_who_added_your_line_official_account_as_a_friend";

fn followers(world: &World, inputs: &Value, options: &Value) -> Value {
    json!({"action": FOLLOWERS, "asset": world.bearer(), "inputs": inputs, "options": options})
}

fn with_friends(friends: u64) -> World {
    World::with(Settings {
        friends,
        ..Settings::default()
    })
}

/// A connector in whose world a pause takes no time, though the clock goes on.
fn leaping() -> Connector {
    let elapsed = Arc::new(AtomicU64::new(0));
    let slept = Arc::clone(&elapsed);
    let start = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
    let clock = world::TestClock {
        now: Box::new(move || start + Duration::from_millis(elapsed.load(Ordering::SeqCst))),
        sleep: Box::new(move |pause| {
            let pause = u64::try_from(pause.as_millis()).unwrap();
            slept.fetch_add(pause, Ordering::SeqCst);
        }),
    };
    world::builder().clock(clock).build()
}

#[test]
fn every_one_of_100_000_followers_comes_exactly_once() {
    let world = with_friends(100_000);
    let document = followers(&world, &json!({"limit": 1000}), &json!({"all_pages": true}));
    let output = call(&connector(), document);
    assert!(output.error.is_none(), "{:?}", output.error);
    let body = output.json().unwrap();
    let mut ids: Vec<&str> = body["userIds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 100_000);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100_000, "no follower comes twice");
    assert!(body.get("next").is_none());
    let meta = output.meta.unwrap();
    assert_eq!(
        (meta.pages, meta.items, meta.more),
        (Some(100), Some(100_000), Some(false))
    );
}

#[test]
fn max_items_cuts_exactly() {
    let world = with_friends(1000);
    for (most, items, more) in [
        (1, 1, true),
        (299, 299, true),
        (300, 300, true),
        (301, 301, true),
        (1000, 1000, false),
        (5000, 1000, false),
    ] {
        let options = json!({"all_pages": true, "max_items": most});
        let output = call(
            &connector(),
            followers(&world, &json!({"limit": 100}), &options),
        );
        let meta = output.meta.as_ref().unwrap();
        assert_eq!((meta.items, meta.more), (Some(items), Some(more)), "{most}");
        let body = output.json().unwrap();
        assert_eq!(body["userIds"].as_array().unwrap().len() as u64, items);
    }
}

#[test]
fn a_page_that_fails_once_is_read_again_and_one_that_keeps_failing_is_told() {
    let world = with_friends(1000);
    world.fault(json!({"kind": "drop", "at": "mid_body"}));
    let all = json!({"all_pages": true});
    let output = call(&connector(), followers(&world, &json!({}), &all));
    assert_eq!(output.meta.unwrap().items, Some(1000));
    world.fault(json!({"kind": "status", "code": 500, "times": 99}));
    let output = call(&connector(), followers(&world, &json!({}), &all));
    assert_eq!(output.error.unwrap().kind, Kind::Unavailable);
}

#[test]
fn numbered_pages_are_followed_from_the_first() {
    let world = World::new();
    let connector = connector();
    for number in 0..45 {
        let document = json!({
            "action": "create_audience_for_uploading_user_ids_by_json", "asset": world.bearer(),
            "inputs": {"description": format!("audience {number}")},
        });
        assert!(call(&connector, document).error.is_none());
    }
    for inputs in [
        json!({}),
        json!({"page": 1, "size": 10}),
        json!({"size": 40}),
    ] {
        let document = json!({
            "action": "get_data_for_multiple_audiences", "asset": world.bearer(),
            "inputs": inputs, "options": {"all_pages": true},
        });
        let output = call(&connector, document);
        assert!(output.error.is_none(), "{}", output.render());
        let body = output.json().unwrap();
        let groups = body["audienceGroups"].as_array().unwrap();
        let total = body["totalCount"].as_u64().unwrap();
        assert!(total >= 45);
        assert_eq!(groups.len() as u64, total, "{inputs}");
    }
}

#[test]
fn an_action_without_pages_or_file_says_so() {
    let world = World::new();
    for option in [json!({"all_pages": true}), json!({"save_to": "x"})] {
        let mut document = world::push(&world.bearer());
        document["options"] = option;
        assert_eq!(
            call(&connector(), document).error.unwrap().kind,
            Kind::InvalidInputs
        );
    }
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn a_narrowcast_is_waited_for_to_its_end() {
    let world = World::new();
    let document = json!({
        "id": 9, "action": "send_narrowcast_message", "asset": world.bearer(),
        "inputs": {"messages": [{"type": "text", "text": "hi"}]}, "options": {"wait_ms": 60_000},
    });
    let output = call(&leaping(), document);
    assert!(output.error.is_none(), "{}", output.render());
    assert_eq!(output.id.as_ref().unwrap().text(), "9");
    assert_eq!(output.json().unwrap()["phase"], "succeeded");
    let meta = output.meta.unwrap();
    assert_eq!(meta.action.as_deref(), Some("send_narrowcast_message"));
    assert_eq!(
        meta.request_id,
        Some(world.sandbox.delivered()[0].request_id.clone())
    );
    assert!(meta.retry_key.is_some() && meta.pending.is_none());
}

#[test]
fn a_narrowcast_that_line_had_accepted_before_is_asked_after_by_its_accepted_id() {
    let world = World::new();
    world.fault(json!({"kind": "status", "code": 500, "when": "after"}));
    let document = json!({
        "action": "send_narrowcast_message", "asset": world.bearer(),
        "inputs": {"messages": [{"type": "text", "text": "hi"}]}, "options": {"wait_ms": 60_000},
    });
    let output = call(&leaping(), document);
    assert_eq!(
        output.json().unwrap()["phase"],
        "succeeded",
        "{}",
        output.render()
    );
    assert_eq!(world.sandbox.delivered().len(), 1);
}

#[test]
fn a_narrowcast_that_fails_is_an_error_with_its_reason() {
    let world = World::with(Settings {
        quota: Some(50),
        ..Settings::default()
    });
    let document = json!({
        "action": "send_narrowcast_message", "asset": world.bearer(),
        "inputs": {
            "messages": [{"type": "text", "text": "hi"}],
            "limit": {"upToRemainingQuota": true, "forbidPartialDelivery": true},
        },
        "options": {"wait_ms": 60_000},
    });
    let output = call(&leaping(), document);
    let error = output.error.as_ref().unwrap();
    assert_eq!(error.kind, Kind::WorkFailed, "{}", output.render());
    assert!(!error.retryable);
    assert_eq!(output.json().unwrap()["errorCode"], 5);
}

#[test]
fn patience_ends_and_says_that_the_work_goes_on() {
    let never = Pace::Timed {
        sending: Duration::from_hours(1),
        done: Duration::from_hours(2),
    };
    let world = World::with(Settings {
        pace: never,
        ..Settings::default()
    });
    let document = json!({
        "action": "send_narrowcast_message", "asset": world.bearer(),
        "inputs": {"messages": [{"type": "text", "text": "hi"}]}, "options": {"wait_ms": 30_000},
    });
    let output = call(&leaping(), document);
    assert!(output.error.is_none());
    assert_eq!(output.json().unwrap()["phase"], "waiting");
    assert_eq!(output.meta.unwrap().pending, Some(true));
}

#[test]
fn an_audience_is_waited_for_until_it_is_ready() {
    let world = World::new();
    let document = json!({
        "action": "create_audience_for_uploading_user_ids_by_json", "asset": world.bearer(),
        "inputs": {"description": "new", "audiences": [{"id": world::USER}]},
        "options": {"wait_ms": 60_000},
    });
    let output = call(&leaping(), document);
    assert!(output.error.is_none(), "{}", output.render());
    assert_eq!(output.json().unwrap()["audienceGroup"]["status"], "READY");
}

#[test]
fn people_added_to_an_audience_that_is_ready_are_waited_for() {
    let world = World::new();
    let waiting = json!({"wait_ms": 60_000});
    let created = call(
        &leaping(),
        json!({
            "action": "create_audience_for_uploading_user_ids_by_json", "asset": world.bearer(),
            "inputs": {"description": "new", "audiences": [{"id": world::USER}]}, "options": waiting,
        }),
    );
    let audience = created.json().unwrap()["audienceGroup"]["audienceGroupId"].clone();
    let more = json!([{"id": "U0c229f96c4f0b5a3c3d6b8a1d2e3f405"}]);
    let lines =
        json!({"base64": "VTBjMjI5Zjk2YzRmMGI1YTNjM2Q2YjhhMWQyZTNmNDA1Cg==", "file_name": "a.txt"});
    let suffix = "for_advertisers_ifas_to_an_audience_for_uploading_user_ids_by";
    for (how, inputs) in [
        (
            "json",
            json!({"audienceGroupId": audience, "audiences": more}),
        ),
        (
            "file",
            json!({"data_body": {"audienceGroupId": audience}, "files": {"file": lines}}),
        ),
    ] {
        let action = format!("add_user_ids_or_identifiers_{suffix}_{how}");
        let document = json!({"action": action, "asset": world.bearer(), "inputs": inputs, "options": waiting});
        let output = call(&leaping(), document);
        assert!(output.error.is_none(), "{}", output.render());
        let body = output.json().unwrap();
        let jobs = body["jobs"].as_array().unwrap();
        assert!(
            !jobs.is_empty() && jobs.iter().all(|job| job["jobStatus"] == "FINISHED"),
            "{body}"
        );
        assert!(output.meta.unwrap().pending.is_none());
    }
}

#[test]
fn work_that_line_accepted_stays_accepted_where_its_progress_cannot_be_asked_for() {
    let narrowcast = "/v2/bot/message/progress/narrowcast";
    let audience = "/v2/bot/audienceGroup/71";
    let hi = json!({"messages": [{"type": "text", "text": "hi"}]});
    let people = json!({"description": "new", "audiences": [{"id": world::USER}]});
    for (action, inputs, path, fault, why) in [
        (
            "send_narrowcast_message",
            &hi,
            narrowcast,
            json!({"kind": "status", "code": 401}),
            "401",
        ),
        (
            "send_narrowcast_message",
            &hi,
            narrowcast,
            json!({"kind": "status", "code": 403}),
            "403",
        ),
        (
            "send_narrowcast_message",
            &hi,
            narrowcast,
            json!({"kind": "status", "code": 400}),
            "400",
        ),
        (
            "send_narrowcast_message",
            &hi,
            narrowcast,
            json!({"kind": "status", "code": 503}),
            "503",
        ),
        (
            "send_narrowcast_message",
            &hi,
            narrowcast,
            json!({"kind": "drop", "at": "before_read"}),
            "no answer",
        ),
        (
            "create_audience_for_uploading_user_ids_by_json",
            &people,
            audience,
            json!({"kind": "status", "code": 400}),
            "400",
        ),
    ] {
        let world = World::new();
        let mut fault = fault;
        fault["path"] = json!(path);
        fault["times"] = json!(99);
        world.fault(fault.clone());
        let document = json!({"action": action, "asset": world.bearer(), "inputs": inputs, "options": {"wait_ms": 60_000}});
        let output = call(&leaping(), document);
        assert!(output.error.is_none(), "{fault} {}", output.render());
        assert_eq!(output.status_code, Some(202));
        let meta = output.meta.unwrap();
        assert_eq!(meta.pending, Some(true));
        assert!(
            meta.warnings[0].message.contains(why),
            "{:?}",
            meta.warnings
        );
    }
}

#[test]
fn content_in_preparation_is_waited_for_or_reported_as_pending() {
    let world = World::new();
    let content = |options: Value| {
        json!({
            "action": "get_content", "asset": world.bearer(),
            "inputs": {"messageId": "354718705033693862"}, "options": options,
        })
    };
    let output = call(&connector(), content(json!({})));
    assert_eq!(
        (output.status_code, output.meta.unwrap().pending),
        (Some(202), Some(true))
    );
    assert!(output.file.is_none());
    let output = call(&leaping(), content(json!({"wait_ms": 60_000})));
    let file = output
        .file
        .as_ref()
        .unwrap_or_else(|| panic!("{}", output.render()));
    assert_eq!(file.size_bytes, 100_000);
    assert_eq!(file.content_type.as_deref(), Some("video/mp4"));
}

/// Leads from page to page in a circle, or on without an end.
struct Endless {
    circle: usize,
    asked: AtomicUsize,
}

impl Transport for Endless {
    fn send(&self, _: &Request) -> Result<Reply, Failure> {
        let page = self.asked.fetch_add(1, Ordering::SeqCst) % self.circle;
        let body = json!({"userIds": [], "next": format!("token-{page}")}).to_string();
        Ok(Reply {
            status: 200,
            body: body.into_bytes(),
            ..Reply::default()
        })
    }
}

#[test]
fn a_listing_that_goes_in_a_circle_or_on_for_ever_ends() {
    for (circle, most) in [(1, 3), (2, 4), (7, 9), (1000, 1002), (usize::MAX, 10_001)] {
        let endless = Arc::new(Endless {
            circle,
            asked: AtomicUsize::new(0),
        });
        let transport: Arc<dyn Transport> = Arc::<Endless>::clone(&endless);
        let connector = world::builder().transport(transport).build();
        let document = json!({
            "action": "get_a_list_of_users_who_added_your_line_official_account_as_a_friend",
            "asset": {"token": "t", "rate_limits": {"*": "off"}, "url": "http://127.0.0.1:9"},
            "options": {"all_pages": true},
        });
        let output = world::call(&connector, document);
        assert_eq!(
            output.error.as_ref().unwrap().kind,
            Kind::UnexpectedStatus,
            "{}",
            output.render()
        );
        assert!(endless.asked.load(Ordering::SeqCst) < most, "{circle}");
        assert!(output.meta.unwrap().pages.unwrap() > 0);
    }
}

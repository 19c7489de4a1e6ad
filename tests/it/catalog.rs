//! What action files declare beside the request: periods, hints, what a repeat means, whose bot it is.

use std::time::{Duration, SystemTime};

use line_connector_client::Catalog;
use line_connector_core::documents::{Invocation, Output};
use line_connector_core::error::{Kind, Outcome};
use serde_json::{Value, json};

use crate::world::{self, USER, World, call, connector};

/// The smallest image that a rich menu takes.
const IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAyAAAAD6AQAAAABxRh4RAAAAcElEQVR42u3NMQEAAAwCIPuX1hbbAwVID0QikUgkEolEIpFIJBKJRCKRSCQSiUQikUgkEolEIpFIJBKJRCKRSCQSiUQikUgkEolEIpFIJBKJRCKRSCQSiUQikUgkEolEIpFIJBKJRCKRSCQSiUTylwyjk0wIGStVewAAAABJRU5ErkJggg==";

const GROUP: &str = "Ca56f94637c40123456789abcdef01234";

fn ask(world: &World, action: &str, inputs: &Value) -> Output {
    let document = json!({"action": action, "asset": world.bearer(), "inputs": inputs});
    call(&connector(), document)
}

fn menu(world: &World) -> String {
    let area = json!({"bounds": {"x": 0, "y": 0, "width": 800, "height": 250}, "action": {"type": "message", "text": "a"}});
    let menu = json!({"size": {"width": 800, "height": 250}, "selected": false, "name": "m", "chatBarText": "m", "areas": [area]});
    let output = ask(world, "create_rich_menu", &menu);
    let body = output.json().unwrap();
    body["richMenuId"].as_str().unwrap().to_owned()
}

fn plan(action: &str, asset: &Value, inputs: &Value) -> Output {
    let document = json!({"action": action, "asset": asset, "inputs": inputs});
    connector().plan(Invocation::from_value(document).unwrap())
}

/// The places of an error and what is said of them.
fn told(output: &Output) -> Vec<(String, String)> {
    let details = output.error.iter().flat_map(|error| &error.details);
    details
        .map(|detail| (detail.path.clone(), detail.message.clone()))
        .collect()
}

#[test]
fn a_period_of_days_is_in_order_and_no_longer_than_line_allows() {
    let unit =
        |from: &str, to: &str| json!({"customAggregationUnit": "spring", "from": from, "to": to});
    let menu = |from: &str, to: &str| json!({"richMenuId": "richmenu-862e6ad6c267d2ddf3f42bc78554f6a4", "from": from, "to": to});
    let (units, day, totals) = (
        "get_statistics_per_unit",
        "get_rich_menu_insight_by_day",
        "get_rich_menu_insight_totals",
    );
    for (action, inputs, wrong) in [
        (units, unit("20260101", "20260101"), None),
        (units, unit("20260101", "20260131"), None),
        (
            units,
            unit("20260101", "20260201"),
            Some("more than 30 days"),
        ),
        (units, unit("20240201", "20240302"), None),
        (
            units,
            unit("20230201", "20230304"),
            Some("more than 30 days"),
        ),
        (
            units,
            unit("20260102", "20260101"),
            Some("comes before `from`"),
        ),
        (
            day,
            menu("20260102", "20260101"),
            Some("comes before `from`"),
        ),
        (day, menu("20251001", "20260108"), None),
        (day, menu("20251001", "20260109"), Some("more than 99 days")),
        (totals, menu("20250101", "20260201"), None),
        (
            totals,
            menu("20250101", "20260202"),
            Some("more than 396 days"),
        ),
        (
            totals,
            menu("20260101", "20251231"),
            Some("comes before `from`"),
        ),
    ] {
        let output = plan(action, &json!({}), &inputs);
        let told = told(&output);
        match wrong {
            None => assert!(output.error.is_none(), "{inputs} {told:?}"),
            Some(words) => {
                assert_eq!(told.len(), 1, "{inputs} {told:?}");
                assert_eq!(told[0].0, "/to", "{inputs}");
                assert!(told[0].1.contains(words), "{inputs} {told:?}");
            }
        }
    }
}

#[test]
fn a_period_that_begins_before_lines_figures_warns() {
    // 2024-02-29T15:00Z is 1 March in UTC+9, an hour earlier is 29 February.
    let leap = 1_709_218_800;
    for (seconds, from, first) in [
        (leap, "20210301", None),
        (leap, "20210228", Some("20210301")),
        (leap - 3600, "20210228", Some("20210301")),
        (leap - 90_000, "20210228", None),
        (leap - 90_000, "20210227", Some("20210228")),
        (leap + 366 * 86_400, "20220301", Some("20220302")),
        (leap + 366 * 86_400, "20220302", None),
    ] {
        let clock = world::TestClock {
            now: Box::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
            ..world::TestClock::default()
        };
        let connector = world::builder().clock(clock).build();
        for action in [
            "get_rich_menu_insight_by_day",
            "get_rich_menu_insight_totals",
        ] {
            let inputs = json!({"richMenuId": "richmenu-862e6ad6c267d2ddf3f42bc78554f6a4", "from": from, "to": from});
            let document = json!({"action": action, "inputs": inputs});
            let output = connector.plan(Invocation::from_value(document).unwrap());
            assert!(output.error.is_none(), "{}", output.render());
            let warnings = output.meta.unwrap().warnings;
            let expected = warnings
                .first()
                .and_then(|warning| warning.expected.clone());
            assert_eq!(
                expected,
                first.map(|day| format!("{day} or later")),
                "{seconds} {from}"
            );
            assert!(warnings.iter().all(|warning| warning.path == "/from"));
        }
    }
}

#[test]
fn a_refusal_after_an_attempt_without_an_answer_leaves_the_outcome_open() {
    for (action, fault) in [
        (
            "upload_rich_menu_image",
            json!({"kind": "drop", "at": "after_processing"}),
        ),
        (
            "upload_rich_menu_image",
            json!({"kind": "status", "code": 500, "when": "after"}),
        ),
        (
            "delete_rich_menu",
            json!({"kind": "drop", "at": "after_processing"}),
        ),
        (
            "delete_rich_menu_alias",
            json!({"kind": "drop", "at": "mid_body"}),
        ),
        (
            "leave_group_chat",
            json!({"kind": "drop", "at": "after_processing"}),
        ),
    ] {
        let world = World::new();
        let menu = menu(&world);
        let inputs = match action {
            "upload_rich_menu_image" => {
                json!({"richMenuId": menu, "data_body": {"base64": IMAGE, "content_type": "image/png"}})
            }
            "delete_rich_menu" => json!({"richMenuId": menu}),
            "delete_rich_menu_alias" => {
                let image = json!({"richMenuId": menu, "data_body": {"base64": IMAGE, "content_type": "image/png"}});
                assert!(
                    ask(&world, "upload_rich_menu_image", &image)
                        .error
                        .is_none()
                );
                let alias = json!({"richMenuAliasId": "a", "richMenuId": menu});
                assert!(
                    ask(&world, "create_rich_menu_alias", &alias)
                        .error
                        .is_none()
                );
                json!({"richMenuAliasId": "a"})
            }
            _ => json!({"groupId": GROUP}),
        };
        world.fault(fault.clone());
        let output = ask(&world, action, &inputs);
        let error = output
            .error
            .as_ref()
            .unwrap_or_else(|| panic!("{action} {fault}"));
        assert_eq!(output.meta.as_ref().unwrap().attempts, 2, "{action}");
        assert_eq!(error.outcome, Outcome::Unknown, "{}", output.render());
        assert!(
            error.hint.contains("before this one"),
            "{}",
            output.render()
        );
        let again = ask(&world, action, &inputs).error.unwrap();
        assert_eq!(
            again.outcome,
            Outcome::NotDone,
            "{action}: a refusal of its own"
        );
    }
}

#[test]
fn a_connection_that_fails_after_an_attempt_without_an_answer_leaves_the_outcome_open() {
    let world = World::new();
    world.fault(json!({"kind": "status", "code": 500, "when": "after"}));
    world.fault(json!({"kind": "status", "code": 400}));
    let output = ask(
        &world,
        "send_push_message",
        &json!({"to": USER, "messages": [{"type": "text", "text": "a"}]}),
    );
    assert_eq!(output.error.unwrap().outcome, Outcome::Unknown);
}

#[test]
fn a_turn_that_is_refused_after_an_attempt_without_an_answer_leaves_the_outcome_open() {
    let world = World::new();
    let push = "/v2/bot/message/push";
    world.fault(json!({"kind": "status", "code": 500, "when": "after", "path": push}));
    world.fault(json!({"kind": "status", "code": 401, "path": push}));
    let mut asset = world.asset();
    asset["rate_limits"] = json!({"*": "2/h"});
    let document = json!({
        "action": "send_push_message", "asset": asset, "options": {"max_wait_ms": 0},
        "inputs": {"to": USER, "messages": [{"type": "text", "text": "a"}]},
    });
    let error = call(&connector(), document).error.unwrap();
    assert_eq!(error.kind, Kind::RateBudget);
    assert_eq!(error.outcome, Outcome::Unknown);
    assert!(!error.hint.contains("nothing was sent"), "{}", error.hint);
    assert_eq!(world.sandbox.delivered().len(), 1);
}

#[test]
fn no_hint_speaks_of_a_retry_key_where_there_is_none() {
    let world = World::new();
    let menu = json!({"richMenuId": "richmenu-00000000000000000000000000000000"});
    let text = json!([{"type": "text", "text": "a"}]);
    let coupon = "get_details_of_a_coupon";
    let keyed = json!({"to": USER, "messages": text});
    let reply = json!({"replyToken": "r", "messages": text});
    for (action, inputs, fault, words) in [
        (
            "get_bot_info",
            json!({}),
            json!({"kind": "status", "code": 503}),
            "try again later",
        ),
        (
            "get_rich_menu",
            menu.clone(),
            json!({"kind": "status", "code": 429}),
            "slow down",
        ),
        (
            "send_reply_message",
            reply.clone(),
            json!({"kind": "status", "code": 429}),
            "slow down",
        ),
        (
            "delete_rich_menu",
            menu,
            json!({"kind": "drop", "at": "before_read"}),
            "make the call again",
        ),
        (
            coupon,
            json!({"couponId": "c"}),
            json!({"kind": "drop", "at": "mid_body"}),
            "make the call again",
        ),
        (
            "send_reply_message",
            reply,
            json!({"kind": "status", "code": 503}),
            "look before",
        ),
        (
            "send_push_message",
            keyed.clone(),
            json!({"kind": "status", "code": 503}),
            "same retry key",
        ),
        (
            "send_push_message",
            keyed.clone(),
            json!({"kind": "drop", "at": "before_read"}),
            "or retry key",
        ),
        (
            "send_push_message",
            keyed,
            json!({"kind": "status", "code": 429}),
            "same retry key",
        ),
    ] {
        let mut fault = fault;
        fault["times"] = json!(3);
        let times = world.sandbox.requests().len();
        world.fault(fault.clone());
        let document = json!({"action": action, "asset": world.bearer(), "inputs": inputs, "options": {"attempts": 3}});
        let error = call(&connector(), document).error.unwrap();
        assert!(
            error.hint.contains(words),
            "{action} {fault}: {}",
            error.hint
        );
        let speaks = error.hint.contains("same retry key") || error.hint.contains("or retry key");
        assert_eq!(speaks, action == "send_push_message", "{}", error.hint);
        // What was not used up would meet the next.
        for _ in world.sandbox.requests().len()..times + 3 {
            ask(&world, "get_bot_info", &json!({}));
        }
    }
}

#[test]
fn a_batch_of_rich_menus_is_repeated_where_it_can_resume() {
    let batch = |world: &World, key: Option<&str>| {
        let mut batch = json!({"operations": [{"type": "unlink", "from": menu(world)}]});
        if let Some(key) = key {
            batch["resumeRequestKey"] = json!(key);
        }
        world.fault(json!({"kind": "drop", "at": "before_read", "path": "/v2/bot/richmenu/batch"}));
        batch
    };
    for sections in [false, true] {
        let world = World::new();
        let flat = batch(&world, Some("autumn"));
        let inputs = if sections {
            json!({"json_body": flat})
        } else {
            flat
        };
        let output = ask(
            &world,
            "replace_or_unlink_the_linked_rich_menus_in_batches",
            &inputs,
        );
        assert!(output.error.is_none(), "{}", output.render());
        assert_eq!(output.meta.unwrap().attempts, 2);
    }
    let world = World::new();
    let inputs = batch(&world, None);
    let output = ask(
        &world,
        "replace_or_unlink_the_linked_rich_menus_in_batches",
        &inputs,
    );
    let error = output.error.unwrap();
    assert_eq!((error.outcome, error.retryable), (Outcome::Unknown, false));
}

#[test]
fn a_refusal_is_explained_by_the_action_that_met_it() {
    let world = World::new();
    for (action, inputs, status, kind, words) in [
        (
            "get_content",
            json!({"messageId": "999"}),
            404,
            Kind::NotFound,
            "contentProvider",
        ),
        (
            "get_profile",
            json!({"userId": "U00000000000000000000000000000000"}),
            404,
            Kind::NotFound,
            "blocked",
        ),
        (
            "get_rich_menu",
            json!({"richMenuId": "richmenu-00000000000000000000000000000000"}),
            404,
            Kind::NotFound,
            "get_rich_menu_list",
        ),
        (
            "delete_rich_menu_alias",
            json!({"richMenuAliasId": "none"}),
            404,
            Kind::NotFound,
            "get_list_of_rich_menu_alias",
        ),
        (
            "get_webhook_endpoint_information",
            json!({}),
            404,
            Kind::NotFound,
            "set_webhook_endpoint_url",
        ),
        (
            "get_default_rich_menu_id",
            json!({}),
            403,
            Kind::Forbidden,
            "another channel",
        ),
        (
            "send_narrowcast_message",
            json!({"messages": [{"type": "text", "text": "a"}], "filter": {"demographic": {"type": "gender", "oneOf": ["male"]}}}),
            403,
            Kind::Forbidden,
            "too few people",
        ),
        (
            "get_a_list_of_users_who_added_your_line_official_account_as_a_friend",
            json!({}),
            403,
            Kind::Forbidden,
            "premium",
        ),
        (
            "get_statistics_per_unit",
            json!({"customAggregationUnit": "a", "from": "20260101", "to": "20260102"}),
            400,
            Kind::BadRequest,
            "30 days",
        ),
    ] {
        world.fault(json!({"kind": "status", "code": status}));
        let error = ask(&world, action, &inputs).error.unwrap();
        assert_eq!(error.kind, kind, "{action}");
        assert!(error.hint.contains(words), "{action}: {}", error.hint);
        let about_users = action == "get_profile";
        assert_eq!(
            error.hint.contains("blocked"),
            about_users,
            "{action}: {}",
            error.hint
        );
    }
}

#[test]
fn a_refusal_of_another_status_names_its_own_cause() {
    let world = World::new();
    for (action, inputs, status, kind, words) in [
        (
            "get_content",
            json!({"messageId": "999"}),
            410,
            Kind::Gone,
            "unsent",
        ),
        (
            "discontinue_a_coupon",
            json!({"couponId": "c"}),
            410,
            Kind::Gone,
            "closed already",
        ),
        (
            "get_all_liff_apps",
            json!({}),
            401,
            Kind::Unauthorized,
            "LINE Login channel",
        ),
        (
            "get_rich_menu_insight_by_day",
            json!({"richMenuId": "richmenu-00000000000000000000000000000000", "from": "20260101", "to": "20260102"}),
            404,
            Kind::NotFound,
            "get_rich_menu_list",
        ),
        (
            "leave_group_chat",
            json!({"groupId": GROUP}),
            404,
            Kind::NotFound,
            "no such chat",
        ),
        (
            "upload_rich_menu_image",
            json!({"richMenuId": "richmenu-00000000000000000000000000000000", "data_body": {"base64": IMAGE, "content_type": "image/png"}}),
            413,
            Kind::TooLarge,
            "1 MB",
        ),
    ] {
        world.fault(json!({"kind": "status", "code": status}));
        let error = ask(&world, action, &inputs).error.unwrap();
        assert_eq!(error.kind, kind, "{action}");
        assert!(error.hint.contains(words), "{action}: {}", error.hint);
    }
}

#[test]
fn an_action_that_meets_404_or_410_says_what_is_not_there() {
    let catalog = Catalog::embedded();
    for entry in catalog.entries() {
        let action = catalog.action(&entry.name).unwrap();
        for example in catalog.examples(&entry.name) {
            let status = example.reply.status_code;
            if [404, 410].contains(&status) {
                let hint = action.meta.hints.get(&status);
                assert!(hint.is_some(), "{}: no hint for {status}", entry.name);
            }
        }
        let inputs = Value::Object(action.inputs.clone()).to_string();
        for (status, hint) in &action.meta.hints {
            let asks_for_user = inputs.contains("userId") || inputs.contains("user_id");
            let speaks_of_user = hint.contains("user's") || hint.contains("the user has left");
            assert!(
                asks_for_user || !speaks_of_user,
                "{}: {status}: {hint}",
                entry.name
            );
        }
    }
}

#[test]
fn a_module_channel_names_its_bot_on_every_call() {
    let bot = "U0c229f96c4f0b5a3c3d6b8a1d2e3f405";
    let asset = json!({"token": "t", "bot_header": {"X-Example-Bot": bot}});
    let text = json!({"type": "text", "text": "a"});
    let push = json!({"to": USER, "messages": [text]});
    let chat = json!({"chatId": USER});
    for (action, inputs) in [
        ("send_push_message", push.clone()),
        ("get_bot_info", json!({})),
        ("get_profile", json!({"userId": USER})),
        ("acquire_control_api", chat.clone()),
        ("get_content", json!({"messageId": "1"})),
    ] {
        for asset in [
            asset.clone(),
            json!({"token": "t", "bot_header": asset["bot_header"].to_string()}),
        ] {
            let output = plan(action, &asset, &inputs);
            let request = serde_json::to_value(output.request.as_ref().unwrap()).unwrap();
            assert_eq!(
                request["headers"]["X-Example-Bot"],
                bot,
                "{}",
                output.render()
            );
            assert!(output.meta.unwrap().warnings.is_empty(), "{action}");
        }
    }
    // Issuing a token is no call of the Messaging API.
    let issue = json!({"grant_type": "client_credentials", "client_id": "1", "client_secret": "s"});
    let output = plan("issue_short_lived_channel_access_token", &asset, &issue);
    assert!(!output.render().contains("X-Example-Bot"));
    // The call's own header wins, and where there is none LINE's demand is told.
    let own = json!({"chatId": USER, "headers": {"x-example-bot": "U1"}});
    let output = plan("release_control_api", &asset, &own);
    assert!(output.render().contains("x-example-bot") && !output.render().contains(bot));
    for action in ["acquire_control_api", "release_control_api"] {
        let output = plan(action, &json!({"token": "t"}), &chat);
        let warnings = output.meta.unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].message.contains("bot's user ID"));
    }
    for wrong in [
        json!({}),
        json!({"A": "b", "C": "d"}),
        json!({"Authorization": "Bearer x"}),
        json!({"X-Line-Retry-Key": "x"}),
        json!({"HOST": "x"}),
        json!({"content-length": "1"}),
        json!({"Transfer-Encoding": "chunked"}),
        json!({"Cookie": "a=b"}),
        json!({"Proxy-Authorization": "Basic x"}),
        json!({"Expect": "100-continue"}),
        json!({"A b": "x"}),
        json!({"A": "x\ny"}),
        json!({"A": 7}),
        json!("U1"),
    ] {
        let asset = json!({"token": "t", "bot_header": wrong});
        let error = plan("get_bot_info", &asset, &json!({})).error.unwrap();
        assert_eq!(error.kind, Kind::InvalidAsset, "{wrong}");
        assert_eq!(error.details[0].path, "/asset/bot_header", "{wrong}");
    }
    // The same idempotency key of two bots is two keys.
    let keyed = |bot: &str| {
        let document = json!({
            "action": "send_push_message", "inputs": push, "options": {"idempotency_key": "k"},
            "asset": {"token": "t", "client_id": "1", "bot_header": {"X-Example-Bot": bot}},
        });
        let output = connector().plan(Invocation::from_value(document).unwrap());
        output.meta.unwrap().retry_key
    };
    assert_eq!(keyed("U1"), keyed("U1"));
    assert_ne!(keyed("U1"), keyed("U2"));
}

#[test]
fn several_account_types_stand_beside_each_other() {
    for (brands, warns) in [
        ("premium", false),
        ("premium verified", false),
        ("unverified verified premium", false),
        ("premium,verified", true),
        ("premium  verified", true),
        ("gold", true),
    ] {
        let form = json!({
            "grant_type": "authorization_code", "code": "c", "redirect_uri": "https://a.example/",
            "client_id": "1", "client_secret": "s", "brand_type": brands,
        });
        let action = "attach_by_operation_of_the_module_channel_provider";
        let output = plan(action, &json!({}), &form);
        assert!(output.error.is_none(), "{}", output.render());
        let warnings = output.meta.unwrap().warnings;
        assert_eq!(!warnings.is_empty(), warns, "{brands}");
    }
}

#[test]
fn what_is_missing_is_told_by_name_in_whatever_form() {
    let push = [("", "`messages` is missing"), ("", "`to` is missing")];
    let in_section = push.map(|(_, message)| ("/json_body", message));
    for (action, inputs, expected) in [
        ("send_push_message", json!({}), &push[..]),
        (
            "send_push_message",
            json!({"json_body": {}}),
            &in_section[..],
        ),
        ("send_push_message", json!({"headers": {}}), &push[..]),
        ("get_profile", json!({}), &[("", "`userId` is missing")]),
        ("get_friend_demographics", json!({}), &[]),
        (
            "send_multicast_message",
            json!({"to": [USER]}),
            &[("", "`messages` is missing")],
        ),
        (
            "get_number_of_followers",
            json!({}),
            &[("", "`date` is missing")],
        ),
        ("test_webhook_endpoint", json!({}), &[]),
    ] {
        let told = told(&plan(action, &json!({}), &inputs));
        let told: Vec<(&str, &str)> = told
            .iter()
            .map(|(path, message)| (path.as_str(), message.as_str()))
            .collect();
        assert_eq!(told, expected, "{action} {inputs}");
    }
    // What LINE's own sample sends where nothing is given.
    let output = plan("test_webhook_endpoint", &json!({}), &json!({}));
    let request = serde_json::to_value(output.request.unwrap()).unwrap();
    assert_eq!(request["body"], json!({}));
}

#[test]
fn a_null_is_explained_by_the_place_it_stands_in() {
    let text = json!({"type": "text", "text": "a"});
    let (gone, item, optional) = ("must be there", "remove the item", "leave the property out");
    for (action, inputs, path, words) in [
        (
            "send_push_message",
            json!({"to": null, "messages": [text]}),
            "/to",
            gone,
        ),
        (
            "send_push_message",
            json!({"to": USER, "messages": null}),
            "/messages",
            gone,
        ),
        (
            "send_push_message",
            json!({"to": USER, "messages": [null]}),
            "/messages/0",
            item,
        ),
        (
            "send_push_message",
            json!({"to": USER, "messages": [{"type": "text", "text": null}]}),
            "/messages/0/text",
            gone,
        ),
        (
            "send_push_message",
            json!({"to": USER, "messages": [{"type": "text", "text": "a", "sender": null}]}),
            "/messages/0/sender",
            optional,
        ),
        (
            "send_push_message",
            json!({"to": USER, "messages": [text], "notificationDisabled": null}),
            "/notificationDisabled",
            optional,
        ),
        (
            "send_push_message",
            json!({"to": USER, "messages": [{"type": "location", "title": "a", "address": "b", "latitude": 1, "longitude": null}]}),
            "/messages/0/longitude",
            gone,
        ),
        (
            "send_reply_message",
            json!({"replyToken": null, "messages": [text]}),
            "/replyToken",
            gone,
        ),
        ("get_profile", json!({"userId": null}), "/userId", gone),
        (
            "send_multicast_message",
            json!({"to": [USER, null], "messages": [text]}),
            "/to/1",
            item,
        ),
    ] {
        let error = plan(action, &json!({}), &inputs).error.unwrap();
        assert_eq!(error.details.len(), 1, "{inputs} {:?}", error.details);
        assert_eq!(error.details[0].path, path);
        let hint = error.details[0].hint.as_deref().unwrap_or_default();
        assert!(hint.contains(words), "{inputs} {hint}");
    }
}

#[test]
fn numbers_stand_in_paths_and_queries_as_line_reads_them() {
    let url = |action: &str, inputs: &str| {
        let inputs: Value = serde_json::from_str(inputs).unwrap();
        plan(action, &json!({}), &inputs)
            .request
            .map(|request| request.url)
    };
    let list = "get_data_for_multiple_audiences";
    for (inputs, query) in [
        (r#"{"page": 2.0, "size": 40.0}"#, "?page=2&size=40"),
        (r#"{"page": 2e0}"#, "?page=2"),
        (r#"{"page": 1.2e1}"#, "?page=12"),
        (r#"{"page": 3}"#, "?page=3"),
    ] {
        assert!(url(list, inputs).unwrap().ends_with(query), "{inputs}");
    }
    let audience = url(
        "get_audience_data",
        r#"{"audienceGroupId": 4389303728991.0}"#,
    );
    assert!(audience.unwrap().ends_with("/audienceGroup/4389303728991"));
    for inputs in [
        r#"{"audienceGroupId": 1e30}"#,
        r#"{"audienceGroupId": 1e400}"#,
        r#"{"audienceGroupId": 1.5}"#,
    ] {
        if serde_json::from_str::<Value>(inputs).is_ok() {
            assert_eq!(url("get_audience_data", inputs), None, "{inputs}");
        }
    }
}

/// In paths, queries and forms nothing but text arrives at LINE, so the types of JSON do not matter.
#[test]
fn what_reaches_line_as_text_may_be_written_in_any_type() {
    let url = |action: &str, inputs: &str| {
        let inputs: Value = serde_json::from_str(inputs).unwrap();
        let output = plan(action, &json!({}), &inputs);
        let told = told(&output);
        let request = output.request;
        request.unwrap_or_else(|| panic!("{inputs} {told:?}")).url
    };
    let list = "get_data_for_multiple_audiences";
    let period = "get_statistics_per_unit";
    for (action, inputs, end) in [
        (list, r#"{"page": "2", "size": "40"}"#, "?page=2&size=40"),
        (list, r#"{"page": "2.0"}"#, "?page=2"),
        (list, r#"{"page": "1e3"}"#, "?page=1000"),
        (list, r#"{"page": 1e3}"#, "?page=1000"),
        (
            list,
            r#"{"page": 1, "includesExternalPublicGroups": "true"}"#,
            "?page=1&includesExternalPublicGroups=true",
        ),
        (
            list,
            r#"{"page": 1, "includesExternalPublicGroups": "False"}"#,
            "?page=1&includesExternalPublicGroups=false",
        ),
        (
            list,
            r#"{"parameters": {"page": "7"}}"#,
            "/audienceGroup/list?page=7",
        ),
        (
            "get_audience_data",
            r#"{"audienceGroupId": "4389303728991"}"#,
            "/audienceGroup/4389303728991",
        ),
        (
            "get_number_of_followers",
            r#"{"date": 20260101}"#,
            "?date=20260101",
        ),
        (
            "get_number_of_followers",
            r#"{"date": 20260101.0}"#,
            "?date=20260101",
        ),
        (
            period,
            r#"{"customAggregationUnit": 7, "from": 20260101, "to": "20260131"}"#,
            "?customAggregationUnit=7&from=20260101&to=20260131",
        ),
        (
            "get_a_list_of_coupons",
            r#"{"status": "RUNNING"}"#,
            "?status=RUNNING",
        ),
        (
            "get_a_list_of_coupons",
            r#"{"status": "RUNNING", "limit": "10"}"#,
            "?status=RUNNING&limit=10",
        ),
    ] {
        let url = url(action, inputs);
        assert!(url.ends_with(end), "{inputs} {url}");
    }
}

#[test]
fn what_no_type_can_mean_is_refused_with_what_was_found() {
    let list = "get_data_for_multiple_audiences";
    for (action, inputs, path, found) in [
        (list, r#"{"page": "two"}"#, "/page", "\"two\""),
        (list, r#"{"page": "1.5"}"#, "/page", "1.5"),
        (list, r#"{"page": " 2"}"#, "/page", "\" 2\""),
        (list, r#"{"page": "0x2"}"#, "/page", "\"0x2\""),
        (list, r#"{"page": true}"#, "/page", "true"),
        (list, r#"{"page": [2]}"#, "/page", "[2]"),
        (
            list,
            r#"{"page": 1, "includesExternalPublicGroups": "yes"}"#,
            "/includesExternalPublicGroups",
            "\"yes\"",
        ),
        (
            list,
            r#"{"page": 1, "includesExternalPublicGroups": 1}"#,
            "/includesExternalPublicGroups",
            "1",
        ),
        (
            "get_audience_data",
            r#"{"audienceGroupId": 1e30}"#,
            "/audienceGroupId",
            "1e+30",
        ),
        (
            "get_audience_data",
            r#"{"audienceGroupId": "1e30"}"#,
            "/audienceGroupId",
            "1e+30",
        ),
        (
            "get_audience_data",
            r#"{"audienceGroupId": 1.5}"#,
            "/audienceGroupId",
            "1.5",
        ),
        // Of a number so large the last digits may be gone: it must come as a text.
        (
            "get_content",
            r#"{"messageId": 468789577898262530}"#,
            "/messageId",
            "468789577898262530",
        ),
        (
            "get_number_of_followers",
            r#"{"date": 20261301}"#,
            "/date",
            "\"20261301\"",
        ),
        (
            "get_a_list_of_coupons",
            r#"{"status": "RUNING"}"#,
            "/status/0",
            "\"RUNING\"",
        ),
        // LINE reads JSON by its types.
        (
            "send_push_message",
            r#"{"to": "U4af4980629f0b5a3c3d6b8a1d2e3f405", "messages": [{"type": "text", "text": "a"}], "notificationDisabled": "true"}"#,
            "/notificationDisabled",
            "\"true\"",
        ),
        (
            "send_multicast_message",
            r#"{"to": "U4af4980629f0b5a3c3d6b8a1d2e3f405", "messages": [{"type": "text", "text": "a"}]}"#,
            "/to",
            "\"U4af4980629f0b5a3c3d6b8a1d2e3f405\"",
        ),
    ] {
        let output = plan(action, &json!({}), &serde_json::from_str(inputs).unwrap());
        let error = output.error.unwrap_or_else(|| panic!("{inputs} is taken"));
        assert_eq!(error.kind, Kind::InvalidInputs, "{inputs}");
        let detail = &error.details[0];
        assert_eq!(detail.path, path, "{inputs} {detail:?}");
        assert_eq!(detail.found.as_deref(), Some(found), "{inputs} {detail:?}");
    }
}

#[test]
fn an_empty_field_of_a_form_chooses_no_variant() {
    let form = |fields: Value| {
        let mut form = json!({"grant_type": "client_credentials"});
        let filled = form.as_object_mut().unwrap();
        filled.extend(fields.as_object().unwrap().clone());
        form
    };
    let assertion = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    for (fields, places) in [
        (
            json!({"client_id": "1", "client_secret": "s", "client_assertion_type": "", "client_assertion": ""}),
            &["client_assertion_type", "client_assertion"][..],
        ),
        (
            json!({"client_id": "1", "client_secret": "s", "client_assertion": ""}),
            &["client_assertion"],
        ),
        (
            json!({"client_id": "1", "client_secret": "s", "client_assertion_type": ""}),
            &["client_assertion_type"],
        ),
        (
            json!({"client_id": "", "client_secret": "", "client_assertion_type": assertion, "client_assertion": "a.b.c"}),
            &["client_id", "client_secret"],
        ),
        (
            json!({"client_secret": "", "client_assertion_type": assertion, "client_assertion": "a.b.c"}),
            &["client_secret"],
        ),
        (json!({"client_id": "1", "client_secret": "s"}), &[]),
        (
            json!({"client_assertion_type": assertion, "client_assertion": "a.b.c"}),
            &[],
        ),
        (
            json!({"client_id": "1", "client_secret": "s", "client_assertion": "a.b.c", "client_assertion_type": assertion}),
            &["", "client_id", "client_assertion_type"],
        ),
    ] {
        let output = plan(
            "issue_stateless_channel_access_token",
            &json!({}),
            &form(fields.clone()),
        );
        let mut told: Vec<String> = told(&output).into_iter().map(|(path, _)| path).collect();
        let places = places.iter().map(|name| format!("/{name}"));
        let mut places: Vec<String> = places
            .map(|place| place.trim_end_matches('/').to_owned())
            .collect();
        told.sort();
        places.sort();
        assert_eq!(told, places, "{fields}");
    }
    let form = form(
        json!({"client_id": "1", "client_secret": "s", "client_assertion_type": "", "client_assertion": ""}),
    );
    for (_, message, hint) in hints("issue_stateless_channel_access_token", &form) {
        assert_eq!(
            (message.as_str(), hint.as_str()),
            (
                "is empty",
                "leave the property out instead of giving it empty"
            )
        );
    }
}

#[test]
fn a_status_that_is_asked_for_twice_only_warns() {
    let output = plan(
        "get_a_list_of_coupons",
        &json!({}),
        &json!({"status": ["DRAFT", "DRAFT"]}),
    );
    assert!(output.error.is_none(), "{}", output.render());
    assert_eq!(output.meta.unwrap().warnings[0].path, "/status");
}

/// The details of an error: place, message, hint.
fn hints(action: &str, inputs: &Value) -> Vec<(String, String, String)> {
    let output = plan(action, &json!({}), inputs);
    let details = output.error.into_iter().flat_map(|error| error.details);
    details
        .map(|detail| (detail.path, detail.message, detail.hint.unwrap_or_default()))
        .collect()
}

#[test]
fn what_is_missing_is_told_where_the_caller_writes_it() {
    let (flat, body) = ("give it in `inputs`", "give it in `inputs.json_body`");
    let both = |place, hint| vec![(place, "`messages`", hint), (place, "`to`", hint)];
    let section = "/json_body";
    let menu = "link_rich_menu_to_user";
    for (action, inputs, expected) in [
        ("send_push_message", json!({}), both("", flat)),
        ("send_push_message", json!({"headers": {}}), both("", flat)),
        (
            "send_push_message",
            json!({"json_body": {}}),
            both(section, body),
        ),
        (
            "send_push_message",
            json!({"json_body": null}),
            both(section, body),
        ),
        (
            "send_push_message",
            json!({"json_body": ""}),
            both(section, body),
        ),
        (
            "send_push_message",
            json!({"to": USER}),
            vec![("", "`messages`", flat)],
        ),
        (
            "send_push_message",
            json!({"json_body": {"to": USER}}),
            vec![(section, "`messages`", body)],
        ),
        (
            menu,
            json!({"path_parameters": {"userId": USER}}),
            vec![(
                "/path_parameters",
                "`richMenuId`",
                "give it in `inputs.path_parameters`",
            )],
        ),
        (
            menu,
            json!({}),
            vec![("", "`richMenuId`", flat), ("", "`userId`", flat)],
        ),
        (
            "get_statistics_per_unit",
            json!({"customAggregationUnit": "a"}),
            vec![("", "`from`", flat), ("", "`to`", flat)],
        ),
        (
            "create_audience_for_uploading_user_ids_by_file",
            json!({}),
            vec![("", "`description`", flat), ("", "`file`", flat)],
        ),
        // What is missing since it was misspelt is told once, the rest beside it.
        (
            "send_push_message",
            json!({"message": "hi"}),
            vec![
                (
                    "/message",
                    "`message` is not an input",
                    "did you mean `messages`?",
                ),
                ("", "`to`", flat),
            ],
        ),
        (
            "send_push_message",
            json!({"recipient": USER, "messages": []}),
            vec![
                ("/recipient", "`recipient` is not an input", ""),
                ("", "`to`", flat),
                ("/messages", "is empty", ""),
            ],
        ),
    ] {
        let told = hints(action, &inputs);
        assert_eq!(told.len(), expected.len(), "{inputs} {told:?}");
        for ((path, message, hint), expected) in told.iter().zip(expected) {
            assert_eq!(path, expected.0, "{inputs} {told:?}");
            assert!(message.starts_with(expected.1), "{inputs} {told:?}");
            assert_eq!(hint, expected.2, "{inputs} {told:?}");
        }
    }
    for (action, place) in [
        ("upload_rich_menu_image", ""),
        ("create_audience_for_uploading_user_ids_by_file", ""),
    ] {
        let error = plan(action, &json!({}), &json!({})).error.unwrap();
        let mut told = error.details.iter().filter(|detail| detail.path == place);
        let bytes = told.find(|detail| {
            let expected = detail.expected.as_deref().unwrap_or_default();
            expected.contains("base64") && expected.contains("path")
        });
        assert!(bytes.is_some(), "{:?}", error.details);
    }
}

#[test]
fn what_is_empty_is_explained_by_the_place_it_stands_in() {
    let (gone, item, optional) = ("must be there", "remove the item", "leave the property out");
    let push = |message: Value| json!({"to": USER, "messages": [message]});
    let first = |place: &str| format!("/messages/0{place}");
    let text = json!({"type": "text", "text": "a"});
    let menu = "richmenu-862e6ad6c267d2ddf3f42bc78554f6a4";
    for (action, inputs, path, words) in [
        (
            "send_push_message",
            push(json!({"type": "text", "text": ""})),
            first("/text"),
            gone,
        ),
        (
            "send_push_message",
            push(json!({"type": ""})),
            first("/type"),
            gone,
        ),
        (
            "send_push_message",
            push(json!({"type": "text", "text": "a", "quoteToken": ""})),
            first("/quoteToken"),
            optional,
        ),
        (
            "send_push_message",
            push(json!({"type": "text", "text": "a", "quickReply": ""})),
            first("/quickReply"),
            optional,
        ),
        (
            "send_push_message",
            push(
                json!({"type": "location", "title": "a", "address": "b", "latitude": "None", "longitude": 1}),
            ),
            first("/latitude"),
            gone,
        ),
        (
            "send_push_message",
            json!({"to": USER, "messages": [text], "notificationDisabled": ""}),
            "/notificationDisabled".into(),
            optional,
        ),
        (
            "get_profile",
            json!({"userId": "undefined"}),
            "/userId".into(),
            gone,
        ),
        (
            "send_multicast_message",
            json!({"to": [USER, ""], "messages": [text]}),
            "/to/1".into(),
            item,
        ),
        (
            "send_multicast_message",
            json!({"to": "null", "messages": [text]}),
            "/to".into(),
            gone,
        ),
        (
            "link_rich_menu_to_multiple_users",
            json!({"richMenuId": menu, "userIds": ""}),
            "/userIds".into(),
            gone,
        ),
        (
            "send_narrowcast_message",
            json!({"messages": [text], "limit": {"max": "", "upToRemainingQuota": true}}),
            "/limit/max".into(),
            optional,
        ),
        (
            "get_rich_menu_insight_by_day",
            json!({"richMenuId": menu, "from": "", "to": "20260101"}),
            "/from".into(),
            gone,
        ),
    ] {
        let told = hints(action, &inputs);
        assert_eq!(told.len(), 1, "{inputs} {told:?}");
        assert_eq!(told[0].0, path);
        assert!(told[0].2.contains(words), "{inputs} {told:?}");
        assert!(!told[0].2.contains("brackets"), "{inputs} {told:?}");
    }
}

/// The one mistake of these inputs is told once, at its place.
fn tells_one(action: &str, inputs: &Value, path: &str) {
    let told = hints(action, inputs);
    assert_eq!(told.len(), 1, "{inputs} {told:?}");
    assert_eq!(told[0].0, path, "{inputs} {told:?}");
}

#[test]
fn a_relation_to_a_wrong_part_of_a_message_is_no_second_mistake() {
    let tells_one = |template: Value, path: &str| {
        let message = json!({"type": "template", "altText": "a", "template": template});
        let inputs = json!({"to": USER, "messages": [message]});
        let path = format!("/messages/0/template{path}");
        tells_one("send_push_message", &inputs, &path);
    };
    let actions = json!([{"type": "message", "label": "a", "text": "a"}]);
    let column = |text: &str| json!({"text": text, "actions": actions});
    let titled = |text: &str| json!({"text": text, "title": "", "actions": actions});
    let carousel = |columns: Value| json!({"type": "carousel", "columns": columns});
    let buttons = |action: Value| json!({"type": "buttons", "text": "t", "actions": [action]});
    let empty = json!({"text": "x", "actions": []});
    tells_one(carousel(json!([empty, column("y")])), "/columns/0/actions");
    tells_one(carousel(json!([column("x"), empty])), "/columns/1/actions");
    tells_one(
        carousel(json!([titled("x"), column("y")])),
        "/columns/0/title",
    );
    tells_one(
        carousel(json!([column("x"), titled("y")])),
        "/columns/1/title",
    );
    let long = titled(&"x".repeat(61));
    tells_one(carousel(json!([long])), "/columns/0/title");
    let postback =
        json!({"type": "postback", "label": "a", "data": "d", "displayText": "a", "text": ""});
    tells_one(buttons(postback), "/actions/0/text");
    let picker = json!({"type": "datetimepicker", "label": "a", "data": "d", "mode": "date", "min": "2026-02-30", "max": "2026-01-01"});
    tells_one(buttons(picker), "/actions/0/min");
}

#[test]
fn a_relation_to_a_wrong_input_is_no_second_mistake() {
    let units =
        |from: &str, to: &str| json!({"customAggregationUnit": "a", "from": from, "to": to});
    for (from, to, wrong) in [
        ("99999999", "20260101", "from"),
        ("20260101", "20250000", "to"),
        // Where both are right by themselves, the relation is told.
        ("20260102", "20260101", "to"),
    ] {
        let path = format!("/{wrong}");
        tells_one("get_statistics_per_unit", &units(from, to), &path);
    }
    let audience = json!({"type": "audience", "audienceGroupId": 1});
    for (part, value, path) in [
        (
            "filter",
            json!({"demographic": {"type": "age", "gte": "", "lt": "age_20"}}),
            "/demographic/gte",
        ),
        (
            "filter",
            json!({"demographic": {"type": "age", "gte": "age_20", "lt": "old"}}),
            "/demographic/lt",
        ),
        (
            "recipient",
            json!({"type": "operator", "and": [audience], "or": null}),
            "/or",
        ),
        (
            "limit",
            json!({"upToRemainingQuota": "", "forbidPartialDelivery": true}),
            "/upToRemainingQuota",
        ),
    ] {
        let mut inputs = json!({"messages": [{"type": "text", "text": "a"}]});
        inputs[part] = value;
        let path = format!("/{part}{path}");
        tells_one("send_narrowcast_message", &inputs, &path);
    }
}

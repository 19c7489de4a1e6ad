//! People and chats: profiles, followers, groups and rooms, marks as read, link tokens, and the
//! aggregation units of sends.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use line_connector_sandbox::Settings;
use serde_json::{Value, json};

use super::sends::{DAY, post, with};
use super::{KEY, Scene, USER, push_body};

const SECOND: &str = "U02468acf13579bde02468acf13579bde";
const GROUP: &str = "Ca56f94637c40123456789abcdef01234";
const ROOM: &str = "Ra8dbf4673c40123456789abcdef01234";

/// Every entry of a listing, page by page, and how many pages there were.
fn all(scene: &Scene, target: &str, member: &str) -> (Vec<String>, usize) {
    let (mut found, mut pages, mut next) = (Vec::new(), 0, String::new());
    loop {
        let page = scene.get(&format!("{target}{next}"));
        found.extend(strings(&page[member]));
        pages += 1;
        let Some(token) = page["next"].as_str() else {
            return (found, pages);
        };
        let joint = if target.contains('?') { '&' } else { '?' };
        next = format!("{joint}start={token}");
    }
}

fn strings(value: &Value) -> Vec<String> {
    let entries = value.as_array().unwrap().iter();
    entries
        .map(|entry| entry.as_str().unwrap().to_owned())
        .collect()
}

fn refusal(scene: &Scene, target: &str) -> (u16, String) {
    let seen = scene.call("GET", target, None);
    (seen.status, seen.message())
}

#[test]
fn friends_have_profiles_and_nobody_else() {
    let scene = Scene::with(Settings {
        friends: 2,
        ..Settings::default()
    });
    let first = scene.get(&format!("/v2/bot/profile/{USER}"));
    assert_eq!(first["userId"], USER);
    assert_eq!(first["displayName"], "Person 1");
    assert_eq!(first["language"], "en");
    assert!(first["pictureUrl"].is_string() && first["statusMessage"].is_string());
    let second = scene.get(&format!("/v2/bot/profile/{SECOND}"));
    assert!(
        second.get("statusMessage").is_none(),
        "not everyone has one"
    );
    let bot = scene.get("/v2/bot/info")["userId"].clone();
    for stranger in ["U00000000000000000000000000000001", bot.as_str().unwrap()] {
        let seen = refusal(&scene, &format!("/v2/bot/profile/{stranger}"));
        assert_eq!(seen, (404, "Not found".to_owned()), "{stranger}");
    }
    let text = "The value for the 'userId' parameter is invalid".to_owned();
    for wrong in ["U123", GROUP, "taro"] {
        let seen = refusal(&scene, &format!("/v2/bot/profile/{wrong}"));
        assert_eq!(seen, (400, text.clone()), "{wrong}");
    }
}

#[test]
fn who_blocks_the_account_is_out_of_sight() {
    let scene = Scene::with(Settings {
        friends: 3,
        unreachable: BTreeSet::from([SECOND.to_owned()]),
        ..Settings::default()
    });
    let page = scene.get("/v2/bot/followers/ids?limit=2");
    assert_eq!(page["userIds"], json!([USER]), "a page may be short");
    assert!(page["next"].is_string());
    assert_eq!(refusal(&scene, &format!("/v2/bot/profile/{SECOND}")).0, 404);
}

#[test]
fn a_hundred_thousand_followers_come_in_pages() {
    let scene = Scene::with(Settings {
        friends: 100_000,
        ..Settings::default()
    });
    let start = Instant::now();
    let (ids, pages) = all(&scene, "/v2/bot/followers/ids?limit=1000", "userIds");
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!((ids.len(), pages), (100_000, 100));
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 100_000);
    let last = scene.get(&format!("/v2/bot/profile/{}", ids[99_999]));
    assert_eq!(last["displayName"], "Person 100000");
    let usual = scene.get("/v2/bot/followers/ids");
    assert_eq!(strings(&usual["userIds"]), ids[..300]);
}

#[test]
fn a_continuation_token_is_good_for_its_listing_and_a_day() {
    let scene = Scene::with(Settings {
        friends: 500,
        group_size: 150,
        ..Settings::default()
    });
    let page = scene.get("/v2/bot/followers/ids");
    let token = page["next"].as_str().unwrap();
    let bad = (400, "Invalid start param".to_owned());
    let group = format!("/v2/bot/group/{GROUP}/members/ids");
    for target in [
        "/v2/bot/followers/ids?start=abc".to_owned(),
        "/v2/bot/followers/ids?start=".to_owned(),
        format!("{group}?start={token}"),
        "/v2/bot/list?start=abc".to_owned(),
        "/v2/bot/message/aggregation/list?start=abc".to_owned(),
    ] {
        assert_eq!(refusal(&scene, &target), bad, "{target}");
    }
    let next = format!("/v2/bot/followers/ids?start={token}");
    assert_eq!(scene.get(&next), scene.get(&next), "it may be used twice");
    scene.pass(DAY);
    assert_eq!(refusal(&scene, &next), bad);
}

#[test]
fn limits_are_kept_and_listing_is_for_verified_accounts() {
    let scene = Scene::new();
    let text = "The value for the 'limit' parameter is invalid".to_owned();
    for wrong in ["0", "1001", "-1", "many", ""] {
        let seen = refusal(&scene, &format!("/v2/bot/followers/ids?limit={wrong}"));
        assert_eq!(seen, (400, text.clone()), "{wrong}");
    }
    let unverified = Scene::with(Settings {
        verified: false,
        ..Settings::default()
    });
    for target in [
        "/v2/bot/followers/ids".to_owned(),
        format!("/v2/bot/group/{GROUP}/members/ids"),
        format!("/v2/bot/room/{ROOM}/members/ids"),
    ] {
        assert_eq!(refusal(&unverified, &target).0, 403, "{target}");
    }
}

#[test]
fn groups_and_rooms_show_their_members() {
    let scene = Scene::with(Settings {
        group_size: 250,
        friends: 1,
        ..Settings::default()
    });
    let summary = scene.get(&format!("/v2/bot/group/{GROUP}/summary"));
    assert_eq!(summary["groupId"], GROUP);
    assert!(summary["groupName"].is_string());
    for chat in [format!("group/{GROUP}"), format!("room/{ROOM}")] {
        let count = scene.get(&format!("/v2/bot/{chat}/members/count"));
        assert_eq!(count, json!({ "count": 250 }));
        let (ids, pages) = all(&scene, &format!("/v2/bot/{chat}/members/ids"), "memberIds");
        assert_eq!((ids.len(), pages), (250, 3));
        let stranger = scene.get(&format!("/v2/bot/{chat}/member/{}", ids[249]));
        assert_eq!(
            stranger["userId"], ids[249],
            "a member need not be a friend"
        );
        assert!(stranger.get("language").is_none());
        let target = format!("/v2/bot/{chat}/member/U00000000000000000000000000000001");
        assert_eq!(refusal(&scene, &target), (404, "Not found".to_owned()));
    }
}

#[test]
fn chats_need_ids_of_their_kind() {
    let scene = Scene::new();
    for (target, parameter) in [
        ("group/Cabc/summary".to_owned(), "groupId"),
        (format!("group/{ROOM}/members/count"), "groupId"),
        (format!("group/{GROUP}/member/taro"), "userId"),
        (format!("room/{GROUP}/members/ids"), "roomId"),
        ("room/Rabc/members/count".to_owned(), "roomId"),
    ] {
        let text = format!("The value for the '{parameter}' parameter is invalid");
        let seen = refusal(&scene, &format!("/v2/bot/{target}"));
        assert_eq!(seen, (400, text), "{target}");
    }
    let seen = scene.call("GET", &format!("/v2/bot/room/{ROOM}/summary"), None);
    assert_eq!(seen.status, 404, "LINE has no such endpoint");
}

#[test]
fn a_chat_that_was_left_is_gone() {
    let scene = Scene::new();
    for (chat, id, second) in [("group", GROUP, 404), ("room", ROOM, 200)] {
        let leave = format!("/v2/bot/{chat}/{id}/leave");
        let seen = scene.call("POST", &leave, None);
        assert_eq!((seen.status, seen.json()), (200, json!({})));
        assert_eq!(scene.call("POST", &leave, None).status, second, "{chat}");
        let count = format!("/v2/bot/{chat}/{id}/members/count");
        assert_eq!(refusal(&scene, &count), (404, "Not found".to_owned()));
        let push = with(push_body("Hello"), "to", json!(id));
        let seen = post(&scene, "/v2/bot/message/push", &push);
        let text = "Failed to send messages".to_owned();
        assert_eq!((seen.status, seen.message()), (400, text));
    }
}

#[test]
fn messages_are_marked_as_read_by_token_and_by_user() {
    let scene = Scene::new();
    let by_token = |body: Value| post(&scene, "/v2/bot/chat/markAsRead", &body);
    let token = "30yhdy232N6WDSDbHdpBZVgYSbQTdyiBM5Ofoyjxk4hVAXHMSKFBHA";
    let seen = by_token(json!({ "markAsReadToken": token }));
    assert_eq!((seen.status, seen.json()), (200, json!({})));
    assert_eq!(
        by_token(json!({ "markAsReadToken": "wrong" })).message(),
        "Invalid markAsReadToken. Tokens must be used by the bot that received them via Webhook."
    );
    let details = by_token(json!({})).json()["details"].clone();
    let missing = json!([{ "message": "May not be empty", "property": "markAsReadToken" }]);
    assert_eq!(details, missing);
    let by_user = |body: Value| post(&scene, "/v2/bot/message/markAsRead", &body);
    let seen = by_user(json!({ "chat": { "userId": USER } }));
    assert_eq!((seen.status, seen.json()), (200, json!({})));
    for wrong in [json!({}), json!({ "chat": { "userId": GROUP } })] {
        let seen = by_user(wrong);
        let text =
            "The property, 'chat.chatId', in the request body is invalid (line: -, column: -)";
        assert_eq!((seen.status, seen.message().as_str()), (400, text));
    }
}

#[test]
fn link_tokens_are_fresh_each_time() {
    let scene = Scene::new();
    let target = format!("/v2/bot/user/{USER}/linkToken");
    let token = || post(&scene, &target, &json!({})).json()["linkToken"].clone();
    let (first, second) = (token(), token());
    assert!(first.is_string() && first != second);
    let seen = scene.call("POST", "/v2/bot/user/taro/linkToken", None);
    assert_eq!(seen.status, 400);
}

#[test]
fn this_months_units_are_counted_and_listed() {
    let scene = Scene::new();
    let units = |value: Value| with(push_body("Hello"), "customAggregationUnits", value);
    let send = |kind: &str, body: &Value| {
        let seen = post(&scene, &format!("/v2/bot/message/{kind}"), body);
        assert_eq!(seen.status, 200, "{}", seen.text());
    };
    let info =
        || scene.get("/v2/bot/message/aggregation/info")["numOfCustomAggregationUnits"].clone();
    assert_eq!(info(), 0);
    send("push", &units(json!(["summer"])));
    send("push", &units(json!(["summer"])));
    send(
        "multicast",
        &with(units(json!(["autumn"])), "to", json!([USER])),
    );
    send("push", &push_body("Hello"));
    let wrong = units(json!(["not a word"]));
    assert_eq!(post(&scene, "/v2/bot/message/push", &wrong).status, 400);
    let list = scene.get("/v2/bot/message/aggregation/list");
    assert_eq!(
        list,
        json!({ "customAggregationUnits": ["summer", "autumn"] })
    );
    assert_eq!(info(), 2);
    let target = "/v2/bot/message/aggregation/list?limit=1";
    let (names, pages) = all(&scene, target, "customAggregationUnits");
    assert_eq!(
        (names, pages),
        (vec!["summer".to_owned(), "autumn".to_owned()], 2)
    );
    assert_eq!(
        refusal(&scene, "/v2/bot/message/aggregation/list?limit=101").0,
        400
    );
    scene.pass(31 * DAY);
    assert_eq!(info(), 0, "a new month");
}

#[test]
fn a_retry_key_spoils_each_of_these() {
    let scene = Scene::new();
    for (method, target) in [
        ("GET", format!("/v2/bot/profile/{USER}")),
        ("GET", "/v2/bot/followers/ids".to_owned()),
        ("POST", format!("/v2/bot/group/{GROUP}/leave")),
        ("POST", "/v2/bot/chat/markAsRead".to_owned()),
        ("POST", "/bot/pnp/push".to_owned()),
        ("POST", "/v2/bot/message/pnp/templated/push".to_owned()),
        (
            "GET",
            "/v2/bot/message/354718705033693861/content".to_owned(),
        ),
        ("PUT", "/v2/bot/channel/webhook/endpoint".to_owned()),
        ("POST", "/liff/v1/apps".to_owned()),
        ("POST", "/shop/v3/mission".to_owned()),
        ("POST", "/v2/bot/channel/detach".to_owned()),
    ] {
        let key = [("X-Line-Retry-Key", KEY)];
        let seen = scene.call_with(method, &target, Some(&json!({})), &key);
        let text = "The 'X-Line-Retry-Key' header is not supported by this API";
        assert_eq!(
            (seen.status, seen.message().as_str()),
            (400, text),
            "{target}"
        );
    }
}

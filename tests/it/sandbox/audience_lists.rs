//! Audiences once they are there: listed, shared, renamed, deleted, and sent to.

use std::collections::BTreeMap;

use line_connector_sandbox::{Audience, Settings};
use serde_json::{Value, json};

use super::audiences::{UPLOAD, code, create, group, status, users};
use super::sends::{post, with};
use super::{Scene, messages};

const GIVEN: u64 = 5_614_991_017_776;
const SHARED: u64 = 2_345_678_901_234;

#[test]
fn audiences_are_renamed_and_deleted_by_their_owner() {
    let scene = Scene::new();
    let id = create(&scene, "before", 1);
    let rename = |id: &Value, name: &str| {
        let target = format!("{}/updateDescription", group(id));
        scene.call("PUT", &target, Some(&json!({ "description": name })))
    };
    let seen = rename(&id, "after");
    assert_eq!((seen.status, seen.json()), (200, json!({})));
    assert_eq!(
        scene.get(&group(&id))["audienceGroup"]["description"],
        "after"
    );
    assert_eq!(code(&rename(&id, "")).0, "AUDIENCE_GROUP_NAME_EMPTY");
    assert_eq!(code(&rename(&json!(SHARED), "mine")).0, "WRONG_BOT_ID");
    let seen = scene.call("DELETE", &group(&id), None);
    assert_eq!((seen.status, seen.json()), (202, json!({})));
    let expected = json!({ "message": "audience group not found",
        "details": [{ "message": "AUDIENCE_GROUP_NOT_FOUND" }] });
    for method in ["GET", "DELETE"] {
        let seen = scene.call(method, &group(&id), None);
        assert_eq!((seen.status, seen.json()), (400, expected.clone()));
    }
}

#[test]
fn audiences_are_listed_in_pages_and_by_filter() {
    let restricted = |size| Audience {
        size,
        restricted: true,
    };
    let scene = Scene::with(Settings {
        audiences: BTreeMap::from([(1, restricted(19)), (2, restricted(50))]),
        ..Settings::default()
    });
    (0..3).for_each(|number| drop(create(&scene, &format!("Name {number}"), 1)));
    let list = |query: &str| scene.get(&format!("/v2/bot/audienceGroup/list?{query}"));
    let pages = [
        ("page=1&size=2", 2, true),
        ("page=3&size=2", 1, false),
        ("page=4&size=2", 0, false),
    ];
    for (query, count, more) in pages {
        let seen = list(query);
        assert_eq!(seen["audienceGroups"].as_array().unwrap().len(), count);
        assert_eq!(
            (&seen["hasNextPage"], &seen["totalCount"]),
            (&json!(more), &json!(5)),
            "{query}"
        );
        assert_eq!(seen["readWriteAudienceGroupTotalCount"], 3);
    }
    assert_eq!(list("page=1")["size"], 20);
    let given = list("page=1&size=1")["audienceGroups"][0].clone();
    assert_eq!(
        (
            &given["type"],
            &given["audienceCount"],
            &given["permission"]
        ),
        (&json!("RICHMENU_IMP"), &json!(0), &json!("READ"))
    );
    for (filter, count) in [
        ("description=nAmE", 3),
        ("description=name%201", 1),
        ("status=READY", 2),
        ("status=FAILED", 0),
        ("createRoute=MESSAGING_API", 3),
        ("createRoute=MESSAGING_API&createRoute=OA_MANAGER", 5),
        ("includesExternalPublicGroups=false", 3),
    ] {
        let total = list(&format!("page=1&{filter}"))["totalCount"].clone();
        assert_eq!(total, count, "{filter}");
    }
    let refused = |query: &str| {
        let target = format!("/v2/bot/audienceGroup/list?{query}");
        scene.call("GET", &target, None)
    };
    let expected = json!({ "message": "size: must be less than or equal to 40",
        "details": [{ "message": "TOO_HIGH" }] });
    assert_eq!(refused("page=1&size=41").json(), expected);
    for query in [
        "",
        "page=0",
        "page=a",
        "page=1&size=0",
        "page=1&status=x",
        "page=1&createRoute=x",
    ] {
        assert_eq!(refused(query).status, 400, "{query}");
    }
}

#[test]
fn what_business_manager_shares_is_listed_apart() {
    let scene = Scene::new();
    let own = scene.get("/v2/bot/audienceGroup/list?page=1");
    assert_eq!(own["totalCount"], 2);
    let shared = scene.get("/v2/bot/audienceGroup/shared/list");
    assert_eq!(shared["totalCount"], 1);
    assert_eq!(shared["audienceGroups"][0]["audienceGroupId"], SHARED);
    let both = scene.get("/v2/bot/audienceGroup/shared/list?includesOwnedAudienceGroups=true");
    assert_eq!(both["totalCount"], 3);
    let seen = scene.get(&format!("/v2/bot/audienceGroup/shared/{SHARED}"));
    assert_eq!(
        (
            &seen["owner"]["serviceType"],
            &seen["audienceGroup"]["audienceCount"]
        ),
        (&json!("bm"), &json!(80))
    );
    let target = group(&json!(SHARED));
    assert_eq!(
        code(&scene.call("GET", &target, None)).0,
        "AUDIENCE_GROUP_NOT_FOUND"
    );
    let unknown = "/v2/bot/audienceGroup/shared/1";
    assert_eq!(
        code(&scene.call("GET", unknown, None)).0,
        "AUDIENCE_GROUP_NOT_FOUND"
    );
}

#[test]
fn a_narrowcast_goes_to_audiences_that_are_ready() {
    let scene = Scene::new();
    let id = create(&scene, "names", 70);
    let send = |id: &Value| {
        let recipient = json!({ "type": "audience", "audienceGroupId": id });
        let body = with(messages(), "recipient", recipient);
        post(&scene, "/v2/bot/message/narrowcast", &body)
    };
    assert_eq!(
        send(&id).message(),
        format!("Invalid audience group id: {id}")
    );
    (0..2).for_each(|_| drop(status(&scene, &id)));
    assert_eq!(send(&id).status, 202);
    assert_eq!(scene.sandbox.delivered().last().unwrap().people, 70);
    assert_eq!(send(&json!(SHARED)).status, 202);
    let body = json!({ "audienceGroupId": GIVEN, "audiences": users(10) });
    assert_eq!(scene.call("PUT", UPLOAD, Some(&body)).status, 202);
    (0..2).for_each(|_| drop(status(&scene, &json!(GIVEN))));
    assert_eq!(send(&json!(GIVEN)).status, 202);
    assert_eq!(scene.sandbox.delivered().last().unwrap().people, 110);
}

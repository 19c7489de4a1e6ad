//! Memberships: the plans, their members in pages, and one user's subscriptions.

use line_connector_sandbox::{Membership, Settings};
use serde_json::{Value, json};

use super::sends::DAY;
use super::{Scene, USER};

fn plan(id: u64, members: Vec<String>) -> Membership {
    Membership {
        id,
        title: format!("Plan {id}"),
        members,
    }
}

#[test]
fn plans_are_listed_where_there_are_any() {
    let scene = Scene::new();
    let plans = scene.get("/v2/bot/membership/list")["memberships"].clone();
    assert_eq!(plans.as_array().unwrap().len(), 2);
    assert_eq!(
        (
            &plans[0]["membershipId"],
            &plans[0]["memberCount"],
            &plans[0]["memberLimit"]
        ),
        (&json!(3189), &json!(3), &Value::Null)
    );
    let none = Scene::with(Settings {
        memberships: Vec::new(),
        ..Settings::default()
    });
    let seen = none.call("GET", "/v2/bot/membership/list", None);
    let expected = json!({ "message": "Membership plan not found" });
    assert_eq!((seen.status, seen.json()), (404, expected));
}

#[test]
fn a_subscription_grows_older() {
    let scene = Scene::with(Settings {
        memberships: vec![plan(1, Vec::new()), plan(2, vec![USER.to_owned()])],
        ..Settings::default()
    });
    let target = format!("/v2/bot/membership/subscription/{USER}");
    let seen = scene.get(&target);
    assert_eq!(seen["subscriptions"].as_array().unwrap().len(), 1);
    let one = &seen["subscriptions"][0];
    assert_eq!(one["membership"]["membershipId"], 2);
    let expected = json!({ "membershipNo": 1, "joinedTime": 1_604_398_530,
        "nextBillingDate": "2021-01-02", "totalSubscriptionMonths": 2 });
    assert_eq!(one["user"], expected);
    scene.pass(30 * DAY);
    let later = scene.get(&target)["subscriptions"][0]["user"].clone();
    assert_eq!(
        (&later["joinedTime"], &later["totalSubscriptionMonths"]),
        (&json!(1_604_398_530), &json!(3))
    );
    let refused = |user: &str| {
        let target = format!("/v2/bot/membership/subscription/{user}");
        let seen = scene.call("GET", &target, None);
        (seen.status, seen.message())
    };
    let text = "The value for the 'userId' parameter is invalid".to_owned();
    assert_eq!(refused("U1"), (400, text));
    let stranger = "Ufedcba9876543210fedcba9876543210";
    assert_eq!(refused(stranger), (404, "Not found".to_owned()));
}

#[test]
fn members_come_in_pages() {
    let members: Vec<String> = (0..301).map(|number| format!("U{number:032x}")).collect();
    let scene = Scene::with(Settings {
        memberships: vec![plan(1, members.clone()), plan(2, members.clone())],
        ..Settings::default()
    });
    let target = "/v2/bot/membership/1/users/ids";
    let first = scene.get(target);
    assert_eq!(first["userIds"], json!(members[..300]));
    let next = first["next"].as_str().unwrap();
    let rest = json!({ "userIds": [members[300]] });
    assert_eq!(scene.get(&format!("{target}?start={next}")), rest);
    let all = scene.get(&format!("{target}?limit=1000"));
    assert_eq!(all, json!({ "userIds": members }));
    let refused = |target: &str| {
        let seen = scene.call("GET", target, None);
        (seen.status, seen.message())
    };
    let stale = (400, "Invalid start param".to_owned());
    assert_eq!(refused(&format!("{target}?start=x")), stale);
    let elsewhere = format!("/v2/bot/membership/2/users/ids?start={next}");
    assert_eq!(refused(&elsewhere), stale);
    for limit in ["0", "1001", "a"] {
        assert_eq!(refused(&format!("{target}?limit={limit}")).0, 400);
    }
    for id in ["3", "x"] {
        let expected = (404, "Membership ID is not found".to_owned());
        assert_eq!(
            refused(&format!("/v2/bot/membership/{id}/users/ids")),
            expected
        );
    }
}

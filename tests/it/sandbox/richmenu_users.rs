//! Who sees which rich menu: the default, users one by one and in bulk, batches, and aliases.

use std::collections::BTreeSet;
use std::time::Duration;

use line_connector_sandbox::{Pace, Settings};
use serde_json::{Value, json};

use super::richmenus::{
    OTHER, UNKNOWN, bare, create, create_with_image, detailed, fault, plain, upload_to,
};
use super::sends::{DAY, post};
use super::{Scene, USER};

#[test]
fn the_default_menu_needs_an_image_and_goes_with_its_menu() {
    let scene = Scene::new();
    let default = "/v2/bot/user/all/richmenu";
    let none = (404, detailed("no default richmenu"));
    assert_eq!(bare(&scene.call("GET", default, None)), none);
    let id = create(&scene);
    let set = |id: &str| scene.call("POST", &format!("{default}/{id}"), None);
    let text = "must upload richmenu image before applying it to user";
    assert_eq!(bare(&set(&id)), (400, detailed(text)));
    assert_eq!(bare(&set(UNKNOWN)), (404, plain("Not found")));
    upload_to(&scene, &id);
    assert_eq!(bare(&set(&id)), (200, json!({})));
    assert_eq!(scene.get(default), json!({ "richMenuId": id }));
    assert_eq!(scene.call("DELETE", default, None).status, 200);
    assert_eq!(bare(&scene.call("GET", default, None)), none);
    set(&id);
    scene.call("DELETE", &format!("/v2/bot/richmenu/{id}"), None);
    assert_eq!(bare(&scene.call("GET", default, None)), none);
}

#[test]
fn a_user_is_linked_and_unlinked() {
    let scene = Scene::with(Settings {
        unreachable: BTreeSet::from([OTHER.to_owned()]),
        ..Settings::default()
    });
    let (id, plain_id) = (create_with_image(&scene), create(&scene));
    let own = format!("/v2/bot/user/{USER}/richmenu");
    let link = |user: &str, id: &str| {
        scene.call("POST", &format!("/v2/bot/user/{user}/richmenu/{id}"), None)
    };
    let none = (404, detailed("the user has no richmenu"));
    assert_eq!(bare(&scene.call("GET", &own, None)), none);
    let text = "The value for the 'userId' parameter is invalid";
    assert_eq!(bare(&link("U123", &id)), (400, plain(text)));
    assert_eq!(bare(&link(USER, UNKNOWN)), (404, plain("Not found")));
    assert_eq!(link(USER, &plain_id).status, 400);
    assert_eq!(bare(&link(USER, &id)), (200, json!({})));
    assert_eq!(scene.get(&own), json!({ "richMenuId": id }));
    assert_eq!(scene.call("DELETE", &own, None).status, 200);
    assert_eq!(bare(&scene.call("GET", &own, None)), none);
    assert_eq!(link(OTHER, &id).status, 200, "silently ignored");
    let other = format!("/v2/bot/user/{OTHER}/richmenu");
    assert_eq!(bare(&scene.call("GET", &other, None)), none);
}

#[test]
fn many_users_are_linked_and_unlinked() {
    let scene = Scene::new();
    let id = create_with_image(&scene);
    let link = |body: Value| post(&scene, "/v2/bot/richmenu/bulk/link", &body);
    let to = |id: &str, users: Value| link(json!({ "richMenuId": id, "userIds": users }));
    assert_eq!(bare(&to(&id, json!([USER, OTHER]))), (202, json!({})));
    assert_eq!(
        scene.get(&format!("/v2/bot/user/{OTHER}/richmenu"))["richMenuId"],
        id
    );
    let text = "The property, 'userIds[0]', in the request body is invalid (line: -, column: -)";
    assert_eq!(bare(&to(&id, json!(["U1"]))), (400, plain(text)));
    let malformed = (400, fault("invalid richMenuId", "richMenuId"));
    assert_eq!(bare(&to("richmenu-1", json!([USER]))), malformed);
    let missing = (404, detailed("richmenu not found"));
    assert_eq!(bare(&to(UNKNOWN, json!([USER]))), missing);
    assert_eq!(to(&id, json!(vec![USER; 500])).status, 202);
    assert_eq!(to(&id, json!(vec![USER; 501])).status, 400);
    let unlink = |users: Value| {
        let body = json!({ "userIds": users });
        post(&scene, "/v2/bot/richmenu/bulk/unlink", &body)
    };
    assert_eq!(bare(&unlink(json!(["U1"]))), (400, plain(text)));
    assert_eq!(bare(&unlink(json!([USER, OTHER]))), (202, json!({})));
    let own = format!("/v2/bot/user/{USER}/richmenu");
    assert_eq!(scene.call("GET", &own, None).status, 404);
}

#[test]
fn a_batch_moves_users_by_what_they_had_before() {
    let scene = Scene::new();
    let [a, b, c] = [(); 3].map(|()| create_with_image(&scene));
    let users = [USER, OTHER].map(|user| format!("/v2/bot/user/{user}/richmenu"));
    for (user, id) in users.iter().zip([&a, &b]) {
        scene.call("POST", &format!("{user}/{id}"), None);
    }
    let link = |from: &str, to: &str| json!({ "type": "link", "from": from, "to": to });
    let body = json!({ "operations": [link(&a, &b), link(&b, &c)], "resumeRequestKey": "k-1" });
    let valid = post(&scene, "/v2/bot/richmenu/validate/batch", &body);
    assert_eq!(bare(&valid), (200, json!({})));
    let seen = post(&scene, "/v2/bot/richmenu/batch", &body);
    assert_eq!(bare(&seen), (202, json!({})));
    let menus = || {
        users
            .clone()
            .map(|user| scene.get(&user)["richMenuId"].clone())
    };
    assert_eq!(menus(), [json!(b), json!(c)]);
    let again = post(&scene, "/v2/bot/richmenu/batch", &body);
    assert_eq!(again.status, 202);
    assert_eq!(menus(), [json!(b), json!(c)], "the key is known");
    let id = seen.field("x-line-request-id").unwrap();
    let target = format!("/v2/bot/richmenu/progress/batch?requestId={id}");
    let accepted = "2020-12-03T10:15:30.121Z";
    assert_eq!(
        scene.get(&target),
        json!({ "phase": "ongoing", "acceptedTime": accepted })
    );
    scene.pass(Duration::from_secs(1));
    let done = json!({ "phase": "succeeded", "acceptedTime": accepted,
        "completedTime": "2020-12-03T10:15:31.121Z" });
    assert_eq!(scene.get(&target), done);
    assert_eq!(scene.get(&target), done);
    scene.pass(14 * DAY);
    assert_eq!(
        bare(&scene.call("GET", &target, None)),
        (404, plain("Not found"))
    );
    let malformed = "/v2/bot/richmenu/progress/batch?requestId=x";
    assert_eq!(scene.call("GET", malformed, None).status, 400);
    let everyone = json!({ "operations": [{ "type": "unlinkAll" }] });
    assert_eq!(
        post(&scene, "/v2/bot/richmenu/batch", &everyone).status,
        202
    );
    assert_eq!(scene.call("GET", &users[0], None).status, 404);
}

#[test]
fn a_batch_can_take_its_time() {
    let pace = Pace::Timed {
        sending: Duration::from_secs(1),
        done: Duration::from_secs(3),
    };
    let scene = Scene::with(Settings {
        pace,
        ..Settings::default()
    });
    let body = json!({ "operations": [{ "type": "unlinkAll" }] });
    let seen = post(&scene, "/v2/bot/richmenu/batch", &body);
    let id = seen.field("x-line-request-id").unwrap();
    let target = format!("/v2/bot/richmenu/progress/batch?requestId={id}");
    for (wait, phase) in [(0, "ongoing"), (2, "ongoing"), (9, "succeeded")] {
        scene.pass(Duration::from_secs(wait));
        assert_eq!(scene.get(&target)["phase"], phase);
    }
    let completed = scene.get(&target)["completedTime"].clone();
    assert_eq!(completed, "2020-12-03T10:15:33.121Z");
}

#[test]
fn a_batch_is_refused_in_lines_words() {
    let scene = Scene::new();
    let (a, b) = (create_with_image(&scene), create(&scene));
    let refused = |operations: Value| {
        let body = json!({ "operations": operations });
        let seen = post(&scene, "/v2/bot/richmenu/batch", &body);
        let validated = post(&scene, "/v2/bot/richmenu/validate/batch", &body);
        assert_eq!(bare(&seen), bare(&validated));
        bare(&seen)
    };
    let unlink = |from: &str| json!({ "type": "unlink", "from": from });
    let link = |from: &str, to: &str| json!({ "type": "link", "from": from, "to": to });
    let text = format!("from richmenu ({a}) is duplicated");
    let twice = refused(json!([unlink(&a), unlink(&a)]));
    assert_eq!(twice, (400, fault(&text, "operations[].from")));
    let text = "'unlinkAll' type can't be combined with other type";
    let mixed = refused(json!([{ "type": "unlinkAll" }, unlink(&a)]));
    assert_eq!(mixed, (400, fault(text, "operations[].type")));
    let malformed = (400, fault("invalid richMenuId", "operations[0].from"));
    assert_eq!(refused(json!([unlink("richmenu-1")])), malformed);
    let text = format!("'to' richmenu ({b}) must have image but it doesn't");
    let bare_menu = refused(json!([link(&a, &b)]));
    assert_eq!(bare_menu, (400, fault(&text, "operations[0].to")));
    let text = format!("Richmenu ({UNKNOWN}) is not found");
    let missing = refused(json!([link(&a, UNKNOWN)]));
    assert_eq!(missing, (404, fault(&text, "operations[0].to")));
    assert_eq!(refused(json!([])).0, 400);
    assert_eq!(refused(json!([{ "type": "move", "from": a }])).0, 400);
    let body = json!({ "operations": [{ "type": "unlinkAll" }], "resumeRequestKey": "a b" });
    assert_eq!(post(&scene, "/v2/bot/richmenu/batch", &body).status, 400);
}

#[test]
fn aliases_name_menus_with_images() {
    let scene = Scene::new();
    let (a, b, plain_id) = (
        create_with_image(&scene),
        create_with_image(&scene),
        create(&scene),
    );
    let create = |alias: &str, id: &str| {
        let body = json!({ "richMenuAliasId": alias, "richMenuId": id });
        bare(&post(&scene, "/v2/bot/richmenu/alias", &body))
    };
    let one = |id: &str| json!({ "richMenuAliasId": "tab-a", "richMenuId": id });
    let target = "/v2/bot/richmenu/alias/tab-a";
    assert_eq!(create("tab-a", &a), (200, json!({})));
    assert_eq!(scene.get(target), one(&a));
    let conflict = (400, detailed("conflict richmenu alias id"));
    assert_eq!(create("tab-a", &b), conflict);
    let missing = (400, detailed("richmenu not found"));
    assert_eq!(create("tab-b", UNKNOWN), missing);
    assert_eq!(create("tab-b", &plain_id), missing);
    let malformed = (400, fault("invalid richMenuId", "richMenuId"));
    assert_eq!(create("tab-b", "richmenu-1"), malformed);
    for alias in ["RichMenu", "", &"a".repeat(33)] {
        assert_eq!(create(alias, &a).0, 400, "{alias}");
    }
    let update = |target: &str, id: &str| bare(&post(&scene, target, &json!({ "richMenuId": id })));
    assert_eq!(update(target, &b), (200, json!({})));
    assert_eq!(update(target, UNKNOWN), missing);
    assert_eq!(
        scene.get("/v2/bot/richmenu/alias/list"),
        json!({ "aliases": [one(&b)] })
    );
    let gone = (404, detailed("richmenu alias not found"));
    assert_eq!(update("/v2/bot/richmenu/alias/tab-z", &b), gone);
    assert_eq!(bare(&scene.call("DELETE", target, None)), (200, json!({})));
    assert_eq!(bare(&scene.call("GET", target, None)), gone);
    let malformed = "/v2/bot/richmenu/alias/A";
    assert_eq!(scene.call("DELETE", malformed, None).status, 400);
}

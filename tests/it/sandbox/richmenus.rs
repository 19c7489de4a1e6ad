//! Rich menus: the object and its image. Who sees a menu is tested beside it.

use serde_json::{Value, json};

use super::plain_client::Seen;
use super::sends::{post, with};
use super::uploads::{png, upload};
use super::{KEY, Scene};

pub(super) const UNKNOWN: &str = "richmenu-862e6ad6c267d2ddf3f42bc78554f6a4";
pub(super) const OTHER: &str = "Ufedcba9876543210fedcba9876543210";

pub(super) fn menu() -> Value {
    json!({
        "size": { "width": 2500, "height": 1686 },
        "selected": false,
        "name": "Nice rich menu",
        "chatBarText": "Tap to open",
        "areas": [{ "bounds": { "x": 0, "y": 0, "width": 2500, "height": 1686 },
            "action": { "type": "postback", "data": "action=buy&itemid=123" } }],
    })
}

pub(super) fn create(scene: &Scene) -> String {
    let seen = post(scene, "/v2/bot/richmenu", &menu());
    assert_eq!(seen.status, 200, "{}", seen.text());
    seen.json()["richMenuId"].as_str().unwrap().to_owned()
}

pub(super) fn upload_to(scene: &Scene, id: &str) -> Seen {
    let target = format!("/v2/bot/richmenu/{id}/content");
    upload(scene, "POST", &target, "image/png", &png(2500, 1686))
}

pub(super) fn create_with_image(scene: &Scene) -> String {
    let id = create(scene);
    assert_eq!(upload_to(scene, &id).status, 200);
    id
}

pub(super) fn bare(seen: &Seen) -> (u16, Value) {
    (seen.status, seen.json())
}

pub(super) fn plain(text: &str) -> Value {
    json!({ "message": text })
}

pub(super) fn detailed(text: &str) -> Value {
    json!({ "message": text, "details": [] })
}

pub(super) fn fault(message: &str, property: &str) -> Value {
    json!({ "message": "The request body has 1 error(s)",
        "details": [{ "message": message, "property": property }] })
}

#[test]
fn a_menu_is_created_listed_read_and_deleted() {
    let scene = Scene::new();
    assert_eq!(
        post(&scene, "/v2/bot/richmenu/validate", &menu()).json(),
        json!({})
    );
    assert_eq!(
        scene.get("/v2/bot/richmenu/list"),
        json!({ "richmenus": [] })
    );
    let id = create(&scene);
    assert_eq!(id.len(), "richmenu-".len() + 32);
    let shown = with(menu(), "richMenuId", json!(id));
    assert_eq!(scene.get(&format!("/v2/bot/richmenu/{id}")), shown);
    assert_eq!(
        scene.get("/v2/bot/richmenu/list"),
        json!({ "richmenus": [shown] })
    );
    let target = format!("/v2/bot/richmenu/{id}");
    assert_eq!(bare(&scene.call("DELETE", &target, None)), (200, json!({})));
    for method in ["DELETE", "GET"] {
        assert_eq!(
            bare(&scene.call(method, &target, None)),
            (404, plain("Not found"))
        );
    }
}

#[test]
fn a_menu_is_judged_in_lines_words() {
    let scene = Scene::new();
    let refused = |body: &Value| {
        let created = post(&scene, "/v2/bot/richmenu", body);
        let validated = post(&scene, "/v2/bot/richmenu/validate", body);
        assert_eq!(bare(&created), bare(&validated));
        assert_eq!(created.status, 400, "{body}");
        created.json()
    };
    let mut nameless = menu();
    nameless.as_object_mut().unwrap().remove("name");
    assert_eq!(refused(&nameless), fault("must be specified", "name"));
    let uri = json!({ "type": "uri", "uri": "ftp://example.com" });
    let mut unlinked = menu();
    unlinked["areas"][0]["action"] = uri;
    let expected = fault("invalid uri", "areas[0].action.uri");
    assert_eq!(refused(&unlinked), expected);
    let area = menu()["areas"][0].clone();
    refused(&with(menu(), "areas", json!(vec![area.clone(); 21])));
    refused(&with(menu(), "chatBarText", json!("a".repeat(15))));
    for (width, height, good) in [
        (2500, 1724, true),
        (800, 250, true),
        (2500, 1725, false),
        (799, 250, false),
        (800, 249, false),
        (2501, 843, false),
    ] {
        let body = with(menu(), "size", json!({ "width": width, "height": height }));
        let seen = post(&scene, "/v2/bot/richmenu/validate", &body);
        assert_eq!(seen.status == 200, good, "{width} x {height}");
    }
    let switch = json!({ "type": "richmenuswitch", "richMenuAliasId": "a", "data": "b" });
    let mut tabs = with(menu(), "areas", json!(vec![area; 20]));
    tabs["areas"][0]["action"] = switch;
    let seen = post(&scene, "/v2/bot/richmenu/validate", &tabs);
    assert_eq!(seen.status, 200, "{}", seen.text());
}

#[test]
fn the_thousand_and_first_menu_is_refused() {
    let scene = Scene::new();
    let mut client = scene.client();
    let fields = [("Authorization", "Bearer sandbox-token")];
    let mut create = || client.call("POST", "/v2/bot/richmenu", &fields, Some(&menu()));
    for _ in 0..1000 {
        assert_eq!(create().unwrap().status, 200);
    }
    assert_eq!(create().unwrap().status, 400);
}

/// As many menus as LINE allows, with the largest images, would be a gigabyte.
#[test]
fn images_are_kept_to_a_number_of_bytes_and_the_newest_longest() {
    let scene = Scene::new();
    let mut image = png(2500, 1686);
    image.resize(1024 * 1024, 0);
    let mut ids = Vec::new();
    for _ in 0..66 {
        let id = create(&scene);
        let target = format!("/v2/bot/richmenu/{id}/content");
        assert_eq!(
            upload(&scene, "POST", &target, "image/png", &image).status,
            200
        );
        ids.push(id);
    }
    for (index, id) in ids.iter().enumerate() {
        let seen = scene.call("GET", &format!("/v2/bot/richmenu/{id}/content"), None);
        assert_eq!(seen.status, if index < 2 { 404 } else { 200 }, "{index}");
    }
    // It still has an image, which LINE would show.
    let shown = post(
        &scene,
        &format!("/v2/bot/user/all/richmenu/{}", ids[0]),
        &json!({}),
    );
    assert_eq!(shown.status, 200);
    assert_eq!(upload_to(&scene, &ids[0]).status, 400);
}

#[test]
fn an_image_is_uploaded_once_and_downloaded_unchanged() {
    let scene = Scene::new();
    let id = create(&scene);
    let target = format!("/v2/bot/richmenu/{id}/content");
    assert_eq!(scene.call("GET", &target, None).status, 404);
    let image = png(2500, 1686);
    for content_type in [
        "multipart/form-data; boundary=a",
        "image/gif",
        "application/json",
    ] {
        let seen = upload(&scene, "POST", &target, content_type, &image);
        assert_eq!(bare(&seen), (415, plain("Unsupported media type")));
    }
    let large = [png(800, 250), vec![0; 1024 * 1024]].concat();
    for wrong in [
        png(799, 250),
        png(2501, 250),
        png(800, 249),
        png(800, 552),
        large,
        Vec::new(),
    ] {
        let seen = upload(&scene, "POST", &target, "image/png", &wrong);
        let text = "The image size is not allowed for richmenu";
        assert_eq!(bare(&seen), (400, plain(text)));
    }
    let seen = upload(&scene, "POST", &target, "image/png", &image);
    assert_eq!(bare(&seen), (200, json!({})));
    let body = scene.sandbox.requests().pop().unwrap().body;
    assert!(body.as_str().unwrap().starts_with("[29 bytes, sha256:"));
    let text = "An image has already been uploaded to the richmenu";
    assert_eq!(bare(&upload_to(&scene, &id)), (400, plain(text)));
    let seen = scene.call("GET", &target, None);
    assert_eq!(
        (seen.status, seen.field("content-type")),
        (200, Some("image/png"))
    );
    assert_eq!(seen.body, image);
    assert_eq!(bare(&upload_to(&scene, UNKNOWN)), (404, plain("Not found")));
}

#[test]
fn none_of_these_operations_takes_a_retry_key() {
    let scene = Scene::new();
    let fields = [("X-Line-Retry-Key", KEY)];
    for (method, target) in [
        ("POST", "/v2/bot/richmenu"),
        ("POST", "/v2/bot/richmenu/batch"),
        ("POST", "/v2/bot/audienceGroup/upload"),
        ("POST", "/v2/bot/coupon"),
        ("GET", "/v2/bot/membership/list"),
        ("GET", "/v2/bot/insight/demographic"),
    ] {
        let seen = scene.call_with(method, target, Some(&json!({})), &fields);
        assert_eq!(seen.status, 400, "{target}");
        assert!(seen.message().contains("X-Line-Retry-Key"), "{target}");
        let seen = scene.client().call(method, target, &[], None).unwrap();
        assert_eq!(seen.status, 401, "{target}");
    }
}

//! What a channel is set up with: its webhook endpoint, its LIFF apps, and the accounts that a
//! module is attached to.

use line_connector_sandbox::Settings;
use serde_json::{Value, json};

use super::plain_client::{Seen, head};
use super::sends::{post, with};
use super::{Scene, USER};

const HOOK: &str = "/v2/bot/channel/webhook/endpoint";
const APPS: &str = "/liff/v1/apps";

#[test]
fn a_webhook_endpoint_is_found_once_it_is_set() {
    let scene = Scene::new();
    let probe = |body: &Value| post(&scene, "/v2/bot/channel/webhook/test", body);
    for seen in [scene.call("GET", HOOK, None), probe(&json!({}))] {
        let text = "Webhook endpoint not found".to_owned();
        assert_eq!((seen.status, seen.message()), (404, text));
    }
    let set = |url: &str| scene.call("PUT", HOOK, Some(&json!({ "endpoint": url })));
    let long = format!("https://example.com/{}", "a".repeat(481));
    for wrong in [
        "http://example.com/",
        "https://",
        "example.com",
        "",
        long.as_str(),
    ] {
        let seen = set(wrong);
        let text = "Invalid webhook endpoint URL".to_owned();
        assert_eq!((seen.status, seen.message()), (400, text), "{wrong}");
    }
    let url = "https://example.com/webhook";
    assert_eq!(set(url).json(), json!({}));
    assert_eq!(scene.get(HOOK), json!({ "endpoint": url, "active": true }));
    assert_eq!(
        probe(&json!({})).json(),
        json!({ "success": true, "statusCode": 200,
        "timestamp": "2020-12-03T10:15:30.121Z", "reason": "OK", "detail": "200" })
    );
    let bare = scene.call("POST", "/v2/bot/channel/webhook/test", None);
    assert_eq!(
        bare.json()["success"],
        true,
        "no body is as good as an empty one"
    );
    let failed = probe(&json!({ "endpoint": "https://nobody.invalid/" })).json();
    assert_eq!(
        (&failed["success"], &failed["statusCode"]),
        (&json!(false), &json!(0))
    );
    assert_eq!(failed["reason"], "COULD_NOT_CONNECT");
    assert_eq!(
        probe(&json!({ "endpoint": "http://example.com" })).status,
        400
    );
}

fn app() -> Value {
    json!({ "view": { "type": "full", "url": "https://example.com/app" } })
}

#[test]
fn liff_apps_come_and_go() {
    let scene = Scene::new();
    assert_eq!(scene.call("GET", APPS, None).status, 404, "there is none");
    let id = post(&scene, APPS, &app()).json()["liffId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(id.starts_with("1234567890-") && id.len() == 19);
    let target = format!("{APPS}/{id}");
    let expected = json!({ "liffId": id,
        "view": { "type": "full", "url": "https://example.com/app" },
        "features": { "ble": false, "qrCode": false }, "permanentLinkPattern": "concat",
        "scope": ["profile", "chat_message.write"], "botPrompt": "none" });
    assert_eq!(scene.get(APPS), json!({ "apps": [expected] }));
    let change = json!({ "view": { "type": "tall" }, "features": { "qrCode": true },
        "description": "Shop", "liffId": "other" });
    let seen = scene.call("PUT", &target, Some(&change));
    assert_eq!((seen.status, seen.body.len()), (200, 0));
    let changed = scene.get(APPS)["apps"][0].clone();
    assert_eq!(
        changed["view"],
        json!({ "type": "tall", "url": "https://example.com/app" })
    );
    assert_eq!(changed["features"], json!({ "ble": false, "qrCode": true }));
    assert_eq!(
        (&changed["description"], &changed["liffId"]),
        (&json!("Shop"), &json!(id))
    );
    assert_eq!(scene.call("DELETE", &target, None).status, 200);
    for (method, body) in [("DELETE", None), ("PUT", Some(&change))] {
        assert_eq!(scene.call(method, &target, body).status, 404, "{method}");
    }
    assert_eq!(scene.call("GET", APPS, None).status, 404);
}

#[test]
fn a_liff_app_is_well_formed_and_one_of_thirty() {
    let scene = Scene::new();
    for wrong in [
        json!({}),
        json!({ "view": { "type": "full" } }),
        json!({ "view": { "type": "wide", "url": "https://example.com" } }),
        json!({ "view": { "type": "full", "url": "http://example.com" } }),
        json!({ "view": { "type": "full", "url": "https://example.com/#top" } }),
        with(app(), "description", json!("LINE shop")),
        with(app(), "scope", json!(["everything"])),
        with(app(), "botPrompt", json!("loud")),
        with(app(), "permanentLinkPattern", json!("replace")),
        with(app(), "features", json!({ "qrCode": 1 })),
        json!([]),
    ] {
        assert_eq!(post(&scene, APPS, &wrong).status, 400, "{wrong}");
    }
    for _ in 0..30 {
        assert_eq!(post(&scene, APPS, &app()).status, 200);
    }
    assert_eq!(post(&scene, APPS, &app()).status, 400, "the thirty-first");
}

fn attach(scene: &Scene, extra: &[(&str, &str)]) -> Seen {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("redirect_uri", "https://example.com/auth"),
    ];
    form.extend_from_slice(extra);
    scene.client().form("/module/auth/v1/token", &form)
}

const SECRET: [(&str, &str); 2] = [
    ("client_id", "1234567890"),
    ("client_secret", "sandbox-channel-secret"),
];

#[test]
fn a_module_attaches_with_each_code_once() {
    let scene = Scene::new();
    let with_code = |code| attach(&scene, &[SECRET[0], SECRET[1], ("code", code)]);
    let first = with_code("first");
    assert_eq!(first.status, 200);
    assert_eq!(
        first.json()["scopes"],
        json!(["message:send", "message:receive"])
    );
    for (seen, status) in [
        (with_code("first"), 400),
        (attach(&scene, &SECRET), 400),
        (attach(&scene, &[("code", "second")]), 403),
        (
            attach(
                &scene,
                &[SECRET[0], ("client_secret", "wrong"), ("code", "second")],
            ),
            403,
        ),
    ] {
        assert_eq!((seen.status, seen.body.len()), (status, 0));
    }
    // 1234567890:sandbox-channel-secret
    let credentials = "Basic MTIzNDU2Nzg5MDpzYW5kYm94LWNoYW5uZWwtc2VjcmV0";
    let form = "grant_type=authorization_code&code=second&redirect_uri=https%3A%2F%2Fexample.com\
        &scope=message%3Asend";
    let fields = [
        ("Authorization", credentials),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let mut client = scene.client();
    client.send(head("POST", "/module/auth/v1/token", &fields, form.len()) + form);
    let second = client.read().unwrap();
    assert_eq!(second.json()["scopes"], json!(["message:send"]));
    assert_ne!(second.json()["bot_id"], first.json()["bot_id"]);
    let record = serde_json::to_string(&scene.sandbox.requests()).unwrap();
    for secret in [
        "sandbox-channel-secret",
        "MTIzNDU2",
        "\"second\"",
        "\"first\"",
    ] {
        assert!(!record.contains(secret), "{secret}");
    }
}

#[test]
fn attached_bots_are_listed_until_they_are_detached() {
    let scene = Scene::new();
    let own = scene.get("/v2/bot/info")["userId"].clone();
    assert_eq!(scene.get("/v2/bot/list")["bots"][0]["userId"], own);
    let code = [SECRET[0], SECRET[1], ("code", "abc")];
    let bot = attach(&scene, &code).json()["bot_id"].clone();
    let page = scene.get("/v2/bot/list?limit=1");
    let next = page["next"].as_str().unwrap();
    let rest = scene.get(&format!("/v2/bot/list?limit=1&start={next}"));
    assert_eq!(rest["bots"][0]["userId"], bot);
    assert!(rest.get("next").is_none());
    let detach = |id: &Value| post(&scene, "/v2/bot/channel/detach", &json!({ "botId": id }));
    assert_eq!(detach(&bot).status, 200);
    let again = detach(&bot);
    let text = "Specified channel is not detachable".to_owned();
    assert_eq!((again.status, again.message()), (400, text));
    for wrong in [json!(USER), json!("bot"), Value::Null] {
        let text = "user/group/room Id is not available.";
        assert_eq!(detach(&wrong).message(), text, "{wrong}");
    }
    assert_eq!(
        scene.get("/v2/bot/list")["bots"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn control_of_a_chat_is_taken_and_handed_back() {
    let scene = Scene::with(Settings {
        friends: 1,
        ..Settings::default()
    });
    let control = |id: &str, what: &str, body: Option<&Value>| {
        let target = format!("/v2/bot/chat/{id}/control/{what}");
        scene.call("POST", &target, body)
    };
    let hour = json!({ "expired": true, "ttl": 3600 });
    for body in [None, Some(&hour), Some(&json!({}))] {
        assert_eq!(control(USER, "acquire", body).status, 200);
    }
    assert_eq!(control(USER, "release", None).status, 200);
    for wrong in [json!({ "ttl": 31_536_001 }), json!({ "expired": "yes" })] {
        assert_eq!(
            control(USER, "acquire", Some(&wrong)).status,
            400,
            "{wrong}"
        );
    }
    let stranger = "U00000000000000000000000000000001";
    assert_eq!(control(stranger, "acquire", None).status, 404);
    for what in ["acquire", "release"] {
        let seen = control("taro", what, None);
        let text = "The value for the 'chatId' parameter is invalid".to_owned();
        assert_eq!((seen.status, seen.message()), (400, text));
    }
}

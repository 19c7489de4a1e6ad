//! Audiences: made from IDs and from messages, filled, and how they get ready.

use std::fmt::Write as _;
use std::time::Duration;

use line_connector_sandbox::{Pace, Settings};
use serde_json::{Value, json};

use super::plain_client::Seen;
use super::sends::{DAY, post, with};
use super::uploads::{FORM, form, upload};
use super::{KEY, Scene, USER, messages};

pub(super) const UPLOAD: &str = "/v2/bot/audienceGroup/upload";
const BY_FILE: &str = "/v2/bot/audienceGroup/upload/byFile";

fn user(number: u32) -> String {
    format!("U{number:032x}")
}

pub(super) fn users(count: u32) -> Value {
    (0..count)
        .map(|number| json!({ "id": user(number) }))
        .collect()
}

pub(super) fn group(id: &Value) -> String {
    format!("/v2/bot/audienceGroup/{id}")
}

pub(super) fn create(scene: &Scene, name: &str, people: u32) -> Value {
    let body = json!({ "description": name, "audiences": users(people) });
    let seen = post(scene, UPLOAD, &body);
    assert_eq!(seen.status, 202, "{}", seen.text());
    seen.json()["audienceGroupId"].clone()
}

pub(super) fn status(scene: &Scene, id: &Value) -> (Value, Value) {
    let group = scene.get(&group(id))["audienceGroup"].clone();
    (group["status"].clone(), group["audienceCount"].clone())
}

/// The code and the property of a refusal.
pub(super) fn code(seen: &Seen) -> (String, Option<String>) {
    assert_eq!(seen.status, 400, "{}", seen.text());
    let detail = seen.json()["details"][0].clone();
    let text = |key: &str| detail[key].as_str().map(str::to_owned);
    (text("message").unwrap(), text("property"))
}

#[test]
fn an_audience_gets_ready_with_the_second_look() {
    let scene = Scene::new();
    let body =
        json!({ "description": "names", "uploadDescription": "first", "audiences": users(3) });
    let seen = post(&scene, UPLOAD, &body);
    let id = seen.json()["audienceGroupId"].clone();
    let created = json!({ "audienceGroupId": id, "createRoute": "MESSAGING_API", "type": "UPLOAD",
        "description": "names", "created": 1_606_990_530, "permission": "READ_WRITE",
        "isIfaAudience": false, "expireTimestamp": 1_606_990_530 + 15_552_000 });
    assert_eq!((seen.status, seen.json()), (202, created.clone()));
    let first = scene.get(&group(&id));
    let shown = with(created, "status", json!("IN_PROGRESS"));
    let shown = with(shown, "audienceCount", json!(0));
    assert_eq!(first["audienceGroup"], shown);
    let job = &first["jobs"][0];
    assert_eq!(
        (&job["jobStatus"], &job["description"], &job["failedType"]),
        (&json!("WORKING"), &json!("first"), &Value::Null)
    );
    assert_eq!(status(&scene, &id), (json!("READY"), json!(3)));
    assert_eq!(scene.get(&group(&id))["jobs"][0]["jobStatus"], "FINISHED");
}

#[test]
fn people_are_added_once_each_by_a_job_of_its_own() {
    let scene = Scene::new();
    let id = create(&scene, "names", 3);
    (0..2).for_each(|_| drop(status(&scene, &id)));
    let body = json!({ "audienceGroupId": id, "audiences": users(5) });
    let seen = scene.call("PUT", UPLOAD, Some(&body));
    assert_eq!((seen.status, seen.json()), (202, json!({})));
    assert_eq!(status(&scene, &id), (json!("READY"), json!(3)));
    assert_eq!(status(&scene, &id), (json!("READY"), json!(5)));
    let jobs = scene.get(&group(&id))["jobs"].clone();
    assert_eq!(jobs.as_array().unwrap().len(), 2);
    assert_eq!(jobs[0]["audienceCount"], 2, "the newest comes first");
    let empty = create(&scene, "empty", 0);
    for _ in 0..3 {
        assert_eq!(status(&scene, &empty), (json!("IN_PROGRESS"), json!(0)));
    }
}

#[test]
fn an_audience_can_take_its_time() {
    let pace = Pace::Timed {
        sending: Duration::from_secs(1),
        done: Duration::from_secs(3),
    };
    let scene = Scene::with(Settings {
        pace,
        ..Settings::default()
    });
    let id = create(&scene, "names", 60);
    for (wait, job, group_status) in [
        (0, "QUEUED", "IN_PROGRESS"),
        (1, "WORKING", "IN_PROGRESS"),
        (2, "FINISHED", "READY"),
    ] {
        scene.pass(Duration::from_secs(wait));
        let seen = scene.get(&group(&id));
        assert_eq!(seen["jobs"][0]["jobStatus"], job);
        assert_eq!(seen["audienceGroup"]["status"], group_status);
    }
    scene.pass(180 * DAY);
    assert_eq!(status(&scene, &id).0, "EXPIRED");
    let body = json!({ "audienceGroupId": id, "audiences": users(1) });
    let expected = "AUDIENCE_GROUP_CAN_NOT_UPLOAD_STATUS_EXPIRED";
    assert_eq!(code(&scene.call("PUT", UPLOAD, Some(&body))).0, expected);
}

#[test]
fn names_and_ids_are_refused_by_code() {
    let scene = Scene::new();
    let refused = |body: Value| post(&scene, UPLOAD, &body);
    let long = refused(json!({ "description": "a".repeat(121) }));
    let expected = json!({ "message": "size over audienceGroupName",
        "details": [{ "message": "AUDIENCE_GROUP_NAME_SIZE_OVER" }] });
    assert_eq!((long.status, long.json()), (400, expected));
    for (body, expected) in [
        (json!({}), "AUDIENCE_GROUP_NAME_EMPTY"),
        (json!({ "description": "  " }), "AUDIENCE_GROUP_NAME_EMPTY"),
        (
            json!({ "description": "a\nb" }),
            "AUDIENCE_GROUP_NAME_WRONG",
        ),
        (
            json!({ "description": "a", "uploadDescription": "a".repeat(301) }),
            "AUDIENCE_GROUP_UPLOAD_DESCRIPTION_SIZE_OVER",
        ),
        (
            json!({ "description": "a", "audiences": users(10_001) }),
            "UPLOAD_AUDIENCE_GROUP_TOO_MANY_AUDIENCE_IDS",
        ),
    ] {
        assert_eq!(code(&refused(body)).0, expected);
    }
    let wrong = refused(json!({ "description": "a", "audiences": [{ "id": "U1" }] }));
    let expected = json!({ "message": "Invalid audience id format", "details": [{
        "message": "UPLOAD_AUDIENCE_GROUP_INVALID_AUDIENCE_ID_FORMAT", "property": "audiences" }] });
    assert_eq!((wrong.status, wrong.json()), (400, expected));
    let ifa = |id: &str| json!({ "description": "a", "isIfaAudience": true, "audiences": [{ "id": id }] });
    assert_eq!(refused(ifa(USER)).status, 400);
    assert_eq!(refused(ifa(KEY)).status, 202);
    assert_eq!(
        scene.get("/v2/bot/audienceGroup/list?page=1")["totalCount"],
        3
    );
}

#[test]
fn files_are_read_line_by_line() {
    let scene = Scene::new();
    let send = |method: &str, fields: &[(&str, &str)], media_type: &str, file: &str| {
        let body = form(fields, media_type, file);
        upload(&scene, method, BY_FILE, FORM, body.as_bytes())
    };
    let name = [("description", "names"), ("uploadDescription", "file")];
    let lines = format!("{}\r\n{}\n\n", user(1), user(2));
    let seen = send("POST", &name, "text/plain; charset=utf-8", &lines);
    assert_eq!((seen.status, &seen.json()["type"]), (202, &json!("UPLOAD")));
    let id = seen.json()["audienceGroupId"].clone();
    let text = id.to_string();
    let known = [("audienceGroupId", text.as_str())];
    let seen = send("PUT", &known, "text/plain", &user(3));
    assert_eq!((seen.status, seen.json()), (202, json!({})));
    scene.get(&group(&id));
    assert_eq!(status(&scene, &id), (json!("READY"), json!(3)));
    let malformed = "UPLOAD_AUDIENCE_GROUP_INVALID_AUDIENCE_ID_FORMAT";
    let expected = json!({ "message": malformed,
        "details": [{ "message": malformed, "property": "file" }] });
    assert_eq!(send("POST", &name, "text/plain", "U1").json(), expected);
    let none = "UPLOAD_AUDIENCE_GROUP_NO_VALID_AUDIENCE_IDS";
    assert_eq!(code(&send("POST", &name, "text/plain", "\n")).0, none);
    assert_eq!(send("POST", &name, "text/csv", &lines).status, 415);
    assert_eq!(
        code(&send(
            "PUT",
            &[("audienceGroupId", "1")],
            "text/plain",
            &lines
        ))
        .0,
        "AUDIENCE_GROUP_NOT_FOUND"
    );
    assert_eq!(
        upload(&scene, "POST", BY_FILE, "text/plain", b"U").status,
        415
    );
    assert_eq!(
        upload(&scene, "POST", BY_FILE, FORM, b"nonsense").status,
        400
    );
    let fileless = form(&name, "text/plain", "").replace("; filename=\"ids.txt\"", "");
    assert_eq!(
        upload(&scene, "POST", BY_FILE, FORM, fileless.as_bytes()).status,
        400
    );
}

#[test]
fn a_file_may_be_larger_than_any_other_body() {
    let scene = Scene::new();
    let mut lines = String::new();
    for number in 0..70_000 {
        let _infallible = writeln!(lines, "{}", user(number));
    }
    let body = form(&[("description", "many")], "text/plain", &lines);
    assert!(body.len() > 2 * 1024 * 1024);
    let seen = upload(&scene, "POST", BY_FILE, FORM, body.as_bytes());
    assert_eq!(seen.status, 202, "{}", seen.text());
    let seen = upload(&scene, "POST", UPLOAD, "application/json", body.as_bytes());
    assert_eq!(seen.status, 413);
}

#[test]
fn messages_make_audiences_of_who_saw_and_who_clicked() {
    let scene = Scene::new();
    let seen = post(&scene, "/v2/bot/message/broadcast", &messages());
    let request = seen.field("x-line-request-id").unwrap();
    let body = json!({ "description": "who", "requestId": request });
    let click = |body: &Value| post(&scene, "/v2/bot/audienceGroup/click", body);
    let seen = post(&scene, "/v2/bot/audienceGroup/imp", &body);
    let saw = seen.json();
    assert_eq!(
        (seen.status, &saw["type"], &saw["requestId"]),
        (202, &json!("IMP"), &json!(request))
    );
    let url = with(body.clone(), "clickUrl", json!("https://example.com/"));
    let clicked = click(&url).json();
    assert_eq!(
        (&clicked["type"], &clicked["clickUrl"]),
        (&json!("CLICK"), &json!("https://example.com/"))
    );
    assert_eq!(click(&body).status, 202, "another URL is another audience");
    assert_eq!(code(&click(&body)).0, "AUDIENCE_GROUP_REQUESTID_DUPLICATE");
    status(&scene, &saw["audienceGroupId"]);
    let ready = (json!("READY"), json!(90));
    assert_eq!(status(&scene, &saw["audienceGroupId"]), ready);
    let push = scene.push(&[]);
    let pushed = push.field("x-line-request-id").unwrap();
    let unknown = with(body.clone(), "requestId", json!(pushed));
    assert_eq!(code(&click(&unknown)).0, "REQUEST_NOT_FOUND");
    scene.pass(60 * DAY + Duration::from_secs(1));
    assert_eq!(
        code(&click(&with(body, "clickUrl", json!("b")))).0,
        "TOO_OLD_MESSAGES"
    );
}

#[test]
fn an_audience_of_too_few_never_gets_ready() {
    let scene = Scene::with(Settings {
        friends: 60,
        ..Settings::default()
    });
    let seen = post(&scene, "/v2/bot/message/broadcast", &messages());
    let request = seen.field("x-line-request-id").unwrap();
    let body = json!({ "description": "who", "requestId": request });
    let id = post(&scene, "/v2/bot/audienceGroup/imp", &body).json()["audienceGroupId"].clone();
    for _ in 0..3 {
        assert_eq!(status(&scene, &id), (json!("IN_PROGRESS"), json!(45)));
    }
}

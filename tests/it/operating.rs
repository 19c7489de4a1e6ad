//! What operators are told while `listen` and `serve` work, and what they may ask of them: notices,
//! SIGHUP, units for systemd.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::listen::{
    BOT, LONG, Listening, OTHER_BOT, OTHER_SECRET, Platform, SECRET, exchange, pause, place, post,
    send, sign, text, webhook,
};
use crate::serve::{Serving, push};
use crate::world::{USER, World};

/// The notices on standard error: every line behind the first is one.
fn notices(errors: &str) -> Vec<Value> {
    let lines = errors.lines().skip(1);
    let parsed = lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")));
    parsed.collect()
}

/// Ends it and gives what it told.
fn told(listening: Listening) -> String {
    let errors = std::sync::Arc::clone(&listening.errors);
    listening.terminate();
    let said = errors.lock().unwrap().clone();
    said
}

fn hang_up(process: u32) {
    let id = process.to_string();
    assert!(
        Command::new("kill")
            .args(["-HUP", &id])
            .status()
            .unwrap()
            .success()
    );
}

/// Waits until it has told something with this text.
fn tells(listening: &Listening, text: &str) {
    let end = Instant::now() + LONG;
    while !listening.errors.lock().unwrap().contains(text) {
        assert!(Instant::now() < end, "{}", listening.errors.lock().unwrap());
        pause(10);
    }
}

#[test]
fn each_refused_request_is_told_and_a_flood_is_counted() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--hold"]);
    let address = listening.address;
    let body = webhook(BOT, &[text("01A", 1, 1)]);
    for _ in 0..25 {
        assert_eq!(post(address, &body, None), Some(401));
    }
    let other = sign(OTHER_SECRET, &body);
    assert_eq!(post(address, &body, Some(&other)), Some(401));
    let lost = "POST /webhok?secret=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(exchange(address, lost.as_bytes()).unwrap().0, 404);
    let said = told(listening);
    let all = notices(&said);
    let of = |result: &str| -> Vec<&Value> {
        let refused = all.iter().filter(|one| one["kind"] == "webhook_refused");
        refused.filter(|one| one["result"] == result).collect()
    };
    let unsigned = of("unsigned");
    assert_eq!(unsigned.len(), 11, "{said}");
    assert_eq!(unsigned[0]["from"], "127.0.0.1");
    assert_eq!(unsigned[0]["level"], "warning");
    assert_eq!(unsigned[10]["suppressed"], 15);
    assert_eq!(of("bad_signature").len(), 1);
    let lost = all.iter().find(|one| one["kind"] == "not_found").unwrap();
    assert_eq!(lost["path"], "/webhok");
    assert!(!said.contains(SECRET) && !said.contains(OTHER_SECRET));
}

#[test]
fn failed_deliveries_and_events_that_are_given_up_are_told() {
    let (_folder, queue) = place();
    let platform = Platform::new(|got| match got.id.as_str() {
        "01A" => (422, ""),
        _ if got.attempt == 1 => (500, ""),
        _ => (200, ""),
    });
    let listening = Listening::start(&queue, &["--forward", &platform.url()]);
    let events = [text("01A", 1, 1), text("01B", 2, 1)];
    assert_eq!(send(listening.address, &events), Some(200));
    platform.waits_for(3);
    listening.waits_for("line_connector_events_waiting", 0);
    let said = told(listening);
    let all = notices(&said);
    let find = |kind: &str| all.iter().find(|one| one["kind"] == kind).expect(kind);
    let given_up = find("event_given_up");
    assert_eq!(
        (&given_up["id"], &given_up["level"]),
        (&json!("01A"), &json!("error"))
    );
    assert_eq!(given_up["reason"], "the platform answered 422");
    let failed = find("delivery_failed");
    assert_eq!(
        (&failed["id"], &failed["attempt"]),
        (&json!("01B"), &json!(1))
    );
    assert!(failed["due_in_ms"].is_u64());
    assert_eq!(find("unsigned_forwards")["level"], "warning");
}

#[test]
fn the_form_of_what_is_told_can_be_chosen() {
    for (form, line) in [
        (
            "text",
            "warning: a webhook from 127.0.0.1 was refused: it has no signature",
        ),
        ("off", ""),
    ] {
        let (_folder, queue) = place();
        let listening = Listening::start(&queue, &["--hold", "--log", form]);
        let body = webhook(BOT, &[text("01A", 1, 1)]);
        assert_eq!(post(listening.address, &body, None), Some(401));
        let said = told(listening);
        let rest: Vec<&str> = said.lines().skip(1).collect();
        assert_eq!(rest.is_empty(), line.is_empty(), "{said}");
        assert!(
            rest.is_empty() || rest.iter().any(|one| one.starts_with(line)),
            "{said}"
        );
    }
}

fn channels(file: &Path, assets: &Value) {
    std::fs::write(file, assets.to_string()).unwrap();
}

#[test]
fn sighup_reads_the_assets_again_and_keeps_the_old_ones_where_they_are_wrong() {
    let (folder, queue) = place();
    let file = folder.path().join("channels.json");
    let first = json!({"client_id": "1", "client_secret": SECRET, "destination": BOT});
    channels(&file, &first);
    let arguments = ["--hold", "--asset", file.to_str().unwrap()];
    let listening = Listening::with(&queue, &arguments, &[]);
    let address = listening.address;
    let taken = |bot: &str, secret: &str, id: &str| {
        let body = webhook(bot, &[text(id, 1, 1)]);
        post(address, &body, Some(&sign(secret, &body)))
    };
    assert_eq!(taken(OTHER_BOT, OTHER_SECRET, "01A"), Some(401));
    let second = json!({"client_id": "2", "client_secret": OTHER_SECRET, "destination": OTHER_BOT});
    channels(&file, &json!([first, second]));
    hang_up(listening.child.id());
    tells(&listening, "\"assets_reread\"");
    assert_eq!(taken(OTHER_BOT, OTHER_SECRET, "01A"), Some(200));
    assert_eq!(taken(BOT, SECRET, "01B"), Some(200));
    channels(
        &file,
        &json!([first, {"client_id": "2", "client_secret": ""}]),
    );
    hang_up(listening.child.id());
    tells(&listening, "\"assets_kept\"");
    assert_eq!(taken(OTHER_BOT, OTHER_SECRET, "01C"), Some(200));
    // The first channel's secret was issued anew.
    channels(
        &file,
        &json!({"client_id": "1", "client_secret": OTHER_SECRET, "destination": BOT}),
    );
    hang_up(listening.child.id());
    tells(&listening, "channels: 1");
    assert_eq!(taken(BOT, SECRET, "01D"), Some(401));
    assert_eq!(taken(BOT, OTHER_SECRET, "01D"), Some(200));
    let said = told(listening);
    assert!(said.contains("/client_secret"), "{said}");
    assert!(
        !said.contains(SECRET) && !said.contains(OTHER_SECRET),
        "{said}"
    );
}

#[test]
fn what_was_learnt_of_a_channel_outlives_sighup() {
    let world = World::new();
    let (folder, queue) = place();
    let mut first = world.asset();
    let secret = first["client_secret"].as_str().unwrap().to_owned();
    first["destination"] = Value::Null;
    let other = json!({"client_id": "2", "client_secret": OTHER_SECRET, "destination": OTHER_BOT});
    let file = folder.path().join("channels.json");
    channels(&file, &json!([first, other]));
    let arguments = ["--hold", "--asset", file.to_str().unwrap()];
    let listening = Listening::with(&queue, &arguments, &[]);
    let told_by = world
        .sandbox
        .play(&json!({"type": "message", "text": "hi"}));
    let body = told_by.unwrap()["invocation"]["request"]["body"]
        .as_str()
        .unwrap()
        .to_owned();
    let signature = sign(&secret, &body);
    let end = Instant::now() + LONG;
    while post(listening.address, &body, Some(&signature)) != Some(200) {
        assert!(Instant::now() < end, "the destination is not learnt");
        pause(20);
    }
    // LINE cannot be asked any more.
    first["url"] = json!("http://127.0.0.1:9");
    first["token_url"] = json!("http://127.0.0.1:9/token");
    channels(&file, &json!([other, first]));
    hang_up(listening.child.id());
    tells(&listening, "\"assets_reread\"");
    assert_eq!(post(listening.address, &body, Some(&signature)), Some(200));
    told(listening);
}

#[test]
fn serve_reads_its_asset_again_on_sighup() {
    let (one, other) = (World::new(), World::new());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asset.json");
    channels(&file, &one.bearer());
    let path = file.to_str().unwrap();
    let mut serving = Serving::start(&["--asset", path], &[]);
    let mut made = 0;
    let mut call = |serving: &mut Serving| {
        made += 1;
        serving.write(push(made));
        serving.answer().unwrap()["status_code"].clone()
    };
    assert_eq!(call(&mut serving), 200);
    channels(&file, &json!("broken"));
    serving.signal("-HUP");
    pause(200);
    assert_eq!(call(&mut serving), 200);
    channels(&file, &other.bearer());
    serving.signal("-HUP");
    let end = Instant::now() + LONG;
    while other.sandbox.delivered().is_empty() {
        assert!(Instant::now() < end, "the asset is not read again");
        assert_eq!(call(&mut serving), 200);
    }
    let (_, code, errors) = serving.finish();
    assert_eq!(code, 0);
    assert!(errors.contains("the asset stays as it was"), "{errors}");
    assert!(errors.contains("the asset was read again"), "{errors}");
    assert!(
        one.sandbox
            .delivered()
            .iter()
            .all(|sent| format!("{sent:?}").contains(USER))
    );
}

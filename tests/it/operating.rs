//! What operators are told while `listen` and `serve` work, and what they may ask of them: notices,
//! SIGHUP, units for systemd.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use line_connector_sandbox::Settings;
use serde_json::{Value, json};

use crate::listen::{
    BOT, LONG, Listening, OTHER_BOT, OTHER_SECRET, Platform, SECRET, exchange, pause, place, post,
    send, sign, text, webhook,
};
use crate::serve::{Serving, push};
use crate::world::{self, USER, World, call, connector, run};

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
    errors.lock().unwrap().clone()
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
    for _ in 0..24 {
        assert_eq!(post(address, &body, None), Some(401));
    }
    let other = sign(OTHER_SECRET, &body);
    let answers = [None, Some("c2lnbmF0dXJl"), Some(other.as_str())].map(|signature| {
        let field = signature.map(|value| format!("X-Line-Signature: {value}\r\n"));
        let length = body.len();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{}\r\n{body}",
            field.unwrap_or_default()
        );
        exchange(address, request.as_bytes()).unwrap()
    });
    // Whoever asks learns nothing of what is told here.
    assert!(
        answers
            .iter()
            .all(|answer| answer == &answers[0] && answer.0 == 401)
    );
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
    let [changed] = of("bad_signature")[..] else {
        panic!("{said}")
    };
    let [garbled] = of("malformed_signature")[..] else {
        panic!("{said}")
    };
    for (notice, cause) in [
        (unsigned[0], "it has no signature"),
        (garbled, "is not the base64 of 32 bytes"),
        (changed, "compare the secret"),
        (changed, "changes the body"),
    ] {
        assert!(
            notice["message"].as_str().unwrap().contains(cause),
            "{notice}"
        );
    }
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

/// The units, in a root of their own with the program and the targets that they name.
fn scratch_root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let units = root.path().join("usr/lib/systemd/system");
    for folder in [
        &units,
        &root.path().join("usr/bin"),
        &root.path().join("bin"),
    ] {
        std::fs::create_dir_all(folder).unwrap();
    }
    for entry in std::fs::read_dir(unit_folder()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, units.join(path.file_name().unwrap())).unwrap();
    }
    for target in [
        "sysinit",
        "basic",
        "shutdown",
        "network-online",
        "sockets",
        "multi-user",
    ] {
        let unit = units.join(format!("{target}.target"));
        std::fs::write(unit, "[Unit]\nDescription=stands in\n").unwrap();
    }
    for program in [
        "usr/bin/line-connector",
        "usr/bin/line-connector-worker",
        "bin/kill",
    ] {
        // Whether it can be executed is all that is looked at.
        std::fs::copy("/bin/true", root.path().join(program)).unwrap();
    }
    root
}

fn unit_folder() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/systemd")
}

const UNITS: [&str; 6] = [
    "line-connector-calls.service",
    "line-connector-campaign@spring.service",
    "line-connector-campaigns.service",
    "line-connector-listen.service",
    "line-connector-serve.socket",
    "line-connector-serve@1.service",
];

#[test]
fn systemd_takes_the_units_and_finds_them_hardened() {
    let analyze = |arguments: &[&str]| Command::new("systemd-analyze").args(arguments).output();
    if analyze(&["--version"]).is_err() {
        eprintln!("left out: there is no systemd-analyze here (it is in the package systemd)");
        return;
    }
    let root = scratch_root();
    let at = format!("--root={}", root.path().display());
    let verified = analyze(&[&["verify", &at], UNITS.as_slice()].concat()).unwrap();
    let complaints = String::from_utf8_lossy(&verified.stderr);
    assert!(
        verified.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    for unit in UNITS.iter().filter(|unit| unit.ends_with(".service")) {
        // In tenths: up to 2.0 counts as `OK`, the best there is beside `SAFE`.
        let judged = analyze(&["security", "--offline=true", &at, "--threshold=20", unit]).unwrap();
        assert!(
            judged.status.success(),
            "{}",
            String::from_utf8_lossy(&judged.stdout)
        );
    }
}

#[test]
fn the_command_lines_of_the_units_are_the_programs() {
    for unit in [
        "line-connector-campaign@.service",
        "line-connector-listen.service",
        "line-connector-serve@.service",
    ] {
        let text = std::fs::read_to_string(format!("{}/{unit}", unit_folder())).unwrap();
        let text = text.replace("\\\n", "");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="))
            .unwrap();
        let line = line.replace("${LISTEN_ADDRESS}", "127.0.0.1:0");
        let line = line.replace("${FORWARD_URL}", "http://127.0.0.1:9/");
        let mut words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.remove(0), "/usr/bin/line-connector");
        words.push("--help");
        let ended = run(&words, b"", &[]);
        assert_eq!(ended.code, 0, "{unit}: {}", ended.stderr);
    }
}

/// A world whose month has so many messages, and an asset file for it.
fn month_of(quota: u64) -> (World, tempfile::TempDir, String) {
    let world = World::with(Settings {
        quota: Some(quota),
        ..Settings::default()
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asset.json");
    channels(&file, &world.bearer());
    let path = file.to_str().unwrap().to_owned();
    (world, folder, path)
}

#[test]
fn check_has_an_exit_code_for_a_month_that_is_nearly_used_up() {
    let (world, _folder, asset) = month_of(3);
    let check = |more: &[&str]| run(&[&["check", "--asset", &asset], more].concat(), b"", &[]);
    let sends = |count: usize| {
        for _ in 0..count {
            let output = call(&connector(), world::push(&world.bearer()));
            assert!(output.error.is_none());
        }
    };
    let ended = check(&[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let expected = json!({"limit": 3, "used": 0, "left": 3, "state": "ok"});
    assert_eq!(ended.document()["quota"], expected);
    sends(1);
    let ended = check(&["--min-left", "3"]);
    assert_eq!(ended.code, 7);
    assert_eq!(ended.document()["quota"]["state"], "low");
    assert_eq!(ended.document()["ok"], true, "the asset works");
    assert!(
        ended
            .stderr
            .contains("1 of 3 messages used this month, 2 left")
    );
    sends(2);
    let ended = check(&["--quiet"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (7, ""));
    assert!(ended.stderr.contains("0 left"), "{}", ended.stderr);
    // What does not work comes before what is used up.
    let ended = run(&["check", "--quiet"], b"", &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (4, ""));
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    let ended = run(&["check", "--quiet", "--sandbox"], b"", &[]);
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (0, "", "")
    );
}

#[test]
fn serve_ends_as_it_is_asked_to_where_calls_fail_and_the_month_is_used_up() {
    for (arguments, code) in [
        (&[][..], 0),
        (&["--fail-on-error"], 8),
        (&["--stop-at-quota"], 7),
        (&["--stop-at-quota", "--fail-on-error"], 7),
    ] {
        let (world, _folder, asset) = month_of(2);
        let usual = ["--concurrency", "1", "--ordered", "--asset", &asset];
        let mut serving = Serving::start(&[&usual, arguments].concat(), &[]);
        serving.write((0..6).map(push).collect::<String>());
        let (answers, ended, errors) = serving.finish();
        assert_eq!(ended, code, "{arguments:?}: {errors}");
        assert_eq!(answers.len(), 6);
        let kinds: Vec<&Value> = answers
            .iter()
            .map(|answer| &answer["error"]["kind"])
            .collect();
        assert_eq!(kinds[..2], [&Value::Null, &Value::Null]);
        assert!(
            kinds[2..].iter().all(|kind| *kind == "monthly_limit"),
            "{answers:?}"
        );
        let asked = world.count("/v2/bot/message/push");
        assert_eq!(asked, if code == 7 { 3 } else { 6 });
    }
    let mut serving = Serving::start(&["--fail-on-error", "--sandbox"], &[]);
    serving.write(push(1));
    assert_eq!(serving.finish().1, 0);
}

#[test]
fn an_asset_file_that_others_can_write_is_refused_and_a_readable_one_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_world, folder, asset) = month_of(10);
    let queue = folder.path().join("queue.db");
    let queue = queue.to_str().unwrap();
    for (mode, refused, warned) in [
        (0o600, false, false),
        (0o640, false, false),
        (0o644, false, true),
        (0o666, true, false),
        (0o602, true, false),
    ] {
        std::fs::set_permissions(&asset, std::fs::Permissions::from_mode(mode)).unwrap();
        for command in [&["check"][..], &["run", "get_bot_info"], &["serve"]] {
            let ended = run(&[command, &["--asset", &asset]].concat(), b"", &[]);
            assert_eq!(
                ended.code == 2,
                refused,
                "{mode:o} {command:?}: {}",
                ended.stderr
            );
            assert_eq!(ended.stderr.contains("others can read"), warned, "{mode:o}");
            assert_eq!(
                ended.stderr.contains("chmod 600"),
                refused || warned,
                "{mode:o}"
            );
        }
    }
    let listen = [
        "listen",
        "--queue",
        queue,
        "--address",
        "127.0.0.1:0",
        "--asset",
        &asset,
    ];
    let ended = run(&listen, b"", &[]);
    assert_eq!(ended.code, 2, "{}", ended.stdout);
}

#[test]
fn small_mistakes_get_a_sentence_of_their_own() {
    let two = b"{\"action\": \"get_bot_info\"}\n{\"action\": \"get_bot_info\"}";
    let ended = run(&["run", "--sandbox"], two, &[]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("a second document behind the first"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("`serve` takes many"),
        "{}",
        ended.stderr
    );
    let laid_out = b"{\n  \"action\": \"get_bot_info\",\n  \"options\": {}\n}\n";
    let ended = run(&["serve", "--sandbox", "--ordered"], laid_out, &[]);
    for line in ended.stdout.lines() {
        assert!(
            line.contains("`serve` takes each document on one line"),
            "{line}"
        );
    }
    assert_eq!(ended.stdout.lines().count(), 4);
    // Wrong, and whole.
    let ended = run(&["serve", "--sandbox"], b"{\"acton\": 1}\n", &[]);
    assert!(!ended.stdout.contains("on one line"), "{}", ended.stdout);
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("new/keys");
    let ended = run(&["keygen", "--out", keys.to_str().unwrap()], b"", &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(keys.join("private-key.jwk.json").exists());
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--hold"]);
    let again = [
        "listen",
        "--hold",
        "--address",
        "127.0.0.1:0",
        "--queue",
        queue.to_str().unwrap(),
    ];
    let environment = [("LINE_CLIENT_ID", "1"), ("LINE_CLIENT_SECRET", SECRET)];
    let ended = run(&again, b"", &environment);
    assert!(
        ended
            .stderr
            .contains("it is in use: another receiver has it"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("end the other one"),
        "{}",
        ended.stderr
    );
    told(listening);
}

/// The warnings, or the details of the error, of a dry run with these options.
fn planned(action: &str, inputs: &Value, options: &Value) -> (i32, Value, Vec<(String, String)>) {
    let document = json!({"action": action, "inputs": inputs, "options": options});
    let ended = run(&["run", "--dry-run"], document.to_string().as_bytes(), &[]);
    let output = ended.document();
    let details = [&output["meta"]["warnings"], &output["error"]["details"]];
    let details = details.into_iter().filter_map(Value::as_array).flatten();
    let text = |detail: &Value, key: &str| detail[key].as_str().unwrap().to_owned();
    let told = details.map(|detail| (text(detail, "path"), text(detail, "message")));
    (ended.code, output.clone(), told.collect())
}

#[test]
fn options_are_refused_all_at_once_in_true_sentences() {
    let hello = json!({"to": USER, "messages": [{"type": "text", "text": "hi"}]});
    let wrong = json!({"timeout_ms": 0, "attempts": 99, "validation": "no", "max_items": -1, "overwrite": 1});
    let (code, _, told) = planned("send_push_message", &hello, &wrong);
    assert_eq!(code, 2);
    let ends = [
        "not 0",
        "not 99",
        "not a string of 2 bytes",
        "not -1",
        "not 1",
    ];
    assert_eq!(told.len(), ends.len(), "{told:?}");
    for ((path, message), end) in told.iter().zip(ends) {
        assert!(message.ends_with(end), "{path} {message}");
    }
    let unfit = json!({"all_pages": true, "save_to": "a", "fallback": "push", "media_check": "warn", "markdown": "rich", "strict": true});
    let (code, _, told) = planned("get_bot_info", &json!({}), &unfit);
    assert_eq!(code, 3);
    let mut paths: Vec<&str> = told.iter().map(|(path, _)| path.as_str()).collect();
    paths.sort_unstable();
    let names = [
        "all_pages",
        "fallback",
        "markdown",
        "media_check",
        "save_to",
        "strict",
    ];
    assert_eq!(paths, names.map(|name| format!("/options/{name}")));
}

#[test]
fn what_has_no_effect_is_warned_about() {
    let hello = json!({"to": USER, "messages": [{"type": "text", "text": "hi"}]});
    let idle = json!({
        "max_items": 3, "overwrite": true, "wait_ms": 5, "timeout_ms": 2000, "deadline_ms": 1000, "strict": true,
    });
    let (code, _, told) = planned("send_push_message", &hello, &idle);
    assert_eq!(code, 0, "{told:?}");
    let paths: Vec<&str> = told.iter().map(|(path, _)| path.as_str()).collect();
    let names = ["max_items", "overwrite", "wait_ms", "timeout_ms", "strict"];
    assert_eq!(paths, names.map(|name| format!("/options/{name}")));
    assert!(
        told.iter()
            .all(|(_, message)| message.starts_with("has no effect: "))
    );
    let used = json!({"strict": true, "timeout_ms": 1000, "deadline_ms": 2000, "wait_ms": 0});
    let generic = json!({"to": USER, "messages": ["hi"]});
    let (_, _, told) = planned("send_push_message", &generic, &used);
    assert!(told.is_empty(), "{told:?}");
    let world = World::new();
    let mut asset = world.bearer();
    asset["rate_limits"] = json!({"send_push_message": "9000/s", "get_bot_info": "1/s"});
    let output = call(&connector(), world::push(&asset));
    let warnings = output.meta.unwrap().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].path, "/asset/rate_limits/send_push_message");
}

#[test]
fn a_dry_run_that_line_would_refuse_is_no_success() {
    let wrong = json!({"to": "x", "messages": [{"type": "text", "text": ""}]});
    let (code, output, told) = planned("send_push_message", &wrong, &json!({"validation": "off"}));
    assert_eq!(code, 3, "{output}");
    assert!(
        output["request"]["url"].is_string(),
        "it is shown all the same"
    );
    assert!(
        told.iter().any(|(path, _)| path == "/messages/0/text"),
        "{told:?}"
    );
}

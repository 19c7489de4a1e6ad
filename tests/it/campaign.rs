//! `campaign`: who gets what, exactly once, whatever breaks; through the program against a sandbox on
//! loopback, and through the library where the clock matters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, UNIX_EPOCH};

use line_connector_campaign::{Campaign, Campaigner, PlanOptions, RunOptions};
use line_connector_client::{
    Clock as _, Connector, Failure, Reply, Request, SystemClock, Transport,
};
use line_connector_core::asset::Operator;
use line_connector_sandbox::{Sandbox, Settings};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{Ended, World, run, start};

const PUSH: &str = "/v2/bot/message/push";
const MULTICAST: &str = "/v2/bot/message/multicast";

fn id(number: usize) -> String {
    format!("U{number:032x}")
}

/// A folder with a list of so many people, an asset file for the sandbox, and a campaign.
struct Place {
    world: World,
    folder: TempDir,
}

impl Place {
    fn new(people: usize, messages: &Value) -> Self {
        let world = World::with(Settings {
            quota: Some(1_000_000),
            ..Settings::default()
        });
        Self::in_world(world, people, messages)
    }

    fn in_world(world: World, people: usize, messages: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { world, folder };
        let mut list = "line_id,name\n".to_owned();
        for number in 0..people {
            let _ = writeln!(list, "{},name {number}", id(number));
        }
        place.write("people.csv", &list);
        let mut asset = place.world.bearer();
        asset["rate_limits"] = json!({"*": "off"});
        place.write("asset.json", &asset.to_string());
        place.document(&json!({"messages": messages}));
        place
    }

    /// Writes the campaign: these members over the usual ones.
    fn document(&self, members: &Value) {
        let mut document = json!({
            "schema": "campaign/1",
            "name": "spring",
            "recipients": {"csv": "people.csv"},
        });
        for (name, value) in members.as_object().unwrap() {
            document[name] = value.clone();
        }
        self.write("spring.yaml", &document.to_string());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn arguments(&self, command: &str, more: &[&str]) -> Vec<String> {
        let document = self.path("spring.yaml").display().to_string();
        let mut arguments = vec!["campaign".to_owned(), command.to_owned(), document];
        if ["plan", "test", "start", "resume"].contains(&command) {
            let asset = self.path("asset.json").display().to_string();
            arguments.extend(["--asset".to_owned(), asset]);
        }
        arguments.push("--json".to_owned());
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        arguments
    }

    fn run(&self, command: &str, more: &[&str]) -> Ended {
        let arguments = self.arguments(command, more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&arguments, b"", &[])
    }

    fn plan(&self) -> Value {
        let ended = self.run("plan", &[]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// Starts what is planned, and returns how it ended.
    fn start(&self, plan: &Value) -> (i32, Value) {
        let ended = self.run("start", &["--confirm", plan["digest"].as_str().unwrap()]);
        (ended.code, last(&ended))
    }

    fn resume(&self, more: &[&str]) -> (i32, Value) {
        let ended = self.run("resume", more);
        (ended.code, last(&ended))
    }

    fn results(&self) -> Vec<Value> {
        let ended = self.run("results", &[]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let lines = ended.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// How often each person was sent each text.
    fn received(&self) -> BTreeMap<(String, String), usize> {
        let mut received = BTreeMap::new();
        for delivery in self.world.sandbox.delivered() {
            let messages = delivery.messages.as_array().unwrap();
            let people: Vec<&str> = match &delivery.to {
                Value::Array(people) => people.iter().filter_map(Value::as_str).collect(),
                one => one.as_str().into_iter().collect(),
            };
            for person in people {
                for message in messages {
                    let text = message["text"].as_str().unwrap_or_default().to_owned();
                    *received.entry((person.to_owned(), text)).or_default() += 1;
                }
            }
        }
        received
    }

    fn assert_everybody_once(&self, people: usize) {
        let received = self.received();
        let twice: Vec<_> = received.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        let reached: BTreeSet<&String> = received.keys().map(|(person, _)| person).collect();
        assert_eq!(reached.len(), people);
    }

    fn ledger(&self) -> Connection {
        Connection::open(self.path("spring.ledger")).unwrap()
    }
}

/// The last document that a run wrote.
fn last(ended: &Ended) -> Value {
    let line = ended.stdout.lines().last().unwrap_or_default();
    let document: Value = serde_json::from_str(line)
        .unwrap_or_else(|error| panic!("{error}: {} {}", ended.stdout, ended.stderr));
    document.get("ended").cloned().unwrap_or(document)
}

fn greeting() -> Value {
    json!([{"type": "text", "text": "Hello {{ UserAttribute['name'] }}!"}])
}

#[test]
fn equal_renderings_go_together_and_others_alone_to_each_person_once() {
    let place = Place::new(1203, &json!([{"type": "text", "text": "Hello!"}]));
    let plan = place.plan();
    assert_eq!(plan["people"], 1203);
    assert_eq!(
        plan["accounts"][0]["requests"],
        json!({"one": 0, "many": 3})
    );
    let (code, ended) = place.start(&plan);
    assert_eq!((code, &ended["state"]), (0, &json!("finished")));
    assert_eq!(ended["people"], json!({"accepted": 1203}));
    place.assert_everybody_once(1203);
    assert_eq!(place.world.count(MULTICAST), 3);

    let place = Place::new(40, &greeting());
    let (code, _) = place.start(&place.plan());
    assert_eq!(code, 0);
    place.assert_everybody_once(40);
    assert_eq!(place.world.count(PUSH), 40);
    assert!(
        place
            .received()
            .contains_key(&(id(7), "Hello name 7!".to_owned()))
    );
}

#[test]
fn nobody_is_left_out_silently() {
    let place = Place::new(0, &greeting());
    let (one, two) = (id(1), id(2));
    place.write(
        "people.csv",
        &format!("line_id,name\n{one},Ann\n{two},\n{one},Again\n,Nobody\nU12,Short\n{},Gone\n{},Ce,cil\n", id(3), id(4)),
    );
    place.write("gone.txt", &format!("{}\n", id(3)));
    place.document(&json!({"messages": greeting(), "suppress": {"files": ["gone.txt"]}}));
    let plan = place.plan();
    assert_eq!(plan["people"], 1);
    let expected = json!({
        "duplicate": 1,
        "invalid_line_id": 1,
        "malformed_row: more cells than columns": 1,
        "no_line_id": 1,
        "personalization_failed: name": 1,
        "suppressed": 1,
    });
    assert_eq!(plan["left_out"], expected);
    place.start(&plan);
    let reasons: BTreeMap<u64, Value> = place
        .results()
        .into_iter()
        .map(|row| (row["line"].as_u64().unwrap(), row["reason"].clone()))
        .collect();
    assert_eq!(reasons[&3], "personalization_failed: name");
    assert_eq!(reasons[&4], "duplicate");
    assert_eq!(reasons[&2], Value::Null);
    assert_eq!(reasons.len(), 7);
}

#[test]
fn what_was_not_confirmed_or_has_changed_is_not_sent() {
    let place = Place::new(3, &greeting());
    let plan = place.plan();
    for wrong in ["", "0123456789ab", &plan["digest"].as_str().unwrap()[..8]] {
        let ended = place.run("start", &["--confirm", wrong]);
        assert_eq!(ended.code, 2, "{wrong}");
    }
    place.document(&json!({"messages": json!(["other"]), "silent": true}));
    let ended = place.run("start", &["--confirm", plan["digest"].as_str().unwrap()]);
    assert_eq!(ended.code, 2);
    for changed in ["/messages: has changed", "/silent: was added"] {
        assert!(ended.stderr.contains(changed), "{}", ended.stderr);
    }
    place.document(&json!({"messages": greeting()}));
    place.write("people.csv", &format!("line_id,name\n{},Other\n", id(9)));
    let digest = plan["digest"].as_str().unwrap();
    let ended = place.run("start", &["--confirm", digest]);
    assert!(
        ended.stderr.contains("people.csv has changed"),
        "{}",
        ended.stderr
    );
    assert_eq!(place.world.sandbox.delivered().len(), 0);
    let ended = place.run("start", &["--confirm", digest, "--as-planned"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    place.assert_everybody_once(3);
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn make_fifo(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[test]
fn a_ledger_that_was_changed_since_it_was_planned_is_not_sent() {
    for change in [
        "UPDATE body SET requests = replace(requests, 'Hello', 'TAMPERED')",
        "UPDATE recipient SET id = 'Uffffffffffffffffffffffffffffffff' WHERE n = 1",
        "UPDATE recipient SET reason = 1 WHERE n = 0",
        "UPDATE part SET account = 1 WHERE id = 1",
        "UPDATE part SET people = 1 WHERE people > 1",
        "UPDATE part SET body = (SELECT max(id) FROM body)",
        "DELETE FROM part WHERE id = 1",
        "UPDATE account SET name = 'b' || id",
    ] {
        let place = Place::new(
            3,
            &json!(["{% if UserAttribute['name'] == 'name 2' %}Bye{% else %}Hello{% endif %}"]),
        );
        place.write(
            "people.csv",
            &format!(
                "line_id,name\n{0},a\n{1},b\n{1},b\n{2},name 2\n",
                id(0),
                id(1),
                id(2)
            ),
        );
        let plan = place.plan();
        place.ledger().execute_batch(change).unwrap();
        let ended = place.run("start", &["--confirm", plan["digest"].as_str().unwrap()]);
        assert_eq!(ended.code, 2, "{change}");
        assert!(
            ended.stderr.contains("is not as it was planned"),
            "{change}: {}",
            ended.stderr
        );
        assert_eq!(place.world.sandbox.delivered().len(), 0, "{change}");
    }
}

#[test]
fn files_of_campaigns_that_others_can_change_are_refused() {
    let place = Place::new(2, &greeting());
    let cap = json!({"history": "sent.db", "most": 3, "days": 7});
    place.document(&json!({"messages": greeting(), "frequency_cap": cap}));
    let plan = place.plan();
    let digest = plan["digest"].as_str().unwrap();
    let (ledger, aside) = (place.path("spring.ledger"), place.path("aside"));
    let refused = |why: &str| {
        for (command, more) in [
            ("plan", &[][..]),
            ("start", &["--confirm", digest]),
            ("resume", &[]),
            ("status", &[]),
            ("pause", &[]),
            ("results", &[]),
        ] {
            let ended = match command {
                "results" => {
                    let document = place.path("spring.yaml").display().to_string();
                    run(&["campaign", "results", &document], b"", &[])
                }
                _ => place.run(command, more),
            };
            assert_eq!(ended.code, 2, "{command}: {}", ended.stderr);
            assert!(ended.stderr.contains(why), "{command}: {}", ended.stderr);
        }
    };
    for mode in [0o666, 0o620, 0o604] {
        set_mode(&ledger, mode);
        refused("can be used by others");
    }
    set_mode(&ledger, 0o600);
    fs::hard_link(&ledger, &aside).unwrap();
    refused("a hard link");
    fs::remove_file(&aside).unwrap();
    place.write("spring.ledger-wal", "");
    set_mode(&place.path("spring.ledger-wal"), 0o644);
    refused("spring.ledger-wal can be used by others");
    fs::remove_file(place.path("spring.ledger-wal")).unwrap();
    fs::rename(&ledger, &aside).unwrap();
    make_fifo(&ledger);
    refused("is not a plain file");
    fs::remove_file(&ledger).unwrap();
    std::os::unix::fs::symlink(place.path("nowhere"), &ledger).unwrap();
    refused("a link does not count");
    assert!(!place.path("nowhere").exists());
    fs::remove_file(&ledger).unwrap();
    fs::rename(&aside, &ledger).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&ledger, Some(65_534), None).unwrap();
        refused("belongs to another user");
        std::os::unix::fs::chown(&ledger, Some(0), None).unwrap();
    }
    // Nor does a link lead what is written beside the ledger elsewhere.
    place.write("victim", "kept");
    set_mode(&place.path("victim"), 0o600);
    for beside in ["spring.ledger.new", "spring.ledger.staging"] {
        std::os::unix::fs::symlink(place.path("victim"), place.path(beside)).unwrap();
        let ended = place.run("plan", &[]);
        assert_eq!(ended.code, 2);
        assert!(
            ended.stderr.contains("a link does not count"),
            "{}",
            ended.stderr
        );
        assert_eq!(fs::read_to_string(place.path("victim")).unwrap(), "kept");
        fs::remove_file(place.path(beside)).unwrap();
    }
    place.write("sent.db", "");
    set_mode(&place.path("sent.db"), 0o666);
    let ended = place.run("start", &["--confirm", digest]);
    assert!(
        ended.stderr.contains("sent.db can be used by others"),
        "{}",
        ended.stderr
    );
    assert_eq!(place.world.sandbox.delivered().len(), 0);
    fs::remove_file(place.path("sent.db")).unwrap();
    let (code, _) = place.start(&plan);
    assert_eq!(code, 0);
    place.assert_everybody_once(2);
}

#[test]
fn files_that_never_end_or_never_begin_are_refused() {
    let place = Place::new(2, &greeting());
    make_fifo(&place.path("fifo"));
    for (members, why) in [
        (json!({"recipients": {"csv": "fifo"}}), "not a regular file"),
        (
            json!({"recipients": {"ndjson": "/dev/zero"}}),
            "not a regular file",
        ),
        (json!({"recipients": {"csv": "."}}), "not a regular file"),
        (
            json!({"suppress": {"files": ["fifo"]}}),
            "not a regular file",
        ),
        (
            json!({"suppress": {"files": ["/dev/zero"]}}),
            "not a regular file",
        ),
        (json!({"suppress": {"queue": "fifo"}}), "not a plain file"),
        (
            json!({"frequency_cap": {"history": "fifo", "most": 1, "days": 1}}),
            "not a plain file",
        ),
        (
            json!({"accounts": {"a": {"asset": {"file": "fifo"}}}}),
            "not a regular file",
        ),
    ] {
        let mut members = members;
        members["messages"] = greeting();
        place.document(&members);
        let ended = place.run("plan", &[]);
        assert_ne!(ended.code, 0, "{members}");
        assert!(ended.stderr.contains(why), "{members}: {}", ended.stderr);
    }
    let long = fs::File::create(place.path("long")).unwrap();
    long.set_len(1 << 40).unwrap();
    place.document(&json!({"messages": greeting(), "suppress": {"files": ["long"]}}));
    let ended = place.run("plan", &[]);
    assert!(ended.stderr.contains("has a line of"), "{}", ended.stderr);
    for document in ["fifo", "long", "."] {
        let document = place.path(document).display().to_string();
        let ended = run(&["campaign", "status", &document], b"", &[]);
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains("cannot be read"), "{}", ended.stderr);
    }
    // What the shell hands over as an open descriptor is read as it comes.
    place.document(&json!({"messages": greeting()}));
    let text = fs::read(place.path("spring.yaml")).unwrap();
    let (list, ledger) = (place.path("people.csv"), place.path("piped.ledger"));
    let text = String::from_utf8(text).unwrap().replace(
        "\"people.csv\"",
        &json!(list.display().to_string()).to_string(),
    );
    let piped = ["campaign", "plan", "/dev/stdin", "--sandbox", "--ledger"];
    let arguments = [&piped[..], &[ledger.to_str().unwrap()]].concat();
    let ended = run(&arguments, text.as_bytes(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let list = fs::read(list).unwrap();
    place.document(&json!({"messages": greeting(), "recipients": {"csv": "/dev/stdin"}}));
    let document = place.path("spring.yaml").display().to_string();
    let arguments = ["campaign", "plan", &document, "--sandbox", "--json"];
    let ended = run(&arguments, &list, &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(plan["people"], json!(2));
}

#[test]
fn names_make_no_lines_and_a_list_is_told_shortened() {
    let place = Place::new(1, &greeting());
    for members in [
        json!({"name": "q\nledger: forged"}),
        json!({"name": "\u{1b}]0;owned\u{7}"}),
        json!({"occurrence": "1\r\n"}),
        json!({"accounts": {"a\u{1b}[31m": {}}}),
    ] {
        let mut members = members;
        members["messages"] = greeting();
        place.document(&members);
        let ended = place.run("plan", &[]);
        assert_eq!(ended.code, 2, "{members}");
        assert!(
            ended.stderr.contains("control characters"),
            "{members}: {}",
            ended.stderr
        );
    }
    place.document(&json!({"messages": greeting()}));
    place.write(
        "people.csv",
        &format!("root:\u{1b}[31m{}\n", "secret".repeat(1000)),
    );
    let ended = place.run("plan", &[]);
    assert!(ended.stderr.contains("has one column") || ended.stderr.contains("has no column"));
    assert!(ended.stderr.len() < 1000, "{}", ended.stderr);
    assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.stderr);
}

#[test]
fn a_document_that_begins_with_a_brace_may_be_yaml() {
    let place = Place::new(1, &greeting());
    for text in [
        "{schema: campaign/1, name: spring, recipients: {csv: people.csv}, messages: [Hello]}",
        "{\"schema\": campaign/1, \"name\": spring, recipients: {csv: people.csv}, messages: [Hello]}",
        "# hello\n{schema: campaign/1, name: spring,\n recipients: {csv: people.csv}, messages: [Hello]}",
    ] {
        place.write("spring.yaml", text);
        assert_eq!(place.plan()["people"], json!(1), "{text}");
    }
    place.write(
        "spring.yaml",
        "{\"schema\": \"campaign/1\",\n \"name\" \"spring\"}",
    );
    let ended = place.run("plan", &[]);
    assert!(ended.stderr.contains("spring.yaml:2"), "{}", ended.stderr);
}

#[test]
fn the_same_people_in_another_order_get_it_once() {
    let place = Place::new(700, &json!(["Hello!"]));
    let (code, _) = place.start(&place.plan());
    assert_eq!(code, 0);
    fs::remove_file(place.path("spring.ledger")).unwrap();
    let list = fs::read_to_string(place.path("people.csv")).unwrap();
    let mut lines: Vec<&str> = list.lines().collect();
    lines[1..].reverse();
    place.write("people.csv", &(lines.join("\n") + "\n"));
    let (code, _) = place.start(&place.plan());
    assert_eq!(code, 0);
    place.assert_everybody_once(700);
}

#[test]
fn failures_of_every_kind_lose_nobody_and_double_nobody() {
    let place = Place::new(200, &greeting());
    for fault in [
        json!({"kind": "status", "code": 500, "when": "after"}),
        json!({"kind": "status", "code": 500}),
        json!({"kind": "drop", "at": "after_processing"}),
        json!({"kind": "drop", "at": "before_read"}),
        json!({"kind": "drop", "at": "mid_body"}),
        json!({"kind": "rate_limit"}),
        json!({"kind": "garbage"}),
    ] {
        let mut fault = fault;
        fault["path"] = json!(PUSH);
        fault["times"] = json!(5);
        place.world.fault(fault);
    }
    let (code, ended) = place.start(&place.plan());
    assert_eq!((code, &ended["people"]), (0, &json!({"accepted": 200})));
    place.assert_everybody_once(200);
}

#[test]
fn a_campaign_that_is_killed_goes_on_and_sends_to_each_person_once() {
    let place = Place::new(1200, &greeting());
    // A half gets the same, a half something of their own.
    place.document(&json!({
        "messages": ["{% if UserAttribute['name'][-1] in '02468' %}Hello!{% else %}Hello {{ UserAttribute['name'] }}!{% endif %}"],
        "sending": {"concurrency": 4},
    }));
    let plan = place.plan();
    let mut arguments = place.arguments("start", &["--confirm", plan["digest"].as_str().unwrap()]);
    for kill in 0..6 {
        place
            .world
            .fault(json!({"path": PUSH, "kind": "drop", "at": "after_processing", "times": 3}));
        place.world.fault(
            json!({"path": MULTICAST, "kind": "status", "code": 500, "when": "after", "times": 1}),
        );
        let mut child = start(&arguments, &[]);
        let enough = (kill + 1) * 60;
        let sent = || place.world.sandbox.delivered().len();
        wait_until(|| sent() >= enough || child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        arguments = place.arguments("resume", &[]);
    }
    let (code, ended) = place.resume(&[]);
    assert_eq!((code, &ended["state"]), (0, &json!("finished")), "{ended}");
    assert_eq!(ended["people"], json!({"accepted": 1200}));
    place.assert_everybody_once(1200);
}

#[expect(clippy::disallowed_methods, reason = "a test waits for a real process")]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if is_so() {
            return;
        }
        pause();
    }
    panic!("it did not come about");
}

/// A campaign under way, held up by a sandbox that answers late.
fn slow(place: &Place) -> Child {
    place
        .world
        .fault(json!({"path": PUSH, "kind": "delay", "ms": 200, "times": 100_000}));
    let plan = place.plan();
    let arguments = place.arguments("start", &["--confirm", plan["digest"].as_str().unwrap()]);
    let child = start(&arguments, &[]);
    wait_until(|| !place.world.sandbox.delivered().is_empty());
    child
}

#[test]
fn a_second_process_is_told_who_sends_and_may_ask_for_a_pause() {
    let place = Place::new(2000, &greeting());
    let mut child = slow(&place);
    let ended = place.run("resume", &[]);
    assert_eq!(ended.code, 2);
    let holder = format!("process {}", child.id());
    assert!(ended.stderr.contains(&holder), "{}", ended.stderr);
    let status = last(&place.run("status", &[]));
    assert_eq!(status["state"], "running");
    assert!(status["holder"].as_str().unwrap().contains(&holder));
    let replanned = place.run("plan", &[]);
    assert_eq!(replanned.code, 2, "{}", replanned.stdout);

    assert_eq!(place.run("pause", &[]).code, 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let status = last(&place.run("status", &[]));
    assert_eq!(status["state"], "paused");
    assert!(status["people"].get("sending").is_none(), "{status}");
    let sent = place.world.sandbox.delivered().len();

    assert_eq!(place.run("cancel", &[]).code, 0);
    let (_, ended) = place.resume(&[]);
    assert_eq!(ended["error"]["message"], "the campaign was cancelled");
    assert_eq!(place.world.sandbox.delivered().len(), sent);
    let status = last(&place.run("status", &[]));
    assert_eq!(status["people"]["accepted"], sent);
    assert_eq!(status["people"]["cancelled"], 2000 - sent);
}

#[cfg(unix)]
#[test]
fn a_campaign_that_is_asked_to_end_finishes_what_is_out() {
    let place = Place::new(2000, &greeting());
    let child = slow(&place);
    let told = std::process::Command::new("kill")
        .arg(child.id().to_string())
        .status();
    assert!(told.unwrap().success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let status = last(&place.run("status", &[]));
    assert_eq!(status["state"], "paused");
    assert_eq!(
        status["people"]["accepted"],
        place.world.sandbox.delivered().len()
    );
    assert!(status["people"].get("unknown").is_none(), "{status}");
}

#[test]
fn what_is_too_old_to_be_found_out_is_sent_again_only_where_its_number_is_named() {
    let place = Place::new(3, &json!(["Hello!"]));
    place.document(&json!({"messages": ["Hello!"], "sending": {"max_failures": 1}}));
    place
        .world
        .fault(json!({"path": MULTICAST, "kind": "drop", "at": "after_processing"}));
    let (code, ended) = place.start(&place.plan());
    assert_eq!((code, &ended["state"]), (1, &json!("paused")));
    assert_eq!(ended["people"], json!({"unknown": 3}));
    let hour = 3_600_000;
    let age = |hours: i64| {
        let back = "UPDATE part SET first_attempt = first_attempt - ?";
        assert_eq!(place.ledger().execute(back, [hours * hour]).unwrap(), 1);
    };
    age(23);
    let (code, ended) = place.resume(&[]);
    assert_eq!(
        (code, &ended["state"]),
        (1, &json!("finished_with_unknown"))
    );
    assert_eq!(ended["people"], json!({"expired_unknown": 3}));
    assert_eq!(place.resume(&[]).1["people"], json!({"expired_unknown": 3}));
    let (code, refused) = place.resume(&["--resend-unknown", "2"]);
    assert_eq!(code, 2);
    assert!(
        refused["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("--resend-unknown 3")
    );
    assert_eq!(place.world.count(MULTICAST), 1);
    let (code, ended) = place.resume(&["--resend-unknown", "3"]);
    assert_eq!((code, &ended["people"]), (0, &json!({"accepted": 3})));
    assert_eq!(place.world.sandbox.delivered().len(), 2);
}

#[test]
fn what_is_young_enough_is_repeated_with_the_same_key() {
    let place = Place::new(3, &json!(["Hello!"]));
    place.document(&json!({"messages": ["Hello!"], "sending": {"max_failures": 1}}));
    place
        .world
        .fault(json!({"path": MULTICAST, "kind": "drop", "at": "after_processing"}));
    place.start(&place.plan());
    let back = "UPDATE part SET first_attempt = first_attempt - 22 * 3600000";
    place.ledger().execute(back, []).unwrap();
    let (code, ended) = place.resume(&[]);
    assert_eq!((code, &ended["people"]), (0, &json!({"accepted": 3})));
    assert_eq!(place.world.count(MULTICAST), 2);
    place.assert_everybody_once(3);
}

#[test]
fn it_pauses_by_itself_where_somebody_must_mend_something() {
    for (fault, reason) in [
        (
            json!({"kind": "status", "code": 403, "body": {"message": "Not available"}}),
            "LINE refused",
        ),
        (json!({"kind": "monthly_limit"}), "monthly"),
    ] {
        let place = Place::new(30, &greeting());
        let mut fault = fault;
        fault["path"] = json!(PUSH);
        fault["times"] = json!(1000);
        place.world.fault(fault);
        let (code, ended) = place.start(&place.plan());
        assert_eq!(
            (code, &ended["state"]),
            (1, &json!("paused")),
            "{reason}: {ended}"
        );
        assert!(ended["reason"].is_string(), "{ended}");
        assert_eq!(ended["people"].get("accepted"), None);
        assert_eq!(ended["people"].get("rejected"), None);
    }
}

#[test]
fn a_test_send_is_marked_and_stands_in_no_ledger() {
    let place = Place::new(5, &greeting());
    let ended = place.run("test", &["--line", "4", "--to", &id(900)]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let received: Vec<(String, String)> = place.received().into_keys().collect();
    assert_eq!(received[0], (id(900), "Hello name 2!".to_owned()));
    assert!(
        received[1].1.starts_with("[TEST] spring: line 4"),
        "{received:?}"
    );
    assert!(!place.path("spring.ledger").exists());
    for (line, to) in [("99", id(1)), ("2", "nobody".to_owned())] {
        let ended = place.run("test", &["--line", line, "--to", &to]);
        assert_eq!(ended.code, 2, "{line}");
    }
}

#[test]
fn a_person_gets_no_more_than_the_cap_of_several_campaigns() {
    let place = Place::new(3, &greeting());
    let campaign = |name: &str| {
        let cap = json!({"history": "sent.db", "most": 2, "days": 7});
        place.document(&json!({"messages": greeting(), "name": name, "occurrence": name, "frequency_cap": cap}));
        place.plan()
    };
    for name in ["one", "two"] {
        let (code, ended) = place.start(&campaign(name));
        assert_eq!(
            (code, &ended["people"]["accepted"]),
            (0, &json!(3)),
            "{name}: {ended}"
        );
    }
    let planned = place.run("plan", &[]);
    assert_eq!(
        planned.code, 2,
        "what has ended is not planned again: {}",
        planned.stdout
    );
    place.document(&json!({
        "messages": greeting(), "name": "three", "occurrence": "three",
        "frequency_cap": {"history": "sent.db", "most": 2, "days": 7},
    }));
    let planned = place.run("plan", &[]);
    assert_eq!(planned.code, 3);
    assert!(
        planned.stderr.contains("frequency_cap: 3"),
        "{}",
        planned.stderr
    );
}

#[test]
fn mistakes_in_the_document_are_told_together_and_with_their_lines() {
    let place = Place::new(1, &greeting());
    place.write(
        "spring.yaml",
        "schema: campaign/1\nname: spring\nrecipents: {csv: people.csv}\nunit: \"a-b\"\nmessages: [x]\n",
    );
    let ended = place.run("plan", &[]);
    assert_eq!(ended.code, 2);
    for told in ["spring.yaml:3", "recipients", "spring.yaml:4"] {
        assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
    }
    place.write(
        "spring.yaml",
        "schema: campaign/1\nname: spring\nrecipients: {csv: people.csv}\nmessages:\n  - type: text\n    text: \"{{ name }}\"\n",
    );
    let ended = place.run("plan", &[]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("/messages/0/text: asks for `name`"),
        "{}",
        ended.stderr
    );
}

#[test]
fn one_mistake_in_the_document_hides_no_other() {
    let place = Place::new(1, &greeting());
    place.write(
        "spring.yaml",
        "schema: campaign/2\n\
         name: spring\n\
         recipients: {csv: people.csv, tto: x}\n\
         where: \"UserAttribute['country'] = 'JP'\"\n\
         control_group: {percent: 150}\n\
         accounts:\n  \
           tokyo:\n    \
             weight: -1\n    \
             window: {from: \"9:00\", to: \"21:00\", zone: Asia/Tokio}\n  \
           osaka:\n    \
             asset: {fil: osaka.json}\n    \
             window: {from: 9, too: \"21:00\", zone: Asia/Tokyo}\n\
         compose: {spli: true, markdown: 3}\n\
         at: tomorrow\n\
         messages: [\"{{ name }}\"]\n",
    );
    let ended = place.run("plan", &[]);
    assert_eq!(ended.code, 2);
    let expected = [
        "1:1: /schema: must be `campaign/1`; found: \"campaign/2\"",
        "3:31: /recipients/tto: is not a property here",
        "4:1: /where: is not an expression: ",
        "to compare, write `==` instead of `=`",
        "5:17: /control_group/percent: is more than 100; expected: at most 100; found: 150",
        "8:5: /accounts/tokyo/weight: is less than 0; expected: at least 0; found: -1",
        "9:14: /accounts/tokyo/window/from: is not a time such as 09:00; found: \"9:00\"",
        "9:41: /accounts/tokyo/window/zone: `Asia/Tokio` is not a time zone",
        "11:5: /accounts/osaka/asset: has none of `file`, `environment`; \
         expected: exactly one of `file`, `environment` (is `fil` meant to be `file`?)",
        "12:5: /accounts/osaka/window: `to` is missing (is `too` meant to be `to`?)",
        "12:14: /accounts/osaka/window/from: is not a string; expected: a time such as 09:00; \
         found: 9",
        "13:11: /compose/spli: `spli` is not a key here",
        "(did you mean `split`?)",
        "13:23: /compose/markdown: must be true, false, \"off\", \"plain\" or \"rich\", not a number",
        "14:1: /at: `tomorrow` is not a time with its offset",
        "15:12: /messages/0: asks for `name`",
    ];
    for told in expected {
        assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
    }
    // What stands in for what is wrong is not found to be wrong.
    let places = ended
        .stderr
        .lines()
        .filter(|line| line.contains("spring.yaml:"));
    assert_eq!(places.count(), 15, "{}", ended.stderr);
}

#[test]
fn what_a_campaign_needs_first_is_told_with_the_way_to_it() {
    let place = Place::new(1, &greeting());
    for command in ["status", "pause", "cancel", "results"] {
        let ended = place.run(command, &[]);
        assert_eq!(ended.code, 2);
        let told = "hint: `campaign plan` with the same document makes it";
        assert!(ended.stderr.contains(told), "{command}: {}", ended.stderr);
    }
    let document = place.path("spring.yaml");
    let ended = run(&["campaign", "plan", document.to_str().unwrap()], b"", &[]);
    assert_eq!(ended.code, 4);
    for way in [
        "--asset FILE",
        "LINE_CHANNEL_ACCESS_TOKEN",
        "--sandbox",
        "--offline",
    ] {
        assert!(ended.stderr.contains(way), "{way}: {}", ended.stderr);
    }
}

#[test]
fn a_template_that_does_not_end_skips_and_a_list_that_cannot_be_read_is_told() {
    let place = Place::new(
        3,
        &json!(["{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"]),
    );
    let ended = place.run("plan", &[]);
    assert_eq!(ended.code, 3);
    assert!(
        ended.stderr.contains("takes more than 50000 steps: 3"),
        "{}",
        ended.stderr
    );
    assert!(!place.path("spring.ledger").exists());
    place.document(&json!({"messages": greeting()}));
    for (list, told) in [
        ("line_id;name\nU1;a\n", "recipients.delimiter"),
        ("line_id,line_id\n", "two columns"),
        ("", "has no header line"),
    ] {
        place.write("people.csv", list);
        let ended = place.run("plan", &[]);
        assert_eq!(ended.code, 2, "{told}");
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
    fs::remove_file(place.path("people.csv")).unwrap();
    assert!(
        place
            .run("plan", &[])
            .stderr
            .contains("people.csv cannot be read")
    );
    let left: Vec<_> = fs::read_dir(place.folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "nothing half done is left: {left:?}");
}

/// A LINE that refuses whatever is for one person.
struct Refusing {
    person: String,
    sandbox: Arc<Sandbox>,
}

impl Transport for Refusing {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        if String::from_utf8_lossy(&request.body).contains(&self.person) {
            let body = json!({"message": "The property, 'to', in the request body is invalid"});
            return Ok(Reply {
                status: 400,
                body: body.to_string().into_bytes(),
                ..Reply::default()
            });
        }
        self.sandbox.send(request)
    }
}

#[test]
fn a_person_whom_line_refuses_is_found_by_halving() {
    let place = Place::new(100, &json!(["Hello!"]));
    let refusing = Refusing {
        person: id(42),
        sandbox: Arc::clone(&place.world.sandbox),
    };
    let asset = place.world.sandbox.asset("http://sandbox.invalid");
    let connector = Connector::builder()
        .transport(Arc::new(refusing))
        .operator(Operator {
            file: asset.as_object().unwrap().clone(),
            ..Operator::default()
        })
        .build();
    let text = fs::read_to_string(place.path("spring.yaml")).unwrap();
    let campaign = Campaign::read("spring.yaml", &text).unwrap();
    let own = BTreeMap::new();
    let ledger = place.path("spring.ledger");
    let campaigner = Campaigner::new(&campaign, place.folder.path(), &ledger, &connector, &own);
    let options = PlanOptions {
        offline: false,
        samples: 1,
        probes: 0,
        media_check: false,
    };
    let plan = campaigner.plan(&options).unwrap();
    let options = RunOptions {
        confirm: plan["digest"].as_str().map(str::to_owned),
        ..RunOptions::default()
    };
    let ended = campaigner.start(&options, &AtomicBool::new(false), &mut |_| {});
    assert_eq!(
        ended.unwrap()["people"],
        json!({"accepted": 99, "rejected": 1})
    );
    place.assert_everybody_once(99);
    let results = place.results();
    let rejected: Vec<&Value> = results
        .iter()
        .filter(|row| row["state"] == "rejected")
        .collect();
    assert_eq!(
        (rejected.len(), &rejected[0]["line_id"]),
        (1, &json!(id(42)))
    );
    assert_eq!(results.len(), 100);
}

/// A place with two accounts, each a sandbox of its own, and the second sandbox.
fn two_accounts(people: &str, members: &Value) -> (Place, World) {
    let place = Place::new(0, &json!(["Hello!"]));
    let other = World::with(Settings {
        quota: None,
        ..Settings::default()
    });
    let mut asset = other.bearer();
    asset["rate_limits"] = json!({"*": "off"});
    place.write("other.json", &asset.to_string());
    place.write("people.csv", people);
    let mut document = json!({
        "messages": ["Hello!"],
        "recipients": {"csv": "people.csv", "accounts": "follows"},
        "accounts": {
            "one": {"asset": {"file": "asset.json"}, "provider": "acme", "weight": 3},
            "two": {"asset": {"file": "other.json"}, "provider": "acme", "weight": 1},
        },
    });
    for (name, value) in members.as_object().unwrap() {
        document[name] = value.clone();
    }
    place.document(&document);
    (place, other)
}

#[test]
fn a_person_is_sent_to_by_an_account_that_they_follow() {
    let mut people = "line_id,follows\n".to_owned();
    for number in 0..400 {
        let follows = ["one", "two", "one two", "three"][number % 4];
        let _ = writeln!(people, "{},{follows}", id(number));
    }
    let (place, other) = two_accounts(&people, &json!({}));
    let plan = place.plan();
    assert_eq!(plan["left_out"], json!({"follows_no_account": 100}));
    let (code, ended) = place.start(&plan);
    assert_eq!((code, &ended["people"]), (0, &json!({"accepted": 300})));
    let mut by_account: BTreeMap<String, usize> = BTreeMap::new();
    for row in place
        .results()
        .iter()
        .filter(|row| row["state"] == "accepted")
    {
        *by_account
            .entry(row["account"].as_str().unwrap().to_owned())
            .or_default() += 1;
        let number = row["line"].as_u64().unwrap() - 2;
        let only = ["one", "two"].get(usize::try_from(number % 4).unwrap());
        assert!(only.is_none_or(|only| row["account"] == *only), "{row}");
    }
    assert!(
        by_account["one"] > 150 && by_account["two"] > 110,
        "{by_account:?}"
    );
    let reached = |world: &World| {
        world
            .sandbox
            .delivered()
            .iter()
            .map(|sent| sent.people)
            .sum::<u64>()
    };
    assert_eq!(reached(&place.world) + reached(&other), 300);
}

#[test]
fn an_account_that_is_refused_keeps_its_people_and_the_other_goes_on() {
    let mut people = "line_id,follows\n".to_owned();
    for number in 0..200 {
        let _ = writeln!(people, "{},one two", id(number));
    }
    let (place, other) = two_accounts(&people, &json!({}));
    let plan = place.plan();
    let of_two = plan["accounts"][1]["people"].clone();
    other.fault(json!({"path": MULTICAST, "kind": "status", "code": 403, "times": 100}));
    let (code, ended) = place.start(&plan);
    assert_eq!((code, &ended["state"]), (1, &json!("paused")));
    assert!(
        ended["reason"].as_str().unwrap().starts_with("two: "),
        "{ended}"
    );
    assert_eq!(ended["people"]["held"], of_two);
    assert_eq!(other.sandbox.delivered().len(), 0);

    // At the next planning it gets nobody.
    place.write(
        "other.json",
        &json!({"url": other.url(), "token": "wrong"}).to_string(),
    );
    let members = json!({"occurrence": "next"});
    let mut document: Value =
        serde_json::from_str(&fs::read_to_string(place.path("spring.yaml")).unwrap()).unwrap();
    document["occurrence"] = members["occurrence"].clone();
    place.document(&document);
    let plan = place.plan();
    assert_eq!(plan["accounts"][1]["people"], 0);
    assert!(plan["accounts"][1]["fault"].is_string());
    assert_eq!(plan["people"], 200);
}

#[test]
fn an_account_waits_for_its_window_and_a_campaign_for_its_time() {
    let hour = |hours: u64| {
        let now = SystemClock
            .now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
            / 3600;
        format!("{:02}:00", (now + hours) % 24)
    };
    let window = json!({"from": hour(2), "to": hour(3), "zone": "UTC"});
    let members = json!({"accounts": {"one": {"asset": {"file": "asset.json"}, "window": window}}});
    let place = Place::new(20, &json!(["Hello!"]));
    place.document(&json!({"messages": ["Hello!"], "accounts": members["accounts"]}));
    let plan = place.plan();
    let arguments = place.arguments("start", &["--confirm", plan["digest"].as_str().unwrap()]);
    let mut child = start(&arguments, &[]);
    wait_until(|| last(&place.run("status", &[]))["reason"].is_string());
    let status = last(&place.run("status", &[]));
    assert_eq!(status["state"], "running");
    assert!(
        status["reason"]
            .as_str()
            .unwrap()
            .contains("window opens at"),
        "{status}"
    );
    assert_eq!(place.run("pause", &[]).code, 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(place.world.sandbox.delivered().len(), 0);

    let place = Place::new(20, &json!(["Hello!"]));
    place.document(&json!({"messages": ["Hello!"], "at": "2999-01-01T00:00:00Z"}));
    let plan = place.plan();
    let arguments = place.arguments("start", &["--confirm", plan["digest"].as_str().unwrap()]);
    let mut child = start(&arguments, &[]);
    wait_until(|| last(&place.run("status", &[]))["state"] == "scheduled");
    assert_eq!(place.run("cancel", &[]).code, 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let status = last(&place.run("status", &[]));
    assert_eq!(
        (&status["state"], &status["people"]),
        (&json!("cancelled"), &json!({"cancelled": 20}))
    );
}

#[cfg(feature = "listen")]
#[test]
fn whoever_left_is_not_sent_to_even_if_they_left_after_the_plan() {
    let place = Place::new(4, &json!(["Hello!"]));
    let queue = place.path("events.db");
    line_connector_receiver::queue::Queue::open(&queue).unwrap();
    set_mode(&queue, 0o600);
    let leave = |person: &str| {
        let insert =
            "INSERT INTO friendship (channel, user, time, is_over) VALUES ('Ubot', ?, 1, 1)";
        Connection::open(&queue)
            .unwrap()
            .execute(insert, [person])
            .unwrap();
    };
    leave(&id(0));
    place.document(&json!({"messages": ["Hello!"], "suppress": {"queue": "events.db"}}));
    // With one account whose ID LINE was not asked for, every unfollow counts.
    let ended = place.run("plan", &["--offline"]);
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(plan["left_out"], json!({"unfollowed": 1}));
    let bot = crate::world::call(
        &crate::world::connector(),
        json!({"action": "get_bot_info", "asset": place.world.bearer()}),
    );
    let bot = bot.json().unwrap()["userId"].as_str().unwrap().to_owned();
    let update = "UPDATE friendship SET channel = ?";
    Connection::open(&queue)
        .unwrap()
        .execute(update, [&bot])
        .unwrap();
    let insert = "INSERT INTO friendship (channel, user, time, is_over) VALUES (?, ?, 1, 1)";
    Connection::open(&queue)
        .unwrap()
        .execute(insert, [&bot, &id(2)])
        .unwrap();
    let (code, ended) = place.start(&plan);
    assert_eq!(code, 0, "{ended}");
    assert_eq!(
        (&ended["people"], &ended["left_out"]),
        (&json!({"accepted": 2}), &json!({"unfollowed": 2}))
    );
    let reached: BTreeSet<String> = place
        .received()
        .into_keys()
        .map(|(person, _)| person)
        .collect();
    assert_eq!(reached, BTreeSet::from([id(1), id(3)]));
}

#[test]
fn everybody_who_follows_an_account_can_be_the_list() {
    let world = World::with(Settings {
        quota: None,
        friends: 2500,
        ..Settings::default()
    });
    let place = Place::in_world(world, 0, &json!(["Hello!"]));
    place.document(&json!({"messages": ["Hello!"], "recipients": {"followers": true}}));
    let plan = place.plan();
    assert_eq!(plan["people"], 2500);
    let (code, ended) = place.start(&plan);
    assert_eq!((code, &ended["people"]), (0, &json!({"accepted": 2500})));
    place.assert_everybody_once(2500);
}

#[cfg(unix)]
#[test]
fn a_ledger_that_cannot_be_written_is_told_and_nobody_is_sent_to_twice() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new(1000, &greeting());
    // A file may not grow beyond this, as on a full disk.
    let limited = |command: &str, kilobytes: u32, more: &[&str]| {
        let arguments = place.arguments(command, more).join(" ");
        let program = env!("CARGO_BIN_EXE_line-connector");
        let script = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec {program} {arguments}");
        let output = std::process::Command::new("bash")
            .args(["-c", &script])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, told) = limited("plan", 100, &[]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("spring.ledger cannot be written"), "{told}");
    assert!(!place.path("spring.ledger").exists());

    let plan = place.plan();
    let digest = plan["digest"].as_str().unwrap();
    let size = fs::metadata(place.path("spring.ledger")).unwrap().len() / 1024;
    let room = u32::try_from(size).unwrap() / 2 + 200;
    let (code, told) = limited("start", room, &["--confirm", digest]);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("the ledger"), "{told}");
    let (code, ended) = place.resume(&[]);
    assert_eq!(
        (code, &ended["people"]),
        (0, &json!({"accepted": 1000})),
        "{ended}"
    );
    place.assert_everybody_once(1000);

    let place = Place::new(3, &greeting());
    let plan = place.plan();
    let read_only = fs::Permissions::from_mode(0o400);
    fs::set_permissions(place.path("spring.ledger"), read_only).unwrap();
    // Root may write whatever it likes.
    if fs::OpenOptions::new()
        .write(true)
        .open(place.path("spring.ledger"))
        .is_err()
    {
        let ended = place.run("start", &["--confirm", plan["digest"].as_str().unwrap()]);
        assert_eq!(ended.code, 2);
        assert!(ended.stderr.contains("spring.ledger"), "{}", ended.stderr);
    }
    assert_eq!(place.run("status", &[]).code, 0);
}

#[cfg(unix)]
#[test]
fn a_campaign_can_go_on_in_the_background() {
    let place = Place::new(50, &greeting());
    place
        .world
        .fault(json!({"path": PUSH, "kind": "delay", "ms": 50, "times": 1000}));
    let plan = place.plan();
    let ended = place.run(
        "start",
        &["--confirm", plan["digest"].as_str().unwrap(), "--detach"],
    );
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    wait_until(|| last(&place.run("status", &[]))["state"] == "finished");
    place.assert_everybody_once(50);
}

#[test]
fn a_cap_holds_between_campaigns_that_run_at_once() {
    let place = Place::new(150, &greeting());
    let cap = json!({"history": "sent.db", "most": 1, "days": 7});
    let campaign = |name: &str| {
        let members = json!({"messages": greeting(), "name": name, "frequency_cap": cap});
        place.document(&members);
        fs::rename(
            place.path("spring.yaml"),
            place.path(&format!("{name}.yaml")),
        )
        .unwrap();
        let document = place.path(&format!("{name}.yaml")).display().to_string();
        let asset = place.path("asset.json").display().to_string();
        let arguments = ["campaign", "plan", &document, "--asset", &asset, "--json"];
        let plan: Value = serde_json::from_str(&run(&arguments, b"", &[]).stdout).unwrap();
        let digest = plan["digest"].as_str().unwrap().to_owned();
        [
            "campaign",
            "start",
            &document,
            "--asset",
            &asset,
            "--confirm",
            &digest,
        ]
        .map(str::to_owned)
    };
    let plans = [campaign("one"), campaign("two")];
    let children = plans.map(|arguments| start(&arguments, &[]));
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    place.assert_everybody_once(150);
}

#[test]
fn a_file_of_people_who_get_nothing_is_read_as_it_is_written_or_told() {
    let place = Place::new(4, &json!(["Hello!"]));
    place.document(&json!({"messages": ["Hello!"], "suppress": {"files": ["gone.txt"]}}));
    place.write("gone.txt", &format!("id\r{}\r{}\rnobody\r", id(0), id(1)));
    let plan = place.plan();
    assert_eq!(plan["left_out"], json!({"suppressed": 2}));
    assert!(
        plan["warnings"][0]
            .as_str()
            .unwrap()
            .starts_with("1 lines of"),
        "{plan}"
    );
    place.write("gone.txt", &id(0xabc).to_uppercase());
    let ended = place.run("plan", &[]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("has no ID of LINE's"),
        "{}",
        ended.stderr
    );
}

#[test]
fn accounts_are_asked_about_their_people_however_many_renderings_are_shown() {
    let place = Place::new(5, &json!(["Hello!"]));
    let ended = place.run("plan", &["--probe", "3", "--show", "0"]);
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(plan["samples"], json!([]));
    let warning = plan["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("default does not know 3 of 3 people"),
        "{warning}"
    );
}

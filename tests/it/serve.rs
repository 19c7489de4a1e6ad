//! `serve`, the real binary against a sandbox behind a listener: every line gets one answer, whatever
//! stands in it and however the process ends.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use line_connector_client::Random as _;
use line_connector_sandbox::Settings;
use serde_json::{Value, json};

use crate::world::{self, USER, World};

const PUSH: &str = "/v2/bot/message/push";
/// More than any step takes, even on a busy machine.
const LONG: Duration = Duration::from_mins(1);

/// A running `serve`.
pub(crate) struct Serving {
    pub(crate) child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
}

impl Serving {
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = world::start(&[&["serve"], arguments].concat(), environment);
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Self {
            child,
            input,
            output: output.map(BufReader::new),
        }
    }

    /// One that talks to a world with its long-lived token.
    pub(crate) fn of(world: &World, arguments: &[&str]) -> Self {
        let (url, token) = (world.url(), "sandbox-token");
        let environment = [
            ("LINE_API_URL", url.as_str()),
            ("LINE_CHANNEL_ACCESS_TOKEN", token),
            ("LINE_CLIENT_ID", "1234567890"),
        ];
        Self::start(arguments, &environment)
    }

    pub(crate) fn write(&mut self, text: impl AsRef<[u8]>) {
        self.input
            .as_mut()
            .unwrap()
            .write_all(text.as_ref())
            .unwrap();
    }

    fn close_input(&mut self) {
        drop(self.input.take());
    }

    /// The next answer.
    pub(crate) fn answer(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.output.as_mut().unwrap().read_line(&mut line).unwrap();
        (read > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    /// All answers from here on, the exit code and standard error.
    pub(crate) fn finish(mut self) -> (Vec<Value>, i32, String) {
        self.close_input();
        let mut answers = Vec::new();
        while let Some(answer) = self.answer() {
            answers.push(answer);
        }
        let mut errors = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut errors).unwrap();
        let code = self
            .child
            .wait()
            .unwrap()
            .code()
            .expect("no signal ends it");
        (answers, code, errors)
    }

    /// The exit code and standard error, while input and output stay as they are.
    fn end(&mut self) -> (Option<i32>, String) {
        let mut status = None;
        wait_until("the end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let mut errors = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut errors).unwrap();
        (status.and_then(|status| status.code()), errors)
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Serving {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        let _already_over = self.child.kill();
        let _already_over = self.child.wait();
    }
}

/// A push of one text that tells which it is, as a line.
pub(crate) fn push(number: usize) -> String {
    let document = json!({
        "id": number,
        "action": "send_push_message",
        "inputs": {"to": USER, "messages": [{"type": "text", "text": format!("text {number}")}]},
        "options": {"idempotency_key": format!("message {number}")},
    });
    format!("{document}\n")
}

fn pushes(count: usize) -> String {
    (0..count).map(push).collect()
}

/// A world without a bound on messages.
fn world() -> World {
    World::with(Settings {
        quota: None,
        ..Settings::default()
    })
}

fn id(answer: &Value) -> i64 {
    answer["id"].as_i64().unwrap_or(-1)
}

fn kind(answer: &Value) -> &str {
    answer["error"]["kind"].as_str().unwrap_or("none")
}

/// How many answers there are of each kind.
fn kinds(answers: &[Value]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(kind(answer)).or_default() += 1;
    }
    counts
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LONG, "{what} did not come");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// How often each text was delivered.
fn delivered(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for delivery in world.sandbox.delivered() {
        let text = delivery.messages[0]["text"].as_str().unwrap().to_owned();
        *counts.entry(text).or_default() += 1;
    }
    counts
}

#[test]
fn every_document_is_answered_once_with_its_id() {
    let world = world();
    let mut serving = Serving::of(&world, &["--concurrency", "4"]);
    serving.write(pushes(100));
    let (answers, code, errors) = serving.finish();
    assert_eq!((code, errors.as_str()), (0, ""));
    let mut ids: Vec<i64> = answers.iter().map(id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..100).collect::<Vec<_>>());
    assert_eq!(kinds(&answers), BTreeMap::from([("none", 100)]));
    assert_eq!(delivered(&world).len(), 100);
}

#[test]
fn answers_come_as_they_finish_or_in_order() {
    for ordered in [false, true] {
        let world = world();
        world.fault(json!({"kind": "delay", "ms": 1500, "path": PUSH}));
        let arguments: &[&str] = if ordered { &["--ordered"] } else { &[] };
        let mut serving = Serving::of(&world, arguments);
        serving.write(push(0));
        wait_until("the first request", || world.count(PUSH) == 1);
        serving.write((1..20).map(push).collect::<String>());
        let (answers, code, _) = serving.finish();
        assert_eq!(code, 0);
        let ids: Vec<i64> = answers.iter().map(id).collect();
        assert_eq!(ids.len(), 20);
        assert_eq!(ids.is_sorted(), ordered, "{ids:?}");
    }
}

#[test]
fn a_single_document_is_answered_while_the_input_stays_open() {
    let world = world();
    let mut serving = Serving::of(&world, &[]);
    for number in 0..3 {
        serving.write(push(number));
        let answer = serving.answer().unwrap();
        assert_eq!(
            (id(&answer), kind(&answer)),
            (i64::try_from(number).unwrap(), "none")
        );
    }
}

#[test]
fn what_is_no_document_is_answered_and_the_next_line_is_read() {
    let world = world();
    let arguments = ["--ordered", "--max-line-bytes", "100000"];
    let mut serving = Serving::of(&world, &arguments);
    let deep = "[".repeat(100_000 - 10);
    let long = "x".repeat(3_000_000);
    serving.write("\u{feff}");
    serving.write(push(0));
    serving.write("\n   \nnot JSON\n[1]\n{\"id\": \"a\", \"inputs\": 7}\n");
    serving.write(format!("{deep}\n{{\"id\": \"b\", \"text\": \"{long}\"}}\n"));
    serving.write(b"{\"id\": \"\xff\xfe\"}\n");
    serving.write("{\"id\": {\"any\": [\"value\"]}}\n");
    serving.write("{\"id\": 5, \"action\": \"send_message\"}\n");
    // The last line has no line feed, and is a document all the same.
    serving.write(push(9).trim_end());
    let (answers, code, errors) = serving.finish();
    assert_eq!((code, errors.as_str()), (0, ""));
    let told: Vec<(&str, &Value)> = answers.iter().map(|one| (kind(one), &one["id"])).collect();
    let invalid = "invalid_document";
    let any = json!({"any": ["value"]});
    assert_eq!(
        told,
        [
            ("none", &json!(0)),
            (invalid, &Value::Null),
            (invalid, &Value::Null),
            (invalid, &json!("a")),
            (invalid, &Value::Null),
            (invalid, &Value::Null),
            (invalid, &Value::Null),
            (invalid, &any),
            ("unknown_action", &json!(5)),
            ("none", &json!(9)),
        ]
    );
    let message = |index: usize| answers[index]["error"]["message"].as_str().unwrap();
    assert!(
        message(1).starts_with("line 4: the document cannot be read: "),
        "{}",
        message(1)
    );
    assert!(message(5).contains("line 8") && message(5).contains("--max-line-bytes"));
    assert_eq!(world.sandbox.delivered().len(), 2);
}

#[test]
fn the_command_line_can_name_the_action_and_the_asset() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asset.json");
    std::fs::write(&file, world.bearer().to_string()).unwrap();
    let arguments = ["get_bot_info", "--asset", file.to_str().unwrap()];
    let mut serving = Serving::start(&arguments, &[]);
    serving.write("{\"id\": 1}\n{\"id\": 2, \"action\": \"send_push_message\"}\n");
    // What the document says of the asset comes first.
    serving.write("{\"id\": 3, \"asset\": {\"token\": \"wrong\"}}\n");
    let (mut answers, code, _) = serving.finish();
    answers.sort_by_key(id);
    let kinds: Vec<&str> = answers.iter().map(kind).collect();
    assert_eq!(
        (code, kinds),
        (0, vec!["none", "invalid_document", "unauthorized"])
    );

    let mut serving = Serving::start(&["--sandbox", "--concurrency", "1"], &[]);
    serving.write(push(0) + &push(0));
    let (answers, ..) = serving.finish();
    assert_eq!(answers[1]["meta"]["already_accepted"], true);

    let mut serving = Serving::start(&["--dry-run"], &[]);
    serving.write(push(0));
    let (answers, ..) = serving.finish();
    assert_eq!(answers[0]["request"]["method"], "POST");
}

#[test]
fn fifty_calls_at_once_issue_one_token() {
    let world = world();
    let asset = world.asset();
    let environment = [
        ("LINE_API_URL", asset["url"].as_str().unwrap()),
        ("LINE_CLIENT_ID", asset["client_id"].as_str().unwrap()),
        (
            "LINE_CLIENT_SECRET",
            asset["client_secret"].as_str().unwrap(),
        ),
    ];
    world.fault(json!({"kind": "delay", "ms": 300, "path": "/oauth2/v3/token"}));
    let mut serving = Serving::start(&["--concurrency", "50", "--stats"], &environment);
    serving.write(pushes(50));
    let (answers, code, errors) = serving.finish();
    assert_eq!((code, kinds(&answers)), (0, BTreeMap::from([("none", 50)])));
    assert_eq!(world.count("/oauth2/v3/token"), 1);
    let stats: Value = serde_json::from_str(&errors).unwrap();
    assert_eq!(stats["tokens_issued"], 1);
}

#[test]
fn sigterm_finishes_what_was_started_and_refuses_the_rest() {
    let world = world();
    world.fault(json!({"kind": "delay", "ms": 1000, "path": PUSH, "times": 2}));
    let mut serving = Serving::of(&world, &["--concurrency", "2"]);
    // Half a line is no document.
    serving.write(pushes(20) + "{\"id\": 99");
    wait_until("two requests", || world.count(PUSH) == 2);
    serving.signal("-TERM");
    let mut answers = Vec::new();
    // Its input stays open: it ends all the same.
    while let Some(answer) = serving.answer() {
        answers.push(answer);
    }
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    let expected = BTreeMap::from([("none", 2), ("shutting_down", 18)]);
    assert_eq!(kinds(&answers), expected);
    let mut ids: Vec<i64> = answers.iter().map(id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..20).collect::<Vec<_>>());
    assert_eq!(delivered(&world).len(), 2);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let world = world();
    world.fault(json!({"kind": "stall", "ms": 600_000, "path": PUSH}));
    let mut serving = Serving::of(&world, &[]);
    serving.write(push(0) + "{\"id\": 1}\n");
    assert_eq!(kind(&serving.answer().unwrap()), "invalid_document");
    wait_until("the request", || world.count(PUSH) == 1);
    // Two that come at once count as one, so it may take a third.
    let mut ended = None;
    wait_until("the end", || {
        serving.signal("-INT");
        ended = serving.child.try_wait().unwrap();
        ended.is_some()
    });
    assert_eq!(ended.unwrap().code(), None);
}

#[test]
fn a_closed_output_ends_it_cleanly() {
    let world = world();
    let mut serving = Serving::of(&world, &["--concurrency", "2"]);
    serving.write(push(0));
    assert!(serving.answer().is_some());
    drop(serving.output.take());
    // Its input stays open. It notices with the first answer that nobody reads.
    serving.write(push(1));
    let (code, errors) = serving.end();
    assert_eq!(code, Some(0));
    assert_eq!(errors, "");
}

#[test]
fn no_more_is_read_than_can_be_started_soon() {
    let world = world();
    world.fault(json!({"kind": "stall", "ms": 600_000, "path": PUSH, "times": 1000}));
    let mut serving = Serving::of(&world, &["--concurrency", "2"]);
    let mut input = serving.input.take().unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let padding = " ".repeat(8_000);
    let (ended, has_ended) = mpsc::channel();
    std::thread::spawn(move || {
        for number in 0..2_000 {
            let line = format!("{padding}{}", push(number));
            if input.write_all(line.as_bytes()).is_err() {
                break;
            }
            counted.fetch_add(1, Ordering::SeqCst);
        }
        ended.send(()).unwrap();
    });
    wait_until("two requests", || world.count(PUSH) == 2);
    // Two in flight, four in the queue, one in hand, what was read at once and what the pipe holds:
    // far from the 16 MB that are offered.
    let waited = has_ended.recv_timeout(Duration::from_secs(2));
    assert_eq!(waited, Err(mpsc::RecvTimeoutError::Timeout), "all was read");
    assert!(taken.load(Ordering::SeqCst) < 100, "{taken:?}");
    drop(serving);
    has_ended.recv_timeout(LONG).unwrap();
}

#[test]
fn the_figures_come_on_a_signal_and_at_the_end() {
    let world = world();
    world.fault(json!({"kind": "status", "code": 500, "path": PUSH}));
    world.fault(json!({"kind": "monthly_limit", "path": PUSH}));
    let mut serving = Serving::of(&world, &["--stats", "--concurrency", "1"]);
    serving.write(pushes(4) + "nonsense\n");
    for _ in 0..5 {
        serving.answer().unwrap();
    }
    serving.signal("-USR1");
    let mut errors = BufReader::new(serving.child.stderr.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&errors.next().unwrap().unwrap()).unwrap();
    serving.close_input();
    let last: Value = serde_json::from_str(&errors.next().unwrap().unwrap()).unwrap();
    for stats in [first, last] {
        assert_eq!(stats["calls"], 5);
        assert_eq!(
            (&stats["succeeded"], &stats["failed"]),
            (&json!(3), &json!(2))
        );
        assert_eq!(stats["by_status"], json!({"200": 3, "429": 1}));
        assert_eq!(
            stats["by_kind"],
            json!({"invalid_document": 1, "monthly_limit": 1})
        );
        assert_eq!(stats["retries"], 1);
        assert_eq!(stats["in_flight"], 0);
        let latency = |name: &str| stats["latency_ms"][name].as_f64().unwrap();
        assert!(latency("p50") > 0.0 && latency("p50") <= latency("p99"));
        assert!(latency("p99") <= latency("max"));
    }
}

#[test]
fn a_deep_document_does_not_overrun_the_stack() {
    let deep = |depth: usize| {
        let inner = (0..depth).fold(
            json!({"type": "text", "text": "x"}),
            |inner, _| json!({"type": "box", "layout": "vertical", "contents": [inner]}),
        );
        let contents = json!({"type": "bubble", "body": inner});
        let message = json!({"type": "flex", "altText": "x", "contents": contents});
        let inputs = json!({"to": USER, "messages": [message]});
        json!({"action": "send_push_message", "inputs": inputs})
    };
    let mut serving = Serving::start(&["--dry-run", "--ordered"], &[]);
    serving.write(format!("{}\n{}\n", deep(55), deep(100)));
    let (answers, code, _) = serving.finish();
    assert_eq!((code, answers.len()), (0, 2));
}

/// Killed after this many answers, over and over, it sends nothing twice and leaves nothing out.
#[test]
fn killed_at_any_moment_and_started_again_it_sends_every_message_once() {
    let world = world();
    let count = 60;
    for round in 0..10 {
        let mut serving = Serving::of(&world, &["--concurrency", "8"]);
        let mut input = serving.input.take().unwrap();
        let writer = std::thread::spawn(move || {
            let _killed = input.write_all(pushes(count).as_bytes());
        });
        let answers =
            usize::try_from(line_connector_client::SystemRandom.bits() % 13).unwrap() + round;
        for _ in 0..answers {
            serving.answer().unwrap();
        }
        drop(serving);
        writer.join().unwrap();
    }
    let mut serving = Serving::of(&world, &["--concurrency", "8"]);
    serving.write(pushes(count));
    let (answers, code, _) = serving.finish();
    assert_eq!(
        (code, kinds(&answers)),
        (0, BTreeMap::from([("none", count)]))
    );
    let delivered = delivered(&world);
    assert_eq!(delivered.len(), count);
    assert!(delivered.values().all(|times| *times == 1), "{delivered:?}");
    let again = answers
        .iter()
        .filter(|one| one["meta"]["already_accepted"] == true);
    assert!(again.count() > 0, "no message was tried twice");
}

#[test]
fn no_call_holds_the_end_up_and_every_line_that_was_read_is_answered() {
    let lines = 12;
    for (concurrent, in_order) in [(1, false), (2, false), (1, true), (2, true)] {
        let world = world();
        world.fault(json!({"kind": "delay", "ms": 60_000, "path": PUSH, "times": concurrent}));
        let concurrency = concurrent.to_string();
        let mut arguments = vec!["--concurrency", &concurrency, "--shutdown-seconds", "1"];
        arguments.extend(in_order.then_some("--ordered"));
        let mut serving = Serving::of(&world, &arguments);
        let patient = pushes(lines).lines().fold(String::new(), |text, line| {
            let mut document: Value = serde_json::from_str(line).unwrap();
            document["options"] = json!({"timeout_ms": 600_000});
            text + &format!("{document}\n")
        });
        serving.write(patient);
        wait_until("the requests", || world.count(PUSH) == concurrent);
        serving.signal("-TERM");
        let mut answers = Vec::new();
        while let Some(answer) = serving.answer() {
            answers.push(answer);
        }
        assert_eq!(serving.child.wait().unwrap().code(), Some(0));
        let mut ids: Vec<i64> = answers.iter().map(id).collect();
        if !in_order {
            ids.sort_unstable();
        }
        assert_eq!(ids, (0..12).collect::<Vec<_>>(), "{arguments:?}");
        let expected = BTreeMap::from([
            ("timeout", concurrent),
            ("shutting_down", lines - concurrent),
        ]);
        assert_eq!(kinds(&answers), expected, "{arguments:?}");
        for answer in answers {
            let outcome = match kind(&answer) {
                "timeout" => "unknown",
                _ => "not_done",
            };
            assert_eq!(answer["error"]["outcome"], outcome, "{answer}");
        }
    }
}

#[test]
fn an_output_that_nobody_reads_does_not_hold_the_end_up_and_is_told() {
    let mut serving = Serving::start(&["--shutdown-seconds", "0"], &[]);
    // More than a pipe holds.
    serving.write("no document\n".repeat(2_000));
    assert!(serving.answer().is_some());
    serving.signal("-TERM");
    let (code, errors) = serving.end();
    assert_eq!(code, Some(74));
    assert!(errors.contains("nobody takes the answers"), "{errors}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_told_and_not_lost() {
    let world = world();
    let document = world::push(&world.bearer()).to_string();
    for arguments in [&["run"][..], &["serve"], &["serve", "--ordered"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_line-connector"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(world::full())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(document.as_bytes()).unwrap();
        drop(input);
        let ended = child.wait_with_output().unwrap();
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(74), "{arguments:?}: {errors}");
        assert!(errors.contains("cannot be written"), "{errors}");
        assert!(
            errors.contains("\"status_code\":200"),
            "the answer is there: {errors}"
        );
        assert!(!errors.contains("sandbox-token"));
    }
}

/// Lines that cost far more than their bytes, if anything keeps them.
fn hostile(bytes: usize) -> Vec<String> {
    let many = |value: &str| vec![value; bytes / (value.len() + 1)].join(",");
    vec![
        format!("{{\"id\":[{}]}}", many("1")),
        format!("{{\"id\":[{}]}}", many("{\"\":0}")),
        format!(
            "{{\"inputs\":{{\"to\":[{}]}},\"action\":\"send_multicast_message\"}}",
            many("1")
        ),
        format!(
            "{{\"inputs\":{{\"messages\":[{}]}},\"action\":\"send_push_message\"}}",
            many("{}")
        ),
        format!("{{\"action\":\"{}\"}}", "s".repeat(bytes)),
        format!("{{\"{}\":1}}", "k".repeat(bytes)),
        format!(
            "{{\"inputs\":{{\"{}\":1}},\"action\":\"send_push_message\"}}",
            "k".repeat(bytes)
        ),
        "[".repeat(bytes),
    ]
}

#[cfg(target_os = "linux")]
#[test]
fn hostile_lines_cost_neither_the_others_nor_the_memory() {
    const MOST_KIB: u64 = 256 * 1024;
    let world = world();
    let mut serving = Serving::of(&world, &[]);
    let status = format!("/proc/{}/status", serving.child.id());
    let mut input = serving.input.take().unwrap();
    let good = pushes(300);
    let writer = std::thread::spawn(move || {
        for (index, line) in good.lines().enumerate() {
            if index % 40 == 20 {
                let hostile = hostile(8 << 20).swap_remove(index / 40);
                input.write_all(hostile.as_bytes()).unwrap();
                input.write_all(b"\n").unwrap();
            }
            input.write_all(line.as_bytes()).unwrap();
            input.write_all(b"\n").unwrap();
        }
    });
    let (mut good, mut bad) = (0, 0);
    let mut peak = 0;
    while let Some(answer) = serving.answer() {
        match answer.get("error") {
            None => good += 1,
            Some(error) => {
                assert_ne!(error["kind"], "internal", "{error}");
                assert!(answer.to_string().len() < 100_000);
                bad += 1;
            }
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kibibytes.unwrap_or(0));
    }
    writer.join().unwrap();
    assert_eq!((good, bad), (300, 7));
    assert!((1..MOST_KIB).contains(&peak), "the peak was {peak} KiB");
}

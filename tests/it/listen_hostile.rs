//! `listen` and `events` among hostile clients, full disks, other users' files and wrong clocks: the
//! real binary on loopback, and the receiver as a library where a clock has to be set.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use line_connector_client::{Failure, Reply, Request, Transport};
use line_connector_http::FailureKind;
use line_connector_receiver::queue::EventState;
use line_connector_receiver::{Clock, Host, Sink, Target};
use serde_json::{Value, json};

use crate::listen::{
    BOT, LONG, Listening, OTHER_BOT, OTHER_SECRET, Platform, SECRET, answer, events, exchange, get,
    pause, place, post, send, sign, text, webhook,
};
use crate::receiver_panics::{Running, time};
use crate::world;

const ENVIRONMENT: [(&str, &str); 2] = [("LINE_CLIENT_ID", "1"), ("LINE_CLIENT_SECRET", SECRET)];

/// `listen` with these arguments, where it ends by itself.
fn listen(queue: &Path, arguments: &[&str]) -> world::Ended {
    let queue = queue.to_str().unwrap();
    let listen = ["listen", "--address", "127.0.0.1:0", "--queue", queue];
    world::run(&[&listen, arguments].concat(), b"", &ENVIRONMENT)
}

/// A connection that has sent a request but for its last byte.
fn held(address: SocketAddr, signature: &str, length: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(LONG)).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nX-Line-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes());
    // Whoever is closed to make room for others cannot write it all.
    let _ = stream.write_all(&vec![b' '; length - 1]);
    stream
}

#[test]
fn large_bodies_that_never_end_keep_no_signed_webhook_out() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--hold"]);
    let address = listening.address;
    let signature = sign(OTHER_SECRET, "another body");
    let mut connections = Vec::new();
    for number in 0..14 {
        connections.extend((0..6).map(|_| held(address, &signature, 1 << 20)));
        // Larger ones than LINE's usual, too.
        let mut sent = text(&format!("E{number}"), number, 1);
        sent["message"]["text"] = Value::from("long ".repeat(20_000));
        assert_eq!(send(address, &[sent]), Some(200), "webhook {number}");
    }
    assert!(listening.metric("line_connector_evicted_connections_total") >= 14);
    let overloaded = "line_connector_webhook_requests_total{result=\"overloaded\"}";
    assert_eq!(listening.metric(overloaded), 0);
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn what_cannot_be_signed_is_refused_before_it_is_read() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--hold"]);
    let address = listening.address;
    let head = |extra: &str| {
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\n{extra}\r\n\r\n");
        // No byte of the body is sent.
        exchange(address, head.as_bytes()).map(|(status, _)| status)
    };
    assert_eq!(head("Content-Length: 100000"), Some(401));
    let almost = sign(SECRET, "x").replace('=', "!");
    for signature in ["short", &"=".repeat(44), &almost, &"A".repeat(45)] {
        let extra = format!("X-Line-Signature: {signature}\r\nContent-Length: 100000");
        assert_eq!(head(&extra), Some(401), "{signature}");
    }
    // Not announced, it is read up to the size of a probe.
    let chunks = "400\r\n".to_owned() + &"x".repeat(1024) + "\r\n1\r\nx\r\n";
    let request =
        format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    assert_eq!(exchange(address, request.as_bytes()).unwrap().0, 401);
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn refusals_do_not_tell_which_channels_are_here() {
    let (folder, queue) = place();
    let file = folder.path().join("channels.json");
    let channels = json!([
        {"client_id": "1", "client_secret": SECRET, "destination": BOT},
        {"client_id": "2", "client_secret": OTHER_SECRET, "destination": OTHER_BOT},
    ]);
    std::fs::write(&file, channels.to_string()).unwrap();
    let listening = Listening::with(&queue, &["--asset", file.to_str().unwrap()], &[]);
    let stranger = "Ucccccccccccccccccccccccccccccccc";
    let mut answers = Vec::new();
    for (destination, secret) in [
        (BOT, Some(OTHER_SECRET)),
        (OTHER_BOT, Some(SECRET)),
        (stranger, Some(SECRET)),
        (stranger, Some("no channel's")),
        (BOT, None),
    ] {
        let body = webhook(destination, &[text("01A", 1, 1)]);
        let signature = secret.map_or(String::new(), |secret| {
            format!("X-Line-Signature: {}\r\n", sign(secret, &body))
        });
        let length = body.len();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{signature}Content-Length: {length}\r\n\r\n{body}"
        );
        answers.push(exchange(listening.address, request.as_bytes()).unwrap());
    }
    assert_eq!(answers[0].0, 401);
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn health_and_metrics_are_for_the_administrator() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--hold"]);
    let address = listening.address;
    let ask = |path: &str, headers: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        exchange(address, request.as_bytes()).unwrap().0
    };
    for path in ["/healthz", "/metrics"] {
        for host in ["127.0.0.1:8080", "localhost", "[::1]:1"] {
            assert_eq!(ask(path, &format!("Host: {host}\r\n")), 200, "{host}");
        }
        for headers in [
            "Host: bot.example\r\n",
            "Host: localhost.evil.example:80\r\n",
            "Host: localhost\r\nX-Forwarded-For: 192.0.2.1\r\n",
            "Host: localhost\r\nForwarded: for=192.0.2.1\r\n",
            "Host: localhost\r\nX-Real-IP: 192.0.2.1\r\n",
            "Host: localhost\r\nVia: 1.1 proxy\r\n",
        ] {
            assert_eq!(ask(path, headers), 404, "{headers}");
        }
    }
    assert_eq!(listening.terminate(), (0, Vec::new()));
    let listening = Listening::start(&queue, &["--hold", "--admin-address", "127.0.0.1:0"]);
    let admin = listening.admin.unwrap();
    for path in ["/healthz", "/metrics"] {
        assert_eq!(get(listening.address, path).0, 404);
        assert_eq!(get(admin, path).0, 200);
    }
    let body = webhook(BOT, &[text("01A", 1, 1)]);
    let signature = sign(SECRET, &body);
    assert_eq!(post(admin, &body, Some(&signature)), Some(404));
    assert_eq!(post(listening.address, &body, Some(&signature)), Some(200));
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

/// The most bytes that a file of this process may have from now on.
#[cfg(target_os = "linux")]
fn limit_files(process: u32, most: Option<u64>) {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    let maximum = getrlimit(Resource::Fsize).maximum;
    let pid = Pid::from_raw(process.cast_signed());
    let limit = Rlimit {
        current: most.or(maximum),
        maximum,
    };
    prlimit(pid, Resource::Fsize, limit).unwrap();
}

/// Asks until it is answered so.
#[cfg(target_os = "linux")]
fn health_becomes(address: SocketAddr, status: u16) {
    let end = Instant::now() + LONG;
    while get(address, "/healthz").0 != status {
        assert!(Instant::now() < end, "it never becomes {status}");
        pause(20);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn health_says_whether_webhooks_can_be_stored_and_the_turns_are_told_once() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--hold"]);
    let address = listening.address;
    assert_eq!(send(address, &[text("01A", 1, 1)]), Some(200));
    assert_eq!(get(address, "/healthz").0, 200);
    let journal = queue.with_file_name("queue.db-wal");
    let full = std::fs::metadata(&journal).unwrap().len();
    limit_files(listening.child.id(), Some(full));
    let mut large = text("01B", 2, 1);
    large["message"]["text"] = Value::from("long ".repeat(20_000));
    for _ in 0..3 {
        assert_eq!(send(address, &[large.clone()]), Some(503));
        assert_eq!(get(address, "/healthz").0, 503);
    }
    // Room for little is not health.
    limit_files(listening.child.id(), Some(full + 30_000));
    health_becomes(address, 503);
    assert_eq!(send(address, &[large.clone()]), Some(503));
    limit_files(listening.child.id(), None);
    health_becomes(address, 200);
    assert_eq!(send(address, &[large]), Some(200));
    let said = listening.errors.lock().unwrap().clone();
    assert_eq!(said.matches("cannot be written").count(), 1, "{said}");
    assert_eq!(said.matches("written again").count(), 1, "{said}");
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full_ends_with_a_whole_line() {
    let (folder, queue) = place();
    let path = folder.path().join("out.ndjson");
    let begin = "{\"before\": true}\n".repeat(100_000);
    std::fs::write(&path, &begin).unwrap();
    let output = std::fs::File::options().append(true).open(&path).unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_line-connector"))
        .args(["listen", "--address", "127.0.0.1:0", "--queue"])
        .arg(&queue)
        .env_clear()
        .envs(ENVIRONMENT)
        .stdout(output)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    limit_files(child.id(), Some(begin.len() as u64 + 1_000));
    let mut errors = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut errors, &mut line).unwrap();
    let document: Value = serde_json::from_str(&line).unwrap();
    let url = document["listening"].as_str().unwrap();
    let address: SocketAddr = url
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .parse()
        .unwrap();
    let sent: Vec<Value> = (0..5)
        .map(|user| text(&format!("E{user}"), user, 1))
        .collect();
    assert_eq!(send(address, &sent), Some(200));
    assert_eq!(child.wait().unwrap().code(), Some(74));
    let mut said = String::new();
    std::io::Read::read_to_string(&mut errors, &mut said).unwrap();
    assert!(said.contains("cannot be written"), "{said}");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.starts_with(&begin) && written.ends_with('\n'));
    let (_, waiting) = events("list", &queue, &["--state", "waiting"]);
    let lines = written.lines().count() - 100_000;
    assert_eq!(lines + waiting.len(), 5, "each is written or waits");
}

#[test]
fn events_that_no_header_can_name_are_delivered_like_others() {
    let (_folder, queue) = place();
    let platform = Platform::new(|_| (200, ""));
    let listening = Listening::start(&queue, &["--forward", &platform.url()]);
    let long = "L".repeat(5_000);
    let odd = ["a\nb", "a\r\nX-Evil: 1", "\u{7f}", "名", "a b", "\0", &long];
    let mut sent = Vec::new();
    for (user, id) in (0..).zip(odd) {
        sent.push(text(id, user, 1));
    }
    sent.extend((100..150).map(|user| text(&format!("E{user}"), user, 1)));
    assert_eq!(send(listening.address, &sent), Some(200));
    let body = webhook("U\r\nX-Evil: 1", &[text("strange", 1, 1)]);
    let signature = sign(SECRET, &body);
    assert_eq!(post(listening.address, &body, Some(&signature)), Some(200));
    platform.waits_for(sent.len() + 1);
    listening.waits_for("line_connector_events_waiting", 0);
    assert_eq!(listening.metric("line_connector_events_dead"), 0);
    let got = platform.got();
    assert!(got.iter().all(|got| got.attempt == 1), "none came again");
    let mut keys: Vec<&str> = got.iter().map(|got| got.key.as_str()).collect();
    let digests = keys.iter().filter(|key| key.starts_with("sha256-")).count();
    assert_eq!(digests, odd.len() + 1);
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), got.len(), "each has a key of its own");
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn a_url_that_cannot_be_used_is_refused_at_the_start() {
    let (_folder, queue) = place();
    for url in [
        "http://:@[bad",
        "http://user:password@127.0.0.1/",
        "http://",
        "https:///path",
        "ftp://127.0.0.1/",
        "http://127.0.0.1:port/",
        "http://127.0.0.1:/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1:99999/",
    ] {
        let ended = listen(&queue, &["--forward", url]);
        assert_eq!(ended.code, 2, "{url}");
        assert!(ended.stderr.contains("--forward"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("password"), "{}", ended.stderr);
    }
}

/// A platform that is away until it is told to come, and what it got.
#[derive(Default)]
struct Distant {
    there: AtomicBool,
    asked: AtomicUsize,
    got: Mutex<Vec<(String, i64)>>,
}

impl Transport for Distant {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if !self.there.load(Ordering::SeqCst) {
            return Err(Failure {
                kind: FailureKind::Connect,
                maybe_sent: false,
                message: "connection refused".to_owned(),
            });
        }
        let document: Value = serde_json::from_slice(&request.body).unwrap();
        let id = document["id"].as_str().unwrap().to_owned();
        let attempt = document["attempt"].as_i64().unwrap();
        self.got.lock().unwrap().push((id, attempt));
        Ok(Reply {
            status: 200,
            ..Reply::default()
        })
    }
}

/// A clock that is some hours wrong.
fn wrong(hours: &Arc<AtomicI64>) -> Clock {
    let hours = Arc::clone(hours);
    Arc::new(move || {
        let hours = hours.load(Ordering::SeqCst);
        let off = Duration::from_hours(hours.unsigned_abs());
        if hours < 0 {
            time() - off
        } else {
            time() + off
        }
    })
}

/// A receiver whose clock is wrong, before this platform.
fn before(platform: &Arc<Distant>, queue: &Path, clock: &Clock, max_in_flight: usize) -> Running {
    let target = Target {
        url: "http://platform.test/".to_owned(),
        signer: None,
        timeout: LONG,
        transport: Arc::clone(platform) as Arc<dyn Transport>,
    };
    let host = Host {
        clock: Arc::clone(clock),
        random: || 0,
        tell: |_| {},
    };
    let sink = Sink::Forward(target);
    Running::of(queue, Arc::clone(clock), &host, sink, max_in_flight)
}

impl Distant {
    fn was_asked(&self, times: usize) {
        let before = self.asked.load(Ordering::SeqCst);
        let end = Instant::now() + LONG;
        while self.asked.load(Ordering::SeqCst) < before + times {
            assert!(Instant::now() < end, "nobody asks");
            pause(5);
        }
    }
}

#[test]
fn a_clock_that_is_set_back_stops_nothing() {
    let (_folder, queue) = place();
    let hours = Arc::new(AtomicI64::new(0));
    let (platform, clock) = (Arc::new(Distant::default()), wrong(&hours));
    let running = before(&platform, &queue, &clock, 2);
    assert_eq!(send(running.address, &[text("01A", 1, 1)]), Some(200));
    platform.was_asked(2);
    hours.store(-10, Ordering::SeqCst);
    platform.there.store(true, Ordering::SeqCst);
    assert_eq!(send(running.address, &[text("01B", 2, 1)]), Some(200));
    running.waits_for("line_connector_events_waiting", "0");
    assert_eq!(running.receiver.stop(LONG), 0);
}

#[test]
fn what_was_queued_by_a_clock_that_was_ahead_is_delivered() {
    let (_folder, queue) = place();
    let hours = Arc::new(AtomicI64::new(100));
    let (platform, clock) = (Arc::new(Distant::default()), wrong(&hours));
    let running = before(&platform, &queue, &clock, 2);
    let sent = [text("01A", 1, 1), text("01B", 1, 2), text("01C", 2, 1)];
    assert_eq!(send(running.address, &sent), Some(200));
    platform.was_asked(1);
    assert_eq!(running.receiver.stop(LONG), 0);
    hours.store(0, Ordering::SeqCst);
    platform.there.store(true, Ordering::SeqCst);
    let running = before(&platform, &queue, &clock, 2);
    running.waits_for("line_connector_events_waiting", "0");
    assert_eq!(running.metric("line_connector_events_dead"), "0");
    assert_eq!(running.receiver.stop(LONG), 0);
}

#[test]
fn a_clock_that_jumps_ahead_buries_nothing_while_it_runs_and_at_its_start() {
    let (_folder, queue) = place();
    let hours = Arc::new(AtomicI64::new(0));
    let (platform, clock) = (Arc::new(Distant::default()), wrong(&hours));
    let running = before(&platform, &queue, &clock, 2);
    let sent: Vec<Value> = (0..5)
        .map(|user| text(&format!("E{user}"), user, 1))
        .collect();
    assert_eq!(send(running.address, &sent), Some(200));
    platform.was_asked(1);
    hours.store(25, Ordering::SeqCst);
    platform.was_asked(2);
    assert_eq!(running.metric("line_connector_events_dead"), "0");
    assert_eq!(running.receiver.stop(LONG), 0);
    let running = before(&platform, &queue, &clock, 2);
    platform.was_asked(2);
    assert_eq!(running.metric("line_connector_events_dead"), "0");
    platform.there.store(true, Ordering::SeqCst);
    running.waits_for("line_connector_events_waiting", "0");
    assert_eq!(platform.got.lock().unwrap().len(), 5);
    assert_eq!(running.receiver.stop(LONG), 0);
}

#[test]
fn a_start_with_a_clock_far_ahead_forgets_no_id() {
    let (_folder, queue) = place();
    let hours = Arc::new(AtomicI64::new(0));
    let (platform, clock) = (Arc::new(Distant::default()), wrong(&hours));
    platform.there.store(true, Ordering::SeqCst);
    let sent = [text("01A", 1, 1), text("01B", 2, 1), text("01C", 3, 1)];
    for ahead in [0, 24 * 365, 48 * 365, 0] {
        hours.store(ahead, Ordering::SeqCst);
        let running = before(&platform, &queue, &clock, 2);
        if ahead > 0 {
            // Old ids are looked for each second.
            pause(2_500);
        }
        assert_eq!(send(running.address, &sent), Some(200));
        running.waits_for("line_connector_events_waiting", "0");
        assert_eq!(running.receiver.stop(LONG), 0);
    }
    assert_eq!(platform.got.lock().unwrap().len(), 3);
}

#[test]
fn a_queue_that_is_damaged_is_told_at_the_start_and_stays_as_it_is() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--hold"]);
    let sent: Vec<Value> = (0..50)
        .map(|user| text(&format!("E{user}"), user, 1))
        .collect();
    assert_eq!(send(listening.address, &sent), Some(200));
    assert_eq!(listening.terminate().0, 0);
    let whole = std::fs::read(&queue).unwrap();
    let mut damaged = Vec::new();
    damaged.push(b"not a database, but a text that is long enough to be one".repeat(200));
    damaged.push(whole[..5_000].to_vec());
    damaged.push([vec![0; 4_096], whole[4_096..].to_vec()].concat());
    damaged.push(
        [
            whole[..100].to_vec(),
            vec![0xff; 3_996],
            whole[4_096..].to_vec(),
        ]
        .concat(),
    );
    for (index, content) in damaged.iter().enumerate() {
        std::fs::write(&queue, content).unwrap();
        let ended = listen(&queue, &["--hold"]);
        assert_eq!(ended.code, 2, "{index}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("queue.db"),
            "{index}: {}",
            ended.stderr
        );
        assert_eq!(&std::fs::read(&queue).unwrap(), content, "{index}");
        assert_eq!(events("list", &queue, &[]).0, 2, "{index}");
    }
}

#[test]
fn a_clock_before_1970_or_in_a_far_year_is_no_panic() {
    for years in [-80, 250] {
        let (_folder, queue) = place();
        let hours = Arc::new(AtomicI64::new(years * 24 * 365));
        assert!(years > 0 || wrong(&hours)() < SystemTime::UNIX_EPOCH);
        let (platform, clock) = (Arc::new(Distant::default()), wrong(&hours));
        platform.there.store(true, Ordering::SeqCst);
        let running = before(&platform, &queue, &clock, 2);
        assert_eq!(send(running.address, &[text("01A", 1, 1)]), Some(200));
        running.waits_for("line_connector_events_waiting", "0");
        // The system's own clock is in no answer either.
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut stream = TcpStream::connect(running.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(&mut stream, &mut said).unwrap();
        assert!(!said.to_lowercase().contains("\r\ndate:"), "{said}");
        assert_eq!(running.receiver.stop(LONG), 0, "panics");
    }
}

#[test]
fn what_is_older_than_ids_are_remembered_is_marked() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--remember-days", "3"]);
    let now = time().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let days = |days: u64| {
        let then = now.saturating_sub(Duration::from_hours(24 * days));
        u64::try_from(then.as_millis()).unwrap()
    };
    for (id, age, stale) in [
        ("new", 0, None),
        ("recent", 2, None),
        ("old", 4, Some(true)),
    ] {
        assert_eq!(
            send(listening.address, &[text(id, 1, days(age))]),
            Some(200)
        );
        let line = listening.line();
        assert_eq!((&line["id"], line["stale"].as_bool()), (&json!(id), stale));
    }
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn a_lost_journal_is_told() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--hold"]);
    assert_eq!(send(listening.address, &[text("01A", 1, 1)]), Some(200));
    listening.kill();
    // Whole, it is nothing to talk about, also where somebody else looked in between.
    assert_eq!(events("list", &queue, &["--state", "waiting"]).1.len(), 1);
    assert_eq!(events("drop", &queue, &["--all"]).0, 0);
    let listening = Listening::start(&queue, &["--hold"]);
    assert!(!listening.errors.lock().unwrap().contains("journal"));
    assert_eq!(send(listening.address, &[text("01B", 1, 2)]), Some(200));
    listening.kill();
    for ending in ["-wal", "-shm"] {
        std::fs::remove_file(queue.with_file_name(format!("queue.db{ending}"))).unwrap();
    }
    let listening = Listening::start(&queue, &["--hold"]);
    let said = listening.errors.lock().unwrap().clone();
    assert!(said.contains("journal") && said.contains("lost"), "{said}");
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn an_event_whose_row_is_damaged_keeps_no_other_back() {
    for damage in [
        "body = x'ff00', chat = x'ff', channel = 7, id = x'ff'",
        "body = CAST(x'ff' AS TEXT), chat = CAST(x'fe' AS TEXT), channel = CAST(x'fd' AS TEXT)",
        "body = '{', time = 'soon', due = 'never', attempts = 9223372036854775807",
        "body = '[1', accepted = -9223372036854775808, due = -9223372036854775808, failures = 9223372036854775807",
        "body = '', attempts = x'01', failures = 1.5, accepted = 'x', reason = x'ff'",
    ] {
        let (_folder, queue) = place();
        let listening = Listening::start(&queue, &["--hold"]);
        let sent = [text("01A", 1, 1), text("01B", 2, 2), text("01C", 3, 3)];
        assert_eq!(send(listening.address, &sent), Some(200));
        assert_eq!(listening.terminate(), (0, Vec::new()));
        let disk = rusqlite::Connection::open(&queue).unwrap();
        let change = format!("UPDATE event SET {damage} WHERE id = '01B'");
        assert_eq!(disk.execute(&change, []).unwrap(), 1);
        drop(disk);
        assert_eq!(
            events("list", &queue, &["--with-event", "--state", "waiting"])
                .1
                .len(),
            3,
            "{damage}"
        );
        let listening = Listening::start(&queue, &[]);
        assert_eq!(listening.ids(2), ["01A", "01C"], "{damage}");
        assert_eq!(send(listening.address, &[text("01D", 2, 4)]), Some(200));
        assert_eq!(listening.ids(1), ["01D"], "{damage}");
        listening.waits_for("line_connector_events_dead", 1);
        assert_eq!(listening.terminate().0, 0);
        let (_, dead) = events("list", &queue, &["--state", "dead"]);
        assert!(
            dead[0]["reason"].as_str().unwrap().contains("damaged"),
            "{dead:?}"
        );
        assert_eq!(events("replay", &queue, &["--all"]).0, 0);
        assert_eq!(events("list", &queue, &["--state", "waiting"]).1.len(), 1);
    }
}

#[test]
fn an_empty_file_is_no_queue_and_stays_empty() {
    let (_folder, queue) = place();
    std::fs::write(&queue, "").unwrap();
    #[cfg(unix)]
    set_mode(&queue, 0o600);
    for arguments in [&["list"][..], &["replay", "--all"], &["drop", "--all"]] {
        assert_eq!(events(arguments[0], &queue, &arguments[1..]).0, 2);
        assert_eq!(std::fs::read(&queue).unwrap(), b"");
        let beside = std::fs::read_dir(queue.parent().unwrap()).unwrap();
        assert_eq!(beside.count(), 1, "nothing was made beside it");
    }
}

#[test]
fn a_secret_of_blanks_is_refused_and_an_unusual_one_is_named() {
    let (_folder, queue) = place();
    let file = queue.to_str().unwrap();
    for secret in [
        " ",
        "\n",
        "0123456789abcdef0123456789abcdef\n",
        "\t\t",
        "a b",
    ] {
        let environment = [("LINE_CLIENT_ID", "1"), ("LINE_CLIENT_SECRET", secret)];
        let arguments = ["listen", "--address", "127.0.0.1:0", "--queue", file];
        let ended = world::run(&arguments, b"", &environment);
        assert_eq!(ended.code, 2, "{secret:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("client_secret"), "{}", ended.stderr);
        let body = webhook(BOT, &[]);
        let headers = json!({"x-line-signature": sign(secret, &body)});
        let request = json!({"asset": {"client_secret": secret}, "request": {"headers": headers, "body": body}});
        let ended = world::run(&["webhook"], request.to_string().as_bytes(), &[]);
        assert_eq!(ended.code, 2, "{secret:?}: {}", ended.stdout);
        let output: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(output["error"]["kind"], "invalid_asset");
    }
    let listening = Listening::start(&queue, &["--hold"]);
    let errors = Arc::clone(&listening.errors);
    assert_eq!(listening.terminate(), (0, Vec::new()));
    let said = errors.lock().unwrap().clone();
    assert!(said.contains("32 hexadecimal digits") && !said.contains(SECRET));
    let usual = [
        ("LINE_CLIENT_ID", "1"),
        ("LINE_CLIENT_SECRET", "0123456789abcdef0123456789ABCDEF"),
    ];
    let listening = Listening::with(&queue, &["--hold"], &usual);
    let errors = Arc::clone(&listening.errors);
    assert_eq!(listening.terminate(), (0, Vec::new()));
    let said = errors.lock().unwrap().clone();
    assert!(!said.contains("hexadecimal"), "{said}");
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_queue_that_others_can_use_or_have_named_is_refused() {
    let (folder, queue) = place();
    let refused = |queue: &Path, why: &str| {
        let ended = listen(queue, &["--hold"]);
        assert_eq!(ended.code, 2, "{why}");
        assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
        let file = queue.to_str().unwrap();
        let ended = world::run(&["events", "list", "--queue", file], b"", &[]);
        assert_eq!(ended.code, 2, "{why}");
        assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
    };
    let beside = |ending: &str| queue.with_file_name(format!("queue.db{ending}"));
    // A queue with its journal, as a kill leaves it.
    let listening = Listening::start(&queue, &["--hold"]);
    assert_eq!(send(listening.address, &[text("01A", 1, 1)]), Some(200));
    listening.kill();
    for file in [queue.clone(), beside("-wal"), beside("-shm")] {
        for mode in [0o644, 0o660, 0o602] {
            set_mode(&file, mode);
            refused(&queue, "can be used by others");
        }
        set_mode(&file, 0o600);
        let second = folder.path().join("second");
        std::fs::hard_link(&file, &second).unwrap();
        refused(&queue, "hard link");
        std::fs::remove_file(&second).unwrap();
        let away = folder.path().join("away");
        std::fs::rename(&file, &away).unwrap();
        std::os::unix::fs::symlink(&away, &file).unwrap();
        refused(&queue, "link does not count");
        std::fs::remove_file(&file).unwrap();
        std::fs::rename(&away, &file).unwrap();
    }
    // A link to nowhere makes no file there.
    let (nowhere, link) = (folder.path().join("nowhere"), folder.path().join("link"));
    std::os::unix::fs::symlink(&nowhere, &link).unwrap();
    refused(&link, "link does not count");
    assert!(!nowhere.exists());
    // Only who is root can give a file away.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&queue, Some(65_534), Some(65_534)).unwrap();
        refused(&queue, "belongs to another user");
        std::os::unix::fs::chown(&queue, Some(0), Some(0)).unwrap();
    }
    let listening = Listening::start(&queue, &[]);
    assert_eq!(listening.ids(1), ["01A"]);
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[cfg(target_os = "linux")]
#[test]
fn no_other_name_of_a_queue_lets_a_second_receiver_in() {
    let (folder, queue) = place();
    let listening = Listening::start(&queue, &["--ack"]);
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let outer = tempfile::tempdir().unwrap();
    let linked = outer.path().join("linked");
    std::os::unix::fs::symlink(folder.path(), &linked).unwrap();
    // Whatever stands beside it that somebody could take for a lock.
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("lock") {
            std::fs::remove_file(path).unwrap();
        }
    }
    for name in [
        queue.clone(),
        inner.join("../queue.db"),
        linked.join("queue.db"),
    ] {
        let ended = listen(&name, &["--hold"]);
        assert_eq!(ended.code, 2);
        let said = ended.stderr;
        assert!(
            said.contains("another receiver"),
            "{}: {said}",
            name.display()
        );
    }
    assert_eq!(send(listening.address, &[text("01A", 1, 1)]), Some(200));
    assert_eq!(listening.ids(1), ["01A"]);
    assert_eq!(listening.terminate().0, 0);
}

#[test]
fn one_commit_serves_the_turns_of_many_events() {
    const EVENTS: u32 = 400;
    let (_folder, queue) = place();
    let hours = Arc::new(AtomicI64::new(0));
    let (platform, clock) = (Arc::new(Distant::default()), wrong(&hours));
    platform.there.store(true, Ordering::SeqCst);
    let host = Host {
        clock: Arc::clone(&clock),
        random: || 0,
        tell: |_| {},
    };
    let filling = Running::of(&queue, Arc::clone(&clock), &host, Sink::Hold, 4);
    let sent: Vec<Value> = (0..EVENTS)
        .map(|user| text(&format!("E{user}"), user, 1))
        .collect();
    assert_eq!(send(filling.address, &sent), Some(200));
    assert_eq!(filling.receiver.stop(LONG), 0);
    let running = before(&platform, &queue, &clock, 4);
    running.waits_for("line_connector_events_waiting", "0");
    let commits: u32 = running
        .metric("line_connector_commits_total")
        .parse()
        .unwrap();
    assert!(commits < EVENTS / 4, "{commits} commits");
    let mut got = platform.got.lock().unwrap().clone();
    got.sort_unstable();
    got.dedup();
    assert_eq!(got.len(), EVENTS as usize);
    assert!(got.iter().all(|(_, attempt)| *attempt == 1));
    assert_eq!(running.receiver.stop(LONG), 0);
}

#[test]
fn what_waits_for_its_turn_when_the_platform_goes_is_not_tried() {
    let (_folder, queue) = place();
    let hours = Arc::new(AtomicI64::new(0));
    let (platform, clock) = (Arc::new(Distant::default()), wrong(&hours));
    let running = before(&platform, &queue, &clock, 1);
    let sent: Vec<Value> = (0..4)
        .map(|user| text(&format!("E{user}"), user, 1))
        .collect();
    assert_eq!(send(running.address, &sent), Some(200));
    platform.was_asked(1);
    assert_eq!(running.receiver.stop(LONG), 0);
    let listed = Running::listed(&queue, EventState::Waiting);
    let attempts: i64 = listed.iter().map(|one| one.event.attempt).sum();
    let asked = i64::try_from(platform.asked.load(Ordering::SeqCst)).unwrap();
    assert_eq!(
        (listed.len(), attempts),
        (4, asked),
        "attempts that were none are not counted"
    );
}

#[test]
fn connections_that_hold_bodies_make_room_for_others() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--hold", "--max-connections", "20"]);
    let address = listening.address;
    let signature = sign(OTHER_SECRET, "another body");
    let mut connections: Vec<TcpStream> = Vec::new();
    for number in 0..3 {
        connections.extend((0..25).map(|_| held(address, &signature, 100)));
        let id = format!("E{number}");
        assert_eq!(send(address, &[text(&id, 1, 1)]), Some(200));
    }
    for mut stream in connections {
        let _ = stream.shutdown(Shutdown::Write);
        // Closed to make room, or told that the rest did not come.
        let _ = answer(&mut stream);
    }
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

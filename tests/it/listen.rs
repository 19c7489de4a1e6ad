//! `listen` and `events`, the real binary on loopback: LINE's side is a client that signs, the
//! platform's side is a listener of our own, a pipe, or nobody at all.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use line_connector_core::encoding::base64;
use line_connector_receiver::queue::{EventState, Queue};
use ring::hmac;
use serde_json::{Value, json};

use crate::world;

pub(crate) const SECRET: &str = "the-secret-of-the-first-channel";
pub(crate) const OTHER_SECRET: &str = "the-secret-of-the-second-channel";
pub(crate) const BOT: &str = "Uaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const OTHER_BOT: &str = "Ubbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
/// More than any step takes, even on a busy machine.
pub(crate) const LONG: Duration = Duration::from_mins(1);
/// LINE takes no answer after this.
const DEADLINE: Duration = Duration::from_secs(2);

/// A running `listen`.
pub(crate) struct Listening {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    pub(crate) errors: Arc<Mutex<String>>,
}

/// The address of a URL.
fn address_of(url: &str) -> SocketAddr {
    let host = url.strip_prefix("http://").unwrap();
    host.split('/').next().unwrap().parse().unwrap()
}

impl Listening {
    /// One channel, its secret from the environment, and the queue in this file.
    pub(crate) fn start(queue: &Path, arguments: &[&str]) -> Self {
        let environment = [
            ("LINE_CLIENT_ID", "1234567890"),
            ("LINE_CLIENT_SECRET", SECRET),
        ];
        Self::with(queue, arguments, &environment)
    }

    pub(crate) fn with(queue: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let queue = queue.to_str().unwrap();
        let listen = ["listen", "--address", "127.0.0.1:0", "--queue", queue];
        let mut child = world::start(&[&listen, arguments].concat(), environment);
        let input = child.stdin.take();
        let (found, ready) = mpsc::channel();
        let errors = Arc::new(Mutex::new(String::new()));
        let said = Arc::clone(&errors);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = found.send(line.clone());
                let _ = writeln!(said.lock().unwrap(), "{line}");
            }
        });
        let (line, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for text in stdout.lines().map_while(Result::ok) {
                let _ = line.send(text);
            }
        });
        let (address, admin) = loop {
            let line = ready.recv_timeout(LONG);
            let line = line.unwrap_or_else(|_| panic!("no address: {}", errors.lock().unwrap()));
            let document: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(url) = document["listening"].as_str() {
                break (address_of(url), document["admin"].as_str().map(address_of));
            }
        };
        Self {
            child,
            address,
            admin,
            input,
            lines,
            errors,
        }
    }

    /// What the platform reads next.
    pub(crate) fn line(&self) -> Value {
        let line = self.lines.recv_timeout(LONG).expect("a line");
        serde_json::from_str(&line).unwrap()
    }

    /// The ids on the next lines.
    pub(crate) fn ids(&self, count: usize) -> Vec<String> {
        let ids = (0..count).map(|_| self.line()["id"].as_str().unwrap().to_owned());
        ids.collect()
    }

    /// What it counts under this name.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = get(self.address, "/metrics").1;
        let line = text.lines().find(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(' '))
        });
        let line = line.unwrap_or_else(|| panic!("{name} in {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    pub(crate) fn waits_for(&self, name: &str, value: u64) {
        let end = Instant::now() + LONG;
        while self.metric(name) != value {
            assert!(Instant::now() < end, "{name} is {}", self.metric(name));
            pause(20);
        }
    }

    /// Asks it to end and waits until it has: the exit code, and the lines that nobody read yet.
    pub(crate) fn terminate(mut self) -> (i32, Vec<String>) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
        self.end()
    }

    fn end(&mut self) -> (i32, Vec<String>) {
        let code = self.child.wait().unwrap().code();
        let code = code.expect("no signal ends it");
        (code, self.lines.iter().collect())
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Listening {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        let _already_over = self.child.kill();
        let _already_over = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
pub(crate) fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// A folder with room for a queue.
pub(crate) fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let queue = folder.path().join("queue.db");
    (folder, queue)
}

pub(crate) fn sign(secret: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    base64(hmac::sign(&key, body.as_bytes()).as_ref())
}

/// A user's text message as LINE sends it.
pub(crate) fn text(id: &str, user: u32, time: u64) -> Value {
    json!({
        "type": "message", "mode": "active", "timestamp": time, "webhookEventId": id,
        "deliveryContext": {"isRedelivery": false}, "replyToken": "0f3779fba3b349968c5d07db31eab56f",
        "source": {"type": "user", "userId": format!("U{user:032x}")},
        "message": {"type": "text", "id": "444573844083572737", "quoteToken": "q3Plxr4AgKd", "text": "hi"},
    })
}

pub(crate) fn webhook(destination: &str, events: &[Value]) -> String {
    json!({"destination": destination, "events": events}).to_string()
}

/// Posts a body as it is; the status, or `None` where no answer came.
pub(crate) fn post(address: SocketAddr, body: &str, signature: Option<&str>) -> Option<u16> {
    let mut head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    if let Some(signature) = signature {
        let _ = write!(head, "X-Line-Signature: {signature}\r\n");
    }
    exchange(address, format!("{head}\r\n{body}").as_bytes()).map(|(status, _)| status)
}

/// What LINE does: signs, posts, and looks at the status.
pub(crate) fn send(address: SocketAddr, events: &[Value]) -> Option<u16> {
    let body = webhook(BOT, events);
    post(address, &body, Some(&sign(SECRET, &body)))
}

pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    exchange(address, request.as_bytes()).expect("an answer")
}

/// One request on a connection of its own, and its answer, if one came.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(LONG)).unwrap();
    // Whoever refuses a body need not read it.
    let _ = stream.write_all(request);
    answer(&mut stream)
}

pub(crate) fn answer(stream: &mut TcpStream) -> Option<(u16, String)> {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    let status = text.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    Some((status, body.unwrap_or_default()))
}

/// `events …` on a queue: its exit code and the lines it prints.
pub(crate) fn events(command: &str, queue: &Path, arguments: &[&str]) -> (i32, Vec<Value>) {
    let queue = queue.to_str().unwrap();
    let arguments = [&["events", command, "--queue", queue], arguments].concat();
    let ended = world::run(&arguments, b"", &[]);
    let lines = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (ended.code, lines.collect())
}

#[test]
fn a_signed_webhook_becomes_a_line() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &[]);
    let sent = text("01A", 7, 1_700_000_000_123);
    assert_eq!(
        send(listening.address, std::slice::from_ref(&sent)),
        Some(200)
    );
    let line = listening.line();
    assert_eq!(line["id"], "01A");
    assert_eq!(line["destination"], BOT);
    assert_eq!(line["attempt"], 1);
    assert_eq!(line["event"]["type"], "message.text");
    assert_eq!(line["event"]["raw"], sent);
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn what_comes_again_is_dropped_also_after_a_restart() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &[]);
    let (a, b) = (text("01A", 1, 1), text("01B", 1, 2));
    assert_eq!(send(listening.address, &[a.clone(), b.clone()]), Some(200));
    assert_eq!(listening.ids(2), ["01A", "01B"]);
    let mut again = a.clone();
    again["deliveryContext"]["isRedelivery"] = json!(true);
    assert_eq!(send(listening.address, &[again.clone()]), Some(200));
    assert_eq!(
        listening.metric("line_connector_events_total{result=\"duplicate\"}"),
        1
    );
    listening.waits_for("line_connector_events_waiting", 0);
    listening.kill();
    let listening = Listening::start(&queue, &[]);
    assert_eq!(send(listening.address, &[again, b]), Some(200));
    assert_eq!(send(listening.address, &[text("01C", 1, 3)]), Some(200));
    assert_eq!(listening.ids(1), ["01C"]);
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn only_what_line_signed_is_taken() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &[]);
    let body = webhook(BOT, &[text("01A", 1, 1)]);
    let good = sign(SECRET, &body);
    let address = listening.address;
    for signature in [
        None,
        Some(""),
        Some("x"),
        Some(good.to_lowercase().as_str()),
        Some(sign(OTHER_SECRET, &body).as_str()),
        Some(sign(SECRET, &format!("{body} ")).as_str()),
    ] {
        assert_eq!(post(address, &body, signature), Some(401), "{signature:?}");
    }
    let garbage = "{\"events\": 1";
    assert_eq!(
        post(address, garbage, Some(&sign(SECRET, garbage))),
        Some(400)
    );
    // LINE asks whether anybody is there; there is nothing in it, whoever sent it.
    let probe = webhook(BOT, &[]);
    assert_eq!(
        post(address, &probe, Some(&sign(SECRET, &probe))),
        Some(200)
    );
    assert_eq!(post(address, &probe, None), Some(200));
    assert_eq!(
        post(address, &probe, Some(&sign(OTHER_SECRET, &probe))),
        Some(401)
    );
    assert_eq!(post(address, &body, Some(&good)), Some(200));
    assert_eq!(listening.ids(1), ["01A"]);
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

/// What the platform got with one POST.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) id: String,
    chat: String,
    pub(crate) attempt: i64,
    pub(crate) key: String,
    signature: String,
    at: Instant,
}

/// What the platform answers: a status, and headers of its own.
type Decide = dyn Fn(&Got) -> (u16, &'static str) + Send + Sync;

/// The platform: a listener that answers as it is told and notes what it got.
pub(crate) struct Platform {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Platform {
    pub(crate) fn new(
        decide: impl Fn(&Got) -> (u16, &'static str) + Send + Sync + 'static,
    ) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), decide)
    }

    pub(crate) fn on(
        listener: TcpListener,
        decide: impl Fn(&Got) -> (u16, &'static str) + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let (decide, noted): (Arc<Decide>, _) = (Arc::new(decide), Arc::clone(&got));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (decide, noted) = (Arc::clone(&decide), Arc::clone(&noted));
                std::thread::spawn(move || converse(stream, &*decide, &noted));
            }
        });
        Self { address, got }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/events", self.address)
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.got().into_iter().map(|got| got.id).collect()
    }

    /// Waits until it got this many POSTs.
    pub(crate) fn waits_for(&self, count: usize) {
        let end = Instant::now() + LONG;
        while self.got.lock().unwrap().len() < count {
            assert!(Instant::now() < end, "the platform got {:?}", self.ids());
            pause(5);
        }
    }
}

/// Serves the POSTs of one connection until it ends.
fn converse(stream: TcpStream, decide: &Decide, noted: &Mutex<Vec<Got>>) -> Option<()> {
    stream.set_nodelay(true).unwrap();
    let mut answers = stream.try_clone().ok()?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.trim().split_once(": ") {
                headers.insert(name.to_lowercase(), value.to_owned());
            }
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        stream.read_exact(&mut body).ok()?;
        let document: Value = serde_json::from_slice(&body).unwrap();
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        let (id, stamp) = (header("webhook-id"), header("webhook-timestamp"));
        let key = hmac::Key::new(hmac::HMAC_SHA256, FORWARD_SECRET.as_bytes());
        let signed = [format!("{id}.{stamp}.").as_bytes(), &body].concat();
        let expected = format!("v1,{}", base64(hmac::sign(&key, &signed).as_ref()));
        assert!(["", &expected].contains(&header("webhook-signature").as_str()));
        let got = Got {
            id: document["id"].as_str().unwrap().to_owned(),
            chat: document["chat"].as_str().unwrap().to_owned(),
            attempt: document["attempt"].as_i64().unwrap(),
            key: header("idempotency-key"),
            signature: header("webhook-signature"),
            at: Instant::now(),
        };
        noted.lock().unwrap().push(got.clone());
        let (status, extra) = decide(&got);
        let head = format!("HTTP/1.1 {status} Told\r\nContent-Length: 0\r\n{extra}\r\n");
        answers.write_all(head.as_bytes()).ok()?;
    }
}

const FORWARD_SECRET: &str = "shared-with-the-platform";

#[test]
fn events_are_posted_signed_and_in_the_order_of_their_timestamps() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--hold"]);
    for (id, time) in [("01C", 30), ("01A", 10), ("01B", 20)] {
        assert_eq!(send(listening.address, &[text(id, 1, time)]), Some(200));
    }
    assert_eq!(listening.terminate(), (0, Vec::new()));
    let platform = Platform::new(|_| (204, ""));
    let url = platform.url();
    let environment = [
        ("LINE_CLIENT_ID", "1234567890"),
        ("LINE_CLIENT_SECRET", SECRET),
        ("LINE_FORWARD_SECRET", FORWARD_SECRET),
    ];
    let listening = Listening::with(&queue, &["--forward", &url], &environment);
    listening.waits_for("line_connector_events_waiting", 0);
    assert_eq!(platform.ids(), ["01A", "01B", "01C"]);
    for got in platform.got() {
        assert_eq!(got.key, format!("{BOT}-{}", got.id));
        assert_eq!(got.attempt, 1);
        assert!(got.signature.starts_with("v1,"), "{got:?}");
    }
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

/// A small generator with a seed, so that a failure can be told apart from the next one.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// One event of the long story, as LINE knows it.
struct Told {
    chat: u32,
    time: u64,
    /// When it was first sent, and when it was first answered 200.
    sent: Option<Instant>,
    safe: Option<Instant>,
}

/// LINE's side of the long story: what is still to be sent, and what was promised.
struct Line {
    known: Mutex<BTreeMap<String, Told>>,
    todo: Mutex<VecDeque<Vec<String>>>,
    address: Mutex<Option<SocketAddr>>,
    over: AtomicBool,
    unanswered: AtomicU64,
}

impl Line {
    /// Sends what there is to send, again and again until it is answered 200.
    fn work(&self) {
        while !self.over.load(Ordering::SeqCst) {
            let address = *self.address.lock().unwrap();
            let Some(address) = address else {
                pause(1);
                continue;
            };
            let Some(ids) = self.todo.lock().unwrap().pop_front() else {
                pause(1);
                continue;
            };
            let events: Vec<Value> = {
                let mut known = self.known.lock().unwrap();
                let each = ids.iter().map(|id| {
                    let told = known.get_mut(id).unwrap();
                    told.sent.get_or_insert_with(Instant::now);
                    text(id, told.chat, told.time)
                });
                each.collect()
            };
            if send(address, &events) == Some(200) {
                let now = Instant::now();
                let mut known = self.known.lock().unwrap();
                for id in &ids {
                    known.get_mut(id).unwrap().safe.get_or_insert(now);
                }
            } else {
                self.unanswered.fetch_add(1, Ordering::SeqCst);
                self.todo.lock().unwrap().push_back(ids);
            }
        }
    }

    fn safe(&self) -> BTreeSet<String> {
        let known = self.known.lock().unwrap();
        let safe = known.iter().filter(|(_, told)| told.safe.is_some());
        safe.map(|(id, _)| id.clone()).collect()
    }
}

const EVENTS: usize = 2_000;
const ROUNDS: usize = 10;
const CHATS: usize = 40;

/// Webhooks of one to three events each, a fifth of them twice, none where it belongs.
fn story(dice: &mut Dice) -> (BTreeMap<String, Told>, Vec<Vec<String>>) {
    let mut known = BTreeMap::new();
    let mut webhooks = Vec::new();
    let mut ids: Vec<String> = (0..EVENTS).map(|number| format!("E{number:05}")).collect();
    for (time, id) in ids.iter().enumerate() {
        let told = Told {
            chat: u32::try_from(dice.below(CHATS)).unwrap(),
            time: 1_700_000_000_000 + time as u64,
            sent: None,
            safe: None,
        };
        known.insert(id.clone(), told);
    }
    // Out of order by up to a hundred places.
    for at in 0..EVENTS {
        ids.swap(at, (at + dice.below(100)).min(EVENTS - 1));
    }
    let mut rest = ids.as_slice();
    while !rest.is_empty() {
        let (some, others) = rest.split_at((1 + dice.below(3)).min(rest.len()));
        webhooks.push(some.to_vec());
        if dice.below(5) == 0 {
            let before = dice.below(webhooks.len());
            webhooks.push(webhooks[before].clone());
        }
        rest = others;
    }
    (known, webhooks)
}

/// After a kill: nothing that was answered 200 is lost, and what the file no longer holds as waiting
/// is what the platform acknowledged for good: it gives back those ids.
fn settled(queue: &Path, safe: &BTreeSet<String>, platform: &Platform) -> BTreeSet<String> {
    let waiting = Queue::open(queue)
        .unwrap()
        .list(EventState::Waiting, 0, 10_000)
        .unwrap();
    let waiting: BTreeSet<String> = waiting.into_iter().map(|one| one.event.id).collect();
    let delivered: BTreeSet<String> = platform.ids().into_iter().collect();
    let lost: Vec<&String> = safe
        .iter()
        .filter(|id| !waiting.contains(*id) && !delivered.contains(*id))
        .collect();
    assert!(lost.is_empty(), "answered 200 and lost: {lost:?}");
    delivered.difference(&waiting).cloned().collect()
}

/// The platform, which drops what it has already, sees each chat in the order of LINE's timestamps,
/// as far as the receiver can know it: the earlier event was safe before the later one was sent.
fn in_order(line: &Line, platform: &Platform) {
    let known = line.known.lock().unwrap();
    let mut seen = BTreeSet::new();
    let mut chats: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for got in platform.got() {
        if seen.insert(got.id.clone()) {
            chats.entry(got.chat).or_default().push(got.id);
        } else {
            assert!(got.attempt > 1, "{} came again as if it were new", got.id);
        }
    }
    assert_eq!(seen.len(), EVENTS);
    for ids in chats.values() {
        for (at, later) in ids.iter().enumerate() {
            for earlier in &ids[at + 1..] {
                let (first, second) = (&known[earlier], &known[later]);
                let wrong = first.time < second.time && first.safe < second.sent;
                assert!(!wrong, "{later} was handed out before {earlier}");
            }
        }
    }
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_repeats_nothing_acknowledged() {
    let (_folder, queue) = place();
    let mut dice = Dice(0x5eed_0001);
    let (known, webhooks) = story(&mut dice);
    let platform = Platform::new(|_| (200, ""));
    let (url, share) = (platform.url(), webhooks.len().div_ceil(ROUNDS));
    let line = Arc::new(Line {
        known: Mutex::new(known),
        todo: Mutex::default(),
        address: Mutex::default(),
        over: AtomicBool::new(false),
        unanswered: AtomicU64::new(0),
    });
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let line = Arc::clone(&line);
            std::thread::spawn(move || line.work())
        })
        .collect();
    let mut kills = Vec::new();
    for batch in webhooks.chunks(share) {
        let before = platform.got().len();
        line.todo.lock().unwrap().extend(batch.iter().cloned());
        let listening = Listening::start(&queue, &["--forward", &url]);
        *line.address.lock().unwrap() = Some(listening.address);
        // At a random moment while both sides are busy.
        platform.waits_for(before + 1 + dice.below(share));
        pause(dice.below(20) as u64);
        *line.address.lock().unwrap() = None;
        listening.kill();
        // Answers that were on their way when it died have arrived, or never will.
        pause(20);
        kills.push((
            platform.got().len(),
            settled(&queue, &line.safe(), &platform),
        ));
    }
    let listening = Listening::start(&queue, &["--forward", &url]);
    *line.address.lock().unwrap() = Some(listening.address);
    let end = Instant::now() + LONG;
    while line.safe().len() < EVENTS || !line.todo.lock().unwrap().is_empty() {
        assert!(
            Instant::now() < end,
            "{} events are safe",
            line.safe().len()
        );
        pause(10);
    }
    line.over.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.join().unwrap();
    }
    listening.waits_for("line_connector_events_waiting", 0);
    assert_eq!(listening.terminate(), (0, Vec::new()));
    assert!(
        line.unanswered.load(Ordering::SeqCst) > 0,
        "no kill met a request"
    );
    for (count, gone) in kills {
        for got in &platform.got()[count..] {
            assert!(!gone.contains(&got.id), "{got:?} had been acknowledged");
        }
    }
    in_order(&line, &platform);
}

#[test]
fn a_failing_platform_delays_its_own_events_only() {
    let (_folder, queue) = place();
    let platform = Platform::new(|got| match (got.id.as_str(), got.attempt) {
        ("slow", _) => {
            pause(1_500);
            (200, "")
        }
        ("twice", 1 | 2) => (500, "Retry-After: 0\r\n"),
        ("wait", 1) => (500, "Retry-After: 1\r\n"),
        _ => (200, ""),
    });
    let listening = Listening::start(&queue, &["--forward", &platform.url()]);
    for (user, id) in ["slow", "twice", "wait", "fine"].into_iter().enumerate() {
        let user = u32::try_from(user).unwrap();
        let follower = format!("{id}-next");
        let started = Instant::now();
        let both = [text(id, user, 1), text(&follower, user, 2)];
        assert_eq!(send(listening.address, &both), Some(200));
        assert!(started.elapsed() < DEADLINE, "LINE waited for the platform");
    }
    listening.waits_for("line_connector_events_waiting", 0);
    let got = platform.got();
    let of = |id: &str| -> Vec<&Got> { got.iter().filter(|got| got.id == id).collect() };
    assert_eq!(
        (of("slow").len(), of("twice").len(), of("wait").len()),
        (1, 3, 2)
    );
    for id in ["slow", "twice", "wait", "fine"] {
        let next = of(&format!("{id}-next"));
        assert_eq!(next.len(), 1);
        assert!(
            next[0].at >= of(id).last().unwrap().at,
            "{id} was overtaken"
        );
    }
    let wait = of("wait");
    assert!(
        wait[1].at - wait[0].at >= Duration::from_millis(900),
        "it asked for a second"
    );
    assert!(
        of("fine-next")[0].at < of("slow-next")[0].at,
        "one chat waited for another"
    );
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn an_absent_platform_is_waited_for() {
    let (_folder, queue) = place();
    // Nobody listens there: the port was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{address}/events");
    let listening = Listening::start(&queue, &["--forward", &url, "--attempts", "1"]);
    let ids: Vec<String> = (0..50).map(|number| format!("E{number:02}")).collect();
    for (id, time) in ids.iter().zip(1..) {
        let started = Instant::now();
        assert_eq!(send(listening.address, &[text(id, 1, time)]), Some(200));
        assert!(started.elapsed() < DEADLINE);
    }
    assert_eq!(listening.metric("line_connector_events_waiting"), 50);
    assert_eq!(listening.metric("line_connector_events_dead"), 0);
    let platform = Platform::on(TcpListener::bind(address).unwrap(), |_| (200, ""));
    listening.waits_for("line_connector_events_waiting", 0);
    assert_eq!(platform.ids(), ids);
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn an_event_that_usual_readers_of_json_cannot_take_is_delivered_as_text() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &[]);
    let mut sent = text("01A", 7, 1_700_000_000_123);
    sent["new"] = json!("HERE");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let event = sent.to_string().replace("\"HERE\"", &deep);
    let body = format!("{{\"destination\":\"{BOT}\",\"events\":[{event}]}}");
    let signature = sign(SECRET, &body);
    assert_eq!(post(listening.address, &body, Some(&signature)), Some(200));
    let line = listening.line();
    assert_eq!(
        (&line["id"], &line["event"]["type"]),
        (&json!("01A"), &json!("message.text"))
    );
    assert_eq!(line["event"]["raw"], event);
}

#[test]
fn what_is_given_up_can_be_seen_replayed_and_dropped() {
    let (_folder, queue) = place();
    let healed = Arc::new(AtomicBool::new(false));
    let works = Arc::clone(&healed);
    let platform = Platform::new(move |got| {
        let bad = got.id.starts_with("bad") && !works.load(Ordering::SeqCst);
        let tired = got.id == "tired" && !works.load(Ordering::SeqCst);
        match (bad, tired) {
            (true, _) => (422, ""),
            (_, true) => (500, "Retry-After: 0\r\n"),
            _ => (200, ""),
        }
    });
    let listening = Listening::start(&queue, &["--forward", &platform.url(), "--attempts", "3"]);
    let sent = [
        text("bad1", 1, 1),
        text("good", 1, 2),
        text("tired", 2, 3),
        text("bad2", 3, 4),
    ];
    assert_eq!(send(listening.address, &sent), Some(200));
    listening.waits_for("line_connector_events_dead", 3);
    listening.waits_for("line_connector_events_waiting", 0);
    let count = |id: &str| platform.ids().iter().filter(|known| *known == id).count();
    assert_eq!((count("bad1"), count("good"), count("tired")), (1, 1, 3));
    let (code, dead) = events("list", &queue, &[]);
    assert_eq!((code, dead.len()), (0, 3));
    assert_eq!(
        (&dead[0]["id"], &dead[0]["state"]),
        (&json!("bad1"), &json!("dead"))
    );
    assert_eq!(dead[0]["reason"], "the platform answered 422");
    assert_eq!(
        dead[0].get("event"),
        None,
        "what it says is shown on demand only"
    );
    assert_eq!(dead[1]["failures"], 3);
    let (_, shown) = events("list", &queue, &["--with-event", "--limit", "1"]);
    assert_eq!(
        (shown.len(), &shown[0]["event"]["type"]),
        (1, &json!("message.text"))
    );
    let number = |at: usize| dead[at]["sequence"].to_string();
    let (code, told) = events("drop", &queue, &[&number(2), "999"]);
    assert_eq!(
        (code, &told[0]),
        (2, &json!({"dropped": 1, "not_dead": [999]}))
    );
    healed.store(true, Ordering::SeqCst);
    let (code, told) = events("replay", &queue, &["--all"]);
    assert_eq!(
        (code, &told[0]),
        (0, &json!({"replayed": 2, "not_dead": []}))
    );
    listening.waits_for("line_connector_events_dead", 0);
    listening.waits_for("line_connector_events_waiting", 0);
    assert_eq!((count("bad1"), count("tired"), count("bad2")), (2, 4, 1));
    assert_eq!(send(listening.address, &sent), Some(200));
    assert_eq!(
        listening.metric("line_connector_events_total{result=\"duplicate\"}"),
        4
    );
    assert_eq!(listening.terminate(), (0, Vec::new()));
    #[cfg(target_os = "linux")]
    for command in ["replay", "drop"] {
        let queue = queue.to_str().unwrap();
        let (code, errors) = world::run_unwritten(&["events", command, "--all", "--queue", queue]);
        assert_eq!(code, Some(74), "{command}: {errors}");
        assert!(errors.contains("\"not_dead\":[]"), "{errors}");
    }
    let nowhere = ["events", "list", "--queue", "/nowhere/queue.db"];
    let ended = world::run(&nowhere, b"", &[]);
    assert_eq!(ended.code, 2);
    assert!(ended.stdout.contains("no such file"), "{}", ended.stdout);
}

#[test]
fn a_line_is_delivered_when_the_platform_says_so() {
    let (_folder, queue) = place();
    let mut listening = Listening::start(&queue, &["--ack"]);
    let sent = [text("01A", 1, 1), text("01B", 1, 2), text("02A", 2, 1)];
    assert_eq!(send(listening.address, &sent), Some(200));
    let mut first = [listening.line(), listening.line()];
    first.sort_by_key(|line| line["id"].to_string());
    assert_eq!(
        (&first[0]["id"], &first[1]["id"]),
        (&json!("01A"), &json!("02A"))
    );
    let mut input = listening.input.take().unwrap();
    let (one, two) = (&first[0]["sequence"], &first[1]["sequence"]);
    writeln!(
        input,
        "nonsense\n{{\"nack\": {one}, \"retry_after_ms\": 1}}\n{{\"ack\": {two}}}"
    )
    .unwrap();
    let again = listening.line();
    assert_eq!(
        (&again["id"], &again["attempt"]),
        (&json!("01A"), &json!(2))
    );
    writeln!(input, "{{\"ack\": [{one}]}}").unwrap();
    assert_eq!(listening.ids(1), ["01B"]);
    assert!(
        listening
            .errors
            .lock()
            .unwrap()
            .contains("line 1 of the answers is ignored")
    );
    listening.kill();
    // Only what nobody acknowledged comes again.
    let mut listening = Listening::start(&queue, &["--ack"]);
    let again = listening.line();
    assert_eq!(
        (&again["id"], &again["attempt"]),
        (&json!("01B"), &json!(2))
    );
    let mut input = listening.input.take().unwrap();
    writeln!(input, "{{\"ack\": {}}}", again["sequence"]).unwrap();
    drop(input);
    assert_eq!(listening.end(), (0, Vec::new()));
    assert!(events("list", &queue, &["--state", "waiting"]).1.is_empty());
}

#[test]
fn each_channel_is_verified_with_its_own_secret_only() {
    let (folder, queue) = place();
    let assets = json!([
        {"client_id": "1", "client_secret": SECRET, "destination": BOT},
        {"client_id": "2", "client_secret": OTHER_SECRET, "destination": OTHER_BOT},
    ]);
    let file = folder.path().join("channels.json");
    std::fs::write(&file, assets.to_string()).unwrap();
    let listening = Listening::with(&queue, &["--asset", file.to_str().unwrap()], &[]);
    // The same event id in both: they are different events.
    for (bot, own, other) in [
        (BOT, SECRET, OTHER_SECRET),
        (OTHER_BOT, OTHER_SECRET, SECRET),
    ] {
        let body = webhook(bot, &[text("01A", 1, 1)]);
        assert_eq!(
            post(listening.address, &body, Some(&sign(other, &body))),
            Some(401)
        );
        assert_eq!(
            post(listening.address, &body, Some(&sign(own, &body))),
            Some(200)
        );
        assert_eq!(listening.line()["destination"], bot);
    }
    let stranger = webhook("Ucccccccccccccccccccccccccccccccc", &[text("01B", 1, 1)]);
    for secret in [SECRET, OTHER_SECRET] {
        let signature = sign(secret, &stranger);
        assert_eq!(
            post(listening.address, &stranger, Some(&signature)),
            Some(401)
        );
    }
    let metric = "line_connector_webhook_requests_total";
    assert_eq!(
        listening.metric(&format!("{metric}{{result=\"bad_signature\"}}")),
        2
    );
    assert_eq!(
        listening.metric(&format!("{metric}{{result=\"unknown_destination\"}}")),
        2
    );
    let errors = listening.errors.lock().unwrap().clone();
    for secret in [SECRET, OTHER_SECRET] {
        assert!(!errors.contains(secret), "{errors}");
    }
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn a_destination_that_was_not_given_is_learnt() {
    let world = world::World::new();
    let (folder, queue) = place();
    let mut first = world.asset();
    let secret = first["client_secret"].as_str().unwrap().to_owned();
    first["destination"] = Value::Null;
    let other = json!({"client_id": "2", "client_secret": OTHER_SECRET, "destination": OTHER_BOT});
    let file = folder.path().join("channels.json");
    std::fs::write(&file, json!([first, other]).to_string()).unwrap();
    let told = world
        .sandbox
        .play(&json!({"type": "message", "text": "hi"}))
        .unwrap();
    let body = told["invocation"]["request"]["body"].as_str().unwrap();
    let listening = Listening::with(&queue, &["--asset", file.to_str().unwrap()], &[]);
    let end = Instant::now() + LONG;
    loop {
        match post(listening.address, body, Some(&sign(&secret, body))) {
            Some(200) => break,
            status => assert_eq!(status, Some(503), "until it is known LINE may come again"),
        }
        assert!(Instant::now() < end);
        pause(50);
    }
    assert_eq!(listening.line()["event"]["type"], "message.text");
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn what_is_out_is_settled_before_it_ends() {
    let (_folder, queue) = place();
    let platform = Platform::new(|_| {
        pause(700);
        (200, "")
    });
    let listening = Listening::start(&queue, &["--forward", &platform.url()]);
    assert_eq!(
        send(listening.address, &[text("01A", 1, 1), text("01B", 1, 2)]),
        Some(200)
    );
    platform.waits_for(1);
    assert_eq!(listening.terminate(), (0, Vec::new()));
    let (_, waiting) = events("list", &queue, &["--state", "waiting"]);
    let waiting: Vec<&Value> = waiting.iter().map(|line| &line["id"]).collect();
    assert_eq!(
        (platform.ids(), waiting),
        (vec!["01A".to_owned()], vec![&json!("01B")])
    );
}

#[test]
fn one_queue_has_one_receiver_and_other_files_are_left_alone() {
    let (folder, queue) = place();
    let environment = [("LINE_CLIENT_ID", "1"), ("LINE_CLIENT_SECRET", SECRET)];
    let listening = Listening::start(&queue, &[]);
    let file = queue.to_str().unwrap();
    let listen = |queue: &str| {
        let arguments = ["listen", "--address", "127.0.0.1:0", "--queue", queue];
        world::run(&arguments, b"", &environment)
    };
    let second = listen(file);
    assert_eq!(second.code, 2);
    assert!(
        second.stderr.contains("another receiver"),
        "{}",
        second.stderr
    );
    let text_file = folder.path().join("notes.txt");
    std::fs::write(
        &text_file,
        "not a database, and longer than one header of SQLite's files: ".repeat(9),
    )
    .unwrap();
    let before = std::fs::read(&text_file).unwrap();
    assert_eq!(listen(text_file.to_str().unwrap()).code, 2);
    assert_eq!(std::fs::read(&text_file).unwrap(), before);
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn what_does_not_fit_is_refused_and_the_rest_goes_on() {
    let (_folder, queue) = place();
    let limits = ["--max-body-bytes", "20000", "--max-waiting", "2", "--hold"];
    let listening = Listening::start(&queue, &limits);
    let address = listening.address;
    let signature = sign(OTHER_SECRET, "");
    let head = |length: &str| {
        let signed = format!("X-Line-Signature: {signature}");
        format!("POST / HTTP/1.1\r\nHost: x\r\n{signed}\r\n{length}\r\n\r\n")
    };
    // Announced: refused before a byte of it is read.
    let announced = exchange(address, head("Content-Length: 100000000").as_bytes());
    assert_eq!(announced.unwrap().0, 413);
    // Not announced: refused where it gets too much.
    let chunk = format!("2710\r\n{}\r\n", "x".repeat(10_000)).repeat(3);
    let chunked = head("Transfer-Encoding: chunked") + &chunk;
    assert_eq!(exchange(address, chunked.as_bytes()).unwrap().0, 413);
    assert_eq!(get(address, "/").0, 405);
    assert_eq!(get(address, "/elsewhere").0, 404);
    assert_eq!(get(address, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(
        send(address, &[text("01A", 1, 1), text("01B", 1, 2)]),
        Some(200)
    );
    assert_eq!(
        send(address, &[text("01C", 1, 3)]),
        Some(503),
        "the queue is full"
    );
    assert_eq!(listening.metric("line_connector_events_waiting"), 2);
    let metric = "line_connector_webhook_requests_total";
    assert_eq!(
        listening.metric(&format!("{metric}{{result=\"too_large\"}}")),
        2
    );
    assert_eq!(
        listening.metric(&format!("{metric}{{result=\"overloaded\"}}")),
        1
    );
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn idle_connections_make_room_for_others() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--max-connections", "300"]);
    let address = listening.address;
    let connect = || TcpStream::connect(address).unwrap();
    let _silent: Vec<TcpStream> = (0..400).map(|_| connect()).collect();
    let started = Instant::now();
    assert_eq!(send(address, &[text("01A", 1, 1)]), Some(200));
    assert!(started.elapsed() < DEADLINE);
    assert!(listening.metric("line_connector_connections") <= 300);
    assert!(listening.metric("line_connector_evicted_connections_total") >= 100);
    assert_eq!(listening.ids(1), ["01A"]);
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn slow_and_silent_clients_are_not_waited_for_without_end() {
    let (_folder, queue) = place();
    let listening = Listening::start(&queue, &["--idle-seconds", "1"]);
    let address = listening.address;
    let connect = |bytes: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream
    };
    let post = "POST / HTTP/1.1\r\nHost: x\r\n";
    let slow_body = connect(&format!("{post}Content-Length: 100\r\n\r\n{{"));
    // A byte now and then does not buy more time.
    let drip = connect(post);
    let mut dripped = drip.try_clone().unwrap();
    std::thread::spawn(move || {
        while dripped.write_all(b"X").is_ok() {
            pause(100);
        }
    });
    let mut others = vec![slow_body, connect(""), connect(post)];
    let started = Instant::now();
    assert_eq!(send(address, &[text("01A", 1, 1)]), Some(200));
    assert!(started.elapsed() < DEADLINE);
    others.push(drip.try_clone().unwrap());
    for stream in &mut others {
        let mut said = Vec::new();
        let ended = stream.read_to_end(&mut said);
        let waiting = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
        assert!(!ended.is_err_and(|error| waiting.contains(&error.kind())));
        let said = String::from_utf8_lossy(&said);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    let _ = drip.shutdown(std::net::Shutdown::Both);
    let slow = "line_connector_webhook_requests_total{result=\"too_slow\"}";
    assert_eq!(listening.metric(slow), 1);
    assert_eq!(listening.ids(1), ["01A"]);
    assert_eq!(listening.terminate(), (0, Vec::new()));
}

#[test]
fn where_nobody_reads_the_lines_it_ends_and_keeps_the_events() {
    let (_folder, queue) = place();
    let file = queue.to_str().unwrap();
    let mut child = world::start(
        &[
            "listen",
            "--address",
            "127.0.0.1:0",
            "--ack",
            "--queue",
            file,
        ],
        &[("LINE_CLIENT_ID", "1"), ("LINE_CLIENT_SECRET", SECRET)],
    );
    drop(child.stdout.take());
    let mut line = String::new();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    errors.read_line(&mut line).unwrap();
    let document: Value = serde_json::from_str(&line).unwrap();
    let url = document["listening"].as_str().unwrap();
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    assert_eq!(
        send(address.parse().unwrap(), &[text("01A", 1, 1)]),
        Some(200)
    );
    // Waiting would close it, and its end is a reason of its own.
    let input = child.stdin.take();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    drop(input);
    let mut said = String::new();
    errors.read_to_string(&mut said).unwrap();
    assert!(said.contains("nobody reads standard output"), "{said}");
    let (_, waiting) = events("list", &queue, &["--state", "waiting"]);
    assert_eq!(
        (waiting.len(), &waiting[0]["attempts"]),
        (1, &json!(1)),
        "it had been tried"
    );
}

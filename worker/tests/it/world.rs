//! A worker, its NATS server, and a sandbox in LINE's place.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use line_connector_core::encoding::base64;
use ring::hmac;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// More than any step takes, even on a busy machine.
pub(crate) const LONG: Duration = Duration::from_mins(1);
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const BOT: &str = "Uaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[expect(clippy::disallowed_methods, reason = "another process is waited for")]
pub(crate) fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// Waits until something holds.
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        pause(20);
    }
}

/// The server's program: that of `NATS_SERVER`, or the one that is installed.
#[expect(clippy::disallowed_methods, reason = "a setting of the test itself")]
fn program() -> Option<PathBuf> {
    if let Ok(given) = std::env::var("NATS_SERVER") {
        return Some(given.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/bin".into()]);
    folders
        .map(|folder| folder.join("nats-server"))
        .find(|program| program.is_file())
}

/// `nats-server` with streams on files.
pub(crate) struct Nats {
    program: PathBuf,
    folder: TempDir,
    options: Vec<String>,
    pub(crate) port: u16,
    child: Option<Child>,
}

impl Nats {
    /// Starts one; none where the program is not installed.
    #[expect(clippy::print_stderr, reason = "whoever runs the tests should know")]
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("left out: nats-server is not installed");
            return None;
        };
        // Free now; nobody else takes ports one by one.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut nats = Self {
            program,
            folder: tempfile::tempdir().unwrap(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
            port,
            child: None,
        };
        nats.run();
        Some(nats)
    }

    /// Starts it again after [`Nats::kill`].
    pub(crate) fn run(&mut self) {
        let child = Command::new(&self.program)
            .args([
                "-a",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-js",
                "-sd",
            ])
            .arg(self.folder.path())
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        wait_until("nats-server starts", || TcpStream::connect(address).is_ok());
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A client of the test's own.
pub(crate) struct Client {
    pub(crate) runtime: Runtime,
    pub(crate) connection: async_nats::Client,
    pub(crate) context: jetstream::Context,
}

/// A message of a stream.
pub(crate) struct Found {
    pub(crate) subject: String,
    headers: async_nats::HeaderMap,
    pub(crate) document: Value,
}

impl Found {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(ToString::to_string)
    }
}

impl Client {
    pub(crate) fn of(nats: &Nats) -> Self {
        let runtime = Runtime::new().unwrap();
        let (connection, context) = runtime.block_on(async {
            let connection = async_nats::connect(nats.url()).await.unwrap();
            (connection.clone(), jetstream::new(connection))
        });
        Self {
            runtime,
            connection,
            context,
        }
    }

    /// All messages of a stream, in order.
    pub(crate) fn messages(&self, stream: &str) -> Vec<Found> {
        self.runtime.block_on(async {
            let Ok(mut stream) = self.context.get_stream(stream).await else {
                return Vec::new();
            };
            let state = stream.info().await.unwrap().state.clone();
            let mut found = Vec::new();
            for sequence in state.first_sequence..=state.last_sequence {
                if let Ok(message) = stream.get_raw_message(sequence).await {
                    found.push(Found {
                        subject: message.subject.to_string(),
                        document: serde_json::from_slice(&message.payload).unwrap(),
                        headers: message.headers,
                    });
                }
            }
            found
        })
    }

    /// How many messages a stream has.
    pub(crate) fn count(&self, stream: &str) -> u64 {
        self.runtime.block_on(async {
            let stream = self.context.get_stream(stream).await;
            stream.map_or(0, |stream| stream.cached_info().state.messages)
        })
    }

    /// The messages of a stream, once there are so many.
    pub(crate) fn wait_for(&self, stream: &str, count: u64) -> Vec<Found> {
        wait_until("the messages come", || self.count(stream) >= count);
        self.messages(stream)
    }

    /// Puts a document into the queue.
    pub(crate) fn call(&self, document: &Value, headers: &[(&str, &str)]) {
        self.put(document.to_string(), headers);
    }

    pub(crate) fn put(&self, body: String, headers: &[(&str, &str)]) {
        let mut map = async_nats::HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, *value);
        }
        self.runtime.block_on(async {
            let stored = self
                .context
                .publish_with_headers("line.calls.test", map, body.into());
            stored.await.unwrap().await.unwrap();
        });
    }
}

/// A worker at work.
pub(crate) struct Worker {
    child: Child,
    /// The first line that it said.
    pub(crate) card: Value,
    said: Arc<Mutex<String>>,
}

impl Worker {
    /// Starts one with these variables alone, and waits until it works.
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut worker = Self::begin(arguments, environment);
        wait_until("it works", || {
            let said = worker.said();
            let lines = said
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            let card = |line: &Value| line.get("listening").or(line.get("calling")).is_some();
            if let Some(card) = lines.into_iter().find(card) {
                worker.card = card;
            }
            let ended = worker.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", worker.said());
            !worker.card.is_null()
        });
        worker
    }

    /// Starts one with these variables alone.
    pub(crate) fn begin(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = command(arguments, environment)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (stderr, kept) = (child.stderr.take().unwrap(), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = writeln!(kept.lock().unwrap(), "{line}");
            }
        });
        Self {
            child,
            card: Value::Null,
            said,
        }
    }

    /// `listen` for one channel.
    pub(crate) fn listen(url: &str, more: &[&str]) -> Self {
        let arguments = ["listen", "--address", "127.0.0.1:0", "--publish", url];
        let environment = [
            ("LINE_CLIENT_ID", "1234567890"),
            ("LINE_CLIENT_SECRET", SECRET),
        ];
        Self::start(&[&arguments, more].concat(), &environment)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let url = self.card["listening"].as_str().unwrap();
        url.trim_start_matches("http://")
            .trim_end_matches('/')
            .parse()
            .unwrap()
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn waits_to_say(&self, text: &str) {
        let end = Instant::now() + LONG;
        while !self.said().contains(text) {
            assert!(Instant::now() < end, "{text} is not said: {}", self.said());
            pause(20);
        }
    }

    /// What LINE does: signs, posts, and looks at the status.
    pub(crate) fn send(&self, events: &[Value]) -> u16 {
        let body = json!({"destination": BOT, "events": events}).to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let signature = base64(hmac::sign(&key, body.as_bytes()).as_ref());
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Line-Signature: {signature}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        exchange(self.address(), &format!("{head}{body}")).0
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        exchange(self.address(), &head)
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Its exit code, once it has ended.
    pub(crate) fn code(mut self) -> i32 {
        self.child
            .wait()
            .unwrap()
            .code()
            .expect("no signal ends it")
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Worker {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        let _already_over = self.child.kill();
        let _already_over = self.child.wait();
    }
}

fn exchange(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_line-connector-worker"));
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied());
    command
}

/// Runs the worker to its end: its exit code, and what it wrote to both streams.
pub(crate) fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let output = command(arguments, environment).output().unwrap();
    let both = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(both).unwrap(),
    )
}

/// A text message as LINE sends it.
pub(crate) fn text(id: &str, chat: &str, text: &str) -> Value {
    json!({
        "type": "message", "mode": "active", "timestamp": 1_700_000_000_123_u64, "webhookEventId": id,
        "deliveryContext": {"isRedelivery": false}, "replyToken": "0f3779fba3b349968c5d07db31eab56f",
        "source": {"type": "user", "userId": chat},
        "message": {"type": "text", "id": "444573844083572737", "quoteToken": "q3Plxr4AgKd", "text": text},
    })
}

/// Writes a file into a folder, and gives its path.
pub(crate) fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

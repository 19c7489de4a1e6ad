//! The loopback world of the tests: a sandbox behind a real listener, the real binary with a
//! scrubbed environment, and a connector that does not wait between attempts.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, SystemTime};

use line_connector_client::Catalog;
use line_connector_client::{Builder, Clock, Connector, SystemClock, SystemFiles};
use line_connector_core::documents::{Invocation, Output};
use line_connector_core::schema::Schema;
use line_connector_sandbox::{Fault, Listener, Sandbox, Settings};
use serde_json::{Value, json};

/// A user that the sandbox's channel can reach.
pub(crate) const USER: &str = "U4af4980629f0b5a3c3d6b8a1d2e3f405";

/// A sandbox behind a loopback listener.
pub(crate) struct World {
    pub(crate) sandbox: Arc<Sandbox>,
    listener: Listener,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let sandbox = Arc::new(Sandbox::new(settings));
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Arc::clone(&sandbox).listen(address).unwrap();
        Self { sandbox, listener }
    }

    pub(crate) fn url(&self) -> String {
        self.listener.url()
    }

    /// The asset with channel ID and secret.
    pub(crate) fn asset(&self) -> Value {
        self.sandbox.asset(&self.url())
    }

    /// The asset with the long-lived token.
    pub(crate) fn bearer(&self) -> Value {
        json!({"url": self.url(), "token": "sandbox-token"})
    }

    pub(crate) fn fault(&self, fault: Value) {
        let fault: Fault = serde_json::from_value(fault).expect("a fault of the sandbox");
        self.sandbox.inject(fault);
    }

    /// How many requests reached one path.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.sandbox
            .requests()
            .iter()
            .filter(|request| request.path == path)
            .count()
    }
}

/// The system's clock, whose pauses are skipped, unless a test says otherwise.
pub(crate) struct TestClock {
    pub(crate) now: Box<dyn Fn() -> SystemTime + Send + Sync>,
    pub(crate) sleep: Box<dyn Fn(Duration) + Send + Sync>,
}

impl Default for TestClock {
    fn default() -> Self {
        Self {
            now: Box::new(|| SystemClock.now()),
            sleep: Box::new(|_| {}),
        }
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        (self.now)()
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }

    fn sleep(&self, pause: Duration) {
        (self.sleep)(pause);
    }

    fn waker(&self) -> Waker {
        SystemClock.waker()
    }

    fn park(&self, at_most: Option<Duration>) {
        SystemClock.park(at_most);
    }
}

/// A connector over the real network whose pauses are skipped, to be fitted out further.
pub(crate) fn builder() -> Builder {
    Connector::builder()
        .clock(TestClock::default())
        .files(SystemFiles::default().reading("/").saving_into("/"))
}

/// A connector over the real network whose pauses are skipped.
pub(crate) fn connector() -> Connector {
    builder().build()
}

/// Makes one call given as JSON.
pub(crate) fn call(connector: &Connector, document: Value) -> Output {
    connector.call(Invocation::from_value(document).expect("an invocation document"))
}

/// A push of one text message.
pub(crate) fn push(asset: &Value) -> Value {
    json!({
        "action": "send_push_message",
        "asset": asset,
        "inputs": {"to": USER, "messages": [{"type": "text", "text": "hi"}]},
    })
}

/// How a process ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The one document on standard output.
    pub(crate) fn document(&self) -> Value {
        let mut values = serde_json::Deserializer::from_str(&self.stdout).into_iter::<Value>();
        let document = values
            .next()
            .expect("a document on standard output")
            .expect("JSON");
        assert!(
            values.next().is_none(),
            "more than one document: {}",
            self.stdout
        );
        document
    }
}

/// Starts the real binary with nothing in its environment but this, all its streams piped.
pub(crate) fn start(arguments: &[impl AsRef<OsStr>], environment: &[(&str, &str)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_line-connector"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

/// A file that takes nothing, as on a disk that is full.
#[cfg(target_os = "linux")]
pub(crate) fn full() -> std::fs::File {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).open("/dev/full").unwrap()
}

/// A command line whose standard output cannot be written: the exit code and standard error.
#[cfg(target_os = "linux")]
pub(crate) fn run_unwritten(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_line-connector"));
    let ended = command.args(arguments).stdout(full()).output().unwrap();
    (
        ended.status.code(),
        String::from_utf8(ended.stderr).unwrap(),
    )
}

/// Runs the binary with these arguments, this standard input, and only these variables.
pub(crate) fn run(arguments: &[&str], input: &[u8], environment: &[(&str, &str)]) -> Ended {
    let mut child = start(arguments, environment);
    // A process that refuses its arguments never reads; the broken pipe is not this test's matter.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let output = child.wait_with_output().expect("the binary ends");
    Ended {
        code: output.status.code().expect("an exit code, not a signal"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Asserts that an output fits its action's output schema.
pub(crate) fn fits(catalog: &Catalog, action: &str, output: &Output) {
    let schema = Value::Object(catalog.action(action).unwrap().output);
    let schema = Schema::new(&schema, Catalog::schema);
    let mut document: Value = serde_json::from_str(&output.render()).unwrap();
    let members = document.as_object_mut().unwrap();
    for own in ["id", "meta", "error", "delivery", "further_requests"] {
        members.remove(own);
    }
    let findings = schema.check(&document);
    assert!(
        findings.violations.is_empty(),
        "{action}: {document}: {:?}",
        findings.violations
    );
}

/// One call of a story.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    action: String,
    /// Days that pass before the call.
    #[serde(default)]
    days: u64,
    #[serde(default)]
    inputs: Value,
    /// Names for values of the output, by JSON pointer; `$name` stands for them in later steps.
    #[serde(default)]
    keep: std::collections::BTreeMap<String, String>,
}

/// Noon of 1 March 2026 in Japan, when every story begins: its dates stay good whenever it is told.
const BEGINNING: Duration = Duration::from_hours(492_315);

/// Plays `tests/cases/stories/*.json`, each against a sandbox of its own: every step succeeds and
/// fits its output schema. Says which actions were called.
pub(crate) fn stories(catalog: &Catalog) -> std::collections::BTreeSet<String> {
    let mut called = std::collections::BTreeSet::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/stories");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let steps: Vec<Step> =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let days = Arc::new(AtomicU64::new(0));
        let elapsed = Arc::clone(&days);
        let now = move || {
            let days = elapsed.load(Ordering::SeqCst);
            SystemTime::UNIX_EPOCH + BEGINNING + Duration::from_hours(24 * days)
        };
        let sandbox = Arc::new(Sandbox::new(Settings {
            now: Arc::new(now.clone()),
            ..Settings::default()
        }));
        let asset = sandbox.asset("http://sandbox.invalid");
        let clock = TestClock {
            now: Box::new(now),
            ..TestClock::default()
        };
        let connector = builder().transport(sandbox).clock(clock).build();
        let mut known: Vec<(String, String)> = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let place = format!("{}: step {} ({})", path.display(), index + 1, step.action);
            days.fetch_add(step.days, Ordering::SeqCst);
            let mut inputs = step.inputs.to_string();
            for (name, value) in &known {
                inputs = inputs.replace(&format!("\"${name}\""), value);
            }
            let inputs: Value = serde_json::from_str(&inputs).unwrap();
            let document = json!({"action": step.action, "asset": asset, "inputs": inputs});
            let output = call(&connector, document);
            assert!(output.error.is_none(), "{place}: {}", output.render());
            fits(catalog, &step.action, &output);
            let document: Value = serde_json::from_str(&output.render()).unwrap();
            for (name, pointer) in &step.keep {
                let value = document
                    .pointer(pointer)
                    .unwrap_or_else(|| panic!("{place}: {pointer}"));
                known.retain(|(other, _)| other != name);
                known.push((name.clone(), value.to_string()));
            }
            called.insert(step.action.clone());
        }
    }
    called
}

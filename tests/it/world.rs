//! The loopback world of the tests: a sandbox behind a real listener, the real binary with a
//! scrubbed environment, and a connector that does not wait between attempts.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use line_connector::catalog::Catalog;
use line_connector::envelope::{Invocation, Output};
use line_connector::run::{Connector, Runtime};
use line_connector::sandbox::{Fault, Listener, Sandbox, Settings};
use serde_json::{Map, Value, json};

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

/// A runtime over the real network whose pauses are skipped.
pub(crate) fn runtime() -> Runtime {
    Runtime {
        transport: None,
        now: Box::new(SystemTime::now),
        sleep: Box::new(|_: Duration| {}),
        random: Box::new(line_connector::retry::random),
        read_file: Box::new(|path| std::fs::read(path)),
        create_file: Box::new(|_| Err(std::io::ErrorKind::Unsupported.into())),
        environment: Map::new(),
    }
}

/// A connector over the real network whose pauses are skipped.
pub(crate) fn connector() -> Connector {
    Connector::new(Catalog::embedded(), runtime())
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

/// Runs the binary with these arguments, this standard input, and only these variables.
pub(crate) fn run(arguments: &[&str], input: &[u8], environment: &[(&str, &str)]) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_line-connector"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    // A process that refuses its arguments never reads; the broken pipe is not this test's matter.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let output = child.wait_with_output().expect("the binary ends");
    Ended {
        code: output.status.code().expect("an exit code, not a signal"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

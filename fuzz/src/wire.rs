//! HTTP as it comes over a socket, on both sides.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use line_connector_client::{Catalog, Connector, Invocation};
use line_connector_http::Secret;
use line_connector_receiver::queue::Queue;
use line_connector_receiver::{
    Channel, DeliverySettings, Host, Intake, QueueSettings, Receiver, RetryLimits, ServerSettings,
    Settings, Sink,
};
use serde_json::json;
use tempfile::TempDir;

use super::{PLANTED, sound};

/// More than anything takes on loopback.
const LONG: Duration = Duration::from_secs(20);

/// A server that answers each request with the same bytes and closes the connection.
struct Line {
    address: SocketAddr,
    answer: Arc<Mutex<Vec<u8>>>,
}

static LINE: LazyLock<Line> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = listener.local_addr().expect("its address");
    let answer = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(LONG));
            let mut request = Vec::new();
            let mut chunk = [0; 4096];
            while !request.ends_with(b"}]}") {
                match stream.read(&mut chunk) {
                    Ok(length @ 1..) => request.extend_from_slice(&chunk[..length]),
                    _ => break,
                }
            }
            let bytes = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let _ = stream.write_all(&bytes);
        }
    });
    Line { address, answer }
});

static CALLER: LazyLock<Connector> = LazyLock::new(|| Connector::builder().build());

/// Bytes as the whole of what a server answers: there is one sound output, after one attempt.
pub(crate) fn client(bytes: &[u8]) {
    *LINE.answer.lock().unwrap_or_else(PoisonError::into_inner) = bytes.to_vec();
    let document = json!({
        "action": "send_push_message",
        "asset": {"url": format!("http://{}", LINE.address), "token": PLANTED, "rate_limits": {"*": "off"}},
        "inputs": {"to": super::USER, "messages": [{"type": "text", "text": "hi"}]},
        "options": {"attempts": 1, "timeout_ms": 20_000},
    });
    let output = CALLER.call(Invocation::from_value(document).expect("a document"));
    sound(&output, bytes);
    let meta = output.meta.as_ref().expect("a report");
    assert_eq!(meta.attempts, 1, "{}", output.render());
    assert!(
        output
            .status_code
            .is_none_or(|status| (100..1000).contains(&status))
    );
}

/// A receiver at work, and its folder.
struct Running {
    _folder: TempDir,
    _receiver: Receiver,
    address: SocketAddr,
}

static RECEIVER: LazyLock<Running> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(|| SystemTime::UNIX_EPOCH);
    let channel = Channel {
        destination: None,
        secret: Secret::new("0123456789abcdef0123456789abcdef"),
    };
    let content = Catalog::embedded().triggers().content;
    let settings = Settings {
        server: ServerSettings {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin_address: None,
            path: "/".to_owned(),
            max_body_bytes: 1 << 20,
            max_connections: 64,
            idle_timeout: LONG,
        },
        queue: QueueSettings {
            reorder_delay: Duration::ZERO,
            max_waiting: 1000,
            remember: LONG,
        },
        delivery: DeliverySettings {
            max_in_flight: 1,
            retry: RetryLimits {
                max_failures: 1,
                max_age: LONG,
            },
        },
    };
    let host = Host {
        clock: clock.clone(),
        random: || 0,
        tell: |_| {},
    };
    let receiver = Receiver::start(
        settings,
        Queue::open(&folder.path().join("queue")).expect("a queue"),
        Arc::new(Intake::new(vec![channel], content, clock)),
        Sink::Hold,
        &host,
        mpsc::channel().0,
    );
    let receiver = receiver.expect("a receiver");
    Running {
        address: receiver.address(),
        _folder: folder,
        _receiver: receiver,
    }
});

/// What comes back for these bytes, to the end. Where they are `all`, nothing can follow; whoever says
/// so early may get no answer.
fn exchanged(bytes: &[u8], all: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(RECEIVER.address).expect("a connection");
    stream.set_read_timeout(Some(LONG)).expect("a timeout");
    // It may be closed before everything is written or read.
    let _ = stream.write_all(bytes);
    if all {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no end"),
        _ => answer,
    }
}

/// Bytes as the whole of what comes to a receiver: nothing of it is a bug, and it still works.
pub(crate) fn receiver(bytes: &[u8]) {
    let answer = exchanged(bytes, true);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."));
    assert!(!answer.starts_with(b"HTTP/1.1 500"));
    let question = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let healthy = exchanged(question, false);
    let healthy = String::from_utf8(healthy).expect("text");
    assert!(
        healthy.contains("\nline_connector_panics_total 0\n"),
        "{healthy}"
    );
}

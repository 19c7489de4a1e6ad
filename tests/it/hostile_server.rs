//! Servers, proxies and names in LINE's place that mean harm: what they cost the call that meets them, and
//! that they cost nobody else anything.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use line_connector_client::{Clock as _, SystemClock};
use line_connector_core::documents::Output;
use line_connector_core::error::{Kind, Outcome};
use serde_json::{Value, json};

use crate::network::{server, tls_with};
use crate::world::{call, connector, push};

/// What was noted of each request, with the number of its connection.
type Noted<T> = Arc<Mutex<Vec<(usize, T)>>>;

/// A server that notes of each request what this tells of its head, before it answers.
fn noting<T: Send + 'static>(
    look: impl Fn(&str) -> T + Clone + Send + 'static,
    answer: impl Fn(&str, &mut TcpStream) -> String + Clone + Send + 'static,
) -> (u16, Noted<T>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let connections = Arc::new(AtomicUsize::new(0));
    let port = server(move |mut stream| {
        let connection = connections.fetch_add(1, Ordering::Relaxed);
        while let Some(head) = head(&mut stream) {
            noted.lock().unwrap().push((connection, look(&head)));
            let answer = answer(&head, &mut stream);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (port, seen)
}

#[test]
fn a_proxy_that_answers_in_drops_has_the_time_of_the_call() {
    // Neither a single read nor the whole head takes long enough to end by itself.
    let drops: [(&[u8], Duration); 2] = [
        (b"a", Duration::from_millis(100)),
        (&[b'a'; 100], Duration::from_micros(100)),
    ];
    let says = [
        "connecting took too long",
        "the proxy's answer is too large",
    ];
    for ((drop, pause), says) in drops.into_iter().zip(says) {
        let proxy = server(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
            while stream.write_all(drop).is_ok() {
                SystemClock.sleep(pause);
            }
        });
        let mut document = push(&json!({
            "url": "https://localhost:9", "token": "t",
            "http_proxy": format!("http://127.0.0.1:{proxy}"),
        }));
        document["options"] = json!({"attempts": 1, "deadline_ms": 1500});
        let output = call(&connector(), document);
        let error = output.error.as_ref().unwrap();
        assert_eq!(error.outcome, Outcome::NotDone, "{}", output.render());
        assert!(
            matches!(error.kind, Kind::Timeout | Kind::ConnectionFailed),
            "{}",
            output.render()
        );
        assert!(error.message.contains(says), "{}", error.message);
    }
}

/// A success that tells this as the bot's name.
fn named(name: &str) -> String {
    let body = format!(r#"{{"displayName":"{name}"}}"#);
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Reads the head of a request without a body: none where the client has closed.
fn head(stream: &mut impl Read) -> Option<String> {
    let mut head = String::new();
    let mut byte = [0];
    while !head.ends_with("\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(char::from(byte[0]));
    }
    Some(head)
}

fn who(url: &str, token: &str) -> Value {
    json!({
        "action": "get_bot_info",
        "asset": {"url": url, "token": token, "verify_ssl": false},
        "options": {"attempts": 1},
    })
}

/// What the server told as the bot's name.
fn told(output: &Output) -> String {
    let output: Value = serde_json::from_str(&output.render()).unwrap();
    output["json_body"]["displayName"]
        .as_str()
        .unwrap_or_else(|| panic!("{output}"))
        .to_owned()
}

#[test]
fn what_a_server_says_unasked_is_nobodys_answer() {
    let (say, to_say) = mpsc::channel::<()>();
    let (said, has_said) = mpsc::channel::<()>();
    let to_say = Arc::new(Mutex::new(to_say));
    let port = server(move |mut stream| {
        while head(&mut stream).is_some() {
            let _ = stream.write_all(named("asked").as_bytes());
            if to_say.lock().unwrap().recv().is_ok() {
                let _ = stream.write_all(named("unasked").as_bytes());
                let _ = said.send(());
            }
        }
    });
    let connector = connector();
    let url = format!("http://127.0.0.1:{port}");
    for _ in 0..20 {
        assert_eq!(told(&call(&connector, who(&url, "t"))), "asked");
        say.send(()).unwrap();
        has_said.recv().unwrap();
    }
}

#[test]
fn what_a_server_says_unasked_over_tls_is_nobodys_answer() {
    let world = tls_with(2, |stream| {
        while head(stream).is_some() {
            // Two records that arrive together: the client sees the first, and half of the second.
            let unasked = named(&"unasked".repeat(1000));
            for answer in [named("asked"), unasked] {
                let _ = stream.conn.writer().write_all(answer.as_bytes());
            }
            let _ = stream.flush();
        }
    });
    let url = format!("https://localhost:{}", world.port);
    let connector = connector();
    for _ in 0..2 {
        assert_eq!(told(&call(&connector, who(&url, "t"))), "asked");
    }
    drop(connector);
    world.handle.join().unwrap();
}

#[test]
fn calls_share_a_connection_by_the_same_token_alone() {
    let token = |head: &str| {
        let token = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": Bearer ")?;
            name.eq_ignore_ascii_case("authorization")
                .then(|| value.to_owned())
        });
        token.unwrap()
    };
    let (port, seen) = noting(token, |_, _| named("asked"));
    let connector = connector();
    let url = format!("http://127.0.0.1:{port}");
    for token in ["one", "one", "two", "one", "two"] {
        assert_eq!(told(&call(&connector, who(&url, token))), "asked");
    }
    let expected = [(0, "one"), (0, "one"), (1, "two"), (0, "one"), (1, "two")];
    let seen: Vec<_> = std::mem::take(&mut *seen.lock().unwrap());
    let seen: Vec<_> = seen
        .iter()
        .map(|(connection, token)| (*connection, token.as_str()))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_token_comes_over_a_connection_of_its_own_call() {
    let is_for_token = |head: &str| head.starts_with("POST ");
    let (port, seen) = noting(is_for_token, move |head, stream| {
        let length = head.lines().find_map(|line| {
            line.to_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).unwrap();
        if is_for_token(head) {
            let token = r#"{"token_type":"Bearer","access_token":"issued","expires_in":900}"#;
            format!("HTTP/1.1 200 OK\r\nContent-Length: 68\r\n\r\n{token:68}")
        } else {
            named("asked")
        }
    });
    let connector = connector();
    for id in ["1", "2"] {
        let document = json!({
            "action": "get_bot_info",
            "asset": {"url": format!("http://127.0.0.1:{port}"), "client_id": id, "client_secret": "s"},
            "options": {"attempts": 1},
        });
        assert_eq!(told(&call(&connector, document)), "asked");
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen, [(0, true), (0, false), (1, true), (1, false)]);
}

#[test]
fn connections_that_nobody_needs_are_bounded_however_many_ways_there_are_to_connect() {
    let (closed, ends) = mpsc::channel();
    let port = server(move |mut stream| {
        while head(&mut stream).is_some() {
            let _ = stream.write_all(named("asked").as_bytes());
        }
        let _ = closed.send(());
    });
    let connector = connector();
    for number in 0..150 {
        let mut document = who(
            &format!("http://127.0.0.1:{port}"),
            &format!("token-{number}"),
        );
        document["asset"]["verify_ssl"] = json!(number % 2 == 0);
        assert_eq!(told(&call(&connector, document)), "asked");
    }
    for _ in 0..20 {
        ends.recv_timeout(Duration::from_mins(1)).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn whoever_connects_is_not_kept_from_it_by_connections_that_nobody_needs() {
    let port = server(|mut stream| {
        while let Some(head) = head(&mut stream) {
            let answer = if head.starts_with("CONNECT ") {
                "HTTP/1.1 200 Connection established\r\n\r\n".to_owned()
            } else {
                named("asked")
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let mut documents = Vec::new();
    for number in 0..60 {
        let mut document = who("http://127.0.0.1:9", "t");
        let proxy = format!("http://user-{number}:p@127.0.0.1:{port}");
        document["asset"]["http_proxy"] = json!(proxy);
        documents.push(document.to_string());
    }
    let mut serve = Command::new("sh")
        .args(["-c", r#"ulimit -n 40 && exec "$0" serve --concurrency 2"#])
        .arg(env!("CARGO_BIN_EXE_line-connector"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = serve.stdin.take().unwrap();
    let writer = thread::spawn(move || input.write_all(documents.join("\n").as_bytes()));
    let output = serve.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.lines().count(), 60, "{output}");
    for line in output.lines() {
        assert!(line.contains(r#""status_code":200"#), "{line}");
    }
}

#[test]
fn what_is_too_long_to_be_sent_is_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let long = "x".repeat(66_000);
    let in_the_url = json!({
        "action": "get_profile",
        "asset": {"url": url, "token": "t"},
        "inputs": {"userId": long},
        "options": {"validation": "off"},
    });
    // As long as an asset may be.
    let in_a_header = push(&json!({"url": url, "token": "t".repeat(32_000)}));
    for document in [in_a_header, in_the_url] {
        let output = call(&connector(), document);
        let error = output.error.as_ref().unwrap();
        assert_eq!(error.outcome, Outcome::NotDone, "{}", error.message);
        assert!(
            error.message.contains("cannot be sent"),
            "{}",
            error.message
        );
        assert_eq!(output.meta.as_ref().unwrap().attempts, 1);
    }
}

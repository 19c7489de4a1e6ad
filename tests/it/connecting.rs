//! What fails before the first byte of a request: nothing was sent, the output says so, and what
//! may pass is tried again, whatever the action.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use line_connector_core::documents::Output;
use line_connector_core::error::{Kind, Outcome};
use serde_json::{Value, json};

use crate::world::{call, connector};

const ATTEMPTS: u32 = 2;

/// What a server does with a connection.
type Each = fn(TcpStream);

/// A server that does this with each connection, for as long as the tests run.
fn server(each: Each) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || each(stream));
        }
    });
    port
}

/// Reads what the client says first.
fn hear(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 4096]);
}

fn say(mut stream: TcpStream, bytes: &[u8]) {
    hear(&mut stream);
    let _ = stream.write_all(bytes);
    // What closes with unread bytes resets the connection.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

fn established(stream: &mut TcpStream) {
    hear(stream);
    let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
}

/// A reply, which LINE lets nobody repeat.
fn reply(url: &str, proxy: Option<&str>) -> Output {
    let document = json!({
        "action": "send_reply_message",
        "asset": {"url": url, "token": "t", "http_proxy": proxy},
        "inputs": {
            "replyToken": "85cbe770fa8b4f45bbe077b1d4be4a36",
            "messages": [{"type": "text", "text": "hi"}],
        },
        "options": {"attempts": ATTEMPTS, "timeout_ms": 1500},
    });
    call(&connector(), document)
}

fn assert_nothing_was_sent(output: &Output, kind: Kind, says: &str) {
    let text = output.render();
    let error = output.error.as_ref().unwrap();
    assert_eq!(
        (error.kind, error.outcome),
        (kind, Outcome::NotDone),
        "{text}"
    );
    assert!(error.message.contains(says), "{says}: {text}");
    let shown: Value = serde_json::from_str(&text).unwrap();
    let hint = shown["error"]["hint"].as_str().unwrap();
    for contradiction in ["may have", "unknown", "idempotency_key"] {
        assert!(!hint.contains(contradiction), "{hint}");
    }
}

fn assert_repeated(output: &Output, kind: Kind, says: &str) {
    assert_nothing_was_sent(output, kind, says);
    assert!(output.error.as_ref().unwrap().retryable);
    assert_eq!(output.meta.as_ref().unwrap().attempts, ATTEMPTS, "{says}");
}

#[test]
fn a_name_that_does_not_resolve_was_sent_nothing() {
    for scheme in ["http", "https"] {
        let output = reply(&format!("{scheme}://api.line.invalid"), None);
        assert_repeated(
            &output,
            Kind::ConnectionFailed,
            "host name cannot be resolved",
        );
        let output = reply(
            "https://localhost:9",
            Some(&format!("{scheme}://proxy.line.invalid:3128")),
        );
        assert_repeated(
            &output,
            Kind::ConnectionFailed,
            "host name cannot be resolved",
        );
    }
}

#[test]
fn tls_that_does_not_come_up_was_sent_nothing() {
    const SETTING_UP: &str = "closed while it was set up";
    let servers: [(Each, Kind, &str); 7] = [
        // Closed at once, which resets the connection where bytes were on their way.
        (drop, Kind::ConnectionFailed, SETTING_UP),
        (
            |mut stream| hear(&mut stream),
            Kind::ConnectionFailed,
            SETTING_UP,
        ),
        // Fatal alerts: handshake_failure, protocol_version.
        (
            |stream| say(stream, &[0x15, 3, 3, 0, 2, 2, 40]),
            Kind::ConnectionFailed,
            "TLS could not be set up",
        ),
        (
            |stream| say(stream, &[0x15, 3, 3, 0, 2, 2, 70]),
            Kind::ConnectionFailed,
            "TLS could not be set up",
        ),
        (
            |stream| {
                say(
                    stream,
                    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
                );
            },
            Kind::ConnectionFailed,
            "does not speak TLS",
        ),
        (
            |stream| say(stream, b"SSH-2.0-OpenSSH_9.9\r\n"),
            Kind::ConnectionFailed,
            "does not speak TLS",
        ),
        (
            |mut stream| {
                let _ = stream.read_to_end(&mut Vec::new());
            },
            Kind::Timeout,
            "connecting took too long",
        ),
    ];
    for (each, kind, says) in servers {
        let port = server(each);
        let output = reply(&format!("https://localhost:{port}"), None);
        assert_repeated(&output, kind, says);
    }
}

#[test]
fn tls_that_does_not_come_up_behind_a_proxy_was_sent_nothing() {
    let proxies: [(Each, &str); 3] = [
        (
            |mut stream| {
                established(&mut stream);
                hear(&mut stream);
            },
            "closed while it was set up",
        ),
        (
            |mut stream| {
                established(&mut stream);
                say(stream, b"HTTP/1.1 503 Service Unavailable\r\n\r\n");
            },
            "does not speak TLS",
        ),
        (
            |mut stream| {
                established(&mut stream);
                say(stream, &[0x15, 3, 3, 0, 2, 2, 80]);
            },
            "TLS could not be set up",
        ),
    ];
    for (each, says) in proxies {
        let proxy = format!("http://127.0.0.1:{}", server(each));
        let output = reply("https://localhost:9", Some(&proxy));
        assert_repeated(&output, Kind::ConnectionFailed, says);
    }
}

#[test]
fn what_a_proxy_answers_is_told() {
    fn answers(stream: TcpStream, status: &str) {
        say(
            stream,
            format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes(),
        );
    }
    let proxies: [(Each, &str); 5] = [
        (|stream| answers(stream, "403 Forbidden"), "403 Forbidden"),
        (
            |stream| answers(stream, "502 Bad Gateway"),
            "502 Bad Gateway",
        ),
        (
            |stream| answers(stream, "503 Service Unavailable"),
            "503 Service Unavailable",
        ),
        (
            |stream| answers(stream, "429 Too Many Requests"),
            "429 Too Many Requests",
        ),
        (
            |stream| say(stream, b""),
            "closed the connection without an answer",
        ),
    ];
    for (each, says) in proxies {
        let proxy = format!("http://127.0.0.1:{}", server(each));
        for url in ["http://127.0.0.1:9", "https://localhost:9"] {
            let output = reply(url, Some(&proxy));
            assert_repeated(&output, Kind::ConnectionFailed, says);
        }
    }

    let proxy = server(|stream| answers(stream, "407 Proxy Authentication Required"));
    let output = reply(
        "https://localhost:9",
        Some(&format!("http://127.0.0.1:{proxy}")),
    );
    assert_nothing_was_sent(&output, Kind::InvalidAsset, "407");
    assert_eq!(output.meta.as_ref().unwrap().attempts, 1);
}

#[test]
fn a_connection_that_takes_too_long_was_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Connections that nobody accepts fill the backlog; then the next one waits.
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        waiting.push(stream);
    }
    let output = reply(&format!("http://{address}"), None);
    assert_repeated(&output, Kind::Timeout, "connecting took too long");
}

#[test]
fn a_proxy_of_another_kind_is_the_assets_fault() {
    for scheme in ["socks", "socks4", "socks4a", "socks5", "socks5h", "ftp"] {
        for url in ["http://127.0.0.1:9", "https://localhost:9"] {
            let output = reply(
                url,
                Some(&format!("{scheme}://user:pa55word@127.0.0.1:1080")),
            );
            let error = output.error.as_ref().unwrap();
            assert_eq!(
                (error.kind, error.outcome),
                (Kind::InvalidAsset, Outcome::NotDone)
            );
            assert_eq!(
                error.details[0].path,
                "/asset/http_proxy",
                "{}",
                output.render()
            );
            assert!(!output.render().contains("pa55word"));
        }
    }
}

//! What fails before the first byte of a request: nothing was sent, the output says so, and what
//! may pass is tried again, whatever the action.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use line_connector_core::documents::Output;
use line_connector_core::error::{Kind, Outcome};
use serde_json::{Value, json};

use crate::network::server;
use crate::world::{call, connector, run};

const ATTEMPTS: u32 = 2;

/// What a server does with a connection.
type Each = fn(TcpStream);

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

/// The text of the error of a reply, which must say what was going on.
fn doing(output: &Output, what: &str) {
    let message = &output.error.as_ref().unwrap().message;
    let (_, place) = message.rsplit_once(" (").expect("a place");
    let (place, after) = place.split_once(", after ").expect("a time");
    assert_eq!(place, what, "{message}");
    assert!(
        after.ends_with(" ms)") || after.ends_with(" s)"),
        "{message}"
    );
}

#[test]
fn an_error_says_with_whom_what_was_going_on_and_after_how_long() {
    let silent = |stream: TcpStream| {
        let mut stream = stream;
        let _ = stream.read_to_end(&mut Vec::new());
    };
    let port = server(silent);
    let cases = [
        (
            "http://api.line.invalid".to_owned(),
            "looking up api.line.invalid".to_owned(),
        ),
        (
            "http://127.0.0.1:9".to_owned(),
            "connecting to 127.0.0.1:9".to_owned(),
        ),
        (
            format!("https://localhost:{port}"),
            format!("TLS handshake with localhost:{port}"),
        ),
        (
            format!("http://127.0.0.1:{port}"),
            format!("waiting for the answer of 127.0.0.1:{port}"),
        ),
    ];
    for (url, what) in cases {
        doing(&reply(&url, None), &what);
    }
    let half = server(|mut stream| {
        hear(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let output = reply(&format!("http://127.0.0.1:{half}"), None);
    doing(&output, &format!("reading the answer of 127.0.0.1:{half}"));
}

#[test]
fn an_error_says_whether_it_was_the_proxy() {
    let user = "http://user:pa55word@";
    let lost = reply(
        "https://localhost:9",
        Some(&format!("{user}proxy.line.invalid:3128")),
    );
    doing(&lost, "looking up the proxy proxy.line.invalid:3128");
    let closed = reply("https://localhost:9", Some(&format!("{user}127.0.0.1:9")));
    doing(&closed, "connecting to the proxy 127.0.0.1:9");
    let forbidding = server(|stream| say(stream, b"HTTP/1.1 403 Forbidden\r\n\r\n"));
    let refused = reply(
        "https://localhost:9",
        Some(&format!("{user}127.0.0.1:{forbidding}")),
    );
    doing(
        &refused,
        &format!("asking the proxy 127.0.0.1:{forbidding} for localhost:9"),
    );
    let tunnels = server(|mut stream| {
        established(&mut stream);
        hear(&mut stream);
    });
    let output = reply(
        "https://localhost:9",
        Some(&format!("{user}127.0.0.1:{tunnels}")),
    );
    doing(
        &output,
        &format!("TLS handshake with localhost:9 through the proxy 127.0.0.1:{tunnels}"),
    );
    for output in [lost, closed, refused, output] {
        assert!(!output.render().contains("pa55word"));
    }
}

/// A proxy that notes which hosts it is asked for, and refuses them all.
fn noting_proxy() -> (u16, std::sync::mpsc::Receiver<String>) {
    let (asked, hosts) = std::sync::mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 1024];
            let length = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let _ = asked.send(head.split(' ').nth(1).unwrap_or_default().to_owned());
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (port, hosts)
}

#[test]
fn the_environments_proxy_is_used_for_https_alone_and_not_for_what_it_excepts() {
    let (port, hosts) = noting_proxy();
    let proxy = format!("http://127.0.0.1:{port}");
    let asked = |url: &str, environment: &[(&str, &str)]| {
        let document = json!({
            "action": "get_bot_info", "asset": {"url": url, "token": "t"}, "options": {"attempts": 1},
        });
        let ended = run(&["run"], document.to_string().as_bytes(), environment);
        assert_eq!(ended.code, 5, "{}", ended.stdout);
        (hosts.try_iter().collect::<Vec<_>>(), ended.stdout)
    };
    let secure = "https://api.line.invalid";
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let (hosts, _) = asked(secure, &[(name, &proxy)]);
        assert_eq!(hosts, ["api.line.invalid:443"], "{name}");
    }
    let nobody: [String; 0] = [];
    assert_eq!(
        asked("http://127.0.0.1:9", &[("HTTPS_PROXY", &proxy)]).0,
        nobody
    );
    for except in [
        "api.line.invalid",
        "localhost, line.invalid",
        ".line.invalid",
        "*",
    ] {
        let environment = [("HTTPS_PROXY", proxy.as_str()), ("NO_PROXY", except)];
        assert_eq!(asked(secure, &environment).0, nobody, "{except}");
    }
    let other = [
        ("HTTPS_PROXY", proxy.as_str()),
        ("no_proxy", "e.invalid,api.line"),
    ];
    assert_eq!(asked(secure, &other).0.len(), 1);
    // Who gives a proxy of the connector's own means that one.
    let own = [
        ("HTTPS_PROXY", proxy.as_str()),
        ("LINE_HTTP_PROXY", "http://127.0.0.1:9"),
    ];
    assert_eq!(asked(secure, &own).0, nobody);
    let (hosts, output) = asked(
        secure,
        &[("ALL_PROXY", "socks5://user:pa55word@127.0.0.1:1")],
    );
    assert_eq!(hosts, nobody);
    assert!(output.contains("ALL_PROXY is not used"), "{output}");
    assert!(!output.contains("pa55word"));
}

#[test]
fn a_proxy_that_is_reached_over_tls_reads_no_request() {
    let (heard, bytes) = std::sync::mpsc::channel();
    let proxy = crate::network::tls_with(1, move |stream| {
        let mut chunk = [0; 4096];
        let _ = stream.read(&mut chunk);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let length = stream.read(&mut chunk).unwrap_or(0);
        let _ = heard.send(chunk[..length].to_vec());
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &proxy.authority).unwrap();
    let document = json!({
        "action": "get_bot_info",
        "asset": {
            "url": "https://localhost:9", "token": "t", "ca_file": file,
            "http_proxy": format!("https://localhost:{}", proxy.port),
        },
        "options": {"attempts": 1},
    });
    let output = call(&connector(), document);
    let message = &output.error.as_ref().unwrap().message;
    assert!(message.contains("closed while it was set up"), "{message}");
    let first = bytes.recv().unwrap();
    assert_eq!(first[..2], [0x16, 3], "a TLS handshake of its own");
    proxy.handle.join().unwrap();
}

#[test]
fn verbose_shows_each_request_without_secrets() {
    let world = crate::world::World::new();
    world.fault(json!({"kind": "status", "code": 500, "path": "/v2/bot/message/push"}));
    let secret = world.asset()["client_secret"].as_str().unwrap().to_owned();
    let document = json!({
        "action": "send_push_message", "asset": world.asset(),
        "inputs": {"to": crate::world::USER, "messages": [{"type": "text", "text": "a private word"}]},
    });
    let ended = run(&["run", "--verbose"], document.to_string().as_bytes(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ended.stderr);
    assert!(lines[0].starts_with(&format!("POST {}/oauth2/", world.url())));
    assert!(lines[0].contains(": 200 OK ("), "{}", lines[0]);
    let push = format!("POST {}/v2/bot/message/push: ", world.url());
    assert!(lines[1].starts_with(&format!("{push}500 Internal Server Error (")));
    assert!(lines[2].starts_with(&format!("{push}200 OK (")));
    for hidden in [&secret, "a private word", crate::world::USER] {
        assert!(!ended.stderr.contains(hidden), "{hidden}: {}", ended.stderr);
    }
    // Whoever chooses the address may know the token.
    let known = json!({
        "action": "get_profile", "inputs": {"userId": crate::world::USER},
        "asset": {"url": world.url(), "token": crate::world::USER},
    });
    let ended = run(&["run", "-v"], known.to_string().as_bytes(), &[]);
    let line = ended.stderr.lines().next().unwrap();
    assert!(line.contains("/v2/bot/profile/[redacted]: 401"), "{line}");
    let unreachable = json!({"asset": {"url": "http://127.0.0.1:9/?key=gateways-secret", "token": "t"}, "options": {"attempts": 2}});
    let ended = run(
        &["run", "get_bot_info", "-v"],
        unreachable.to_string().as_bytes(),
        &[],
    );
    let shown: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| line.starts_with("GET "))
        .collect();
    assert_eq!(shown.len(), 2, "{}", ended.stderr);
    assert!(
        shown[0].contains("(connecting to 127.0.0.1:9, after "),
        "{}",
        shown[0]
    );
    assert!(
        !ended.stderr.contains("gateways-secret"),
        "{}",
        ended.stderr
    );
    for command in [
        &["serve", "-v", "--sandbox", "get_bot_info"][..],
        &["send", "-v", "--sandbox", crate::world::USER, "hi"],
    ] {
        let ended = run(command, b"{}", &[]);
        let requests = ended
            .stderr
            .lines()
            .filter(|line| line.contains(": 200 OK ("));
        assert_eq!(requests.count(), 2, "{}", ended.stderr);
    }
}

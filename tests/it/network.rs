//! The network's own failures, over real sockets: TLS, proxies, redirects, sizes, time, refusal.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use line_connector_client::{Connector, SystemFiles};
use line_connector_core::asset::Operator;
use line_connector_core::call::exit_code;
use line_connector_core::error::{Kind, Outcome};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::world::{World, call, connector, push};

/// Answers one request on a connection with LINE's success.
fn answer(stream: &mut (impl Read + Write)) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.ends_with(b"}]}") {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend_from_slice(&chunk[..length]),
        }
    }
    let body = r#"{"sentMessages":[]}"#;
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.flush();
}

/// A server that does this with each connection, for as long as the tests run.
pub(crate) fn server(each: impl Fn(TcpStream) + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = each.clone();
            thread::spawn(move || each(stream));
        }
    });
    port
}

/// Serves connections until it is told to stop by the end of its expected number.
fn serve(times: usize, each: impl Fn(TcpStream) + Send + 'static) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = thread::spawn(move || {
        for stream in listener.incoming().take(times).flatten() {
            each(stream);
        }
    });
    (port, handle)
}

/// A server over TLS.
pub(crate) struct TlsWorld {
    pub(crate) port: u16,
    pub(crate) authority: String,
    pub(crate) handle: JoinHandle<()>,
}

fn tls(times: usize) -> TlsWorld {
    tls_with(times, answer)
}

/// Does this with each connection over TLS, and ends it without a word.
pub(crate) fn tls_with(
    times: usize,
    each: impl Fn(&mut StreamOwned<ServerConnection, TcpStream>) + Send + 'static,
) -> TlsWorld {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let (port, handle) = serve(times, move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        each(&mut StreamOwned::new(connection, stream));
    });
    TlsWorld {
        port,
        authority: certified.cert.pem(),
        handle,
    }
}

fn tls_push(port: u16, extra: &[(&str, Value)]) -> Value {
    let mut asset = json!({"url": format!("https://localhost:{port}"), "token": "t"});
    for (name, value) in extra {
        asset[*name] = value.clone();
    }
    push(&asset)
}

#[test]
fn an_unknown_certificate_is_refused_before_anything_is_sent() {
    let world = tls(1);
    let output = call(&connector(), tls_push(world.port, &[]));
    let error = output.error.as_ref().unwrap();
    assert_eq!(
        (error.kind, error.outcome),
        (Kind::Tls, Outcome::NotDone),
        "{}",
        error.message
    );
    assert_eq!(exit_code(&output) as i32, 5);
    assert_eq!(output.meta.as_ref().unwrap().attempts, 1);
    world.handle.join().unwrap();
}

#[test]
fn verification_can_be_turned_off_or_given_an_authority() {
    let world = tls(2);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &world.authority).unwrap();
    for extra in [("verify_ssl", json!(false)), ("ca_file", json!(file))] {
        let output = call(&connector(), tls_push(world.port, &[extra]));
        assert!(output.error.is_none(), "{}", output.render());
    }
    world.handle.join().unwrap();
}

#[test]
fn a_download_that_is_cut_is_not_taken_for_whole() {
    // No length, and no close_notify when the connection ends.
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nConnection: close\r\n\r\n";
    let world = tls_with(2, |stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&[HEAD, &[0; 1000]].concat());
        let _ = stream.flush();
    });
    let folder = tempfile::tempdir().unwrap();
    for save_to in [Value::Null, json!(folder.path().join("half.png"))] {
        let document = json!({
            "action": "get_content",
            "asset": {"url": format!("https://localhost:{}", world.port), "token": "t", "verify_ssl": false},
            "inputs": {"messageId": "354718705033693863"},
            "options": {"attempts": 1, "save_to": save_to},
        });
        let output = call(&connector(), document);
        assert_eq!(
            output.error.as_ref().unwrap().kind,
            Kind::ConnectionBroken,
            "{}",
            output.render()
        );
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    world.handle.join().unwrap();
}

#[test]
fn a_document_names_only_authorities_that_it_may_read() {
    let world = tls(2);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &world.authority).unwrap();
    let named = || tls_push(world.port, &[("ca_file", json!(file))]);
    for path in [
        json!(file),
        json!("/etc/hostname"),
        json!("/nowhere"),
        json!("/dev/stdin"),
    ] {
        let closed = Connector::builder().build();
        let output = call(&closed, tls_push(world.port, &[("ca_file", path)]));
        let error = output.error.as_ref().unwrap();
        assert_eq!(
            (error.kind, error.details[0].path.as_str()),
            (Kind::InvalidAsset, "/asset/ca_file")
        );
        assert!(
            error.details[0]
                .message
                .contains("no folder that is open to documents")
        );
        assert!(error.hint.contains("--files"), "{error:?}");
    }
    let files = SystemFiles::default().reading(folder.path());
    let open = Connector::builder().files(files).build();
    assert!(call(&open, named()).error.is_none());
    // The operator's own may lie anywhere.
    let operator = Operator {
        environment: named()["asset"].as_object().unwrap().clone(),
        ..Operator::default()
    };
    let mut document = named();
    document["asset"] = json!({});
    let trusted = Connector::builder().operator(operator).build();
    let output = call(&trusted, document);
    assert!(output.error.is_none(), "{}", output.render());
    world.handle.join().unwrap();
}

#[test]
fn an_authority_file_that_is_none_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "not a certificate").unwrap();
    for path in [file.to_str().unwrap(), "/nowhere/ca.pem"] {
        let document = tls_push(1, &[("ca_file", json!(path))]);
        assert_eq!(
            call(&connector(), document).error.unwrap().kind,
            Kind::InvalidAsset
        );
    }
}

#[test]
fn a_refused_connection_is_tried_again_and_sent_nothing() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let asset = json!({"url": format!("http://127.0.0.1:{port}"), "token": "t"});
    let output = call(&connector(), push(&asset));
    let error = output.error.as_ref().unwrap();
    assert_eq!(
        (error.kind, error.outcome),
        (Kind::ConnectionFailed, Outcome::NotDone)
    );
    assert_eq!(output.meta.as_ref().unwrap().attempts, 3);
    assert_eq!(exit_code(&output) as i32, 5);
}

#[test]
fn calls_go_through_the_proxy() {
    let world = World::new();
    let target = world.url().trim_start_matches("http://").to_owned();
    let (port, handle) = serve(1, move |mut client| {
        let mut head = Vec::new();
        let mut byte = [0; 1];
        while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) == 1 {
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with(&format!("CONNECT {target} ")), "{head}");
        assert!(
            head.to_lowercase().contains("proxy-authorization: basic"),
            "{head}"
        );
        let mut server = TcpStream::connect(&target).unwrap();
        client
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .unwrap();
        let mut from_client = client.try_clone().unwrap();
        let mut to_server = server.try_clone().unwrap();
        let pump = thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
        let _ = std::io::copy(&mut server, &mut client);
        let _ = pump.join();
    });
    let mut asset = world.bearer();
    asset["http_proxy"] = json!(format!("http://user:pa55word@127.0.0.1:{port}"));
    {
        let output = call(&connector(), push(&asset));
        assert!(output.error.is_none(), "{}", output.render());
    }
    assert_eq!(world.sandbox.delivered().len(), 1);
    drop(world);
    handle.join().unwrap();
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = World::new();
    let world = World::new();
    for method in ["post", "get"] {
        world.fault(json!({"kind": "redirect", "location": elsewhere.url()}));
        let document = match method {
            "post" => push(&world.bearer()),
            _ => json!({
                "action": "get_number_of_messages_sent_this_month", "asset": world.bearer(),
            }),
        };
        let output = call(&connector(), document);
        assert_eq!(output.status_code, Some(302), "{}", output.render());
        assert_eq!(output.error.unwrap().kind, Kind::UnexpectedStatus);
    }
    assert!(
        elsewhere.sandbox.requests().is_empty(),
        "the token stayed where it belongs"
    );
}

#[test]
fn an_answer_over_the_cap_is_refused() {
    let world = World::new();
    world.fault(json!({"kind": "huge", "bytes": 20_000_000}));
    let output = call(&connector(), push(&world.bearer()));
    let error = output.error.as_ref().unwrap();
    assert_eq!(error.kind, Kind::ResponseTooLarge);
    assert_eq!(exit_code(&output) as i32, 5);
}

#[test]
fn what_is_not_http_is_a_broken_connection() {
    let world = World::new();
    world.fault(json!({"kind": "garbage", "times": 9}));
    let output = call(&connector(), push(&world.bearer()));
    let error = output.error.as_ref().unwrap();
    assert_eq!(
        (error.kind, error.outcome),
        (Kind::ConnectionBroken, Outcome::Unknown)
    );
    assert_eq!(output.meta.as_ref().unwrap().attempts, 3);
}

#[test]
fn requests_say_who_they_are_from_and_how_long_they_are() {
    let world = World::new();
    assert!(call(&connector(), push(&world.bearer())).error.is_none());
    let request = &world.sandbox.requests()[0];
    let header = |name: &str| {
        request
            .headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(
        header("user-agent"),
        Some(concat!("line-connector/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(header("content-type"), Some("application/json"));
    assert!(header("content-length").is_some());
    assert!(header("transfer-encoding").is_none());
}

#[test]
fn a_post_without_a_body_says_so() {
    let file = r"
schema: action/1
name: leave_it
title: Leave it
description: >-
  A POST without a body.
inputs: {type: object}
output: {type: object}
meta:
  endpoint: v2/bot/nothing
  method: POST
  docs: https://developers.line.biz/en/reference/messaging-api/
  host: api
  retry: never
  effect: write
examples:
  - title: One
    request: {method: POST, url: https://api.line.me/v2/bot/nothing}
    reply: {status_code: 200}
    output: {status_code: 200}
";
    let mut catalog = line_connector_client::Catalog::embedded();
    catalog.add("leave_it.yaml", file).unwrap();
    let connector = crate::world::builder().catalog(catalog).build();
    let world = World::new();
    let output = call(
        &connector,
        json!({"action": "leave_it", "asset": world.bearer()}),
    );
    assert_eq!(
        output.status_code,
        Some(404),
        "LINE's edge would answer 411: {}",
        output.render()
    );
    let request = &world.sandbox.requests()[0];
    let length = request
        .headers
        .iter()
        .find(|(name, _)| name == "content-length");
    assert_eq!(length.map(|(_, value)| value.as_str()), Some("0"));
}

//! Servers, proxies and names in LINE's place that mean harm: what they cost the call that meets them, and
//! that they cost nobody else anything.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use line_connector_client::{Clock as _, SystemClock};
use line_connector_core::error::{Kind, Outcome};
use serde_json::json;

use crate::world::{call, connector, push};

/// A server that does this with each connection, for as long as the tests run.
fn server(each: impl Fn(TcpStream) + Clone + Send + 'static) -> u16 {
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

//! `mcp` among hostile clients, on both transports: whatever they send, it neither ends nor hangs, its memory
//! is bounded, and nothing but protocol lines reaches standard output.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Client, Era, Http, Trouble, hello, modern};
use crate::world::{USER, run};

const MEBIBYTE: usize = 1024 * 1024;

/// The most memory that a process has had, bytes; nothing where the system does not tell.
fn peak(process: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes * 1024)
}

fn assert_small(process: u32, most: usize) {
    if let Some(peak) = peak(process) {
        assert!(peak <= most, "{} MiB", peak / MEBIBYTE);
    }
}

/// A call whose arguments are so deep.
fn deep(levels: usize) -> String {
    let inside = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let params = format!("{{\"name\":\"push_message\",\"arguments\":{{\"to\":{inside}}}}}");
    format!("{{\"jsonrpc\":\"2.0\",\"id\":1000,\"method\":\"tools/call\",\"params\":{params}}}")
}

#[test]
fn hostile_input_neither_ends_nor_stalls_it() {
    let mut client = Client::new(Era::Legacy, false, &["--sandbox"], &[]);
    let open = "[".repeat(10_000);
    let deep = deep(10_000);
    let long = "x".repeat(20 * MEBIBYTE);
    let input = client.input.as_mut().unwrap();
    for line in [
        "garbage",
        "{",
        "\u{0}\u{1}",
        "[]",
        "{}",
        "null",
        "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":1}",
        open.as_str(),
        deep.as_str(),
        long.as_str(),
        "\u{feff}",
        "",
    ] {
        writeln!(input, "{line}").unwrap();
    }
    input.write_all(b"\xff\xfe\n").unwrap();
    let answer = client.ask("ping", json!({}));
    assert!(answer.get("result").is_some(), "{answer}");
    let nested = (0..100).fold(json!(1), |inside, _| json!([inside]));
    let result = client.call("push_message", json!({"to": nested, "messages": hello()}));
    assert_eq!(result["isError"], true);
    assert_eq!(client.end().0, 0);
}

#[test]
fn a_flood_is_answered_whole() {
    let mut client = Client::new(Era::Legacy, false, &["--sandbox"], &[]);
    let mut input = client.input.take().unwrap();
    let writer = std::thread::spawn(move || {
        for id in 10..3010 {
            let request = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
                "params": {"name": "get_bot_info", "arguments": {}}});
            writeln!(input, "{request}").unwrap();
        }
        input
    });
    let mut answered = BTreeSet::new();
    let mut refused = 0;
    while answered.len() < 3000 {
        let answer = client.read();
        refused += u32::from(answer["error"]["code"] == -32000);
        assert!(
            answered.insert(answer["id"].as_u64().unwrap()),
            "answered twice: {answer}"
        );
    }
    assert!(refused < 3000);
    client.input = Some(writer.join().unwrap());
    let answer = client.ask("ping", json!({}));
    assert!(answer.get("result").is_some());
    assert_eq!(client.end().0, 0);
}

#[test]
fn a_client_that_leaves_early_ends_it() {
    for input in [
        "",
        "{\"jsonrpc\":\"2.0\"",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n",
    ] {
        let ended = run(&["mcp", "--sandbox"], input.as_bytes(), &[]);
        assert_eq!(ended.code, 0, "{input}: {}", ended.stderr);
        for line in ended.stdout.lines() {
            let _: Value = serde_json::from_str(line).expect("protocol lines alone");
        }
    }
}

#[test]
fn a_line_of_100_megabytes_is_refused_and_memory_stays_small() {
    let mut client = Client::new(Era::Legacy, false, &["--sandbox"], &[]);
    let input = client.input.as_mut().unwrap();
    // One line that would be a call, were it shorter.
    let start = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"";
    input.write_all(start.as_bytes()).unwrap();
    for _ in 0..100 {
        input.write_all(&vec![b'x'; MEBIBYTE]).unwrap();
    }
    input.write_all(b"\"}}\n").unwrap();
    let answer = client.ask("ping", json!({}));
    assert!(answer.get("result").is_some(), "{answer}");
    let [refusal] = client.beside.as_slice() else {
        panic!("{:?}", client.beside);
    };
    assert_eq!(refusal["id"], 7);
    let reason = refusal["error"]["message"].as_str().unwrap();
    assert!(reason.contains("16 MiB"), "{refusal}");
    assert_small(client.process.id(), 96 * MEBIBYTE);
    assert_eq!(client.end().0, 0);
}

/// Requests that take far more memory than their bytes, if anything parses them.
fn swollen() -> [String; 4] {
    let many = |value: &str| vec![value; 15 * MEBIBYTE / (value.len() + 1)].join(",");
    let call = |arguments: String| {
        let params = format!("{{\"name\":\"push_message\",\"arguments\":{arguments}}}");
        format!("{{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"tools/call\",\"params\":{params}}}")
    };
    let id = |id: String| format!("{{\"jsonrpc\":\"2.0\",\"id\":[{id}],\"method\":\"ping\"}}");
    [
        id(many("{\"\":0}")),
        id(many("1")),
        call(format!("[{}]", many("[]"))),
        call(format!("{{\"to\":[{}]}}", many("{\"\":{}}"))),
    ]
}

#[test]
fn requests_with_too_many_values_are_refused_before_they_are_parsed() {
    let mut client = Client::new(Era::Legacy, false, &["--sandbox"], &[]);
    for line in swollen() {
        writeln!(client.input.as_mut().unwrap(), "{line}").unwrap();
    }
    let answer = client.ask("ping", json!({}));
    assert!(answer.get("result").is_some(), "{answer}");
    // Those whose id can be told are answered.
    assert_eq!(client.beside.len(), 2, "{:?}", client.beside);
    for refusal in &client.beside {
        assert_eq!(refusal["id"], 9);
        let reason = refusal["error"]["message"].as_str().unwrap();
        assert!(reason.contains("250000 values"), "{reason}");
    }
    assert_small(client.process.id(), 96 * MEBIBYTE);
    // The largest that LINE takes is far from it.
    let to: Vec<&str> = vec![USER; 10_000];
    let result = client.call(
        "run_action",
        json!({"action": "push_message", "inputs": {"to": to}}),
    );
    assert_eq!(
        result["structuredContent"]["error"]["kind"],
        "invalid_inputs"
    );
    assert_eq!(client.end().0, 0);

    let server = Http::new(&[]);
    let headers = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "ping"),
    ];
    for body in swollen() {
        let (status, answer) = server.post(&headers, &body);
        assert_eq!(status, 413, "{answer}");
    }
    assert_small(server.process.id(), 96 * MEBIBYTE);
}

#[test]
fn an_id_stands_for_one_request_at_a_time() {
    let line = Trouble::new();
    let (mut client, _folder) = Client::with(&line.asset, Era::Legacy, false, &[]);
    let arguments = json!({"to": USER, "messages": hello()});
    let call = json!({"name": "push_message", "arguments": arguments});
    let id = client.send("tools/call", call.clone());
    line.asked.recv().unwrap();
    let again = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call});
    client.write(&again);
    let refusal = client.read();
    assert_eq!(refusal["id"], id);
    assert_eq!(refusal["error"]["code"], -32600, "{refusal}");
    drop(line.answer);
    assert_eq!(client.end().0, 0);
}

#[test]
fn values_of_requests_under_way_count() {
    let line = Trouble::new();
    let (mut client, _folder) = Client::with(&line.asset, Era::Legacy, false, &[]);
    let body = json!({"to": USER, "messages": hello(), "more": vec![1; 150_000]});
    let inputs = json!({"json_body": body});
    let arguments = json!({"action": "push_message", "inputs": inputs, "validation": "off"});
    let call = json!({"name": "run_action", "arguments": arguments});
    client.send("tools/call", call.clone());
    line.asked.recv().unwrap();
    let refused = client.ask("tools/call", call);
    assert_eq!(refused["error"]["code"], -32000, "{refused}");
    drop(line.answer);
    assert_eq!(client.end().0, 0);
}

#[test]
fn large_calls_under_way_are_bounded() {
    let line = Trouble::new();
    let (mut client, _folder) = Client::with(&line.asset, Era::Legacy, false, &[]);
    let inputs =
        json!({"to": USER, "messages": [{"type": "text", "text": "x".repeat(12 * MEBIBYTE)}]});
    let arguments = json!({"action": "push_message", "inputs": inputs, "validation": "off"});
    let call = json!({"name": "run_action", "arguments": arguments});
    for _ in 0..2 {
        client.send("tools/call", call.clone());
    }
    line.asked.recv().unwrap();
    let refused = client.ask("tools/call", call);
    assert_eq!(refused["error"]["code"], -32000, "{refused}");
    let small = client.call("describe_action", json!({"action": "push_message"}));
    assert_eq!(small["isError"], false, "{small}");
    assert_small(client.process.id(), 256 * MEBIBYTE);
    drop(line.answer);
    assert_eq!(client.end().0, 0);
}

#[test]
fn a_long_text_holds_up_nobody() {
    let mut client = Client::new(Era::Legacy, false, &["--sandbox"], &[]);
    let text = "hello world. ".repeat(300_000);
    let arguments = json!({"messages": text});
    let id = client.send(
        "tools/call",
        json!({"name": "compose_message", "arguments": arguments}),
    );
    let answer = client.ask("ping", json!({}));
    assert!(answer.get("result").is_some(), "{answer}");
    assert!(client.beside.is_empty(), "the short answer comes first");
    assert_eq!(client.read()["id"], id);
    assert_eq!(client.end().0, 0);
}

#[test]
fn a_client_that_leaves_during_a_call_ends_it() {
    let line = Trouble::new();
    let (mut client, _folder) = Client::with(&line.asset, Era::Legacy, false, &[]);
    let arguments = json!({"to": USER, "messages": hello()});
    client.send(
        "tools/call",
        json!({"name": "push_message", "arguments": arguments}),
    );
    line.asked.recv().unwrap();
    drop(client.input.take());
    line.answer.send(()).unwrap();
    // LINE asks for a pause that is longer than the client's going lets a call go on.
    assert_eq!(client.end().0, 0);
    assert_eq!(line.requests(), 1);
}

#[test]
fn over_http_too_nothing_ends_or_stalls_it() {
    let server = Http::new(&[]);
    let headers = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/list"),
    ];
    let list = modern("tools/list", json!({}));
    let alive = || {
        let (status, answer) = server.post(&headers, &list);
        assert!(status == 200 && answer.contains("push_message"), "{answer}");
    };
    alive();
    // No HTTP at all, half a head, half a body, and none of a body that was announced.
    let half = format!("POST /mcp HTTP/1.1\r\nHost: {}\r\n", server.address);
    let body = "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{";
    for bytes in [
        "garbage\r\n\r\n",
        "\u{16}\u{3}\u{1}",
        &half,
        &format!("{half}{body}"),
        &format!("{half}Transfer-Encoding: chunked\r\n\r\nzzzz\r\n"),
    ] {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
    }
    alive();
    // 100 MB, announced and not.
    let mebibyte = vec![b'x'; MEBIBYTE];
    for framing in ["Content-Length: 104857600", "Transfer-Encoding: chunked"] {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let own = headers.map(|(name, value)| format!("{name}: {value}\r\n"));
        let head = format!(
            "{half}{}Accept: application/json, text/event-stream\r\n\
             Content-Type: application/json\r\n{framing}\r\n\r\n",
            own.concat()
        );
        stream.write_all(head.as_bytes()).unwrap();
        for _ in 0..100 {
            let size = format!("{:x}\r\n", mebibyte.len());
            let chunk: [&[u8]; 3] = if framing.starts_with('C') {
                [b"", &mebibyte, b""]
            } else {
                [size.as_bytes(), &mebibyte, b"\r\n"]
            };
            // A server that refuses need not read on.
            if stream.write_all(&chunk.concat()).is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 200 "), "{framing}: {answer}");
        alive();
    }
    let (status, answer) = server.post(&headers, &deep(10_000));
    assert!((400..500).contains(&status), "{answer}");
    alive();
    assert_small(server.process.id(), 128 * MEBIBYTE);
}

#[test]
fn a_flood_over_http_is_answered_and_its_memory_is_bounded() {
    let server = Http::new(&[]);
    let headers = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "describe_action"),
    ];
    let call = |name: &str| {
        let arguments = json!({"action": name});
        modern(
            "tools/call",
            json!({"name": "describe_action", "arguments": arguments}),
        )
    };
    let large = call(&"x".repeat(12 * MEBIBYTE));
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                let (status, answer) = server.post(&headers, &large);
                let whole = status == 200 && answer.contains("there is no action");
                assert!(whole || status == 503, "{status}: {answer}");
            });
        }
    });
    assert_small(server.process.id(), 256 * MEBIBYTE);
    assert_eq!(server.post(&headers, &call("push_message")).0, 200);
}

/// What a raw request is answered, up to the end of the connection.
fn answer(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn connections_that_ask_nothing_keep_nobody_out() {
    let server = Http::new(&[("LINE_MCP_SECRET", "open-sesame")]);
    let secret = "Authorization: Bearer open-sesame\r\n";
    let host = format!("Host: {}\r\n", server.address);
    let connect = || TcpStream::connect(&server.address).unwrap();
    // A client that has shown the secret and keeps its connection.
    let mut kept = connect();
    let elsewhere = format!("GET /elsewhere HTTP/1.1\r\n{host}{secret}\r\n");
    kept.write_all(elsewhere.as_bytes()).unwrap();
    let mut start = [0; 12];
    kept.read_exact(&mut start).unwrap();
    assert_eq!(start, *b"HTTP/1.1 404");
    let mut idle: Vec<TcpStream> = (0..600).map(|_| connect()).collect();
    let headers = [
        ("Authorization", "Bearer open-sesame"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/list"),
    ];
    let (status, told) = server.post(&headers, &modern("tools/list", json!({})));
    assert_eq!(status, 200, "{told}");
    // Nobody had to wait for the others to be given up: those that came last are still there, and so is
    // the one that is known.
    let last = elsewhere.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    for mut stream in [idle.pop().unwrap(), kept] {
        stream.write_all(last.as_bytes()).unwrap();
        assert!(answer(stream).contains("the endpoint is /mcp"));
    }
    // Who has no secret is not kept.
    let mut stranger = connect();
    let request = format!("GET /mcp HTTP/1.1\r\n{host}\r\n");
    stranger.write_all(request.as_bytes()).unwrap();
    assert!(answer(stranger).starts_with("HTTP/1.1 401"));
}

/// Begins a session of the older generation; the answer is its id.
fn begin(server: &Http, secret: &str, capabilities: &Value) -> String {
    let secret = ("Authorization", secret);
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities,
        "clientInfo": {"name": "test", "version": "1"}});
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    let (status, answer) = server.post(&[secret], &request.to_string());
    assert_eq!(status, 200, "{answer}");
    let lower = answer.to_lowercase();
    let (_, id) = lower.split_once("mcp-session-id: ").unwrap();
    let id = id.lines().next().unwrap().to_owned();
    let headers = [secret, ("Mcp-Session-Id", id.as_str())];
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let _ = server.post(&headers, &ready.to_string());
    id
}

#[test]
fn sessions_that_nobody_uses_keep_nobody_out() {
    let server = Http::new(&[]);
    let begin = || begin(&server, "", &json!({}));
    let ask = |session: &str| {
        let headers = [
            ("Mcp-Session-Id", session),
            ("MCP-Protocol-Version", "2025-11-25"),
        ];
        let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
        server.post(&headers, &list.to_string()).0
    };
    let (used, unused) = (begin(), begin());
    for _ in 0..80 {
        assert_eq!(ask(&used), 200);
        let _ = begin();
    }
    assert_eq!(ask(&used), 200, "the one in use stays");
    assert_eq!(ask(&unused), 404, "the one that nobody used has ended");
    assert_eq!(ask(&begin()), 200);
    let headers = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/list"),
    ];
    let list = modern("tools/list", json!({}));
    assert_eq!(server.post(&headers, &list).0, 200);
    // What a session keeps of its client is small.
    let large = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo":
        {"name": "x".repeat(MEBIBYTE), "version": "1"}});
    let large = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": large});
    for _ in 0..80 {
        let (_, answer) = server.post(&[], &large.to_string());
        assert!(!answer.contains("serverInfo"), "{answer}");
    }
    assert_small(server.process.id(), 96 * MEBIBYTE);
}

/// The answer to a request of the newer generation.
fn list(server: &Http, secret: &str) -> (u16, String) {
    let headers = [
        ("Authorization", secret),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/list"),
    ];
    server.post(&headers, &modern("tools/list", json!({})))
}

/// A connection on which a client asks without a body. Its answer has begun, with this status.
fn get(server: &Http, path: &str, headers: &[(&str, &str)], status: u16) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let own = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    let own: String = own.collect();
    let host = &server.address;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n{own}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(start, *format!("HTTP/1.1 {status}").as_bytes());
    stream
}

/// Whether the server has closed a connection.
fn is_closed(mut stream: &TcpStream) -> bool {
    let wait = Duration::from_millis(100);
    stream.set_read_timeout(Some(wait)).unwrap();
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            }
        }
    }
}

#[test]
fn streams_on_which_clients_listen_keep_nobody_out() {
    for secret in ["", "Bearer open-sesame"] {
        let own = secret.split_once(' ');
        let own = own.map(|(_, own)| ("LINE_MCP_SECRET", own));
        let server = Http::new(own.as_slice());
        let shown = ("Authorization", secret);
        let sessions: Vec<String> = (0..40)
            .map(|_| begin(&server, secret, &json!({})))
            .collect();
        let listen = |session: &str| {
            let headers = [shown, ("Mcp-Session-Id", session)];
            get(&server, "/mcp", &headers, 200)
        };
        let streams: Vec<TcpStream> = sessions
            .iter()
            .cycle()
            .take(256)
            .map(|session| listen(session))
            .collect();
        let (status, told) = list(&server, secret);
        assert_eq!(status, 200, "{told}");
        // A session has two streams: who comes anew takes the place of the oldest.
        assert!(is_closed(&streams[0]));
        let open = &streams[256 - 2 * sessions.len()..];
        assert!(!is_closed(&open[0]));
        // Where there is no room, the oldest stream is closed.
        let others: Vec<TcpStream> = (0..=256 - open.len())
            .map(|_| get(&server, "/elsewhere", &[shown], 404))
            .collect();
        assert!(is_closed(&open[0]));
        assert!(!is_closed(open.last().unwrap()));
        assert!(!is_closed(&others[0]));
    }
}

#[test]
fn streams_of_calls_are_not_counted_among_those_of_a_session() {
    let line = Trouble::new();
    let (file, _folder) = super::asset_file(&line.asset);
    let server = Http::of(&["--asset", &file], &[]);
    let session = begin(&server, "", &json!({}));
    let session = ("Mcp-Session-Id", session.as_str());
    let arguments = json!({"to": USER, "messages": hello()});
    let mut resumed = Vec::new();
    for id in 1..5 {
        let params = json!({"name": "push_message", "arguments": arguments});
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        let mut calling = server.send(&[session], &call.to_string());
        let mut told = String::new();
        let event = loop {
            let mut bytes = [0; 4096];
            let length = calling.read(&mut bytes).unwrap();
            told.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
            let event = told
                .split_once("id: ")
                .and_then(|(_, id)| id.split_once('\n'));
            if let Some((event, _)) = event {
                break event.trim().to_owned();
            }
        };
        drop(calling);
        let headers = [session, ("Last-Event-ID", event.as_str())];
        resumed.push(get(&server, "/mcp", &headers, 200));
    }
    for stream in &resumed {
        assert!(!is_closed(stream));
    }
}

#[test]
fn people_who_do_not_answer_keep_nobody_out() {
    let server = Http::of(&["--sandbox"], &[]);
    let session = begin(&server, "", &json!({"elicitation": {}}));
    let session = ("Mcp-Session-Id", session.as_str());
    let arguments = json!({"messages": hello()});
    let asked: Vec<TcpStream> = (0..256)
        .map(|id| {
            let params = json!({"name": "broadcast", "arguments": arguments});
            let call =
                json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
            let mut asked = server.send(&[session], &call.to_string());
            let mut told = String::new();
            while !told.contains("elicitation/create") {
                let mut bytes = [0; 4096];
                let length = asked.read(&mut bytes).unwrap();
                assert!(length > 0, "{told}");
                told.push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
            asked
        })
        .collect();
    let (status, told) = list(&server, "");
    assert_eq!(status, 200, "{told}");
    assert!(is_closed(&asked[0]));
    assert!(!is_closed(&asked[1]));
}

#[test]
fn a_call_whose_client_has_left_keeps_its_room() {
    let line = Trouble::new();
    let (file, _folder) = super::asset_file(&line.asset);
    let server = Http::of(&["--asset", &file], &[]);
    let session = begin(&server, "", &json!({}));
    let headers = [("Mcp-Session-Id", session.as_str())];
    let call = |id: u64| {
        let body = json!({"to": USER, "messages": hello(), "more": vec![1; 150_000]});
        let inputs = json!({"json_body": body});
        let arguments = json!({"action": "push_message", "inputs": inputs, "validation": "off"});
        let params = json!({"name": "run_action", "arguments": arguments});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
    };
    let leaving = server.send(&headers, &call(1));
    line.asked.recv().unwrap();
    drop(leaving);
    for id in 2..12 {
        let ping = json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
        assert_eq!(server.post(&headers, &ping.to_string()).0, 200);
    }
    let (status, answer) = server.post(&headers, &call(12));
    assert_eq!(status, 503, "{answer}");
}

#[test]
fn no_body_is_read_but_of_what_is_posted() {
    let server = Http::new(&[]);
    let head = format!(
        "Host: {}\r\nAccept: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        server.address,
        15 * MEBIBYTE
    );
    let body = vec![b'x'; 15 * MEBIBYTE];
    let mut open = Vec::new();
    for method in ["GET", "DELETE", "PUT", "HEAD"].iter().cycle().take(20) {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        let request = format!("{method} /mcp HTTP/1.1\r\n{head}");
        stream.write_all(request.as_bytes()).unwrap();
        // A server that refuses need not read.
        let _ = stream.write_all(&body);
        open.push(stream);
    }
    let headers = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/list"),
    ];
    let list = modern("tools/list", json!({}));
    assert_eq!(server.post(&headers, &list).0, 200);
    assert_small(server.process.id(), 96 * MEBIBYTE);
}

#[test]
fn a_body_that_was_only_announced_takes_no_room() {
    let server = Http::new(&[]);
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: 16777216\r\n\r\n{{",
        server.address
    );
    let mut announced = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        announced.push(stream);
    }
    let headers = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/list"),
    ];
    let list = modern("tools/list", json!({}));
    assert_eq!(server.post(&headers, &list).0, 200);
}

#[test]
fn bodies_that_do_not_end_keep_nobody_out() {
    let server = Http::new(&[]);
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: 16777216\r\n\r\n",
        server.address
    );
    let body = vec![b' '; 16 * MEBIBYTE - 1];
    let unfinished: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            // A server that refuses need not read on.
            let _ = stream.write_all(&body);
            let wait = Duration::from_millis(10);
            stream.set_read_timeout(Some(wait)).unwrap();
            stream
        })
        .collect();
    // There is no room for all, and who made way is told so.
    let refused = || {
        let mut start = [0; 12];
        let mut streams = unfinished.iter();
        streams.any(|stream| stream.peek(&mut start).is_ok() && start == *b"HTTP/1.1 503")
    };
    while !refused() {}
    let (status, told) = list(&server, "");
    assert_eq!(status, 200, "{told}");
    let _ = begin(&server, "", &json!({}));
    let headers = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "describe_action"),
    ];
    let arguments = json!({"action": "x".repeat(12 * MEBIBYTE)});
    let params = json!({"name": "describe_action", "arguments": arguments});
    let (status, told) = server.post(&headers, &modern("tools/call", params));
    assert_eq!(status, 200, "{told}");
}

#[test]
fn large_requests_under_way_keep_no_small_one_out() {
    let line = Trouble::new();
    let (file, _folder) = super::asset_file(&line.asset);
    let server = Http::of(&["--asset", &file], &[]);
    let session = begin(&server, "", &json!({}));
    let session = ("Mcp-Session-Id", session.as_str());
    let call = |id: usize, bytes: usize| {
        let arguments = json!({"to": USER, "messages": hello()});
        let params = json!({"name": "push_message", "arguments": arguments});
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        let call = call.to_string();
        let rest = " ".repeat(bytes - call.len());
        call + &rest
    };
    let under_way: Vec<TcpStream> = [12 * MEBIBYTE, 12 * MEBIBYTE, 8 * MEBIBYTE - 32 * 1024]
        .into_iter()
        .enumerate()
        .map(|(id, bytes)| {
            let calling = server.send(&[session], &call(id, bytes));
            let mut start = [0; 12];
            calling.peek(&mut start).unwrap();
            assert_eq!(start, *b"HTTP/1.1 200");
            calling
        })
        .collect();
    let (status, told) = server.post(&[session], &call(9, MEBIBYTE));
    assert_eq!(status, 503, "{told}");
    let (status, told) = list(&server, "");
    assert_eq!(status, 200, "{told}");
    drop(under_way);
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_told_and_not_lost() {
    use std::process::{Command, Stdio};

    let full = || {
        std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let world = crate::world::World::new();
    let (file, _folder) = super::asset_file(&world.bearer());
    let arguments = json!({"to": USER, "messages": hello()});
    let call = modern(
        "tools/call",
        json!({"name": "push_message", "arguments": arguments}),
    );
    for arguments in [
        &["mcp", "--asset", &file][..],
        &["mcp", "--asset", &file, "--http", "127.0.0.1:0"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_line-connector"));
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(full())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It ends though its client does not.
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{call}").unwrap();
        let ended = child.wait_with_output().unwrap();
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(74), "{arguments:?}: {errors}");
        assert!(errors.contains("cannot be written"), "{errors}");
        let lost = if arguments.contains(&"--http") {
            "{\"listening\":\"http://127.0.0.1:"
        } else {
            "sentMessages"
        };
        assert!(errors.contains(lost), "{errors}");
    }
    assert_eq!(world.sandbox.delivered().len(), 1);
}

//! An HTTP client of nothing but a socket: what it sends is spelt out by the test, and what it
//! reads is checked byte by byte. It retries nothing and follows nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

pub(super) struct Client {
    pub(super) stream: TcpStream,
    pending: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: u16,
    fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(super) fn message(&self) -> String {
        self.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Self {
            stream,
            pending: Vec::new(),
        }
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// One call with a JSON body; `None` where no whole answer comes back.
    pub(super) fn call(
        &mut self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Option<Seen> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut all = vec![("Content-Type", "application/json")];
        all.extend_from_slice(fields);
        let host = self.stream.peer_addr().unwrap().to_string();
        all.push(("Host", &host));
        self.send(head(method, target, &all, body.len()) + &body);
        self.read()
    }

    /// One call with a form body.
    pub(super) fn form(&mut self, target: &str, form: &[(&str, &str)]) -> Seen {
        let pairs: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", value.replace(':', "%3A")))
            .collect();
        let body = pairs.join("&");
        let fields = [("Content-Type", "application/x-www-form-urlencoded")];
        self.send(head("POST", target, &fields, body.len()) + &body);
        self.read().expect("an answer")
    }

    /// Reads one answer; `None` when the connection ends, or what comes is not HTTP.
    pub(super) fn read(&mut self) -> Option<Seen> {
        let end = loop {
            if let Some(end) = self.pending.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.fill()?;
        };
        let head: Vec<u8> = self.pending.drain(..end).collect();
        let head = String::from_utf8(head).ok()?;
        let mut lines = head.lines();
        let status = lines
            .next()?
            .strip_prefix("HTTP/1.1 ")?
            .get(..3)?
            .parse()
            .ok()?;
        let fields: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut seen = Seen {
            status,
            fields,
            body: Vec::new(),
        };
        let length: usize = seen.field("content-length").unwrap_or("0").parse().ok()?;
        if status == 100 {
            return Some(seen);
        }
        while self.pending.len() < length {
            self.fill()?;
        }
        seen.body = self.pending.drain(..length).collect();
        Some(seen)
    }

    fn fill(&mut self) -> Option<()> {
        let mut block = [0; 8 * 1024];
        match self.stream.read(&mut block) {
            Ok(count) if count > 0 => {
                self.pending.extend_from_slice(&block[..count]);
                Some(())
            }
            _ => None,
        }
    }

    /// Everything that comes until the connection ends.
    pub(super) fn drain(mut self) -> Vec<u8> {
        while self.fill().is_some() {}
        self.pending
    }
}

pub(super) fn head(method: &str, target: &str, fields: &[(&str, &str)], length: usize) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if !fields.iter().any(|(name, _)| *name == "Host") {
        head.push_str("Host: 127.0.0.1\r\n");
    }
    for (name, value) in fields {
        head.extend([*name, ": ", *value, "\r\n"]);
    }
    head + &format!("Content-Length: {length}\r\n\r\n")
}

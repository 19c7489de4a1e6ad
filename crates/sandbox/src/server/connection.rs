//! HTTP/1.1 on one connection: it reads heads and bodies from a socket and writes answers to it. What
//! is answered, and how long the connection lives, is up to the listener.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use line_connector_http::Secret;

use crate::http::{Answer, Call, reason};

const MAX_HEAD_BYTES: usize = 64 * 1024;

const MAX_FIELDS: usize = 256;

/// A connection on which nothing arrives for this long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a wait checks whether the client has closed the connection.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How much a refused client may still send before the connection is cut.
const MAX_DRAINED_BYTES: usize = 64 * 1024 * 1024;

/// How the end of a request's body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
    /// The method has a body, and neither `Content-Length` nor `Transfer-Encoding` is given.
    Missing,
}

/// A request line with its header fields; the body is still on the socket.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) call: Call,
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
}

/// Why a request could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// The client closed the connection, or the socket failed.
    Gone,
    Malformed,
    LengthMissing,
    HeadTooLarge,
    BodyTooLarge,
}

/// One connection, with the bytes that were read ahead.
pub(crate) struct Connection {
    stream: TcpStream,
    pending: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(IDLE_TIMEOUT))?;
        stream.set_write_timeout(Some(IDLE_TIMEOUT))?;
        Ok(Self {
            stream,
            pending: Vec::new(),
        })
    }

    fn receive(&mut self) -> Result<(), ReadError> {
        let mut block = [0; 16 * 1024];
        loop {
            return match self.stream.read(&mut block) {
                Ok(0) => Err(ReadError::Gone),
                Ok(count) => {
                    self.pending.extend_from_slice(&block[..count]);
                    Ok(())
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => Err(ReadError::Gone),
            };
        }
    }

    pub(crate) fn read_head(&mut self) -> Result<Head, ReadError> {
        loop {
            if let Some((head, length)) = parse_head(&self.pending)? {
                if length > MAX_HEAD_BYTES {
                    return Err(ReadError::HeadTooLarge);
                }
                self.pending.drain(..length);
                return Ok(head);
            }
            if self.pending.len() > MAX_HEAD_BYTES {
                return Err(ReadError::HeadTooLarge);
            }
            self.receive()?;
        }
    }

    /// Reads a body of at most `cap` bytes.
    pub(crate) fn read_body(&mut self, framing: Framing, cap: usize) -> Result<Vec<u8>, ReadError> {
        match framing {
            Framing::Missing => Ok(Vec::new()),
            Framing::Length(length) if length > cap => Err(ReadError::BodyTooLarge),
            Framing::Length(length) => self.read_exact(length),
            Framing::Chunked => self.read_chunks(cap),
        }
    }

    fn read_exact(&mut self, length: usize) -> Result<Vec<u8>, ReadError> {
        while self.pending.len() < length {
            self.receive()?;
        }
        Ok(self.pending.drain(..length).collect())
    }

    fn read_chunks(&mut self, cap: usize) -> Result<Vec<u8>, ReadError> {
        let mut body = Vec::new();
        loop {
            let size = self.chunk_size()?;
            if size == 0 {
                break;
            }
            if size > cap - body.len() {
                return Err(ReadError::BodyTooLarge);
            }
            body.extend(self.read_exact(size)?);
            if self.read_exact(2)? != b"\r\n" {
                return Err(ReadError::Malformed);
            }
        }
        let mut trailers = 0;
        loop {
            let line = self.skip_line()?;
            trailers += line;
            match line {
                0 => return Ok(body),
                _ if trailers > MAX_HEAD_BYTES => return Err(ReadError::HeadTooLarge),
                _ => {}
            }
        }
    }

    fn chunk_size(&mut self) -> Result<usize, ReadError> {
        loop {
            match httparse::parse_chunk_size(&self.pending) {
                Ok(httparse::Status::Complete((used, size))) => {
                    self.pending.drain(..used);
                    return usize::try_from(size).map_err(|_| ReadError::BodyTooLarge);
                }
                Ok(httparse::Status::Partial) if self.pending.len() <= MAX_HEAD_BYTES => {
                    self.receive()?;
                }
                _ => return Err(ReadError::Malformed),
            }
        }
    }

    /// Skips one line and returns its length.
    fn skip_line(&mut self) -> Result<usize, ReadError> {
        loop {
            if let Some(end) = self.pending.windows(2).position(|pair| pair == b"\r\n") {
                self.pending.drain(..end + 2);
                return Ok(end);
            }
            if self.pending.len() > MAX_HEAD_BYTES {
                return Err(ReadError::HeadTooLarge);
            }
            self.receive()?;
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Writes an answer; of its body, only the first `body_length` bytes.
    pub(crate) fn write_answer(
        &mut self,
        answer: &Answer,
        keep_alive: bool,
        body_length: u64,
    ) -> io::Result<()> {
        let mut bytes = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
        let connection = (
            "connection",
            if keep_alive { "keep-alive" } else { "close" },
        );
        for (name, value) in answer.headers.iter().chain([connection]) {
            let line = [name, ": ", value].into_iter().flat_map(str::chars);
            bytes.extend(line.map(|symbol| if symbol.is_control() { ' ' } else { symbol }));
            bytes.push_str("\r\n");
        }
        bytes.push_str("\r\n");
        answer
            .body
            .write_after(bytes.into_bytes(), body_length, &mut self.stream)
    }

    /// Waits with the connection open. `false` if the client closed it meanwhile.
    pub(crate) fn wait(
        &self,
        wait: Duration,
        sleep: impl Fn(Duration),
        over: impl Fn() -> bool,
    ) -> bool {
        let start = Instant::now();
        let mut stayed = self.stream.set_read_timeout(Some(POLL_INTERVAL)).is_ok();
        while stayed && start.elapsed() < wait && !over() {
            let left = wait.saturating_sub(start.elapsed()).min(POLL_INTERVAL);
            match self.stream.peek(&mut [0]) {
                Ok(0) => stayed = false,
                Ok(_) => sleep(left),
                Err(error) => {
                    let quiet = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
                    stayed = quiet.contains(&error.kind());
                }
            }
        }
        stayed && self.stream.set_read_timeout(Some(IDLE_TIMEOUT)).is_ok()
    }

    /// Closes the connection at once.
    pub(crate) fn close(&self) {
        let _already_closed = self.stream.shutdown(Shutdown::Both);
    }

    /// Closes the connection so that a client that is still sending can read the answer: closing it
    /// with unread bytes would reset it.
    pub(crate) fn close_after_answer(mut self) {
        let patience = Duration::from_millis(500);
        if self.stream.shutdown(Shutdown::Write).is_err()
            || self.stream.set_read_timeout(Some(patience)).is_err()
        {
            return;
        }
        let mut drained = 0;
        let mut block = [0; 16 * 1024];
        while drained < MAX_DRAINED_BYTES {
            match self.stream.read(&mut block) {
                Ok(count) if count > 0 => drained += count,
                _ => break,
            }
        }
    }
}

/// Parses the head at the front of `bytes` and returns it with its length; `None` while it is
/// incomplete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, ReadError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(ReadError::HeadTooLarge),
        Err(_) => return Err(ReadError::Malformed),
    };
    let method = parsed.method.unwrap_or_default();
    let mut call = Call::new(method, parsed.path.unwrap_or_default());
    for field in parsed.headers.iter() {
        let value = String::from_utf8_lossy(field.value).into_owned();
        if field.name.eq_ignore_ascii_case("authorization") {
            call.authorization = Some(Secret::new(value));
        } else {
            call.headers.push(field.name.to_ascii_lowercase(), value);
        }
    }
    let http_1_1 = parsed.version == Some(1);
    if http_1_1 && call.headers.get("host").is_none() {
        return Err(ReadError::Malformed);
    }
    let says = |name: &str, token: &str| {
        let value = call.headers.get(name).unwrap_or_default();
        value
            .split(',')
            .any(|part| part.trim().eq_ignore_ascii_case(token))
    };
    let head = Head {
        framing: framing(&call)?,
        keep_alive: !says("connection", "close") && (http_1_1 || says("connection", "keep-alive")),
        expects_continue: says("expect", "100-continue"),
        call,
    };
    Ok(Some((head, length)))
}

fn framing(call: &Call) -> Result<Framing, ReadError> {
    let all = |name: &'static str| {
        call.headers
            .iter()
            .filter(move |(known, _)| *known == name)
            .map(|(_, value)| value.trim())
    };
    let mut lengths = all("content-length");
    let length = lengths.next();
    // Two different lengths are how requests are smuggled past a proxy.
    if lengths.any(|other| Some(other) != length) {
        return Err(ReadError::Malformed);
    }
    match (
        all("transfer-encoding").collect::<Vec<_>>().as_slice(),
        length,
    ) {
        ([], Some(length)) => {
            let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
            let parsed = if digits {
                length.parse()
            } else {
                return Err(ReadError::Malformed);
            };
            Ok(Framing::Length(parsed.unwrap_or(usize::MAX)))
        }
        ([], None) if matches!(call.method.as_str(), "POST" | "PUT" | "PATCH") => {
            Ok(Framing::Missing)
        }
        ([], None) => Ok(Framing::Length(0)),
        ([coding], None) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        _ => Err(ReadError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Result<Option<(Head, usize)>, ReadError> {
        parse_head(head.as_bytes())
    }

    fn framed(fields: &str) -> Result<Framing, ReadError> {
        let head = format!("POST /x HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
        read(&head).map(|read| read.unwrap().0.framing)
    }

    #[test]
    fn the_end_of_a_body_is_found_or_the_request_refused() {
        assert_eq!(framed(""), Ok(Framing::Missing));
        assert_eq!(framed("Content-Length: 7\r\n"), Ok(Framing::Length(7)));
        assert_eq!(
            framed("Transfer-Encoding: chunked\r\n"),
            Ok(Framing::Chunked)
        );
        assert_eq!(
            framed("Content-Length: 7\r\nContent-Length: 7\r\n"),
            Ok(Framing::Length(7))
        );
        for wrong in [
            "Content-Length: 7\r\nContent-Length: 8\r\n",
            "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: +7\r\n",
            "Content-Length: \r\n",
            "Transfer-Encoding: gzip\r\n",
        ] {
            assert_eq!(framed(wrong), Err(ReadError::Malformed), "{wrong}");
        }
    }

    #[test]
    fn a_head_is_taken_apart() {
        let text = "GET http://a/b?c=d HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n\r\nrest";
        let (head, length) = read(text).unwrap().unwrap();
        assert_eq!(length, text.len() - 4);
        assert_eq!(
            (head.call.path.as_str(), head.call.bearer()),
            ("/b", Some("t"))
        );
        assert!(head.keep_alive && !head.expects_continue);
        assert_eq!(head.call.headers.get("authorization"), None);
        assert!(read("GET /b HTTP/1.1\r\nHost").unwrap().is_none());
        assert!(
            read("GET /b HTTP/1.1\r\n\r\n").is_err(),
            "HTTP/1.1 without Host"
        );
        assert!(
            !read("GET /b HTTP/1.0\r\n\r\n")
                .unwrap()
                .unwrap()
                .0
                .keep_alive
        );
    }
}

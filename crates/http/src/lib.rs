//! The HTTP types that every crate of the workspace shares: a request, a reply, why there is none,
//! and the one trait that turns a request into a reply. It opens no socket.

mod secret;

use std::io;
use std::time::Duration;

pub use secret::{REDACTED, Secret};

/// The HTTP methods that LINE's API uses.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or sends.
    Post,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

/// Header fields in the order they were added; names compare without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Names and values, one behind the other: of a dozen fields most are only passed on.
    text: String,
    /// Where each name and its value end.
    ends: Vec<(usize, usize)>,
}

/// What most messages have in fields, so that few grow.
const USUAL_FIELDS: usize = 16;
const USUAL_BYTES: usize = 512;

impl Headers {
    /// No fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field; an earlier one of the same name stays.
    pub fn push(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) {
        if self.ends.is_empty() {
            self.ends.reserve(USUAL_FIELDS);
            self.text.reserve(USUAL_BYTES);
        }
        self.text.push_str(name.as_ref());
        let name = self.text.len();
        self.text.push_str(value.as_ref());
        self.ends.push((name, self.text.len()));
    }

    /// The first value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |&(name, value)| {
            let field = (&self.text[start..name], &self.text[name..value]);
            start = value;
            field
        })
    }
}

/// One HTTP request, complete but for what the transport adds (`Host`, `User-Agent`,
/// `Content-Length`).
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The absolute URL, percent-encoded.
    pub url: String,
    /// The fields, without `Authorization`.
    pub headers: Headers,
    /// What goes into `Authorization: Bearer …`; kept apart so that `Debug` cannot show it.
    pub bearer: Option<Secret>,
    /// The body; empty means none, sent as `Content-Length: 0` where the method takes a body.
    pub body: Vec<u8>,
    /// How long one attempt may take, from connecting to the last byte of the reply.
    pub timeout: Duration,
    /// How long a download may take, to its last byte; `None` where only its pauses are bounded.
    pub download_timeout: Option<Duration>,
}

/// One HTTP reply, body read to its end.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The reason phrase that belongs to the status code.
    pub reason: String,
    /// The fields.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection: refused, unreachable, no such host.
    Connect,
    /// The time was up.
    Timeout,
    /// The TLS handshake failed: an unknown or expired certificate, a name that does not match.
    Tls,
    /// The connection broke, or what came over it was not HTTP.
    Broken,
    /// The reply was larger than the cap.
    TooLarge,
    /// The URL or a header cannot be sent at all.
    Invalid,
    /// The receiver could not take the body: no space, no permission.
    Receiver,
}

/// Takes a body as it arrives, instead of memory.
pub trait Receiver {
    /// Forgets what came so far: a body begins.
    ///
    /// # Errors
    ///
    /// Where there is nowhere to put it.
    fn restart(&mut self) -> io::Result<()>;

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// Where they cannot be kept.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// A request that got no reply.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// Whether the request may have reached the server. `false` only where it provably never left.
    pub maybe_sent: bool,
    /// A lower-case fragment for people, without secrets.
    pub message: String,
}

/// Turns a request into a reply: the network, or the sandbox in memory.
pub trait Transport: Send + Sync {
    /// Sends one request, once.
    ///
    /// # Errors
    ///
    /// A [`Failure`] where no complete reply came back.
    fn send(&self, request: &Request) -> Result<Reply, Failure>;

    /// Sends one request, once, and hands the body of a 200 to `receiver` as it arrives; the reply
    /// then has none. Any other answer comes whole, as from [`Transport::send`].
    ///
    /// # Errors
    ///
    /// As [`Transport::send`], and where the receiver fails.
    fn download(&self, request: &Request, receiver: &mut dyn Receiver) -> Result<Reply, Failure> {
        let mut reply = self.send(request)?;
        if reply.status == 200 {
            let body = std::mem::take(&mut reply.body);
            receiver
                .restart()
                .and_then(|()| receiver.take(&body))
                .map_err(|error| Failure::of_receiver(&error))?;
        }
        Ok(reply)
    }
}

impl Failure {
    /// The reply came, and its receiver could not take the body.
    #[must_use]
    pub fn of_receiver(error: &io::Error) -> Self {
        Self {
            kind: FailureKind::Receiver,
            maybe_sent: true,
            message: format!("the content could not be kept: {error}"),
        }
    }
}

/// Whether a text can be the value of a header, of a request or of a part: visible ASCII and blanks.
#[must_use]
pub fn is_header_value(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

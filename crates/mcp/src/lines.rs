//! JSON-RPC over a pair of streams, a message a line. What is read is bounded before it is parsed, and an
//! answer that cannot be written is handed to somebody else.

use std::io;
use std::mem::take;

use line_connector_core::documents::json::{self, MAX_VALUES, values_at_most};
use rmcp::RoleServer;
use rmcp::model::{ErrorCode, ErrorData, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::Mutex;

use crate::bounded::{MAX_REQUEST_BYTES, MEBIBYTE};

/// What a client has sent.
pub(crate) enum Received {
    /// A message, and how many bytes and values it has.
    Message(Box<RxJsonRpcMessage<RoleServer>>, usize, usize),
    /// What cannot be taken, and why.
    Refused(ErrorData, Option<RequestId>),
}

/// The lines of a client.
pub(crate) struct Input<R> {
    stream: BufReader<R>,
    /// The line as far as it has come: reading may be given up and taken up again.
    line: Vec<u8>,
    /// Whether the rest of the line is skipped.
    skipping: bool,
}

impl<R: AsyncRead + Unpin> Input<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self {
            stream: BufReader::new(stream),
            line: Vec::new(),
            skipping: false,
        }
    }

    /// The next message; nothing at the end.
    pub(crate) async fn read(&mut self) -> Option<Received> {
        loop {
            let read = self.stream.fill_buf().await.ok()?;
            if read.is_empty() {
                return None;
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(read.len(), |end| end + 1);
            if !self.skipping {
                self.line
                    .extend_from_slice(read.get(..taken).unwrap_or_default());
            }
            self.stream.consume(taken);
            let received = if self.line.len() > MAX_REQUEST_BYTES {
                self.skipping = true;
                too_long(&take(&mut self.line))
            } else if end.is_some() && !self.skipping {
                parsed(&take(&mut self.line))
            } else {
                None
            };
            if end.is_some() {
                self.skipping = false;
            }
            if received.is_some() {
                return received;
            }
        }
    }
}

fn too_long(start: &[u8]) -> Option<Received> {
    let text = String::from_utf8_lossy(start);
    let most = MAX_REQUEST_BYTES / MEBIBYTE;
    refused(
        &text,
        ErrorCode::INVALID_REQUEST,
        format!("a request has at most {most} MiB"),
    )
}

/// The message in a line. What is not JSON and shows no ID is nobody's request.
fn parsed(line: &[u8]) -> Option<Received> {
    let text = json::decoded(line).ok()?;
    let values = values_at_most(text.as_bytes());
    if values > MAX_VALUES {
        let reason = format!("a request has at most {MAX_VALUES} values");
        return refused(text, ErrorCode::INVALID_REQUEST, reason);
    }
    match serde_json::from_str(text) {
        Ok(message) => Some(Received::Message(Box::new(message), line.len(), values)),
        Err(error) if error.is_data() => no_message(text),
        Err(error) => {
            let reason = json::why(text, &error).to_string();
            refused(text, ErrorCode::PARSE_ERROR, reason)
        }
    }
}

/// A refusal where the client can tell what it is about.
fn refused(text: &str, code: ErrorCode, reason: String) -> Option<Received> {
    let id = json::visible_id(text)?.value();
    let id = serde_json::from_value(id).ok()?;
    Some(Received::Refused(
        ErrorData::new(code, reason, None),
        Some(id),
    ))
}

/// The refusal of JSON that is no message. A notification that nobody knows is none of our business.
fn no_message(text: &str) -> Option<Received> {
    let value: Value = serde_json::from_str(text).ok()?;
    if value.get("id").is_none() && value["method"].is_string() {
        return None;
    }
    let id = value.get("id").cloned();
    let id = id.and_then(|id| serde_json::from_value(id).ok());
    let error = ErrorData::invalid_request("this is no message of the protocol", None);
    Some(Received::Refused(error, id))
}

/// Told of an answer that could not be written, and why.
pub(crate) type Unwritten = Box<dyn Fn(&io::Error, &str) + Send + Sync>;

/// The lines to a client.
pub(crate) struct Output<W> {
    /// The stream, until it has failed.
    stream: Mutex<Result<W, io::ErrorKind>>,
    unwritten: Unwritten,
}

impl<W: AsyncWrite + Unpin> Output<W> {
    pub(crate) fn new(stream: W, unwritten: Unwritten) -> Self {
        Self {
            stream: Mutex::new(Ok(stream)),
            unwritten,
        }
    }

    pub(crate) async fn write(&self, message: TxJsonRpcMessage<RoleServer>) -> io::Result<()> {
        let mut line = serde_json::to_string(&message)?;
        line.push('\n');
        let mut stream = self.stream.lock().await;
        let written = match &mut *stream {
            Ok(stream) => match stream.write_all(line.as_bytes()).await {
                Ok(()) => stream.flush().await,
                failed => failed,
            },
            Err(kind) => Err(io::Error::from(*kind)),
        };
        if let Err(error) = &written {
            // Half a line may have left: nothing can follow it.
            *stream = Err(error.kind());
            if matches!(
                message,
                JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_)
            ) {
                (self.unwritten)(error, line.trim_end());
            }
        }
        written
    }
}

//! Bounds how many requests of a client are under way, and how much they hold: the protocol's library
//! starts each at once, and a client may send them faster than LINE answers.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleServer;
use rmcp::model::{ClientNotification, ErrorCode, ErrorData, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::lines::{Input, Output, Received};

/// The most requests under way.
const REQUESTS: usize = 64;
/// The largest request, bytes.
pub(crate) const MAX_REQUEST_BYTES: usize = 16 * MEBIBYTE;
/// The most bytes of requests under way together; a single one may have more.
pub(crate) const BYTES: usize = 32 * MEBIBYTE;
/// Bytes.
pub(crate) const MEBIBYTE: usize = 1024 * 1024;
/// What a value counts for beside its text: it takes more memory than that.
const VALUE_BYTES: usize = 128;
/// JSON-RPC's code for what the server cannot do now.
const BUSY: i32 = -32000;

/// What a request of so many bytes and values holds, bytes.
pub(crate) fn weight(bytes: usize, values: usize) -> usize {
    bytes + VALUE_BYTES * values
}

/// A transport over streams, with a bound.
pub(crate) struct Bounded<R, W> {
    input: Input<R>,
    output: Arc<Output<W>>,
    /// What is under way, and its weight.
    under_way: Arc<Mutex<HashMap<RequestId, usize>>>,
    /// A refusal on its way out. Nothing more is read until it has left, so a client that does not
    /// read its answers is not read either.
    refusal: Option<JoinHandle<()>>,
    /// Whether the end was asked for.
    stop: watch::Receiver<bool>,
}

impl<R, W> Bounded<R, W> {
    pub(crate) fn new(input: Input<R>, output: Output<W>, stop: watch::Receiver<bool>) -> Self {
        Self {
            input,
            output: Arc::new(output),
            under_way: Arc::default(),
            refusal: None,
            stop,
        }
    }

    /// Takes a request in, or says why not.
    fn admit(&self, id: &RequestId, weight: usize) -> Result<(), ErrorData> {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if under_way.contains_key(id) {
            let text = "a request with this id is under way";
            return Err(ErrorData::invalid_request(text, None));
        }
        let all: usize = under_way.values().sum();
        if under_way.len() >= REQUESTS || (all > 0 && all + weight > BYTES) {
            let text = format!(
                "{REQUESTS} requests, or {} MiB of them, are under way: wait for their answers",
                BYTES / MEBIBYTE
            );
            return Err(ErrorData::new(ErrorCode(BUSY), text, None));
        }
        under_way.insert(id.clone(), weight);
        Ok(())
    }
}

impl<R, W> Bounded<R, W>
where
    W: AsyncWrite + Send + Unpin + 'static,
{
    fn refuse(&mut self, error: ErrorData, id: Option<RequestId>) {
        let output = Arc::clone(&self.output);
        self.refusal = Some(tokio::spawn(async move {
            let _ = output.write(JsonRpcMessage::error(error, id)).await;
        }));
    }
}

impl<R, W> Transport<RoleServer> for Bounded<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let answered = match &item {
            JsonRpcMessage::Response(response) => Some(response.id.clone()),
            JsonRpcMessage::Error(error) => error.id.clone(),
            _ => None,
        };
        let under_way = Arc::clone(&self.under_way);
        let output = Arc::clone(&self.output);
        async move {
            let sent = output.write(item).await;
            if let Some(id) = answered {
                let mut under_way = under_way.lock().unwrap_or_else(PoisonError::into_inner);
                under_way.remove(&id);
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(refusal) = &mut self.refusal {
                let _ = refusal.await;
                self.refusal = None;
            }
            let received = tokio::select! {
                received = self.input.read() => received?,
                _ = self.stop.wait_for(|stop| *stop) => return None,
            };
            let (message, bytes, values) = match received {
                Received::Message(message, bytes, values) => (message, bytes, values),
                Received::Refused(error, id) => {
                    self.refuse(error, id);
                    continue;
                }
            };
            match &*message {
                JsonRpcMessage::Request(request) => {
                    if let Err(error) = self.admit(&request.id, weight(bytes, values)) {
                        self.refuse(error, Some(request.id.clone()));
                        continue;
                    }
                }
                // Nobody answers what was cancelled.
                JsonRpcMessage::Notification(notification) => {
                    if let ClientNotification::CancelledNotification(cancelled) =
                        &notification.notification
                        && let Some(id) = &cancelled.params.request_id
                    {
                        let under_way = self.under_way.lock();
                        under_way.unwrap_or_else(PoisonError::into_inner).remove(id);
                    }
                }
                _ => {}
            }
            return Some(*message);
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

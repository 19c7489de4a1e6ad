//! Bounds how many requests of a client are under way, and how much they hold: the protocol's library
//! starts each at once, and a client may send them faster than LINE answers. It looks into no request.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleServer;
use rmcp::model::{
    ClientNotification, ClientRequest, ErrorCode, ErrorData, JsonRpcMessage, RequestId,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The most requests under way.
const REQUESTS: usize = 64;
/// The largest request, bytes.
pub(crate) const MAX_REQUEST_BYTES: usize = 16 * MEBIBYTE;
/// The most bytes of them together; a single one may have more.
pub(crate) const BYTES: usize = 32 * MEBIBYTE;
/// Bytes.
pub(crate) const MEBIBYTE: usize = 1024 * 1024;
/// JSON-RPC's code for what the server cannot do now.
const BUSY: i32 = -32000;

/// A transport with a bound.
pub(crate) struct Bounded<T> {
    transport: T,
    /// What is under way, and its bytes.
    under_way: Arc<Mutex<HashMap<RequestId, usize>>>,
    /// A refusal on its way out. Nothing more is read until it has left, so a client that does not
    /// read its answers is not read either.
    refusal: Option<JoinHandle<()>>,
    /// Whether the end was asked for.
    stop: watch::Receiver<bool>,
}

impl<T> Bounded<T> {
    pub(crate) fn new(transport: T, stop: watch::Receiver<bool>) -> Self {
        Self {
            transport,
            under_way: Arc::default(),
            refusal: None,
            stop,
        }
    }
}

impl<T: Transport<RoleServer> + Send> Transport<RoleServer> for Bounded<T> {
    type Error = T::Error;

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
        let sent = self.transport.send(item);
        async move {
            let sent = sent.await;
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
            let message = tokio::select! {
                message = self.transport.receive() => message?,
                _ = self.stop.wait_for(|stop| *stop) => return None,
            };
            let bytes = match &message {
                JsonRpcMessage::Request(request) => size(&request.request),
                _ => 0,
            };
            let mut under_way = self
                .under_way
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            match &message {
                JsonRpcMessage::Request(request) if is_full(&under_way, bytes) => {
                    let text = format!(
                        "{REQUESTS} requests, or {} MiB of them, are under way: wait for their answers",
                        BYTES / MEBIBYTE
                    );
                    let error = ErrorData::new(ErrorCode(BUSY), text, None);
                    let id = Some(request.id.clone());
                    drop(under_way);
                    let refused = self.transport.send(JsonRpcMessage::error(error, id));
                    self.refusal = Some(tokio::spawn(async move {
                        let _ = refused.await;
                    }));
                    continue;
                }
                JsonRpcMessage::Request(request) => {
                    under_way.insert(request.id.clone(), bytes);
                }
                // Nobody answers what was cancelled.
                JsonRpcMessage::Notification(notification) => {
                    if let ClientNotification::CancelledNotification(cancelled) =
                        &notification.notification
                        && let Some(id) = &cancelled.params.request_id
                    {
                        under_way.remove(id);
                    }
                }
                _ => {}
            }
            drop(under_way);
            return Some(message);
        }
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.transport.close()
    }
}

/// Whether there is no room for a request of so many bytes.
fn is_full(under_way: &HashMap<RequestId, usize>, bytes: usize) -> bool {
    let all: usize = under_way.values().sum();
    under_way.len() >= REQUESTS || (all > 0 && all + bytes > BYTES)
}

/// How many bytes a request takes as JSON.
fn size(request: &ClientRequest) -> usize {
    struct Counter(usize);

    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    let _ = serde_json::to_writer(&mut counter, request);
    counter.0
}

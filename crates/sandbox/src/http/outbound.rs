//! A request that the sandbox itself sends before it answers: a webhook, or the test of a webhook
//! endpoint. It is sent while no lock is held, because its receiver may call the sandbox before it
//! replies.

use line_connector_http::{Failure, Reply, Request, Transport};
use serde_json::Value;

/// A request to send, and how to make an answer of type `A` from the outcome.
#[derive(Debug, Clone)]
pub(crate) struct Outbound<A> {
    request: Request,
    /// What is known before the reply.
    known: Value,
    finish: fn(&Value, Result<Reply, Failure>) -> A,
}

impl<A> Outbound<A> {
    pub(crate) fn new(
        request: Request,
        known: Value,
        finish: fn(&Value, Result<Reply, Failure>) -> A,
    ) -> Self {
        Self {
            request,
            known,
            finish,
        }
    }

    /// Sends the request and waits for its reply.
    pub(crate) fn send(self, transport: &dyn Transport) -> A {
        (self.finish)(&self.known, transport.send(&self.request))
    }
}

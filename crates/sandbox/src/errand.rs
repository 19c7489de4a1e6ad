//! What the sandbox sends by itself: a webhook, on the way to an answer that tells how it went. It is
//! run when no lock is held, because its receiver may call the sandbox before it answers.

use serde_json::Value;

use super::exchange::Answer;
use line_connector_http::{Failure, Reply, Request, Transport};

/// Makes the answer from what was known before and what came back.
type Finish = fn(&Value, Result<Reply, Failure>) -> Answer;

/// A request to send before an answer can be given.
#[derive(Debug, Clone)]
pub(super) struct Errand {
    request: Request,
    known: Value,
    finish: Finish,
}

impl Errand {
    pub(super) fn new(request: Request, known: Value, finish: Finish) -> Self {
        Self {
            request,
            known,
            finish,
        }
    }

    /// Sends it.
    pub(super) fn run(self, outward: &dyn Transport) -> Answer {
        (self.finish)(&self.known, outward.send(&self.request))
    }
}

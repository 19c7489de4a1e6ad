//! The sandbox as a [`Transport`]: calls in memory instead of over a network. A broken answer becomes
//! the failure that a client would see.

use std::time::Duration;

use line_connector_http::{Failure, FailureKind, Reply, Request, Secret, Transport};

use crate::effect::Effect;
use crate::http::{Answer, Call, reason};
use crate::sandbox::Sandbox;

/// The longest generated body that is built in memory.
const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024;

impl Transport for Sandbox {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        let mut call = Call::new(request.method.as_str(), &request.url);
        call.headers = request.headers.clone();
        call.body.clone_from(&request.body);
        call.authorization = request
            .bearer
            .as_ref()
            .map(|token| Secret::new(format!("Bearer {}", token.expose())));
        let fault = self.take_fault(&call);
        match self.handle(&call, fault) {
            Effect::Answer(answer) => reply(answer),
            Effect::Delayed(wait, answer) if wait < request.timeout => {
                (self.settings().sleep)(wait);
                reply(answer)
            }
            Effect::Delayed(wait, _) | Effect::Stalled(wait) => {
                Err(self.give_up(wait, request.timeout))
            }
            Effect::Truncated(_) => Err(broken("the connection ended in the middle of the reply")),
            Effect::Closed => Err(broken("the connection ended before a reply came")),
            Effect::Garbage => Err(broken("the reply is not HTTP")),
        }
    }
}

impl Sandbox {
    /// Waits, as a client would, for an answer that does not come.
    fn give_up(&self, wait: Duration, timeout: Duration) -> Failure {
        (self.settings().sleep)(wait.min(timeout));
        if wait < timeout {
            return broken("the connection ended before a reply came");
        }
        Failure {
            kind: FailureKind::Timeout,
            maybe_sent: true,
            message: "no reply came within the time allowed".to_owned(),
        }
    }
}

fn broken(message: &str) -> Failure {
    Failure {
        kind: FailureKind::Broken,
        maybe_sent: true,
        message: message.to_owned(),
    }
}

fn reply(answer: Answer) -> Result<Reply, Failure> {
    let mut headers = answer.headers;
    headers.push("connection", "keep-alive");
    let body = answer
        .body
        .into_bytes(MAX_BODY_BYTES)
        .ok_or_else(|| Failure {
            kind: FailureKind::TooLarge,
            maybe_sent: true,
            message: format!("in memory, the sandbox answers with at most {MAX_BODY_BYTES} bytes"),
        })?;
    Ok(Reply {
        status: answer.status,
        reason: reason(answer.status).to_owned(),
        headers,
        body,
    })
}

//! What LINE answers, for every action.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use line_connector_client::{Connector, Invocation};
use line_connector_http::{Failure, Headers, Reply, Request, Transport};
use serde_json::{Value, json};

use super::{ACTIONS, CATALOG, PLANTED, sound};

/// The status that two zeros stand for.
pub(crate) const FIRST_STATUS: u16 = 200;

/// Answers with one reply, and keeps the last request.
#[derive(Default)]
pub(crate) struct Line {
    reply: Mutex<Reply>,
    request: Mutex<Option<Request>>,
}

impl Line {
    /// A connector that calls it.
    pub(crate) fn connector(self: &Arc<Self>) -> Connector {
        let line: Arc<dyn Transport> = Arc::<Self>::clone(self);
        Connector::builder().transport(line).build()
    }

    pub(crate) fn answers(&self, reply: Reply) {
        *self.reply.lock().unwrap_or_else(PoisonError::into_inner) = reply;
    }

    /// The request that came since this was asked.
    pub(crate) fn request(&self) -> Option<Request> {
        let mut request = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        request.take()
    }
}

impl Transport for Line {
    fn send(&self, request: &Request) -> Result<Reply, Failure> {
        let mut last = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(request.clone());
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(reply.clone())
    }
}

static LINE: LazyLock<Arc<Line>> = LazyLock::new(Arc::default);
static CALLER: LazyLock<Connector> = LazyLock::new(|| LINE.connector());
/// A call of each action, with the inputs of its first example.
static CALLS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let call = |name: &String| {
        let examples = CATALOG.examples(name);
        json!({
            "action": name, "inputs": examples.first().map(|example| &example.inputs),
            "asset": {"url": "https://line.example", "token": PLANTED, "rate_limits": {"*": "off"}},
            "options": {"attempts": 1},
        })
    };
    ACTIONS.iter().map(call).collect()
});

/// Bytes as an action's index, and LINE's answer to it: status, a header, the body.
pub(crate) fn reply(bytes: &[u8]) {
    let [action_high, action_low, status_high, status_low, body @ ..] = bytes else {
        return;
    };
    let index = usize::from(u16::from_be_bytes([*action_high, *action_low]));
    let mut headers = Headers::new();
    let value = String::from_utf8_lossy(&body[..body.len().min(20)]);
    headers.push("X-Line-Request-Id", &value);
    let status = FIRST_STATUS + u16::from_be_bytes([*status_high, *status_low]) % 400;
    LINE.answers(Reply {
        status,
        headers,
        body: body.to_vec(),
        ..Reply::default()
    });
    let document = CALLS[index % CALLS.len()].clone();
    let output = CALLER.call(Invocation::from_value(document).expect("a document"));
    sound(&output, bytes);
    let sent = LINE.request().is_some();
    assert!(sent, "{}", output.render());
}

//! The sandbox itself: it runs one call at a time against the state, applies faults, and records what
//! happened.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde_json::Value;

use crate::effect::{self, Effect};
use crate::http::{Answer, Call};
use crate::settings::Settings;
use crate::state::{Context, State};
use crate::store::fault::{Fault, FaultKind};
use crate::store::record::{Delivery, Record};
use crate::{calendar, client_assertion, control, ids, routes};

/// A simulated LINE channel. It is `Sync`: any number of threads may call it.
pub struct Sandbox {
    settings: Settings,
    state: Mutex<State>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sandbox")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// A channel to which nothing has happened yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let state = Mutex::new(State::new(&settings));
        Self { settings, state }
    }

    /// The settings it was created with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The asset for a connector that reaches this sandbox at `base`, such as a listener's URL.
    #[must_use]
    pub fn asset(&self, base: &str) -> Value {
        self.settings.asset(base)
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Record> {
        self.state().records.to_vec()
    }

    /// Every send that was accepted, once each, in order.
    #[must_use]
    pub fn delivered(&self) -> Vec<Delivery> {
        self.state().deliveries.to_vec()
    }

    /// Forgets the requests and the deliveries so far; counters, tokens and retry keys stay.
    pub fn forget(&self) {
        self.state().forget_records();
    }

    /// Queues a fault for the next call that it applies to.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Creates a reply token that can be used once, within 60 seconds.
    #[must_use]
    pub fn reply_token(&self) -> String {
        let now = (self.settings.now)();
        self.state().reply_tokens.create(now)
    }

    /// Simulates events, as `POST /sandbox/events` does: one, or an array of them in one webhook.
    /// Returns that endpoint's document, after the receiver has answered.
    ///
    /// # Errors
    ///
    /// What is wrong with the description, as a sentence.
    pub fn play(&self, described: &Value) -> Result<Value, String> {
        self.control("/sandbox/events", described)
    }

    /// Delivers an earlier event again, as `POST /sandbox/events/{id}/redeliver` does.
    ///
    /// # Errors
    ///
    /// If there was no such event, or it is no longer remembered.
    pub fn redeliver(&self, webhook_event_id: &str) -> Result<Value, String> {
        let path = format!("/sandbox/events/{webhook_event_id}/redeliver");
        self.control(&path, &Value::Null)
    }

    /// Calls a control endpoint.
    fn control(&self, path: &str, body: &Value) -> Result<Value, String> {
        let mut call = Call::new("POST", path);
        call.headers.push("Content-Type", "application/json");
        call.body = body.to_string().into_bytes();
        let Effect::Answer(answer) = self.handle(&call, None) else {
            return Err("the control endpoints answer".to_owned());
        };
        let bytes = answer.body.into_bytes(u64::MAX).unwrap_or_default();
        let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match (answer.status, &said["message"]) {
            (200, _) => Ok(said),
            (_, text) => Err(text.as_str().unwrap_or_default().to_owned()),
        }
    }

    /// Registers a public JWK for client assertions and returns its `kid`.
    ///
    /// # Errors
    ///
    /// What is wrong with the key, as a sentence.
    pub fn register_key(&self, jwk: &Value) -> Result<String, String> {
        client_assertion::register(&mut self.state(), jwk)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the fault that applies to a call, of which only the head need be known.
    pub(crate) fn take_fault(&self, call: &Call) -> Option<FaultKind> {
        if call.path.starts_with(control::PREFIX) {
            return None;
        }
        self.state().faults.take(call, &self.settings)
    }

    /// Processes one call and records it.
    pub(crate) fn handle(&self, call: &Call, fault: Option<FaultKind>) -> Effect {
        let now = (self.settings.now)();
        let request_id = ids::new_uuid();
        let mut record = Record::of(call, &request_id, &self.settings);
        let is_control = call.path.starts_with(control::PREFIX);
        let mut guard = self.state();
        let mut ctx = Context {
            state: &mut guard,
            settings: &self.settings,
            call,
            now,
            request_id: &request_id,
            parameters: Vec::new(),
            record: &mut record,
        };
        let effect = match fault {
            _ if is_control => Effect::Answer(control::dispatch(&mut ctx)),
            None => Effect::Answer(process(&mut ctx)),
            Some(fault) => effect::apply(fault, &mut ctx, process),
        };
        record.status = match &effect {
            Effect::Answer(answer) | Effect::Delayed(_, answer) => Some(answer.status),
            _ => None,
        };
        if !is_control {
            guard.add_record(record);
        }
        drop(guard);
        let finish = |answer| add_common_headers(self.send_outbound(answer), &request_id, now);
        match effect {
            Effect::Answer(answer) => Effect::Answer(finish(answer)),
            Effect::Delayed(wait, answer) => Effect::Delayed(wait, finish(answer)),
            Effect::Truncated(answer) => Effect::Truncated(finish(answer)),
            silent => silent,
        }
    }

    /// Sends the request that an answer waits for, if any.
    fn send_outbound(&self, mut answer: Answer) -> Answer {
        match (answer.outbound.take(), &self.settings.outward) {
            (Some(outbound), Some(transport)) => outbound.send(transport.as_ref()),
            _ => answer,
        }
    }

    /// Records a call that could not be read, and completes its answer.
    pub(crate) fn refuse(&self, call: &Call, answer: Answer) -> Answer {
        let request_id = ids::new_uuid();
        let mut record = Record::of(call, &request_id, &self.settings);
        record.status = Some(answer.status);
        self.state().add_record(record);
        add_common_headers(answer, &request_id, (self.settings.now)())
    }
}

/// Processes a call without a fault.
fn process(ctx: &mut Context<'_>) -> Answer {
    if ctx.call.body.len() > routes::max_body_bytes(&ctx.call.path) {
        return Answer::html(413);
    }
    routes::dispatch(ctx).unwrap_or_else(|refusal| refusal)
}

/// Adds the header fields that every answer of LINE has.
fn add_common_headers(answer: Answer, request_id: &str, now: SystemTime) -> Answer {
    let date = calendar::http_date(now);
    let length = answer.body.len().to_string();
    answer
        .with("server", "legy")
        .with("x-line-request-id", request_id)
        .with("x-content-type-options", "nosniff")
        .with("x-frame-options", "DENY")
        .with("x-xss-protection", "1; mode=block")
        .with("cache-control", "max-age=0, no-cache, no-store")
        .with("pragma", "no-cache")
        .with("expires", &date)
        .with("date", &date)
        .with("content-length", &length)
}

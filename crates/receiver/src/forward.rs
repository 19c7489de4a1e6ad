//! Events as POSTs to the platform's URL, signed in the way of the Standard Webhooks specification.
//! It makes one attempt at a time and judges its answer; the `coordinator` decides what follows.

use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use ring::hmac;

use line_connector_core::digest::sha256;
use line_connector_core::{backoff, encoding};
use line_connector_http::{
    Failure, FailureKind, Headers, Method, Reply, Request, Secret, Transport,
};

use super::coordinator::{Message, Recall, Turn};
use super::document::document;
use super::host::Clock;
use super::policy::DeliveryResult;
use super::queue::QueuedEvent;
use super::supervisor::Supervisor;

/// The longest id that is sent as it is, bytes.
const MAX_ID_BYTES: usize = 256;
/// What one attempt needs of its thread's stack at most.
const STACK_BYTES: usize = 512 * 1024;

/// Where events are posted to.
pub struct Target {
    /// The URL, absolute.
    pub url: String,
    /// What signs them, if anything.
    pub signer: Option<Signer>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// What sends.
    pub transport: Arc<dyn Transport>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Target").finish_non_exhaustive()
    }
}

/// A secret that the platform shares, prepared for many bodies.
pub struct Signer(hmac::Key);

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Signer")
    }
}

impl Signer {
    /// Prepares a secret: `whsec_` and base64 as the specification writes it, or any other text as
    /// it is. `None` where it is empty, or not base64 after `whsec_`.
    #[must_use]
    pub fn new(secret: &Secret) -> Option<Self> {
        let text = secret.expose();
        let key = match text.strip_prefix("whsec_") {
            Some(encoded) => encoding::from_base64(encoded)?,
            None => text.as_bytes().to_vec(),
        };
        (!key.is_empty()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The value of `webhook-signature`.
    fn sign(&self, id: &str, seconds: u64, body: &str) -> String {
        let signed = format!("{id}.{seconds}.{body}");
        let tag = hmac::sign(&self.0, signed.as_bytes());
        format!("v1,{}", encoding::base64(tag.as_ref()))
    }
}

/// Starts the threads that post events until there are no more.
pub(crate) fn start(
    target: Target,
    threads: usize,
    turns: Receiver<Turn>,
    recall: &Recall,
    coordinator_tx: &SyncSender<Message>,
    clock: &Clock,
    supervisor: &Supervisor,
) -> std::io::Result<()> {
    let target = Arc::new(target);
    let turns = Arc::new(Mutex::new(turns));
    for _ in 0..threads {
        let (target, turns) = (Arc::clone(&target), Arc::clone(&turns));
        let recall = recall.clone();
        let (coordinator_tx, clock) = (coordinator_tx.clone(), Arc::clone(clock));
        let containing = supervisor.clone();
        supervisor.spawn("forward", Some(STACK_BYTES), move || {
            loop {
                let next = turns.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(turn) = next else {
                    return;
                };
                // A bug costs this attempt. The thread goes on to the next event.
                let result = containing.contain(|| attempt(&target, &turn, &recall, &clock));
                let _ = coordinator_tx.send(Message::Settled {
                    sequence: turn.event.sequence,
                    result: result.unwrap_or_else(DeliveryResult::panicked),
                });
            }
        })?;
    }
    Ok(())
}

/// One attempt, and how it ended.
fn attempt(target: &Target, turn: &Turn, recall: &Recall, clock: &Clock) -> DeliveryResult {
    if recall.covers(turn) {
        return DeliveryResult::NotTried;
    }
    match document(&turn.event, turn.stale) {
        Ok(body) => result_of(
            &target
                .transport
                .send(&request(target, &turn.event, body, clock)),
        ),
        Err(reason) => DeliveryResult::Undeliverable { reason },
    }
}

/// The same for each attempt of an event, and no other event's: the platform's key for telling
/// whether it has the event already. What cannot stand in a header is replaced by its digest.
fn delivery_id(event: &QueuedEvent) -> String {
    let id = format!("{}-{}", event.channel, event.id);
    if id.len() <= MAX_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return id;
    }
    format!("sha256-{}", sha256(id.as_bytes()))
}

fn request(target: &Target, event: &QueuedEvent, body: String, clock: &Clock) -> Request {
    let id = delivery_id(event);
    let seconds = clock()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let mut headers = Headers::new();
    headers.push("Content-Type", "application/json");
    headers.push("Idempotency-Key", id.as_str());
    headers.push("webhook-id", id.as_str());
    headers.push("webhook-timestamp", seconds.to_string());
    if let Some(signer) = &target.signer {
        headers.push("webhook-signature", signer.sign(&id, seconds, &body));
    }
    Request {
        method: Method::Post,
        url: target.url.clone(),
        headers,
        bearer: None,
        body: body.into_bytes(),
        timeout: target.timeout,
        download_timeout: None,
    }
}

/// What the end of an attempt says about its event.
fn result_of(reply: &Result<Reply, Failure>) -> DeliveryResult {
    let reply = match reply {
        Ok(reply) => reply,
        Err(failure) => {
            let reason = failure.message.clone();
            let retry_after = None;
            // The URL was found good at the start; so it is about this event.
            if failure.kind == FailureKind::Invalid {
                return DeliveryResult::Undeliverable { reason };
            }
            let connected = !matches!(failure.kind, FailureKind::Connect | FailureKind::Tls);
            return if connected && failure.maybe_sent {
                DeliveryResult::Failed {
                    reason,
                    retry_after,
                }
            } else {
                DeliveryResult::Unreachable {
                    reason,
                    retry_after,
                }
            };
        }
    };
    let reason = format!("the platform answered {}", reply.status);
    let retry_after = backoff::retry_after(reply);
    match reply.status {
        200..=299 => DeliveryResult::Acknowledged,
        // About this event, and it would be said again.
        400 | 409 | 410 | 413 | 415 | 422 => DeliveryResult::Refused { reason },
        // About everything, and for the moment.
        429 | 502 | 503 | 504 => DeliveryResult::Unreachable {
            reason,
            retry_after,
        },
        _ => DeliveryResult::Failed {
            reason,
            retry_after,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the Standard Webhooks specification's reference libraries.
        let signer = Signer::new(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let signature = signer.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(Signer::new(&Secret::new("")).is_none());
        assert!(Signer::new(&Secret::new("whsec_***")).is_none());
    }

    /// A network that nothing may reach.
    struct Untouched;

    impl Transport for Untouched {
        fn send(&self, _: &Request) -> Result<Reply, Failure> {
            panic!("nothing is sent")
        }
    }

    #[test]
    fn what_is_damaged_or_called_back_is_not_sent() {
        let target = Target {
            url: "http://platform.test/".to_owned(),
            signer: None,
            timeout: Duration::from_secs(1),
            transport: Arc::new(Untouched),
        };
        let clock: Clock = Arc::new(|| UNIX_EPOCH);
        let turn = |body: &str| Turn {
            event: QueuedEvent {
                sequence: 1,
                channel: "U1".to_owned(),
                id: "a".to_owned(),
                chat: "c".to_owned(),
                attempt: 1,
                failures: 0,
                accepted: 0,
                first_accepted: 0,
                time: 0,
                body: body.to_owned(),
            },
            stale: false,
            round: 0,
        };
        let recall = Recall::default();
        let damaged = attempt(&target, &turn("{\"a"), &recall, &clock);
        assert!(matches!(damaged, DeliveryResult::Undeliverable { .. }));
        recall.all();
        let called_back = attempt(&target, &turn("{}"), &recall, &clock);
        assert_eq!(called_back, DeliveryResult::NotTried);
    }

    #[test]
    fn what_cannot_be_sent_is_about_its_event() {
        let failure = |kind, maybe_sent| {
            result_of(&Err(Failure {
                kind,
                maybe_sent,
                message: "it failed".to_owned(),
            }))
        };
        let invalid = failure(FailureKind::Invalid, false);
        assert!(matches!(invalid, DeliveryResult::Undeliverable { .. }));
        let refused = failure(FailureKind::Connect, false);
        assert!(matches!(refused, DeliveryResult::Unreachable { .. }));
        let broken = failure(FailureKind::Broken, true);
        assert!(matches!(broken, DeliveryResult::Failed { .. }));
    }

    fn answer(status: u16) -> DeliveryResult {
        result_of(&Ok(Reply {
            status,
            ..Reply::default()
        }))
    }

    #[test]
    fn answers_are_about_the_event_about_everything_or_about_the_moment() {
        assert_eq!(answer(204), DeliveryResult::Acknowledged);
        for status in [400, 410, 422] {
            assert!(
                matches!(answer(status), DeliveryResult::Refused { .. }),
                "{status}"
            );
        }
        for status in [301, 401, 404, 408, 500] {
            assert!(
                matches!(answer(status), DeliveryResult::Failed { .. }),
                "{status}"
            );
        }
        for status in [429, 503] {
            assert!(
                matches!(answer(status), DeliveryResult::Unreachable { .. }),
                "{status}"
            );
        }
    }
}

//! From the bytes of a webhook to events for the queue: which channel it is for, whether LINE signed
//! it for that channel, what it says. Nothing of an unverified body is used but its destination, and
//! that only to choose the secret.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use serde::Deserialize;
use serde::de::IgnoredAny;

use line_connector_core::catalog::definition::ContentActions;
use line_connector_core::digest::sha256;
use line_connector_core::webhook::signature::{Refusal, Verifier};
use line_connector_core::webhook::{self, Event, Terms, Type};
use line_connector_http::Secret;

use super::host::Clock;
use super::metrics::WebhookOutcome;
use super::queue::{CHATLESS, Friendship, NewEvent};

/// The largest body that is looked at without a signature, to see that it has no events.
pub(crate) const MAX_PROBE_BYTES: usize = 1024;

/// A channel that webhooks may be for.
#[derive(Debug)]
pub struct Channel {
    /// The bot's user ID, where it is known.
    pub destination: Option<String>,
    /// The channel secret.
    pub secret: Secret,
}

/// The channels that webhooks are for at this moment.
#[derive(Default)]
struct Channels {
    /// How many sets there were before this one.
    generation: u64,
    /// A channel's secret, and what verifies by it.
    verifiers: Vec<(Secret, Verifier)>,
    /// By destination, the index of its channel. What is not in it yet is being learnt.
    destinations: HashMap<String, usize>,
}

impl Channels {
    /// These channels. What was learnt of their secrets before is known.
    fn new(channels: Vec<Channel>, before: &Self) -> Self {
        let mut destinations = HashMap::new();
        let mut verifiers = Vec::with_capacity(channels.len());
        for (index, channel) in channels.into_iter().enumerate() {
            let learnt = || {
                let mut known = before.destinations.iter();
                let same = |&(_, index): &(&String, &usize)| {
                    let secret = before.verifiers.get(*index).map(|(secret, _)| secret);
                    secret == Some(&channel.secret)
                };
                known.find(same).map(|(destination, _)| destination.clone())
            };
            let destination = channel.destination.clone().or_else(learnt);
            destinations.extend(destination.map(|destination| (destination, index)));
            let verifier = Verifier::new(&channel.secret);
            verifiers.push((channel.secret, verifier));
        }
        Self {
            generation: before.generation + 1,
            verifiers,
            destinations,
        }
    }
}

/// The channels behind one address.
pub struct Intake {
    channels: RwLock<Channels>,
    content: ContentActions,
    clock: Clock,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Intake").finish_non_exhaustive()
    }
}

impl Intake {
    /// Channels, each verified with its own secret only. A single one may leave its destination
    /// open, and takes any that is signed with its secret.
    #[must_use]
    pub fn new(channels: Vec<Channel>, content: ContentActions, clock: Clock) -> Self {
        Self {
            channels: RwLock::new(Channels::new(channels, &Channels::default())),
            content,
            clock,
        }
    }

    /// From the next webhook on these channels take the others' place. A destination that was learnt
    /// stays known where the channel's secret is the same.
    pub fn replace(&self, channels: Vec<Channel>) {
        let mut known = self
            .channels
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Channels::new(channels, &known);
    }

    /// Which set of channels this is: another number after each [`Intake::replace`].
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.read().generation
    }

    /// The destination of a channel, by its place in that set of channels, has become known. `false`
    /// where another channel has it, or others have taken the set's place.
    pub fn learn(&self, generation: u64, channel: usize, destination: &str) -> bool {
        let mut known = self
            .channels
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if known.generation != generation {
            return false;
        }
        let destinations = &mut known.destinations;
        *destinations
            .entry(destination.to_owned())
            .or_insert(channel)
            == channel
    }

    fn read(&self) -> RwLockReadGuard<'_, Channels> {
        self.channels.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Verifies and reads a webhook: its destination and its events.
    ///
    /// # Errors
    ///
    /// Why it is not taken, or [`WebhookOutcome::Probe`] where there is nothing to take.
    pub(crate) fn take(
        &self,
        body: &[u8],
        signature: Option<&str>,
    ) -> Result<(String, Vec<NewEvent>), WebhookOutcome> {
        if signature.is_none() {
            return Err(if is_probe(body) {
                WebhookOutcome::Probe
            } else {
                WebhookOutcome::Unsigned
            });
        }
        let channels = self.read();
        channels
            .verifier(body, signature)?
            .verify(body, signature)
            .map_err(|refusal| match refusal {
                Refusal::Missing => WebhookOutcome::Unsigned,
                Refusal::Malformed => WebhookOutcome::MalformedSignature,
                Refusal::Mismatch => WebhookOutcome::BadSignature,
            })?;
        drop(channels);
        let terms = Terms::new(&self.content, (self.clock)());
        let delivery = webhook::read(body, &terms).map_err(|_| WebhookOutcome::Malformed)?;
        let mut events = Vec::with_capacity(delivery.events.len());
        for event in &delivery.events {
            let id = match event.id() {
                Some(id) => id.to_owned(),
                None => format!("sha256:{}", sha256(event.raw.get().as_bytes())),
            };
            // What belongs to no chat has no order to keep, and must not wait for its like.
            let chat = Some(event.chat()).filter(|chat| !chat.is_empty());
            events.push(NewEvent {
                chat: chat.unwrap_or_else(|| format!("{CHATLESS}{id}")),
                id,
                time: event.timestamp().unwrap_or(0),
                kind: event.kind,
                friendship: friendship(event),
                body: serde_json::to_string(event).map_err(|_| WebhookOutcome::Malformed)?,
            });
        }
        if events.is_empty() {
            return Err(WebhookOutcome::Probe);
        }
        Ok((delivery.destination.into_owned(), events))
    }
}

impl Channels {
    /// The secret that the body must be signed with. Where no channel has its destination, that is
    /// told neither by the answer nor by the time that it takes.
    fn verifier(&self, body: &[u8], signature: Option<&str>) -> Result<&Verifier, WebhookOutcome> {
        let known = &self.destinations;
        if let ([(_, only)], true) = (self.verifiers.as_slice(), known.is_empty()) {
            return Ok(only);
        }
        let destination = webhook::destination(body);
        let index = destination.and_then(|destination| known.get(&*destination).copied());
        if let Some((_, verifier)) = index.and_then(|index| self.verifiers.get(index)) {
            return Ok(verifier);
        }
        // Perhaps it is for a channel whose destination is still being learnt: LINE may come again.
        let learning = known.len() < self.verifiers.len();
        let looked_at = if learning { self.verifiers.len() } else { 1 };
        let mut signed = false;
        for (index, (_, verifier)) in self.verifiers.iter().enumerate().take(looked_at) {
            let is_learnt = known.values().any(|known| *known == index);
            signed |= verifier.verify(body, signature).is_ok() && !is_learnt;
        }
        Err(if signed {
            WebhookOutcome::NotStored
        } else {
            WebhookOutcome::UnknownDestination
        })
    }
}

/// What an event says about who is a friend of the account.
fn friendship(event: &Event<'_>) -> Option<Friendship> {
    let is_over = match event.kind {
        Type::OptIn => false,
        Type::OptOut => true,
        _ => return None,
    };
    let user = event.source.as_ref()?.user_id.as_deref()?;
    Some(Friendship {
        user: user.to_owned(),
        is_over,
    })
}

/// Whether a body says nothing but that there are no events. Some of LINE's reachability checks are
/// said to come unsigned; there is nothing in them to process.
fn is_probe(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Probe {
        events: Vec<IgnoredAny>,
    }
    body.len() <= MAX_PROBE_BYTES
        && serde_json::from_slice::<Probe>(body).is_ok_and(|probe| probe.events.is_empty())
}

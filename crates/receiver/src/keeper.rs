//! What makes the events of webhooks safe before LINE is answered: the coordinator with its queue, or
//! a publisher that the host brings.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use super::coordinator::Message;
use super::metrics::Metrics;
use super::queue::NewEvent;

/// Makes events safe in another system than the receiver's own queue.
pub trait Publisher: Send + Sync {
    /// Takes a webhook's events without waiting for anything, and answers later: [`Stored::Safe`] once
    /// the other system has all of them. LINE is answered in time in any case; an answer that comes
    /// after that is of no use.
    fn publish(&self, arrival: Arrival);

    /// Its figures, as Prometheus text.
    fn metrics(&self) -> String;

    /// Takes nothing more, and ends within this time.
    fn stop(&self, grace: Duration);
}

/// A verified webhook, and whom to tell that its events are safe.
pub struct Arrival {
    /// The destination that LINE named: the bot's user ID.
    pub channel: String,
    /// What happened, in LINE's order. Nothing where somebody only asks whether events could be made
    /// safe.
    pub events: Vec<NewEvent>,
    /// Takes the answer.
    pub answer: Box<dyn FnOnce(Stored) + Send>,
}

impl Arrival {
    /// How many bytes its events have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.body.len()).sum()
    }
}

impl fmt::Debug for Arrival {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Arrival").finish_non_exhaustive()
    }
}

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Its events are safe, or were before.
    Safe,
    /// Backpressure: as much is waiting as may.
    Full,
    /// They could not be made safe.
    Failed,
}

/// Where the server brings events.
#[derive(Clone)]
pub(crate) enum Keeper {
    /// To the coordinator.
    Queue(SyncSender<Message>),
    /// To the host's publisher.
    Publisher(Arc<dyn Publisher>),
}

impl Keeper {
    /// Takes a webhook's events, and answers later.
    pub(crate) fn take(&self, arrival: Arrival) {
        match self {
            Keeper::Publisher(publisher) => publisher.publish(arrival),
            Keeper::Queue(coordinator_tx) => {
                let refused = coordinator_tx.try_send(Message::Arrival(arrival));
                if let Err(
                    TrySendError::Full(Message::Arrival(arrival))
                    | TrySendError::Disconnected(Message::Arrival(arrival)),
                ) = refused
                {
                    (arrival.answer)(Stored::Full);
                }
            }
        }
    }

    /// Everything that is counted, as Prometheus text.
    pub(crate) fn metrics(&self, metrics: &Metrics) -> String {
        let of_server = metrics.of_server();
        let own = match self {
            Keeper::Publisher(publisher) => publisher.metrics(),
            Keeper::Queue(_) => metrics.of_queue(),
        };
        of_server + &own
    }
}

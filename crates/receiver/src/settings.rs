//! The receiver's settings. Each part goes as it is to the one file that needs it.

use std::net::SocketAddr;
use std::time::Duration;

/// How the receiver works.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the server takes.
    pub server: ServerSettings,
    /// What the queue takes and keeps.
    pub queue: QueueSettings,
    /// How events are delivered.
    pub delivery: DeliverySettings,
}

/// What the server takes.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Where it answers `/healthz` and `/metrics`. Without it they are for this machine alone, at
    /// the address above.
    pub admin_address: Option<SocketAddr>,
    /// The path of webhooks; it starts with `/`.
    pub path: String,
    /// The largest body, bytes.
    pub max_body_bytes: usize,
    /// The most connections at once. Over it the one that has waited for its client for longest is
    /// closed, of a peer that has more than its share first.
    pub max_connections: usize,
    /// How long a connection may take for a request's head, and be idle between requests.
    pub idle_timeout: Duration,
}

/// What the queue takes and keeps.
#[derive(Debug, Clone, Copy)]
pub struct QueueSettings {
    /// How long a new event waits for earlier ones of its chat.
    pub reorder_delay: Duration,
    /// How many events may wait before webhooks are answered 503.
    pub max_waiting: i64,
    /// How long the ids of events are remembered.
    pub remember: Duration,
}

/// How events are delivered.
#[derive(Debug, Clone, Copy)]
pub struct DeliverySettings {
    /// How many events may be in flight at once; each is of another chat.
    pub max_in_flight: usize,
    /// When a failing event becomes a dead letter.
    pub retry: RetryLimits,
}

/// When a failing event becomes a dead letter.
#[derive(Debug, Clone, Copy)]
pub struct RetryLimits {
    /// With this many failures of its own. Outages do not count.
    pub max_failures: i64,
    /// With a failure or an outage, once it was accepted this long ago.
    pub max_age: Duration,
}

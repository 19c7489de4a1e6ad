//! Webhooks and calls on NATS JetStream.

mod calls;
mod listen;
mod publisher;
mod server;
mod store;

use std::sync::Arc;
use std::time::Duration;

use line_connector_receiver::Log;
use tokio::time::interval;

pub(crate) use calls::{CallsArguments, calls};
pub(crate) use listen::listen;

/// Tells each second how many notices were left out, where their time is over; it does not end by itself.
async fn summarise(log: Arc<Log>) {
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        log.summarise(false);
    }
}

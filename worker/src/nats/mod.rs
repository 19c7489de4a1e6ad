//! Webhooks and calls on NATS JetStream.

mod calls;
mod listen;
mod publisher;
mod server;
mod store;

pub(crate) use calls::{CallsArguments, calls};
pub(crate) use listen::listen;

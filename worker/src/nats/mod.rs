//! Webhooks and calls on NATS JetStream.

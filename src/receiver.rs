//! The webhook receiver.

pub mod queue;

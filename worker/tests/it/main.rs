//! The worker as a process, on loopback, against the servers that it needs. Where a server is not
//! installed, its tests say so and are left out.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on has failed its test"
)]

mod manual;
mod nats;
mod world;

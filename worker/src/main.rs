//! `line-connector-worker`: what runs on more than one machine.

mod campaign;
mod nats;

fn main() {}

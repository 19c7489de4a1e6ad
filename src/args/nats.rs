//! The arguments of whatever uses NATS, beside the servers' URLs, which each command calls by a name of
//! its own.

use std::path::PathBuf;
use std::time::Duration;

/// How NATS is reached, and what a stream is like that is made there.
#[derive(Debug, clap::Args)]
#[group(id = "nats", multiple = true)]
pub struct NatsArguments {
    /// A file with a user's credentials for NATS, as `nsc` writes them.
    #[arg(long, value_name = "FILE", conflicts_with = "nkey")]
    pub creds: Option<PathBuf>,
    /// A file with the seed of an NKey for NATS. A user's name and password are taken from `NATS_USER`
    /// and `NATS_PASSWORD`.
    #[arg(long, value_name = "FILE")]
    pub nkey: Option<PathBuf>,
    /// A PEM file of certificate authorities to trust for NATS, instead of the system's.
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// A PEM file with this client's certificate for NATS.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// A PEM file with the certificate's private key.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// A stream that is made: how many servers keep it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub replicas: u8,
    /// A stream that is made: how long it recognises a message that comes again, minutes.
    #[arg(long, value_name = "N", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=10_080))]
    pub duplicate_minutes: u64,
    /// A stream that is made: how long it keeps what it has, days.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=3650))]
    keep_days: u64,
}

impl NatsArguments {
    /// How long a stream that is made keeps what it has.
    #[must_use]
    pub fn keep(&self) -> Duration {
        Duration::from_hours(24 * self.keep_days)
    }
}

//! The whole LINE Messaging API as declarative actions, for Rust programs: an invocation in, an
//! output out, each message exactly once. Start at [`Connector::builder`].
//!
//! What is re-exported here keeps to semantic versioning; other paths of the workspace's crates may
//! change in any release.

mod clock;
mod connector;
pub mod examples;
mod files;
pub mod jwk;
mod jwt;
mod media;
mod names;
mod network;
pub mod private;
mod random;
pub mod regular;
mod tokens;
pub mod transport;
mod watch;

pub use clock::SystemClock;
pub use connector::{Builder, Connector};
pub use files::SystemFiles;
pub use line_connector_core::asset::Operator;
pub use media::WebMedia;
pub use network::Internet;
pub use random::SystemRandom;
pub use tokens::LineTokens;
pub use watch::Sent;

pub use line_connector_core::auth::{Hold, Store, TokenIssuer};
pub use line_connector_core::catalog::Catalog;
pub use line_connector_core::documents::{Invocation, Options, Output};
pub use line_connector_core::error::{Error, ExitCode, Kind, Outcome};
pub use line_connector_core::handle::Handle;
pub use line_connector_core::host::{Clock, Files, Media, Random};
pub use line_connector_http::{Failure, Reply, Request, Secret, Transport};

/// The manual's examples, as doctests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Manual;

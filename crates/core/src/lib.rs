//! The call pipeline of line-connector: one invocation in, one output out. It is pure: connections,
//! time, randomness and files are traits of [`host`], so the same code runs in the program and as
//! WebAssembly. `line-connector-client` brings the native implementations.
//!
//! Modules in reading order: documents and what they are made of, the catalog, the steps of a call,
//! webhooks, the call itself, and what describes it all.

pub mod documents;
pub mod error;
pub mod encoding;
pub mod digest;
pub mod json_text;
pub mod redact;
pub mod media;
pub mod upload;
pub use line_connector_text::{nearest, visible};
pub mod refusal;
pub mod backoff;
pub mod asset;

pub mod catalog;

pub mod schema;
pub mod auth;
pub mod request;
pub mod retry;
pub mod rate_limit;
pub mod response;

pub mod webhook;

pub mod host;
pub mod handle;
pub mod call;

pub mod compact;
pub mod describe;
pub mod packages;
pub mod property;

pub use line_connector_compose as compose;

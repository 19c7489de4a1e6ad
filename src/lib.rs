//! The whole LINE Messaging API as declarative actions: JSON in, JSON out, each message exactly
//! once. `ARCHITECTURE.md` tells how data flows and who may know whom.
//!
//! Modules in reading order: nouns, the catalog, the pipeline's steps, the pipeline, and what
//! stands around it.

// Nouns.
pub mod envelope;
pub mod error;
pub mod encoding;
pub mod digest;
pub mod json_text;
pub mod key;
pub mod binary;
mod nearest;
mod refusal;
mod backoff;
pub mod random;
pub mod asset;

// What is declared.
pub mod catalog;

// The steps of a call; none names another.
pub mod schema;
pub mod auth;
mod assertion;
pub mod keygen;
pub mod request;
pub mod transport;
pub mod retry;
pub mod budget;
pub mod response;

// What LINE sends by itself.
pub mod webhook;

// The call.
pub mod run;

// Around it.
pub mod describe;
#[cfg(feature = "listen")]
pub mod receiver;
pub mod face;

//! The whole LINE Messaging API as declarative actions. Modules in reading order: nouns, the
//! catalog, the pipeline's steps, the pipeline, and what stands around it.

pub mod error;
pub mod http;
pub mod secret;

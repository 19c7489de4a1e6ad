//! The faces: what a platform or a person meets. Only here is anything printed.

mod arguments;
#[cfg(feature = "listen")]
mod events;
mod files;
#[cfg(feature = "listen")]
mod listen;
mod serve;
mod signals;
mod token_files;
mod webhook;
pub mod cli;

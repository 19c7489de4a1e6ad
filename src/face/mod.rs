//! The faces: what a platform or a person meets. Only here is anything printed.

mod arguments;
mod files;
mod serve;
mod signals;
mod token_files;
mod webhook;
pub mod cli;

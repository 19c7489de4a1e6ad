//! The faces: what a platform or a person meets. Only here is anything printed.

mod arguments;
mod files;
mod serve;
mod signals;
pub mod cli;

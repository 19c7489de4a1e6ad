//! A run that several machines share. What planning fixes stands in an object store instead of a
//! ledger, and never changes: chunks of parts, pages that list the chunks, and a manifest, each under
//! its own SHA-256. What became of a chunk stands in an object beside them, which whoever sends the
//! chunk writes. Who sends which chunk when is not decided here.
//!
//! ```text
//! runs/RUN/plan          which manifest was planned last
//! runs/RUN/started       which manifest was started: written once
//! runs/RUN/standing      where the run stands, as its engine told last
//! runs/RUN/ends/LANE-N   what became of the parts of a chunk
//! manifests/SHA pages/SHA chunks/SHA skipped/SHA
//! ```

mod channel;
mod chunk;
mod export;
mod manifest;
mod send;
mod told;
#[cfg(test)]
mod tests;

pub use channel::Channel;
pub use chunk::{Chunk, Unusable};
pub use manifest::{Lane, Manifest, Method, SharedRun};
pub use send::{Counts, Permit, Round, Turn};
pub use told::Standing;

use line_connector_client::Error;

/// Where shared runs stand: objects with names.
pub trait Store: Sync {
    /// An object's bytes; `None` where there is none of that name.
    ///
    /// # Errors
    ///
    /// Where that cannot be found out.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Writes an object where there is none of that name, as a whole or not at all. Returns whether it
    /// was there before.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    fn put_new(&self, name: &str, bytes: Vec<u8>) -> Result<bool, Error>;

    /// Writes an object, in place of one that is there.
    ///
    /// # Errors
    ///
    /// As [`Store::put_new`].
    fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error>;
}

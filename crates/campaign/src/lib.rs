//! Campaigns: a list of people, messages with blanks, several accounts, and every person exactly
//! once, whatever dies on the way.
//!
//! [`Campaign::read`] reads the document. Planning fixes who gets what from which account in a ledger,
//! one `SQLite` file, and sends nothing. Running sends what is planned there: that a request is made is
//! on the disk before it is, and its end after it, so that whoever goes on knows what may have
//! happened, and repeats it with the same retry key. A [`SharedRun`] stands in an object store instead,
//! where several machines send it: the same people, renderings and keys.

mod attributes;
mod campaigner;
mod document;
mod followers;
mod gateway;
mod history;
mod ledger;
mod list;
mod part;
mod plan;
mod render;
mod run;
mod shared;
mod status;
mod template;
mod trial;
mod unfollows;
mod window;

pub use campaigner::Campaigner;
pub use document::{
    Account, AssetSource, Body, Campaign, ControlGroup, DEFAULT_ACCOUNT, Format, FrequencyCap,
    Recipients, Sending, Suppress, Window,
};
pub use ledger::{RunState, State, Wanted};
pub use part::{pause_of_account_ms, pause_of_part_ms};
pub use plan::PlanOptions;
pub use run::{Progress, RunOptions};
pub use shared::{
    Channel, Chunk, Counts, Lane, Manifest, Method, Permit, Round, SharedRun, Standing, Store,
    Turn, Unusable,
};
pub use status::{Form, ask, results, status};

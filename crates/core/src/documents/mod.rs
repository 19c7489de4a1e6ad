//! The documents on the wire: the invocation that comes in and the output that goes out, field by
//! field. They read and write themselves; what a call does with them is `call`'s matter.

mod details;
mod headers;
mod invocation;
mod output;

pub use details::{a_kind_of, mistyped, unknown};
pub use invocation::{AssetParameters, Invocation, Options};
pub use output::{CallReport, ErrorReport, FileReport, Output, PlannedRequest};

//! The documents on the wire: the invocation that comes in and the output that goes out, field by
//! field. They read and write themselves; `call` acts on them.

mod delivery;
mod details;
mod headers;
mod invocation;
pub mod json;
mod output;

pub use delivery::{Code, Delivery, Reason, Status, SubCode};
pub use details::{a_kind_of, mistyped, shortened, unknown};
pub use invocation::{AssetParameters, FallbackTo, Invocation, MediaCheck, Options, Refused};
pub(crate) use output::bounded;
pub use output::{
    CallReport, ErrorReport, FileReport, Idempotency, Output, PartReport, PlannedRequest,
};

//! The documents on the wire: the invocation that comes in and the output that goes out, field by
//! field. They read and write themselves; `call` acts on them.

mod delivery;
mod details;
mod headers;
mod invocation;
pub mod json;
mod output;

pub use delivery::{Delivery, Reason, Status, SubCode};
pub(crate) use details::add;
pub use details::{mistyped, shortened, unknown};
pub use invocation::{AssetParameters, FallbackTo, Invocation, MediaCheck, Options, Refused};
pub use line_connector_compose::Code;
pub use line_connector_text::kind::a_kind_of;
pub(crate) use output::bounded;
pub use output::{
    CallReport, ErrorReport, FileReport, Idempotency, Output, PartReport, PlannedRequest,
};

//! HTTP apart from any socket: the incoming call, the answer, their bodies, and the requests that the
//! sandbox sends. It knows the shapes of LINE's errors and no operation.

mod answer;
mod body;
mod call;
mod outbound;
pub(crate) mod multipart;

pub(crate) use answer::{Answer, reason};
pub(crate) use body::Body;
pub(crate) use call::{Call, Form, MAX_BODY_BYTES, decode_form, percent_decode};
pub(crate) use outbound::Outbound;

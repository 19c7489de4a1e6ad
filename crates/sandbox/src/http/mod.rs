//! HTTP without the network: the call that came in, the answer that goes back, their bodies, and
//! what the sandbox sends out by itself. It knows LINE's error bodies and no operation.

mod answer;
mod body;
mod call;
mod outbound;
pub(crate) mod multipart;

pub(crate) use answer::{Answer, reason};
pub(crate) use body::Body;
pub(crate) use call::{BODY_CAP, Call, Form, decode, decode_form};
pub(crate) use outbound::Outbound;

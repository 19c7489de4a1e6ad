//! What the core and `compose` both need of texts: their length as LINE counts it, where they may be
//! cut, the declared name that a mistyped one is nearest to, the word for a value's kind, what they
//! hide, and JSON as text. It knows no object of LINE's.

pub mod cut;
pub mod json;
pub mod kind;
pub mod length;
pub mod nearest;
pub mod visible;

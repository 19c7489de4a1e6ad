//! What the core and `compose` both need of texts: their length as LINE counts it, where they may be
//! cut, the declared name that a mistyped one is nearest to, and the word for a value's kind. It knows no
//! object of LINE's.

pub mod cut;
pub mod kind;
pub mod length;
pub mod nearest;

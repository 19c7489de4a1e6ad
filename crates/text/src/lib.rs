//! What the core and `compose` both need of texts: their length as LINE counts it, where they may be
//! cut, and the declared name that a mistyped one is nearest to. It knows no object of LINE's.

pub mod cut;
pub mod length;
pub mod nearest;

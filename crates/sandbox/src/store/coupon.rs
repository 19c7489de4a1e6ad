//! Coupons and their status.

use serde_json::{Map, Value};

/// LINE's limit of valid coupons.
pub(crate) const MAX_COUPONS: usize = 5000;

/// The coupons of a channel, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Coupons(pub(crate) Vec<Coupon>);

#[derive(Debug)]
pub(crate) struct Coupon {
    pub(crate) id: String,
    pub(crate) fields: Map<String, Value>,
    pub(crate) created: u64,
    pub(crate) closed: bool,
}

impl Coupon {
    /// LINE's status at a time in UNIX seconds. There are no drafts: those are made in LINE Official
    /// Account Manager only.
    pub(crate) fn status(&self, now: u64) -> &'static str {
        let end = self.fields.get("endTimestamp").and_then(Value::as_u64);
        if self.closed || end.is_some_and(|end| end <= now) {
            "CLOSED"
        } else {
            "RUNNING"
        }
    }
}

//! Messages: sending, validating and narrowcasting them, counts, and aggregation units.

mod counts;
mod narrowcast;
mod recipient;
mod send;
mod units;

pub(crate) use counts::ROUTES as COUNT_ROUTES;
pub(crate) use narrowcast::ROUTES as NARROWCAST_ROUTES;
pub(crate) use send::ROUTES as SEND_ROUTES;
pub(crate) use units::ROUTES as UNIT_ROUTES;

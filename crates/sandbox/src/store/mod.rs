//! The stores: what a channel remembers, a file for each kind of thing. Nothing here answers a call.

pub(crate) mod audience;
pub(crate) mod bounded;
pub(crate) mod coupon;
pub(crate) mod events;
pub(crate) mod fault;
pub(crate) mod friends;
pub(crate) mod module;
pub(crate) mod narrowcast;
pub(crate) mod progress;
pub(crate) mod record;
pub(crate) mod reply_token;
pub(crate) mod retry_key;
pub(crate) mod rich_menu;
pub(crate) mod sent_messages;
pub(crate) mod statistics;
pub(crate) mod token;
pub(crate) mod units;
pub(crate) mod usage;
pub(crate) mod webhook;

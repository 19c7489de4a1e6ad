//! LINE's operations, in the families of `actions/`. Each family lists its routes in `ROUTES`; a
//! handler reads the call, changes the state, and answers.

#![expect(
    clippy::unnecessary_wraps,
    reason = "handlers that refuse nothing have the type of all others"
)]

pub(crate) mod account_link;
pub(crate) mod audience;
pub(crate) mod chat;
pub(crate) mod content;
pub(crate) mod coupon;
pub(crate) mod group;
pub(crate) mod insight;
pub(crate) mod liff;
pub(crate) mod membership;
pub(crate) mod message;
pub(crate) mod module;
pub(crate) mod notification;
pub(crate) mod profile;
pub(crate) mod rich_menu;
pub(crate) mod room;
pub(crate) mod shop;
pub(crate) mod token;
pub(crate) mod webhook;

mod chat_members;
mod request;

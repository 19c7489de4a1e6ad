//! What has to be known of an account before its chunks are handed out: which channel it is, how often
//! it may call, and when.

use line_connector_client::Error;
use line_connector_core::digest::sha256;
use serde::{Deserialize, Serialize};

use super::Method;
use crate::campaigner::Campaigner;
use crate::part::is_for_people;

/// What LINE and the account's asset say of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Stands for the channel: the same for whoever sends from it, in every campaign. Nothing can be
    /// read out of it.
    pub id: String,
    /// How many calls in how many seconds may be made to one; `None` where nothing limits it.
    pub one: Option<(u32, u32)>,
    /// And to many.
    pub many: Option<(u32, u32)>,
    /// Why the account does not work, where somebody has to mend it.
    pub fault: Option<String>,
}

impl Channel {
    /// The rate of a method.
    #[must_use]
    pub fn rate(&self, method: Method) -> Option<(u32, u32)> {
        match method {
            Method::One => self.one,
            Method::Many => self.many,
        }
    }
}

impl Campaigner<'_> {
    /// Asks LINE which channel an account is.
    ///
    /// # Errors
    ///
    /// Where that cannot be found out now, but may later.
    pub fn channel(&self, account: &str) -> Result<Channel, Error> {
        match self.known_channel(account) {
            Err(error) if is_for_people(error.kind) => Ok(Channel {
                fault: Some(error.message),
                ..Channel::default()
            }),
            answer => answer,
        }
    }

    fn known_channel(&self, account: &str) -> Result<Channel, Error> {
        let connector = self.connector(account);
        let send = &connector.catalog().manifest().send;
        let one = connector.limit(&send.one)?;
        let many = connector.limit(&send.many)?;
        let bot = self.ask(account)?.bot.unwrap_or_default();
        let rate = |rate: Option<line_connector_core::rate_limit::Rate>| {
            rate.map(|rate| (rate.calls, rate.seconds))
        };
        let id = sha256(format!("{}\n{bot}", one.base.trim_end_matches('/')).as_bytes());
        Ok(Channel {
            id: id.get(..16).unwrap_or_default().to_owned(),
            one: rate(one.rate),
            many: rate(many.rate),
            fault: None,
        })
    }

    /// When an account may send next, milliseconds since 1970: now where its window is open, or it has
    /// none.
    #[must_use]
    pub fn opens_ms(&self, account: &str) -> i64 {
        let now = self.now();
        let hours = self.campaign.hours(account);
        let opens = hours.map_or(now, |hours| hours.next_open(now));
        opens.as_millisecond()
    }
}

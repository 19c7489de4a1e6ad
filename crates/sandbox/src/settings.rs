//! What can be chosen before a sandbox starts: the channel, the people it has, its limits, and where
//! its time comes from. Nothing here changes while it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use line_connector_http::{Secret, Transport};
use serde_json::{Value, json};

use crate::content::{self, Content};
use crate::operation::Operation;
use crate::rate_limit::RateLimit;

/// The source of the current time; a test passes one that it can advance.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Waits; a test passes one that returns at once.
pub type Sleep = Arc<dyn Fn(Duration) + Send + Sync>;

/// An audience, which a narrowcast addresses by its audience group ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience {
    /// How many people are in it.
    pub size: u64,
    /// Whether LINE's minimum of 50 people applies to it.
    pub restricted: bool,
}

/// A membership plan, with the people who subscribed to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The membership ID.
    pub id: u64,
    /// The plan's name.
    pub title: String,
    /// The user IDs of its members, in the order in which they joined.
    pub members: Vec<String>,
}

/// How work that LINE finishes later advances: narrowcasts, rich menu batches, audiences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// By one phase with each request for the progress: `waiting`, `sending`, then the end. Work with
    /// only two phases, or without a name for the first, starts in the second.
    PerPoll,
    /// By the clock; both times count from the moment of acceptance.
    Timed {
        /// When `waiting` becomes `sending`.
        sending: Duration,
        /// When the delivery ends.
        done: Duration,
    },
}

/// Everything about a sandbox that a caller may choose. Start from the default and change fields:
/// `Settings { quota: Some(3), ..Settings::default() }`.
#[derive(Clone)]
pub struct Settings {
    /// The channel ID, which is the OAuth client ID.
    pub channel_id: String,
    /// The channel secret, which is the OAuth client secret.
    pub channel_secret: Secret,
    /// The long-lived channel access token that is valid from the start.
    pub long_lived_token: Option<Secret>,
    /// People that may be reached in a month; `None` is an unlimited plan.
    pub quota: Option<u64>,
    /// Friends of the account: whom a broadcast reaches, and who have a profile.
    pub friends: u64,
    /// Whether the account is verified or premium, and may list followers and members.
    pub verified: bool,
    /// Members of every group and multi-person chat.
    pub group_size: u64,
    /// The audiences that exist, by audience group ID.
    pub audiences: BTreeMap<u64, Audience>,
    /// The audiences that others share through Business Manager, by audience group ID.
    pub shared_audiences: BTreeMap<u64, Audience>,
    /// The membership plans.
    pub memberships: Vec<Membership>,
    /// Recipients to whom a push fails with `Failed to send messages`: IDs, and hashes of phone
    /// numbers. Users among them count as having blocked the account.
    pub unreachable: BTreeSet<String>,
    /// The content that users sent, by message ID.
    pub contents: BTreeMap<String, Content>,
    /// The webhook endpoint's URL from the start. Unlike LINE's own operation, it may be plain HTTP.
    pub webhook: Option<String>,
    /// The transport for webhooks; without it they are only shown. The sandbox sends nothing else,
    /// and nothing to any other address than the webhook endpoint.
    pub outward: Option<Arc<dyn Transport>>,
    /// Whether a reply token of 32 hex digits that the sandbox did not create is accepted once.
    pub accept_unknown_reply_tokens: bool,
    /// How narrowcasts, rich menu batches and audiences advance.
    pub pace: Pace,
    /// How often endpoints may be called; of several limits for an endpoint, the first applies. Empty:
    /// no limits.
    pub rate_limits: Vec<RateLimit>,
    /// What operations are called, for faults that are aimed at one; and how those are answered that
    /// the sandbox does not know by itself.
    pub operations: Vec<Operation>,
    /// How many requests, deliveries and events are remembered; older ones are forgotten.
    pub keep_records: usize,
    /// The current time.
    pub now: Clock,
    /// How delays are waited for.
    pub sleep: Sleep,
}

impl Default for Settings {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the sandbox meets real time; everything else takes it from here"
    )]
    fn default() -> Self {
        let audience = |size| Audience {
            size,
            restricted: false,
        };
        Self {
            channel_id: "1234567890".into(),
            channel_secret: Secret::new("sandbox-channel-secret"),
            long_lived_token: Some(Secret::new("sandbox-token")),
            quota: Some(500),
            friends: 120,
            verified: true,
            group_size: 3,
            audiences: BTreeMap::from([
                (5_614_991_017_776, audience(100)),
                (4_389_303_728_991, audience(60)),
            ]),
            shared_audiences: BTreeMap::from([(2_345_678_901_234, audience(80))]),
            memberships: vec![
                membership(3189, "Basic Plan", 3),
                membership(3213, "Premium Plan", 0),
            ],
            unreachable: BTreeSet::new(),
            contents: content::samples(),
            webhook: None,
            outward: None,
            accept_unknown_reply_tokens: true,
            pace: Pace::PerPoll,
            rate_limits: Vec::new(),
            operations: Vec::new(),
            keep_records: 10_000,
            now: Arc::new(SystemTime::now),
            sleep: Arc::new(std::thread::sleep),
        }
    }
}

impl Settings {
    /// The asset with which a connector reaches this sandbox at `base`.
    pub(crate) fn asset(&self, base: &str) -> Value {
        json!({
            "url": base,
            "data_url": base,
            "manager_url": base,
            "token_url": format!("{base}/oauth2/v3/token"),
            "client_id": self.channel_id,
            "client_secret": self.channel_secret.expose(),
        })
    }
}

/// A plan with this many members, whose user IDs are `U4af4980629` and a number.
fn membership(id: u64, title: &str, members: u64) -> Membership {
    Membership {
        id,
        title: title.to_owned(),
        members: (1..=members)
            .map(|number| format!("U4af4980629{number:022}"))
            .collect(),
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("channel_id", &self.channel_id)
            .field("quota", &self.quota)
            .field("friends", &self.friends)
            .field("audiences", &self.audiences)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

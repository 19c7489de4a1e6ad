//! All stores of a channel, which one lock guards, and the context in which a call is processed.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use serde_json::Value;

use crate::crypto::PublicKey;
use crate::http::Call;
use crate::rate_limit::Windows;
use crate::settings::Settings;
use crate::store::audience::Audiences;
use crate::store::bounded::BoundedLog;
use crate::store::coupon::Coupons;
use crate::store::events::PlayedEvents;
use crate::store::fault::FaultQueue;
use crate::store::friends::Friends;
use crate::store::module::AttachedBots;
use crate::store::narrowcast::Narrowcasts;
use crate::store::record::{Counts, Delivery, Record};
use crate::store::reply_token::ReplyTokens;
use crate::store::retry_key::RetryKeys;
use crate::store::rich_menu::RichMenus;
use crate::store::statistics::Statistics;
use crate::store::token::Tokens;
use crate::store::units::Units;
use crate::store::usage::Usage;
use crate::store::webhook::WebhookEndpoint;

/// Everything about a channel that changes.
pub(crate) struct State {
    pub(crate) tokens: Tokens,
    /// Public keys for client assertions, by `kid`.
    pub(crate) public_keys: HashMap<String, PublicKey>,
    pub(crate) retry_keys: RetryKeys,
    pub(crate) reply_tokens: ReplyTokens,
    pub(crate) usage: Usage,
    pub(crate) narrowcasts: Narrowcasts,
    pub(crate) units: Units,
    /// Groups and rooms that the account was in and left.
    pub(crate) left_chats: HashSet<String>,
    /// How often content in preparation was asked for, by message ID.
    pub(crate) content_polls: HashMap<String, u32>,
    pub(crate) webhook: WebhookEndpoint,
    pub(crate) played: PlayedEvents,
    pub(crate) friends: Friends,
    pub(crate) liff_apps: Vec<Value>,
    pub(crate) attached_bots: AttachedBots,
    pub(crate) faults: FaultQueue,
    pub(crate) counts: Counts,
    pub(crate) records: BoundedLog<Record>,
    pub(crate) deliveries: BoundedLog<Delivery>,
    next_message_id: u64,
    /// When the sandbox was created.
    pub(crate) started_at: SystemTime,
    pub(crate) rich_menus: RichMenus,
    pub(crate) audiences: Audiences,
    pub(crate) coupons: Coupons,
    pub(crate) statistics: Statistics,
    pub(crate) windows: Windows,
}

impl State {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            tokens: Tokens::new(settings),
            public_keys: HashMap::new(),
            retry_keys: RetryKeys::default(),
            reply_tokens: ReplyTokens::default(),
            usage: Usage::default(),
            narrowcasts: Narrowcasts::default(),
            units: Units::default(),
            left_chats: HashSet::new(),
            content_polls: HashMap::new(),
            webhook: WebhookEndpoint::new(settings),
            played: PlayedEvents::new(settings),
            friends: Friends::default(),
            liff_apps: Vec::new(),
            attached_bots: AttachedBots::default(),
            faults: FaultQueue::default(),
            counts: Counts::default(),
            records: BoundedLog::new(settings.keep_records),
            deliveries: BoundedLog::new(settings.keep_records),
            next_message_id: 461_230_966_842_064_897,
            started_at: (settings.now)(),
            rich_menus: RichMenus::default(),
            audiences: Audiences::new(settings),
            coupons: Coupons::default(),
            statistics: Statistics::default(),
            windows: Windows::default(),
        }
    }

    /// Remembers an accepted send and counts it.
    pub(crate) fn add_delivery(&mut self, delivery: Delivery) {
        self.counts.delivery(&delivery.kind);
        let bytes = size(&delivery);
        self.deliveries.push(delivery, bytes);
    }

    /// Records a request and counts it.
    pub(crate) fn add_record(&mut self, record: Record) {
        self.counts.request(&record);
        let bytes = size(&record);
        self.records.push(record, bytes);
    }

    /// Forgets the requests and deliveries, and their counts.
    pub(crate) fn forget_records(&mut self) {
        self.counts = Counts::default();
        self.records.clear();
        self.deliveries.clear();
    }

    pub(crate) fn next_message_id(&mut self) -> u64 {
        let id = self.next_message_id;
        self.next_message_id += 1;
        id
    }
}

/// The context of one call: what a handler may read and change.
pub(crate) struct Context<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) settings: &'a Settings,
    pub(crate) call: &'a Call,
    pub(crate) now: SystemTime,
    pub(crate) request_id: &'a str,
    /// The parameters of the path, by the name in the route's template.
    pub(crate) parameters: Vec<(&'static str, String)>,
    pub(crate) record: &'a mut Record,
}

impl Context<'_> {
    /// A parameter of the path; empty where the route's template has none of that name.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }
}

/// About how many bytes an entry of a log takes.
fn size(entry: &impl serde::Serialize) -> usize {
    serde_json::to_vec(entry).map_or(0, |text| text.len())
}

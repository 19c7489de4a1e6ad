//! Everything in a sandbox that changes, behind its one lock, and the turn that one call takes at
//! it. The families of operations own what they keep here; this file only brings it together.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::SystemTime;

use serde_json::Value;

use super::aggregation::Units;
use super::audience::Audiences;
use super::calendar::{Date, line_day};
use super::content::Polls;
use super::coupon::Coupons;
use super::crypto::PublicKey;
use super::events::Played;
use super::exchange::Call;
use super::fault::Fault;
use super::insight::Statistics;
use super::module::Attached;
use super::narrowcast::Narrowcast;
use super::people::Friends;
use super::rate_limit::Windows;
use super::record::{Counts, Delivery, Log, Record};
use super::reply_token::ReplyTokens;
use super::retry_key::RetryKeys;
use super::richmenu::RichMenus;
use super::settings::Settings;
use super::token::Tokens;
use super::webhook::Endpoint;

/// What one LINE channel knows.
pub(super) struct State {
    pub(super) tokens: Tokens,
    /// Public keys for assertions, by `kid`.
    pub(super) keys: HashMap<String, PublicKey>,
    pub(super) retry_keys: RetryKeys,
    pub(super) reply_tokens: ReplyTokens,
    /// People reached in a calendar month, by year and month.
    pub(super) usage: BTreeMap<(u64, u64), u64>,
    /// People reached on a day, by kind of send.
    pub(super) daily: BTreeMap<(Date, &'static str), u64>,
    /// By the request ID under which they were accepted.
    pub(super) narrowcasts: HashMap<String, Narrowcast>,
    pub(super) units: Units,
    /// Groups and rooms that the account was in and left.
    pub(super) left_chats: HashSet<String>,
    pub(super) polls: Polls,
    pub(super) webhook: Endpoint,
    pub(super) played: Played,
    pub(super) friends: Friends,
    pub(super) liff_apps: Vec<Value>,
    pub(super) attached: Attached,
    pub(super) faults: VecDeque<Fault>,
    pub(super) counts: Counts,
    pub(super) records: Log<Record>,
    pub(super) deliveries: Log<Delivery>,
    next_message_id: u64,
    /// When the sandbox began.
    pub(super) opened: SystemTime,
    pub(super) rich_menus: RichMenus,
    pub(super) audiences: Audiences,
    pub(super) coupons: Coupons,
    pub(super) statistics: Statistics,
    pub(super) windows: Windows,
}

impl State {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            tokens: Tokens::new(settings),
            keys: HashMap::new(),
            retry_keys: RetryKeys::default(),
            reply_tokens: ReplyTokens::default(),
            usage: BTreeMap::new(),
            daily: BTreeMap::new(),
            narrowcasts: HashMap::new(),
            units: Units::new(),
            left_chats: HashSet::new(),
            polls: Polls::new(),
            webhook: Endpoint::new(settings),
            played: Played::new(settings),
            friends: Friends::default(),
            liff_apps: Vec::new(),
            attached: Attached::default(),
            faults: VecDeque::new(),
            counts: Counts::default(),
            records: Log::new(settings.keep_records),
            deliveries: Log::new(settings.keep_records),
            next_message_id: 461_230_966_842_064_897,
            opened: (settings.now)(),
            rich_menus: RichMenus::default(),
            audiences: Audiences::new(settings),
            coupons: Coupons::default(),
            statistics: Statistics::default(),
            windows: Windows::default(),
        }
    }

    /// Writes a request down.
    pub(super) fn note(&mut self, record: Record) {
        self.counts.request(&record);
        self.records.push(record);
    }

    /// Forgets requests and deliveries.
    pub(super) fn forget(&mut self) {
        self.counts = Counts::default();
        self.records.clear();
        self.deliveries.clear();
    }

    pub(super) fn next_message_id(&mut self) -> u64 {
        let id = self.next_message_id;
        self.next_message_id += 1;
        id
    }

    /// People reached so far in the month of `now`.
    pub(super) fn month_usage(&self, now: SystemTime) -> u64 {
        let day = line_day(now);
        self.usage
            .get(&(day.year, day.month))
            .copied()
            .unwrap_or_default()
    }

    /// Counts people who were reached at cost.
    pub(super) fn charge(&mut self, now: SystemTime, people: u64) {
        let day = line_day(now);
        *self.usage.entry((day.year, day.month)).or_default() += people;
    }
}

/// One call's turn at the state: what an operation gets to see and to change.
pub(super) struct Turn<'a> {
    pub(super) state: &'a mut State,
    pub(super) settings: &'a Settings,
    pub(super) call: &'a Call,
    pub(super) now: SystemTime,
    pub(super) request_id: &'a str,
    /// What stood in the path where the template has `{name}`.
    pub(super) parameters: Vec<(&'static str, String)>,
    pub(super) record: &'a mut Record,
}

impl Turn<'_> {
    /// What stood in the path where the template has `{name}`; empty where it has no such name.
    pub(super) fn parameter(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value)
    }
}

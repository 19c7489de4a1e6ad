//! Audiences: their people, their owners and their progress.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use super::progress::{Progress, Step};
use crate::settings::{Audience, Pace, Settings};

/// LINE's limit of audiences per channel.
pub(crate) const MAX_AUDIENCES: usize = 1000;

/// How long LINE keeps an audience.
const RETENTION: Duration = Duration::from_hours(180 * 24);

/// Click and impression audiences of fewer people never become ready.
const MIN_RETARGETED: u64 = 50;

/// The audiences of a channel, by audience group ID.
#[derive(Debug, Default)]
pub(crate) struct Audiences {
    pub(crate) groups: BTreeMap<u64, AudienceGroup>,
    pub(crate) next_id: u64,
    pub(crate) next_job: u64,
}

/// What an audience was created from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Upload {
        ifa: bool,
    },
    Click {
        request: String,
        url: Option<String>,
    },
    Impression {
        request: String,
    },
    /// Created outside the Messaging API; LINE's minimum applies to it.
    RichMenu,
}

/// The owner of an audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Channel,
    OfficialAccountManager,
    BusinessManager,
}

#[derive(Debug)]
pub(crate) struct AudienceGroup {
    pub(crate) description: String,
    pub(crate) source: Source,
    pub(crate) owner: Owner,
    pub(crate) created: SystemTime,
    pub(crate) expires: Option<SystemTime>,
    /// How many people it has besides those uploaded.
    pub(crate) preset: u64,
    /// The uploaded user IDs or IFAs, as numbers.
    pub(crate) people: HashSet<u128>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) progress: Progress,
}

/// One upload of IDs.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) description: Option<String>,
    /// How many of its people were not in the audience before.
    pub(crate) count: u64,
    pub(crate) progress: Progress,
}

impl Audiences {
    pub(crate) fn new(settings: &Settings) -> Self {
        let now = (settings.now)();
        let own = settings.audiences.iter().map(|(id, audience)| {
            let owner = if audience.restricted {
                Owner::OfficialAccountManager
            } else {
                Owner::Channel
            };
            (*id, AudienceGroup::preset(*id, *audience, owner, now))
        });
        let shared = settings.shared_audiences.iter().map(|(id, audience)| {
            (
                *id,
                AudienceGroup::preset(*id, *audience, Owner::BusinessManager, now),
            )
        });
        Self {
            groups: shared.chain(own).collect(),
            next_id: 7_100_000_000_001,
            next_job: 12_345_678,
        }
    }

    /// An audience that is ready for a narrowcast: its size, and whether LINE's minimum applies to it.
    pub(crate) fn ready(&self, id: u64, pace: Pace, now: SystemTime) -> Option<Audience> {
        let group = self.groups.get(&id)?;
        (group.status(pace, now) == "READY").then(|| Audience {
            size: group.count(pace, now),
            restricted: !matches!(group.source, Source::Upload { .. }),
        })
    }

    /// Stores an audience under an unused ID and returns that.
    pub(crate) fn insert(&mut self, group: AudienceGroup) -> u64 {
        while self.groups.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        let id = self.next_id;
        self.groups.insert(id, group);
        self.next_id += 1;
        id
    }
}

impl AudienceGroup {
    pub(crate) fn new(description: String, source: Source, now: SystemTime) -> Self {
        Self {
            description,
            source,
            owner: Owner::Channel,
            created: now,
            expires: Some(now + RETENTION),
            preset: 0,
            people: HashSet::new(),
            jobs: Vec::new(),
            progress: Progress::new(now),
        }
    }

    /// An audience that is there from the start and does not expire.
    fn preset(id: u64, audience: Audience, owner: Owner, now: SystemTime) -> Self {
        let source = if audience.restricted {
            Source::RichMenu
        } else {
            Source::Upload { ifa: false }
        };
        Self {
            owner,
            expires: None,
            preset: audience.size,
            progress: Progress::finished(now),
            ..Self::new(format!("Audience {id}"), source, now)
        }
    }

    /// How many people are in it now.
    pub(crate) fn count(&self, pace: Pace, now: SystemTime) -> u64 {
        let done = |job: &&Job| job.progress.step(pace, now) == Step::Done;
        let added: u64 = self.jobs.iter().filter(done).map(|job| job.count).sum();
        self.preset + added
    }

    pub(crate) fn status(&self, pace: Pace, now: SystemTime) -> &'static str {
        if self.expires.is_some_and(|expires| now >= expires) {
            return "EXPIRED";
        }
        let enough = match self.source {
            Source::Upload { .. } => self.count(pace, now) > 0,
            Source::Click { .. } | Source::Impression { .. } => self.preset >= MIN_RETARGETED,
            Source::RichMenu => true,
        };
        let over = self.progress.step(pace, now) == Step::Done;
        if over && enough {
            "READY"
        } else {
            "IN_PROGRESS"
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self.source {
            Source::Upload { .. } => "UPLOAD",
            Source::Click { .. } => "CLICK",
            Source::Impression { .. } => "IMP",
            Source::RichMenu => "RICHMENU_IMP",
        }
    }

    pub(crate) fn is_ifa(&self) -> bool {
        self.source == Source::Upload { ifa: true }
    }

    pub(crate) fn create_route(&self) -> &'static str {
        match self.owner {
            Owner::Channel => "MESSAGING_API",
            Owner::OfficialAccountManager | Owner::BusinessManager => "OA_MANAGER",
        }
    }

    pub(crate) fn permission(&self) -> &'static str {
        match self.owner {
            Owner::Channel => "READ_WRITE",
            Owner::OfficialAccountManager | Owner::BusinessManager => "READ",
        }
    }
}

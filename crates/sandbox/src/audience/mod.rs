//! Audiences: what one is and how it gets ready. This file has the routes and what is kept; how
//! they are made, filled and listed is in files of their own.

mod create;
mod ids;
mod list;
mod retarget;

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::calendar::seconds;
use super::exchange::Answer;
use super::progress::{Progress, Step};
use super::routes::Route;
use super::settings::{Audience, Settings};
use super::state::Turn;

/// The one operation whose body may be larger than any other's.
pub(super) const FILE_PATH: &str = "/v2/bot/audienceGroup/upload/byFile";

/// 1,500,000 user IDs, a line each, and some.
pub(super) const FILE_CAP: usize = 64 * 1024 * 1024;

pub(super) const ROUTES: &[Route] = &[
    Route::bot("POST", "/v2/bot/audienceGroup/upload", |turn| {
        Answer::either(create::by_json(turn))
    }),
    Route::bot("PUT", "/v2/bot/audienceGroup/upload", |turn| {
        Answer::either(create::add_by_json(turn))
    }),
    Route::bot("POST", FILE_PATH, |turn| {
        Answer::either(create::by_file(turn))
    }),
    Route::bot("PUT", FILE_PATH, |turn| {
        Answer::either(create::add_by_file(turn))
    }),
    Route::bot("POST", "/v2/bot/audienceGroup/click", |turn| {
        Answer::either(retarget::click(turn))
    }),
    Route::bot("POST", "/v2/bot/audienceGroup/imp", |turn| {
        Answer::either(retarget::impression(turn))
    }),
    Route::bot(
        "PUT",
        "/v2/bot/audienceGroup/{audienceGroupId}/updateDescription",
        |turn| Answer::either(create::rename(turn)),
    ),
    Route::bot(
        "DELETE",
        "/v2/bot/audienceGroup/{audienceGroupId}",
        |turn| Answer::either(create::delete(turn)),
    ),
    Route::bot("GET", "/v2/bot/audienceGroup/{audienceGroupId}", |turn| {
        Answer::either(list::get(turn))
    }),
    Route::bot("GET", "/v2/bot/audienceGroup/list", |turn| {
        Answer::either(list::list(turn))
    }),
    Route::bot(
        "GET",
        "/v2/bot/audienceGroup/shared/{audienceGroupId}",
        |turn| Answer::either(list::get_shared(turn)),
    ),
    Route::bot("GET", "/v2/bot/audienceGroup/shared/list", |turn| {
        Answer::either(list::list_shared(turn))
    }),
];

/// LINE keeps as many audiences per channel.
const MOST: usize = 1000;

/// LINE keeps an audience for 180 days.
const KEPT: Duration = Duration::from_hours(180 * 24);

/// Click and impression audiences with fewer people never get ready.
const FEWEST: u64 = 50;

/// The audiences of a channel, by audience group ID.
#[derive(Debug, Default)]
pub(super) struct Audiences {
    groups: BTreeMap<u64, Group>,
    next_id: u64,
    next_job: u64,
}

/// What an audience is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
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
    /// Made outside the Messaging API, of a type that LINE's minimum applies to.
    RichMenu,
}

/// To whom an audience belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Channel,
    OfficialAccountManager,
    BusinessManager,
}

#[derive(Debug)]
struct Group {
    description: String,
    source: Source,
    owner: Owner,
    created: SystemTime,
    expires: Option<SystemTime>,
    /// People of whom only the number is known.
    given: u64,
    /// User IDs and IFAs, read as numbers.
    people: HashSet<u128>,
    jobs: Vec<Job>,
    progress: Progress,
}

/// One upload of IDs.
#[derive(Debug)]
struct Job {
    id: u64,
    description: Option<String>,
    /// How many people were new.
    count: u64,
    progress: Progress,
}

impl Audiences {
    pub(super) fn new(settings: &Settings) -> Self {
        let now = (settings.now)();
        let own = settings.audiences.iter().map(|(id, audience)| {
            let owner = if audience.restricted {
                Owner::OfficialAccountManager
            } else {
                Owner::Channel
            };
            (*id, Group::given(*id, *audience, owner, now))
        });
        let shared = settings.shared_audiences.iter().map(|(id, audience)| {
            (
                *id,
                Group::given(*id, *audience, Owner::BusinessManager, now),
            )
        });
        Self {
            groups: shared.chain(own).collect(),
            next_id: 7_100_000_000_001,
            next_job: 12_345_678,
        }
    }

    /// An audience that a narrowcast can go to: how many it reaches, and whether LINE's minimum
    /// applies to it.
    pub(super) fn ready(&self, turn: &Turn<'_>, id: u64) -> Option<Audience> {
        let group = self.groups.get(&id)?;
        (group.status(turn) == "READY").then(|| Audience {
            size: group.count(turn),
            restricted: !matches!(group.source, Source::Upload { .. }),
        })
    }

    /// Takes an audience in under an ID that is not in use.
    fn insert(&mut self, group: Group) -> u64 {
        while self.groups.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        let id = self.next_id;
        self.groups.insert(id, group);
        self.next_id += 1;
        id
    }
}

impl Group {
    fn new(description: String, source: Source, now: SystemTime) -> Self {
        Self {
            description,
            source,
            owner: Owner::Channel,
            created: now,
            expires: Some(now + KEPT),
            given: 0,
            people: HashSet::new(),
            jobs: Vec::new(),
            progress: Progress::new(now),
        }
    }

    /// An audience that is there from the start, and for good.
    fn given(id: u64, audience: Audience, owner: Owner, now: SystemTime) -> Self {
        let source = if audience.restricted {
            Source::RichMenu
        } else {
            Source::Upload { ifa: false }
        };
        Self {
            owner,
            expires: None,
            given: audience.size,
            progress: Progress::finished(now),
            ..Self::new(format!("Audience {id}"), source, now)
        }
    }

    /// People who are in it by now.
    fn count(&self, turn: &Turn<'_>) -> u64 {
        let (pace, now) = (turn.settings.pace, turn.now);
        let done = |job: &&Job| job.progress.step(pace, now) == Step::Done;
        let added: u64 = self.jobs.iter().filter(done).map(|job| job.count).sum();
        self.given + added
    }

    fn status(&self, turn: &Turn<'_>) -> &'static str {
        if self.expires.is_some_and(|expires| turn.now >= expires) {
            return "EXPIRED";
        }
        let enough = match self.source {
            Source::Upload { .. } => self.count(turn) > 0,
            Source::Click { .. } | Source::Impression { .. } => self.given >= FEWEST,
            Source::RichMenu => true,
        };
        let over = self.progress.step(turn.settings.pace, turn.now) == Step::Done;
        if over && enough {
            "READY"
        } else {
            "IN_PROGRESS"
        }
    }

    fn kind(&self) -> &'static str {
        match self.source {
            Source::Upload { .. } => "UPLOAD",
            Source::Click { .. } => "CLICK",
            Source::Impression { .. } => "IMP",
            Source::RichMenu => "RICHMENU_IMP",
        }
    }

    fn is_ifa(&self) -> bool {
        self.source == Source::Upload { ifa: true }
    }

    fn create_route(&self) -> &'static str {
        match self.owner {
            Owner::Channel => "MESSAGING_API",
            Owner::OfficialAccountManager | Owner::BusinessManager => "OA_MANAGER",
        }
    }

    fn permission(&self) -> &'static str {
        match self.owner {
            Owner::Channel => "READ_WRITE",
            Owner::OfficialAccountManager | Owner::BusinessManager => "READ",
        }
    }

    /// What LINE answers when it is created.
    fn announce(&self, id: u64) -> Value {
        let mut body = json!({
            "audienceGroupId": id,
            "createRoute": self.create_route(),
            "type": self.kind(),
            "description": self.description,
            "created": seconds(self.created),
            "permission": self.permission(),
            "isIfaAudience": self.is_ifa(),
        });
        if let Some(expires) = self.expires {
            body["expireTimestamp"] = json!(seconds(expires));
        }
        match &self.source {
            Source::Click { request, url } => {
                body["requestId"] = json!(request);
                if let Some(url) = url {
                    body["clickUrl"] = json!(url);
                }
            }
            Source::Impression { request } => body["requestId"] = json!(request),
            Source::Upload { .. } | Source::RichMenu => {}
        }
        body
    }
}

/// A refusal with one of the audience service's codes.
fn coded(message: &str, code: &str, property: Option<&str>) -> Answer {
    let detail = match property {
        Some(property) => json!({ "message": code, "property": property }),
        None => json!({ "message": code }),
    };
    Answer::json(400, &json!({ "message": message, "details": [detail] }))
}

fn not_found() -> Answer {
    coded("audience group not found", "AUDIENCE_GROUP_NOT_FOUND", None)
}

/// The audience of the path.
fn id_of(turn: &Turn<'_>) -> Result<u64, Answer> {
    let id = turn.parameter("audienceGroupId").parse().ok();
    let id = id.filter(|id| turn.state.audiences.groups.contains_key(id));
    id.ok_or_else(not_found)
}

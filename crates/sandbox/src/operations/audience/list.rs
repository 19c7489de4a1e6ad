//! Audiences as they are read: one with its jobs, or many in pages. Reading one is what makes it
//! advance where asking is the pace.

use serde_json::{Value, json};

use super::{announce, id_of, not_found};
use crate::calendar::seconds;
use crate::http::Answer;
use crate::state::Turn;
use crate::store::audience::{AudienceGroup, Owner, Source};
use crate::store::progress::Step;

/// LINE tells about no more jobs.
const MOST_JOBS: usize = 50;

const STATUSES: [&str; 6] = [
    "IN_PROGRESS",
    "READY",
    "FAILED",
    "EXPIRED",
    "INACTIVE",
    "ACTIVATING",
];

const ROUTES: [&str; 4] = ["OA_MANAGER", "MESSAGING_API", "POINT_AD", "AD_MANAGER"];

/// Where audiences come from on the shared endpoints only.
const SHARED_ROUTES: [&str; 2] = ["BUSINESS_MANAGER", "YAHOO_DISPLAY_ADS"];

pub(crate) fn get(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = id_of(turn)?;
    let group = turn.state.audiences.groups.get(&id);
    if group.is_none_or(|group| group.owner == Owner::BusinessManager) {
        return Err(not_found());
    }
    Ok(Answer::json(200, &read(turn, id)))
}

pub(crate) fn get_shared(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = id_of(turn)?;
    let group = turn.state.audiences.groups.get(&id);
    let owner = match group.map(|group| group.owner) {
        Some(Owner::BusinessManager) => {
            json!({ "serviceType": "bm", "id": "100000000001", "name": "Sandbox Business" })
        }
        _ => json!({ "serviceType": "account", "id": "@sandbox", "name": "Sandbox" }),
    };
    let mut body = read(turn, id);
    body["owner"] = owner;
    Ok(Answer::json(200, &body))
}

pub(crate) fn list(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let others = switch(turn, "includesExternalPublicGroups", true)?;
    page(turn, &ROUTES, |owner| match owner {
        Owner::Channel => true,
        Owner::OfficialAccountManager => others,
        Owner::BusinessManager => false,
    })
}

pub(crate) fn list_shared(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let own = switch(turn, "includesOwnedAudienceGroups", false)?;
    let routes = [&ROUTES[..], &SHARED_ROUTES].concat();
    page(turn, &routes, |owner| {
        own || owner == Owner::BusinessManager
    })
}

/// The audience with its jobs; everything about it that is under way has now been asked for.
fn read(turn: &mut Turn<'_>, id: u64) -> Value {
    let (pace, now) = (turn.settings.pace, turn.now);
    let group = turn.state.audiences.groups.get(&id);
    let shown = group.map(|group| show(turn, id, group));
    let mut jobs = Vec::new();
    if let Some(group) = turn.state.audiences.groups.get_mut(&id) {
        group.progress.poll(pace, now);
        for job in group.jobs.iter_mut().rev() {
            let status = match job.progress.poll(pace, now) {
                Step::Queued => "QUEUED",
                Step::Running => "WORKING",
                Step::Done => "FINISHED",
            };
            jobs.push(json!({
                "audienceGroupJobId": job.id,
                "audienceGroupId": id,
                "description": job.description,
                "type": "DIFF_ADD",
                "status": status,
                "failedType": null,
                "audienceCount": if status == "FINISHED" { job.count } else { 0 },
                "created": seconds(job.progress.accepted),
                "jobStatus": status,
            }));
        }
    }
    jobs.truncate(MOST_JOBS);
    json!({ "audienceGroup": shown, "jobs": jobs })
}

fn show(turn: &Turn<'_>, id: u64, group: &AudienceGroup) -> Value {
    let mut shown = announce(id, group);
    let count = group.count(turn.settings.pace, turn.now);
    // To protect people, LINE shows small numbers only where the caller brought the IDs.
    let open = group.source == Source::Upload { ifa: false };
    shown["status"] = json!(group.status(turn.settings.pace, turn.now));
    shown["audienceCount"] = json!(if open || count >= 20 { count } else { 0 });
    shown
}

/// The page that the query asks for of the groups that belong here.
fn page(
    turn: &mut Turn<'_>,
    routes: &[&str],
    belongs: impl Fn(Owner) -> bool,
) -> Result<Answer, Answer> {
    // LINE's reference and its specification disagree on whether shared pages must be numbered.
    let optional = turn.call.path.ends_with("/shared/list");
    let page = number(turn, "page", optional.then_some(1), u64::MAX)?;
    let size = number(turn, "size", Some(20), 40)?;
    let filter = Filter::read(turn, routes)?;
    let groups = turn.state.audiences.groups.iter();
    let found: Vec<_> = groups
        .filter(|(_, group)| belongs(group.owner) && filter.fits(turn, group))
        .collect();
    let own = found.iter().filter(|(_, one)| one.owner == Owner::Channel);
    let skipped = usize::try_from((page - 1).saturating_mul(size)).unwrap_or(usize::MAX);
    let taken = usize::try_from(size).unwrap_or(usize::MAX);
    let shown = found.iter().skip(skipped).take(taken);
    let shown: Vec<Value> = shown.map(|(id, group)| show(turn, **id, group)).collect();
    let body = json!({
        "audienceGroups": shown,
        "hasNextPage": found.len() > skipped.saturating_add(taken),
        "totalCount": found.len(),
        "readWriteAudienceGroupTotalCount": own.count(),
        "size": size,
        "page": page,
    });
    Ok(Answer::json(200, &body))
}

/// What the query wants to see; an empty list wants everything.
struct Filter {
    words: String,
    statuses: Vec<String>,
    routes: Vec<String>,
}

impl Filter {
    fn read(turn: &Turn<'_>, routes: &[&str]) -> Result<Self, Answer> {
        let words = turn.call.query_value("description").unwrap_or_default();
        Ok(Self {
            words: words.to_lowercase(),
            statuses: choices(turn, "status", &STATUSES)?,
            routes: choices(turn, "createRoute", routes)?,
        })
    }

    fn fits(&self, turn: &Turn<'_>, group: &AudienceGroup) -> bool {
        let any = |chosen: &[String], value: &str| {
            chosen.is_empty() || chosen.iter().any(|one| one == value)
        };
        group.description.to_lowercase().contains(&self.words)
            && any(&self.statuses, group.status(turn.settings.pace, turn.now))
            && any(&self.routes, group.create_route())
    }
}

/// A number of the query between 1 and `most`.
fn number(turn: &Turn<'_>, name: &str, default: Option<u64>, most: u64) -> Result<u64, Answer> {
    let refuse = |text: &str, code: &str| {
        let message = format!("{name}: {text}");
        Err(super::coded(&message, code, None))
    };
    let given = turn.call.query_value(name);
    match (given.as_deref().map(str::parse::<i64>), default) {
        (None, Some(default)) => Ok(default),
        (None, None) => refuse("must not be null", "REQUIRED"),
        (Some(Err(_)), _) => refuse("must be a number", "INVALID"),
        (Some(Ok(number)), _) => match u64::try_from(number) {
            Ok(number) if number > most => {
                refuse(&format!("must be less than or equal to {most}"), "TOO_HIGH")
            }
            Ok(number) if number >= 1 => Ok(number),
            _ => refuse("must be greater than or equal to 1", "TOO_LOW"),
        },
    }
}

/// The values of a parameter that may be repeated, all of them known ones.
fn choices(turn: &Turn<'_>, name: &str, known: &[&str]) -> Result<Vec<String>, Answer> {
    let chosen = turn.call.query_values(name);
    if chosen.iter().all(|one| known.contains(&one.as_str())) {
        return Ok(chosen);
    }
    let message = format!("{name}: must be one of [{}]", known.join(","));
    Err(super::coded(&message, "INVALID", None))
}

fn switch(turn: &Turn<'_>, name: &str, default: bool) -> Result<bool, Answer> {
    match turn.call.query_value(name).as_deref() {
        None => Ok(default),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => {
            let message = format!("{name}: must be true or false");
            Err(super::coded(&message, "INVALID", None))
        }
    }
}

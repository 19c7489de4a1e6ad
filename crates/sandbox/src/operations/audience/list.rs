//! Reading audiences: one with its jobs, or a list in pages. Reading one advances it where the pace is
//! [`Pace::PerPoll`](crate::settings::Pace::PerPoll).

use serde_json::{Value, json};

use super::{id_in_path, not_found, summary};
use crate::calendar::unix_seconds;
use crate::http::Answer;
use crate::state::Context;
use crate::store::audience::{AudienceGroup, Owner, Source};
use crate::store::progress::Step;

/// How many jobs LINE reports at most.
const MAX_JOBS: usize = 50;

const STATUSES: [&str; 6] = [
    "IN_PROGRESS",
    "READY",
    "FAILED",
    "EXPIRED",
    "INACTIVE",
    "ACTIVATING",
];

const CREATE_ROUTES: [&str; 4] = ["OA_MANAGER", "MESSAGING_API", "POINT_AD", "AD_MANAGER"];

/// The create routes of the shared endpoints only.
const SHARED_CREATE_ROUTES: [&str; 2] = ["BUSINESS_MANAGER", "YAHOO_DISPLAY_ADS"];

pub(crate) fn get(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let id = id_in_path(ctx)?;
    let group = ctx.state.audiences.groups.get(&id);
    if group.is_none_or(|group| group.owner == Owner::BusinessManager) {
        return Err(not_found());
    }
    Ok(Answer::json(200, &show_with_jobs(ctx, id)))
}

pub(crate) fn get_shared(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let id = id_in_path(ctx)?;
    let group = ctx.state.audiences.groups.get(&id);
    let owner = match group.map(|group| group.owner) {
        Some(Owner::BusinessManager) => {
            json!({ "serviceType": "bm", "id": "100000000001", "name": "Sandbox Business" })
        }
        _ => json!({ "serviceType": "account", "id": "@sandbox", "name": "Sandbox" }),
    };
    let mut body = show_with_jobs(ctx, id);
    body["owner"] = owner;
    Ok(Answer::json(200, &body))
}

pub(crate) fn list(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let others = switch(ctx, "includesExternalPublicGroups", true)?;
    page(ctx, &CREATE_ROUTES, |owner| match owner {
        Owner::Channel => true,
        Owner::OfficialAccountManager => others,
        Owner::BusinessManager => false,
    })
}

pub(crate) fn list_shared(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let own = switch(ctx, "includesOwnedAudienceGroups", false)?;
    let routes = [&CREATE_ROUTES[..], &SHARED_CREATE_ROUTES].concat();
    page(ctx, &routes, |owner| own || owner == Owner::BusinessManager)
}

/// An audience with its jobs; advances both.
fn show_with_jobs(ctx: &mut Context<'_>, id: u64) -> Value {
    let (pace, now) = (ctx.settings.pace, ctx.now);
    let group = ctx.state.audiences.groups.get(&id);
    let shown = group.map(|group| show(ctx, id, group));
    let mut jobs = Vec::new();
    if let Some(group) = ctx.state.audiences.groups.get_mut(&id) {
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
                "created": unix_seconds(job.progress.accepted),
                "jobStatus": status,
            }));
        }
    }
    jobs.truncate(MAX_JOBS);
    json!({ "audienceGroup": shown, "jobs": jobs })
}

fn show(ctx: &Context<'_>, id: u64, group: &AudienceGroup) -> Value {
    let mut shown = summary(id, group);
    let count = group.count(ctx.settings.pace, ctx.now);
    // To protect people, LINE shows small numbers only where the caller uploaded the IDs.
    let open = group.source == Source::Upload { ifa: false };
    shown["status"] = json!(group.status(ctx.settings.pace, ctx.now));
    shown["audienceCount"] = json!(if open || count >= 20 { count } else { 0 });
    shown
}

/// The page that the query asks for, of the audiences whose owner is accepted by `belongs`.
fn page(
    ctx: &mut Context<'_>,
    routes: &[&str],
    belongs: impl Fn(Owner) -> bool,
) -> Result<Answer, Answer> {
    // LINE's reference and its specification disagree on whether shared pages must be numbered.
    let optional = ctx.call.path.ends_with("/shared/list");
    let page = number(ctx, "page", optional.then_some(1), u64::MAX)?;
    let size = number(ctx, "size", Some(20), 40)?;
    let filter = Filter::from_query(ctx, routes)?;
    let groups = ctx.state.audiences.groups.iter();
    let found: Vec<_> = groups
        .filter(|(_, group)| belongs(group.owner) && filter.matches(ctx, group))
        .collect();
    let own = found.iter().filter(|(_, one)| one.owner == Owner::Channel);
    let skipped = usize::try_from((page - 1).saturating_mul(size)).unwrap_or(usize::MAX);
    let taken = usize::try_from(size).unwrap_or(usize::MAX);
    let shown = found.iter().skip(skipped).take(taken);
    let shown: Vec<Value> = shown.map(|(id, group)| show(ctx, **id, group)).collect();
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

/// The filter of the query; an empty list matches everything.
struct Filter {
    words: String,
    statuses: Vec<String>,
    routes: Vec<String>,
}

impl Filter {
    fn from_query(ctx: &Context<'_>, routes: &[&str]) -> Result<Self, Answer> {
        let words = ctx.call.query_value("description").unwrap_or_default();
        Ok(Self {
            words: words.to_lowercase(),
            statuses: choices(ctx, "status", &STATUSES)?,
            routes: choices(ctx, "createRoute", routes)?,
        })
    }

    fn matches(&self, ctx: &Context<'_>, group: &AudienceGroup) -> bool {
        let any = |chosen: &[String], value: &str| {
            chosen.is_empty() || chosen.iter().any(|one| one == value)
        };
        group.description.to_lowercase().contains(&self.words)
            && any(&self.statuses, group.status(ctx.settings.pace, ctx.now))
            && any(&self.routes, group.create_route())
    }
}

/// A number in the query, between 1 and `most`.
fn number(ctx: &Context<'_>, name: &str, default: Option<u64>, most: u64) -> Result<u64, Answer> {
    let refuse = |text: &str, code: &str| {
        let message = format!("{name}: {text}");
        Err(super::coded(&message, code, None))
    };
    let given = ctx.call.query_value(name);
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

/// The values of a parameter that may be repeated; all must be known.
fn choices(ctx: &Context<'_>, name: &str, known: &[&str]) -> Result<Vec<String>, Answer> {
    let chosen = ctx.call.query_values(name);
    if chosen.iter().all(|one| known.contains(&one.as_str())) {
        return Ok(chosen);
    }
    let message = format!("{name}: must be one of [{}]", known.join(","));
    Err(super::coded(&message, "INVALID", None))
}

fn switch(ctx: &Context<'_>, name: &str, default: bool) -> Result<bool, Answer> {
    match ctx.call.query_value(name).as_deref() {
        None => Ok(default),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => {
            let message = format!("{name}: must be true or false");
            Err(super::coded(&message, "INVALID", None))
        }
    }
}

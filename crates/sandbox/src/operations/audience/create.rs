//! Audiences of uploaded IDs, from JSON and from files; adding IDs to them, renaming and deleting
//! audiences.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::ids::{self, UploadForm};
use super::{coded, id_in_path, not_found, summary};
use crate::http::Answer;
use crate::state::Context;
use crate::store::audience::{AudienceGroup, Job, MAX_AUDIENCES, Owner, Source};
use crate::store::progress::Progress;

pub(crate) fn by_json(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    let description = name(body.get("description"))?;
    let ifa = match body.get("isIfaAudience") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(ifa)) => *ifa,
        Some(_) => return Err(Answer::invalid_property("'isIfaAudience'")),
    };
    let upload = note(text(&body, "uploadDescription")?)?;
    let people = ids::of_json(&body, ifa)?.unwrap_or_default();
    create(ctx, description, ifa, upload, people)
}

pub(crate) fn by_file(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let form = UploadForm::parse(ctx.call)?;
    let description = name(form.text("description").map(Value::String).as_ref())?;
    let ifa = form.text("isIfaAudience").as_deref() == Some("true");
    let upload = note(form.text("uploadDescription"))?;
    let people = ids::of_file(form.file()?, ifa)?;
    create(ctx, description, ifa, upload, people)
}

pub(crate) fn add_by_json(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    let id = match body.get("audienceGroupId") {
        None | Some(Value::Null) => {
            return Err(Answer::invalid("May not be empty", "audienceGroupId"));
        }
        Some(id) => id.as_u64().ok_or_else(not_found)?,
    };
    let ifa = fillable(ctx, id)?;
    let upload = note(text(&body, "uploadDescription")?)?;
    let people = ids::of_json(&body, ifa)?;
    let people = people.ok_or_else(|| Answer::invalid("May not be empty", "audiences"))?;
    fill(ctx, id, upload, people);
    Ok(Answer::json(202, &json!({})))
}

pub(crate) fn add_by_file(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let form = UploadForm::parse(ctx.call)?;
    let id = form.text("audienceGroupId");
    let id = id.ok_or_else(|| Answer::invalid("May not be empty", "audienceGroupId"))?;
    let id = id.trim().parse().map_err(|_| not_found())?;
    let ifa = fillable(ctx, id)?;
    let upload = note(form.text("uploadDescription"))?;
    let people = ids::of_file(form.file()?, ifa)?;
    fill(ctx, id, upload, people);
    Ok(Answer::json(202, &json!({})))
}

pub(crate) fn rename(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let id = own(ctx, id_in_path(ctx)?)?;
    let description = name(ctx.call.json()?.get("description"))?;
    if let Some(group) = ctx.state.audiences.groups.get_mut(&id) {
        group.description = description;
    }
    Ok(Answer::json(200, &json!({})))
}

pub(crate) fn delete(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let id = own(ctx, id_in_path(ctx)?)?;
    ctx.state.audiences.groups.remove(&id);
    Ok(Answer::json(202, &json!({})))
}

fn create(
    ctx: &mut Context<'_>,
    description: String,
    ifa: bool,
    upload: Option<String>,
    people: HashSet<u128>,
) -> Result<Answer, Answer> {
    let group = AudienceGroup::new(description, Source::Upload { ifa }, ctx.now);
    let (id, answer) = admit(ctx, group)?;
    if !people.is_empty() {
        fill(ctx, id, upload, people);
    }
    Ok(answer)
}

/// Stores a new audience, unless the channel has too many.
pub(crate) fn admit(ctx: &mut Context<'_>, group: AudienceGroup) -> Result<(u64, Answer), Answer> {
    let audiences = &mut ctx.state.audiences;
    let own = audiences
        .groups
        .values()
        .filter(|one| one.owner == Owner::Channel);
    if own.count() >= MAX_AUDIENCES {
        const CODE: &str = "AUDIENCE_GROUP_COUNT_MAX_OVER";
        return Err(coded(CODE, CODE, None));
    }
    let id = audiences.insert(group);
    let body = audiences.groups.get(&id).map(|group| summary(id, group));
    Ok((id, Answer::json(202, &body.unwrap_or_default())))
}

/// Starts a job that adds people.
fn fill(ctx: &mut Context<'_>, id: u64, description: Option<String>, people: HashSet<u128>) {
    let audiences = &mut ctx.state.audiences;
    let Some(group) = audiences.groups.get_mut(&id) else {
        return;
    };
    let before = group.people.len();
    group.people.extend(people);
    let count = group.people.len() - before;
    group.jobs.push(Job {
        id: audiences.next_job,
        description,
        count: u64::try_from(count).unwrap_or(u64::MAX),
        progress: Progress::new(ctx.now),
    });
    audiences.next_job += 1;
}

/// Whether an audience holds IFAs. Refuses one to which no IDs can be added.
fn fillable(ctx: &Context<'_>, id: u64) -> Result<bool, Answer> {
    let id = own(ctx, id)?;
    let group = ctx.state.audiences.groups.get(&id);
    let group = group.ok_or_else(not_found)?;
    let Source::Upload { ifa } = group.source else {
        return Err(not_found());
    };
    if group.status(ctx.settings.pace, ctx.now) == "EXPIRED" {
        const CODE: &str = "AUDIENCE_GROUP_CAN_NOT_UPLOAD_STATUS_EXPIRED";
        return Err(coded(CODE, CODE, None));
    }
    Ok(ifa)
}

/// Refuses to change an audience of another owner.
fn own(ctx: &Context<'_>, id: u64) -> Result<u64, Answer> {
    let group = ctx.state.audiences.groups.get(&id);
    match group.ok_or_else(not_found)?.owner {
        Owner::Channel => Ok(id),
        _ => Err(coded("WRONG_BOT_ID", "WRONG_BOT_ID", None)),
    }
}

/// The name of an audience.
pub(crate) fn name(value: Option<&Value>) -> Result<String, Answer> {
    let (message, code) = match value {
        Some(Value::String(name)) if !name.trim().is_empty() => {
            if name.encode_utf16().count() > 120 {
                (
                    "size over audienceGroupName",
                    "AUDIENCE_GROUP_NAME_SIZE_OVER",
                )
            } else if name.contains(char::is_control) {
                ("AUDIENCE_GROUP_NAME_WRONG", "AUDIENCE_GROUP_NAME_WRONG")
            } else {
                return Ok(name.clone());
            }
        }
        None | Some(Value::Null | Value::String(_)) => {
            ("AUDIENCE_GROUP_NAME_EMPTY", "AUDIENCE_GROUP_NAME_EMPTY")
        }
        Some(_) => return Err(Answer::invalid_property("'description'")),
    };
    Err(coded(message, code, None))
}

/// The description of an upload.
fn note(text: Option<String>) -> Result<Option<String>, Answer> {
    const CODE: &str = "AUDIENCE_GROUP_UPLOAD_DESCRIPTION_SIZE_OVER";
    match text {
        Some(text) if text.encode_utf16().count() > 300 => Err(coded(CODE, CODE, None)),
        text => Ok(text),
    }
}

/// An optional string of the body.
pub(crate) fn text(body: &Value, name: &str) -> Result<Option<String>, Answer> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Answer::invalid_property(&format!("'{name}'"))),
    }
}

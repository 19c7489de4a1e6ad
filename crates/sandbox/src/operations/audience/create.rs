//! Audiences of uploaded IDs, from JSON and from files, and what can be changed about an audience:
//! its people, its name, its existence.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::ids::{self, Form};
use super::{announce, coded, id_of, not_found};
use crate::http::Answer;
use crate::state::Turn;
use crate::store::audience::{AudienceGroup, Job, MAX_AUDIENCES, Owner, Source};
use crate::store::progress::Progress;

pub(crate) fn by_json(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = turn.call.json()?;
    let description = name(body.get("description"))?;
    let ifa = match body.get("isIfaAudience") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(ifa)) => *ifa,
        Some(_) => return Err(Answer::invalid_property("'isIfaAudience'")),
    };
    let upload = note(text(&body, "uploadDescription")?)?;
    let people = ids::of_json(&body, ifa)?.unwrap_or_default();
    create(turn, description, ifa, upload, people)
}

pub(crate) fn by_file(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let form = Form::read(turn.call)?;
    let description = name(form.text("description").map(Value::String).as_ref())?;
    let ifa = form.text("isIfaAudience").as_deref() == Some("true");
    let upload = note(form.text("uploadDescription"))?;
    let people = ids::of_file(form.file()?, ifa)?;
    create(turn, description, ifa, upload, people)
}

pub(crate) fn add_by_json(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = turn.call.json()?;
    let id = match body.get("audienceGroupId") {
        None | Some(Value::Null) => {
            return Err(Answer::invalid("May not be empty", "audienceGroupId"));
        }
        Some(id) => id.as_u64().ok_or_else(not_found)?,
    };
    let ifa = fillable(turn, id)?;
    let upload = note(text(&body, "uploadDescription")?)?;
    let people = ids::of_json(&body, ifa)?;
    let people = people.ok_or_else(|| Answer::invalid("May not be empty", "audiences"))?;
    fill(turn, id, upload, people);
    Ok(Answer::json(202, &json!({})))
}

pub(crate) fn add_by_file(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let form = Form::read(turn.call)?;
    let id = form.text("audienceGroupId");
    let id = id.ok_or_else(|| Answer::invalid("May not be empty", "audienceGroupId"))?;
    let id = id.trim().parse().map_err(|_| not_found())?;
    let ifa = fillable(turn, id)?;
    let upload = note(form.text("uploadDescription"))?;
    let people = ids::of_file(form.file()?, ifa)?;
    fill(turn, id, upload, people);
    Ok(Answer::json(202, &json!({})))
}

pub(crate) fn rename(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = own(turn, id_of(turn)?)?;
    let description = name(turn.call.json()?.get("description"))?;
    if let Some(group) = turn.state.audiences.groups.get_mut(&id) {
        group.description = description;
    }
    Ok(Answer::json(200, &json!({})))
}

pub(crate) fn delete(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = own(turn, id_of(turn)?)?;
    turn.state.audiences.groups.remove(&id);
    Ok(Answer::json(202, &json!({})))
}

fn create(
    turn: &mut Turn<'_>,
    description: String,
    ifa: bool,
    upload: Option<String>,
    people: HashSet<u128>,
) -> Result<Answer, Answer> {
    let group = AudienceGroup::new(description, Source::Upload { ifa }, turn.now);
    let (id, answer) = admit(turn, group)?;
    if !people.is_empty() {
        fill(turn, id, upload, people);
    }
    Ok(answer)
}

/// Takes a new audience in, if there is room for one more.
pub(crate) fn admit(turn: &mut Turn<'_>, group: AudienceGroup) -> Result<(u64, Answer), Answer> {
    let kept = &mut turn.state.audiences;
    let own = kept
        .groups
        .values()
        .filter(|one| one.owner == Owner::Channel);
    if own.count() >= MAX_AUDIENCES {
        const CODE: &str = "AUDIENCE_GROUP_COUNT_MAX_OVER";
        return Err(coded(CODE, CODE, None));
    }
    let id = kept.insert(group);
    let body = kept.groups.get(&id).map(|group| announce(id, group));
    Ok((id, Answer::json(202, &body.unwrap_or_default())))
}

/// Starts the job that adds people.
fn fill(turn: &mut Turn<'_>, id: u64, description: Option<String>, people: HashSet<u128>) {
    let kept = &mut turn.state.audiences;
    let Some(group) = kept.groups.get_mut(&id) else {
        return;
    };
    let before = group.people.len();
    group.people.extend(people);
    let count = group.people.len() - before;
    group.jobs.push(Job {
        id: kept.next_job,
        description,
        count: u64::try_from(count).unwrap_or(u64::MAX),
        progress: Progress::new(turn.now),
    });
    kept.next_job += 1;
}

/// Whether an audience that takes more IDs takes IFAs.
fn fillable(turn: &Turn<'_>, id: u64) -> Result<bool, Answer> {
    let id = own(turn, id)?;
    let group = turn.state.audiences.groups.get(&id);
    let group = group.ok_or_else(not_found)?;
    let Source::Upload { ifa } = group.source else {
        return Err(not_found());
    };
    if group.status(turn.settings.pace, turn.now) == "EXPIRED" {
        const CODE: &str = "AUDIENCE_GROUP_CAN_NOT_UPLOAD_STATUS_EXPIRED";
        return Err(coded(CODE, CODE, None));
    }
    Ok(ifa)
}

/// Refuses to change what another channel owns.
fn own(turn: &Turn<'_>, id: u64) -> Result<u64, Answer> {
    let group = turn.state.audiences.groups.get(&id);
    match group.ok_or_else(not_found)?.owner {
        Owner::Channel => Ok(id),
        _ => Err(coded("WRONG_BOT_ID", "WRONG_BOT_ID", None)),
    }
}

/// An audience's name, or why it cannot be one.
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

/// What is written about an upload.
fn note(text: Option<String>) -> Result<Option<String>, Answer> {
    const CODE: &str = "AUDIENCE_GROUP_UPLOAD_DESCRIPTION_SIZE_OVER";
    match text {
        Some(text) if text.encode_utf16().count() > 300 => Err(coded(CODE, CODE, None)),
        text => Ok(text),
    }
}

/// A string of the body that may be left out.
pub(crate) fn text(body: &Value, name: &str) -> Result<Option<String>, Answer> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Answer::invalid_property(&format!("'{name}'"))),
    }
}

//! Batches that replace or unlink menus for everybody who has them. A batch takes effect when it is
//! accepted; only its reported progress takes time.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::{is_menu_id, not_found};
use crate::calendar::iso_millis;
use crate::http::Answer;
use crate::ids::is_uuid;
use crate::state::Context;
use crate::store::progress::{Progress, Step};
use crate::store::rich_menu::Menu;

/// How long LINE knows a batch and its `resumeRequestKey`.
const RETENTION: Duration = Duration::from_hours(14 * 24);

/// What a batch does.
enum Batch {
    UnlinkAll,
    /// Each step replaces a menu by another, or unlinks it.
    Replace(Vec<(String, Option<String>)>),
}

pub(crate) fn validate(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    parse_batch(ctx, &body)?;
    resume_key(&body)?;
    Ok(Answer::json(200, &json!({})))
}

pub(crate) fn accept(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let body = ctx.call.json()?;
    let plan = parse_batch(ctx, &body)?;
    let key = resume_key(&body)?;
    let now = ctx.now;
    let menus = &mut ctx.state.rich_menus;
    let young = |since| now.duration_since(since).unwrap_or_default() < RETENTION;
    menus.resume_keys.retain(|_, since| young(*since));
    menus.batches.retain(|_, batch| young(batch.accepted));
    // Resuming processes the users that are still left, of which there are none.
    let resumed = key.is_some_and(|key| menus.resume_keys.insert(key, now).is_some());
    let batch = Progress::new(now);
    menus.batches.insert(ctx.request_id.to_owned(), batch);
    match plan {
        _ if resumed => {}
        Batch::UnlinkAll => menus.linked.clear(),
        Batch::Replace(steps) => {
            for (user, linked) in std::mem::take(&mut menus.linked) {
                let step = steps.iter().find(|(from, _)| *from == linked);
                let menu = step.map_or(Some(linked), |(_, to)| to.clone());
                menus.linked.extend(menu.map(|menu| (user, menu)));
            }
        }
    }
    Ok(Answer::json(202, &json!({})))
}

pub(crate) fn progress(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let Some(id) = ctx.call.query_value("requestId").filter(|id| is_uuid(id)) else {
        return Err(Answer::invalid_parameter("requestId"));
    };
    let (pace, now) = (ctx.settings.pace, ctx.now);
    let batch = ctx.state.rich_menus.batches.get_mut(&id);
    let batch = batch.filter(|batch| batch.age(now) < RETENTION);
    let batch = batch.ok_or_else(not_found)?;
    let phase = match batch.poll(pace, now) {
        Step::Queued | Step::Running => "ongoing",
        Step::Done => "succeeded",
    };
    let mut body = json!({ "phase": phase, "acceptedTime": iso_millis(batch.accepted) });
    if let Some(completed) = batch.completed {
        body["completedTime"] = json!(iso_millis(completed));
    }
    Ok(Answer::json(200, &body))
}

fn parse_batch(ctx: &Context<'_>, body: &Value) -> Result<Batch, Answer> {
    let operations = match body.get("operations") {
        None | Some(Value::Null) => return Err(Answer::invalid("must be specified", "operations")),
        Some(Value::Array(operations)) => operations,
        Some(_) => return Err(Answer::invalid_property("'operations'")),
    };
    if !(1..=1000).contains(&operations.len()) {
        return Err(Answer::invalid(
            "Size must be between 1 and 1000",
            "operations",
        ));
    }
    let all = operations.iter().filter(|one| type_of(one) == "unlinkAll");
    match all.count() {
        0 => {}
        count if count == operations.len() => return Ok(Batch::UnlinkAll),
        _ => {
            let text = "'unlinkAll' type can't be combined with other type";
            return Err(Answer::invalid(text, "operations[].type"));
        }
    }
    let steps = operations.iter().enumerate();
    let steps = steps.map(|(index, operation)| step(ctx, operation, index));
    let steps: Vec<_> = steps.collect::<Result<_, _>>()?;
    let mut seen = HashSet::new();
    if let Some((from, _)) = steps.iter().find(|(from, _)| !seen.insert(from)) {
        let text = format!("from richmenu ({from}) is duplicated");
        return Err(Answer::invalid(&text, "operations[].from"));
    }
    Ok(Batch::Replace(steps))
}

fn type_of(operation: &Value) -> &str {
    let kind = operation.get("type").and_then(Value::as_str);
    kind.unwrap_or_default()
}

/// The menu that an operation replaces, and the one it links instead.
fn step(
    ctx: &Context<'_>,
    operation: &Value,
    index: usize,
) -> Result<(String, Option<String>), Answer> {
    let to = match type_of(operation) {
        "link" => Some(menu_with_image(ctx, operation, index)?),
        "unlink" => None,
        _ => {
            let text = "Must be one of the following values: [link, unlink, unlinkAll]";
            return Err(Answer::invalid(text, &format!("operations[{index}].type")));
        }
    };
    Ok((menu(ctx, operation, index, "from")?, to))
}

/// The menu in an operation's property, which must exist.
fn menu(ctx: &Context<'_>, operation: &Value, index: usize, key: &str) -> Result<String, Answer> {
    let path = format!("operations[{index}].{key}");
    let id = match operation.get(key) {
        None | Some(Value::Null) => return Err(Answer::invalid("must be specified", &path)),
        Some(Value::String(id)) if is_menu_id(id) => id,
        Some(_) => return Err(Answer::invalid("invalid richMenuId", &path)),
    };
    if ctx.state.rich_menus.get(id).is_some() {
        return Ok(id.clone());
    }
    let refusal = Answer::invalid(&format!("Richmenu ({id}) is not found"), &path);
    Err(Answer {
        status: 404,
        ..refusal
    })
}

fn menu_with_image(ctx: &Context<'_>, operation: &Value, index: usize) -> Result<String, Answer> {
    let id = menu(ctx, operation, index, "to")?;
    let known = ctx.state.rich_menus.get(&id);
    if known.is_some_and(Menu::has_image) {
        return Ok(id);
    }
    let text = format!("'to' richmenu ({id}) must have image but it doesn't");
    Err(Answer::invalid(&text, &format!("operations[{index}].to")))
}

fn resume_key(body: &Value) -> Result<Option<String>, Answer> {
    const NAME: &str = "resumeRequestKey";
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match body.get(NAME) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(key)) if (1..=100).contains(&key.len()) && key.bytes().all(allowed) => {
            Ok(Some(key.clone()))
        }
        Some(_) => Err(Answer::invalid("invalid resumeRequestKey", NAME)),
    }
}

//! Batches that replace or unlink menus for everybody who has them. A batch takes effect as it is
//! accepted; only its report takes its time.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::{is_menu_id, not_found};
use crate::calendar::iso_millis;
use crate::http::Answer;
use crate::ids::is_uuid;
use crate::state::Turn;
use crate::store::progress::{Progress, Step};
use crate::store::rich_menu::Menu;

/// How long LINE tells about a batch, and knows its `resumeRequestKey`.
const REMEMBERED: Duration = Duration::from_hours(14 * 24);

/// What a batch does.
enum Plan {
    UnlinkAll,
    /// From which menu, to which, or to none.
    Replace(Vec<(String, Option<String>)>),
}

pub(crate) fn validate(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = turn.call.json()?;
    plan(turn, &body)?;
    resume_key(&body)?;
    Ok(Answer::json(200, &json!({})))
}

pub(crate) fn accept(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let body = turn.call.json()?;
    let plan = plan(turn, &body)?;
    let key = resume_key(&body)?;
    let now = turn.now;
    let kept = &mut turn.state.rich_menus;
    let young = |since| now.duration_since(since).unwrap_or_default() < REMEMBERED;
    kept.resume_keys.retain(|_, since| young(*since));
    kept.batches.retain(|_, batch| young(batch.accepted));
    // Under a known key only users who are not done yet would be dealt with, and all are done.
    let resumed = key.is_some_and(|key| kept.resume_keys.insert(key, now).is_some());
    let batch = Progress::new(now);
    kept.batches.insert(turn.request_id.to_owned(), batch);
    match plan {
        _ if resumed => {}
        Plan::UnlinkAll => kept.linked.clear(),
        Plan::Replace(steps) => {
            for (user, linked) in std::mem::take(&mut kept.linked) {
                let step = steps.iter().find(|(from, _)| *from == linked);
                let menu = step.map_or(Some(linked), |(_, to)| to.clone());
                kept.linked.extend(menu.map(|menu| (user, menu)));
            }
        }
    }
    Ok(Answer::json(202, &json!({})))
}

pub(crate) fn progress(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let Some(id) = turn.call.query_value("requestId").filter(|id| is_uuid(id)) else {
        let text = "The value for the 'requestId' parameter is invalid";
        return Err(Answer::message(400, text));
    };
    let (pace, now) = (turn.settings.pace, turn.now);
    let batch = turn.state.rich_menus.batches.get_mut(&id);
    let batch = batch.filter(|batch| batch.age(now) < REMEMBERED);
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

fn plan(turn: &Turn<'_>, body: &Value) -> Result<Plan, Answer> {
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
    let all = operations.iter().filter(|one| kind(one) == "unlinkAll");
    match all.count() {
        0 => {}
        count if count == operations.len() => return Ok(Plan::UnlinkAll),
        _ => {
            let text = "'unlinkAll' type can't be combined with other type";
            return Err(Answer::invalid(text, "operations[].type"));
        }
    }
    let steps = operations.iter().enumerate();
    let steps = steps.map(|(index, operation)| step(turn, operation, index));
    let steps: Vec<_> = steps.collect::<Result<_, _>>()?;
    let mut seen = HashSet::new();
    if let Some((from, _)) = steps.iter().find(|(from, _)| !seen.insert(from)) {
        let text = format!("from richmenu ({from}) is duplicated");
        return Err(Answer::invalid(&text, "operations[].from"));
    }
    Ok(Plan::Replace(steps))
}

fn kind(operation: &Value) -> &str {
    let kind = operation.get("type").and_then(Value::as_str);
    kind.unwrap_or_default()
}

/// From which menu an operation leads, and to which.
fn step(
    turn: &Turn<'_>,
    operation: &Value,
    index: usize,
) -> Result<(String, Option<String>), Answer> {
    let to = match kind(operation) {
        "link" => Some(menu_with_image(turn, operation, index)?),
        "unlink" => None,
        _ => {
            let text = "Must be one of the following values: [link, unlink, unlinkAll]";
            return Err(Answer::invalid(text, &format!("operations[{index}].type")));
        }
    };
    Ok((menu(turn, operation, index, "from")?, to))
}

/// The menu that an operation names, which must exist.
fn menu(turn: &Turn<'_>, operation: &Value, index: usize, key: &str) -> Result<String, Answer> {
    let place = format!("operations[{index}].{key}");
    let id = match operation.get(key) {
        None | Some(Value::Null) => return Err(Answer::invalid("must be specified", &place)),
        Some(Value::String(id)) if is_menu_id(id) => id,
        Some(_) => return Err(Answer::invalid("invalid richMenuId", &place)),
    };
    if turn.state.rich_menus.get(id).is_some() {
        return Ok(id.clone());
    }
    let refusal = Answer::invalid(&format!("Richmenu ({id}) is not found"), &place);
    Err(Answer {
        status: 404,
        ..refusal
    })
}

fn menu_with_image(turn: &Turn<'_>, operation: &Value, index: usize) -> Result<String, Answer> {
    let id = menu(turn, operation, index, "to")?;
    let known = turn.state.rich_menus.get(&id);
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

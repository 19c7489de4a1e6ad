//! `events`: lists the events of a receiver's queue, replays and drops dead letters. The receiver may
//! run meanwhile, and notices within a second.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use line_connector_client::{Clock, Error, ExitCode, SystemClock};
use line_connector_receiver::millis;
use line_connector_receiver::queue::{Access, Changes, EventState, Listed, Queue, QueueError};

use crate::args::{Chosen, EventsCommand, QueueFile, Standing};
use crate::queue_file::{self, queue_error};
use crate::terminal::{print, say};

/// The most events that one transaction reads or changes, so that a running receiver never waits for
/// long.
const MAX_BATCH: i64 = 200;

/// Does what the command line says.
pub(super) fn events(command: &EventsCommand) -> Result<ExitCode, Error> {
    match command {
        EventsCommand::List {
            queue,
            state,
            limit,
            with_event,
        } => list(queue, *state, i64::from(*limit), *with_event),
        EventsCommand::Replay(chosen) => {
            let now = millis(SystemClock.now());
            change(chosen, "replayed", |changes, sequence| {
                changes.replay(sequence, now)
            })
        }
        EventsCommand::Drop(chosen) => change(chosen, "dropped", |changes, sequence| {
            changes.drop_dead(sequence)
        }),
    }
}

fn open(file: &QueueFile, access: Access) -> Result<Queue, Error> {
    queue_file::check(&file.path)?;
    Queue::open_existing(&file.path, access).map_err(|error| queue_error(&file.path, error))
}

fn list(
    file: &QueueFile,
    state: Standing,
    limit: i64,
    with_event: bool,
) -> Result<ExitCode, Error> {
    let queue = open(file, Access::Read)?;
    let state = match state {
        Standing::Waiting => EventState::Waiting,
        Standing::Dead => EventState::Dead,
    };
    let (mut after, mut left) = (0, limit);
    while left > 0 {
        let page = queue.list(state, after, left.min(MAX_BATCH));
        let page = page.map_err(|error| queue_error(&file.path, error))?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.event.sequence;
        left -= i64::try_from(page.len()).unwrap_or(i64::MAX);
        let lines = page.iter().map(|listed| line(listed, with_event));
        let written = print(&lines.collect::<String>());
        if written != ExitCode::Accepted {
            return Ok(written);
        }
    }
    Ok(ExitCode::Accepted)
}

/// One event of a listing. What it says is shown only on demand: listings end up in logs.
fn line(listed: &Listed, with_event: bool) -> String {
    let event = &listed.event;
    let mut line = json!({
        "sequence": event.sequence,
        "id": event.id,
        "destination": event.channel,
        "chat": event.chat,
        "state": match listed.state { EventState::Waiting => "waiting", EventState::Dead => "dead" },
        "attempts": event.attempt,
        "failures": event.failures,
        "reason": listed.reason,
        "accepted_ms": event.accepted,
    });
    let body = serde_json::from_str::<&RawValue>(&event.body).ok();
    if let (true, Some(body), Some(members)) = (with_event, body, line.as_object_mut()) {
        members.insert("event".to_owned(), Value::Null);
        let text = line.to_string();
        let head = text.strip_suffix("null}").unwrap_or(&text);
        return format!("{head}{}}}\n", body.get());
    }
    format!("{line}\n")
}

/// Changes the chosen dead letters, some at a time, and tells how many.
fn change(
    chosen: &Chosen,
    done: &str,
    one: impl Fn(&Changes<'_>, i64) -> Result<bool, QueueError>,
) -> Result<ExitCode, Error> {
    let path = &chosen.queue.path;
    let mut queue = open(&chosen.queue, Access::Change)?;
    let (mut count, mut absent, mut after) = (0_u64, Vec::new(), 0);
    let mut named = chosen.sequences.iter().copied();
    loop {
        let step: Vec<i64> = if chosen.all {
            let page = queue.list(EventState::Dead, after, MAX_BATCH);
            let page = page.map_err(|error| queue_error(path, error))?;
            page.iter().map(|listed| listed.event.sequence).collect()
        } else {
            named
                .by_ref()
                .take(usize::try_from(MAX_BATCH).unwrap_or(1))
                .collect()
        };
        let Some(last) = step.last() else {
            break;
        };
        after = *last;
        let results = queue.write(|changes| {
            let each = step.iter().map(|sequence| one(changes, *sequence));
            each.collect::<Result<Vec<bool>, _>>()
        });
        for (sequence, found) in step
            .iter()
            .zip(results.map_err(|error| queue_error(path, error))?)
        {
            if found {
                count += 1;
            } else {
                absent.push(*sequence);
            }
        }
    }
    let written = print(&format!("{}\n", json!({done: count, "not_dead": absent})));
    if !absent.is_empty() {
        say("some of these are not dead events; `line-connector events list` shows which are");
    }
    Ok(match written {
        ExitCode::Accepted if !absent.is_empty() => ExitCode::Usage,
        written => written,
    })
}

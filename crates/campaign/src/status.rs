//! What is told of a campaign from its ledger alone: by any process, at any time.

use std::io::{self, Write};
use std::path::Path;

use jiff::{Timestamp, ToSpan as _};
use line_connector_client::{Error, Kind};
use serde_json::{Map, Value, json};

use crate::campaigner::Campaigner;
use crate::ledger::{Access, Ledger, LedgerError, PartRow, Person, RunState, State, Wanted};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A table with a header line.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

/// The columns of results.
const COLUMNS: [&str; 11] = [
    "line",
    "line_id",
    "account",
    "state",
    "reason",
    "status",
    "request_id",
    "retry_key",
    "attempts",
    "at",
    "rendering",
];

fn open(path: &Path, access: Access) -> Result<Ledger, Error> {
    Ledger::open(path, access).map_err(Error::from)
}

/// Where the campaign of a ledger stands.
///
/// # Errors
///
/// Where the ledger cannot be read.
pub fn status(path: &Path) -> Result<Value, Error> {
    summary(&open(path, Access::Read)?).map_err(Error::from)
}

pub(crate) fn summary(ledger: &Ledger) -> Result<Value, LedgerError> {
    let run = ledger.run()?;
    let counts = ledger.counts()?;
    let people = counts.iter().filter(|(state, _)| *state != State::Split);
    let people: Map<String, Value> = people
        .map(|(state, count)| (state.name().to_owned(), json!(count.people)))
        .collect();
    let requests = counts.iter().filter(|(state, _)| *state != State::Split);
    let requests: u64 = requests.map(|(_, count)| count.parts).sum();
    let left_out: Map<String, Value> = ledger
        .left_out()?
        .into_iter()
        .map(|(reason, count)| (reason, json!(count)))
        .collect();
    let is_sending = Ledger::is_held(ledger.path());
    // A process that was killed could not say so.
    let is_left = !is_sending && matches!(run.state, RunState::Running | RunState::Scheduled);
    Ok(json!({
        "campaign": run.plan.get("campaign"),
        "occurrence": run.plan.get("occurrence"),
        "run": run.id,
        "digest": run.digest,
        "ledger": ledger.path().display().to_string(),
        "state": run.state.name(),
        "reason": if is_left { Some("its process has ended; `campaign resume` goes on") } else { run.reason.as_deref() },
        "holder": run.holder.filter(|_| is_sending),
        "people": people,
        "left_out": left_out,
        "parts": requests,
        "planned_at": told(Some(run.planned_ms)),
        "started_at": told(run.started_ms),
        "ended_at": told(run.ended_ms),
    }))
}

pub(crate) fn told(at_ms: Option<i64>) -> Option<String> {
    let at = Timestamp::from_millisecond(at_ms?).ok()?;
    Some(at.to_string())
}

/// Asks the process that sends a campaign to pause or to give it up. Where none does, that is settled
/// at once.
///
/// # Errors
///
/// Where the ledger cannot be written, or the campaign has ended.
pub fn ask(path: &Path, wanted: Wanted) -> Result<Value, Error> {
    let ledger = open(path, Access::Ask)?;
    let run = ledger.run()?;
    if matches!(
        run.state,
        RunState::Finished | RunState::FinishedWithUnknown | RunState::Cancelled
    ) {
        let message = format!("the campaign is {} already", run.state.name());
        return Err(Error::new(Kind::Usage, message)
            .with_hint("`campaign results` shows what became of each person"));
    }
    ledger.ask(Some(wanted))?;
    drop(ledger);
    // Nobody sends if the ledger can be had for sending.
    if let Ok(ledger) = Ledger::open(path, Access::Send) {
        let run = ledger.run()?;
        let now = Timestamp::now().as_millisecond();
        ledger.recover()?;
        match wanted {
            Wanted::Pause if run.state == RunState::Planned => {
                ledger.ask(None)?;
                let message = "the campaign was not started yet";
                return Err(Error::new(Kind::Usage, message).with_hint("`campaign start` sends it"));
            }
            Wanted::Pause => ledger.moved(RunState::Paused, None, now)?,
            Wanted::Cancel => {
                ledger.cancel()?;
                ledger.moved(RunState::Cancelled, None, now)?;
            }
        }
        ledger.ask(None)?;
        ledger.close();
    }
    status(path)
}

/// Writes what became of each person. `states` keeps to those; all without any. A reader that has gone
/// away wants nothing more.
///
/// # Errors
///
/// Where the ledger cannot be read, or the results not written.
pub fn results(
    path: &Path,
    form: Form,
    states: &[String],
    to: &mut dyn Write,
) -> Result<(), Error> {
    let ledger = open(path, Access::Read)?;
    write_results(form, states, to, |take| ledger.people(take))
}

/// Takes a person, and the part they belong to.
pub(crate) type Take<'a> = &'a mut dyn FnMut(&Person, Option<&PartRow>) -> Result<(), Trouble>;

/// Writes the people whom `each` hands over.
pub(crate) fn write_results(
    form: Form,
    states: &[String],
    to: &mut dyn Write,
    each: impl FnOnce(Take<'_>) -> Result<(), Trouble>,
) -> Result<(), Error> {
    let mut sheet = Sheet::new(form, to).map_err(|error| Trouble::from(error).error())?;
    let mut take = |person: &Person, part: Option<&PartRow>| -> Result<(), Trouble> {
        let state = part.map_or("skipped", |part| part.state.as_str());
        if !states.is_empty() && !states.iter().any(|wanted| wanted == state) {
            return Ok(());
        }
        let reason = person.left_out.as_deref();
        let reason = reason.or(part.and_then(|part| part.reason.as_deref()));
        sheet.row([
            json!(person.line),
            json!(person.id),
            json!(part.map(|part| &part.account)),
            json!(state),
            json!(reason),
            json!(part.and_then(|part| part.status)),
            json!(part.and_then(|part| part.request_id.as_ref())),
            json!(part.and_then(|part| part.key.as_ref())),
            json!(part.map(|part| part.attempts)),
            json!(part.and_then(|part| told(part.at_ms))),
            json!(part.map(|part| &part.body)),
        ])?;
        Ok(())
    };
    let written = each(&mut take).and_then(|()| sheet.finish().map_err(Trouble::from));
    match written {
        Err(Trouble::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Trouble::error),
    }
}

/// Rows on their way out.
enum Sheet<'a> {
    Csv(Box<csv::Writer<&'a mut dyn Write>>),
    Ndjson(&'a mut dyn Write),
}

impl<'a> Sheet<'a> {
    fn new(form: Form, to: &'a mut dyn Write) -> io::Result<Self> {
        Ok(match form {
            Form::Ndjson => Self::Ndjson(to),
            Form::Csv => {
                let mut table = csv::Writer::from_writer(to);
                table.write_record(COLUMNS)?;
                Self::Csv(Box::new(table))
            }
        })
    }

    fn row(&mut self, values: [Value; COLUMNS.len()]) -> io::Result<()> {
        match self {
            Self::Csv(table) => Ok(table.write_record(values.iter().map(cell))?),
            Self::Ndjson(to) => {
                let named = COLUMNS.iter().zip(values);
                let named = named.filter(|(_, value)| !value.is_null());
                let object = named.map(|(name, value)| ((*name).to_owned(), value));
                writeln!(to, "{}", Value::Object(object.collect()))
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Csv(mut table) => table.flush(),
            Self::Ndjson(to) => to.flush(),
        }
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => harmless(text),
        other => other.to_string(),
    }
}

/// A cell that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Why results cannot be told.
pub(crate) enum Trouble {
    Source(Error),
    Output(io::Error),
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::Source(error.into())
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Source(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Trouble {
    fn error(self) -> Error {
        match self {
            Self::Source(error) => error,
            Self::Output(error) => Error::new(
                Kind::FileUnwritable,
                format!("the results cannot be written: {error}"),
            )
            .with_hint("make room, or write them elsewhere"),
        }
    }
}

/// How long after a message LINE's figures of it grow.
const GROWS: &str = "14 days";
/// The longest period of LINE's figures, days beyond the first.
const MAX_DAYS: i64 = 30;

impl Campaigner<'_> {
    /// What LINE tells of the campaign's unit, for each account: who saw and clicked, from the first
    /// day on which it accepted something.
    ///
    /// # Errors
    ///
    /// Where the campaign has no unit, or nothing was sent.
    pub fn statistics(&self) -> Result<Value, Error> {
        let Some(unit) = self.campaign.aggregation_unit() else {
            let message = "the campaign has no `unit`, and LINE counts by units";
            return Err(
                Error::new(Kind::Usage, message).with_hint("give the next campaign a `unit`")
            );
        };
        let days = open(&self.ledger, Access::Read)?.days()?;
        let mut accounts = Vec::new();
        for name in self.names() {
            let own = days.iter().filter(|(_, account, _)| *account == name);
            let own: Vec<_> = own.collect();
            let (Some(first), Some(last)) = (own.first(), own.last()) else {
                continue;
            };
            let people: u64 = own.iter().map(|(_, _, people)| people).sum();
            let to = last_day(&first.0, &last.0);
            let inputs = [
                ("customAggregationUnit", unit),
                ("from", &compact(&first.0)),
                ("to", &compact(&to)),
            ];
            let inputs = inputs.map(|(name, text)| (name.to_owned(), Value::from(text)));
            let action = &self.connector.catalog().manifest().campaign.statistics;
            let output = self.call(&name, action, Map::from_iter(inputs));
            let error = output.error.as_ref().map(|error| error.message.clone());
            accounts.push(json!({
                "account": name,
                "accepted": people,
                "from": first.0,
                "to": to,
                "statistics": output.json(),
                "error": error,
            }));
        }
        if accounts.is_empty() {
            let message = "LINE has accepted nothing of the campaign yet";
            return Err(Error::new(Kind::Usage, message)
                .with_hint("`campaign status` shows where it stands"));
        }
        Ok(json!({
            "campaign": self.campaign.name,
            "unit": unit,
            "limits": [
                "LINE tells a figure only where at least 20 people account for it; null is not 0",
                format!("the figures grow for {GROWS} after a message was sent"),
                "LINE tells a period of at most 31 days",
                "a month has at most 1,000 units; beyond them LINE sends without the unit and says nothing",
            ],
            "accounts": accounts,
        }))
    }
}

/// A day as LINE writes it.
fn compact(day: &str) -> String {
    day.replace('-', "")
}

/// The last day of which LINE tells, in one question, what was sent from `first` to `last` and seen
/// since.
fn last_day(first: &str, last: &str) -> String {
    let date = |text: &str| text.parse::<jiff::civil::Date>().ok();
    let end = date(first).and_then(|first| first.checked_add(MAX_DAYS.days()).ok());
    let grown = date(last).and_then(|last| last.checked_add(14.days()).ok());
    let japan = jiff::tz::TimeZone::fixed(jiff::tz::offset(9));
    let today = japan.to_datetime(Timestamp::now()).date();
    let days = [end, grown, Some(today)].into_iter().flatten();
    days.min()
        .map_or_else(|| last.to_owned(), |day| day.to_string())
}

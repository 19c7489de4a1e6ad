//! Planning: everybody's row is judged once, and what comes of it is fixed in a ledger. Nothing is
//! sent.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::num::NonZero;
use std::thread;

use jiff::Timestamp;
use line_connector_catalog::definition::{self, Figure};
use line_connector_client::{Error, Invocation, Kind, Options, Output, regular};
use line_connector_core::documents::MediaCheck;
use line_connector_core::error::Detail;
use line_connector_core::nearest::nearest;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::campaigner::Campaigner;
use crate::followers::{FOLLOWS, Followers};
use crate::gateway::Weighted;
use crate::history::History;
use crate::ledger::{Draft, Excerpt, Fate, Planned, Share, Staged};
use crate::list::{Entry, Fingerprint, List, MAX_ROW_BYTES, Unreadable, told};
use crate::render::{Judged, Renderer, Rules, SOMEBODY, Suppressed, is_id};
use crate::template::{Fixed, Templates};
use crate::{unfollows, window};

/// How many rows are judged at a time.
const BATCH: usize = 16_384;
/// Campaigns' runs, as UUIDs of version 5, stand beneath this one.
const RUNS: Uuid = Uuid::from_u128(0x2b7c_91e4_5f03_4d6a_a8de_70c1_3f95_be62);
/// How many columns of a list are told.
const MAX_COLUMNS: usize = 20;
/// How many warnings a plan has at most.
const MAX_WARNINGS: usize = 20;

/// How a campaign is planned.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// Asks LINE nothing: not whether the accounts work, nor what is left of their quota.
    pub offline: bool,
    /// How many of the different renderings are shown.
    pub samples: usize,
    /// Of how many people each account is asked whether it knows them.
    pub probes: usize,
    /// Whether the media of the messages are looked at.
    pub media_check: bool,
}

/// What LINE says about an account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    /// Why it does not work.
    pub(crate) fault: Option<String>,
    /// Its user ID.
    pub(crate) bot: Option<String>,
    /// How many more people it may reach this month; `None` where there is no limit or none is known.
    pub(crate) left: Option<u64>,
}

impl Campaigner<'_> {
    /// Plans the campaign and returns the plan: people by account and reason, requests, what LINE
    /// bills at most, how long it takes, examples, and the digest that `start` asks for.
    ///
    /// # Errors
    ///
    /// What is wrong with the document, the list or the ledger. Then nothing is planned.
    pub fn plan(&self, options: &PlanOptions) -> Result<Value, Error> {
        let campaign = self.campaign;
        let now = self.now();
        let templates = self.templates(now)?;
        let mut warnings = Vec::new();
        let health = self.health(options, &mut warnings)?;
        let names = self.names();
        let control = campaign.control_group.as_ref();
        let rules = Rules {
            control: control.map(|group| (group.percent / 100.0, group.salt.clone())),
            suppressed: self.suppressed(&health, &mut warnings)?,
            ..self.rules(&templates, &health)
        };
        let mut history = self.history(false)?;
        let mut draft = Draft::begin(&self.ledger, &names)?;
        let mut tally = Tally::default();
        let list = self.gather(&rules, &mut draft, history.as_mut(), now, &mut tally)?;
        let run = self.run_id();
        // The first rendering is looked at, shown or not.
        let excerpt = Excerpt {
            samples: options.samples.max(1),
            users: options.probes,
        };
        let mut planned = draft.arrange(&run, excerpt)?;
        if planned.shares.iter().all(|share| share.people == 0) {
            return Err(nobody_is_sent(&planned.left_out, tally.not_selected));
        }
        self.look(&planned, &tally, options, &mut warnings);
        planned.samples.truncate(options.samples);
        let plan = self.told(&run, &planned, &tally, &health, &warnings);
        let document = self.frozen(list.as_ref());
        draft.keep(
            &run,
            &planned.digest,
            &document,
            &plan,
            now.as_millisecond(),
        )?;
        Ok(plan)
    }

    /// The templates, compiled.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them.
    pub(crate) fn templates(&self, now: Timestamp) -> Result<Templates, Error> {
        let campaign = self.campaign;
        let zone = campaign
            .zone
            .as_deref()
            .map(window::zone)
            .transpose()
            .unwrap_or_default();
        let zone = zone.unwrap_or(jiff::tz::TimeZone::UTC);
        let local = zone.to_offset(now);
        let fixed = Fixed {
            now: now.display_with_offset(local).to_string(),
            name: campaign.name.clone(),
            occurrence: campaign.occurrence.clone().unwrap_or_default(),
        };
        campaign.templates(&fixed).map_err(|breaches| {
            let details = breaches
                .into_iter()
                .map(|(path, reason)| Detail::new(path, reason));
            Error::new(Kind::InvalidDocument, "the campaign's templates are wrong")
                .with_details(details.collect())
                .with_hint(
                    "correct them in the campaign's document; docs/campaigns.md has examples",
                )
        })
    }

    /// What decides about rows: who is meant and what they get, whatever else may keep it from them.
    pub(crate) fn rules<'a>(&'a self, templates: &'a Templates, health: &[Health]) -> Rules<'a> {
        let recipients = &self.campaign.recipients;
        let follows = if recipients.followers {
            Some(FOLLOWS.to_owned())
        } else {
            recipients.accounts.clone()
        };
        Rules {
            connector: self.connector,
            templates,
            compose: self.campaign.compose_options().unwrap_or_default(),
            request: self.request(),
            accounts: self.weighted(health),
            follows,
            control: None,
            suppressed: Suppressed::default(),
        }
    }

    /// What a request has beside `to` and `messages`.
    fn request(&self) -> Map<String, Value> {
        let mut request = Map::new();
        if self.campaign.is_silent() {
            request.insert("notificationDisabled".to_owned(), Value::Bool(true));
        }
        if let Some(unit) = self.campaign.aggregation_unit() {
            request.insert("customAggregationUnits".to_owned(), json!([unit]));
        }
        request
    }

    /// The accounts with their weights. One that is known not to work gets nobody.
    fn weighted(&self, health: &[Health]) -> Vec<Weighted> {
        let accounts = self.campaign.all_accounts().into_iter().enumerate();
        let weighted = accounts.map(|(place, (name, account))| {
            let works = health
                .get(place)
                .is_none_or(|health| health.fault.is_none());
            let weight = account.weight.unwrap_or(1.0);
            Weighted {
                name,
                weight: if works { weight } else { 0.0 },
            }
        });
        weighted.collect()
    }

    /// Asks LINE about each account.
    ///
    /// # Errors
    ///
    /// Where no account works.
    fn health(
        &self,
        options: &PlanOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Health>, Error> {
        let names = self.names();
        if options.offline {
            return Ok(vec![Health::default(); names.len()]);
        }
        let mut all = Vec::new();
        let mut first = None;
        for name in &names {
            let mut health = self.ask(name);
            if let Err(error) = &health {
                warnings.push(format!(
                    "the account {name} does not work and gets nobody: {}",
                    error.message
                ));
                first.get_or_insert_with(|| error.clone());
            }
            if let Ok(health) = &mut health {
                health.left = self.quota_left(name);
                self.count_units(name, warnings);
            }
            all.push(health.unwrap_or_else(|error| Health {
                fault: Some(error.message),
                ..Health::default()
            }));
        }
        match first {
            Some(error) if all.iter().all(|health| health.fault.is_some()) => {
                let offline = "`--offline` plans without asking LINE";
                let own = error.hint.as_deref().unwrap_or_else(|| error.kind.hint());
                let hint = format!("{own}; {offline}");
                Err(error.with_hint(hint))
            }
            _ => Ok(all),
        }
    }

    /// Whether an account works.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub(crate) fn ask(&self, account: &str) -> Result<Health, Error> {
        let question = &self.connector.catalog().manifest().campaign.account;
        let output = self.call(account, &question.action, Map::new());
        if let Some(error) = output.error {
            return Err(Error::from(error));
        }
        let body = output.json().unwrap_or_default();
        let bot = body.pointer(&question.output).and_then(Value::as_str);
        Ok(Health {
            bot: bot.map(str::to_owned),
            ..Health::default()
        })
    }

    /// A number that LINE tells of an account.
    fn figure(&self, account: &str, figure: &Figure) -> Option<u64> {
        let body = self.call(account, &figure.action, Map::new()).json()?;
        body.pointer(&figure.output)?.as_u64()
    }

    fn quota_left(&self, account: &str) -> Option<u64> {
        let quota = &self.connector.catalog().manifest().quota;
        let limit = self.figure(account, &quota.limit)?;
        Some(limit.saturating_sub(self.figure(account, &quota.used)?))
    }

    /// Beyond LINE's number of unit names a month, messages go out without one.
    fn count_units(&self, account: &str, warnings: &mut Vec<String>) {
        const MOST: u64 = 1000;
        if self.campaign.aggregation_unit().is_none() {
            return;
        }
        let units = &self.connector.catalog().manifest().campaign.units;
        if let Some(used) = self.figure(account, units).filter(|used| *used >= MOST) {
            warnings.push(format!(
                "{account} has used {used} unit names this month: LINE takes no new one, and sends without it"
            ));
        }
    }

    /// One call on behalf of an account.
    pub(crate) fn call(&self, account: &str, action: &str, inputs: Map<String, Value>) -> Output {
        self.connector(account).call(Invocation {
            action: Some(action.to_owned()),
            inputs,
            ..Invocation::default()
        })
    }

    /// The IDs of a file: the first cell of each line.
    fn suppressed_by(&self, file: &str, warnings: &mut Vec<String>) -> Result<Vec<String>, Error> {
        let path = self.beside(file);
        let shown = path.display();
        let unusable = |reason: String| {
            Error::new(Kind::Usage, format!("the list {shown} {reason}"))
                .with_hint("correct `suppress.files`; the paths are relative to the campaign")
        };
        let unreadable = |error: std::io::Error| unusable(format!("cannot be read: {error}"));
        let mut list = BufReader::new(regular::open(&path).map_err(unreadable)?);
        let mut ids = Vec::new();
        let (mut lines, mut strange) = (0u64, 0u64);
        loop {
            let mut line = Vec::new();
            let mut bounded = list.by_ref().take(MAX_ROW_BYTES);
            bounded.read_until(b'\n', &mut line).map_err(unreadable)?;
            if line.is_empty() {
                break;
            }
            if line.len() as u64 == MAX_ROW_BYTES {
                return Err(unusable(format!("has a line of {MAX_ROW_BYTES} bytes")));
            }
            let line = std::str::from_utf8(&line)
                .map_err(|_| unusable("is not UTF-8; save it as UTF-8".to_owned()))?;
            for line in line.split(['\n', '\r']) {
                let cell = line.split([',', ';', '\t']).next().unwrap_or_default();
                let id =
                    cell.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\u{feff}');
                if is_id(id) {
                    ids.push(id.to_owned());
                } else if !id.is_empty() {
                    // The first line may be a header.
                    strange += u64::from(lines > 0);
                }
                lines += u64::from(!id.is_empty());
            }
        }
        if ids.is_empty() && lines > 0 {
            let reason = "has no ID of LINE's at the beginning of a line, such as U4af4980629f0b5a3c3d6b8a1d2e3f405";
            return Err(unusable(reason.to_owned()));
        }
        if strange > 0 {
            warnings.push(format!(
                "{strange} lines of {shown} begin with no ID of LINE's"
            ));
        }
        Ok(ids)
    }

    fn suppressed(
        &self,
        health: &[Health],
        warnings: &mut Vec<String>,
    ) -> Result<Suppressed, Error> {
        let mut suppressed = Suppressed::default();
        let Some(suppress) = &self.campaign.suppress else {
            return Ok(suppressed);
        };
        for file in &suppress.files {
            suppressed.ids.extend(self.suppressed_by(file, warnings)?);
        }
        suppressed.ids.sort_unstable();
        suppressed.ids.dedup();
        if let Some(queue) = &suppress.queue {
            let bots = health.iter().map(|health| health.bot.as_deref());
            suppressed.unfollowed = unfollows::read(&self.beside(queue), bots)?;
        }
        Ok(suppressed)
    }

    /// Reads the list to its end. Returns what makes it the same one, where it is a list.
    fn gather(
        &self,
        rules: &Rules<'_>,
        draft: &mut Draft,
        history: Option<&mut History>,
        now: Timestamp,
        tally: &mut Tally,
    ) -> Result<Option<Fingerprint>, Error> {
        if self.campaign.recipients.followers {
            let working = rules.accounts.iter().filter(|account| account.weight > 0.0);
            let working: Vec<&str> = working.map(|account| account.name.as_str()).collect();
            let mut followers = Followers::gather(self, &working)?;
            judge_all(rules, draft, history, now, tally, &mut || followers.next())
                .map_err(Trouble::error)?;
            return Ok(None);
        }
        let (place, notation) = self.list_place();
        let unreadable = |error: Unreadable| self.unreadable(&error);
        let mut list = List::open(&place, notation, self.input).map_err(unreadable)?;
        tally.columns = list.columns().map(<[String]>::to_vec);
        if let (Some(columns), Some(id)) = (&tally.columns, rules.templates.plain_id())
            && !columns.iter().any(|column| column == id)
        {
            let mut there: Vec<String> = columns
                .iter()
                .take(MAX_COLUMNS)
                .map(|name| told(name))
                .collect();
            if columns.len() > MAX_COLUMNS {
                there.push("…".to_owned());
            }
            let there = there.join("`, `");
            let reason = format!(
                "has no column `{}` with the IDs, only `{there}`; name it so, or say in `recipients.to` where they are",
                told(id)
            );
            return Err(unreadable(Unreadable::from(reason)));
        }
        let judged = judge_all(rules, draft, history, now, tally, &mut || list.next());
        judged.map_err(|trouble| match trouble {
            Trouble::List(error) => unreadable(error),
            Trouble::Ours(error) => error,
        })?;
        list.finish().map(Some).map_err(unreadable)
    }

    pub(crate) fn unreadable(&self, error: &Unreadable) -> Error {
        let list = self.campaign.recipients.csv.as_deref();
        let list = list
            .or(self.campaign.recipients.ndjson.as_deref())
            .unwrap_or_default();
        let list = if list == "-" {
            "on standard input"
        } else {
            list
        };
        Error::new(
            Kind::InvalidDocument,
            format!("the list {list}: {error}; nothing was planned"),
        )
        .with_hint("correct the list, or `recipients` of the campaign")
    }

    /// Looks at what would be sent: media, people that the accounts do not know.
    fn look(
        &self,
        planned: &Planned,
        tally: &Tally,
        options: &PlanOptions,
        warnings: &mut Vec<String>,
    ) {
        for reason in planned.left_out.keys() {
            if let Some(name) = reason.strip_prefix("personalization_failed: ")
                && let Some(columns) = &tally.columns
                && !columns.iter().any(|column| column == name)
            {
                let near = nearest(name, columns.iter().map(String::as_str));
                let hint = near.map(|near| format!("; did you mean `{near}`?"));
                warnings.push(format!(
                    "the list has no column `{name}`{}",
                    hint.unwrap_or_default()
                ));
            }
        }
        if options.offline {
            return;
        }
        if options.media_check
            && let Some(sample) = planned.samples.first()
        {
            warnings.extend(self.media_warnings(&sample.requests));
        }
        for (place, name) in self.names().iter().enumerate() {
            let people = planned.users.get(place).into_iter().flatten();
            let profile = &self.connector.catalog().manifest().campaign.profile;
            let (mut asked, mut strangers) = (0, 0);
            for user in people {
                let inputs = Map::from_iter([(profile.input.clone(), Value::from(user.as_str()))]);
                let output = self.call(name, &profile.action, inputs);
                asked += 1;
                strangers += usize::from(
                    output
                        .error
                        .is_some_and(|error| error.kind == Kind::NotFound),
                );
            }
            if strangers > 0 {
                warnings.push(format!(
                    "{name} does not know {strangers} of {asked} people that it was asked about: they do not follow it, or their IDs belong to another provider"
                ));
            }
        }
        warnings.truncate(MAX_WARNINGS);
    }

    fn media_warnings(&self, requests: &str) -> Vec<String> {
        let requests: Vec<Map<String, Value>> = serde_json::from_str(requests).unwrap_or_default();
        let mut warnings = Vec::new();
        for mut inputs in requests {
            inputs.insert("to".to_owned(), Value::from(SOMEBODY));
            let shown = self.connector.plan(Invocation {
                action: Some(self.connector.catalog().manifest().send.one.clone()),
                inputs,
                options: Options {
                    media_check: Some(MediaCheck::Warn),
                    ..Options::default()
                },
                ..Invocation::default()
            });
            let found = shown.meta.map(|meta| meta.warnings).unwrap_or_default();
            warnings.extend(found.into_iter().map(|detail| detail.to_string()));
        }
        warnings
    }

    /// The plan as it is told.
    fn told(
        &self,
        run: &str,
        planned: &Planned,
        tally: &Tally,
        health: &[Health],
        warnings: &[String],
    ) -> Value {
        let accounts = self.campaign.all_accounts();
        let accounts: Vec<Value> = accounts
            .keys()
            .zip(&planned.shares)
            .zip(health)
            .map(|((name, share), health)| {
                json!({
                    "name": name,
                    "people": share.people,
                    "requests": {"one": share.one, "many": share.many},
                    "billed_at_most": share.billed,
                    "quota_left": health.left,
                    "exceeds_quota": health.left.is_some_and(|left| share.billed > left),
                    "seconds_at_least": self.seconds(share),
                    "fault": health.fault,
                })
            })
            .collect();
        let mut left_out = json!(planned.left_out);
        if tally.not_selected > 0 {
            left_out["not_selected"] = json!(tally.not_selected);
        }
        let names = self.names();
        let samples: Vec<Value> = planned
            .samples
            .iter()
            .map(|sample| {
                let requests: Value = serde_json::from_str(&sample.requests).unwrap_or_default();
                json!({
                    "line": sample.line,
                    "to": sample.id,
                    "account": names.get(sample.account),
                    "requests": requests,
                })
            })
            .collect();
        let people: u64 = planned.shares.iter().map(|share| share.people).sum();
        let billed: u64 = planned.shares.iter().map(|share| share.billed).sum();
        json!({
            "campaign": self.campaign.name,
            "occurrence": self.campaign.occurrence,
            "run": run,
            "ledger": self.ledger.display().to_string(),
            "digest": planned.digest,
            "rows": tally.rows,
            "people": people,
            "left_out": left_out,
            "renderings": planned.renderings,
            "billed_at_most": billed,
            "accounts": accounts,
            "samples": samples,
            "warnings": warnings,
        })
    }

    /// LINE's own rate for an action: so many calls in so many seconds.
    pub(crate) fn lines_rate(&self, action: &str) -> Option<(u32, u32)> {
        let limit = self.connector.catalog().action(action)?.meta.rate_limit;
        definition::rate(&limit?)
    }

    /// How long an account takes within LINE's limits.
    fn seconds(&self, share: &Share) -> u64 {
        let send = &self.connector.catalog().manifest().send;
        let time = |action: &str, requests: u64| {
            self.lines_rate(action).map_or(0, |(calls, seconds)| {
                requests
                    .saturating_mul(u64::from(seconds))
                    .div_ceil(u64::from(calls.max(1)))
            })
        };
        time(&send.one, share.one).max(time(&send.many, share.many))
    }

    /// The ID of this run: the same for the same campaign and occurrence.
    pub(crate) fn run_id(&self) -> String {
        let occurrence = self.campaign.occurrence.as_deref().unwrap_or_default();
        let name = format!(
            "{}:{}{occurrence}",
            self.campaign.name.len(),
            self.campaign.name
        );
        Uuid::new_v5(&RUNS, name.as_bytes()).to_string()
    }

    /// What a run is held to when it goes on: the document and the list.
    fn frozen(&self, list: Option<&Fingerprint>) -> Value {
        json!({"campaign": self.campaign, "list": list})
    }
}

/// What was counted while the list was read.
#[derive(Debug, Default)]
struct Tally {
    rows: u64,
    not_selected: u64,
    columns: Option<Vec<String>>,
}

enum Trouble {
    List(Unreadable),
    Ours(Error),
}

impl Trouble {
    fn error(self) -> Error {
        match self {
            Self::Ours(error) => error,
            Self::List(error) => Error::new(Kind::InvalidDocument, error.to_string()),
        }
    }
}

/// Judges all rows, in as many threads as there are cores, while the rows before them are written and
/// the next are read.
fn judge_all(
    rules: &Rules<'_>,
    draft: &mut Draft,
    mut history: Option<&mut History>,
    now: Timestamp,
    tally: &mut Tally,
    next: &mut dyn FnMut() -> Result<Option<Entry>, Unreadable>,
) -> Result<(), Trouble> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let mut renderers: Vec<Renderer<'_>> = (0..threads).map(|_| Renderer::new(rules)).collect();
    let mut batch = read_batch(next)?;
    let mut judged: Vec<Judged> = Vec::new();
    while !batch.is_empty() || !judged.is_empty() {
        let mut chunks = Vec::new();
        let share = batch.len().div_ceil(threads).max(1);
        let mut rows = std::mem::take(&mut batch).into_iter();
        while rows.len() > 0 {
            chunks.push(rows.by_ref().take(share).collect::<Vec<Entry>>());
        }
        let before = std::mem::take(&mut judged);
        let done = thread::scope(|scope| {
            let work = renderers.iter_mut().zip(chunks).map(|(renderer, chunk)| {
                scope.spawn(move || {
                    let rows = chunk.into_iter().map(|entry| renderer.judge(entry));
                    rows.collect::<Vec<Judged>>()
                })
            });
            let work: Vec<_> = work.collect();
            let written = write_batch(draft, history.as_deref_mut(), now, tally, before);
            let read = written.and_then(|()| read_batch(next));
            let judged = work.into_iter().map(thread::ScopedJoinHandle::join);
            let judged: Result<Vec<_>, _> = judged.collect();
            (read, judged)
        });
        batch = done.0?;
        let chunks = done.1.map_err(|_| {
            Trouble::Ours(Error::new(
                Kind::Internal,
                "a row could not be judged; nothing was planned",
            ))
        })?;
        judged = chunks.into_iter().flatten().collect();
    }
    Ok(())
}

fn read_batch(
    next: &mut dyn FnMut() -> Result<Option<Entry>, Unreadable>,
) -> Result<Vec<Entry>, Trouble> {
    let mut batch = Vec::new();
    while batch.len() < BATCH {
        match next().map_err(Trouble::List)? {
            Some(entry) => batch.push(entry),
            None => break,
        }
    }
    Ok(batch)
}

fn write_batch(
    draft: &mut Draft,
    history: Option<&mut History>,
    now: Timestamp,
    tally: &mut Tally,
    judged: Vec<Judged>,
) -> Result<(), Trouble> {
    let count = judged.len();
    let mut rows: Vec<Staged> = judged.into_iter().flatten().collect();
    tally.rows += count as u64;
    tally.not_selected += (count - rows.len()) as u64;
    if let Some(history) = history {
        for row in &mut rows {
            if matches!(row.fate, Fate::Sent(..))
                && history.is_full(&row.id, now).map_err(Trouble::Ours)?
            {
                row.fate = Fate::LeftOut("frequency_cap".to_owned());
            }
        }
    }
    draft.add(rows).map_err(|error| Trouble::Ours(error.into()))
}

fn nobody_is_sent(left_out: &BTreeMap<String, u64>, not_selected: u64) -> Error {
    let mut message = "nobody would be sent anything; nothing was planned".to_owned();
    if not_selected > 0 {
        let _ = write!(message, " ({not_selected} people are not meant by `where`)");
    }
    let details = left_out
        .iter()
        .map(|(reason, count)| Detail::new("", format!("{reason}: {count}")));
    Error::new(Kind::InvalidInputs, message)
        .with_details(details.collect())
        .with_hint("correct the list or the campaign")
}

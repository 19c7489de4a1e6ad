//! `campaign`: a list, a template, several accounts, and every person once. It reads the document and
//! the accounts' credentials; `line-connector-campaign` does the rest.

mod detach;
mod tell;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use line_connector_campaign::{
    AssetSource, Campaign, Campaigner, Form, PlanOptions, Progress, RunOptions, RunState, Wanted,
    ask, results, status,
};
use line_connector_client::{Catalog, Connector, Error, ExitCode, Invocation, Kind, regular};
use line_connector_core::asset::Operator;
use line_connector_core::describe;
use line_connector_core::error::Detail;
use line_connector_core::visible::visible;
use serde_json::{Map, Value, json};

use crate::args::{About, AssetFile, CampaignCommand, Going, Permissions, PlanArguments, Sent};
use crate::host::{self, MAX_FILE_BYTES};
use crate::signals::{self, Signal};
use crate::terminal::{in_one_line, input, is_watched, print, say, say_over};

/// How often progress is told as JSON, and to people who are not at a terminal.
const SELDOM: Duration = Duration::from_secs(5);

/// Does what the command line says.
pub(crate) fn campaign(
    catalog: impl Fn() -> Result<Catalog, Error>,
    command: CampaignCommand,
) -> Result<ExitCode, Error> {
    if command.is_shared() {
        return crate::worker::take_over();
    }
    match command {
        CampaignCommand::Plan(arguments) => {
            plan(&catalog, &arguments, None, &|campaigner, options| {
                campaigner.plan(options)
            })
        }
        CampaignCommand::Test(arguments) => {
            let known = Known::read(&arguments.sent.about, None)?;
            let accounts = known.accounts(&catalog, &arguments.sent)?;
            let sent = known
                .campaigner(&accounts)
                .test(arguments.line, &arguments.to)?;
            let written = shown(&arguments.sent.about, &sent, tell::test);
            let ok = sent.get("ok").and_then(Value::as_bool).unwrap_or_default();
            Ok(if ok { written } else { ExitCode::Refused })
        }
        CampaignCommand::Start(arguments) => {
            let options = RunOptions {
                confirm: Some(arguments.confirm),
                as_planned: arguments.going.as_planned,
                resend_unknown: None,
            };
            go(
                &catalog,
                &arguments.going,
                &options,
                &|campaigner, options, stop, tell| campaigner.start(options, stop, tell),
            )
        }
        CampaignCommand::Resume(arguments) => {
            let options = RunOptions {
                confirm: None,
                as_planned: arguments.going.as_planned,
                resend_unknown: arguments.resend_unknown,
            };
            go(
                &catalog,
                &arguments.going,
                &options,
                &|campaigner, options, stop, tell| campaigner.resume(options, stop, tell),
            )
        }
        CampaignCommand::Status(about) => {
            let ledger = Known::read(&about, None)?.ledger;
            Ok(shown(&about, &status(&ledger)?, tell::status))
        }
        CampaignCommand::Pause(about) => {
            let ledger = Known::read(&about, None)?.ledger;
            Ok(shown(&about, &ask(&ledger, Wanted::Pause)?, tell::status))
        }
        CampaignCommand::Cancel(about) => {
            let ledger = Known::read(&about, None)?.ledger;
            Ok(shown(&about, &ask(&ledger, Wanted::Cancel)?, tell::status))
        }
        CampaignCommand::Results(arguments) => {
            let known = Known::read(&arguments.sent.about, None)?;
            if arguments.statistics {
                let accounts = known.accounts(&catalog, &arguments.sent)?;
                let statistics = known.campaigner(&accounts).statistics()?;
                return Ok(print(&describe::pretty(&statistics)));
            }
            let form = arguments.form();
            write(form, |to| {
                results(&known.ledger, form, &arguments.state, to)
            })
        }
        CampaignCommand::Schema => Ok(print(&describe::pretty(&Campaign::schema()))),
    }
}

/// Plans a campaign in this way, and shows the plan. `ledger` stands in for the one beside the document.
///
/// # Errors
///
/// What is wrong with the document, the accounts or the list.
pub fn plan(
    catalog: &impl Fn() -> Result<Catalog, Error>,
    arguments: &PlanArguments,
    ledger: Option<&Path>,
    way: &dyn Fn(&Campaigner<'_>, &PlanOptions) -> Result<Value, Error>,
) -> Result<ExitCode, Error> {
    let known = Known::read(&arguments.sent.about, ledger)?;
    let accounts = known.accounts(catalog, &arguments.sent)?;
    let plan = way(&known.campaigner(&accounts), &arguments.options())?;
    // What several machines send is named by its URL.
    let url = arguments
        .to
        .as_ref()
        .and_then(|_| plan.get("ledger")?.as_str());
    let campaign = url.map_or_else(|| words(&arguments.sent), str::to_owned);
    Ok(shown(&arguments.sent.about, &plan, |plan| {
        tell::plan(plan, &campaign)
    }))
}

/// Shows where a campaign stands.
#[must_use]
pub fn show_status(about: &About, status: &Value) -> ExitCode {
    shown(about, status, tell::status)
}

/// Lets results be written to standard output. What would command a terminal is shown there instead.
///
/// # Errors
///
/// Those of `results`.
pub fn write(
    form: Form,
    results: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
) -> Result<ExitCode, Error> {
    let mut output = io::BufWriter::new(io::stdout().lock());
    if is_watched() {
        results(&mut Seen::new(form, &mut output))?;
    } else {
        results(&mut output)?;
    }
    let flushed = output.flush();
    Ok(if flushed.is_ok() {
        ExitCode::Accepted
    } else {
        ExitCode::Unwritten
    })
}

/// Writes a table as a person at a terminal should see it: a row a line, and no commands.
struct Seen<W> {
    form: Form,
    to: W,
    /// What is written so far of a line.
    line: Vec<u8>,
    /// Whether it ends within a cell, which may have line ends of its own.
    is_quoted: bool,
}

impl<W: Write> Seen<W> {
    fn new(form: Form, to: W) -> Self {
        Self {
            form,
            to,
            line: Vec::new(),
            is_quoted: false,
        }
    }
}

impl<W: Write> Write for Seen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.is_quoted ^= self.form == Form::Csv && *byte == b'"';
            match byte {
                b'\n' if !self.is_quoted => {
                    let line = std::mem::take(&mut self.line);
                    let line = in_one_line(&String::from_utf8_lossy(&line));
                    writeln!(self.to, "{}", visible(&line))?;
                }
                byte => self.line.push(*byte),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A document that was read, and where its ledger is.
struct Known {
    campaign: Campaign,
    folder: PathBuf,
    ledger: PathBuf,
}

impl Known {
    fn read(about: &About, ledger: Option<&Path>) -> Result<Self, Error> {
        let path = &about.document;
        let is_piped = path == Path::new("-");
        let text = if is_piped {
            String::from_utf8(input("a campaign's document")?)
                .map_err(|error| unreadable("standard input", &error))?
        } else {
            regular::read_text(path, MAX_FILE_BYTES)
                .map_err(|error| unreadable(&path.to_string_lossy(), &error))?
        };
        let name = if is_piped {
            "standard input".into()
        } else {
            path.to_string_lossy()
        };
        let campaign = Campaign::read(&name, &text).map_err(|problems| {
            let details = problems.into_iter().map(|problem| Detail::new("", problem.to_string()));
            Error::new(Kind::InvalidDocument, "the campaign's document is wrong")
                .with_details(details.collect())
                .with_hint("`line-connector campaign schema` shows what stands in it; docs/campaigns.md has examples")
        })?;
        let ledger = match ledger.or(about.ledger.as_deref()) {
            Some(ledger) => ledger.to_owned(),
            None if is_piped => {
                let message = "a campaign on standard input has no place for its ledger";
                return Err(Error::new(Kind::Usage, message).with_hint("name one in `--ledger`"));
            }
            None => beside(path, campaign.occurrence.as_deref()),
        };
        let folder = path.parent().filter(|_| !is_piped).unwrap_or(Path::new(""));
        Ok(Self {
            campaign,
            folder: folder.to_owned(),
            ledger,
        })
    }

    fn accounts(
        &self,
        catalog: &impl Fn() -> Result<Catalog, Error>,
        sent: &Sent,
    ) -> Result<Accounts, Error> {
        Accounts::new(
            catalog,
            &self.campaign,
            &self.folder,
            &sent.asset,
            sent.sandbox,
        )
    }

    fn campaigner<'a>(&'a self, accounts: &'a Accounts) -> Campaigner<'a> {
        accounts.campaigner(&self.campaign, &self.folder, &self.ledger)
    }
}

fn unreadable(name: &str, error: &dyn std::fmt::Display) -> Error {
    Error::new(
        Kind::InvalidDocument,
        format!("the campaign {name} cannot be read: {error}"),
    )
    .with_hint("name the file of a campaign's document")
}

/// `spring.yaml` has the ledger `spring.ledger`, or `spring.OCCURRENCE.ledger`.
fn beside(document: &Path, occurrence: Option<&str>) -> PathBuf {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_".contains(c) {
            c
        } else {
            '_'
        }
    };
    match occurrence {
        Some(occurrence) => {
            let occurrence: String = occurrence.chars().map(plain).collect();
            document.with_extension(format!("{occurrence}.ledger"))
        }
        None => document.with_extension("ledger"),
    }
}

/// What the accounts of a campaign send through.
#[derive(Debug)]
pub struct Accounts {
    common: Connector,
    own: BTreeMap<String, Connector>,
}

impl Accounts {
    /// The accounts of a campaign. The paths of their assets are relative to `folder`; those without
    /// one send through the asset of the command line and the environment. With `sandbox` each has one
    /// of its own.
    ///
    /// # Errors
    ///
    /// Where an asset cannot be read, or credentials are missing.
    pub fn new(
        catalog: &impl Fn() -> Result<Catalog, Error>,
        campaign: &Campaign,
        folder: &Path,
        asset: &AssetFile,
        sandbox: bool,
    ) -> Result<Self, Error> {
        let permissions = Permissions::default();
        let mut unused = Invocation::default();
        let mut own = BTreeMap::new();
        for (name, account) in campaign.all_accounts() {
            if sandbox {
                own.insert(name, own_sandbox(catalog()?));
                continue;
            }
            let parameters = match &account.asset {
                None => continue,
                Some(AssetSource::File(file)) => host::read_asset(&folder.join(file))?,
                Some(AssetSource::Environment(variables)) => from_environment(&name, variables)?,
            };
            let operator = Operator {
                file: parameters,
                environment: Map::new(),
                system_proxy: host::system_proxy(),
            };
            let mut builder = Connector::builder().catalog(catalog()?).operator(operator);
            if let Some(store) = host::token_store(asset) {
                builder = builder.token_store(store);
            }
            own.insert(name, builder.build());
        }
        let common = host::connector(catalog()?, asset, &permissions, false, &mut unused)?;
        Ok(Self { common, own })
    }

    /// A campaign that they send.
    #[must_use]
    pub fn campaigner<'a>(
        &'a self,
        campaign: &'a Campaign,
        folder: &Path,
        ledger: &Path,
    ) -> Campaigner<'a> {
        Campaigner::new(campaign, folder, ledger, &self.common, &self.own)
            .with_input(|| Box::new(io::stdin()))
    }
}

/// A connector to a sandbox of its own.
fn own_sandbox(catalog: Catalog) -> Connector {
    let channel = host::sandbox_in_memory(&catalog);
    let asset = channel.asset("http://sandbox.invalid");
    let operator = Operator {
        file: asset.as_object().cloned().unwrap_or_default(),
        ..Operator::default()
    };
    Connector::builder()
        .catalog(catalog)
        .transport(channel)
        .operator(operator)
        .build()
}

/// The asset's parameters, from the variables of the environment that the document names.
fn from_environment(
    account: &str,
    variables: &BTreeMap<String, String>,
) -> Result<Map<String, Value>, Error> {
    let mut parameters = Map::new();
    let mut details = Vec::new();
    for (parameter, variable) in variables {
        match host::variable(variable).filter(|value| !value.is_empty()) {
            Some(value) => {
                parameters.insert(parameter.clone(), Value::from(value));
            }
            None => details.push(Detail::new(
                format!("/accounts/{account}/asset/environment/{parameter}"),
                format!("the variable {variable} is not set"),
            )),
        }
    }
    if details.is_empty() {
        return Ok(parameters);
    }
    let message = format!("the credentials of {account} are missing");
    Err(Error::new(Kind::NoCredentials, message)
        .with_details(details)
        .with_hint("set the variables that the campaign's document names"))
}

/// What names a campaign, and what it is sent with, on a shell's command line.
fn words(sent: &Sent) -> String {
    let asset = &sent.asset;
    let options = [
        ("--ledger", &sent.about.ledger),
        ("--asset", &asset.asset),
        ("--token-cache", &asset.token_cache),
    ];
    let options = options
        .into_iter()
        .filter_map(|(name, path)| Some(format!("{name} {}", quoted(path.as_deref()?))));
    let sandbox = sent.sandbox.then(|| "--sandbox".to_owned());
    let words = std::iter::once(quoted(&sent.about.document));
    let words: Vec<String> = words.chain(options).chain(sandbox).collect();
    words.join(" ")
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    if path.chars().all(is_plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', "'\\''"))
}

/// Writes a document, as JSON or as text for people.
fn shown(about: &About, document: &Value, text: impl Fn(&Value) -> String) -> ExitCode {
    if about.json {
        return print(&format!("{document}\n"));
    }
    crate::terminal::tell(&text(document))
}

/// `start` and `resume`.
type Go<'a> = &'a dyn Fn(
    &Campaigner<'_>,
    &RunOptions,
    &AtomicBool,
    &mut dyn FnMut(&Progress),
) -> Result<Value, Error>;

fn go(
    catalog: &impl Fn() -> Result<Catalog, Error>,
    going: &Going,
    options: &RunOptions,
    way: Go<'_>,
) -> Result<ExitCode, Error> {
    let about = &going.sent.about;
    let known = Known::read(about, None)?;
    if going.detach && about.document == Path::new("-") {
        let message = "a campaign on standard input cannot go on in the background";
        return Err(Error::new(Kind::Usage, message).with_hint("name the file of its document"));
    }
    if going.detach {
        let begun = detach::detach(&known.ledger)?;
        return Ok(shown(about, &begun, tell::status));
    }
    let accounts = known.accounts(catalog, &going.sent)?;
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let watched = signals::watch(move |signal| {
        if signal == Signal::Stop {
            asked.store(true, Ordering::Relaxed);
        }
    });
    watched.map_err(|error| {
        Error::new(
            Kind::Internal,
            format!("signals cannot be watched: {error}"),
        )
    })?;
    let is_terminal = io::stderr().is_terminal();
    let mut told: Option<Instant> = None;
    let mut tell_progress = |progress: &Progress| {
        if about.json {
            if told.is_none_or(|told| told.elapsed() >= SELDOM) {
                told = Some(Instant::now());
                let _ = print(&format!("{}\n", json!({"progress": progress})));
            }
        } else if is_terminal {
            say_over(&tell::progress(progress));
        } else if told.is_none_or(|told| told.elapsed() >= SELDOM) {
            told = Some(Instant::now());
            say(&tell::progress(progress));
        }
    };
    let ended = way(
        &known.campaigner(&accounts),
        options,
        &stop,
        &mut tell_progress,
    );
    if is_terminal && !about.json {
        say_over("");
    }
    let ended = ended?;
    let written = if about.json {
        print(&format!("{}\n", json!({"ended": ended})))
    } else {
        crate::terminal::tell(&tell::status(&ended))
    };
    Ok(if written == ExitCode::Accepted {
        code_of(&ended)
    } else {
        written
    })
}

/// Whether everybody was sent to as planned, or somebody has to look.
fn code_of(ended: &Value) -> ExitCode {
    let state = ended
        .get("state")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let count = |state| {
        ended
            .pointer(&format!("/people/{state}"))
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let is_paused_by_itself =
        state == RunState::Paused.name() && ended.get("reason").is_some_and(Value::is_string);
    if is_paused_by_itself || count("rejected") + count("expired_unknown") > 0 {
        ExitCode::Refused
    } else {
        ExitCode::Accepted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_at_a_terminal_are_a_row_a_line_and_command_nothing() {
        let seen = |form, written: &str| {
            let mut to = Vec::new();
            Seen::new(form, &mut to)
                .write_all(written.as_bytes())
                .unwrap();
            String::from_utf8(to).unwrap()
        };
        let table = "line,reason\n2,\"bad \"\"name\"\"\n9,accepted\"\n3,\u{1b}]0;owned\u{7}\n";
        assert_eq!(
            seen(Form::Csv, table),
            "line,reason\n2,\"bad \"\"name\"\" 9,accepted\"\n3,\\u001b]0;owned\\u0007\n"
        );
        let lines = "{\"reason\":\"a \\\"\"}\n{\"reason\":\"\u{9b}\"}\n";
        assert_eq!(
            seen(Form::Ndjson, lines),
            "{\"reason\":\"a \\\"\"}\n{\"reason\":\"\\u009b\"}\n"
        );
    }
}

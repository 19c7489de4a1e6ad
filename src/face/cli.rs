//! The command line: reads arguments, environment, files and standard input, writes the one
//! document to standard output and words for people to standard error. What a call does is `run`'s
//! matter.

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::arguments::{
    self, Arguments, AssetFile, CallArguments, Command, Later, SandboxArguments,
};
use super::token_files::TokenFiles;
use super::webhook::{self, Around};
use super::{files, serve};
use crate::asset::environment_variable;
use crate::catalog::Catalog;
use crate::describe;
use crate::envelope::{Invocation, Output};
use crate::error::{Detail, Error, ExitCode, Kind};
use crate::keygen;
use crate::random;
use crate::run::{Connector, Runtime, exit_code};
use crate::transport::{self, Http};
use line_connector_http::Secret;
use line_connector_http::Transport;
use line_connector_sandbox::{RateLimit, Sandbox, Settings};

/// Runs one command line to its end and says how it went.
#[must_use]
pub fn main(line: impl IntoIterator<Item = OsString>) -> ExitCode {
    let line: Vec<OsString> = line.into_iter().collect();
    let arguments = match arguments::parse(&line) {
        Ok(arguments) => arguments,
        Err(instead) if instead.wrong => return misused(&line, &instead.text),
        Err(instead) => return print(&instead.text),
    };
    match dispatch(arguments) {
        Ok(code) => code,
        Err(error) => report(&Output::from(&error)),
    }
}

/// A command line that makes no sense. Whoever meant to `run` or to `serve` is a platform that waits
/// for a document.
fn misused(line: &[OsString], text: &str) -> ExitCode {
    say(text.trim_end());
    if line.get(1).is_some_and(|command| {
        ["run", "serve", "webhook"]
            .iter()
            .any(|known| command == known)
    }) {
        let reason = text
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ");
        let error = Error::new(Kind::Usage, reason.to_owned());
        print(&format!("{}\n", Output::from(&error).render()));
    }
    ExitCode::Usage
}

fn dispatch(arguments: Arguments) -> Result<ExitCode, Error> {
    let catalog = || catalog(arguments.actions.as_deref());
    match arguments.command {
        Command::Run(call) => run(catalog()?, call),
        Command::Serve(Later(arguments)) => serve::serve(catalog()?, arguments),
        Command::Webhook { asset } => webhook(&catalog()?, asset.as_deref()),
        Command::List { json: true } => Ok(print(&describe::pretty(&describe::list(&catalog()?)))),
        Command::List { json: false } => Ok(print(&table(&catalog()?))),
        Command::Describe { action } => describe(&catalog()?, action.as_deref()),
        Command::Check { asset, sandbox } => check(catalog()?, &asset, sandbox),
        Command::Sandbox(Later(arguments)) => serve_sandbox(arguments),
        #[cfg(feature = "listen")]
        Command::Listen(arguments) => super::listen::listen(catalog()?, &arguments.0),
        #[cfg(feature = "listen")]
        Command::Events(Later(command)) => super::events::events(&command),
        Command::Keygen { out } => make_key(out.as_deref()),
        Command::Completions { shell } => {
            arguments::complete(shell, &mut io::stdout().lock());
            Ok(ExitCode::Accepted)
        }
    }
}

/// `run`: one document in, one call, one document out.
fn run(catalog: Catalog, call: CallArguments) -> Result<ExitCode, Error> {
    let mut invocation = match document(call.action.is_some()) {
        Ok(invocation) => invocation,
        Err(error) => return Ok(report(&Output::from(&error))),
    };
    name_action(&mut invocation, call.action)?;
    // The process ends with this call, and its memory with it.
    let connector = connector(catalog, &call.asset, call.sandbox, &mut invocation)?;
    let connector = ManuallyDrop::new(connector);
    let output = if call.dry_run {
        connector.plan(invocation)
    } else {
        connector.call(invocation)
    };
    Ok(report(&output))
}

/// `webhook`: a request of LINE's in, its events out.
fn webhook(catalog: &Catalog, asset_file: Option<&Path>) -> Result<ExitCode, Error> {
    let system = system(catalog);
    let around = Around {
        file: asset_file.map(read_asset).transpose()?.unwrap_or_default(),
        received: (system.now)(),
        environment: system.environment,
    };
    Ok(match webhook::answer(&input()?, catalog, &around) {
        Ok(answer) => print(&format!("{answer}\n")),
        Err(output) => report(&output),
    })
}

/// Nothing at all is an empty document where the command line names the action: many actions need
/// no inputs.
fn document(named: bool) -> Result<Invocation, Error> {
    let text = input()?;
    if named && text.iter().all(u8::is_ascii_whitespace) {
        return Ok(Invocation::default());
    }
    Invocation::from_json(&text)
}

/// Standard input, read to its end.
fn input() -> Result<Vec<u8>, Error> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        say("reading one JSON document from standard input; end it with Ctrl-D");
    }
    let mut text = Vec::new();
    input.read_to_end(&mut text).map_err(|error| {
        Error::new(
            Kind::InvalidDocument,
            format!("standard input cannot be read: {error}"),
        )
    })?;
    Ok(text)
}

pub(super) fn name_action(invocation: &mut Invocation, named: Option<String>) -> Result<(), Error> {
    match (&invocation.action, named) {
        (Some(inside), Some(named)) if *inside != named => Err(Error::new(
            Kind::InvalidDocument,
            format!("the command line names `{named}`, the document `{inside}`"),
        )),
        (_, Some(named)) => {
            invocation.action = Some(named);
            Ok(())
        }
        (_, None) => Ok(()),
    }
}

/// A connector over the network, or over a sandbox with the sandbox's own asset.
pub(super) fn connector(
    catalog: Catalog,
    asset: &AssetFile,
    sandbox: bool,
    invocation: &mut Invocation,
) -> Result<Connector, Error> {
    let mut runtime = system(&catalog);
    if sandbox {
        let channel = Arc::new(Sandbox::new(Settings::default()));
        let own = channel.asset("http://sandbox.invalid");
        invocation.asset = own.as_object().cloned().unwrap_or_default().into();
        runtime.environment = Map::new();
        runtime.transport = Some(channel);
        return Ok(Connector::new(catalog, runtime));
    }
    if let Some(path) = &asset.asset {
        let own = std::mem::take(&mut invocation.asset);
        invocation.asset = own.over(&read_asset(path)?.into());
    }
    if let Some(folder) = token_cache(asset) {
        runtime.token_store = Some(Box::new(TokenFiles::new(folder)));
    }
    Ok(Connector::new(catalog, runtime))
}

/// The folder of the tokens, where one is asked for.
fn token_cache(asset: &AssetFile) -> Option<PathBuf> {
    let variable = std::env::var_os("LINE_CONNECTOR_TOKEN_CACHE").map(PathBuf::from);
    let folder = asset.token_cache.clone().or(variable)?;
    (!folder.as_os_str().is_empty()).then_some(folder)
}

fn read_asset(path: &Path) -> Result<Map<String, Value>, Error> {
    let invalid = |reason: String| {
        Error::new(
            Kind::InvalidAsset,
            format!("the asset file {} {reason}", path.display()),
        )
    };
    let text = fs::read(path).map_err(|error| invalid(format!("cannot be read: {error}")))?;
    serde_json::from_slice::<Value>(&text)
        .ok()
        .and_then(|value| value.as_object().cloned())
        .ok_or_else(|| invalid("must hold one JSON object".to_owned()))
}

/// The real world: the system's clock, randomness, files and environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where calls meet the real time and the real environment"
)]
pub(super) fn system(catalog: &Catalog) -> Runtime {
    let mut environment = Map::new();
    for asset in &catalog.manifest().assets {
        for (name, schema) in &asset.inputs.properties {
            let value = environment_variable(schema).and_then(|name| std::env::var(name).ok());
            environment.extend(value.map(|value| (name.clone(), Value::from(value))));
        }
    }
    Runtime {
        transport: None,
        now: Box::new(SystemTime::now),
        sleep: Box::new(std::thread::sleep),
        random: Box::new(random::bits),
        read_file: Box::new(files::read),
        create_file: Box::new(files::create),
        token_store: None,
        environment,
    }
}

/// A variable of the environment that is no asset's parameter.
#[cfg(feature = "listen")]
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is read in this file alone"
)]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The real time, for faces that outlive a call.
#[cfg(feature = "listen")]
#[expect(
    clippy::disallowed_methods,
    reason = "the real time is met in this file alone"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

fn catalog(added: Option<&Path>) -> Result<Catalog, Error> {
    let mut catalog = Catalog::embedded();
    let Some(folder) = added else {
        return Ok(catalog);
    };
    let unreadable = |path: &Path, error: io::Error| {
        Error::new(
            Kind::InvalidCatalog,
            format!("{} cannot be read: {error}", path.display()),
        )
    };
    let mut details = Vec::new();
    for path in action_files(folder).map_err(|error| unreadable(folder, error))? {
        let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        if let Err(problems) = catalog.add(&path.to_string_lossy(), &text) {
            details.extend(
                problems
                    .into_iter()
                    .map(|problem| Detail::new("", problem.to_string())),
            );
        }
    }
    if details.is_empty() {
        Ok(catalog)
    } else {
        Err(Error::new(Kind::InvalidCatalog, "the added actions are wrong").with_details(details))
    }
}

/// The YAML files of a folder and its folders, in order.
fn action_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(action_files(&path)?);
        } else if path
            .extension()
            .is_some_and(|known| known == "yaml" || known == "yml")
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn table(catalog: &Catalog) -> String {
    let actions = catalog.entries().into_iter();
    let actions = actions.map(|entry| (entry.name, entry.title));
    let triggers = catalog.triggers().events.into_iter();
    let triggers = triggers.map(|trigger| (trigger.name, trigger.title));
    let entries: Vec<(String, String)> = actions.chain(triggers).collect();
    let width = entries.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or(0);
    let lines = entries
        .iter()
        .map(|(name, title)| format!("{name:width$}  {title}\n"));
    lines.collect()
}

fn describe(catalog: &Catalog, action: Option<&str>) -> Result<ExitCode, Error> {
    let description = match action {
        None => describe::connector(catalog),
        Some(name) => describe::action(catalog, name)
            .or_else(|| describe::trigger(catalog, name))
            .ok_or_else(|| {
                Error::new(Kind::UnknownAction, format!("there is no action `{name}`"))
            })?,
    };
    Ok(print(&describe::pretty(&description)))
}

/// `check`: makes the calls that the manifest names, and shows each answer.
fn check(catalog: Catalog, asset: &AssetFile, sandbox: bool) -> Result<ExitCode, Error> {
    let names = catalog.manifest().check.clone();
    let mut template = Invocation::default();
    let connector = connector(catalog, asset, sandbox, &mut template)?;
    let mut code = ExitCode::Accepted;
    let mut secrets = Vec::new();
    let mut calls = Vec::new();
    for name in names {
        let invocation = Invocation {
            action: Some(name.clone()),
            ..template.clone()
        };
        let output = connector.call(invocation);
        if code == ExitCode::Accepted {
            code = exit_code(&output);
            complain(&output);
        }
        secrets.extend(output.secrets.iter().cloned());
        let rendered = serde_json::from_str::<Value>(&output.render()).unwrap_or_default();
        calls.push(json!({"action": name, "ok": output.error.is_none(), "output": rendered}));
    }
    let ok = code == ExitCode::Accepted;
    print(&describe::pretty(&json!({"ok": ok, "calls": calls})));
    Ok(code)
}

/// The way by which the sandbox's webhooks reach their endpoint.
fn outward() -> Result<Arc<dyn Transport>, Error> {
    let settings = transport::Settings {
        verify_tls: true,
        proxy: None,
        authorities: None,
        connect_timeout: Duration::from_secs(2),
        usual_timeout: Duration::from_secs(2),
        max_response_bytes: 1024 * 1024,
    };
    match Http::new(settings) {
        Ok(http) => Ok(Arc::new(http)),
        Err(reason) => Err(Error::new(Kind::Internal, reason)),
    }
}

/// `sandbox`: answers until the process is stopped.
fn serve_sandbox(arguments: SandboxArguments) -> Result<ExitCode, Error> {
    let listen = arguments.listen;
    let mut rate_limits = arguments.rate_limit;
    if arguments.line_rate_limits {
        rate_limits.extend(RateLimit::lines_own());
    }
    let settings = Settings {
        quota: Some(arguments.quota),
        friends: arguments.friends,
        keep_records: arguments.keep_records,
        rate_limits,
        webhook: arguments.webhook,
        outward: Some(outward()?),
        ..Settings::default()
    };
    let sandbox = Arc::new(Sandbox::new(settings));
    let listener = Arc::clone(&sandbox).listen(listen).map_err(|error| {
        Error::new(
            Kind::Usage,
            format!("the sandbox cannot listen on {listen}: {error}"),
        )
    })?;
    let token = sandbox.settings().long_lived_token.as_ref();
    let card = json!({
        "listening": listener.url(),
        "asset": sandbox.asset(&listener.url()),
        "token": token.map(Secret::expose),
    });
    let code = print(&format!("{card}\n"));
    say("the sandbox answers until this process is stopped");
    loop {
        std::thread::park();
        if code != ExitCode::Accepted {
            return Ok(code);
        }
    }
}

fn make_key(folder: Option<&Path>) -> Result<ExitCode, Error> {
    let failed = |reason: String| Error::new(Kind::Internal, reason);
    let key = keygen::generate().map_err(failed)?;
    let Some(folder) = folder else {
        let pair = json!({"private_key": key.private_jwk(), "public_key": key.public_jwk()});
        say(
            "keep `private_key` secret; register `public_key` in the LINE Developers Console, which answers the `kid`",
        );
        return Ok(print(&describe::pretty(&pair)));
    };
    let private = folder.join("private-key.jwk.json");
    let public = folder.join("public-key.jwk.json");
    let unwritten = |path: &Path, error: io::Error| {
        Error::new(
            Kind::Usage,
            format!("{} cannot be written: {error}", path.display()),
        )
    };
    write_new(&private, &describe::pretty(&key.private_jwk()), true)
        .map_err(|error| unwritten(&private, error))?;
    write_new(&public, &describe::pretty(&key.public_jwk()), false)
        .map_err(|error| unwritten(&public, error))?;
    let names = json!({"private_key": private, "public_key": public});
    Ok(print(&describe::pretty(&names)))
}

/// Writes a file that must not be there yet; a secret one for its owner alone.
fn write_new(path: &Path, text: &str, secret: bool) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    options.open(path)?.write_all(text.as_bytes())
}

/// Writes an output document, and to people what went wrong.
fn report(output: &Output) -> ExitCode {
    complain(output);
    print(&format!("{}\n", output.render()));
    exit_code(output)
}

/// Tells people what may be wrong and what went wrong, from the rendered document, in which no
/// secret is left.
fn complain(output: &Output) {
    let warned = output
        .meta
        .as_ref()
        .is_some_and(|meta| !meta.warnings.is_empty());
    if output.error.is_none() && !warned {
        return;
    }
    let shown: Value = serde_json::from_str(&output.render()).unwrap_or_default();
    let warnings = shown.pointer("/meta/warnings").and_then(Value::as_array);
    for warning in warnings.into_iter().flatten() {
        say(&format!("warning: {}", one_line(warning)));
    }
    let Some(error) = shown.get("error") else {
        return;
    };
    say(&format!("error: {}", text(error, "message")));
    let details = error.get("details").and_then(Value::as_array);
    for detail in details.into_iter().flatten() {
        say(&format!("  {}", one_line(detail)));
    }
    say(&format!("hint: {}", text(error, "hint")));
}

/// A detail as one line: where, what, what to do.
fn one_line(detail: &Value) -> String {
    let place = match text(detail, "path") {
        "" => String::new(),
        path => format!("{path}: "),
    };
    let hint = match text(detail, "hint") {
        "" => String::new(),
        hint => format!(" ({hint})"),
    };
    format!("{place}{}{hint}", text(detail, "message"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Writes to standard output. A reader that has gone away wants nothing more, which is no error.
pub(super) fn print(text: &str) -> ExitCode {
    let mut output = io::stdout().lock();
    let _ = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    ExitCode::Accepted
}

/// Writes a line for people to standard error.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes the document of a bug, for a panic that nothing caught.
pub fn report_bug(what: &str) {
    let error = Error::new(Kind::Internal, format!("the connector has a bug: {what}"));
    report(&Output::from(&error));
}

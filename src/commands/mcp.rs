//! `mcp`: AI agents over standard input and output, or HTTP. It reads what the operator says; the protocol and
//! the calls are `line_connector_mcp`'s.

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::path::Path;

use line_connector_client::{Catalog, Error, ExitCode, Invocation, Kind, Secret, regular};
use line_connector_mcp::{Account, Door, Ending, Server, Settings};
use serde_json::json;

use crate::args::{AssetFile, McpArguments, Permissions};
use crate::host;
use crate::signals::{self, Signal};
use crate::terminal::{print, say, say_unwritten};

/// Serves until the client closes standard input, or a signal asks for the end.
///
/// # Errors
///
/// Where it cannot begin.
pub(super) fn mcp(catalog: &Catalog, arguments: &McpArguments) -> Result<ExitCode, Error> {
    let files = arguments.assets.iter().map(|path| Some(path.as_path()));
    let files: Vec<Option<&Path>> = match files.len() {
        0 => vec![None],
        _ => files.collect(),
    };
    let mut accounts: Vec<Account> = Vec::new();
    for file in files {
        let account = account(catalog, arguments, file)?;
        if accounts.iter().any(|known| known.name == account.name) {
            let text = format!("two asset files are called `{}`: rename one", account.name);
            return Err(Error::new(Kind::Usage, text));
        }
        accounts.push(account);
    }
    let settings = Settings {
        toolsets: list(&arguments.toolsets, "LINE_MCP_TOOLSETS"),
        tools: list(&arguments.tools, "LINE_MCP_TOOLS"),
        exclude_tools: list(&arguments.exclude_tools, "LINE_MCP_EXCLUDE_TOOLS"),
        read_only: flag(arguments.read_only, "LINE_MCP_READ_ONLY")?,
        yes: flag(arguments.yes, "LINE_MCP_YES")?,
        say: Some(say),
    };
    let server = Server::new(accounts, &settings)?;
    let watched = server.clone();
    signals::watch(move |signal| {
        if signal == Signal::Stop {
            watched.stop();
        }
    })
    .map_err(|error| Error::new(Kind::Usage, format!("signals cannot be watched: {error}")))?;
    if let Some(address) = arguments.http {
        return listen(&server, arguments, address);
    }
    if io::stdin().is_terminal() {
        say(
            "speaking MCP over standard input and output, with the host that starts it: docs/hosts.md says how hosts are told of it; end it with Ctrl-D",
        );
    }
    let session = server.serve(tokio::io::stdin(), tokio::io::stdout(), say_unwritten);
    let ending = session.map_err(|error| {
        Error::new(
            Kind::Usage,
            format!("the server cannot be started: {error}"),
        )
    })?;
    Ok(code_of(ending))
}

/// How the process ends: calls that failed have told their clients, but a bug has to be seen, and so has
/// an answer that nobody got.
fn code_of(ending: Ending) -> ExitCode {
    match ending {
        Ending::Whole => ExitCode::Accepted,
        Ending::Bug => ExitCode::Bug,
        Ending::Unwritten => ExitCode::Unwritten,
    }
}

/// Serves over HTTP until the process is stopped.
fn listen(
    server: &Server,
    arguments: &McpArguments,
    address: SocketAddr,
) -> Result<ExitCode, Error> {
    let secret = secret(arguments)?;
    if secret.is_none() && !address.ip().is_loopback() {
        let text = format!("{address} can be reached from other machines, and there is no secret");
        let hint = "give `--http-secret-file FILE` or `LINE_MCP_SECRET`, or listen on 127.0.0.1";
        return Err(Error::new(Kind::Usage, text).with_hint(hint));
    }
    let door = Door {
        address,
        hosts: arguments.http_host.clone(),
        secret,
    };
    let mut told = ExitCode::Accepted;
    let listened = server.listen(door, |address| {
        let card = json!({"listening": format!("http://{address}/mcp")});
        told = print(&format!("{card}\n"));
        // Nobody would know where it listens.
        if told != ExitCode::Accepted {
            server.stop();
        }
    });
    let ending = listened.map_err(|error| host::cannot_listen(address, &error))?;
    Ok(match told {
        ExitCode::Accepted => code_of(ending),
        unwritten => unwritten,
    })
}

/// What clients must show.
fn secret(arguments: &McpArguments) -> Result<Option<Secret>, Error> {
    let secret = match &arguments.http_secret_file {
        None => host::variable("LINE_MCP_SECRET").unwrap_or_default(),
        Some(file) => regular::read_text(file, host::MAX_FILE_BYTES).map_err(|error| {
            let text = format!("the secret {} cannot be read: {error}", file.display());
            Error::new(Kind::Usage, text)
        })?,
    };
    let secret = secret.trim_end_matches(['\r', '\n']);
    if host::has_blanks(secret) {
        return Err(Error::new(
            Kind::Usage,
            "the secret has blanks or control characters",
        ));
    }
    if secret.is_empty() && arguments.http_secret_file.is_some() {
        return Err(Error::new(Kind::Usage, "the secret is empty"));
    }
    Ok((!secret.is_empty()).then(|| Secret::new(secret.to_owned())))
}

fn account(
    catalog: &Catalog,
    arguments: &McpArguments,
    file: Option<&Path>,
) -> Result<Account, Error> {
    let asset = AssetFile {
        asset: file.map(Path::to_path_buf),
        token_cache: arguments.token_cache.clone(),
    };
    let permissions = Permissions {
        files: arguments.files.clone(),
        save_into: arguments.save_into.clone(),
        fixed_asset: true,
        max_deadline_ms: None,
    };
    let mut template = Invocation::default();
    let connector = host::connector(
        catalog.clone(),
        &asset,
        &permissions,
        arguments.sandbox,
        &mut template,
    )?;
    let stem = file.and_then(Path::file_stem);
    let name = stem.map_or_else(|| "default".into(), |stem| stem.to_string_lossy());
    Ok(Account {
        name: name.into_owned(),
        connector,
        asset: template.asset,
    })
}

/// The command line's list, or the environment's.
fn list(given: &[String], variable: &str) -> Vec<String> {
    let listed = host::variable(variable).filter(|_| given.is_empty());
    let listed = listed.unwrap_or_default();
    let names = given.iter().map(String::as_str).chain(listed.split(','));
    let names = names.map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// The command line's flag, or the environment's. What is meant to restrict is not guessed at.
fn flag(given: bool, variable: &str) -> Result<bool, Error> {
    let value = host::variable(variable).unwrap_or_default();
    match value.as_str() {
        "1" | "true" => Ok(true),
        "" | "0" | "false" => Ok(given),
        other => Err(Error::new(
            Kind::Usage,
            format!("{variable} is `{other}`: expected 1 or 0"),
        )),
    }
}

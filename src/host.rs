//! What the program takes from its surroundings: the environment, the files that the command line
//! names, and the connector made of them.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use line_connector_client::regular;
use line_connector_client::{
    Builder, Catalog, Connector, Error, Invocation, Kind, Output, Secret, Sent, SystemFiles,
};
use line_connector_core::asset::{Operator, SystemProxy, environment_variable};
use line_connector_core::catalog::AddedFile;
use line_connector_core::catalog::definition::Authorization;
use line_connector_core::catalog::reader::Problem;
use line_connector_core::documents::{AssetParameters, json};
use line_connector_core::error::Detail;
use line_connector_sandbox::{Example, Operation, Sandbox, Settings};
use serde_json::{Map, Value};

use crate::args::{AssetFile, Calling, Permissions};
use crate::private::{Others, others};
use crate::terminal::{complain, say};
use crate::token_store::TokenFiles;

/// How large a file of the operator's may be that is read whole: no asset, action or campaign is.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// A connector as the command line has it. Where that wants the sandbox, the invocation gets the
/// sandbox's asset.
///
/// # Errors
///
/// Where the asset file cannot be used.
pub fn calling(
    catalog: Catalog,
    calling: &Calling,
    invocation: &mut Invocation,
) -> Result<Connector, Error> {
    let Calling {
        asset, permissions, ..
    } = calling;
    let builder = builder(catalog, asset, permissions, calling.sandbox, invocation)?;
    Ok(if calling.verbose {
        builder.watch(tell_sent).build()
    } else {
        builder.build()
    })
}

/// Makes a call of several, or shows its request, as the command line has it. `sandbox` is the sandbox's
/// asset, as [`calling`] gave it.
#[must_use]
pub fn call(
    connector: &Connector,
    calling: &Calling,
    sandbox: &AssetParameters,
    mut invocation: Invocation,
) -> Output {
    if calling.sandbox {
        invocation.asset = sandbox.clone();
    }
    if calling.dry_run {
        connector.plan(invocation)
    } else {
        connector.call(invocation)
    }
}

/// Tells people of a request.
fn tell_sent(sent: &Sent<'_>) {
    let how = match sent.result {
        Ok(status) => format!("{status} ({} ms)", sent.took.as_millis()),
        Err(reason) => reason.to_owned(),
    };
    say(&format!("{} {}: {how}", sent.method.as_str(), sent.url));
}

/// A connector over the network, or over a sandbox with the sandbox's own asset.
pub(crate) fn connector(
    catalog: Catalog,
    asset: &AssetFile,
    permissions: &Permissions,
    sandbox: bool,
    invocation: &mut Invocation,
) -> Result<Connector, Error> {
    Ok(builder(catalog, asset, permissions, sandbox, invocation)?.build())
}

fn builder(
    catalog: Catalog,
    asset: &AssetFile,
    permissions: &Permissions,
    sandbox: bool,
    invocation: &mut Invocation,
) -> Result<Builder, Error> {
    if sandbox {
        let channel = sandbox_in_memory(&catalog);
        let own = channel.asset("http://sandbox.invalid");
        invocation.asset = own.as_object().cloned().unwrap_or_default().into();
        return Ok(Connector::builder()
            .catalog(catalog)
            .transport(channel)
            .files(files(permissions)));
    }
    let operator = operator(&catalog, asset)?;
    let mut builder = Connector::builder()
        .operator(operator)
        .catalog(catalog)
        .files(files(permissions));
    if let Some(store) = token_store(asset) {
        builder = builder.token_store(store);
    }
    Ok(builder)
}

/// A sandbox in memory, which answers added actions from their examples.
pub(crate) fn sandbox_in_memory(catalog: &Catalog) -> Arc<Sandbox> {
    let added = catalog.added();
    Arc::new(Sandbox::new(Settings {
        operations: added.filter_map(|name| operation(catalog, name)).collect(),
        ..Settings::default()
    }))
}

/// Where tokens are kept for other processes, if so.
pub(crate) fn token_store(asset: &AssetFile) -> Option<TokenFiles> {
    token_cache(asset).map(TokenFiles::new)
}

/// The operator's asset parameters: of the file, and of the environment.
pub(crate) fn operator(catalog: &Catalog, asset: &AssetFile) -> Result<Operator, Error> {
    let file = asset.asset.as_deref().map(read_asset).transpose()?;
    Ok(Operator {
        file: file.unwrap_or_default(),
        environment: environment(catalog),
        system_proxy: system_proxy(),
    })
}

/// The proxy that the environment names for every program.
pub(crate) fn system_proxy() -> Option<SystemProxy> {
    let given = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let (name, url) = names.iter().find_map(|name| Some((*name, given(name)?)))?;
    let except = given("NO_PROXY").or_else(|| given("no_proxy"));
    let except = except.unwrap_or_default();
    let except = except.split(',').map(str::trim);
    Some(SystemProxy {
        variable: name,
        url: Secret::new(url.trim()),
        except: except
            .filter(|host| !host.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

/// An operation as the sandbox takes it: its names; and of an added one, which the sandbox may not
/// know, how its examples answer.
pub(crate) fn operation(catalog: &Catalog, name: &str) -> Option<Operation> {
    let action = catalog.action(name)?;
    let meta = action.meta;
    let names = [Some(action.name), meta.short, meta.operation_id];
    let examples = if catalog.is_added(name) {
        catalog.examples(name)
    } else {
        Vec::new()
    };
    let examples = examples.into_iter().map(|example| Example {
        url: example.request.url,
        request: example.request.body,
        status: example.reply.status_code,
        headers: example.reply.headers.into_iter().collect(),
        reply: example.reply.body,
    });
    Some(Operation {
        names: names.into_iter().flatten().collect(),
        method: meta.method.as_str().to_owned(),
        template: format!("/{}", meta.endpoint.replace("{{", "{").replace("}}", "}")),
        is_open: meta.auth == Authorization::None,
        examples: examples.collect(),
    })
}

/// Reads the asset file again, for the calls from now on, and tells people. Where it is wrong, the asset
/// stays.
pub fn reread(connector: &Connector, calling: &Calling) {
    if calling.sandbox || calling.asset.asset.is_none() {
        say("there is no --asset file to read again; the environment is read at the start alone");
        return;
    }
    let operator = operator(connector.catalog(), &calling.asset);
    match operator.and_then(|operator| connector.set_operator(operator)) {
        Ok(()) => say("the asset was read again"),
        Err(error) => {
            say("the asset stays as it was:");
            complain(&Output::from(&error));
        }
    }
}

/// Holds a document to what the operator permits: its asset and its time.
///
/// # Errors
///
/// [`Kind::InvalidAsset`] where it has an asset and may have none, [`Kind::InvalidDocument`] where it
/// wants more time than there is.
pub fn permit(permissions: &Permissions, invocation: &mut Invocation) -> Result<(), Error> {
    if permissions.fixed_asset && !invocation.asset.is_empty() {
        let refusal = Error::new(Kind::InvalidAsset, "a document has no asset here");
        return Err(refusal.with_details(vec![Detail {
            hint: Some("leave `asset` out: the operator's is used".to_owned()),
            ..Detail::new("/asset", "is fixed by `--fixed-asset`")
        }]));
    }
    let Some(most) = permissions.max_deadline_ms else {
        return Ok(());
    };
    let wanted = *invocation.options.deadline_ms.get_or_insert(most);
    if wanted <= most {
        return Ok(());
    }
    let refusal = Error::new(Kind::InvalidDocument, "a call may not take so long here");
    Err(refusal.with_details(vec![Detail {
        expected: Some(format!("at most {most}")),
        found: Some(wanted.to_string()),
        hint: Some("leave `deadline_ms` out: the longest time holds".to_owned()),
        ..Detail::new(
            "/options/deadline_ms",
            "is more than `--max-deadline-ms` allows",
        )
    }]))
}

/// The files that documents may name: beneath the folders of the command line and the environment.
fn files(permissions: &Permissions) -> SystemFiles {
    let of = |named: &[PathBuf], variable: &str| -> Vec<PathBuf> {
        let listed = std::env::var_os(variable).unwrap_or_default();
        let listed = std::env::split_paths(&listed).filter(|folder| !folder.as_os_str().is_empty());
        named.iter().cloned().chain(listed).collect()
    };
    let readable = of(&permissions.files, "LINE_FILES");
    let writable = of(&permissions.save_into, "LINE_SAVE_INTO");
    let files = readable
        .into_iter()
        .fold(SystemFiles::default(), SystemFiles::reading);
    writable.into_iter().fold(files, SystemFiles::saving_into)
}

/// The error of a server that cannot listen.
pub(crate) fn cannot_listen(address: SocketAddr, reason: &dyn fmt::Display) -> Error {
    let text = format!("it cannot listen on {address}: {reason}");
    Error::new(Kind::Usage, text).with_hint(
        "end the process that listens there, or name another address; port 0 takes a free one",
    )
}

/// The error of a file that cannot be written.
pub(crate) fn unwritten(path: &Path, error: &io::Error) -> Error {
    let text = format!("{} cannot be written: {error}", path.display());
    let unwritten = Error::new(Kind::Usage, text);
    if error.kind() == io::ErrorKind::AlreadyExists {
        return unwritten.with_hint(
            "what stands there was not changed: move it away, or name another folder in `--out`",
        );
    }
    unwritten.with_hint("name a folder that can be written in `--out`")
}

/// The folder of the tokens, where one is asked for.
fn token_cache(asset: &AssetFile) -> Option<PathBuf> {
    let variable = std::env::var_os("LINE_CONNECTOR_TOKEN_CACHE").map(PathBuf::from);
    let folder = asset.token_cache.clone().or(variable)?;
    (!folder.as_os_str().is_empty()).then_some(folder)
}

/// Whether a secret has blanks or control characters, which no secret of LINE's has.
pub(crate) fn has_blanks(secret: &str) -> bool {
    secret.contains(|character: char| character.is_whitespace() || character.is_control())
}

/// An asset file. Others may neither write it, who would say where credentials go, nor should they read it:
/// of that people are told.
pub(crate) fn read_asset(path: &Path) -> Result<Map<String, Value>, Error> {
    let (text, warning) = read_private(path)?;
    if let Some(warning) = warning {
        say(&warning);
    }
    let invalid = |reason: String| invalid_asset_file(path, &reason);
    match json::read(&text) {
        Ok(Value::Object(parameters)) => Ok(parameters),
        Ok(_) => Err(invalid("must hold one JSON object".to_owned())),
        Err(unreadable) => Err(invalid(format!("is not JSON: {unreadable}"))),
    }
}

fn invalid_asset_file(path: &Path, reason: &str) -> Error {
    let message = format!("the asset file {} {reason}", path.display());
    Error::new(Kind::InvalidAsset, message)
}

/// The bytes of an asset file, and a warning where others can read it.
///
/// # Errors
///
/// [`Kind::InvalidAsset`] where it cannot be read, or others can write it.
pub(crate) fn read_private(path: &Path) -> Result<(Vec<u8>, Option<String>), Error> {
    let unreadable = |error: io::Error| {
        invalid_asset_file(path, &format!("cannot be read: {error}"))
            .with_hint("name a JSON file that this user may read, such as {\"token\": \"…\"}")
    };
    let file = regular::open(path).map_err(unreadable)?;
    let others = others(&file.metadata().map_err(unreadable)?);
    let name = path.display();
    if others == Others::Write {
        let error = invalid_asset_file(path, "can be written by others");
        return Err(error.with_hint(format!(
            "others could say where your credentials go: look whether it is as you wrote it, then `chmod 600 {name}`"
        )));
    }
    let text = regular::contents(file, MAX_FILE_BYTES).map_err(unreadable)?;
    let warning = (others == Others::Read)
        .then(|| format!("warning: others can read the asset file {name}: run `chmod 600 {name}`"));
    Ok((text, warning))
}

/// The values of the environment that are asset parameters, by parameter name.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is read in this file alone"
)]
pub(crate) fn environment(catalog: &Catalog) -> Map<String, Value> {
    let mut environment = Map::new();
    for asset in &catalog.manifest().assets {
        for (name, schema) in &asset.inputs.properties {
            let value = environment_variable(schema).and_then(|name| std::env::var(name).ok());
            environment.extend(value.map(|value| (name.clone(), Value::from(value))));
        }
    }
    environment
}

/// A variable of the environment that is no asset's parameter.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is read in this file alone"
)]
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The catalog, with what stands in the folder of the command line. A file there that is of no use is
/// named: it may have been meant for something.
///
/// # Errors
///
/// [`Kind::InvalidCatalog`] where the folder cannot be read, or a file in it is wrong.
pub fn catalog(added: Option<&Path>) -> Result<Catalog, Error> {
    let mut catalog = Catalog::embedded();
    let Some(folder) = added else {
        return Ok(catalog);
    };
    let AddedFolder { files, unknown } = AddedFolder::read(folder)?;
    for name in unknown {
        say(&format!("warning: {}", unknown_file(&name)));
    }
    catalog
        .add_all(&files)
        .map_err(|problems| wrong_files(&problems))?;
    Ok(catalog)
}

/// Why a file among added ones is not read.
pub(crate) fn unknown_file(name: &str) -> String {
    format!(
        "{name} is not read: an action is a `.yaml` file, a shared schema is \
         `schemas/line/….json` in the folder"
    )
}

/// The error of files that are wrong.
pub(crate) fn wrong_files(problems: &[Problem]) -> Error {
    let details = problems.iter();
    let details = details.map(|problem| Detail::new("", problem.to_string()));
    Error::new(Kind::InvalidCatalog, "the added actions are wrong").with_details(details.collect())
}

/// A folder of actions and shared schemas.
#[derive(Debug, Default)]
pub(crate) struct AddedFolder {
    /// The files that are read, in order.
    pub(crate) files: Vec<AddedFile>,
    /// The names of the others, manuals and hidden ones aside.
    pub(crate) unknown: Vec<String>,
}

impl AddedFolder {
    /// Reads a folder and its folders. Links may lead in a circle, so each folder is read once.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let mut found = Self::default();
        found.collect(folder, "", &mut BTreeSet::new())?;
        found
            .files
            .sort_by(|left, right| left.name.cmp(&right.name));
        found.unknown.sort();
        Ok(found)
    }

    fn collect(
        &mut self,
        folder: &Path,
        from: &str,
        read: &mut BTreeSet<PathBuf>,
    ) -> Result<(), Error> {
        let unreadable = |path: &Path| {
            let path = path.display().to_string();
            move |error: io::Error| {
                let message = format!("{path} cannot be read: {error}");
                Error::new(Kind::InvalidCatalog, message)
            }
        };
        let canonical = folder.canonicalize().map_err(unreadable(folder))?;
        if !read.insert(canonical) {
            return Ok(());
        }
        for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
            let entry = entry.map_err(unreadable(folder))?;
            let (file, own) = (entry.path(), entry.file_name());
            let own = own.to_string_lossy();
            let path = if from.is_empty() {
                own.to_string()
            } else {
                format!("{from}/{own}")
            };
            let name = file.to_string_lossy().into_owned();
            if file.is_dir() {
                self.collect(&file, &path, read)?;
            } else if AddedFile::is_known(&path) {
                let text = regular::read_text(&file, MAX_FILE_BYTES).map_err(unreadable(&file))?;
                self.files.push(AddedFile { name, path, text });
            } else if !own.starts_with('.') && !own.ends_with(".md") {
                self.unknown.push(name);
            }
        }
        Ok(())
    }
}

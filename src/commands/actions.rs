//! `actions`: the files of actions, for whoever changes one or adds some. `export` writes what is
//! compiled in, `lint` checks a folder.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use line_connector_client::{Catalog, Error, ExitCode, Kind, examples};
use line_connector_core::catalog::AddedFile;
use line_connector_core::catalog::definition::Action;
use line_connector_core::catalog::reader::{self, Problem};
use line_connector_core::describe;
use serde_json::{Map, json};

use crate::args::ActionsCommand;
use crate::host::{AddedFolder, unknown_file, unwritten, wrong_files};
use crate::terminal::{print, print_json, say};

/// Does what the command line says. `catalog` is made only where one is asked for.
pub(crate) fn actions(
    catalog: impl Fn() -> Result<Catalog, Error>,
    command: &ActionsCommand,
) -> Result<ExitCode, Error> {
    match command {
        ActionsCommand::Export { out, action } => export(&catalog()?, action, out.as_deref()),
        ActionsCommand::Lint { folder } => lint(folder),
    }
}

fn export(catalog: &Catalog, name: &str, folder: Option<&Path>) -> Result<ExitCode, Error> {
    let source = catalog.source(name);
    let (_, text) = source.ok_or_else(|| catalog.unknown(name))?;
    let Some(folder) = folder else {
        return Ok(print(text));
    };
    let entry = catalog.entry(name).ok_or_else(|| catalog.unknown(name))?;
    let action = catalog.action(name).ok_or_else(|| catalog.unknown(name))?;
    let own = folder
        .join(&entry.family)
        .join(format!("{}.yaml", entry.name));
    write_new(&own, text)?;
    let mut written = Vec::new();
    for path in referred(catalog, &action) {
        let Some(schema) = catalog.schemas().get(&path) else {
            continue;
        };
        let file = folder.join(&path);
        // Another action has brought it.
        if !file.exists() {
            write_new(&file, &describe::pretty(&schema))?;
            written.push(file);
        }
    }
    say(&format!(
        "change {}, then: line-connector actions lint {}",
        own.display(),
        folder.display()
    ));
    Ok(print_json(
        &json!({"action": own, "schemas": written}).to_string(),
    ))
}

/// The shared schemas that an action refers to, and those that they refer to.
fn referred(catalog: &Catalog, action: &Action) -> BTreeSet<String> {
    let bundles =
        [&action.inputs, &action.output].map(|part| describe::bundled(catalog.schemas(), part));
    let files = bundles
        .iter()
        .filter_map(|bundle| bundle.get("$defs")?.as_object());
    files.flat_map(Map::keys).cloned().collect()
}

/// Writes a file that must not be there yet, with the folders that it needs.
fn write_new(path: &PathBuf, text: &str) -> Result<(), Error> {
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    let written = folder.and_then(|()| options.open(path)?.write_all(text.as_bytes()));
    written.map_err(|error| unwritten(path, &error))
}

fn lint(folder: &Path) -> Result<ExitCode, Error> {
    let AddedFolder { files, unknown } = AddedFolder::read(folder)?;
    let mut catalog = Catalog::embedded();
    let mut problems = match catalog.add_all(&files) {
        Ok(()) => useless_schemas(&catalog, &files),
        Err(problems) => {
            // The examples of the other files are tried all the same, where those can do without them.
            let is_right =
                |file: &&AddedFile| problems.iter().all(|problem| problem.file != file.name);
            let right: Vec<AddedFile> = files.iter().filter(is_right).cloned().collect();
            catalog
                .add_all(&right)
                .map_err(|_| wrong_files(&problems))?;
            problems
        }
    };
    let mut count = 0;
    let names: Vec<String> = affected(&catalog, &files);
    for name in &names {
        let Some((file, text)) = catalog.source(name) else {
            continue;
        };
        count += catalog.examples(name).len();
        let breaches = examples::check(&catalog, name);
        problems.extend(reader::placed(&file, text, breaches));
    }
    if !problems.is_empty() {
        return Err(wrong_files(&problems));
    }
    if files.is_empty() {
        let text = format!("{} holds no action and no shared schema", folder.display());
        return Err(Error::new(Kind::InvalidCatalog, text));
    }
    let warnings: Vec<String> = unknown.iter().map(|name| unknown_file(name)).collect();
    for warning in &warnings {
        say(&format!("warning: {warning}"));
    }
    let report = json!({"actions": names, "examples": count, "warnings": warnings});
    Ok(print_json(&report.to_string()))
}

/// The names of the actions that files bring or change: added ones, and those that refer to a shared
/// schema which is not what it was.
fn affected(catalog: &Catalog, files: &[AddedFile]) -> Vec<String> {
    let schemas = files.iter().filter(|file| file.is_schema());
    let changed: BTreeSet<String> = schemas
        .map(|file| file.path.clone())
        .filter(|path| Catalog::schema(path) != catalog.schemas().get(path))
        .collect();
    let names = catalog.entries().into_iter().map(|entry| entry.name);
    let is_affected = |name: &String| {
        let action = catalog.action(name).filter(|_| !changed.is_empty());
        let refers = action.is_some_and(|action| !referred(catalog, &action).is_disjoint(&changed));
        refers || catalog.is_added(name)
    };
    names.filter(is_affected).collect()
}

/// Shared schemas that take no other's place, and that nothing refers to.
fn useless_schemas(catalog: &Catalog, files: &[AddedFile]) -> Vec<Problem> {
    let mut used = BTreeSet::new();
    for name in catalog.added() {
        if let Some(action) = catalog.action(name) {
            used.extend(referred(catalog, &action));
        }
    }
    let schemas = files.iter().filter(|file| file.is_schema());
    let useless =
        schemas.filter(|file| Catalog::schema(&file.path).is_none() && !used.contains(&file.path));
    useless
        .map(|file| Problem {
            file: file.name.clone(),
            line: 0,
            column: 0,
            reason: match Catalog::nearest_schema(&file.path) {
                Some(near) => format!("nothing refers to it; did you mean `{near}`?"),
                None => "nothing refers to it".to_owned(),
            },
        })
        .collect()
}

//! Compiles the manifest, the action files and LINE's schemas into the binary, by the same reader
//! and lint that serve `--actions DIR`. A broken file fails the build with file, line and reason.

#[path = "build/patterns.rs"]
mod patterns;
#[path = "build/validators.rs"]
mod validators;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use line_connector_catalog::definition::{Action, Manifest};
use line_connector_catalog::lint;
use line_connector_catalog::reader::{self, Problem};
use serde_json::Value;

/// The root of the workspace, where the declared files stand.
const ROOT: &str = "../..";

fn main() -> ExitCode {
    for input in ["manifest.yaml", "actions", "schemas/line"] {
        println!("cargo::rerun-if-changed={ROOT}/{input}");
    }
    println!("cargo::rerun-if-changed=build");
    match generate() {
        Ok(files) => {
            let target = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
            for (name, code) in files {
                fs::write(target.join(name), code).expect("OUT_DIR can be written to");
            }
            ExitCode::SUCCESS
        }
        Err(problems) => {
            for problem in problems {
                println!("cargo::error={problem}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The files to write, by name.
fn generate() -> Result<[(&'static str, String); 2], Vec<Problem>> {
    let manifest_text = text(Path::new("manifest.yaml"))?;
    let manifest: Manifest =
        reader::yaml("manifest.yaml", &manifest_text).map_err(|one| vec![one])?;
    let schemas = schemas()?;
    let actions = actions(&manifest, &schemas)?;
    let names: BTreeSet<&str> = actions
        .iter()
        .map(|(_, action)| action.name.as_str())
        .collect();
    let breaches = lint::manifest(&manifest, &names);
    if !breaches.is_empty() {
        return Err(reader::placed("manifest.yaml", &manifest_text, breaches));
    }
    let inputs = actions
        .iter()
        .map(|(_, action)| (action.name.as_str(), &action.inputs));
    let validators = validators::render(inputs, &schemas).map_err(|reason| {
        vec![Problem {
            file: "actions".to_owned(),
            line: 0,
            column: 0,
            reason,
        }]
    })?;
    Ok([
        ("catalog.rs", render(&manifest, &actions, &schemas)),
        ("validators.rs", validators),
    ])
}

fn schemas() -> Result<BTreeMap<String, Value>, Vec<Problem>> {
    let mut schemas = BTreeMap::new();
    let mut texts = BTreeMap::new();
    for path in files(Path::new("schemas/line"), "json") {
        let name = path.to_string_lossy().into_owned();
        let content = text(&path)?;
        schemas.insert(
            name.clone(),
            reader::json(&name, &content).map_err(|one| vec![one])?,
        );
        texts.insert(name, content);
    }
    let mut problems = Vec::new();
    for (name, schema) in &schemas {
        let mut breaches = Vec::new();
        lint::references("", name, schema, &schemas, &mut breaches);
        if let Some(schema) = schema.as_object() {
            lint::keywords("", schema, &mut breaches);
        }
        problems.extend(reader::placed(name, &texts[name], breaches));
    }
    if problems.is_empty() {
        Ok(schemas)
    } else {
        Err(problems)
    }
}

fn actions(
    manifest: &Manifest,
    schemas: &BTreeMap<String, Value>,
) -> Result<Vec<(String, Action)>, Vec<Problem>> {
    let mut actions: Vec<(String, Action)> = Vec::new();
    let mut problems = Vec::new();
    let mut homes: BTreeMap<String, String> = BTreeMap::new();
    for path in files(Path::new("actions"), "yaml") {
        let name = path.to_string_lossy().into_owned();
        let content = text(&path)?;
        let action: Action = match reader::yaml(&name, &content) {
            Ok(action) => action,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let breaches = lint::action(&stem, &action, &manifest.hosts, schemas);
        problems.extend(reader::placed(&name, &content, breaches));
        if let Some(other) = homes.insert(action.name.clone(), name.clone()) {
            let (line, column) = reader::place_of(&content, "/name");
            problems.push(Problem {
                file: name,
                line,
                column,
                reason: format!("`{}` is already the name of {other}", action.name),
            });
        }
        let family = path.parent().and_then(Path::file_name).unwrap_or_default();
        actions.push((family.to_string_lossy().into_owned(), action));
    }
    actions.sort_by(|(_, left), (_, right)| left.name.cmp(&right.name));
    for (family, action) in &actions {
        let others = actions.iter().map(|(_, other)| lint::Names::from(other));
        let breaches = lint::beside(action, others);
        if !breaches.is_empty() {
            let name = format!("actions/{family}/{}.yaml", action.name);
            let content = text(Path::new(&name))?;
            problems.extend(reader::placed(&name, &content, breaches));
        }
    }
    if problems.is_empty() {
        Ok(actions)
    } else {
        Err(problems)
    }
}

/// Rust source with everything as compact JSON text: only what one call needs is parsed.
fn render(
    manifest: &Manifest,
    actions: &[(String, Action)],
    schemas: &BTreeMap<String, Value>,
) -> String {
    let mut code = String::new();
    let mut card = manifest.clone();
    let triggers = card.triggers.take();
    for (name, text) in [
        ("MANIFEST", literal(&for_calls(&card))),
        ("CARD", literal(&card)),
        ("TRIGGERS", literal(&triggers)),
    ] {
        let _ = writeln!(code, "pub(super) static {name}: &str = {text};");
    }
    let _ = writeln!(code, "pub(super) static ACTIONS: &[EmbeddedAction] = &[");
    for (family, action) in actions {
        let mut bare = action.clone();
        let examples = std::mem::take(&mut bare.examples);
        let _ = writeln!(
            code,
            "    EmbeddedAction {{ name: {:?}, short: {:?}, operation_id: {:?}, default_set: {}, family: {family:?}, title: {:?}, definition: {}, examples: {} }},",
            action.name,
            action.meta.short,
            action.meta.operation_id,
            action.meta.default_set,
            action.title,
            literal(&bare),
            literal(&examples),
        );
    }
    code.push_str("];\n");
    let _ = writeln!(code, "pub(super) static SOURCES: &[(&str, &str)] = &[");
    for (family, action) in actions {
        let path = format!("actions/{family}/{}.yaml", action.name);
        let source = text(Path::new(&path)).unwrap_or_default();
        let _ = writeln!(code, "    ({:?}, {source:?}),", action.name);
    }
    code.push_str("];\n");
    let _ = writeln!(code, "pub(super) static SCHEMAS: &[(&str, &str)] = &[");
    for (name, schema) in schemas {
        let _ = writeln!(code, "    ({name:?}, {}),", literal(schema));
    }
    code.push_str("];\n");
    code
}

/// The card without what only readers of the ways to authenticate need.
fn for_calls(card: &Manifest) -> Manifest {
    let mut card = card.clone();
    for asset in &mut card.assets {
        asset.meta.clear();
        asset.inputs.rest.clear();
        for schema in asset.inputs.properties.values_mut() {
            schema
                .retain(|keyword, _| ["default", "writeOnly", "x-env"].contains(&keyword.as_str()));
        }
    }
    card
}

fn literal(value: &impl serde::Serialize) -> String {
    format!(
        "{:?}",
        serde_json::to_string(value).expect("the catalog's types are JSON")
    )
}

fn text(path: &Path) -> Result<String, Vec<Problem>> {
    fs::read_to_string(Path::new(ROOT).join(path)).map_err(|error| {
        vec![Problem {
            file: path.to_string_lossy().into_owned(),
            line: 0,
            column: 0,
            reason: error.to_string(),
        }]
    })
}

/// The files with one extension below a folder, in order, as paths from the root.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = fs::read_dir(Path::new(ROOT).join(folder));
    for entry in entries.into_iter().flatten().flatten() {
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|known| known == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

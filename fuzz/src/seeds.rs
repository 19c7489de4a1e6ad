//! What a fuzzer begins with: the repository's own cases, in the shape that each check reads.

use std::fs;
use std::path::{Path, PathBuf};

use line_connector_client::examples;
use line_connector_core::catalog::definition::Example;
use serde_json::{Value, json};

use super::reply::FIRST_STATUS;
use super::{ACTIONS, CATALOG, UNVALIDATED};

/// Inputs that go deep into a check.
///
/// # Panics
///
/// If the repository's cases cannot be read.
#[must_use]
pub fn seeds(check: &str) -> Vec<Vec<u8>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases = here.join("../tests/cases");
    let mut seeds: Vec<Vec<u8>> = match check {
        "document" => {
            let documents = files(&cases.join("cli")).filter_map(|case| {
                let case: Value = serde_json::from_slice(&case).expect("a case");
                case.get("input").map(Value::to_string)
            });
            let examples = of_examples(|_, name, example| {
                json!({"action": name, "inputs": example.inputs}).to_string()
            });
            documents.chain(examples).map(String::into_bytes).collect()
        }
        "inputs" => [0, UNVALIDATED]
            .into_iter()
            .flat_map(|validation| {
                of_examples(move |index, _, example| {
                    let inputs = serde_json::to_vec(&example.inputs).expect("JSON");
                    [&(index | validation).to_be_bytes(), inputs.as_slice()].concat()
                })
            })
            .collect(),
        "reply" => of_examples(|index, _, example| {
            let reply = examples::reply(example);
            let status = reply.status - FIRST_STATUS;
            [
                &index.to_be_bytes(),
                &status.to_be_bytes(),
                reply.body.as_slice(),
            ]
            .concat()
        })
        .collect(),
        "webhook" => files(&cases.join("webhook")).collect(),
        "json" => files(&cases).collect(),
        "action" => files(&here.join("../actions"))
            .chain(files(&cases.join("added")))
            .collect(),
        _ => Vec::new(),
    };
    let own = here.join("seeds").join(check);
    if own.exists() {
        seeds.extend(files(&own));
    }
    assert!(!seeds.is_empty(), "no seeds for {check}");
    seeds
}

/// Something of each example of each action: the action's index among all, its name, the example.
fn of_examples<T>(of: impl Fn(u16, &str, &Example) -> T) -> impl Iterator<Item = T> {
    (0..).zip(ACTIONS.iter()).flat_map(move |(index, name)| {
        let examples = CATALOG.examples(name);
        let found = examples.iter().map(|example| of(index, name, example));
        found.collect::<Vec<T>>()
    })
}

/// The contents of a folder's files and of those in its folders, in the order of their names.
fn files(folder: &Path) -> impl Iterator<Item = Vec<u8>> + use<> {
    let mut found = Vec::new();
    walk(folder, &mut found);
    found.retain(|path| path.extension().is_none_or(|known| known != "snap"));
    found.sort();
    found
        .into_iter()
        .map(|path| fs::read(path).expect("a file"))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

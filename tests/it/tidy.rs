//! The rules of `ARCHITECTURE.md` that Cargo cannot state. It reads sources as text. What is
//! generated equals what is committed: `contracts` compares that.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each Rust source of the workspace, tests aside: its path from the root, and its code.
fn sources() -> BTreeMap<String, String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeMap::new();
    for folder in ["src", "crates"] {
        collect(&root, &root.join(folder), &mut found);
    }
    assert!(found.len() > 100, "the sources were found");
    found
}

fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|known| known == "rs") {
            let name = path.strip_prefix(root).unwrap().to_string_lossy();
            let text = fs::read_to_string(&path).unwrap();
            found.insert(name.replace('\\', "/"), code(&text));
        }
    }
}

/// The code of a file: without comments, and without the tests at its foot.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]").next().unwrap_or(text);
    let lines = body
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn no_rust_outside_the_sandbox_names_an_operation() {
    let catalog = line_connector_client::Catalog::embedded();
    for (name, code) in sources() {
        if name.starts_with("crates/sandbox/") {
            continue;
        }
        for entry in catalog.entries() {
            assert!(!code.contains(&entry.name), "{name} names `{}`", entry.name);
        }
        assert!(!code.contains("v2/bot"), "{name} names a path of LINE's");
    }
}

#[test]
fn only_the_program_prints_and_reads_the_environment() {
    for (name, code) in sources() {
        // A build script talks to Cargo through both.
        if name.starts_with("src/") || name.ends_with("build.rs") {
            continue;
        }
        for needle in [
            "io::stdout",
            "io::stderr",
            "io::stdin",
            "print!",
            "println!",
            "env::var",
            "env::args",
            "process::exit",
        ] {
            assert!(!code.contains(needle), "{name} has `{needle}`");
        }
    }
}

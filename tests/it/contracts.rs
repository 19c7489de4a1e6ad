//! What is generated equals what is committed: the schemas of our own documents and the tables of
//! the manuals. `UPDATE_GENERATED=1 cargo test contracts` writes them anew.

use std::fs;
use std::path::PathBuf;

use line_connector_client::Catalog;
use line_connector_core::{compact, describe, packages};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test itself")]
fn updating() -> bool {
    std::env::var("UPDATE_GENERATED").is_ok()
}

fn compare(name: &str, generated: &str) {
    if updating() {
        fs::write(path(name), generated).unwrap();
    }
    let committed = fs::read_to_string(path(name)).unwrap_or_default();
    assert!(
        committed == generated,
        "{name} is not what the code says; run `UPDATE_GENERATED=1 cargo test contracts`"
    );
}

#[test]
fn the_schemas_of_our_documents_are_the_types() {
    for (name, generated) in describe::schemas() {
        compare(&format!("schemas/{name}"), &generated);
    }
}

/// A generated table: the document that it stands in, its name there, and what makes it.
type Table = (&'static str, &'static str, fn(&Catalog) -> String);

const TABLES: [Table; 4] = [
    ("docs/actions.md", "actions", describe::action_table),
    ("docs/credentials.md", "assets", describe::asset_table),
    ("docs/errors.md", "errors", |_| describe::error_table()),
    ("docs/sandbox.md", "faults", |_| {
        line_connector_sandbox::kind_table()
    }),
];

#[test]
fn the_tables_of_the_manuals_are_the_catalog() {
    let catalog = Catalog::embedded();
    for (document, name, table) in TABLES {
        let mut text = fs::read_to_string(path(document)).unwrap();
        let start = format!("<!-- generated: {name} -->\n");
        let end = format!("<!-- end: {name} -->");
        let from = text
            .find(&start)
            .unwrap_or_else(|| panic!("{document} lacks {start}"));
        let from = from + start.len();
        let to = from
            + text[from..]
                .find(&end)
                .unwrap_or_else(|| panic!("{document} lacks {end}"));
        text.replace_range(from..to, &table(&catalog));
        compare(document, &text);
    }
}

/// What a token is to most models' tokenizers, bytes; on JSON it is rather more.
const BYTES_PER_TOKEN: usize = 4;

#[test]
fn the_short_form_is_small_and_what_is_committed() {
    let all = compact::all(&Catalog::embedded());
    let lines = all.as_array().unwrap().iter();
    let lines = lines.fold(String::new(), |text, action| text + &format!("{action}\n"));
    let tokens = lines.len() / BYTES_PER_TOKEN;
    assert!(tokens <= 45_000, "{tokens} tokens");
    compare("tests/contracts/compact.ndjson", &lines);
}

#[test]
fn what_packages_say_is_the_catalog() {
    let catalog = Catalog::embedded();
    let manifest = packages::bundle_manifest(&catalog);
    compare("packaging/mcpb/manifest.json", &describe::pretty(&manifest));
    let entry = packages::registry_entry(&catalog);
    compare("packaging/server.json", &describe::pretty(&entry));
    assert!(entry["description"].as_str().unwrap().chars().count() <= 100);
    // By this mark the registry knows that the crate is the entry's.
    let mark = format!("`mcp-name: {}`", entry["name"].as_str().unwrap());
    assert!(include_str!("../../README.md").contains(&mark), "{mark}");
}

/// The changelog's newest version is the package's.
#[test]
fn the_changelog_knows_this_version() {
    let changelog = include_str!("../../CHANGELOG.md");
    assert!(changelog.contains(&format!("## [{}]", env!("CARGO_PKG_VERSION"))));
}

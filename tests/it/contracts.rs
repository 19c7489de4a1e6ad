//! What is generated equals what is committed: the schemas of our own documents and the README's
//! tables. `UPDATE_GENERATED=1 cargo test contracts` writes them anew.

use std::fs;
use std::path::PathBuf;

use line_connector_client::Catalog;
use line_connector_core::describe;

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

#[test]
fn the_tables_of_the_readme_are_the_catalog() {
    let catalog = Catalog::embedded();
    let mut readme = fs::read_to_string(path("README.md")).unwrap();
    for (name, table) in [
        ("actions", describe::action_table(&catalog)),
        ("assets", describe::asset_table(&catalog)),
        ("errors", describe::error_table()),
    ] {
        let start = format!("<!-- generated: {name} -->\n");
        let end = format!("<!-- end: {name} -->");
        let from = readme
            .find(&start)
            .unwrap_or_else(|| panic!("README.md lacks {start}"));
        let from = from + start.len();
        let to = from
            + readme[from..]
                .find(&end)
                .unwrap_or_else(|| panic!("README.md lacks {end}"));
        readme.replace_range(from..to, &table);
    }
    compare("README.md", &readme);
}

/// The changelog's newest version is the package's.
#[test]
fn the_changelog_knows_this_version() {
    let changelog = include_str!("../../CHANGELOG.md");
    assert!(changelog.contains(&format!("## [{}]", env!("CARGO_PKG_VERSION"))));
}

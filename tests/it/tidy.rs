//! Who may know whom, and the size budgets: `ARCHITECTURE.md` as a test. It reads sources as text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file under `src`, as a path such as `face/cli.rs`, with its text.
type Sources = BTreeMap<String, String>;

fn sources() -> Sources {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Sources::new();
    collect(&root, &root, &mut found);
    assert!(found.len() > 20, "the sources were found");
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Sources) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|known| known == "rs") {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            found.insert(name, fs::read_to_string(&path).unwrap());
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

/// The module of `crate::…` that each `use` or path names, first part only.
fn modules_named(text: &str) -> Vec<String> {
    code(text)
        .split("crate::")
        .skip(1)
        .map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect()
}

/// Each outside package and the files that may name it. `serde`, `serde_json` and `schemars` are exempt.
const PACKAGES: &[(&str, &[&str])] = &[
    ("base64", &["encoding.rs"]),
    (
        "clap",
        &[
            "face/arguments.rs",
            "face/arguments/later.rs",
            "face/arguments/listen.rs",
        ],
    ),
    ("clap_complete", &["face/arguments.rs"]),
    ("httparse", &["sandbox/wire.rs"]),
    ("http_body_util", &["receiver/server.rs"]),
    ("hyper", &["receiver/server.rs"]),
    ("hyper_util", &["receiver/server.rs"]),
    ("imagesize", &["binary.rs"]),
    ("jsonschema", &["schema.rs"]),
    ("memchr", &["face/serve/lines.rs"]),
    ("oauth2", &["auth.rs"]),
    (
        "ring",
        &[
            "assertion.rs",
            "random.rs",
            "receiver/forward.rs",
            "sandbox/crypto.rs",
            "webhook/signature.rs",
        ],
    ),
    ("rsa", &["keygen.rs"]),
    (
        "rusqlite",
        &["receiver/queue.rs", "receiver/queue/changes.rs"],
    ),
    ("rustix", &["face/token_files.rs"]),
    ("rustls", &["transport.rs"]),
    ("serde_saphyr", &["catalog/source/read.rs"]),
    ("sha2", &["digest.rs"]),
    ("signal_hook", &["face/signals.rs"]),
    ("strsim", &["nearest.rs"]),
    (
        "time",
        &[
            "schema/calendar.rs",
            "sandbox/calendar.rs",
            "webhook/moment.rs",
        ],
    ),
    ("tokio", &["receiver/server.rs"]),
    (
        "unicode_segmentation",
        &["schema/count.rs", "sandbox/judge/count.rs"],
    ),
    ("ureq", &["transport.rs", "transport/connections.rs"]),
    ("url", &["asset.rs", "request.rs", "webhook/postback.rs"]),
    ("uuid", &["random.rs", "retry.rs", "sandbox/crypto.rs"]),
];

#[test]
fn one_outside_package_is_named_in_one_file() {
    for &(package, homes) in PACKAGES {
        let path = format!("{package}::");
        for (name, text) in sources() {
            let named = code(&text).match_indices(&path).any(|(at, _)| {
                !code(&text)[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
            });
            assert!(
                !named || homes.contains(&name.as_str()),
                "{name} names `{package}`"
            );
        }
    }
}

#[test]
fn every_dependency_has_a_home() {
    let manifest = include_str!("../../Cargo.toml");
    let section = manifest.split("[dependencies]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    for line in section
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains('='))
    {
        let name = line.split('=').next().unwrap().trim().replace('-', "_");
        let exempt = ["serde", "serde_json", "schemars"].contains(&name.as_str());
        let known = PACKAGES.iter().any(|(package, _)| *package == name);
        assert!(exempt || known, "`{name}` is not in the table of packages");
    }
}

const NOUNS: [&str; 13] = [
    "asset",
    "backoff",
    "binary",
    "digest",
    "encoding",
    "envelope",
    "error",
    "http",
    "json_text",
    "key",
    "nearest",
    "random",
    "secret",
];
const STEPS: [&str; 9] = [
    "schema",
    "auth",
    "request",
    "transport",
    "retry",
    "budget",
    "response",
    "keygen",
    "webhook",
];

/// What a file may name of the crate. Paths in the same folder are its own business.
fn allowed(name: &str) -> Option<Vec<&'static str>> {
    let own = |extra: &[&'static str]| NOUNS.iter().chain(extra).copied().collect();
    let stem = name.trim_end_matches(".rs").split('/').next().unwrap();
    Some(match stem {
        "sandbox" => vec!["http", "secret", "sandbox"],
        "catalog" => own(&["catalog"]),
        _ if NOUNS.contains(&stem) => own(&["catalog"]),
        "auth" => own(&["catalog", "assertion"]),
        "schema" => vec!["error", "nearest", "schema"],
        "assertion" => vec!["encoding", "key", "secret"],
        _ if STEPS.contains(&stem) => own(&["catalog"]),
        "describe" => own(&["catalog", "webhook"]),
        "run" => own(&[
            "catalog",
            "schema",
            "auth",
            "request",
            "transport",
            "retry",
            "budget",
            "response",
        ]),
        "face" => own(&[
            "catalog",
            "describe",
            "keygen",
            "receiver",
            "retry",
            "run",
            "sandbox",
            "transport",
            "webhook",
        ]),
        "receiver" => own(&["catalog", "receiver", "webhook"]),
        "lib" | "main" => return None,
        other => panic!("{other} is not in the table of who may know whom"),
    })
}

#[test]
fn who_may_know_whom() {
    for (name, text) in sources() {
        let Some(allowed) = allowed(&name) else {
            continue;
        };
        for module in modules_named(&text) {
            assert!(
                allowed.contains(&module.as_str()),
                "{name} names `crate::{module}`"
            );
        }
    }
}

#[test]
fn nouns_know_of_the_catalog_only_its_definitions() {
    for (name, text) in sources() {
        let stem = name.trim_end_matches(".rs");
        if NOUNS.contains(&stem) || STEPS.contains(&stem) {
            for (at, _) in code(&text).match_indices("crate::catalog") {
                let path = &code(&text)[at..];
                assert!(
                    path.starts_with("crate::catalog::source::"),
                    "{name} names the catalog"
                );
            }
        }
    }
}

#[test]
fn only_faces_print_and_only_cli_reads_environment_and_files() {
    for (name, text) in sources() {
        let code = code(&text);
        for (needle, homes) in [
            (
                "io::stdout",
                &["face/cli.rs", "face/listen.rs", "face/serve.rs"][..],
            ),
            ("io::stderr", &["face/cli.rs", "face/serve.rs"]),
            (
                "io::stdin",
                &["face/cli.rs", "face/listen.rs", "face/serve.rs"],
            ),
            ("println!", &[]),
            ("std::env::", &["face/cli.rs", "main.rs"]),
            (
                "fs::",
                &["face/cli.rs", "face/files.rs", "face/token_files.rs"],
            ),
            (
                "TcpStream",
                &[
                    "receiver/server.rs",
                    "sandbox/listener.rs",
                    "sandbox/wire.rs",
                ],
            ),
            ("process::exit", &["main.rs"]),
        ] {
            let exempt = homes.contains(&name.as_str());
            assert!(exempt || !code.contains(needle), "{name} has `{needle}`");
        }
    }
}

#[test]
fn no_rust_file_outside_the_sandbox_names_an_operation() {
    let catalog = line_connector::catalog::Catalog::embedded();
    for (name, text) in sources() {
        if name.starts_with("sandbox/") {
            continue;
        }
        for entry in catalog.entries() {
            assert!(
                !code(&text).contains(&entry.name),
                "{name} names `{}`",
                entry.name
            );
        }
        assert!(
            !code(&text).contains("v2/bot"),
            "{name} names a path of LINE's"
        );
    }
}

#[test]
fn every_file_opens_with_what_it_owns() {
    for (name, text) in sources() {
        assert!(
            text.starts_with("//! "),
            "{name} does not open with a `//!` paragraph"
        );
    }
}

/// A file is at most 600 lines with its tests, half of them at most 250; nine functions in ten are
/// at most 30 lines, none is over 80.
#[test]
fn files_and_functions_keep_to_their_budgets() {
    let sources = sources();
    let mut lengths: Vec<usize> = sources.values().map(|text| text.lines().count()).collect();
    for (name, text) in &sources {
        assert!(
            text.lines().count() <= 600,
            "{name} has {} lines",
            text.lines().count()
        );
    }
    lengths.sort_unstable();
    assert!(
        lengths[lengths.len() / 2] <= 250,
        "the median file has {} lines",
        lengths[lengths.len() / 2]
    );
    let mut functions: Vec<(usize, String)> = sources
        .iter()
        .flat_map(|(name, text)| {
            functions(text)
                .into_iter()
                .map(move |(length, title)| (length, format!("{name}: {title}")))
        })
        .collect();
    functions.sort();
    let (longest, title) = functions.last().unwrap();
    assert!(*longest <= 80, "{title} has {longest} lines");
    let (ninth, title) = &functions[functions.len() * 9 / 10];
    assert!(
        *ninth <= 30,
        "one in ten functions is longer than 30 lines, from {title} ({ninth})"
    );
}

/// The length and first line of each function, by indentation as rustfmt leaves it.
fn functions(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let bare = line.trim_start();
        let is_function = ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn "]
            .iter()
            .any(|opening| bare.starts_with(opening));
        if !is_function {
            continue;
        }
        let end = format!("{}}}", " ".repeat(line.len() - bare.len()));
        let length = lines[start..]
            .iter()
            .position(|candidate| *candidate == end);
        found.push((length.map_or(1, |length| length + 1), bare.to_owned()));
    }
    found
}

/// The changelog's newest version is the package's.
#[test]
fn the_changelog_knows_this_version() {
    let changelog = include_str!("../../CHANGELOG.md");
    assert!(changelog.contains(&format!("## [{}]", env!("CARGO_PKG_VERSION"))));
}

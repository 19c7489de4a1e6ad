//! The manual names every command and every option of the worker.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::world::run;

fn options(help: &str) -> BTreeSet<String> {
    let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let options = words.filter(|word| word.starts_with("--") && word.len() > 2);
    options.map(str::to_owned).collect()
}

#[test]
fn every_command_and_every_option_is_in_the_manuals() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let manuals = fs::read_dir(folder).unwrap();
    let manuals: String = manuals
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let known = options(&manuals);
    let (code, help) = run(&["--help"], &[]);
    assert_eq!(code, 0);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(names.contains(&"nats"), "{help}");
    for name in names {
        let command = format!("line-connector-worker {name}");
        assert!(manuals.contains(&command), "no manual names `{command}`");
        for option in options(&run(&[name, "--help"], &[]).1) {
            assert!(
                known.contains(&option),
                "no manual names `{option}` of `{name}`"
            );
        }
    }
}

#[test]
fn the_command_lines_of_the_units_are_the_workers() {
    let unit = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../packaging/systemd/line-connector-calls.service");
    let text = fs::read_to_string(unit).unwrap().replace("\\\n", "");
    let mut lines = text.lines();
    let line = lines
        .find_map(|line| line.strip_prefix("ExecStart="))
        .unwrap();
    let mut words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words.remove(0), "/usr/bin/line-connector-worker");
    words.push("--help");
    let (code, said) = run(&words, &[]);
    assert_eq!(code, 0, "{said}");
}

//! What `line-connector-worker` does is handed over to it, and nothing else is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program in a folder of its own: nothing stands beside it.
fn alone(folder: &Path) -> PathBuf {
    let program = folder.join("line-connector");
    fs::copy(env!("CARGO_BIN_EXE_line-connector"), &program).unwrap();
    program
}

fn run(program: &Path, path: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", path);
    command.output().unwrap()
}

const PUBLISH: [&str; 6] = [
    "--actions",
    "own",
    "listen",
    "--publish",
    "nats://user:password@nowhere",
    "--keep-days=9",
];

#[test]
fn without_the_worker_it_says_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let program = alone(folder.path());
    let output = run(&program, "/nonexistent", &PUBLISH);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`line-connector-worker` does this, and is not installed"));
    assert!(said.contains("cargo install"), "{said}");
    assert!(!said.contains("password"), "{said}");
}

#[test]
#[cfg(unix)]
fn the_worker_takes_its_place_with_the_same_arguments_and_exit_code() {
    use std::os::unix::fs::PermissionsExt as _;

    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = alone(folder.path());
    let write = |folder: &Path, text: &str| {
        let worker = folder.join("line-connector-worker");
        fs::write(&worker, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&worker, fs::Permissions::from_mode(0o755)).unwrap();
    };
    // The one on the PATH, then the one beside the program.
    for (place, word) in [(elsewhere.path(), "path"), (folder.path(), "beside")] {
        write(place, &format!("echo {word} \"$@\"; exit 7"));
        let output = run(&program, elsewhere.path().to_str().unwrap(), &PUBLISH);
        assert_eq!(output.status.code(), Some(7));
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, format!("{word} {}\n", PUBLISH.join(" ")));
    }
}

#[test]
fn a_receiver_has_a_queue_or_a_publisher_and_options_of_that_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let program = alone(folder.path());
    let publish = ["listen", "--publish", "nats://nowhere"];
    for (arguments, reason) in [
        (&["listen"][..], "--queue"),
        (
            &["listen", "--queue", "q", "--publish", "nats://nowhere"],
            "cannot be used with",
        ),
        (
            &[publish[0], publish[1], publish[2], "--attempts", "3"],
            "cannot be used with",
        ),
        (
            &["listen", "--queue", "q", "--stream", "S"],
            "cannot be used with",
        ),
        (
            &["listen", "--queue", "q", "--replicas", "3"],
            "cannot be used with",
        ),
        (
            &["listen", "--queue", "q", "--creds", "file"],
            "cannot be used with",
        ),
    ] {
        let output = run(&program, "/nonexistent", arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {said}");
        assert!(said.contains(reason), "{arguments:?} {said}");
    }
}

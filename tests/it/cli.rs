//! The real binary against a sandbox: each file under `tests/cases/cli` is one run, its snapshot
//! beside it holds exit code, standard output and standard error. Cases that fail on purpose are
//! named `err_*`.

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::world::{self, USER, World, run};

/// One run of the binary.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The arguments. `$FOLDER` stands for the case's own temporary folder.
    arguments: Vec<String>,
    /// Standard input: text as it is, anything else as JSON. `$ASSET` and `$BEARER` stand for the
    /// sandbox's assets, `$USER` for a user, `$REPLY_TOKEN` for a fresh reply token.
    #[serde(default)]
    input: Value,
    /// The environment; nothing else is set.
    #[serde(default)]
    environment: Map<String, Value>,
    /// Faults to inject first.
    #[serde(default)]
    faults: Vec<Value>,
    /// Files to write into the case's folder.
    #[serde(default)]
    files: Map<String, Value>,
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[test]
fn cases() {
    insta::glob!("../cases/cli", "*.json", |path| {
        let world = World::new();
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_str().unwrap();
        let fill = |text: &str| {
            text.replace("\"$ASSET\"", &world.asset().to_string())
                .replace("\"$BEARER\"", &world.bearer().to_string())
                .replace("$ASSET", &world.asset().to_string())
                .replace("$URL", &world.url())
                .replace("$USER", USER)
                .replace("$REPLY_TOKEN", &world.sandbox.reply_token())
                .replace("$FOLDER", place)
        };
        let case: Case = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        for (name, content) in &case.files {
            let place = folder.path().join(name);
            fs::write(&place, fill(&text(content))).unwrap();
            #[cfg(unix)]
            fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
        }
        for fault in case.faults {
            world.fault(fault);
        }
        let arguments: Vec<String> = case.arguments.iter().map(|one| fill(one)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let environment: Vec<(String, String)> = case
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), fill(&text(value))))
            .collect();
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let ended = run(
            &arguments,
            fill(&text(&case.input)).as_bytes(),
            &environment,
        );
        let url = world.url();
        let host = url.trim_start_matches("http://");
        let steady = |text: &str| {
            let text = text.replace(&url, "$URL").replace(host, "$HOST");
            timeless(&text.replace(place, "$FOLDER"))
        };
        let stdout = steady(&shown(&ended.stdout));
        let stderr = steady(&ended.stderr);
        insta::assert_snapshot!(format!(
            "exit code: {}\n--- stdout\n{stdout}\n--- stderr\n{stderr}",
            ended.code
        ));
    });
}

/// A text without how long something took.
fn timeless(text: &str) -> String {
    let mut parts = text.split(", after ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.find(')').map_or(part, |end| &part[end..]);
        format!("{text}, after …{rest}")
    })
}

/// Standard output for a snapshot: JSON laid out, and what differs from run to run replaced.
fn shown(stdout: &str) -> String {
    let Ok(mut document) = serde_json::from_str::<Value>(stdout) else {
        return stdout.trim_end().to_owned();
    };
    steady(&mut document);
    serde_json::to_string_pretty(&document).unwrap()
}

fn steady(value: &mut Value) {
    const VARYING: [&str; 8] = [
        "date",
        "expires",
        "x-line-request-id",
        "x-line-accepted-request-id",
        "request_id",
        "retry_key",
        "elapsed_ms",
        "X-Line-Retry-Key",
    ];
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if VARYING.contains(&name.as_str()) {
                    *member = json!("…");
                } else {
                    steady(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(steady),
        _ => {}
    }
}

#[test]
fn flat_and_sectioned_inputs_make_the_same_request_byte_for_byte() {
    let world = World::new();
    let messages = json!([{"type": "text", "text": "hi 🍎"}]);
    let key = json!({"X-Line-Retry-Key": "123e4567-e89b-12d3-a456-426614174000"});
    let requests: Vec<(Vec<(String, String)>, Value)> = [
        json!({"to": USER, "messages": messages, "headers": key}),
        json!({"json_body": {"to": USER, "messages": messages}, "headers": key}),
    ]
    .into_iter()
    .map(|inputs| {
        let document = json!({"asset": world.bearer(), "inputs": inputs}).to_string();
        let _ = run(&["run", "send_push_message"], document.as_bytes(), &[]);
        let request = world.sandbox.requests().pop().unwrap();
        (request.headers, request.body)
    })
    .collect();
    assert_eq!(requests[0], requests[1]);
    assert!(
        requests[0]
            .0
            .iter()
            .any(|(name, value)| name == "content-length" && value != "0")
    );
}

#[test]
fn an_action_of_a_folder_outside_the_repository_runs_without_a_rebuild() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let file = include_str!("../cases/added/get_my_bot_info.yaml");
    fs::write(folder.path().join("get_my_bot_info.yaml"), file).unwrap();
    let actions = folder.path().to_str().unwrap();
    let document = json!({"asset": world.asset()}).to_string();
    let ended = run(
        &["run", "get_my_bot_info", "--actions", actions],
        document.as_bytes(),
        &[],
    );
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.document()["json_body"]["displayName"].is_string());
    let listed = run(&["list", "--json", "--actions", actions], b"", &[]).document();
    assert!(
        listed
            .as_array()
            .unwrap()
            .iter()
            .any(|action| action["name"] == "get_my_bot_info")
    );
}

#[test]
fn what_an_action_says_of_its_inputs_is_about_inputs_that_it_has() {
    let file = include_str!("../cases/added/get_my_bot_info.yaml");
    for (meta, line) in [
        ("years_back: {parameters/from: 3}", 22),
        ("years_back: {from: 3}", 22),
        ("resumes_with: json_body/key", 22),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let wrong = file.replace("  success: [200]", &format!("  {meta}\n  success: [200]"));
        fs::write(folder.path().join("get_my_bot_info.yaml"), wrong).unwrap();
        let actions = folder.path().to_str().unwrap();
        let ended = run(&["list", "--actions", actions], b"", &[]);
        assert_eq!(ended.code, 2, "{meta}");
        let place = format!("get_my_bot_info.yaml:{line}:");
        assert!(ended.stderr.contains(&place), "{meta}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(": no input"),
            "{meta}: {}",
            ended.stderr
        );
    }
}

#[test]
fn an_action_that_there_is_not_is_told_before_anything_is_read() {
    for command in ["run", "serve"] {
        let mut child = world::start(&[command, "push_mesage"], &[]);
        // Held open until it has ended.
        let input = child.stdin.take();
        let ended = child.wait_with_output().unwrap();
        drop(input);
        assert_eq!(ended.status.code(), Some(2), "{command}");
        let answer: Value = serde_json::from_slice(&ended.stdout).unwrap();
        let hint = &answer["error"]["hint"];
        assert_eq!(hint, "did you mean `push_message`?", "{command}");
    }
}

#[test]
fn a_private_key_is_written_for_its_owner_alone_and_never_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    assert_eq!(run(&["keygen", "--out", place], b"", &[]).code, 0);
    let private = folder.path().join("private-key.jwk.json");
    let text = fs::read_to_string(&private).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            fs::metadata(&private).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    assert_eq!(run(&["keygen", "--out", place], b"", &[]).code, 2);
    assert_eq!(fs::read_to_string(&private).unwrap(), text);
    let public = fs::read_to_string(folder.path().join("public-key.jwk.json")).unwrap();
    assert!(!public.contains("\"d\"") && !public.contains("kid"));
}

#[test]
fn the_card_that_the_sandbox_prints_is_an_asset_to_paste() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let mut sandbox = Command::new(env!("CARGO_BIN_EXE_line-connector"))
        .arg("sandbox")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(sandbox.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let card: Value = serde_json::from_str(&line).unwrap();
    let ended = run(
        &["run"],
        world::push(&card["asset"]).to_string().as_bytes(),
        &[],
    );
    sandbox.kill().unwrap();
    sandbox.wait().unwrap();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[test]
fn an_address_that_is_taken_is_told_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for arguments in [
        ["sandbox", "--address", &address].as_slice(),
        &["mcp", "--sandbox", "--http", &address],
    ] {
        let ended = run(arguments, b"", &[]);
        assert_eq!(ended.code, 2, "{arguments:?}");
        let told = format!("it cannot listen on {address}: ");
        assert!(ended.stderr.contains(&told), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("port 0 takes a free one"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn the_first_line_of_help_and_every_shells_completions_are_there() {
    let help = run(&["--help"], b"", &[]);
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("Exit codes:"));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&["completions", shell], b"", &[]);
        assert_eq!(script.code, 0);
        assert!(script.stdout.contains("line-connector"), "{shell}");
        // These complete what stands without an option.
        if ["bash", "zsh", "fish"].contains(&shell) {
            for name in ["push_message", "send_push_message"] {
                let times = script.stdout.matches(name).count();
                assert!(times >= 3, "{shell}: {name} {times} times");
            }
        }
    }
    // They are not for people to read.
    let help = run(&["run", "--help"], b"", &[]);
    assert!(
        !help.stdout.contains("send_push_message"),
        "{}",
        help.stdout
    );
}

#[cfg(unix)]
#[test]
fn bash_completes_commands_options_and_actions() {
    let script = run(&["completions", "bash"], b"", &[]).stdout;
    for (typed, expected) in [
        ("li", "list"),
        ("run push_mess", "push_message"),
        ("describe send_push", "send_push_message"),
        ("serve --conc", "--concurrency"),
    ] {
        let words: Vec<&str> = ["line-connector"]
            .into_iter()
            .chain(typed.split(' '))
            .collect();
        let [.., before, last] = words[..] else {
            unreachable!()
        };
        let asked = format!(
            "{script}\nCOMP_WORDS=({}); COMP_CWORD={}\n_line__connector line-connector {last} {before}\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words.len() - 1,
        );
        let Ok(bash) = std::process::Command::new("bash")
            .args(["-c", &asked])
            .output()
        else {
            return;
        };
        let completed = String::from_utf8_lossy(&bash.stdout);
        assert!(
            completed.lines().any(|line| line == expected),
            "{typed}: {completed}"
        );
    }
}

#[cfg(unix)]
#[test]
fn folders_of_actions_that_link_in_a_circle_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        let inner = folder.path().join(name);
        std::fs::create_dir(&inner).unwrap();
        std::os::unix::fs::symlink(folder.path(), inner.join("up")).unwrap();
        std::os::unix::fs::symlink(folder.path(), inner.join("again")).unwrap();
    }
    let ended = run(
        &["list", "--actions", folder.path().to_str().unwrap()],
        b"",
        &[],
    );
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn no_command_ends_well_whose_answer_nobody_got() {
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["describe"],
        &["describe", "--text"],
        &["check", "--sandbox"],
        &["actions", "export", "get_profile"],
        &["sandbox", "--address", "127.0.0.1:0"],
        &["sandbox", "faults"],
        &["completions", "bash"],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["keygen", "--help"],
        &["--version"],
    ] {
        let (code, errors) = crate::world::run_unwritten(arguments);
        assert_eq!(code, Some(74), "{arguments:?}: {errors}");
        assert!(errors.contains("what was to be written"), "{errors}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_private_key_that_cannot_be_written_goes_nowhere_else() {
    let (code, errors) = crate::world::run_unwritten(&["keygen"]);
    assert_eq!(code, Some(74), "{errors}");
    assert!(
        errors.contains("cannot be written") && errors.contains("`--out`"),
        "{errors}"
    );
    assert!(
        !errors.contains("\"kty\"") && errors.len() < 1_000,
        "{errors}"
    );
}

//! Actions of one's own, through the binary: what `actions export` writes can be changed, linted and
//! run from any folder; a shared schema can be replaced; the sandbox answers what it does not know as
//! the examples say.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::world::{Ended, USER, run};

const GREETING: &str = include_str!("../cases/added/get_greeting.yaml");

fn path(folder: &tempfile::TempDir) -> String {
    folder.path().to_str().unwrap().to_owned()
}

/// A folder with files: their paths from there, and their texts.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

fn lint(folder: &tempfile::TempDir) -> Ended {
    run(&["actions", "lint", &path(folder)], b"", &[])
}

/// Changes a file of a folder.
fn change(folder: &Path, file: &str, from: &str, to: &str) {
    let file = folder.join(file);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn an_exported_action_can_be_changed_linted_and_run_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let place = path(&folder);
    let exported = run(
        &["actions", "export", "pushMessage", "--out", &place],
        b"",
        &[],
    );
    assert_eq!(exported.code, 0, "{}", exported.stderr);
    let written = exported.document();
    let own = "message/send_push_message.yaml";
    assert_eq!(written["action"], format!("{place}/{own}"));
    for schema in written["schemas"].as_array().unwrap() {
        assert!(Path::new(schema.as_str().unwrap()).exists());
    }
    // Standard output has the file alone.
    let text = run(&["actions", "export", "pushMessage"], b"", &[]).stdout;
    assert_eq!(fs::read_to_string(folder.path().join(own)).unwrap(), text);
    let again = run(
        &["actions", "export", "pushMessage", "--out", &place],
        b"",
        &[],
    );
    assert_eq!(again.code, 2);
    assert!(
        again
            .stderr
            .contains("send_push_message.yaml cannot be written")
    );
    let hint = "what stands there was not changed: move it away, or name another folder in `--out`";
    assert!(again.stderr.contains(hint), "{}", again.stderr);

    let linted = lint(&folder);
    assert_eq!(linted.code, 0, "{}", linted.stderr);
    let report = linted.document();
    assert_eq!(report["actions"], json!(["send_push_message"]));
    assert!(report["examples"].as_u64().unwrap() > 5);

    change(
        folder.path(),
        own,
        "title: Send push message",
        "title: Send a notice",
    );
    let notices = run(&["list", "notice", "--actions", &place], b"", &[]).stdout;
    assert!(notices.contains("Send a notice"), "{notices}");
    let document = json!({"inputs": {"to": USER, "messages": ["hi"]}}).to_string();
    let call = ["run", "push_message", "--sandbox", "--actions", &place];
    assert_eq!(run(&call, document.as_bytes(), &[]).code, 0);
}

/// Mistakes in the greeting: what is replaced, by what, at which line, and what is said.
const MISTAKES: [(&str, &str, &str, &str); 13] = [
    (
        "  retry: safe",
        "  rety: safe",
        "retry: safe",
        "did you mean `retry`?",
    ),
    (
        "retry: safe",
        "retry: sfe",
        "retry: safe",
        "did you mean `safe`?",
    ),
    (
        "    path_parameters:\n",
        "    path_parametrs:\n",
        "    path_parameters:",
        "did you mean `path_parameters`?",
    ),
    (
        "$defs/user_id",
        "$defs/usr_id",
        "$defs/user_id",
        "did you mean `/$defs/user_id`?",
    ),
    (
        "line/id.json",
        "line/ids.json",
        "$defs/user_id",
        "did you mean `schemas/line/id.json`?",
    ),
    (
        "items: /words",
        "items: /words\n  years_back: {parameters/sinse: 3}",
        "items: /words",
        "did you mean `parameters/since`?",
    ),
    (
        "action: get_profile",
        "action: get_profle",
        "choices:",
        "did you mean `get_profile`?",
    ),
    (
        "pattern: ^[a-z]+$",
        "patern: ^[a-z]+$",
        "pattern: ^[a-z]+$",
        "did you mean `pattern`?",
    ),
    (
        "pattern: ^[a-z]+$",
        "pattern: \"^[a-z\"",
        "inputs:",
        "no JSON Schema",
    ),
    // The examples are tests.
    (
        "greeting/ja?since=20260101",
        "greeting/ja?since=20260102",
        "greeting/ja",
        "`request/url`: the file has",
    ),
    (
        "text: こんにちは}}\n    output",
        "text: やあ}}\n    output",
        "output: {status_code: 200",
        "`output/json_body/text`: the file has",
    ),
    (
        "lang: xx}}\n    request",
        "lang: XX}}\n    request",
        "{path_parameters: {lang: xx}}",
        "no call is made",
    ),
    (
        "json_body: {type: object}",
        "json_body: {type: array}",
        "json_body: {text",
        "breaks the action's `output`",
    ),
];

#[test]
fn a_mistake_in_an_action_is_told_with_its_line_and_what_was_meant() {
    let greeting = "greet/get_greeting.yaml";
    let line = |needle: &str| {
        1 + GREETING
            .lines()
            .position(|line| line.contains(needle))
            .unwrap()
    };
    for (from, to, at, says) in MISTAKES {
        let wrong = GREETING.replacen(from, to, 1);
        assert_ne!(wrong, GREETING, "{from}");
        let folder = folder(&[(greeting, &wrong)]);
        let ended = lint(&folder);
        assert_eq!(ended.code, 2, "{to}");
        let at = at.split("{status").next().unwrap();
        let places = [line(at), line(at) + 1].map(|line| format!("{greeting}:{line}:"));
        let told = ended.stderr.lines().find(|line| line.contains(says));
        let told = told.unwrap_or_else(|| panic!("{to}: {}", ended.stderr));
        assert!(
            places.iter().any(|place| told.contains(place)),
            "{places:?} {told}"
        );
        assert_eq!(ended.document()["error"]["kind"], "invalid_catalog");
    }
}

#[test]
fn one_mistake_in_an_action_hides_no_other() {
    let wrong = [
        ("title: Get greeting", "title: Get greeting # soon"),
        (
            "schemas/line/id.json#/$defs/user_id",
            "schemas/line/id.json#/$defs/usr_id",
        ),
        ("pattern: ^[a-z]+$", "patern: ^[a-z]+$"),
        ("  method: GET", "  method: GTE"),
        (
            "  docs: https://developers.line.biz",
            "  docs: https://example.com",
        ),
        ("  retry: safe", "  rety: safe"),
        ("reply: {status_code: 200,", "reply: {status: 200,"),
    ];
    let wrong = wrong.iter().fold(GREETING.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let other = GREETING
        .replace("get_greeting", "other_greeting")
        .replace("text: こんにちは}}\n    output", "text: やあ}}\n    output");
    let folder = folder(&[
        ("get_greeting.yaml", wrong.as_str()),
        ("other_greeting.yaml", other.as_str()),
    ]);
    let ended = lint(&folder);
    assert_eq!(ended.code, 2);
    let expected = [
        "get_greeting.yaml:3: a plain value is cut off",
        "get_greeting.yaml:15:11: `patern` is no keyword of a schema; did you mean `pattern`?",
        "get_greeting.yaml:23:11: `schemas/line/id.json#/$defs/usr_id` leads nowhere",
        "get_greeting.yaml:32:1: /meta: `retry` is missing (is `rety` meant to be `retry`?)",
        "get_greeting.yaml:34:3: /meta/method: must be `GET`, `POST`, `PUT` or `DELETE`; \
         found: \"GTE\" (did you mean `GET`?)",
        "get_greeting.yaml:35:3: docs must link to https://developers.line.biz/",
        "get_greeting.yaml:37:3: /meta/rety: is not a property here (did you mean `retry`?)",
        "get_greeting.yaml:48:5: /examples/0/reply: `status_code` is missing",
        "get_greeting.yaml:48:13: /examples/0/reply/status: is not a property here",
        "other_greeting.yaml:49:44: `output/json_body/text`: the file has",
    ];
    let told: Vec<&str> = ended.stderr.lines().collect();
    for (line, expected) in told.iter().skip(1).zip(expected) {
        assert!(line.contains(expected), "{expected}: {}", ended.stderr);
    }
    assert_eq!(told.len(), expected.len() + 2, "{}", ended.stderr);
}

#[test]
fn every_action_of_this_repository_passes_the_lint() {
    let actions = concat!(env!("CARGO_MANIFEST_DIR"), "/actions");
    let ended = run(&["actions", "lint", actions], b"", &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.document()["actions"].as_array().unwrap().len() >= 112);
}

#[test]
fn files_are_checked_together_and_those_that_are_of_no_use_are_named() {
    let twice = folder(&[
        ("a/get_greeting.yaml", GREETING),
        ("b/get_greeting.yaml", GREETING),
    ]);
    let ended = lint(&twice);
    assert_eq!(ended.code, 2);
    assert!(
        ended
            .stderr
            .contains("b/get_greeting.yaml:2:1: `get_greeting` is already the name of")
    );

    // One refers to the other, whichever is read first.
    let other = GREETING
        .replace("get_greeting", "a_greeting")
        .replace("action: get_profile", "action: get_greeting");
    let both = folder(&[("a_greeting.yaml", &other), ("get_greeting.yaml", GREETING)]);
    assert_eq!(lint(&both).code, 0, "{}", lint(&both).stderr);

    let stray = folder(&[
        ("get_greeting.yaml", GREETING),
        ("id.json", "{}"),
        ("notes.md", "hers"),
        (".hidden", ""),
    ]);
    for arguments in [
        ["actions", "lint", &path(&stray)],
        ["list", "--actions", &path(&stray)],
    ] {
        let ended = run(&arguments, b"", &[]);
        assert_eq!(ended.code, 0);
        assert!(ended.stderr.contains("warning: ") && ended.stderr.contains("id.json is not read"));
        assert!(!ended.stderr.contains("notes.md") && !ended.stderr.contains(".hidden"));
    }
    let unused = folder(&[
        ("get_greeting.yaml", GREETING),
        ("schemas/line/mesage.json", "{}"),
    ]);
    assert!(
        lint(&unused)
            .stderr
            .contains("did you mean `schemas/line/message.json`?")
    );
    let nothing = folder(&[("notes.md", "hers")]);
    assert!(lint(&nothing).stderr.contains("holds no action"));
}

#[cfg(unix)]
#[test]
fn what_never_begins_or_never_ends_is_no_action() {
    for make in ["mkfifo", "ln -s /dev/zero"] {
        let folder = folder(&[("get_greeting.yaml", GREETING)]);
        let mut words = make.split(' ');
        let made = std::process::Command::new(words.next().unwrap())
            .args(words)
            .arg(folder.path().join("z.yaml"))
            .status();
        assert!(made.unwrap().success());
        for ended in [
            lint(&folder),
            run(&["list", "--actions", &path(&folder)], b"", &[]),
        ] {
            assert_eq!(ended.code, 2, "{make}: {}", ended.stderr);
            assert!(
                ended
                    .stderr
                    .contains("z.yaml cannot be read: it is not a regular file"),
                "{make}: {}",
                ended.stderr
            );
        }
    }
}

#[test]
fn a_shared_schema_of_a_folder_holds_for_every_action() {
    let built_in = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/schemas/line/message/text.json"
    ));
    let schema = "schemas/line/message/text.json";
    let shorter = built_in
        .unwrap()
        .replace("\"maxLength\": 5000", "\"maxLength\": 3");
    let own = folder(&[(schema, &shorter)]);
    let text = |text: &str| {
        let message = json!({"type": "text", "text": text});
        json!({"inputs": {"to": USER, "messages": [message]}}).to_string()
    };
    let call = |text: String, actions: &[&str]| {
        let arguments: Vec<&str> = ["run", "push_message", "--dry-run"]
            .iter()
            .chain(actions)
            .copied()
            .collect();
        run(&arguments, text.as_bytes(), &[]).code
    };
    let place = path(&own);
    assert_eq!(call(text("four"), &[]), 0);
    assert_eq!(call(text("four"), &["--actions", &place]), 3);
    assert_eq!(call(text("abc"), &["--actions", &place]), 0);
    let described = run(
        &[
            "describe",
            "push_message",
            "messages/text/text",
            "--actions",
            &place,
        ],
        b"",
        &[],
    );
    assert_eq!(described.document()["maxLength"], 3);

    // What it does to the examples of every action that refers to it is told.
    let linted = lint(&own);
    assert_eq!(linted.code, 2);
    let told = "actions/message/send_push_message.yaml:";
    assert!(linted.stderr.contains(told), "{}", linted.stderr);

    let broken = folder(&[(
        schema,
        &shorter.replace("../quick_reply.json", "../quick_replies.json"),
    )]);
    let ended = run(&["list", "--actions", &path(&broken)], b"", &[]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("text.json:"), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("did you mean `schemas/line/quick_reply.json`?"),
        "{}",
        ended.stderr
    );
    let no_json = folder(&[(schema, "{\n\"a\"")]);
    assert!(lint(&no_json).stderr.contains("text.json:2:"));
}

#[test]
fn the_sandbox_answers_an_added_action_as_its_examples_say() {
    let own = folder(&[("greet/get_greeting.yaml", GREETING)]);
    let ask = |language: &str, since: &str| -> (i32, Value) {
        let inputs = json!({"lang": language, "since": since});
        let document = json!({"inputs": inputs}).to_string();
        let call = ["run", "get_greeting", "--sandbox", "--actions", &path(&own)];
        let ended = run(&call, document.as_bytes(), &[]);
        let document = ended.document();
        (ended.code, document["json_body"].clone())
    };
    assert_eq!(ask("ja", "20260101"), (0, json!({"text": "こんにちは"})));
    // What is like no example is answered as the first that succeeds.
    assert_eq!(ask("de", "20260101"), (0, json!({"text": "こんにちは"})));
    let document = json!({"inputs": {"lang": "xx"}}).to_string();
    let call = ["run", "get_greeting", "--sandbox", "--actions", &path(&own)];
    assert_eq!(run(&call, document.as_bytes(), &[]).code, 1);
}

// Other systems have no such names.
#[cfg(unix)]
#[test]
fn the_name_of_a_file_begins_no_line() {
    let stray = folder(&[
        ("get_greeting.yaml", GREETING),
        ("a\nhint: forged\u{1b}[2J.json", "{}"),
    ]);
    for arguments in [
        ["actions", "lint", &path(&stray)],
        ["list", "--actions", &path(&stray)],
    ] {
        let ended = run(&arguments, b"", &[]);
        assert_eq!(ended.code, 0);
        let told = "/a hint: forged\\u001b[2J.json is not read: ";
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}

#[test]
fn what_an_action_says_of_itself_does_not_command_the_terminal() {
    let evil = "\"G\\e[31m\\e]0;owned\\a\\x9b2J\\u202e\\nforged  row\"";
    let greeting = GREETING
        .replace("title: Get greeting", &format!("title: {evil}"))
        .replace(
            "description: The language.",
            &format!("description: {evil}"),
        );
    let added = folder(&[("get_greeting.yaml", &greeting)]);
    let path = path(&added);
    let named = ["--actions", path.as_str()];
    let commands = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    for arguments in [
        &["list", "get_greeting"][..],
        &["describe", "get_greeting", "--text"],
        &["describe", "get_greeting", "path_parameters/lang", "--text"],
    ] {
        let ended = run(&[arguments, &named].concat(), b"", &[]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(
            ended.stdout.contains("G\\u001b[31m\\u001b]0;"),
            "{}",
            ended.stdout
        );
        assert!(!ended.stdout.contains(commands), "{:?}", ended.stdout);
    }
    let listed = run(&[&["list", "get_greeting"][..], &named].concat(), b"", &[]).stdout;
    assert_eq!(listed.lines().count(), 1, "{listed}");
    #[cfg(target_os = "linux")]
    for command in ["list get_greeting --json", "actions export get_greeting"] {
        let command = format!("line-connector {command} --actions {path}");
        let Some(shown) = crate::people::on_a_terminal(&command) else {
            break;
        };
        assert!(shown.contains("owned"), "{shown}");
        assert!(!shown.contains(commands), "{shown:?}");
    }
    // What programs read is as it was written.
    let json = run(
        &[&["list", "get_greeting", "--json"][..], &named].concat(),
        b"",
        &[],
    );
    let title = "G\u{1b}[31m\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\nforged  row";
    assert_eq!(json.document()[0]["title"], title);
    let exported = run(
        &[&["actions", "export", "get_greeting"][..], &named].concat(),
        b"",
        &[],
    );
    assert_eq!(exported.stdout, greeting);
}

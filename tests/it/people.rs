//! What people see: every action and every property can be shown, in 80 columns, and a terminal gets
//! what a program does not.

use line_connector_client::Catalog;
use line_connector_core::{describe, property};

use serde_json::{Value, json};

use crate::world::{self, World, run};

/// The longest line that is no command to copy and no address.
fn widest(text: &str) -> usize {
    let lines = text.lines().filter(|line| {
        let line = line.trim_start();
        !line.starts_with("line-connector ") && !line.starts_with("https://")
    });
    lines.map(|line| line.chars().count()).max().unwrap_or(0)
}

#[test]
fn every_property_can_be_pointed_at_and_says_what_it_is() {
    let catalog = Catalog::embedded();
    for entry in catalog.entries() {
        let described = describe::action(&catalog, &entry.name).unwrap();
        let inputs = property::inputs(&described);
        for input in &inputs.properties {
            let place = property::find(&described, &input.name).unwrap();
            assert_eq!(place.property, *input, "{}", entry.name);
            assert!(
                input.facts.contains_key("description"),
                "{}: {} does not say what it is",
                entry.name,
                input.name
            );
            for below in place
                .properties
                .iter()
                .map(|one| &one.name)
                .chain(&place.types)
            {
                let path = format!("/{}/0/{below}", input.name);
                property::find(&described, &path).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
        }
        property::find(&described, "output/status_code").unwrap();
    }
    for trigger in catalog.triggers().events {
        let described = describe::trigger(&catalog, &trigger.name).unwrap();
        let place = property::find(&described, "source.user_id").unwrap();
        assert!(place.property.facts.contains_key("description"));
    }
}

#[test]
fn a_property_of_a_property_has_a_schema_of_its_own() {
    let catalog = Catalog::embedded();
    let described = describe::action(&catalog, "send_push_message").unwrap();
    let bubble = property::find(&described, "json_body/messages/0/flex/contents/bubble").unwrap();
    let schema = json!(bubble.schema);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let body = |contents: &str| {
        let text = json!({"type": contents, "text": "hi"});
        json!({"type": "bubble", "body": {"type": "box", "layout": "vertical", "contents": [text]}})
    };
    assert!(validator.is_valid(&body("text")));
    assert!(!validator.is_valid(&body("words")));
}

#[test]
fn lists_and_descriptions_fit_80_columns() {
    assert!(widest(&run(&["list"], b"", &[]).stdout) <= 80);
    assert!(widest(&run(&["describe", "--text"], b"", &[]).stdout) <= 80);
    for name in [
        "push_message",
        "create_coupon",
        "create_rich_menu",
        "message.text",
        "opt_in",
    ] {
        let page = run(&["describe", "--text", name], b"", &[]).stdout;
        assert!(page.lines().count() > 10 && widest(&page) <= 80, "{page}");
    }
}

#[test]
fn a_place_is_found_as_documents_errors_and_line_write_it() {
    let find = |path: &str| {
        let ended = run(&["describe", "push_message", path], b"", &[]);
        (ended.code, ended.document())
    };
    for (path, same) in [
        (
            "/messages/0/quickReply/items/3/action",
            "messages/quickReply/items/action",
        ),
        (
            "messages[0].quickReply.items[3].action",
            "messages/quickReply/items/action",
        ),
        ("messages.0.text.quickReply", "messages/text/quickReply"),
        ("/json_body/messages/0/text/text", "messages/text/text"),
        (
            "messages[0].template.actions[1].label",
            "messages/template/template/buttons/actions/label",
        ),
        (
            "messages[0].substitution.user.mentionee",
            "messages/textV2/substitution/mention/mentionee",
        ),
        (
            "/messages/0/substitution/who/mentionee/userId",
            "messages/textV2/substitution/mention/mentionee/user/userId",
        ),
    ] {
        let (code, place) = find(path);
        assert_eq!(code, 0, "{path}: {place}");
        let (description, expected) = (&place["description"], &find(same).1["description"]);
        assert!(expected.is_string(), "{same}");
        assert_eq!(description, expected, "{path}");
    }
    // Behind an index stands what a document has there, without one a type may.
    assert_eq!(find("/messages/0/text").1["type"], "string");
    assert!(find("messages/text").1["type"].is_null());
    for (path, hint) in [
        ("messages[0].quickRply", "did you mean `quickReply`?"),
        ("/messages/0/text/quickRply", "did you mean `quickReply`?"),
        (
            "messages[0].substitution.user.mentione",
            "did you mean `mention`?",
        ),
        ("quickReply", "did you mean `messages/quickReply`?"),
        ("messages/text/text/more", "nothing is declared below it"),
    ] {
        let (code, answer) = find(path);
        assert_eq!(code, 2, "{path}");
        assert_eq!(answer["error"]["hint"], hint, "{path}");
    }
}

/// What a command prints to a terminal; `None` where there is no program that makes one.
#[cfg(target_os = "linux")]
pub(crate) fn on_a_terminal(command: &str) -> Option<String> {
    let binary = env!("CARGO_BIN_EXE_line-connector");
    let output = std::process::Command::new("script")
        .args([
            "-qec",
            &command.replace("line-connector", binary),
            "/dev/null",
        ])
        .env("SHELL", "/bin/sh")
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    Some(
        String::from_utf8(output.stdout)
            .unwrap()
            .replace("\r\n", "\n"),
    )
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_what_people_read_and_a_pipe_what_programs_read() {
    let Some(page) = on_a_terminal("line-connector describe get_profile") else {
        eprintln!("not run, there is no `script`");
        return;
    };
    let piped = run(&["describe", "get_profile"], b"", &[]);
    assert_eq!(piped.document()["name"], "get_profile");
    assert_eq!(
        page,
        run(&["describe", "get_profile", "--text"], b"", &[]).stdout
    );
    let json = on_a_terminal("line-connector describe get_profile --json").unwrap();
    assert_eq!(json, piped.stdout);

    let call = "line-connector describe get_profile --example 1 | line-connector run --dry-run";
    let shown = on_a_terminal(call).unwrap();
    let example = run(&["describe", "get_profile", "--example", "1"], b"", &[]).stdout;
    let piped = run(&["run", "--dry-run"], example.as_bytes(), &[]).stdout;
    assert_eq!((example.lines().count(), piped.lines().count()), (1, 1));
    assert!(
        shown.starts_with("{\n  \"request\": {\n    \"method\": \"GET\",\n"),
        "{shown}"
    );
    let read = |text: &str| {
        let mut value: Value = serde_json::from_str(text).unwrap();
        value["meta"]["elapsed_ms"] = Value::Null;
        value
    };
    assert_eq!(read(&shown), read(&piped));
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_told_what_is_wrong_once() {
    let Some(said) = on_a_terminal("line-connector describe get_profil") else {
        return;
    };
    assert_eq!(
        said,
        "error: there is no action `get_profil`\nhint: did you mean `get_profile`?\n"
    );
    // Whoever reads one of the two gets all of it.
    let said = on_a_terminal("line-connector describe get_profil 2> /dev/null").unwrap();
    assert!(said.starts_with("{\n  \"error\": {\n"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn whoever_sits_before_a_command_that_reads_is_told_what_it_reads() {
    for (command, expected) in [
        ("send U4af4980629f0b5a3c3d6b8a1d2e3f405", "the text"),
        (
            "send U4af4980629f0b5a3c3d6b8a1d2e3f405 --json",
            "messages as JSON",
        ),
        ("compose --text", "a text"),
        ("run get_bot_info", "one JSON document"),
    ] {
        let Some(said) = on_a_terminal(&format!("line-connector {command}")) else {
            return;
        };
        let told = format!("reading {expected} from standard input; end it with Ctrl-D\n");
        assert!(said.starts_with(&told), "{command}: {said}");
    }
    #[cfg(feature = "mcp")]
    {
        let said = on_a_terminal("line-connector mcp --sandbox").unwrap();
        assert!(said.contains("docs/hosts.md"), "{said}");
    }
}

#[test]
fn a_fault_that_is_aimed_at_nothing_lets_the_call_for_a_token_pass() {
    let world = World::new();
    world.fault(json!({"kind": "status", "code": 400}));
    let output = world::call(&world::connector(), world::push(&world.asset()));
    assert_eq!(output.status_code, Some(400));
    assert_eq!(world.count("/oauth2/v3/token"), 1);
    world.fault(json!({"kind": "status", "code": 400, "path": "/oauth2"}));
    let output = world::call(&world::connector(), world::push(&world.asset()));
    assert_eq!(output.status_code, None);
    assert_eq!(world.count("/oauth2/v3/token"), 2);
}

#[test]
fn the_sandbox_takes_its_address_by_either_name_and_faults_by_the_actions_names() {
    use std::io::{BufRead as _, BufReader};
    for option in ["--address", "--listen"] {
        let mut sandbox = world::start(&["sandbox", option, "127.0.0.1:0"], &[]);
        let mut line = String::new();
        let stdout = sandbox.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let card: Value = serde_json::from_str(&line).unwrap();
        let address = card["listening"]
            .as_str()
            .unwrap()
            .trim_start_matches("http://")
            .to_owned();
        let answers = [
            "push_message",
            "pushMessage",
            "send_push_message",
            "push_mesage",
        ]
        .map(|name| {
            let fault = json!({"kind": "garbage", "action": name}).to_string();
            post(&address, "/sandbox/faults", &fault)
        });
        sandbox.kill().unwrap();
        sandbox.wait().unwrap();
        for (index, answer) in answers[..3].iter().enumerate() {
            assert!(
                answer.ends_with(&json!({"waiting": index + 1}).to_string()),
                "{answer}"
            );
        }
        assert!(
            answers[3].contains("did you mean `push_message`?"),
            "{}",
            answers[3]
        );
    }
}

/// The answer to a POST over a connection of its own.
fn post(address: &str, path: &str, body: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut connection = std::net::TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        connection,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

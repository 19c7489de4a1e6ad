//! `mcp` as an AI agent's host meets it: the real program behind its pipes, in both generations of the
//! protocol, with a sandbox as LINE. The protocol's library is not judged here.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};

use line_connector_catalog::definition::{Action, Effect};
use line_connector_client::Catalog;
use serde_json::{Value, json};

use crate::world::{USER, World, run, start};

// Clients that flood, send garbage or far too much, or leave in the middle.
mod hostile;
// What stands in plans and forms.
mod shown;

/// How a client speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Era {
    /// `initialize` first.
    Legacy,
    /// Everything in each request's `_meta`.
    Modern,
}

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];

/// A client that can, or cannot, put a form before its user.
struct Client {
    process: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    era: Era,
    forms: bool,
    next: u64,
    /// What came beside the answers.
    beside: Vec<Value>,
}

/// A file with an asset, and the folder that it stands in.
fn asset_file(asset: &Value) -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.json");
    fs::write(&file, asset.to_string()).unwrap();
    (file.to_str().unwrap().to_owned(), folder)
}

impl Client {
    fn new(era: Era, forms: bool, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let arguments: Vec<&str> = ["mcp"].iter().chain(arguments).copied().collect();
        let mut process = start(&arguments, environment);
        let input = process.stdin.take();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut client = Self {
            process,
            input,
            lines,
            era,
            forms,
            next: 0,
            beside: Vec::new(),
        };
        if era == Era::Legacy {
            let capabilities = client.capabilities();
            let answer = client.ask(
                "initialize",
                json!({"protocolVersion": "2025-11-25", "capabilities": capabilities,
                    "clientInfo": {"name": "test", "version": "1"}}),
            );
            assert_eq!(
                answer["result"]["protocolVersion"], "2025-11-25",
                "{answer}"
            );
            client.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        }
        client
    }

    /// A client of the account behind `world`.
    fn of(world: &World, era: Era, forms: bool, arguments: &[&str]) -> (Self, tempfile::TempDir) {
        Self::with(&world.bearer(), era, forms, arguments)
    }

    /// A client of the account with this asset.
    fn with(asset: &Value, era: Era, forms: bool, arguments: &[&str]) -> (Self, tempfile::TempDir) {
        let (file, folder) = asset_file(asset);
        let asset = ["--asset", &file];
        let arguments: Vec<&str> = asset.iter().chain(arguments).copied().collect();
        (Self::new(era, forms, &arguments, &[]), folder)
    }

    fn capabilities(&self) -> Value {
        if self.forms {
            json!({"elicitation": {}})
        } else {
            json!({})
        }
    }

    fn write(&mut self, message: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
    }

    fn read(&mut self) -> Value {
        let line = self.lines.next().expect("an answer").unwrap();
        let message: Value = serde_json::from_str(&line).expect("protocol lines alone");
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        message
    }

    fn send(&mut self, method: &str, mut params: Value) -> u64 {
        self.next += 1;
        if self.era == Era::Modern {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities();
            params["_meta"]["io.modelcontextprotocol/clientInfo"] =
                json!({"name": "test", "version": "1"});
        }
        let id = self.next;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        loop {
            let message = self.read();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.beside.push(message);
        }
    }

    /// A tool's result.
    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let mut params = json!({"name": tool});
        params["arguments"] = arguments;
        let answer = self.ask("tools/call", params);
        assert!(answer.get("error").is_none(), "{tool}: {answer}");
        answer["result"].clone()
    }

    fn tools(&mut self) -> Vec<Value> {
        let answer = self.ask("tools/list", json!({}));
        answer["result"]["tools"].as_array().unwrap().clone()
    }

    /// Closes the client's side, and waits.
    fn end(mut self) -> (i32, String) {
        drop(self.input.take());
        for line in self.lines.by_ref() {
            let _: Value = serde_json::from_str(&line.unwrap()).expect("protocol lines alone");
        }
        let output = self.process.wait_with_output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

fn names(tools: &[Value]) -> BTreeSet<String> {
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}

fn hello() -> Value {
    json!([{"type": "text", "text": "hello"}])
}

#[test]
fn both_generations_get_the_same_tools_and_a_small_list() {
    let [legacy, modern] = ERAS.map(|era| {
        let mut client = Client::new(era, false, &["--sandbox"], &[]);
        let tools = client.tools();
        assert_eq!(client.end().0, 0);
        tools
    });
    assert_eq!(legacy, modern);
    let names = names(&legacy);
    for tool in [
        "push_message",
        "find_actions",
        "describe_action",
        "read_action",
        "run_action",
    ] {
        assert!(names.contains(tool), "{tool}");
    }
    assert_eq!(names.len(), 23);
    // Most tokenizers make a token of about four bytes.
    let tokens = Value::from(legacy.clone()).to_string().len() / 4;
    assert!(tokens <= 10_000, "{tokens} tokens");
    for tool in legacy {
        let name = tool["name"].as_str().unwrap();
        let schema = &tool["inputSchema"];
        assert_eq!(schema["type"], "object", "{name}");
        for key in ["oneOf", "anyOf", "allOf", "$ref", "$defs"] {
            assert!(schema.get(key).is_none(), "{name}: {key}");
        }
        assert!(tool.get("outputSchema").is_none(), "{name}");
        assert!(
            tool["description"].as_str().unwrap().chars().count() <= 501,
            "{name}"
        );
        assert!(tool["annotations"]["readOnlyHint"].is_boolean(), "{name}");
    }
}

#[test]
fn a_modern_client_discovers_and_an_old_one_is_met_where_it_is() {
    let mut client = Client::new(Era::Modern, false, &["--sandbox"], &[]);
    let discovered = client.ask("server/discover", json!({}));
    let versions = discovered["result"]["supportedVersions"].to_string();
    assert!(
        versions.contains("2026-07-28") && versions.contains("2025-11-25"),
        "{versions}"
    );
    let tools = client.ask("tools/list", json!({}));
    assert_eq!(tools["result"]["resultType"], "complete");
    assert!(tools["result"]["ttlMs"].as_u64().unwrap() > 0);
    let unknown = client.ask("tools/call", json!({"name": "nothing", "arguments": {}}));
    assert_eq!(unknown["error"]["code"], -32602);
    let _ = client.end();
    let mut process = start(&["mcp", "--sandbox"], &[]);
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
        {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    writeln!(process.stdin.take().unwrap(), "{hello}").unwrap();
    let output = process.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["result"]["protocolVersion"], "2024-11-05");
    let instructions = answer["result"]["instructions"].as_str().unwrap();
    assert!(instructions.contains("find_actions"));
}

#[test]
fn annotations_tell_reads_sends_and_deletions() {
    let arguments = ["--sandbox", "--toolsets", "all"];
    let tools = Client::new(Era::Legacy, false, &arguments, &[]).tools();
    assert_eq!(tools.len(), 112 + 5);
    let catalog = Catalog::embedded();
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        let Some(action) = catalog.action(name) else {
            continue;
        };
        let hints = &tool["annotations"];
        assert_eq!(
            hints["readOnlyHint"],
            action.meta.effect == Effect::Read,
            "{name}"
        );
        let destructive = action.meta.effect == Effect::Destructive || action.meta.sends.is_some();
        assert_eq!(hints["destructiveHint"], destructive, "{name}");
        let asks = tool["inputSchema"]["properties"].get("confirm").is_some();
        assert_eq!(asks, action.asks_first(), "{name}");
    }
}

#[test]
fn a_wrong_argument_is_told_by_place_and_nothing_is_sent() {
    let world = World::new();
    for era in ERAS {
        let (mut client, _folder) = Client::of(&world, era, false, &[]);
        for (tool, arguments, place) in [
            ("push_message", json!({"to": 7, "messages": hello()}), "/to"),
            (
                "push_message",
                json!({"to": USER, "messages": [{"type": "text", "text": ""}]}),
                "/messages/0/text",
            ),
            (
                "push_message",
                json!({"to": USER, "messages": hello(), "nonsense": 1}),
                "/nonsense",
            ),
            (
                "run_action",
                json!({"action": "push_message", "inputs": {"to": USER, "messages": [{"type": "no"}]}}),
                "/inputs/messages/0/type",
            ),
            (
                "run_action",
                json!({"action": "push_message", "inputs": {"json_body": {"to": 7}}}),
                "/inputs/json_body/to",
            ),
            (
                "run_action",
                json!({"action": "push_message", "to": USER}),
                "/to",
            ),
            ("run_action", json!({}), "/action"),
            (
                "push_message",
                json!({"to": USER, "messages": hello(), "idempotency_key": 1}),
                "/idempotency_key",
            ),
            (
                "multicast_message",
                json!({"to": "bob", "messages": hello()}),
                "/to",
            ),
        ] {
            let result = client.call(tool, arguments);
            assert_eq!(result["isError"], true, "{place}: {result}");
            let error = &result["structuredContent"]["error"];
            let details = error["details"].as_array().unwrap();
            assert!(
                details.iter().any(|detail| detail["path"] == place),
                "{place}: {error}"
            );
            let text = result["content"][0]["text"].as_str().unwrap();
            assert!(text.contains(place), "{text}");
        }
    }
    assert!(world.sandbox.delivered().is_empty());
}

#[test]
fn a_repeat_with_the_same_key_sends_nothing_more() {
    let world = World::new();
    for (era, key) in ERAS.into_iter().zip(["order-1", "order-2"]) {
        let before = world.sandbox.delivered().len();
        let (mut client, _folder) = Client::of(&world, era, false, &[]);
        let inputs = json!({"to": USER, "messages": hello()});
        let mut direct = inputs.clone();
        direct["idempotency_key"] = json!(key);
        let first = client.call("push_message", direct.clone());
        assert_eq!(first["isError"], false, "{first}");
        assert_eq!(first["structuredContent"]["status_code"], 200);
        let again = client.call("push_message", direct);
        assert_eq!(again["isError"], false, "{again}");
        let named =
            json!({"action": "send_push_message", "inputs": inputs, "idempotency_key": key});
        let other = client.call("run_action", named);
        assert_eq!(
            other["structuredContent"]["meta"]["already_accepted"], true,
            "{other}"
        );
        assert_eq!(world.sandbox.delivered().len(), before + 1);
    }
}

#[test]
fn a_person_is_asked_by_a_form_in_the_older_generation() {
    let world = World::new();
    let (mut client, _folder) = Client::of(&world, Era::Legacy, true, &[]);
    for (answer, sent) in [
        (json!({"action": "decline"}), 0),
        (
            json!({"action": "accept", "content": {"confirm": false}}),
            0,
        ),
        (json!({"action": "accept", "content": {"confirm": true}}), 1),
    ] {
        let arguments = json!({"messages": hello(), "idempotency_key": "sale"});
        let id = client.send(
            "tools/call",
            json!({"name": "broadcast_message", "arguments": arguments}),
        );
        let question = client.read();
        assert_eq!(question["method"], "elicitation/create", "{question}");
        let text = question["params"]["message"].as_str().unwrap();
        assert!(text.contains("hello") && text.contains("quota"), "{text}");
        assert!(world.sandbox.delivered().is_empty());
        client.write(&json!({"jsonrpc": "2.0", "id": question["id"], "result": answer}));
        let result = client.read();
        assert_eq!(result["id"], id, "{result}");
        assert_eq!(result["result"]["isError"], sent == 0, "{result}");
        assert_eq!(world.sandbox.delivered().len(), sent);
    }
}

#[test]
fn a_person_is_asked_by_input_required_in_the_newer_generation() {
    let world = World::new();
    let (mut client, _folder) = Client::of(&world, Era::Modern, true, &[]);
    let arguments = json!({"messages": hello()});
    let asked = client.call("broadcast_message", arguments.clone());
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert_eq!(
        asked["inputRequests"]["confirm"]["method"],
        "elicitation/create"
    );
    let yes = json!({"confirm": {"action": "accept", "content": {"confirm": true}}});
    let mut repeat = |arguments: &Value, state: &Value, answers: &Value| {
        let answer = client.ask(
            "tools/call",
            json!({"name": "broadcast_message", "arguments": arguments,
                "requestState": state, "inputResponses": answers}),
        );
        answer["result"].clone()
    };
    let state = &asked["requestState"];
    // The state comes back from the client: neither another one nor another call gets through.
    for (arguments, state, answers) in [
        (
            &arguments,
            state,
            &json!({"confirm": {"action": "decline"}}),
        ),
        (&arguments, state, &json!({})),
        (&arguments, &json!("0123456789abcdef0123456789abcdef"), &yes),
        (
            &json!({"messages": [{"type": "text", "text": "other"}]}),
            state,
            &yes,
        ),
    ] {
        let result = repeat(arguments, state, answers);
        assert_eq!(result["isError"], true, "{result}");
        assert!(world.sandbox.delivered().is_empty());
    }
    let sent = repeat(&arguments, state, &yes);
    assert_eq!(sent["isError"], false, "{sent}");
    assert_eq!(world.sandbox.delivered().len(), 1);
    let again = repeat(&arguments, state, &yes);
    assert_eq!(again["isError"], true, "good once: {again}");
    assert_eq!(world.sandbox.delivered().len(), 1);
}

#[test]
fn where_nobody_can_be_asked_the_plan_comes_first_and_its_digest_carries_it_out() {
    let world = World::new();
    for era in ERAS {
        let before = world.sandbox.delivered().len();
        let (mut client, _folder) = Client::of(&world, era, false, &[]);
        let mut arguments = json!({"to": [USER], "messages": hello()});
        let plan = client.call("multicast_message", arguments.clone());
        let plan = &plan["structuredContent"];
        assert_eq!(plan["recipients"], 1, "{plan}");
        assert!(plan["quota"]["left"].is_u64(), "{plan}");
        assert_eq!(plan["requests"][0]["body"]["messages"], hello());
        assert_eq!(world.sandbox.delivered().len(), before);
        for (tool, wrong) in [
            (
                "multicast_message",
                json!({"to": [USER], "messages": hello(), "confirm": "yes"}),
            ),
            (
                "broadcast_message",
                json!({"messages": hello(), "confirm": plan["digest"]}),
            ),
        ] {
            let result = client.call(tool, wrong);
            assert_eq!(result["isError"], true, "{result}");
        }
        assert_eq!(world.sandbox.delivered().len(), before);
        arguments["confirm"] = plan["digest"].clone();
        let sent = client.call("multicast_message", arguments.clone());
        assert_eq!(sent["isError"], false, "{sent}");
        let again = client.call("multicast_message", arguments);
        assert_eq!(again["isError"], true, "{again}");
        assert_eq!(world.sandbox.delivered().len(), before + 1);
        // Nobody is asked about what cannot be sent.
        let wrong = client.call("broadcast_message", json!({"messages": []}));
        assert_eq!(wrong["isError"], true, "{wrong}");
    }
}

#[test]
fn unattended_hosts_say_yes_once_and_for_all() {
    let world = World::new();
    let (mut client, _folder) = Client::of(&world, Era::Legacy, true, &["--yes"]);
    let sent = client.call("broadcast_message", json!({"messages": hello()}));
    assert_eq!(sent["isError"], false, "{sent}");
    assert_eq!(world.sandbox.delivered().len(), 1);
}

/// A folder with actions of the operator's own: a push by another name, and a read action that now
/// deletes.
fn own_actions() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/actions/");
        fs::read_to_string(format!("{path}{name}.yaml")).unwrap()
    };
    let push = read("message/send_push_message")
        .replace("send_push_message", "send_in_secret")
        .replace("short: push_message", "short: send_secretly")
        .replace("operation_id: pushMessage", "operation_id: sendSecretly");
    fs::write(folder.path().join("send_in_secret.yaml"), push).unwrap();
    let info = read("profile/get_bot_info").replace("effect: read", "effect: destructive");
    fs::write(folder.path().join("get_bot_info.yaml"), info).unwrap();
    folder
}

/// Whether a request of this method and path is one of an action's.
fn is_of(action: &Action, method: &str, path: &str) -> bool {
    let endpoint: Vec<&str> = action.meta.endpoint.split('/').collect();
    let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let fits = |(own, asked): (&&str, &&str)| own.starts_with("{{") || own == asked;
    action.meta.method.as_str() == method
        && endpoint.len() == path.len()
        && endpoint.iter().zip(&path).all(fits)
}

/// What somebody may try who knows of no write.
fn try_by_guile(client: &mut Client) {
    for (tool, arguments) in [
        (
            "run_action",
            json!({"action": " push_message", "inputs": {}}),
        ),
        (
            "run_action",
            json!({"action": "PUSH_MESSAGE", "inputs": {}}),
        ),
        (
            "run_action",
            json!({"action": ["push_message"], "inputs": {}}),
        ),
        ("read_action", json!({"action": "getBotInfo"})),
        (
            "read_action",
            json!({"action": "get_profile", "tool": "run_action"}),
        ),
        (
            "compose_message",
            json!({"messages": "hi", "to": USER, "send": true}),
        ),
        ("get_profile", json!({"userId": "../message/broadcast"})),
        (
            "get_profile",
            json!({"userId": USER, "options": {"fallback": "push"}}),
        ),
        (
            "get_profile",
            json!({"userId": USER, "asset": {"url": "http://127.0.0.1:1"}}),
        ),
    ] {
        let result = client.call(tool, arguments.clone());
        assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
    }
    let composed = client.call("compose_message", json!({"messages": "hi"}));
    assert_eq!(composed["isError"], false, "{composed}");
    for (method, params) in [
        (
            "resources/read",
            json!({"uri": "line://actions/push_message"}),
        ),
        (
            "prompts/get",
            json!({"name": "draft_message", "arguments": {"about": "a sale"}}),
        ),
        ("prompts/get", json!({"name": "push_message"})),
        ("push_message", json!({"to": USER, "messages": hello()})),
    ] {
        let _ = client.ask(method, params);
    }
}

#[test]
fn read_only_cannot_write_by_any_route() {
    let world = World::new();
    let mut catalog = Catalog::embedded();
    let folder = own_actions();
    for name in ["send_in_secret", "get_bot_info"] {
        let file = folder.path().join(format!("{name}.yaml"));
        let text = fs::read_to_string(&file).unwrap();
        catalog.add(file.to_str().unwrap(), &text).unwrap();
    }
    let own = folder.path().to_str().unwrap();
    let everything = [
        "--toolsets",
        "all",
        "--read-only",
        "--yes",
        "--actions",
        own,
    ];
    for era in ERAS {
        let (mut client, _folder) = Client::of(&world, era, true, &everything);
        let tools = client.tools();
        for tool in &tools {
            assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        }
        let writes = catalog.entries().into_iter().filter_map(|entry| {
            let action = catalog.action(&entry.name)?;
            (action.meta.effect != Effect::Read).then_some((entry, action))
        });
        for (entry, action) in writes {
            let inputs = json!(catalog.examples(&entry.name).remove(0).inputs);
            let known = [
                Some(entry.name),
                Some(entry.short),
                action.meta.operation_id,
            ];
            for name in known.into_iter().flatten() {
                let confirmed = json!({"name": name, "arguments": inputs,
                    "requestState": "00", "inputResponses": {}});
                let direct = client.ask("tools/call", confirmed);
                assert_eq!(direct["error"]["code"], -32602, "{name}: {direct}");
                for tool in ["run_action", "read_action", "describe_action"] {
                    let arguments = json!({"action": name, "inputs": inputs, "confirm": "00"});
                    let result = client.call(tool, arguments);
                    assert_eq!(result["isError"], true, "{tool} {name}: {result}");
                }
            }
        }
        try_by_guile(&mut client);
        assert!(world.sandbox.requests().is_empty());
        let found = client.call("find_actions", json!({"limit": 200}));
        let found = found["structuredContent"]["actions"].as_array().unwrap();
        assert!(found.iter().all(|action| action["effect"] == "read"));
    }
}

#[test]
fn what_is_left_under_read_only_only_reads() {
    let world = World::new();
    let catalog = Catalog::embedded();
    let everything = ["--toolsets", "all", "--read-only", "--yes"];
    let (mut client, _folder) = Client::of(&world, Era::Legacy, false, &everything);
    let reads: Vec<Action> = catalog
        .entries()
        .iter()
        .filter_map(|entry| catalog.action(&entry.name))
        .filter(|action| action.meta.effect == Effect::Read)
        .collect();
    for action in &reads {
        let inputs = json!(catalog.examples(&action.name).remove(0).inputs);
        let _ = client.call(action.short(), inputs.clone());
        for tool in ["read_action", "run_action"] {
            let _ = client.call(tool, json!({"action": action.name, "inputs": inputs}));
        }
    }
    let requests = world.sandbox.requests();
    assert!(requests.len() > reads.len(), "only {}", requests.len());
    for request in requests {
        let (method, path) = (&request.method, &request.path);
        assert!(
            reads.iter().any(|action| is_of(action, method, path)),
            "{method} {path}"
        );
    }
    assert!(world.sandbox.delivered().is_empty());
}

#[test]
fn filters_bind_every_tool() {
    let world = World::new();
    let arguments = [
        "--toolsets",
        "profile,default",
        "--tools",
        "createRichMenu",
        "--exclude-tools",
        "push_message,find_actions",
    ];
    let (mut client, _folder) = Client::of(&world, Era::Legacy, false, &arguments);
    let names = names(&client.tools());
    assert!(names.contains("create_rich_menu") && names.contains("get_bot_info"));
    assert!(!names.contains("push_message") && !names.contains("find_actions"));
    for (tool, action) in [
        ("run_action", "push_message"),
        ("run_action", "send_push_message"),
        ("run_action", "pushMessage"),
        ("run_action", "delete_rich_menu"),
        ("describe_action", "pushMessage"),
        ("read_action", "list_coupons"),
    ] {
        let result = client.call(
            tool,
            json!({"action": action, "inputs": {"to": USER, "messages": hello()}}),
        );
        assert_eq!(result["isError"], true, "{tool} {action}: {result}");
    }
    // Not as the other way of an action that is offered, either.
    let reply = json!({"replyToken": "0f3779fba3b349968c5d07db31eab56f", "messages": hello()});
    let instead = json!({"action": "reply_message", "inputs": reply, "fallback": "push"});
    let result = client.call("run_action", instead);
    assert_eq!(result["isError"], true, "{result}");
    let excluded = client.ask(
        "tools/call",
        json!({"name": "find_actions", "arguments": {}}),
    );
    assert_eq!(excluded["error"]["code"], -32602);
    assert!(world.sandbox.requests().is_empty());
}

/// Asks a process for its end.
#[cfg(unix)]
fn terminate(process: &Child) {
    let id = process.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &id])
        .status();
    assert!(sent.unwrap().success());
}

#[cfg(unix)]
#[test]
fn it_ends_when_asked_and_answers_what_it_has_begun() {
    let world = World::new();
    let (mut idle, _folder) = Client::of(&world, Era::Legacy, false, &[]);
    let _ = idle.tools();
    terminate(&idle.process);
    assert_eq!(idle.process.wait().unwrap().code(), Some(0));

    let (mut busy, _folder) = Client::of(&world, Era::Legacy, false, &["--yes"]);
    world.fault(json!({"kind": "delay", "ms": 700, "path": "/v2/bot/message/push"}));
    let arguments = json!({"to": USER, "messages": hello()});
    let call = json!({"name": "push_message", "arguments": arguments});
    let id = busy.send("tools/call", call);
    while world.sandbox.delivered().is_empty() {
        std::thread::yield_now();
    }
    terminate(&busy.process);
    let answer = busy.read();
    assert_eq!(answer["id"], id);
    assert_eq!(answer["result"]["structuredContent"]["status_code"], 200);
    assert_eq!(busy.process.wait().unwrap().code(), Some(0));

    let mut listening = start(&["mcp", "--sandbox", "--http", "127.0.0.1:0"], &[]);
    let mut line = String::new();
    let mut output = BufReader::new(listening.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    terminate(&listening);
    assert_eq!(listening.wait().unwrap().code(), Some(0));
}

#[test]
fn a_name_that_there_is_not_is_answered_with_the_nearest() {
    let mut client = Client::new(Era::Legacy, false, &["--sandbox"], &[]);
    for tool in ["run_action", "describe_action"] {
        for (action, hint) in [
            ("push_mesage", "did you mean `push_message`?"),
            ("send_message", "did you mean `send_push_message`?"),
            ("zzz", "`find_actions` finds them"),
        ] {
            let result = client.call(tool, json!({"action": action, "inputs": {}}));
            let told = &result["structuredContent"]["error"]["hint"];
            assert_eq!(told, hint, "{tool} {action}: {result}");
        }
    }
    for (tool, near) in [
        ("find_action", "; did you mean `find_actions`?"),
        ("push_mesage", "; did you mean `push_message`?"),
        ("zzz", ""),
    ] {
        let answer = client.ask("tools/call", json!({"name": tool, "arguments": {}}));
        let told = format!("there is no tool `{tool}`{near}");
        assert_eq!(answer["error"]["message"], told, "{answer}");
    }
    // What is not offered is not suggested.
    let arguments = [
        "--sandbox",
        "--exclude-tools",
        "run_action,push_message,find_actions",
    ];
    let mut client = Client::new(Era::Legacy, false, &arguments, &[]);
    for (tool, told) in [
        (
            "run_action",
            "the operator does not offer the tool `run_action`",
        ),
        ("run_actions", "there is no tool `run_actions`"),
        ("push_message", "the operator does not offer this action"),
        ("push_mesage", "there is no tool `push_mesage`"),
    ] {
        let answer = client.ask("tools/call", json!({"name": tool, "arguments": {}}));
        assert_eq!(answer["error"]["message"], told, "{answer}");
    }
    for (tool, action) in [
        ("describe_action", "push_mesage"),
        ("describe_action", "zzz"),
        ("read_action", "reply_message"),
    ] {
        let result = client.call(tool, json!({"action": action}));
        assert_eq!(result["isError"], true);
        let told = result.to_string();
        for name in ["`push_message`", "`find_actions`", "`run_action`"] {
            assert!(!told.contains(name), "{action}: {told}");
        }
    }
    for (option, name, near) in [
        ("--tools", "push_mesage", "push_message"),
        ("--exclude-tools", "find_action", "find_actions"),
        ("--toolsets", "mesage", "message"),
    ] {
        let ended = run(&["mcp", option, name], b"", &[]);
        let told = format!("did you mean `{near}`?");
        assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    }
}

#[test]
fn the_environment_says_what_options_say() {
    let environment = [
        ("LINE_MCP_TOOLSETS", "webhook"),
        ("LINE_MCP_READ_ONLY", "1"),
        ("LINE_MCP_EXCLUDE_TOOLS", "test_webhook_endpoint"),
    ];
    let tools = Client::new(Era::Modern, false, &["--sandbox"], &environment).tools();
    let expected = [
        "get_webhook_endpoint",
        "compose_message",
        "find_actions",
        "describe_action",
        "read_action",
    ];
    assert_eq!(names(&tools), expected.map(str::to_owned).into());
    for (arguments, environment) in [
        (["mcp", "--toolsets", "nothing"].as_slice(), ("A", "")),
        (&["mcp", "--tools", "nothing"], ("A", "")),
        (&["mcp", "--exclude-tools", "nothing"], ("A", "")),
        (&["mcp"], ("LINE_MCP_READ_ONLY", "perhaps")),
    ] {
        let ended = run(arguments, b"", &[environment]);
        assert_eq!(ended.code, 2, "{arguments:?}");
    }
}

#[test]
fn every_action_answers_through_run_action() {
    let catalog = Catalog::embedded();
    let mut client = Client::new(Era::Legacy, false, &["--sandbox", "--yes"], &[]);
    let mut accepted = 0;
    for entry in catalog.entries() {
        let mut answered = false;
        for example in catalog.examples(&entry.name) {
            if example.reply.status_code >= 300 {
                continue;
            }
            let arguments = json!({"action": entry.short, "inputs": example.inputs});
            let result = client.call("run_action", arguments);
            let output = &result["structuredContent"];
            let status = output["status_code"].as_u64();
            assert!(
                status.is_some_and(|status| status != 405),
                "{}: {output}",
                entry.name
            );
            accepted += u32::from(result["isError"] == false);
            answered = true;
        }
        assert!(answered, "{}: no example", entry.name);
    }
    assert!(accepted > 60, "only {accepted}");
    assert_eq!(client.end().0, 0);
}

#[test]
fn accounts_are_named_and_their_secrets_are_no_arguments() {
    let worlds = [World::new(), World::new()];
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = Vec::new();
    for (name, world) in ["shop", "cafe"].iter().zip(&worlds) {
        let file = folder.path().join(format!("{name}.json"));
        fs::write(&file, world.bearer().to_string()).unwrap();
        arguments.extend(["--asset".to_owned(), file.to_str().unwrap().to_owned()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut client = Client::new(Era::Legacy, false, &arguments, &[]);
    for tool in client.tools() {
        assert!(!tool.to_string().contains("sandbox-token"));
    }
    for (account, counts) in [(json!("cafe"), [0, 1]), (json!("shop"), [1, 1])] {
        let sent = client.call(
            "push_message",
            json!({"to": USER, "messages": hello(), "account": account}),
        );
        assert_eq!(sent["isError"], false, "{sent}");
        let sent = worlds
            .each_ref()
            .map(|world| world.sandbox.delivered().len());
        assert_eq!(sent, counts);
    }
    for arguments in [
        json!({"to": USER, "messages": hello(), "account": "bank"}),
        json!({"to": USER, "messages": hello(), "asset": {"token": "mine"}}),
    ] {
        let refused = client.call("push_message", arguments);
        assert_eq!(refused["isError"], true, "{refused}");
    }
}

#[test]
fn files_are_read_beneath_the_operators_folders_alone() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("ids.txt");
    fs::write(&inside, format!("{USER}\n")).unwrap();
    let own = folder.path().to_str().unwrap();
    let call = |arguments: &[&str]| {
        let mut client = Client::new(Era::Legacy, false, arguments, &[]);
        let inputs = json!({"description": "ids", "file": {"path": inside}});
        let arguments = json!({"action": "create_audience_from_file", "inputs": inputs});
        client.call("run_action", arguments)
    };
    let refused = call(&["--sandbox"]);
    assert_eq!(refused["isError"], true, "{refused}");
    assert!(refused.to_string().contains("--files"), "{refused}");
    let taken = call(&["--sandbox", "--files", own]);
    assert_eq!(taken["isError"], false, "{taken}");
}

#[test]
fn actions_are_found_and_described_whole() {
    let mut client = Client::new(Era::Modern, false, &["--sandbox"], &[]);
    let found = client.call("find_actions", json!({"query": "delete a rich menu"}));
    let first: Vec<String> = found["structuredContent"]["actions"]
        .as_array()
        .unwrap()
        .iter()
        .take(3)
        .map(|action| action["action"].as_str().unwrap().to_owned())
        .collect();
    assert!(first.contains(&"delete_rich_menu".to_owned()), "{first:?}");
    let described = client.call("describe_action", json!({"action": "pushMessage"}));
    let described = &described["structuredContent"];
    assert_eq!(described["name"], "send_push_message");
    assert!(described["inputs"]["$defs"].to_string().contains("altText"));
    // What something refers to is there, and nothing else.
    let inputs = &described["inputs"];
    let references = line_connector_catalog::references::references(inputs);
    let mut targets = BTreeSet::new();
    for (_, reference) in references {
        let place = reference.strip_prefix('#').unwrap().to_owned();
        assert!(inputs.pointer(&place).is_some(), "{reference}");
        targets.insert(place);
    }
    for (file, schema) in inputs["$defs"].as_object().unwrap() {
        let own = format!("/$defs/{}", file.replace('/', "~1"));
        for name in schema
            .get("$defs")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            assert!(
                targets.contains(&format!("{own}/$defs/{}", name.0)),
                "{file}: {}",
                name.0
            );
        }
    }
}

#[test]
fn messages_are_composed_and_nothing_is_sent() {
    let world = World::new();
    let (mut client, _folder) = Client::of(&world, Era::Legacy, false, &["--read-only"]);
    let card = json!({"card_message": {"title": "Sale", "description": "Today"}});
    let result = client.call(
        "compose_message",
        json!({"messages": ["hi", card], "render": "flex"}),
    );
    let composed = &result["structuredContent"];
    assert_eq!(
        composed["messages"][0],
        json!({"type": "text", "text": "hi"}),
        "{result}"
    );
    assert_eq!(composed["messages"][1]["type"], "flex", "{result}");
    for wrong in [
        json!({"messages": "hi", "render": "nicely"}),
        json!({"messages": "hi", "nonsense": 1}),
    ] {
        assert_eq!(client.call("compose_message", wrong)["isError"], true);
    }
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn resources_and_prompts_are_there() {
    for era in ERAS {
        let mut client = Client::new(era, false, &["--sandbox"], &[]);
        let listed = client.ask("resources/list", json!({}));
        for resource in listed["result"]["resources"].as_array().unwrap() {
            let read = client.ask("resources/read", json!({"uri": resource["uri"]}));
            let text = read["result"]["contents"][0]["text"].as_str().unwrap();
            let _: Value = serde_json::from_str(text).unwrap();
        }
        let action = client.ask("resources/read", json!({"uri": "line://actions/broadcast"}));
        assert!(action.to_string().contains("send_broadcast_message"));
        let nothing = client.ask("resources/read", json!({"uri": "file:///etc/passwd"}));
        assert!(nothing.get("error").is_some(), "{nothing}");
        let prompts = client.ask("prompts/list", json!({}));
        for prompt in prompts["result"]["prompts"].as_array().unwrap() {
            let arguments = json!({"about": "a sale", "answer": "{}", "month": "2026-10"});
            let got = client.ask(
                "prompts/get",
                json!({"name": prompt["name"], "arguments": arguments}),
            );
            assert_eq!(got["result"]["messages"][0]["role"], "user", "{got}");
        }
        let missing = client.ask("prompts/get", json!({"name": "draft_message"}));
        assert_eq!(missing["error"]["code"], -32602, "{missing}");
    }
}

#[test]
fn a_waiting_client_is_told_and_a_cancelled_call_is_not_answered() {
    let world = World::new();
    let (mut client, _folder) = Client::of(&world, Era::Legacy, false, &[]);
    let answer = client.ask(
        "tools/call",
        json!({"name": "get_bot_info", "arguments": {}, "_meta": {"progressToken": "p"}}),
    );
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    assert_eq!(client.beside[0]["method"], "notifications/progress");
    assert_eq!(client.beside[0]["params"]["progressToken"], "p");
    // What it waits for, in words.
    client.beside.clear();
    world.fault(json!({"kind": "status", "code": 503, "path": "/v2/bot/info"}));
    let _ = client.ask(
        "tools/call",
        json!({"name": "get_bot_info", "arguments": {}, "_meta": {"progressToken": 7}}),
    );
    let mut before = -1.0;
    for message in &client.beside {
        let progress = message["params"]["progress"].as_f64().unwrap();
        assert!(progress > before, "{message}");
        before = progress;
    }
    let told = json!(client.beside).to_string();
    assert!(told.contains("LINE answered 503; again in"), "{told}");
    world.fault(json!({"kind": "delay", "ms": 1000, "path": "/v2/bot/info"}));
    let id = client.send(
        "tools/call",
        json!({"name": "get_bot_info", "arguments": {}}),
    );
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    client.write(&cancel);
    let answer = client.ask("ping", json!({}));
    assert!(answer.get("result").is_some());
    client.beside.clear();
    let later = client.call("get_bot_info", json!({}));
    assert_eq!(later["isError"], false);
    assert!(client.beside.iter().all(|message| message["id"] != id));
}

/// A LINE in trouble: it answers each request with 503, and the first only once the test lets it.
struct Trouble {
    asset: Value,
    asked: Receiver<()>,
    answer: Sender<()>,
    requests: Arc<AtomicUsize>,
}

impl Trouble {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = mpsc::channel();
        let (answer, answers) = mpsc::channel::<()>();
        let requests = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut read = Vec::new();
                while !read.ends_with(b"]}") {
                    let mut bytes = [0; 4096];
                    match stream.read(&mut bytes) {
                        Ok(0) | Err(_) => break,
                        Ok(length) => read.extend_from_slice(&bytes[..length]),
                    }
                }
                seen.fetch_add(1, Ordering::SeqCst);
                let _ = tell.send(());
                let _ = answers.recv();
                let refusal = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 20\r\n\
                    Connection: close\r\nContent-Length: 2\r\n\r\n{}";
                let _ = stream.write_all(refusal.as_bytes());
            }
        });
        Self {
            asset: json!({"url": url, "token": "sandbox-token"}),
            asked,
            answer,
            requests,
        }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

#[test]
fn a_cancelled_call_goes_no_further_and_the_operator_is_told_how_it_ended() {
    for era in ERAS {
        let line = Trouble::new();
        let (mut client, _folder) = Client::with(&line.asset, era, false, &[]);
        let arguments = json!({"to": USER, "messages": hello()});
        let id = client.send(
            "tools/call",
            json!({"name": "push_message", "arguments": arguments}),
        );
        line.asked.recv().unwrap();
        client.write(
            &json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": {"requestId": id}}),
        );
        let _ = client.tools();
        line.answer.send(()).unwrap();
        assert!(client.beside.iter().all(|message| message["id"] != id));
        let (code, told) = client.end();
        assert_eq!(code, 0, "{told}");
        assert!(
            told.contains("the client cancelled send_push_message"),
            "{era:?}: {told}"
        );
        assert_eq!(line.requests(), 1, "{era:?}");
    }
}

#[test]
fn a_call_whose_client_closes_the_connection_goes_no_further() {
    let line = Trouble::new();
    let (file, _folder) = asset_file(&line.asset);
    let mut server = Http::of(&["--asset", &file], &[]);
    let arguments = json!({"to": USER, "messages": hello()});
    let call = modern(
        "tools/call",
        json!({"name": "push_message", "arguments": arguments}),
    );
    let headers = [
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "push_message"),
    ];
    let stream = server.send(&headers, &call);
    line.asked.recv().unwrap();
    drop(stream);
    line.answer.send(()).unwrap();
    let mut told = String::new();
    let mut lines = BufReader::new(server.process.stderr.take().unwrap());
    while !told.contains("the client cancelled send_push_message") {
        assert_ne!(lines.read_line(&mut told).unwrap(), 0, "{told}");
    }
    assert_eq!(line.requests(), 1);
}

/// A server over HTTP, stopped when it is dropped.
struct Http {
    process: Child,
    address: String,
}

impl Http {
    fn new(environment: &[(&str, &str)]) -> Self {
        let arguments = ["--sandbox", "--yes", "--http-host", "agents.example"];
        Self::of(&arguments, environment)
    }

    fn of(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let own = ["mcp", "--http", "127.0.0.1:0"];
        let arguments: Vec<&str> = own.iter().chain(arguments).copied().collect();
        let mut process = start(&arguments, environment);
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let card: Value = serde_json::from_str(&line).unwrap();
        let url = card["listening"].as_str().unwrap();
        let address = url
            .strip_prefix("http://")
            .unwrap()
            .strip_suffix("/mcp")
            .unwrap();
        Self {
            process,
            address: address.to_owned(),
        }
    }

    /// A request with these headers, on its way.
    fn send(&self, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let host = headers.iter().find(|(name, _)| *name == "Host");
        let host = host.map_or(self.address.as_str(), |(_, host)| *host);
        let own = headers.iter().filter(|(name, _)| *name != "Host");
        let own: Vec<String> = own
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n{}",
            body.len(),
            own.concat(),
        );
        // A server that refuses a large body need not read it.
        let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
        stream
    }

    /// The answer to a request with these headers: its status and its text.
    fn post(&self, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut stream = self.send(headers, body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (status.unwrap_or_default(), answer)
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A request of the newer generation.
fn modern(method: &str, mut params: Value) -> String {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    });
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

#[test]
fn over_http_the_tools_are_the_same_and_strangers_stay_outside() {
    let server = Http::new(&[("LINE_MCP_SECRET", "open-sesame")]);
    let secret = ("Authorization", "Bearer open-sesame");
    let version = ("MCP-Protocol-Version", "2026-07-28");
    let list = modern("tools/list", json!({}));
    let method = ("Mcp-Method", "tools/list");
    let (status, answer) = server.post(&[secret, version, method], &list);
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("push_message") && answer.contains("run_action"));
    let named = [secret, version, method, ("Host", "agents.example")];
    assert_eq!(server.post(&named, &list).0, 200);
    for (headers, expected) in [
        (vec![version, method], 401),
        (
            vec![("Authorization", "Bearer guess"), version, method],
            401,
        ),
        (vec![("Authorization", "open-sesame"), version, method], 401),
        (
            vec![secret, version, method, ("Origin", "https://evil.example")],
            403,
        ),
        (vec![secret, version, method, ("Host", "evil.example")], 403),
    ] {
        let (status, answer) = server.post(&headers, &list);
        assert_eq!(status, expected, "{headers:?}: {answer}");
        assert!(!answer.contains("push_message") && !answer.contains("sesame"));
    }
    let arguments = json!({"to": USER, "messages": hello()});
    let call = modern(
        "tools/call",
        json!({"name": "push_message", "arguments": arguments}),
    );
    let headers = [
        secret,
        version,
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "push_message"),
    ];
    let (status, answer) = server.post(&headers, &call);
    assert!(status == 200 && answer.contains("sentMessages"), "{answer}");
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"}}});
    let (status, answer) = server.post(&[secret], &hello.to_string());
    assert!(
        status == 200 && answer.to_lowercase().contains("mcp-session-id"),
        "{answer}"
    );
    for body in ["garbage", "", "[[[[", "{}"] {
        let (status, _) = server.post(&[secret, version, method], body);
        assert!((400..500).contains(&status), "{body}: {status}");
    }
    let long = "x".repeat(17 * 1024 * 1024);
    assert_ne!(server.post(&[secret, version, method], &long).0, 200);
}

#[test]
fn beyond_this_machine_a_secret_is_a_must() {
    let ended = run(&["mcp", "--sandbox", "--http", "0.0.0.0:0"], b"", &[]);
    assert_eq!(ended.code, 2, "{}", ended.stdout);
    assert!(
        ended.stderr.contains("--http-secret-file"),
        "{}",
        ended.stderr
    );
}

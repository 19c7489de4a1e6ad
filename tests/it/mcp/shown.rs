//! What a person is shown before a call: all that it sends, or how much of it is left out.

use std::fs;

use serde_json::{Value, json};

use super::{Client, Era};
use crate::world::{USER, World};

const MENU: &str = "richmenu-0123456789abcdef0123456789abcdef";

/// The form that is put before a person, who declines.
fn form(client: &mut Client, tool: &str, arguments: &Value) -> String {
    let call = json!({"name": tool, "arguments": arguments});
    let id = client.send("tools/call", call);
    let question = client.read();
    let form = question["params"]["message"].as_str();
    let form = form.unwrap_or_else(|| panic!("{question}")).to_owned();
    let answer = json!({"action": "decline"});
    client.write(&json!({"jsonrpc": "2.0", "id": question["id"], "result": answer}));
    assert_eq!(client.read()["id"], id);
    form
}

fn numbered(count: usize, length: usize) -> Vec<String> {
    let text = |number| format!("m{number} {}", "x".repeat(length));
    (1..=count).map(text).collect()
}

#[test]
fn every_message_of_every_request_stands_in_the_plan() {
    let world = World::new();
    let (mut client, _folder) = Client::of(&world, Era::Legacy, false, &[]);
    let mut arguments = json!({"messages": numbered(12, 0)});
    let plan = client.call("broadcast_message", arguments.clone());
    let plan = &plan["structuredContent"];
    let mut shown = Vec::new();
    for request in plan["requests"].as_array().unwrap() {
        assert_eq!(request["method"], "POST");
        let url = request["url"].as_str().unwrap();
        assert!(url.ends_with("/v2/bot/message/broadcast"), "{url}");
        shown.extend(request["body"]["messages"].as_array().unwrap().clone());
    }
    let texts: Vec<&Value> = shown.iter().map(|message| &message["text"]).collect();
    assert_eq!(json!(texts), arguments["messages"], "{plan}");
    assert_eq!(plan["messages"], 12);
    assert!(world.sandbox.delivered().is_empty());
    arguments["confirm"] = plan["digest"].clone();
    let sent = client.call("broadcast_message", arguments);
    let made = sent["structuredContent"]["meta"]["requests"].as_array();
    assert_eq!(made.map(Vec::len), Some(3), "{sent}");
}

#[test]
fn a_form_shows_every_text_to_its_end() {
    let world = World::new();
    let (mut client, _folder) = Client::of(&world, Era::Legacy, true, &[]);
    let mut messages = vec!["safe ".repeat(400), "TAIL http://evil.example".to_owned()];
    messages.extend(numbered(10, 0));
    let form = form(
        &mut client,
        "broadcast_message",
        &json!({"messages": messages}),
    );
    for text in messages {
        assert!(form.contains(text.trim_end()), "{text}: {form}");
    }
    assert!(form.contains("3 requests, 12 messages"), "{form}");
    assert!(form.contains("quota are left"), "{form}");
    assert!(!form.contains("more characters"), "{form}");
    assert!(world.sandbox.delivered().is_empty());
}

#[test]
fn a_form_that_shortens_says_by_how_much() {
    let world = World::new();
    let (mut client, _folder) = Client::of(&world, Era::Legacy, true, &[]);
    let to: Vec<String> = (0..400).map(|number| format!("U{number:032x}")).collect();
    let messages = numbered(12, 4_000);
    let arguments = json!({"to": to, "messages": messages});
    let form = form(&mut client, "multicast_message", &arguments);
    assert!(form.contains("400 recipients"), "{form}");
    assert!(form.contains(" more)"), "{form}");
    assert!(form.contains("are shortened"), "{form}");
    assert!(!form.contains("NOT EVERYTHING"), "{form}");
    for (number, text) in messages.iter().enumerate() {
        let number = number + 1;
        let start = format!("Message {number} of 12: ");
        let (_, message) = form.split_once(&start).unwrap();
        let (message, _) = message.split_once('\n').unwrap();
        let (_, seen) = message.split_once("\"text\":\"").unwrap();
        let (seen, more) = seen.split_once("… (").unwrap();
        let (more, _) = more.split_once(" more characters)").unwrap();
        assert!(text.starts_with(seen), "{message}");
        let more: usize = more.parse().unwrap();
        assert_eq!(seen.chars().count() + more, text.chars().count());
    }
}

#[test]
fn what_no_form_can_show_is_said_first() {
    let world = World::new();
    let (mut client, _folder) = Client::of(&world, Era::Legacy, true, &[]);
    let form = form(
        &mut client,
        "broadcast_message",
        &json!({"messages": numbered(200, 100)}),
    );
    let (head, requests) = form.split_once("\n\n").unwrap();
    assert!(head.contains("NOT EVERYTHING IS SHOWN: "), "{head}");
    let shown = (1..=200)
        .filter(|number| {
            let next = format!("\nMessage {} of 200:", number + 1);
            let request = format!("\nRequest {} of 40:", number / 5 + 1);
            requests.contains(&next) || requests.contains(&request)
        })
        .count();
    let (_, missing) = head.split_once("missing, with ").unwrap();
    let (missing, _) = missing.split_once(" of 200 messages").unwrap();
    let missing: usize = missing.parse().unwrap();
    assert_eq!(shown + missing, 200, "{form}");
    assert!(form.chars().count() < 7_000);
}

#[test]
fn a_form_names_the_account_and_what_is_done_to_what() {
    let worlds = [World::new(), World::new()];
    let folder = tempfile::tempdir().unwrap();
    let mut options = Vec::new();
    for (name, world) in ["shop", "cafe"].iter().zip(&worlds) {
        let file = folder.path().join(format!("{name}.json"));
        fs::write(&file, world.bearer().to_string()).unwrap();
        options.extend(["--asset".to_owned(), file.to_str().unwrap().to_owned()]);
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut client = Client::new(Era::Legacy, true, &options, &[]);
    for account in ["shop", "cafe"] {
        let inputs = json!({"richMenuId": MENU});
        let arguments = json!({"action": "delete_rich_menu", "inputs": inputs, "account": account});
        let form = form(&mut client, "run_action", &arguments);
        assert!(form.contains(&format!("Account: {account}")), "{form}");
        assert!(form.contains("DELETE http"), "{form}");
        assert!(form.contains(&format!("/richmenu/{MENU}")), "{form}");
        assert!(!form.contains("null"), "{form}");
    }
    let filter = json!({"demographic": {"type": "gender", "oneOf": ["female"]}});
    let arguments = json!({"messages": numbered(1, 0), "filter": filter});
    let form = form(&mut client, "narrowcast_message", &arguments);
    assert!(form.contains("\"female\"") && form.contains("m1"), "{form}");
}

#[test]
fn nothing_that_is_shown_hides_or_turns_text() {
    let world = World::new();
    let hidden = "pay\u{202e}evil\u{2066}\u{200b}\u{e0041}";
    let seen = r"pay\u202eevil\u2066\u200b\udb40\udc41";
    let arguments = json!({"to": [USER], "messages": [{"type": "text", "text": hidden}]});
    let (mut client, _folder) = Client::of(&world, Era::Legacy, true, &[]);
    let form = form(&mut client, "multicast_message", &arguments);
    assert!(form.contains(&seen.replace('\\', "\\\\")), "{form}");
    assert!(!form.contains(['\u{202e}', '\u{2066}', '\u{200b}', '\u{e0041}']));
    let (mut client, _folder) = Client::of(&world, Era::Modern, false, &[]);
    let plan = client.call("multicast_message", arguments.clone());
    let plan = &plan["structuredContent"];
    assert_eq!(plan["requests"][0]["body"]["messages"][0]["text"], seen);
    // What is sent stays as it was written.
    let mut confirmed = arguments;
    confirmed["confirm"] = plan["digest"].clone();
    assert_eq!(
        client.call("multicast_message", confirmed)["isError"],
        false
    );
    let sent = world.sandbox.requests();
    let body = |text: &Value| text["messages"][0]["text"] == hidden;
    assert!(sent.iter().any(|request| body(&request.body)));
}

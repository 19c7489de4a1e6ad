//! What an action may be called: its full name, its short name and LINE's `operationId` mean the same
//! everywhere, and what hosts need beside an action is true. What the action does is not judged here.

use std::fs;

use line_connector_catalog::definition::Effect;
use line_connector_client::{Catalog, Connector, Invocation};
use line_connector_core::compact;
use line_connector_core::schema::Schema;
use serde_json::{Value, json};

use crate::world::{USER, World, run};

fn text() -> Value {
    json!({"to": USER, "messages": [{"type": "text", "text": "hi"}]})
}

#[test]
fn every_name_of_an_action_means_it() {
    let catalog = Catalog::embedded();
    for entry in catalog.entries() {
        let meta = catalog.action(&entry.name).unwrap().meta;
        let short = meta.short.expect("every action has a short name");
        assert!(short.len() <= 40, "{short}");
        let names = [Some(short), meta.operation_id, Some(entry.name.clone())];
        for name in names.into_iter().flatten() {
            assert_eq!(
                catalog.full_name(&name),
                Some(entry.name.as_str()),
                "{name}"
            );
            let described = catalog.action(&name).unwrap().name;
            assert_eq!(described, entry.name, "{name}");
            assert_eq!(catalog.entry(&name).unwrap(), entry, "{name}");
        }
    }
}

#[test]
fn an_operation_id_in_snake_case_is_a_name_unless_it_is_another_actions_own() {
    let catalog = Catalog::embedded();
    for (name, full) in [
        ("get_message_event", "get_user_interaction_statistics"),
        (
            "revoke_channel_token_by_jwt",
            "revoke_channel_access_token_v2_1",
        ),
        ("mark_messages_as_read", "mark_messages_as_read"),
        ("markMessagesAsRead", "mark_messages_from_users_as_read"),
        ("markMessagesAsReadByToken", "mark_messages_as_read"),
    ] {
        assert_eq!(catalog.full_name(name), Some(full), "{name}");
    }
    assert_eq!(catalog.full_name("PushMessage"), None);
}

#[test]
fn every_command_takes_every_name() {
    let names = ["send_push_message", "push_message", "pushMessage"];
    let document = json!({"inputs": text(), "options": {"idempotency_key": "order-1"}});
    let plans = names.map(|name| {
        let ended = run(
            &["run", name, "--dry-run"],
            document.to_string().as_bytes(),
            &[],
        );
        assert_eq!(ended.code, 0, "{name}: {}", ended.stderr);
        let mut plan = ended.document();
        assert_eq!(plan["meta"]["action"], "send_push_message", "{name}");
        plan["meta"]["elapsed_ms"] = Value::Null;
        plan
    });
    assert_eq!(
        plans[0], plans[1],
        "the same request, and the same retry key"
    );
    assert_eq!(plans[0], plans[2]);
    for name in names {
        let mut with_action = document.clone();
        with_action["action"] = json!(name);
        let line = format!("{with_action}\n");
        let served = run(&["serve", "pushMessage", "--dry-run"], line.as_bytes(), &[]).document();
        assert_eq!(served["request"], plans[0]["request"], "{name}");
        let described = run(&["describe", name], b"", &[]).document();
        assert_eq!(described["name"], "send_push_message");
        assert_eq!(described["short"], "push_message");
        assert_eq!(described["operation_id"], "pushMessage");
    }
}

#[test]
fn two_names_of_different_actions_contradict_each_other() {
    let document = json!({"action": "multicast", "inputs": text()}).to_string();
    let ended = run(
        &["run", "push_message", "--dry-run"],
        document.as_bytes(),
        &[],
    );
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("`push_message`"), "{}", ended.stderr);
}

#[test]
fn a_misspelt_short_name_is_guessed() {
    let ended = run(&["run", "push_mesage", "--dry-run"], b"{}", &[]);
    assert_eq!(ended.code, 2);
    let hint = &ended.document()["error"]["hint"];
    assert_eq!(hint, "did you mean `push_message`?");
}

#[test]
fn an_assets_rate_limits_take_every_name() {
    let world = World::new();
    let mut asset = world.bearer();
    asset["rate_limits"] = json!({"pushMessage": "1/h"});
    let line = json!({
        "action": "push_message", "asset": asset, "inputs": text(), "options": {"max_wait_ms": 0},
    });
    let ended = run(
        &["serve", "--ordered"],
        format!("{line}\n{line}\n").as_bytes(),
        &[],
    );
    let answers: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&Value> = answers
        .iter()
        .map(|answer| &answer["error"]["kind"])
        .collect();
    assert!(kinds.contains(&&json!("rate_budget")), "{kinds:?}");
    assert_eq!(world.count("/v2/bot/message/push"), 1);
}

#[test]
fn an_added_action_has_names_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let actions = folder.path().to_str().unwrap();
    let file = include_str!("../cases/added/get_my_bot_info.yaml");
    let with = |names: &str| {
        let text = file.replace("\nmeta:\n", &format!("\nmeta:\n{names}"));
        fs::write(folder.path().join("get_my_bot_info.yaml"), text).unwrap();
        run(
            &["run", "my_bot", "--dry-run", "--actions", actions],
            b"",
            &[],
        )
    };
    let ended = with("  short: my_bot\n  operation_id: getMyBot\n");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(ended.document()["meta"]["action"], "get_my_bot_info");
    for wrong in [
        "  short: push_message\n",
        "  short: send_push_message\n",
        "  operation_id: pushMessage\n",
        "  short: My_bot\n",
        "  short: a_short_name_that_is_longer_than_forty_ch\n",
        "  choices: {parameters/nothing: {action: get_profile, items: /a}}\n",
    ] {
        let ended = with(wrong);
        assert_eq!(ended.code, 2, "{wrong}: {}", ended.stdout);
        let document = ended.document();
        assert_eq!(document["error"]["kind"], "invalid_catalog", "{wrong}");
        let told = document["error"]["details"].to_string();
        assert!(told.contains("get_my_bot_info.yaml:"), "{wrong}: {told}");
    }
}

#[test]
fn the_list_fits_a_terminal() {
    let listed = run(&["list"], b"", &[]).stdout;
    for line in listed.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(listed.lines().any(|line| line.starts_with("push_message ")));
    let listed = run(&["list", "--json"], b"", &[]).document();
    let actions = listed.as_array().unwrap().iter();
    let mut actions = actions.filter(|entry| entry["kind"] == "action");
    assert!(actions.all(|action| action["short"].is_string()));
}

/// What the short form shows is true: it takes the flat inputs of every example that LINE took, and
/// nothing in it needs what a host may not know.
#[test]
fn the_short_form_takes_every_example() {
    let catalog = Catalog::embedded();
    let all = compact::all(&catalog);
    for action in all.as_array().unwrap() {
        let name = action["name"].as_str().unwrap();
        let text = action["inputs"].to_string();
        for never in [
            "$ref",
            "$defs",
            "allOf",
            "anyOf",
            "oneOf",
            "\"if\"",
            "x-",
            ":true,\"x",
        ] {
            assert!(!text.contains(&format!("\"{never}")), "{name}: {never}");
        }
        assert_eq!(action["inputs"]["type"], "object", "{name}");
        let schema = Schema::new(&action["inputs"], |_| None);
        for example in catalog.examples(name) {
            if example.reply.status_code >= 300 {
                continue;
            }
            let flat: serde_json::Map<String, Value> = example
                .inputs
                .values()
                .filter_map(Value::as_object)
                .flat_map(Clone::clone)
                .filter(|(key, _)| key != "X-Line-Retry-Key")
                .collect();
            let findings = schema.check(&Value::Object(flat));
            assert!(
                findings.violations.is_empty(),
                "{name}: {:?}",
                findings.violations
            );
        }
    }
    let one = run(&["describe", "--compact", "pushMessage"], b"", &[]).document();
    assert!(all.as_array().unwrap().contains(&one));
    assert_eq!(
        run(&["describe", "--compact", "message.text"], b"", &[]).code,
        2
    );
}

#[test]
fn the_default_set_is_small_and_real() {
    let catalog = Catalog::embedded();
    let entries = catalog.entries();
    let chosen = entries.iter().filter(|entry| {
        let meta = catalog.action(&entry.name).unwrap().meta;
        meta.default_set
    });
    assert!((12..=20).contains(&chosen.count()));
}

/// The listing behind an input gives items where the action file says that they are.
#[test]
fn every_choice_comes_from_a_listing_that_has_it() {
    let catalog = Catalog::embedded();
    let mut seen = 0;
    for entry in catalog.entries() {
        for (place, choices) in catalog.action(&entry.name).unwrap().meta.choices {
            let place = format!("{}: {place}", entry.name);
            let listing = catalog.action(&choices.action).expect(&place);
            assert_eq!(listing.meta.effect, Effect::Read, "{place}");
            let items: Vec<Value> = catalog
                .examples(&choices.action)
                .iter()
                .filter_map(|example| {
                    let items = example.output.get("json_body")?.pointer(&choices.items)?;
                    items.as_array().cloned()
                })
                .flatten()
                .collect();
            assert!(!items.is_empty(), "{place}: no items at {}", choices.items);
            for name in [&choices.value, &choices.title].into_iter().flatten() {
                assert!(
                    items.iter().any(|item| item.get(name).is_some()),
                    "{place}: {name}"
                );
            }
            if choices.value.is_none() {
                assert!(items.iter().all(Value::is_string), "{place}");
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen}");
}

#[test]
fn a_program_may_use_every_name_too() {
    let document = json!({"action": "getBotInfo"});
    let output = Connector::builder()
        .build()
        .plan(Invocation::from_value(document).unwrap());
    assert_eq!(output.meta.unwrap().action.unwrap(), "get_bot_info");
}

//! A workflow from end to end, through the real binary alone: the sandbox plays the user, `webhook`
//! verifies and reads what it sent, an action answers, and the sandbox has the answer.

use line_connector_sandbox::Settings;
use serde_json::{Value, json};

use crate::world::{self, World};

/// What `webhook` makes of something that a user did.
fn received(world: &World, described: &Value) -> Value {
    let told = world.sandbox.play(described).unwrap();
    let mut document = told["invocation"].clone();
    document["asset"] = world.asset();
    let ended = world::run(&["webhook"], document.to_string().as_bytes(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let mut answer = ended.document();
    assert_eq!(answer["events"].as_array().unwrap().len(), 1);
    answer["events"][0].take()
}

/// The output of an action that went well.
fn done(world: &World, action: &str, inputs: &Value) -> Value {
    let document = json!({"asset": world.asset(), "inputs": inputs});
    let ended = world::run(&["run", action], document.to_string().as_bytes(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.document()
}

/// The event of something that a user sent, and the output of fetching it with the call that the
/// event holds ready.
fn fetched(world: &World, described: &Value) -> (Value, Value) {
    let event = received(world, described);
    let call = &event["message"]["media"]["fetch"];
    let output = done(world, call["action"].as_str().unwrap(), &call["inputs"]);
    (event, output)
}

#[test]
fn who_follows_is_greeted_by_name_once() {
    let world = World::with(Settings {
        accept_unknown_reply_tokens: false,
        ..Settings::default()
    });
    let described = json!({"type": "follow", "userId": world::USER,
        "profile": {"displayName": "Taro 🍎"}});
    let event = received(&world, &described);
    assert_eq!(event["type"], "opt_in");
    let profile = json!({"userId": event["source"]["user_id"]});
    let profile = done(&world, "get_profile", &profile);
    let name = profile["json_body"]["displayName"].as_str().unwrap();
    let text = json!({"type": "text", "text": format!("Welcome, {name}")});
    let inputs = json!({"replyToken": event["reply_token"], "messages": [text]});
    done(&world, "send_reply_message", &inputs);
    let delivered = world.sandbox.delivered();
    assert_eq!((delivered.len(), delivered[0].kind.as_str()), (1, "reply"));
    assert_eq!(delivered[0].messages[0]["text"], "Welcome, Taro 🍎");
    let document = json!({"asset": world.asset(), "inputs": inputs}).to_string();
    let again = world::run(&["run", "send_reply_message"], document.as_bytes(), &[]);
    assert_eq!(again.document()["error"]["kind"], "invalid_reply_token");
}

#[test]
fn a_message_is_quoted_and_marked_as_read() {
    let world = World::new();
    let event = received(
        &world,
        &json!({"type": "message", "text": "(love) hi",
        "emojis": [{"index": 0, "length": 6, "productId": "5ac1bfd5040ab15980c9b435", "emojiId": "001"}]}),
    );
    assert_eq!(event["type"], "message.text");
    let message = &event["message"];
    let quote = json!({"type": "text", "text": "hello", "quoteToken": message["quote_token"]});
    let push = json!({"to": event["source"]["user_id"], "messages": [quote]});
    done(&world, "send_push_message", &push);
    let token = json!({"markAsReadToken": message["mark_as_read_token"]});
    done(&world, "mark_messages_as_read", &token);
}

#[test]
fn what_a_user_sends_is_fetched_by_the_call_in_the_event() {
    let world = World::new();
    let file = json!({"type": "message",
        "message": {"type": "file", "base64": "YSxiCg==", "contentType": "text/csv"}});
    let (event, output) = fetched(&world, &file);
    assert_eq!(event["type"], "message.file");
    assert_eq!(output["file"]["base64"], "YSxiCg==");
    assert_eq!(output["file"]["content_type"], "text/csv");
    let (event, output) = fetched(&world, &json!({"type": "message", "message": "image"}));
    assert_eq!(event["type"], "message.image");
    assert_eq!(output["file"]["content_type"], "image/png");
}

#[test]
fn a_redelivered_event_is_known_by_its_id() {
    let world = World::new();
    let told = world
        .sandbox
        .play(&json!({"type": "postback", "data": "a=b&c=d"}))
        .unwrap();
    let id = told["events"][0]["webhookEventId"].as_str().unwrap();
    let read = |told: &Value| {
        let document = told["invocation"].to_string();
        let ended = world::run(&["webhook"], document.as_bytes(), &[]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        ended.document()["events"][0].clone()
    };
    let (first, again) = (read(&told), read(&world.sandbox.redeliver(id).unwrap()));
    assert_eq!((&first["id"], &again["id"]), (&json!(id), &json!(id)));
    assert_eq!(first["is_redelivery"], false);
    assert_eq!(again["is_redelivery"], true);
}

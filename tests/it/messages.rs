//! Messages as people write them, on their way to LINE: how many requests they take, what the delivery
//! report says, what a reply falls back to, what is looked at before. How each kind becomes LINE's
//! objects is `compose`'s matter.

use std::io::{Read, Write};
use std::time::Duration;

use line_connector_client::{Media, WebMedia};
use line_connector_core::call::exit_code;
use line_connector_core::documents::{Code, Output, Status};
use line_connector_core::error::{ExitCode, Kind, Outcome};
use serde_json::{Value, json};

use crate::network::{TlsWorld, tls_with};
use crate::schema::expand;
use crate::world::{self, USER, World, builder, call, connector, run};

const PUSH: &str = "/v2/bot/message/push";
const REPLY: &str = "/v2/bot/message/reply";

#[expect(clippy::needless_pass_by_value, reason = "calls are shorter to read")]
fn send(world: &World, action: &str, inputs: Value, options: Value) -> Output {
    let document =
        json!({"action": action, "asset": world.bearer(), "inputs": inputs, "options": options});
    call(&connector(), document)
}

fn texts(count: usize) -> Value {
    (1..=count)
        .map(|number| json!(format!("text {number}")))
        .collect()
}

/// The texts that reached people, in order.
fn delivered(world: &World) -> Vec<String> {
    let deliveries = world.sandbox.delivered();
    let messages = deliveries
        .iter()
        .filter_map(|delivery| delivery.messages.as_array())
        .flatten();
    messages
        .map(|message| message["text"].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn reply_token(world: &World) -> String {
    world.sandbox.reply_token()
}

#[test]
fn a_text_a_generic_message_and_an_object_of_lines_go_in_one_request() {
    let world = World::new();
    let messages = json!([
        "plain",
        {"card_message": {"title": "Order 4711", "description": "is on its way", "choices": [
            {"url_message": {"title": "Track it", "url": "https://example.com/4711"}}]}},
        {"type": "sticker", "packageId": "446", "stickerId": "1988"},
    ]);
    let output = send(
        &world,
        "send_push_message",
        json!({"to": USER, "messages": messages}),
        json!({}),
    );
    assert_eq!(output.status_code, Some(200), "{}", output.render());
    let sent = &world.sandbox.delivered()[0].messages;
    assert_eq!(sent[0], json!({"type": "text", "text": "plain"}));
    assert_eq!(sent[1]["template"]["type"], "buttons");
    assert_eq!(sent[2]["type"], "sticker");
    let delivery = output.delivery.unwrap();
    assert_eq!(
        (delivery.status, delivery.sent_as.as_str()),
        (Status::QueuedOnChannel, "push")
    );
}

#[test]
fn one_message_need_not_stand_in_a_list() {
    for messages in [json!("hi"), json!({"text_message": {"text": "hi"}})] {
        for inputs in [
            json!({"to": USER, "messages": messages}),
            json!({"json_body": {"to": USER, "messages": messages}}),
        ] {
            let world = World::new();
            let output = send(&world, "send_push_message", inputs, json!({}));
            assert!(output.error.is_none(), "{}", output.render());
            assert_eq!(delivered(&world), ["hi"]);
        }
    }
}

#[test]
fn more_than_five_objects_are_requests_in_order_with_keys_of_their_own() {
    let world = World::new();
    let inputs = json!({"to": USER, "messages": texts(12)});
    let options = json!({"idempotency_key": "order-1"});
    let output = send(&world, "send_push_message", inputs.clone(), options.clone());
    assert!(output.error.is_none(), "{}", output.render());
    let expected: Vec<String> = (1..=12).map(|number| format!("text {number}")).collect();
    assert_eq!(delivered(&world), expected);
    let meta = output.meta.as_ref().unwrap();
    let sizes: Vec<usize> = meta.requests.iter().map(|part| part.messages).collect();
    assert_eq!(sizes, [5, 5, 2]);
    let keys: Vec<_> = meta
        .requests
        .iter()
        .map(|part| part.retry_key.clone().unwrap())
        .collect();
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    assert_eq!(
        output.json().unwrap()["sentMessages"]
            .as_array()
            .unwrap()
            .len(),
        12
    );
    // The same step again reaches nobody twice.
    let again = send(&world, "send_push_message", inputs, options);
    assert!(again.error.is_none(), "{}", again.render());
    assert_eq!(delivered(&world).len(), 12);
}

#[test]
fn what_stands_after_a_failure_is_told_and_the_rest_can_be_sent() {
    let world = World::new();
    // The first request comes through.
    world.fault(json!({"kind": "delay", "ms": 0, "path": PUSH}));
    world.fault(json!({"kind": "status", "code": 500, "path": PUSH, "times": 3}));
    let inputs = json!({"to": USER, "messages": texts(11)});
    let output = send(&world, "send_push_message", inputs.clone(), json!({}));
    let error = output.error.as_ref().unwrap();
    assert_eq!(
        (error.kind, error.outcome),
        (Kind::Unavailable, Outcome::Partial)
    );
    assert!(
        error.message.starts_with("request 2 of 3: "),
        "{}",
        error.message
    );
    let meta = output.meta.as_ref().unwrap();
    assert_eq!(meta.requests.len(), 2);
    assert_eq!(delivered(&world).len(), 5);
    let delivery = output.delivery.as_ref().unwrap();
    assert_eq!(delivery.outcome, Some(Outcome::Partial));
    assert_eq!(delivery.reason.as_ref().unwrap().code, Code::ChannelFailure);
    // As the hint says.
    let key = meta.requests[0].retry_key.clone().unwrap();
    assert!(error.hint.contains(&key), "{}", error.hint);
    let mut inputs = inputs;
    inputs["headers"] = json!({"X-Line-Retry-Key": key});
    let rest = send(&world, "send_push_message", inputs, json!({}));
    assert!(rest.error.is_none(), "{}", rest.render());
    assert_eq!(delivered(&world).len(), 11);
}

#[test]
fn nothing_is_sent_where_a_later_request_breaks_a_rule() {
    let world = World::new();
    let mut messages = texts(7);
    messages[6] = json!({"type": "sticker", "packageId": "446"});
    let output = send(
        &world,
        "send_push_message",
        json!({"to": USER, "messages": messages}),
        json!({}),
    );
    assert_eq!(output.error.unwrap().kind, Kind::InvalidInputs);
    assert_eq!(world.count(PUSH), 0);
}

#[test]
fn a_dry_run_shows_every_request() {
    let world = World::new();
    let document = json!({"action": "send_push_message", "asset": world.bearer(),
        "inputs": {"to": USER, "messages": texts(6)}});
    let output = connector().plan(line_connector_client::Invocation::from_value(document).unwrap());
    assert!(output.request.is_some());
    assert_eq!(output.further_requests.len(), 1);
    assert!(output.delivery.is_none());
    assert_eq!(world.count(PUSH), 0);
}

#[test]
fn a_reply_whose_token_is_used_falls_back_to_one_push() {
    let world = World::new();
    let token = reply_token(&world);
    let inputs = json!({"replyToken": token, "to": USER, "messages": ["answer"]});
    let options = json!({"fallback": "push"});
    let first = send(
        &world,
        "send_reply_message",
        inputs.clone(),
        options.clone(),
    );
    assert_eq!(first.delivery.unwrap().sent_as, "reply");
    assert_eq!(world.count(PUSH), 0);
    // The token is used now. However often it is tried, one push goes out.
    for _ in 0..3 {
        let output = send(
            &world,
            "send_reply_message",
            inputs.clone(),
            options.clone(),
        );
        assert!(output.error.is_none(), "{}", output.render());
        assert_eq!(output.delivery.as_ref().unwrap().sent_as, "push");
        let warnings = &output.meta.as_ref().unwrap().warnings;
        assert!(
            warnings
                .iter()
                .any(|warning| warning.path == "/options/fallback")
        );
    }
    assert_eq!(delivered(&world), ["answer", "answer"]);
}

#[test]
fn a_reply_that_may_have_been_sent_never_becomes_a_push() {
    for at in ["after_read", "after_processing", "mid_body"] {
        let world = World::new();
        world.fault(json!({"kind": "drop", "at": at, "path": REPLY}));
        let inputs = json!({"replyToken": reply_token(&world), "to": USER, "messages": ["answer"]});
        let output = send(
            &world,
            "send_reply_message",
            inputs,
            json!({"fallback": "push"}),
        );
        assert_eq!(
            output.error.as_ref().unwrap().outcome,
            Outcome::Unknown,
            "{at}"
        );
        assert_eq!(world.count(PUSH), 0, "{at}");
        let delivery = output.delivery.unwrap();
        assert_eq!(
            (delivery.sent_as.as_str(), delivery.outcome),
            ("reply", Some(Outcome::Unknown))
        );
        assert_eq!(delivery.reason.unwrap().code, Code::DeliveryTimedOut);
    }
}

#[test]
fn a_long_answer_is_a_reply_and_pushes_only_where_that_is_asked_for() {
    let world = World::new();
    let token = reply_token(&world);
    let inputs = json!({"replyToken": token, "messages": texts(7)});
    let output = send(&world, "send_reply_message", inputs, json!({}));
    let error = output.error.unwrap();
    assert_eq!(error.kind, Kind::InvalidInputs);
    assert_eq!(error.details[0].path, "/messages");
    assert_eq!(world.count(REPLY), 0);

    let inputs = json!({"replyToken": token, "to": USER, "messages": texts(7)});
    let output = send(
        &world,
        "send_reply_message",
        inputs,
        json!({"fallback": "push"}),
    );
    assert!(output.error.is_none(), "{}", output.render());
    let ways: Vec<_> = output
        .meta
        .unwrap()
        .requests
        .into_iter()
        .map(|part| part.sent_as)
        .collect();
    assert_eq!(ways, ["reply", "push"]);
    assert_eq!(delivered(&world).len(), 7);
}

#[test]
fn a_fallback_needs_to_know_where() {
    let world = World::new();
    let inputs = json!({"replyToken": reply_token(&world), "messages": ["hi"]});
    let output = send(
        &world,
        "send_reply_message",
        inputs,
        json!({"fallback": "push"}),
    );
    let error = output.error.unwrap();
    assert_eq!(error.details[0].path, "/json_body/to");
    assert_eq!(world.count(REPLY), 0);
    let inputs = json!({"replyToken": reply_token(&world), "to": 7, "messages": ["hi"]});
    let output = send(
        &world,
        "send_reply_message",
        inputs,
        json!({"fallback": "push"}),
    );
    assert_eq!(output.error.unwrap().kind, Kind::InvalidInputs);
    assert_eq!(world.count(REPLY), 0);
}

#[test]
fn options_about_messages_are_refused_where_there_are_none() {
    let world = World::new();
    for (options, name) in [
        (json!({"fallback": "push"}), "fallback"),
        (json!({"strict": true}), "strict"),
        (json!({"media_check": "warn"}), "media_check"),
        (json!({"render": "flex"}), "render"),
    ] {
        let output = send(&world, "get_bot_info", json!({}), options);
        let error = output.error.unwrap();
        assert_eq!(error.kind, Kind::InvalidInputs);
        assert_eq!(error.details[0].path, format!("/options/{name}"));
    }
    let inputs = json!({"to": USER, "messages": ["hi"]});
    let output = send(
        &world,
        "send_push_message",
        inputs,
        json!({"fallback": "push"}),
    );
    assert_eq!(output.error.unwrap().details[0].path, "/options/fallback");
}

#[test]
fn a_loss_is_reported_and_refused_where_strict() {
    let title = "A title that is far too long for any template of LINE's";
    let card = json!({"card_message": {"title": title, "description": "d", "choices": [{"text_message": {"text": "ok"}}]}});
    let inputs = json!({"to": USER, "messages": [card]});
    let world = World::new();
    let output = send(
        &world,
        "send_push_message",
        inputs.clone(),
        json!({"render": "template"}),
    );
    assert!(output.error.is_none(), "{}", output.render());
    let composed = &output.meta.unwrap().composed;
    assert_eq!(composed[0].path, "/messages/0/card_message/title");
    assert_eq!(composed[0].limit, Some(40));
    let output = send(
        &world,
        "send_push_message",
        inputs,
        json!({"render": "template", "strict": true}),
    );
    let error = output.error.unwrap();
    assert_eq!(error.details[0].path, "/messages/0/card_message/title");
    assert_eq!(world.count(PUSH), 1);
}

#[test]
fn what_cannot_be_composed_shows_no_secret() {
    let world = World::new();
    let message = json!({"card_message": {"sandbox-token": 1, "title": 2}});
    let output = send(
        &world,
        "send_push_message",
        json!({"to": USER, "messages": [message]}),
        json!({}),
    );
    assert_eq!(output.error.as_ref().unwrap().kind, Kind::InvalidInputs);
    assert!(
        !output.render().contains("sandbox-token"),
        "{}",
        output.render()
    );
}

#[test]
fn what_stands_beside_the_messages_goes_where_the_action_takes_it() {
    let message = json!({"text_message": {"text": "hi"}, "channel_properties": {"LINE_OPEN_STATUS": "spring_sale"}});
    let world = World::new();
    let output = send(
        &world,
        "send_push_message",
        json!({"to": USER, "messages": [message]}),
        json!({}),
    );
    assert!(output.error.is_none(), "{}", output.render());
    let request = world
        .sandbox
        .requests()
        .into_iter()
        .find(|request| request.path == PUSH)
        .unwrap();
    assert_eq!(
        request.body["customAggregationUnits"],
        json!(["spring_sale"])
    );
    let output = send(
        &world,
        "send_broadcast_message",
        json!({"messages": [message]}),
        json!({}),
    );
    assert!(output.error.is_none(), "{}", output.render());
    let composed = &output.meta.unwrap().composed;
    assert!(
        composed
            .iter()
            .any(|change| change.path == "/json_body/customAggregationUnits"),
        "{composed:?}"
    );
}

#[test]
fn delivery_reports_speak_sinchs_words() {
    let cases = [
        (
            json!({"kind": "status", "code": 401, "path": PUSH, "times": 9}),
            Code::ChannelBadConfiguration,
        ),
        (
            json!({"kind": "status", "code": 403, "path": PUSH}),
            Code::NoPermission,
        ),
        (
            json!({"kind": "status", "code": 429, "path": PUSH}),
            Code::RateLimited,
        ),
        (
            json!({"kind": "status", "code": 500, "path": PUSH, "times": 9}),
            Code::ChannelFailure,
        ),
        (
            json!({"kind": "drop", "at": "after_read", "path": PUSH, "times": 9}),
            Code::DeliveryTimedOut,
        ),
    ];
    for (fault, code) in cases {
        let world = World::new();
        world.fault(fault.clone());
        let output = send(
            &world,
            "send_push_message",
            json!({"to": USER, "messages": ["hi"]}),
            json!({}),
        );
        let delivery = output.delivery.expect("a report");
        assert_eq!(delivery.status, Status::Failed);
        let reason = delivery.reason.unwrap();
        assert_eq!(reason.code, code, "{fault}");
        assert_eq!(
            Some(reason.channel_code),
            output.error.map(|error| error.kind)
        );
    }
    let world = World::new();
    let output = send(
        &world,
        "send_push_message",
        json!({"to": "nobody", "messages": ["hi"]}),
        json!({}),
    );
    let reason = output.delivery.unwrap().reason.unwrap();
    assert_eq!(reason.code, Code::RecipientInvalidChannelIdentity);
}

/// Answers a request with these bytes.
fn medium(times: usize, answer: &'static [u8]) -> TlsWorld {
    tls_with(times, move |stream| {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let _ = stream.write_all(answer);
        let _ = stream.flush();
    })
}

#[test]
fn media_are_looked_at_where_that_is_asked_for() {
    let png = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-511/90000\r\nContent-Length: 8\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n";
    let large = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-511/20000000\r\nContent-Length: 8\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n";
    let gone = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let gif = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nGIF89a";
    let elsewhere =
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n";
    let cases: [(&'static [u8], Option<Code>); 5] = [
        (png, None),
        (large, Some(Code::MediaTooLarge)),
        (gone, Some(Code::MediaNotReachable)),
        (gif, Some(Code::MediaTypeUnsupported)),
        (elsewhere, Some(Code::MediaNotReachable)),
    ];
    for (answer, code) in cases {
        let web = medium(1, answer);
        let media = WebMedia::default()
            .trusting(web.authority.as_bytes())
            .unwrap()
            .at_any_address();
        let connector = builder().media(media).build();
        let world = World::new();
        let url = format!("https://localhost:{}/picture?key=1", web.port);
        let document = json!({"action": "send_push_message", "asset": world.bearer(),
            "inputs": {"to": USER, "messages": [{"card_message": {"title": "t", "description": "d",
                "media_message": {"url": url}, "choices": [{"text_message": {"text": "ok"}}]}}]},
            "options": {"media_check": "fail"}});
        let output = call(&connector, document);
        let reason = output.delivery.as_ref().unwrap().reason.as_ref();
        assert_eq!(
            reason.map(|reason| reason.code),
            code,
            "{}",
            output.render()
        );
        assert_eq!(world.count(PUSH), usize::from(code.is_none()));
        if let Some(error) = &output.error {
            assert!(!output.render().contains("key=1"));
            assert!(error.details[0].path.starts_with("/messages/0"));
        }
        web.handle.join().unwrap();
    }
}

#[test]
fn nothing_of_a_private_network_is_looked_at() {
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "10.0.0.1",
        "169.254.169.254",
        "[::ffff:127.0.0.1]",
    ] {
        let seen = WebMedia::default().probe(&format!("https://{host}:9/"), Duration::from_secs(2));
        let reason = seen.unwrap_err();
        assert!(reason.contains("public internet"), "{host}: {reason}");
    }
    let seen = WebMedia::default().probe("http://example.com/", Duration::from_secs(2));
    assert!(seen.is_err());
}

#[test]
fn a_script_sends_what_it_has() {
    let ended = run(&["send", USER, "--sandbox"], b"disk full on db-1\n", &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(ended.document()["delivery"]["status"], "QUEUED_ON_CHANNEL");

    let shown = |arguments: &[&str], input: &[u8]| {
        let arguments = [&["send"], arguments, &["--dry-run"]].concat();
        let ended = run(&arguments, input, &[]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        ended.document()["request"].clone()
    };
    let request = shown(&[USER, "a text"], b"");
    assert_eq!(
        request["body"]["messages"],
        json!([{"type": "text", "text": "a text"}])
    );
    let request = shown(&[USER, "--silent"], "多行\nの文\n\n".as_bytes());
    assert_eq!(request["body"]["messages"][0]["text"], "多行\nの文");
    assert_eq!(request["body"]["notificationDisabled"], true);
    let table = b"| host | state |\n|---|---|\n| db-1 | full |\n";
    let request = shown(&[USER, "--markdown"], table);
    assert_eq!(request["body"]["messages"][0]["type"], "text");
    let request = shown(&[USER, "--markdown=rich"], table);
    assert_eq!(request["body"]["messages"][0]["type"], "flex");
    let request = shown(
        &[USER, "--json"],
        br#"["one", {"type": "text", "text": "two"}]"#,
    );
    assert_eq!(request["body"]["messages"].as_array().unwrap().len(), 2);
    let whole = br#"{"messages": ["*one*"], "options": {"markdown": true}}"#;
    let request = shown(&[USER, "--json"], whole);
    assert_eq!(request["body"]["messages"][0]["text"], "one");
    // JSON that is no message is a text like others.
    let request = shown(&[USER], br#"{"disk": "full"}"#);
    assert_eq!(
        request["body"]["messages"][0]["text"],
        r#"{"disk": "full"}"#
    );
    let two = format!("{USER}, U0123456789abcdef0123456789abcdef");
    let request = shown(&[&two, "all of you"], b"");
    assert!(request["url"].as_str().unwrap().ends_with("/multicast"));
    assert_eq!(request["body"]["to"].as_array().unwrap().len(), 2);
    let request = shown(
        &["--reply", "b60d432864f44d079f6d8efe86cf404b"],
        b"an answer",
    );
    assert!(request["url"].as_str().unwrap().ends_with("/reply"));
}

#[test]
fn what_cannot_be_sent_is_told_before() {
    for (arguments, input, code, says) in [
        (vec!["send", USER], b"\n".as_slice(), 2, "there is no text"),
        (vec!["send", USER], b"", 2, "hint: write the text after TO"),
        (vec!["compose", "--text"], b"", 2, "hint: pipe a text in"),
        (vec!["send", USER], b"\xff\xfe".as_slice(), 2, "the text"),
        (
            vec!["send", USER],
            br#"[{"type": "text", "text": "hi"}]"#,
            2,
            "the text is the JSON of a message; nothing was sent",
        ),
        (
            vec!["send", USER, "--json"],
            b"{",
            2,
            "the JSON cannot be read",
        ),
        (
            vec!["send", USER, "--json"],
            b"hi",
            2,
            "a text goes without `--json`",
        ),
        (
            vec!["send", USER, "--json"],
            br#"{"inputs": {"to": "U", "messages": ["hi"]}}"#,
            2,
            "it is a document for `run`; nothing was sent",
        ),
        (
            vec!["send", USER, "--json"],
            br#"{"to": "U", "messages": ["hi"]}"#,
            2,
            "the command line says to whom",
        ),
        (vec!["send"], b"hi", 2, "<TO>"),
        (vec!["send", "U1,U2", "--reply", "t"], b"hi", 2, "one chat"),
        (
            vec!["send", USER, "--json", "--dry-run"],
            br#"{"type": "sticker", "stickerId": "1988"}"#,
            3,
            "`packageId` is missing",
        ),
        (
            vec!["send", USER, "--strict", "--json", "--dry-run"],
            br#"{"media_message": {"url": "https://example.com/a.pdf"}}"#,
            3,
            "strict",
        ),
    ] {
        let ended = run(&arguments, input, &[]);
        assert_eq!(
            ended.code, code,
            "{arguments:?}: {}{}",
            ended.stdout, ended.stderr
        );
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}

#[test]
fn somebody_who_cannot_be_reached_is_told_as_such() {
    let world = World::new();
    world.fault(json!({"kind": "unreachable", "path": "/v2/bot/message/push"}));
    let document = world::push(&world.bearer()).to_string();
    let ended = run(&["run"], document.as_bytes(), &[]);
    assert_eq!(ended.code, 1);
    let output = ended.document();
    assert_eq!(output["error"]["kind"], "bad_request");
    let hint = output["error"]["hint"].as_str().unwrap();
    assert!(hint.starts_with("LINE cannot send to this ID"), "{hint}");
    let code = &output["delivery"]["reason"]["code"];
    assert_eq!(code, "RECIPIENT_NOT_REACHABLE");
}

#[test]
fn a_send_request_of_sinchs_is_taken_as_it_is() {
    let request = |recipient: Value, order: Value| {
        json!({
            "app_id": "01E9DQJFPWGZ2S2B2TWEKJ7BP3",
            "recipient": recipient,
            "channel_priority_order": order,
            "message": {"text_message": {"text": "Text message from Sinch Conversation API."}},
            "channel_properties": {"LINE_OPEN_STATUS": "spring"},
            "ttl": "60s",
        })
        .to_string()
    };
    let line = json!({"identified_by": {"channel_identities": [
        {"channel": "MESSENGER", "identity": "7746490198930851"}, {"channel": "LINE", "identity": USER}]}});
    let ended = run(
        &["send", "--sinch", "--dry-run"],
        request(line.clone(), json!(["LINE"])).as_bytes(),
        &[],
    );
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let body = &ended.document()["request"]["body"];
    assert_eq!(body["to"], USER);
    assert_eq!(body["customAggregationUnits"], json!(["spring"]));
    assert!(ended.stderr.contains("/ttl"), "{}", ended.stderr);
    for (document, says) in [
        (
            request(json!({"contact_id": "01EKJ"}), json!([])),
            "/recipient/contact_id",
        ),
        (
            request(
                json!({"identified_by": {"channel_identities": []}}),
                json!([]),
            ),
            "/recipient",
        ),
        (request(line, json!(["SMS"])), "/channel_priority_order"),
        ("[]".to_owned(), "a JSON object"),
    ] {
        let ended = run(&["send", "--sinch", "--dry-run"], document.as_bytes(), &[]);
        assert_eq!(
            ended.code,
            ExitCode::InvalidInputs as i32,
            "{}",
            ended.stdout
        );
        assert!(ended.stdout.contains(says), "{}", ended.stdout);
    }
}

#[test]
fn composing_sends_nothing_and_says_what_became_of_it() {
    let input = json!({"messages": texts(6), "options": {"emoji": "off"}}).to_string();
    let ended = run(&["compose"], input.as_bytes(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let document = ended.document();
    assert_eq!(document["messages"].as_array().unwrap().len(), 6);
    assert_eq!(document["requests"], 2);
    let ended = run(&["compose", "--text", "--markdown"], b"**bold**", &[]);
    assert_eq!(ended.document()["messages"][0]["text"], "bold");
    let ended = run(&["compose"], br#"{"card_message": {}}"#, &[]);
    assert_eq!(ended.code, ExitCode::InvalidInputs as i32);
    let ended = run(
        &["compose"],
        br#"{"messages": "hi", "options": {"rendr": "flex"}}"#,
        &[],
    );
    assert_eq!(ended.code, ExitCode::Usage as i32);
    assert!(ended.stderr.contains("/options/rendr"), "{}", ended.stderr);
}

#[test]
fn what_describe_shows_takes_what_the_action_takes() {
    let ended = run(&["describe", "send_push_message"], b"", &[]);
    let described = ended.document();
    let schema = jsonschema::validator_for(&described["inputs"]).unwrap();
    let card = json!({"card_message": {"title": "t", "description": "d"}});
    for messages in [
        json!("hi"),
        card.clone(),
        json!(["hi", card, {"type": "text", "text": "x"}]),
        json!([{"type": "text", "text": "x"}]),
    ] {
        let inputs = json!({"json_body": {"to": USER, "messages": messages}});
        assert!(schema.is_valid(&inputs), "{inputs}");
    }
    for messages in [
        json!([]),
        json!([7]),
        json!({"card_message": {"titel": "t"}}),
    ] {
        let inputs = json!({"json_body": {"to": USER, "messages": messages}});
        assert!(!schema.is_valid(&inputs), "{inputs}");
    }
}

#[test]
fn exit_codes_are_those_of_run() {
    let world = World::new();
    let output = send(
        &world,
        "send_push_message",
        json!({"to": USER, "messages": [{"card_message": {}}]}),
        json!({}),
    );
    assert_eq!(exit_code(&output), ExitCode::InvalidInputs);
}

#[test]
fn the_sandbox_takes_whatever_can_be_composed() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/compose");
    let mut sent = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let cases: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for case in cases.as_array().unwrap() {
            let world = World::new();
            let inputs = json!({"to": USER, "messages": expand(&case["items"])});
            let options = case.get("options").map_or(json!({}), expand);
            let output = send(&world, "send_push_message", inputs, options);
            let kind = output.error.as_ref().map(|error| error.kind);
            // What cannot be composed was not sent.
            assert!(
                matches!(kind, None | Some(Kind::InvalidInputs)),
                "{}: {}",
                case["name"],
                output.render()
            );
            sent += usize::from(kind.is_none());
        }
    }
    assert!(sent > 100, "{sent}");
}

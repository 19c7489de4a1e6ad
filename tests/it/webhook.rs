//! LINE's webhooks: which bodies are taken for LINE's, and what events they become. Each file under
//! `tests/cases/webhook` is a body as LINE sends it; its snapshot holds the events without `raw`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use line_connector_catalog::definition::ContentActions;
use line_connector_client::Catalog;
use line_connector_core::describe;
use line_connector_core::encoding;
use line_connector_core::error::{Error, ExitCode, Kind};
use line_connector_core::schema::Schema;
use line_connector_core::webhook::signature::{Refusal, Verifier, verify};
use line_connector_core::webhook::{self, Delivery, Event, Terms, Type};
use line_connector_http::Secret;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::run;

const SECRET: &str = "8c570fa6dd201bb328f1c1eac23a96d8";

/// A minute after the events of the fixtures, by whatever clock the receiver has.
const RECEIVED: Duration = Duration::from_secs(1_705_891_527);

fn sign(secret: &str, body: &[u8]) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    encoding::base64(ring::hmac::sign(&key, body).as_ref())
}

static CONTENT: LazyLock<ContentActions> = LazyLock::new(|| Catalog::embedded().triggers().content);

fn terms() -> Terms<'static> {
    Terms::new(&CONTENT, SystemTime::UNIX_EPOCH + RECEIVED)
}

/// The committed schema of events, made strict: a field that it does not know is a violation.
static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    fn close(schema: &mut Value) {
        match schema {
            Value::Object(members) => {
                members.values_mut().for_each(close);
                let closed = members.get("type") == Some(&json!("object"))
                    && members.contains_key("properties");
                if closed {
                    members.insert("additionalProperties".to_owned(), json!(false));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(close),
            _ => {}
        }
    }
    let mut schema =
        serde_json::from_str(&fs::read_to_string("schemas/event.json").unwrap()).unwrap();
    close(&mut schema);
    Schema::new(&schema, |_: &str| None)
});

/// Reads a signed body, and holds every event against its schema and against the body.
fn read(body: &[u8]) -> Result<Delivery<'_>, Error> {
    let signature = sign(SECRET, body);
    verify(&Secret::new(SECRET), body, Some(&signature)).unwrap();
    let delivery = webhook::read(body, &terms())?;
    let mut from = 0;
    for event in &delivery.events {
        let raw = event.raw.get();
        let text = std::str::from_utf8(&body[from..]).unwrap();
        from += text
            .find(raw)
            .expect("LINE's event, byte for byte, in order")
            + raw.len();
        let mut emitted = without_raw(event);
        emitted["raw"] = json!({});
        let violations = SCHEMA.check(&emitted).violations;
        assert!(violations.is_empty(), "{violations:?}\n{emitted:#}");
        assert_eq!(emitted["type"], event.kind.name());
    }
    Ok(delivery)
}

/// An event as a value. Half a surrogate pair, which LINE may write, is in `raw` and in no value.
fn without_raw(event: &Event<'_>) -> Value {
    let raw = serde_json::from_str("null").unwrap();
    let mut shown = json!(Event {
        raw,
        ..event.clone()
    });
    shown.as_object_mut().unwrap().shift_remove("raw");
    shown
}

#[test]
fn every_event_is_what_its_snapshot_says() {
    let seen = RefCell::new(BTreeSet::new());
    insta::glob!("../cases/webhook", "*.json", |path| {
        let body = fs::read(path).unwrap();
        let delivery = read(&body).unwrap();
        let shown = delivery.events.iter().map(|event| {
            seen.borrow_mut().insert(event.kind.name());
            without_raw(event)
        });
        let shown =
            json!({"destination": delivery.destination, "events": shown.collect::<Value>()});
        insta::with_settings!({omit_expression => true}, {
            insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());
        });
    });
    let every: BTreeSet<&str> = Type::ALL.iter().map(|one| one.name()).collect();
    assert_eq!(seen.into_inner(), every, "every type has a fixture");
}

#[test]
fn the_example_of_every_trigger_becomes_an_event_of_its_type() {
    let triggers = Catalog::embedded().triggers();
    let declared: Vec<&str> = triggers.events.iter().map(|one| &*one.name).collect();
    let every: Vec<&str> = Type::ALL.iter().map(|one| one.name()).collect();
    assert_eq!(declared, every, "the manifest's triggers are the types");
    for trigger in &triggers.events {
        let body = json!({"destination": "U", "events": [trigger.example]}).to_string();
        let delivery = read(body.as_bytes()).unwrap();
        assert_eq!(delivery.events[0].kind.name(), trigger.name);
        assert!(delivery.events[0].id().is_some());
    }
}

#[test]
fn the_signatures_of_the_reference_are_good() {
    for (secret, body, signature) in [
        (
            SECRET,
            r#"{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}"#,
            "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs=",
        ),
        (
            "channel_secret",
            "bodybodybodybody",
            "/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=",
        ),
        (
            "channel_secret",
            "",
            "vJLnk//5JDP+T9L63iYGCdSsZhleMdxb4VxTS/9ePUg=",
        ),
        (
            "channel_secret",
            r#"{"destination":"U00000000000000000000000000000000","events":[]}"#,
            "vqCGOKtzhgNuhqT2fdCOTvbPT8TZVAuGv7jE96aaTC8=",
        ),
    ] {
        let verifier = Verifier::new(&Secret::new(secret));
        assert_eq!(verifier.verify(body.as_bytes(), Some(signature)), Ok(()));
    }
}

/// A body as LINE writes it, with an escape that a parser would resolve.
const BODY: &str = r#"{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[{"type":"message","message":{"type":"text","id":"1","text":"\ud83d\ude00"}}]}"#;

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let verifier = Verifier::new(&Secret::new(SECRET));
    let signature = sign(SECRET, BODY.as_bytes());
    assert_eq!(verifier.verify(BODY.as_bytes(), Some(&signature)), Ok(()));
    for bit in 0..BODY.len() * 8 {
        let mut body = BODY.as_bytes().to_vec();
        body[bit / 8] ^= 1 << (bit % 8);
        let judged = verifier.verify(&body, Some(&signature));
        assert_eq!(judged, Err(Refusal::Mismatch), "bit {bit} of the body");
    }
    for bit in 0..signature.len() * 8 {
        let mut flipped = signature.clone().into_bytes();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // A header that is not text never becomes a string.
        if let Ok(flipped) = String::from_utf8(flipped) {
            let judged = verifier.verify(BODY.as_bytes(), Some(&flipped));
            assert!(judged.is_err(), "bit {bit} of the signature: {flipped}");
        }
    }
}

#[test]
fn a_body_that_was_written_again_is_refused() {
    let verifier = Verifier::new(&Secret::new(SECRET));
    let signature = sign(SECRET, BODY.as_bytes());
    let parsed: Value = serde_json::from_str(BODY).unwrap();
    for written in [
        parsed.to_string(),
        serde_json::to_string_pretty(&parsed).unwrap(),
        format!("{BODY}\n"),
        format!("{BODY} "),
        format!(" {BODY}"),
        format!("\u{feff}{BODY}"),
        BODY.replace(r"\ud83d\ude00", r"\uD83D\uDE00"),
        String::new(),
    ] {
        let judged = verifier.verify(written.as_bytes(), Some(&signature));
        assert_eq!(judged, Err(Refusal::Mismatch), "{written}");
    }
}

#[test]
fn what_is_no_signature_of_this_channel_is_refused() {
    let good = sign(SECRET, BODY.as_bytes());
    let bytes = encoding::from_base64(&good).unwrap();
    let hexadecimal = bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let other = |secret: &str| sign(secret, BODY.as_bytes());
    for (signature, expected) in [
        (None, Refusal::Missing),
        (Some(String::new()), Refusal::Malformed),
        (Some("invalid_signature".to_owned()), Refusal::Malformed),
        (Some(good[..43].to_owned()), Refusal::Malformed),
        (Some(good[..40].to_owned()), Refusal::Malformed),
        (Some(format!("{good}=")), Refusal::Malformed),
        (Some(format!("{good}\n")), Refusal::Malformed),
        (Some(format!(" {good}")), Refusal::Malformed),
        (Some(format!(" {}", &good[..43])), Refusal::Malformed),
        (Some(format!("{}\n", &good[..43])), Refusal::Malformed),
        (Some(format!("{good},{good}")), Refusal::Malformed),
        (Some("!".repeat(44)), Refusal::Malformed),
        (Some("é".repeat(22)), Refusal::Malformed),
        (Some("A".repeat(44)), Refusal::Mismatch),
        (Some(format!("{}=", "A".repeat(43))), Refusal::Mismatch),
        (Some(hexadecimal), Refusal::Malformed),
        (
            Some(other("8c570fa6dd201bb328f1c1eac23a96d9")),
            Refusal::Mismatch,
        ),
        (Some(other("")), Refusal::Mismatch),
        (Some(sign(SECRET, b"another body")), Refusal::Mismatch),
    ] {
        let judged = verify(&Secret::new(SECRET), BODY.as_bytes(), signature.as_deref());
        assert_eq!(judged, Err(expected), "{signature:?}");
        let error = Error::from(expected);
        assert_eq!(error.kind.exit_code(), ExitCode::Untrusted);
        assert!(!error.to_string().contains("U8e742f61"));
    }
}

/// Base64 with `-` and `_` is another alphabet, even where the bytes would be right.
#[test]
fn a_signature_in_base64url_is_refused() {
    let bodies = (0..).map(|number: u32| format!("{{\"n\":{number}}}"));
    let signed = bodies.map(|body| (sign(SECRET, body.as_bytes()), body));
    let (signature, body) = signed
        .take(1000)
        .find(|(signature, _)| signature.contains(['+', '/']))
        .unwrap();
    let written = signature.replace('+', "-").replace('/', "_");
    let judged = verify(&Secret::new(SECRET), body.as_bytes(), Some(&written));
    assert_eq!(judged, Err(Refusal::Malformed));
}

#[test]
fn the_destination_is_found_before_anything_is_verified() {
    let found =
        |body: &str| webhook::destination(body.as_bytes()).map(std::borrow::Cow::into_owned);
    assert_eq!(
        found(BODY).as_deref(),
        Some("U8e742f61d673b39c7fff3cecb7536ef0")
    );
    assert_eq!(
        found(r#"{"events":[],"destination":"U1"}"#).as_deref(),
        Some("U1")
    );
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"destination":""}"#,
        r#"{"destination":["U1"]}"#,
    ] {
        assert_eq!(found(body), None, "{body}");
    }
    assert_eq!(webhook::destination(b"{\"destination\":\"\xff\"}"), None);
}

#[test]
fn a_signed_body_that_is_no_webhook_is_an_error_that_quotes_nothing() {
    for body in [
        "",
        "bodybodybodybody",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"events":[]}"#,
        r#"{"destination":"Uprivate"}"#,
        r#"{"destination":"Uprivate","events":{}}"#,
        r#"{"destination":{"Uprivate":1},"events":[]}"#,
        r#"{"destination":"Uprivate","events":[],"destination":"U2"}"#,
        r#"{"destination":"Uprivate","events":[]} {}"#,
        r#"{"destination":"Uprivate","events":[{"type":"follow"]}"#,
    ] {
        let error = webhook::read(body.as_bytes(), &terms()).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidDocument, "{body}");
        assert!(!error.to_string().contains("Uprivate"), "{error}");
    }
    let bytes = b"{\"destination\":\"U\xff\",\"events\":[]}";
    assert!(webhook::read(bytes, &terms()).is_err());
}

#[test]
fn the_chat_of_an_event_is_the_widest_place_that_it_has() {
    let body = json!({"destination": "U", "events": [
        {"type": "message", "source": {"type": "group", "groupId": "C1", "userId": "U1"}},
        {"type": "message", "source": {"type": "room", "roomId": "R1", "userId": "U1"}},
        {"type": "follow", "source": {"type": "user", "userId": "U1"}},
        {"type": "delivery"},
    ]})
    .to_string();
    let delivery = webhook::read(body.as_bytes(), &terms()).unwrap();
    let chats: Vec<String> = delivery.events.iter().map(Event::chat).collect();
    assert_eq!(chats, ["C1", "R1", "U1", ""]);
}

/// Deep and large events go through: whatever is not understood is not walked either.
#[test]
fn a_deep_event_and_a_long_text_go_through() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = "🍎".repeat(400_000);
    let body = format!(
        r#"{{"destination":"U","events":[{{"type":"new","x":{deep}}},{{"type":"message","message":{{"type":"text","text":"{long}(love)","emojis":[{{"index":800000,"length":6,"productId":"p","emojiId":"e"}}]}}}}]}}"#
    );
    let delivery = webhook::read(body.as_bytes(), &terms()).unwrap();
    assert_eq!(delivery.events[0].kind, Type::Unknown);
    let text = delivery.events[1].message.as_ref().unwrap().text.as_deref();
    assert!(text.unwrap().ends_with("🍎[emoji:p:e]"));
    assert!(serde_json::to_string(&delivery).unwrap().contains(&deep));
}

#[test]
fn the_calls_that_fetch_content_can_be_made_as_they_stand() {
    for name in [
        "message_image",
        "message_video",
        "message_audio",
        "message_file",
    ] {
        let body = fs::read_to_string(format!("tests/cases/webhook/{name}.json")).unwrap();
        let answer = webhook(&body).document();
        let message = &answer["events"][0]["message"];
        let id = message["id"].as_str().unwrap();
        for part in ["fetch", "fetch_preview"] {
            let pictured = ["message_image", "message_video"].contains(&name);
            let Some(invocation) = message["media"].get(part) else {
                assert!(part == "fetch_preview" && !pictured, "{name} has no {part}");
                continue;
            };
            let ended = run(
                &["run", "--dry-run"],
                invocation.to_string().as_bytes(),
                &[],
            );
            assert_eq!(ended.code, 0, "{}", ended.stderr);
            let url = ended.document()["request"]["url"].to_string();
            assert!(url.contains(&format!("/{id}/content")), "{url}");
            assert_eq!(url.contains("preview"), part == "fetch_preview");
        }
    }
}

/// The `webhook` command with a body that is signed.
fn webhook(body: &str) -> crate::world::Ended {
    let document = json!({
        "id": ["step", 7],
        "asset": {"client_secret": SECRET},
        "request": {"headers": {"X-Line-Signature": sign(SECRET, body.as_bytes())}, "body": body},
    });
    run(&["webhook"], document.to_string().as_bytes(), &[])
}

#[test]
fn the_command_answers_with_the_events() {
    let ended = webhook(BODY);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(ended.stderr, "");
    assert_eq!(ended.stdout.lines().count(), 1);
    let answer = ended.document();
    assert_eq!(answer["id"], json!(["step", 7]));
    assert_eq!(answer["destination"], "U8e742f61d673b39c7fff3cecb7536ef0");
    assert_eq!(answer["events"][0]["type"], "message.text");
    assert_eq!(answer["events"][0]["message"]["text"], "😀");
    assert!(
        ended.stdout.contains(r#""text":"\ud83d\ude00""#),
        "`raw` is LINE's bytes"
    );
    assert!(!ended.stdout.contains(SECRET));
}

#[test]
fn what_usual_readers_of_json_cannot_take_comes_as_text() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for (value, is_text) in [
        (nested(100), false),
        ("9".repeat(300), false),
        (r#""[[[ 1e999 \ud800""#.to_owned(), false),
        (nested(100_000), true),
        ("9".repeat(100_000), true),
        ("-1e999".to_owned(), true),
    ] {
        let event = format!(
            r#"{{"type":"unsend","webhookEventId":"01A","unsend":{{"messageId":"7"}},"new":{value}}}"#
        );
        let body = format!(r#"{{"destination":"U1","events":[{event}]}}"#);
        let ended = webhook(&body);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert_eq!(ended.stdout.contains(&format!("\"raw\":{event}")), !is_text);
        if is_text {
            let told = &ended.document()["events"][0];
            assert_eq!(told["raw"], event, "nothing is lost");
            assert_eq!(
                (&told["type"], &told["id"]),
                (&json!("message.unsent"), &json!("01A"))
            );
            assert_eq!(told["message"]["id"], "7");
        }
    }
}

#[test]
fn the_command_takes_headers_and_bodies_as_platforms_have_them() {
    let signature = sign(SECRET, BODY.as_bytes());
    let base64 = encoding::base64(BODY.as_bytes());
    let extra = json!({"url": "https://example.com", "token": "t", "client_secret": SECRET});
    for request in [
        json!({"headers": {"x-line-signature": signature}, "body": BODY}),
        json!({"headers": {"X-LINE-SIGNATURE": [signature], "Host": ["a", "b"], "n": 1}, "body": BODY}),
        json!({"headers": {"x-line-signature": [signature, signature]}, "body_base64": base64}),
        json!({"headers": {"X-Line-Signature": signature}, "body": null, "body_base64": base64}),
    ] {
        let document = json!({"asset": extra, "request": request}).to_string();
        let ended = run(&["webhook"], document.as_bytes(), &[]);
        assert_eq!(ended.code, 0, "{request}: {}", ended.stderr);
        assert_eq!(ended.document()["events"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn the_answer_is_one_line_however_the_body_is_written() {
    let value: Value = serde_json::from_str(BODY).unwrap();
    let body = serde_json::to_string_pretty(&value)
        .unwrap()
        .replace('\n', "\r\n");
    let request =
        json!({"headers": {"x-line-signature": sign(SECRET, body.as_bytes())}, "body": body});
    let document = json!({"asset": {"client_secret": SECRET}, "request": request}).to_string();
    let ended = run(&["webhook"], document.as_bytes(), &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(
        ended.stdout.trim_end().lines().count(),
        1,
        "{}",
        ended.stdout
    );
}

/// The document's secret decides before the file's, and the file's before the environment's.
#[test]
fn the_secret_comes_from_the_document_the_file_or_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: Value| {
        let path = folder.path().join(name);
        fs::write(&path, content.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let right = file("right.json", json!({"client_secret": SECRET, "token": "t"}));
    let wrong = file("wrong.json", json!({"client_secret": "wrong"}));
    let request =
        json!({"headers": {"x-line-signature": sign(SECRET, BODY.as_bytes())}, "body": BODY});
    let attempt = |asset: Value, file: Option<&str>, environment: &str| {
        let document = json!({"asset": asset, "request": request}).to_string();
        let arguments: Vec<&str> = match file {
            Some(file) => vec!["webhook", "--asset", file],
            None => vec!["webhook"],
        };
        let environment = [("LINE_CLIENT_SECRET", environment)];
        run(&arguments, document.as_bytes(), &environment).code
    };
    assert_eq!(
        attempt(json!({"client_secret": SECRET}), Some(&wrong), "wrong"),
        0
    );
    assert_eq!(attempt(json!({}), Some(&right), "wrong"), 0);
    assert_eq!(attempt(json!({"client_secret": null}), None, SECRET), 0);
    assert_eq!(attempt(json!({"client_secret": ""}), None, SECRET), 0);
    assert_eq!(
        attempt(json!({"client_secret": "wrong"}), Some(&right), SECRET),
        6
    );
    assert_eq!(attempt(json!({}), Some(&wrong), SECRET), 6);
    assert_eq!(
        attempt(json!({"client_secret": 7}), Some(&right), SECRET),
        2
    );
    assert_eq!(attempt(json!({"client_secert": SECRET}), None, ""), 4);
}

#[test]
fn a_refused_webhook_says_nothing_about_its_body_or_its_secret() {
    let good = sign(SECRET, BODY.as_bytes());
    for headers in [
        json!({}),
        json!({"x-line-signature": ""}),
        json!({"x-line-signature": []}),
        json!({"x-line-signature": sign("another", BODY.as_bytes())}),
        json!({"x-line-signature": [good, sign("another", BODY.as_bytes())]}),
        json!({"x-line-signature": good, "X-Line-Signature": sign("another", BODY.as_bytes())}),
    ] {
        let document = json!({"id": 7, "asset": {"client_secret": SECRET},
            "request": {"headers": headers, "body": BODY}});
        let ended = run(&["webhook"], document.to_string().as_bytes(), &[]);
        assert_eq!(ended.code, 6, "{headers}");
        let answer = ended.document();
        assert_eq!(answer["id"], 7);
        assert_eq!(answer["error"]["kind"], "invalid_signature");
        assert!(answer.get("events").is_none() && answer.get("destination").is_none());
        for text in [&ended.stdout, &ended.stderr] {
            assert!(
                !text.contains("U8e742f61") && !text.contains("ud83d"),
                "{text}"
            );
            assert!(!text.contains(SECRET) && !text.contains(&good), "{text}");
        }
    }
}

/// What the command says of a refused request: each detail's place, and its text with the hint.
fn refused(secret: &str, request: &Value) -> Vec<(String, String)> {
    let document = json!({"asset": {"client_secret": secret}, "request": request});
    let ended = run(&["webhook"], document.to_string().as_bytes(), &[]);
    assert_eq!(ended.code, 6, "{request} {}", ended.stderr);
    assert!(!ended.stdout.contains("U8e742f61"), "{}", ended.stdout);
    let details = ended.document()["error"]["details"].clone();
    let details = details.as_array().cloned().unwrap_or_default();
    let text = |detail: &Value, key: &str| detail[key].as_str().unwrap_or_default().to_owned();
    details
        .iter()
        .map(|detail| {
            let told = format!("{} | {}", text(detail, "message"), text(detail, "hint"));
            (text(detail, "path"), told)
        })
        .collect()
}

#[test]
fn what_happened_to_a_body_on_its_way_is_told() {
    let headers = json!({"x-line-signature": sign(SECRET, BODY.as_bytes())});
    let value: Value = serde_json::from_str(BODY).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    let base64 = encoding::base64(BODY.as_bytes());
    let wrapped = base64
        .as_bytes()
        .chunks(76)
        .fold(String::new(), |text, line| {
            text + str::from_utf8(line).unwrap() + "\n"
        });
    let url_safe = base64.replace('+', "-").replace('/', "_");
    let sorted = format!(r#"{{"a":1,{}"#, &BODY[1..]);
    for (body, words) in [
        (String::new(), "is empty | something read it before"),
        (
            base64.clone(),
            "is base64 of a body | give it as `body_base64`",
        ),
        (wrapped, "is base64 of a body"),
        (
            url_safe.trim_end_matches('=').to_owned(),
            "is base64 of a body",
        ),
        (
            format!("data:application/json;base64,{base64}"),
            "is base64 of a body",
        ),
        (
            pretty.clone(),
            "was parsed and written again, or reformatted",
        ),
        (
            pretty.replace('\n', "\r\n"),
            "was parsed and written again, or reformatted",
        ),
        (
            BODY.replace(':', ": "),
            "was parsed and written again, or reformatted",
        ),
        (
            format!("{BODY}\n"),
            "was parsed and written again, or reformatted",
        ),
        (BODY.replace("\":\"", "\":\"a\\/"), "it has escaped slashes"),
        (BODY.replace(r"\ud83d\ude00", "\u{fffd}"), "holds U+FFFD"),
        (sorted, "does not begin with `destination`"),
        (format!("\u{feff}{BODY}"), "begins with a byte order mark"),
        (
            Value::from(BODY).to_string(),
            "is JSON inside a JSON string",
        ),
        (
            BODY.replace('{', "%7B").replace('"', "%22"),
            "is percent-encoded",
        ),
        ("[object Object]".to_owned(), "is no JSON object"),
        ("destination=U1&events=".to_owned(), "is no JSON object"),
        (BODY.replace('"', "'"), "printed by a program"),
        (BODY[..BODY.len() - 2].to_owned(), "it was cut"),
    ] {
        let told = refused(SECRET, &json!({"headers": headers, "body": body}));
        assert_eq!(told.len(), 1, "{body} {told:?}");
        assert_eq!(told[0].0, "/request/body", "{body}");
        assert!(told[0].1.contains(words), "{body} {told:?}");
    }
    for (bytes, words) in [
        (&b"\x1f\x8b\x08\0"[..], "compressed (gzip)"),
        (b"{\"a\":\"\x82\xa0\"}", "is not UTF-8"),
    ] {
        let request = json!({"headers": headers, "body_base64": encoding::base64(bytes)});
        let told = refused(SECRET, &request);
        assert_eq!(told[0].0, "/request/body_base64");
        assert!(told[0].1.contains(words), "{told:?}");
    }
    // Where nothing is to be seen, nothing is said.
    let other = json!({"x-line-signature": sign("another", BODY.as_bytes())});
    let told = refused(SECRET, &json!({"headers": other, "body": BODY}));
    assert_eq!(told, []);
}

#[test]
fn a_signature_that_cannot_be_one_is_told_what_it_is() {
    let good = sign(SECRET, BODY.as_bytes());
    let bytes = encoding::from_base64(&good).unwrap();
    let hexadecimal = bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let header = "/request/headers/x-line-signature";
    for (headers, path, words) in [
        (
            json!({"x-line-signature": hexadecimal}),
            header,
            "is hexadecimal",
        ),
        (
            json!({"x-line-signature": hexadecimal.to_uppercase()}),
            header,
            "is hexadecimal",
        ),
        (
            json!({"x-line-signature": format!("sha256={hexadecimal}")}),
            header,
            "begins with `sha256=`",
        ),
        (
            json!({"x-line-signature": format!("{good}\n")}),
            header,
            "has white space around it",
        ),
        (
            json!({"x-line-signature": format!(" {good}")}),
            header,
            "has white space around it",
        ),
        (
            json!({"x-line-signature": format!("\"{good}\"")}),
            header,
            "is in quotation marks",
        ),
        (
            json!({"x-line-signature": format!("{good}, {good}")}),
            header,
            "holds several values",
        ),
        (
            json!({"x-line-signature": good.replace('=', "%3D")}),
            header,
            "is percent-encoded",
        ),
        (
            json!({"x-line-signature": good.trim_end_matches('=')}),
            header,
            "without its `=`",
        ),
        (json!({"x-line-signature": ""}), header, "is empty"),
        (
            json!({"x-line-signature": good, "X-Line-Signature": "other"}),
            header,
            "more than once",
        ),
        (
            json!({"HTTP_X_LINE_SIGNATURE": good}),
            "/request/headers/HTTP_X_LINE_SIGNATURE",
            "call it `x-line-signature`",
        ),
        (
            json!({"x_line_signature": good}),
            "/request/headers/x_line_signature",
            "call it `x-line-signature`",
        ),
        (
            json!({"X-Line-Signature:": good}),
            "/request/headers/X-Line-Signature:",
            "call it `x-line-signature`",
        ),
        (json!({}), "/request/headers", "no header was handed over"),
    ] {
        let told = refused(SECRET, &json!({"headers": headers, "body": BODY}));
        assert_eq!(told.len(), 1, "{headers} {told:?}");
        assert_eq!(told[0].0, path, "{headers}");
        assert!(told[0].1.contains(words), "{headers} {told:?}");
        assert!(!told[0].1.contains(&good));
    }
    let told = refused(SECRET, &json!({"headers": {"Host": "a"}, "body": BODY}));
    assert_eq!(told, []);
}

#[test]
fn a_secret_that_is_not_like_lines_is_told_where_the_signature_fails() {
    let headers = json!({"x-line-signature": sign(SECRET, BODY.as_bytes())});
    let request = json!({"headers": headers, "body": BODY});
    for secret in [
        "1656000000",
        &SECRET[..31],
        &format!("{SECRET}0"),
        &SECRET.replace('8', "g"),
        "Bearer",
        &"eyJhbGciOiJIUzI1NiJ9+/=".repeat(7),
    ] {
        let told = refused(secret, &request);
        assert_eq!(told.len(), 1, "{secret} {told:?}");
        assert_eq!(told[0].0, "/asset/client_secret");
        assert!(told[0].1.contains("Basic settings tab"), "{told:?}");
        assert!(secret == "Bearer" || !told[0].1.contains(secret));
    }
    for secret in [
        format!("{SECRET}\n"),
        format!("{SECRET}\r\n"),
        format!(" {SECRET}"),
        format!("{SECRET}\u{a0}"),
        format!("{}\t{}", &SECRET[..4], &SECRET[4..]),
    ] {
        let document = json!({"asset": {"client_secret": secret}, "request": request});
        let ended = run(&["webhook"], document.to_string().as_bytes(), &[]);
        let error = &ended.document()["error"];
        assert_eq!(error["kind"], "invalid_asset");
        assert_eq!(error["details"][0]["path"], "/asset/client_secret");
        let message = error["details"][0]["message"].as_str().unwrap();
        assert!(message.contains("white space or a line end"), "{message}");
        assert!(!ended.stdout.contains(&SECRET[4..]));
    }
}

#[test]
fn a_document_that_is_wrong_is_told_where_without_its_values() {
    let signed = json!({"x-line-signature": sign(SECRET, BODY.as_bytes())});
    for (document, path) in [
        (json!({"asset": SECRET, "request": {"body": ""}}), "/asset"),
        (json!({"asset": {}}), "/request/body"),
        (json!({"request": []}), "/request"),
        (json!({"request": {"headers": signed}}), "/request/body"),
        (
            json!({"request": {"headers": "x", "body": BODY}}),
            "/request/headers",
        ),
        (
            json!({"request": {"headers": {"X-Line-Signature": 7}, "body": BODY}}),
            "/request/headers/X-Line-Signature",
        ),
        (
            json!({"request": {"headers": signed, "body": {"destination": "Uprivate"}}}),
            "/request/body",
        ),
        (
            json!({"request": {"headers": signed, "body_base64": "Uprivate!"}}),
            "/request/body_base64",
        ),
        (
            json!({"request": {"headers": signed, "body_base64": 7}}),
            "/request/body_base64",
        ),
        (
            json!({"request": {"body": BODY, "body_base64": "e30="}}),
            "/request/body_base64",
        ),
        (
            json!({"request": {"header": signed, "body": BODY}}),
            "/request/header",
        ),
        (json!({"aset": {}, "request": {"body": BODY}}), "/aset"),
    ] {
        let ended = run(&["webhook"], document.to_string().as_bytes(), &[]);
        assert_eq!(ended.code, 2, "{document}");
        let error = &ended.document()["error"];
        assert_eq!(error["kind"], "invalid_document", "{document}");
        assert_eq!(error["details"][0]["path"], path, "{document}");
        assert!(!ended.stdout.contains(SECRET) && !ended.stdout.contains("Uprivate"));
    }
    for text in ["", "{", "[]", "7"] {
        let ended = run(&["webhook"], text.as_bytes(), &[]);
        assert_eq!((ended.code, ended.stdout.lines().count()), (2, 1), "{text}");
    }
    assert_eq!(
        run(&["webhook", "--nonsense"], b"", &[]).document()["error"]["kind"],
        "usage"
    );
}

#[test]
fn a_signed_body_of_something_else_ends_the_command_with_2() {
    let ended = webhook("bodybodybodybody");
    assert_eq!(ended.code, 2);
    assert_eq!(ended.document()["error"]["kind"], "invalid_document");
    assert!(!ended.stdout.contains("bodybody"));
    let probe = webhook(r#"{"destination":"U1","events":[]}"#);
    assert_eq!(probe.code, 0);
    assert_eq!(probe.document()["events"], json!([]));
}

#[test]
fn lists_and_descriptions_show_the_triggers() {
    let listed = run(&["list", "--json"], b"", &[]).document();
    let of = |kind: &str| -> Vec<&Value> {
        let all = listed.as_array().unwrap().iter();
        all.filter(|entry| entry["kind"] == kind).collect()
    };
    assert_eq!(of("action").len(), Catalog::embedded().entries().len());
    assert_eq!(of("trigger").len(), Type::ALL.len());
    assert!(
        of("action")
            .iter()
            .all(|action| action["endpoint"].is_string())
    );
    let described = run(&["describe", "opt_in"], b"", &[]).document();
    assert_eq!(described["event"], "follow");
    assert_eq!(described["example"]["type"], "opt_in");
    assert_eq!(described["example"]["raw"]["type"], "follow");
    assert_eq!(described["emits"]["properties"]["type"]["const"], "opt_in");
    let emits = Schema::new(&described["emits"], |_: &str| None);
    assert!(emits.check(&described["example"]).violations.is_empty());
    let mut other = described["example"].clone();
    other["type"] = json!("opt_out");
    assert!(!emits.check(&other).violations.is_empty());
    let whole = describe::connector(&Catalog::embedded());
    assert_eq!(whole["triggers"].as_array().unwrap().len(), Type::ALL.len());
    assert!(
        whole["event"]["properties"]["raw"].is_object()
            || whole["event"]["properties"]["raw"] == true
    );
}

/// Words of LINE's, so that arbitrary JSON comes near to an event.
fn word() -> impl Strategy<Value = String> {
    let known = [
        "type",
        "message",
        "text",
        "image",
        "file",
        "sticker",
        "location",
        "postback",
        "follow",
        "data",
        "params",
        "source",
        "user",
        "userId",
        "group",
        "groupId",
        "timestamp",
        "mode",
        "webhookEventId",
        "deliveryContext",
        "isRedelivery",
        "replyToken",
        "emojis",
        "index",
        "length",
        "productId",
        "emojiId",
        "mention",
        "mentionees",
        "contentProvider",
        "line",
        "membership",
        "membershipId",
        "joined",
        "members",
        "module",
        "attached",
        "scopes",
        "memberJoined",
        "activated",
        "chatControl",
        "expireAt",
        "id",
        "a=1&b=2",
    ];
    prop_oneof![
        4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..40_i64).prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..6).prop_map(Value::from),
            3 => vec((word(), inner), 0..8).prop_map(|all| all.into_iter().collect()),
        ]
    })
}

/// A text message with emoji and mentions at arbitrary places, some of them right.
fn marked_text() -> impl Strategy<Value = Value> {
    let place = || (0..40_usize, 0..8_usize);
    ("[a-c()🍎日\\[\\]:]{0,30}", vec(place(), 0..6), vec(place(), 0..4)).prop_map(
        |(text, emojis, mentionees)| {
            let emoji = |(number, (index, length)): (usize, (usize, usize))| {
                json!({"index": index, "length": length, "productId": "p🍎", "emojiId": number.to_string()})
            };
            let emojis: Vec<Value> = emojis.into_iter().enumerate().map(emoji).collect();
            let mentionee = |(index, length)| json!({"index": index, "length": length, "type": "user"});
            let mentionees: Vec<Value> = mentionees.into_iter().map(mentionee).collect();
            json!({"type": "message", "message": {"type": "text", "text": text, "emojis": emojis,
                "mention": {"mentionees": mentionees}}})
        },
    )
}

fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_read_or_refused(body in vec(any::<u8>(), 0..200)) {
        let _ = webhook::destination(&body);
        if let Err(error) = webhook::read(&body, &terms()) {
            prop_assert_eq!(error.kind, Kind::InvalidDocument);
        }
    }

    #[test]
    fn any_events_are_events_of_the_schema(events in vec(json_value(), 0..5), rest in json_value()) {

        let body = json!({"new": rest, "destination": "U1", "events": events}).to_string();
        let delivery = read(body.as_bytes()).unwrap();
        prop_assert_eq!(delivery.events.len(), events.len());
        prop_assert_eq!(&*delivery.destination, "U1");
    }

    #[test]
    fn any_document_is_a_delivery_or_a_clean_error(document in json_value()) {
        let text = document.to_string();
        match webhook::read(text.as_bytes(), &terms()) {
            Ok(delivery) => prop_assert!(!delivery.destination.is_empty()),
            Err(error) => prop_assert_eq!(error.kind, Kind::InvalidDocument),
        }
    }

    /// Every span shows what it says, and with its emoji put back the text is LINE's.
    #[test]
    fn spans_lead_to_what_they_name(event in marked_text()) {

        let body = json!({"destination": "U1", "events": [event]}).to_string();
        let delivery = read(body.as_bytes()).unwrap();
        let message = delivery.events[0].message.as_ref().unwrap();
        let literal = units(event["message"]["text"].as_str().unwrap());
        let text = units(message.text.as_deref().unwrap());
        prop_assert_eq!(message.literal_text.is_some(), !message.emojis.is_empty());
        for mention in &message.mentions {
            if let Some(span) = mention.span {
                let shown = String::from_utf16(&text[span.start..span.end]).unwrap();
                prop_assert_eq!(Some(shown), mention.text.clone());
            }
        }
        let mut restored: Vec<u16> = Vec::new();
        let mut from = 0;
        for emoji in &message.emojis {
            let markup = format!("[emoji:{}:{}]", emoji.product_id, emoji.emoji_id);
            prop_assert_eq!(&text[emoji.span.start..emoji.span.end], &units(&markup)[..]);
            let number: usize = emoji.emoji_id.parse().unwrap();
            let was = &event["message"]["emojis"][number];
            let [index, length] = ["index", "length"].map(|key| usize::try_from(was[key].as_u64().unwrap()).unwrap());
            restored.extend_from_slice(&text[from..emoji.span.start]);
            prop_assert_eq!(restored.len(), index);
            restored.extend_from_slice(&literal[index..index + length]);
            from = emoji.span.end;
        }
        restored.extend_from_slice(&text[from..]);
        prop_assert_eq!(restored, literal);
    }
}

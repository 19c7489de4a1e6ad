//! Documents that would cost far more memory or time than their bytes: what repeats a mistake, a template
//! or itself. Each is answered, in one process that may not have much memory.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The address space that the process may have, KiB; it begins with some 100 MiB.
const MOST_KIB: u64 = 768 * 1024;
const USER: &str = "U4af4980629f0b5a3c3d6b8a1d2e3f405";

fn push(messages: &Value, options: &Value) -> Value {
    json!({
        "action": "push_message",
        "inputs": {"to": USER, "messages": messages},
        "options": options,
    })
}

fn one(message: &Value) -> Value {
    push(&json!([message]), &json!({}))
}

fn template(parameters: &Value) -> Value {
    let reference = json!({"template_id": "x", "version": "1", "parameters": parameters});
    json!({"template_message": {"channel_template": {"LINE": reference}}})
}

fn names(prefix: &str, count: usize, value: &Value) -> Value {
    let member = |index| (format!("{prefix}{index}"), value.clone());
    Value::Object((0..count).map(member).collect())
}

/// A name, a document, and a part of the answer that says what it is refused for, if it is.
type Case = (&'static str, Value, &'static str);

const MANY: usize = 8_000;

/// Lists in which every item is wrong.
fn mistakes() -> Vec<Case> {
    let area = json!({"x": 1, "y": 1, "width": 2000, "height": 2});
    let bubble = |size: &str| json!({"type": "bubble", "size": size});
    let column = json!({"text": "a", "title": "t", "actions": [1]});
    let mut bubbles = vec![bubble("giga"); MANY];
    bubbles.insert(0, bubble("nano"));
    vec![
        (
            "the same user again and again",
            json!({"action": "multicast_message", "inputs": {"to": vec![USER; MANY], "messages": ["a"]}}),
            "/to",
        ),
        (
            "emojis that point nowhere",
            one(
                &json!({"type": "text", "text": "$".repeat(MANY), "emojis": vec![json!({"index": 1, "productId": "p", "emojiId": "e"}); MANY]}),
            ),
            "/messages/0/emojis",
        ),
        (
            "places of many `$`",
            one(
                &json!({"type": "text", "text": "$".repeat(1 << 20), "emojis": vec![json!({"index": 1 << 30, "productId": "p", "emojiId": "e"}); 20]}),
            ),
            "does not point at a `$`",
        ),
        (
            "quick replies that nobody sees",
            push(
                &json!(vec![
                    json!({"type": "text", "text": "a", "quickReply": {"items": []}});
                    MANY
                ]),
                &json!({}),
            ),
            "/messages",
        ),
        (
            "mentions in a broadcast",
            json!({"action": "broadcast_message", "inputs": {"messages": vec![json!({"type": "textV2", "text": "{a}", "substitution": {"a": {"type": "mention", "mentionee": {"type": "all"}}}}); MANY]}}),
            "/messages",
        ),
        (
            "columns that differ",
            one(
                &json!({"type": "template", "altText": "a", "template": {"type": "carousel", "columns": vec![column; MANY]}}),
            ),
            "/columns",
        ),
        (
            "areas beyond the picture",
            one(
                &json!({"type": "imagemap", "altText": "a", "baseUrl": "https://a", "baseSize": {"width": 1040, "height": 10}, "actions": vec![json!({"type": "message", "text": "a", "area": area}); MANY]}),
            ),
            "/actions",
        ),
        (
            "bubbles of differing sizes",
            one(
                &json!({"type": "flex", "altText": "a", "contents": {"type": "carousel", "contents": bubbles}}),
            ),
            "/contents",
        ),
        (
            "operations on one rich menu",
            json!({"action": "batch_rich_menus", "inputs": {"operations": vec![json!({"type": "unlink", "from": "richmenu-1"}); MANY]}}),
            "/operations",
        ),
        (
            "items that must differ",
            json!({"action": "list_coupons", "inputs": {"status": (0..60_000).map(|n| [n]).collect::<Vec<_>>()}}),
            "/status/0",
        ),
        (
            "many substitutions for many places",
            one(
                &json!({"type": "textV2", "text": "{a}".repeat(MANY), "substitution": names("k", MANY, &json!({"type": "emoji"}))}),
            ),
            "/substitution",
        ),
        (
            "members that nobody knows",
            one(&{
                let mut message = names("k", 60_000, &json!(1));
                message["type"] = "text".into();
                message
            }),
            "/messages/0/k0",
        ),
    ]
}

/// What becomes much more than it is.
fn growing() -> Vec<Case> {
    vec![
        (
            "one template many times",
            push(
                &json!(vec![template(&json!({})); MANY]),
                &json!({"templates": {"x": vec!["a".repeat(20_000); 5]}}),
            ),
            "becomes too large",
        ),
        (
            "one parameter many times",
            push(
                &json!([template(&json!({"p": "b".repeat(100_000)}))]),
                &json!({"templates": {"x": "${p}".repeat(MANY)}}),
            ),
            "becomes too large",
        ),
        (
            "many texts",
            push(&json!(vec!["a"; 200_000]), &json!({})),
            "becomes too large",
        ),
        (
            "Markdown that is read by the square of its length",
            push(
                &json!(["[a]: <b> \"c".repeat(60_000)]),
                &json!({"markdown": "plain"}),
            ),
            "too long for Markdown",
        ),
        (
            "a secret that repeats itself, in a text that does",
            json!({
                "action": "push_message", "asset": {"token": "a".repeat(4_000)},
                "inputs": {"to": USER, "messages": [format!("{}b", "a".repeat(3_999)).repeat(200)]},
                "options": {"validation": "off"},
            }),
            "",
        ),
    ]
}

/// Assets and options that are kept, compared or looked for.
fn kept() -> Vec<Case> {
    let with = |asset: Value| {
        let mut document = one(&json!("a"));
        document["asset"] = asset;
        document
    };
    let secrets: Vec<String> = (0..60_000).map(|n| format!("secret{n:06}")).collect();
    let mut cases = vec![
        (
            "rates of more actions than there are",
            with(json!({"token": "t", "rate_limits": names("m", 20_000, &json!("1/s"))})),
            "has too many bytes",
        ),
        (
            "options that nobody knows",
            push(&json!(["a"]), &names("k", 60_000, &json!(1))),
            "and 59900 more",
        ),
        (
            "more secrets than can be looked for",
            json!({"action": "reply_message", "inputs": {"replyToken": secrets, "messages": ["a"]}, "options": {"validation": "off"}}),
            "invalid_inputs",
        ),
    ];
    for name in ["token", "client_id", "url", "http_proxy", "private_key"] {
        let mut asset = json!({"token": "t"});
        asset[name] = "a".repeat(8 << 20).into();
        cases.extend(vec![
            (
                "an asset of megabytes",
                with(asset),
                "has too many bytes"
            );
            4
        ]);
    }
    cases
}

fn with_little_memory(arguments: &str) -> Child {
    let script = format!("ulimit -v {MOST_KIB}; exec \"$0\" {arguments}");
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_line-connector")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn what_repeats_itself_is_answered_within_bounds() {
    let mut child = with_little_memory("serve --dry-run --ordered --concurrency 1");
    let mut input = child.stdin.take().unwrap();
    let hostile: Vec<Case> = [mistakes(), growing(), kept()].concat();
    let lines: Vec<String> = hostile
        .iter()
        .map(|(_, document, _)| document.to_string())
        .collect();
    let writer = std::thread::spawn(move || {
        // Whoever is dead does not read; the answers that are missing tell.
        let _ = lines.iter().try_for_each(|line| writeln!(input, "{line}"));
    });
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for (name, _, reason) in &hostile {
        let answer = answers
            .next()
            .unwrap_or_else(|| panic!("{name}: no answer"))
            .unwrap();
        let document: Value = serde_json::from_str(&answer).unwrap();
        assert_ne!(document["error"]["kind"], "internal", "{name}: {answer}");
        assert!(answer.contains(reason), "{name}: {answer}");
        assert_eq!(
            document.get("error").is_none(),
            reason.is_empty(),
            "{name}: {answer}"
        );
    }
    writer.join().unwrap();
    assert!(child.wait().unwrap().success());
}

/// Items that take some seventy times their bytes as values, page after page.
#[test]
fn a_listing_takes_little_more_than_its_text() {
    let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let items = vec![r#"{"":{"":{"":0}}}"#; 60_000].join(",");
    std::thread::spawn(move || {
        for (number, stream) in server.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let head = BufReader::new(&stream).lines();
            let _ = head.map(Result::unwrap).find(String::is_empty);
            let next = if number < 11 {
                number.to_string()
            } else {
                String::new()
            };
            let page = format!(r#"{{"userIds":[{items}],"next":"{next}"}}"#);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{page}",
                page.len()
            );
        }
    });
    let document = json!({
        "action": "get_a_list_of_users_who_added_your_line_official_account_as_a_friend",
        "asset": {"token": "t", "url": url}, "options": {"all_pages": true},
    });
    let mut child = with_little_memory("run");
    write!(child.stdin.take().unwrap(), "{document}").unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success(), "{:?}", ended.status);
    let answer = String::from_utf8(ended.stdout).unwrap();
    assert!(answer.contains(r#""pages":12,"items":720000,"more":false"#));
    assert_eq!(answer.matches(r#"{"":{"":{"":0}}}"#).count(), 720_000);
}

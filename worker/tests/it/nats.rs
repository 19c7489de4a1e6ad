//! Webhooks and calls over NATS JetStream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use futures_util::StreamExt as _;
use line_connector_sandbox::{Fault, Listener, Sandbox, Settings};
use serde_json::{Value, json};

use crate::world::{BOT, Client, LONG, Nats, Worker, file, pause, run, text, wait_until};

const ANNA: &str = "U4af4980629f0b5a3c3d6b8a1d2e3f405";
const BERT: &str = "U5af4980629f0b5a3c3d6b8a1d2e3f405";
const EVENTS: &str = "LINE_EVENTS";
const RESULTS: &str = "LINE_RESULTS";

#[test]
fn an_event_is_published_once_under_its_destination_and_chat() {
    let Some(nats) = Nats::start(&[]) else { return };
    let worker = Worker::listen(&nats.url(), &[]);
    let odd = text("04", "a.b *>", "four");
    let nobody = json!({
        "type": "module", "mode": "active", "timestamp": 5, "webhookEventId": "05",
        "deliveryContext": {"isRedelivery": false},
        "module": {"type": "attached", "botId": "U1", "scopes": []},
    });
    assert_eq!(
        worker.send(&[text("01", ANNA, "one"), text("02", BERT, "two")]),
        200
    );
    assert_eq!(
        worker.send(&[text("01", ANNA, "one"), text("03", ANNA, "three")]),
        200
    );
    assert_eq!(worker.send(&[odd, nobody]), 200);
    let client = Client::of(&nats);
    let found = client.messages(EVENTS);
    let mut ids: Vec<String> = found
        .iter()
        .map(|one| one.header("Nats-Msg-Id").unwrap())
        .collect();
    ids.sort();
    assert_eq!(ids, ["01", "02", "03", "04", "05"]);
    let of = |id: &str| found.iter().find(|one| one.document["id"] == id).unwrap();
    let first = of("01");
    assert_eq!(first.subject, format!("line.events.{BOT}.{ANNA}"));
    assert_eq!(first.header("Line-Destination").as_deref(), Some(BOT));
    assert_eq!(first.header("Line-Chat").as_deref(), Some(ANNA));
    assert_eq!(first.header("Line-Type").as_deref(), Some("message.text"));
    assert_eq!(first.header("Line-Time").as_deref(), Some("1700000000123"));
    assert_eq!(first.document["destination"], BOT);
    assert_eq!(first.document["chat"], ANNA);
    assert_eq!(first.document["event"]["message"]["text"], "one");
    assert_eq!(
        of("04").subject,
        format!("line.events.{BOT}.a%2Eb%20%2A%3E")
    );
    assert_eq!(of("05").subject, format!("line.events.{BOT}.-"));
    let (_, metrics) = worker.get("/metrics");
    for line in [
        "line_connector_events_total{result=\"new\"} 5",
        "line_connector_events_total{result=\"duplicate\"} 1",
        "line_connector_webhook_requests_total{result=\"accepted\"} 3",
        "line_connector_nats_connected 1",
    ] {
        assert!(
            metrics.lines().any(|known| known == line),
            "{line} in {metrics}"
        );
    }
    assert_eq!(worker.get("/healthz").0, 200);
    assert_eq!(client.count(EVENTS), 5, "asking stores nothing");
    worker.terminate();
    assert_eq!(worker.code(), 0);
}

#[test]
fn while_nats_is_away_line_is_answered_503_in_time_and_health_says_so() {
    let Some(mut nats) = Nats::start(&[]) else {
        return;
    };
    let worker = Worker::listen(&nats.url(), &[]);
    assert_eq!(worker.send(&[text("01", ANNA, "one")]), 200);
    nats.kill();
    worker.waits_to_say("\"nats_away\"");
    let begun = Instant::now();
    assert_eq!(worker.send(&[text("02", ANNA, "two")]), 503);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "LINE waits no longer"
    );
    assert_eq!(worker.get("/healthz").0, 503);
    worker.waits_to_say("\"unpublished\"");
    nats.run();
    worker.waits_to_say("\"nats_back\"");
    wait_until("health is true again", || worker.get("/healthz").0 == 200);
    assert_eq!(worker.send(&[text("02", ANNA, "two")]), 200);
    worker.waits_to_say("\"published_again\"");
    let ids = Client::of(&nats).messages(EVENTS);
    let ids: Vec<&Value> = ids.iter().map(|one| &one.document["id"]).collect();
    assert_eq!(
        ids,
        ["01", "02"],
        "also of what was answered before the server died"
    );
}

#[test]
fn a_webhook_that_comes_while_nats_restarts_waits_for_it() {
    let Some(mut nats) = Nats::start(&[]) else {
        return;
    };
    let worker = Worker::listen(&nats.url(), &[]);
    nats.kill();
    worker.waits_to_say("\"nats_away\"");
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| worker.send(&[text("01", ANNA, "one")]));
        nats.run();
        let status = sent.join().unwrap();
        let stored = Client::of(&nats).count(EVENTS);
        // A machine that is too slow for LINE's two seconds is told the truth all the same.
        assert!(
            (status, stored) == (200, 1) || status == 503,
            "{status} {stored}"
        );
    });
}

#[test]
fn a_full_stream_is_told_and_loses_nothing() {
    let Some(nats) = Nats::start(&[]) else { return };
    let client = Client::of(&nats);
    let config = |most| Config {
        name: EVENTS.to_owned(),
        subjects: vec!["line.>".to_owned()],
        max_messages: most,
        discard: DiscardPolicy::New,
        ..Config::default()
    };
    let made = client.context.create_stream(config(2));
    client.runtime.block_on(made).unwrap();
    let worker = Worker::listen(&nats.url(), &[]);
    assert_eq!(
        worker.send(&[text("01", ANNA, "one"), text("02", ANNA, "two")]),
        200
    );
    assert_eq!(worker.get("/healthz").0, 503);
    assert_eq!(
        worker.send(&[text("03", ANNA, "three"), text("04", BERT, "four")]),
        503
    );
    worker.waits_to_say("maximum messages exceeded");
    assert_eq!(worker.get("/healthz").0, 503);
    let grown = client.context.update_stream(config(10));
    client.runtime.block_on(grown).unwrap();
    wait_until("health is true again", || worker.get("/healthz").0 == 200);
    assert_eq!(
        worker.send(&[text("03", ANNA, "three"), text("04", BERT, "four")]),
        200
    );
    worker.waits_to_say("\"published_again\"");
    assert_eq!(client.count(EVENTS), 4);
}

#[test]
fn an_event_that_is_too_large_is_published_without_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let small = file(folder.path(), "nats.conf", "max_payload: 4096\n");
    let Some(nats) = Nats::start(&["-c", &small]) else {
        return;
    };
    let worker = Worker::listen(&nats.url(), &[]);
    let events = [
        text("01", ANNA, &"x".repeat(5_000)),
        text("02", ANNA, "two"),
    ];
    assert_eq!(worker.send(&events), 200);
    worker.waits_to_say("\"event_omitted\"");
    let found = Client::of(&nats).messages(EVENTS);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].document["id"], "01");
    assert_eq!(found[0].document["event"], Value::Null);
    assert!(found[0].document["omitted"].is_string());
    assert!(found[0].header("Line-Omitted").is_some());
    assert_eq!(found[1].document["event"]["message"]["text"], "two");
}

#[test]
fn a_stream_that_will_not_do_is_refused_at_the_start() {
    let Some(nats) = Nats::start(&[]) else { return };
    let client = Client::of(&nats);
    let make = |config: Config| {
        let made = client.context.create_stream(config);
        client.runtime.block_on(made).unwrap();
    };
    make(Config {
        name: "OTHER".to_owned(),
        subjects: vec!["other.>".to_owned()],
        ..Config::default()
    });
    make(Config {
        name: "SILENT".to_owned(),
        subjects: vec!["silent.>".to_owned()],
        no_ack: true,
        ..Config::default()
    });
    let url = nats.url();
    let environment = [
        ("LINE_CLIENT_ID", "1234567890"),
        ("LINE_CLIENT_SECRET", "0123"),
    ];
    for (options, code, reason) in [
        (
            &["--stream", "OTHER"][..],
            2,
            "takes other.>, and not line.events.*.*",
        ),
        (
            &["--stream", "SILENT", "--subject", "silent"],
            2,
            "acknowledges nothing",
        ),
        (&["--subject", "other"], 2, "overlap"),
        (&["--stream", "a.b"], 2, "--stream must be"),
        (&["--subject", "a.*"], 2, "--subject must be"),
        (&["--replicas", "3"], 2, "cannot be made"),
        (&["--creds", "/nowhere"], 2, "/nowhere cannot be read"),
    ] {
        let start = ["listen", "--address", "127.0.0.1:0", "--publish", &url];
        let (found, said) = run(&[&start, options].concat(), &environment);
        assert_eq!(found, code, "{options:?} {said}");
        assert!(said.contains(reason), "{options:?} {said}");
    }
}

#[test]
fn a_password_is_taken_from_the_url_or_the_environment_and_never_shown() {
    let Some(nats) = Nats::start(&["--user", "anna", "--pass", "right-one"]) else {
        return;
    };
    let host = format!("127.0.0.1:{}", nats.port);
    let asset = [
        ("LINE_CLIENT_ID", "1234567890"),
        ("LINE_CLIENT_SECRET", "0123"),
    ];
    let wrong = [("NATS_USER", "anna"), ("NATS_PASSWORD", "wrong-one")];
    let right = [("NATS_USER", "anna"), ("NATS_PASSWORD", "right-one")];
    for (url, more) in [
        (format!("nats://anna:wrong-one@{host}"), &[][..]),
        (format!("nats://{host}"), &wrong),
        (format!("http://anna:wrong-one@{host}"), &[]),
        (format!("nats://anna:wrong-one@{host}:x"), &[]),
    ] {
        let arguments = ["listen", "--address", "127.0.0.1:0", "--publish", &url];
        let (code, said) = run(&arguments, &[&asset, more].concat());
        assert_eq!(code, 2, "{said}");
        assert!(!said.contains("wrong-one"), "{said}");
        assert!(
            said.contains("credentials") || said.contains("must be like"),
            "{said}"
        );
    }
    for (url, more) in [
        (format!("nats://anna:right-one@{host}"), &[][..]),
        (format!("nats://{host}"), &right),
    ] {
        let arguments = ["listen", "--address", "127.0.0.1:0", "--publish", &url];
        let worker = Worker::start(&arguments, &[&asset, more].concat());
        assert_eq!(worker.get("/healthz").0, 200);
        assert!(!worker.said().contains("right-one"), "{}", worker.said());
    }
}

#[test]
fn an_nkey_is_taken_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (nkeys::KeyPair::new_user(), nkeys::KeyPair::new_user());
    let users = format!(
        "authorization {{ users: [ {{ nkey: {} }} ] }}\n",
        own.public_key()
    );
    let users = file(folder.path(), "nats.conf", &users);
    let Some(nats) = Nats::start(&["-c", &users]) else {
        return;
    };
    let seed = |name, key: &nkeys::KeyPair| {
        let seed = key.seed().unwrap();
        (file(folder.path(), name, &format!("{seed}\n")), seed)
    };
    let (right, _) = seed("right.nk", &own);
    let worker = Worker::listen(&nats.url(), &["--nkey", &right]);
    assert_eq!(worker.send(&[text("01", ANNA, "one")]), 200);
    let (wrong, secret) = seed("wrong.nk", &other);
    let none = file(folder.path(), "none.nk", "no seed\n");
    for key in [wrong, none] {
        let url = nats.url();
        let arguments = [
            "listen",
            "--address",
            "127.0.0.1:0",
            "--publish",
            &url,
            "--nkey",
            &key,
        ];
        let environment = [
            ("LINE_CLIENT_ID", "1234567890"),
            ("LINE_CLIENT_SECRET", "0123"),
        ];
        let (code, said) = run(&arguments, &environment);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("does not take the credentials"), "{said}");
        assert!(!said.contains(&secret), "{said}");
    }
}

#[test]
fn tls_takes_an_authority_and_a_client_certificate_from_files() {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    let folder = tempfile::tempdir().unwrap();
    let own = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&own).unwrap();
    let issuer = Issuer::new(authority, own);
    let signed = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let parameters =
            CertificateParams::new(vec![name.to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &issuer).unwrap();
        let pem = file(folder.path(), &format!("{name}.pem"), &certificate.pem());
        (
            pem,
            file(folder.path(), &format!("{name}.key"), &key.serialize_pem()),
        )
    };
    let ca = file(folder.path(), "ca.pem", &root.pem());
    let (server, server_key) = signed("localhost");
    let (client, client_key) = signed("client");
    let options = [
        "--tlsverify",
        "--tlscert",
        &server,
        "--tlskey",
        &server_key,
        "--tlscacert",
        &ca,
    ];
    let Some(nats) = Nats::start(&options) else {
        return;
    };
    let url = format!("tls://127.0.0.1:{}", nats.port);
    let all = [
        "--tls-ca",
        &ca,
        "--tls-cert",
        &client,
        "--tls-key",
        &client_key,
    ];
    let worker = Worker::listen(&url, &all);
    assert_eq!(worker.send(&[text("01", ANNA, "one")]), 200);
    let start = ["listen", "--address", "127.0.0.1:0", "--publish", &url];
    let environment = [
        ("LINE_CLIENT_ID", "1234567890"),
        ("LINE_CLIENT_SECRET", "0123"),
    ];
    let (code, said) = run(&[&start, &all[2..]].concat(), &environment);
    assert_ne!(code, 0, "nobody vouches for the server");
    assert!(said.contains("--tls-ca"), "{said}");
}

/// A sandbox behind a listener, and the environment that leads to it.
struct Line {
    sandbox: Arc<Sandbox>,
    listener: Listener,
}

impl Line {
    fn new() -> Self {
        let sandbox = Arc::new(Sandbox::new(Settings::default()));
        let address = "127.0.0.1:0".parse().unwrap();
        let listener = Arc::clone(&sandbox).listen(address).unwrap();
        Self { sandbox, listener }
    }

    fn worker(&self, nats: &Nats, more: &[&str]) -> Worker {
        let (server, url) = (nats.url(), self.listener.url());
        let arguments = ["nats", "--server", &server, "--ack-seconds", "1"];
        let environment = [
            ("LINE_API_URL", &*url),
            ("LINE_CHANNEL_ACCESS_TOKEN", "sandbox-token"),
            ("LINE_CLIENT_ID", "1234567890"),
        ];
        Worker::start(&[&arguments, more].concat(), &environment)
    }

    /// The next call is carried out, and its answer comes when nobody waits for it any more.
    fn answer_late(&self, path: &str) {
        let fault = json!({"kind": "delay", "ms": 60_000, "path": path});
        let fault: Fault = serde_json::from_value(fault).unwrap();
        self.sandbox.inject(fault);
    }

    fn requests(&self, path: &str) -> usize {
        let requests = self.sandbox.requests();
        requests
            .iter()
            .filter(|request| request.path == path)
            .count()
    }
}

const PUSH: &str = "/v2/bot/message/push";
const AUDIENCE: &str = "/v2/bot/audienceGroup/upload";

fn push(id: &str) -> Value {
    json!({
        "id": id, "action": "send_push_message",
        "inputs": {"to": ANNA, "messages": [{"type": "text", "text": id}]},
    })
}

fn audience() -> Value {
    json!({
        "id": "audience", "action": "create_audience_for_uploading_user_ids_by_json",
        "inputs": {"description": "one", "audiences": [{"id": ANNA}]},
    })
}

#[test]
fn a_document_is_answered_into_the_results_and_leaves_the_queue() {
    let Some(nats) = Nats::start(&[]) else { return };
    let line = Line::new();
    let worker = line.worker(&nats, &["--fixed-asset"]);
    let client = Client::of(&nats);
    client.call(&push("one"), &[("Nats-Msg-Id", "order-1")]);
    client.put("no JSON".to_owned(), &[]);
    client.call(&json!({"id": 3, "action": "nothing"}), &[]);
    client.call(
        &json!({"id": 4, "action": "get_bot_info", "asset": {"token": "x"}}),
        &[],
    );
    let mut found = client.wait_for(RESULTS, 4);
    found.sort_by(|left, right| left.subject.cmp(&right.subject));
    let subjects: Vec<&str> = found.iter().map(|one| &*one.subject).collect();
    let expected = [1, 2, 3, 4].map(|number| format!("line.results.LINE_CALLS.{number}"));
    assert_eq!(subjects, expected);
    assert_eq!(found[0].document["id"], "one");
    assert_eq!(found[0].document["status_code"], 200);
    assert_eq!(found[0].header("Line-Call-Id").as_deref(), Some("order-1"));
    assert_eq!(found[0].header("Line-Error"), None);
    let errors: Vec<_> = found[1..]
        .iter()
        .map(|one| one.header("Line-Error").unwrap())
        .collect();
    assert_eq!(
        errors,
        ["invalid_document", "unknown_action", "invalid_asset"]
    );
    assert_eq!(found[3].document["id"], 4);
    wait_until("the queue is empty", || client.count("LINE_CALLS") == 0);
    worker.terminate();
    assert_eq!(worker.code(), 0);
}

#[test]
fn a_copy_of_the_answer_goes_to_an_inbox_and_nowhere_else_unless_allowed() {
    let Some(nats) = Nats::start(&[]) else { return };
    let line = Line::new();
    let worker = line.worker(&nats, &["--allow-reply", "answers"]);
    let client = Client::of(&nats);
    let mut refused = 0;
    for (subject, is_allowed) in [
        (client.connection.new_inbox(), true),
        ("answers.to.me".to_owned(), true),
        ("answersx.to".to_owned(), false),
        ("line.calls.again".to_owned(), false),
        ("$JS.API.STREAM.PURGE.LINE_CALLS".to_owned(), false),
    ] {
        let mut heard = client
            .runtime
            .block_on(client.connection.subscribe(subject.clone()))
            .unwrap();
        client.runtime.block_on(client.connection.flush()).unwrap();
        let before = client.count(RESULTS);
        client.call(&push(&subject), &[("Line-Reply", &subject)]);
        client.wait_for(RESULTS, before + 1);
        if is_allowed {
            let message = client.runtime.block_on(async {
                let next = tokio::time::timeout(LONG, heard.next());
                next.await.unwrap().unwrap()
            });
            let document: Value = serde_json::from_slice(&message.payload).unwrap();
            assert_eq!(document["id"], subject);
        } else {
            refused += 1;
            wait_until("it is told", || {
                worker.said().matches("\"reply_refused\"").count() == refused
            });
            let heard = client
                .runtime
                .block_on(async { tokio::time::timeout(Duration::ZERO, heard.next()).await });
            assert!(heard.is_err(), "{subject}");
        }
    }
}

#[test]
fn a_keyed_call_of_a_worker_that_died_is_made_again_and_counts_once() {
    let Some(nats) = Nats::start(&[]) else { return };
    let line = Line::new();
    let worker = line.worker(&nats, &[]);
    let client = Client::of(&nats);
    line.answer_late(PUSH);
    client.call(&push("one"), &[]);
    wait_until("LINE has it", || line.sandbox.delivered().len() == 1);
    worker.kill();
    let _second = line.worker(&nats, &[]);
    let found = client.wait_for(RESULTS, 1);
    assert_eq!(
        found[0].document["meta"]["already_accepted"], true,
        "{}",
        found[0].document
    );
    assert_eq!(line.requests(PUSH), 2);
    assert_eq!(line.sandbox.delivered().len(), 1);
}

#[test]
fn a_call_that_must_not_be_repeated_is_not_made_again() {
    let Some(nats) = Nats::start(&[]) else { return };
    let line = Line::new();
    let worker = line.worker(&nats, &[]);
    let client = Client::of(&nats);
    line.answer_late(AUDIENCE);
    client.call(&audience(), &[]);
    wait_until("LINE has it", || line.requests(AUDIENCE) == 1);
    worker.kill();
    let _second = line.worker(&nats, &[]);
    let found = client.wait_for(RESULTS, 1);
    let error = &found[0].document["error"];
    assert_eq!(found[0].document["id"], "audience");
    assert_eq!(
        (&error["kind"], &error["outcome"]),
        (&json!("timeout"), &json!("unknown")),
        "{error}"
    );
    assert_eq!(error["retryable"], false);
    assert_eq!(line.requests(AUDIENCE), 1);
    wait_until("the queue is empty", || client.count("LINE_CALLS") == 0);
}

#[test]
fn a_long_call_is_not_given_to_another_worker() {
    let Some(nats) = Nats::start(&[]) else { return };
    let line = Line::new();
    let _workers = [line.worker(&nats, &[]), line.worker(&nats, &[])];
    let client = Client::of(&nats);
    let fault = json!({"kind": "delay", "ms": 3_500, "path": AUDIENCE});
    line.sandbox.inject(serde_json::from_value(fault).unwrap());
    client.call(&audience(), &[]);
    let found = client.wait_for(RESULTS, 1);
    assert_eq!(found[0].header("Line-Error"), None, "{}", found[0].document);
    assert_eq!(line.requests(AUDIENCE), 1);
}

#[test]
fn what_kills_its_workers_is_answered_in_the_end() {
    let Some(nats) = Nats::start(&[]) else { return };
    let line = Line::new();
    let client = Client::of(&nats);
    for attempt in 1..=2 {
        let worker = line.worker(&nats, &["--attempts", "2"]);
        line.answer_late(PUSH);
        if attempt == 1 {
            client.call(&push("one"), &[]);
        }
        wait_until("it is called", || line.requests(PUSH) == attempt);
        worker.kill();
    }
    let _last = line.worker(&nats, &["--attempts", "2"]);
    let found = client.wait_for(RESULTS, 1);
    let error = &found[0].document["error"];
    assert!(
        error["message"].as_str().unwrap().contains("given up"),
        "{error}"
    );
    assert_eq!(line.requests(PUSH), 2);
}

#[test]
fn an_answer_that_is_there_already_is_not_made_twice() {
    let Some(nats) = Nats::start(&[]) else { return };
    let line = Line::new();
    let client = Client::of(&nats);
    let worker = line.worker(&nats, &[]);
    // It cannot acknowledge: the server is gone before the call has ended.
    line.answer_late(AUDIENCE);
    client.call(&audience(), &[]);
    wait_until("LINE has it", || line.requests(AUDIENCE) == 1);
    let key = client.runtime.block_on(async {
        let stream = client.context.get_stream("LINE_CALLS").await.unwrap();
        let message = stream.get_raw_message(1).await.unwrap();
        format!("LINE_CALLS:1:{}", message.time.unix_timestamp_nanos())
    });
    worker.kill();
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Line-Call", &*key);
    client.runtime.block_on(async {
        let body = json!({"status_code": 202}).to_string().into();
        let stored =
            client
                .context
                .publish_with_headers("line.results.LINE_CALLS.1", headers, body);
        stored.await.unwrap().await.unwrap();
    });
    let _second = line.worker(&nats, &[]);
    wait_until("the queue is empty", || client.count("LINE_CALLS") == 0);
    assert_eq!(client.messages(RESULTS).len(), 1);
    assert_eq!(line.requests(AUDIENCE), 1);
}

#[test]
fn a_worker_that_is_asked_to_end_finishes_what_is_under_way() {
    let Some(nats) = Nats::start(&[]) else { return };
    let line = Line::new();
    let worker = line.worker(&nats, &[]);
    let client = Client::of(&nats);
    let fault = json!({"kind": "delay", "ms": 1_500, "path": AUDIENCE});
    line.sandbox.inject(serde_json::from_value(fault).unwrap());
    client.call(&audience(), &[]);
    wait_until("LINE has it", || line.requests(AUDIENCE) == 1);
    worker.terminate();
    assert_eq!(worker.code(), 0);
    let found = client.messages(RESULTS);
    assert_eq!(found[0].header("Line-Error"), None, "{}", found[0].document);
    assert_eq!(client.count("LINE_CALLS"), 0);
}

#[test]
fn answers_outlive_a_server_that_dies_before_they_are_stored() {
    let Some(mut nats) = Nats::start(&[]) else {
        return;
    };
    let line = Line::new();
    let _worker = line.worker(&nats, &[]);
    let client = Client::of(&nats);
    let fault = json!({"kind": "delay", "ms": 1_000, "path": AUDIENCE});
    line.sandbox.inject(serde_json::from_value(fault).unwrap());
    client.call(&audience(), &[]);
    wait_until("LINE has it", || line.requests(AUDIENCE) == 1);
    nats.kill();
    pause(1_500);
    nats.run();
    let client = Client::of(&nats);
    let found = client.wait_for(RESULTS, 1);
    assert_eq!(found[0].header("Line-Error"), None, "{}", found[0].document);
    wait_until("the queue is empty", || client.count("LINE_CALLS") == 0);
    assert_eq!(line.requests(AUDIENCE), 1);
}

#[test]
fn a_consumer_that_somebody_removes_is_made_again() {
    let Some(nats) = Nats::start(&[]) else { return };
    let line = Line::new();
    let worker = line.worker(&nats, &[]);
    let client = Client::of(&nats);
    client.runtime.block_on(async {
        let stream = client.context.get_stream("LINE_CALLS").await.unwrap();
        stream.delete_consumer("line-connector").await.unwrap();
    });
    client.call(&push("one"), &[]);
    let found = client.wait_for(RESULTS, 1);
    assert_eq!(found[0].document["status_code"], 200);
    worker.waits_to_say("\"queue_unreadable\"");
}

#[test]
fn a_server_that_is_silent_keeps_line_waiting_for_less_than_two_seconds() {
    let Some(nats) = Nats::start(&[]) else { return };
    let worker = Worker::listen(&nats.url(), &[]);
    assert_eq!(worker.send(&[text("01", ANNA, "one")]), 200);
    nats.signal("-STOP");
    let begun = Instant::now();
    assert_eq!(worker.send(&[text("02", ANNA, "two")]), 503);
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(worker.get("/healthz").0, 503);
    nats.signal("-CONT");
    wait_until("health is true again", || worker.get("/healthz").0 == 200);
    assert_eq!(
        worker.send(&[text("02", ANNA, "two"), text("03", ANNA, "three")]),
        200
    );
    let found = Client::of(&nats).messages(EVENTS);
    let ids: Vec<&Value> = found.iter().map(|one| &one.document["id"]).collect();
    assert_eq!(ids, ["01", "02", "03"]);
}

#[test]
fn what_the_server_does_not_permit_is_told_in_its_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let text = "authorization { users: [ { user: anna, password: secret, permissions: { publish: { deny: [\"$JS.API.STREAM.CREATE.>\"] } } } ] }\n";
    let limited = file(folder.path(), "nats.conf", text);
    let Some(nats) = Nats::start(&["-c", &limited]) else {
        return;
    };
    let url = format!("nats://anna:secret@127.0.0.1:{}", nats.port);
    let arguments = ["listen", "--address", "127.0.0.1:0", "--publish", &url];
    let environment = [
        ("LINE_CLIENT_ID", "1234567890"),
        ("LINE_CLIENT_SECRET", "0123"),
    ];
    let (code, said) = run(&arguments, &environment);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.to_lowercase().contains("permissions violation"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn a_worker_that_still_waits_for_nats_ends_when_it_is_asked_to() {
    let line = Line::new();
    let url = line.listener.url();
    let nowhere = ["--publish", "nats://127.0.0.1:1"];
    for arguments in [
        [&["listen", "--address", "127.0.0.1:0"][..], &nowhere].concat(),
        vec!["nats", "--server", "nats://127.0.0.1:1"],
    ] {
        let environment = [
            ("LINE_API_URL", &*url),
            ("LINE_CHANNEL_ACCESS_TOKEN", "sandbox-token"),
            ("LINE_CLIENT_ID", "1234567890"),
            ("LINE_CLIENT_SECRET", "0123"),
        ];
        let worker = Worker::begin(&arguments, &environment);
        worker.waits_to_say("cannot be reached yet");
        worker.terminate();
        worker.waits_to_say("asked to end before NATS");
        assert_eq!(worker.code(), 5);
    }
}

#[test]
fn an_answer_that_nats_does_not_take_says_so_with_lines_status() {
    let Some(nats) = Nats::start(&[]) else { return };
    let client = Client::of(&nats);
    let results = Config {
        name: RESULTS.to_owned(),
        subjects: vec!["line.results.>".to_owned()],
        max_message_size: 2_000,
        ..Config::default()
    };
    let made = client.context.create_stream(results);
    client.runtime.block_on(made).unwrap();
    let line = Line::new();
    let _worker = line.worker(&nats, &[]);
    client.call(
        &json!({"action": "get_a_list_of_users_who_added_your_line_official_account_as_a_friend"}),
        &[],
    );
    let found = client.wait_for(RESULTS, 1);
    assert_eq!(found[0].document["status_code"], 200);
    assert_eq!(found[0].document["error"]["kind"], "response_too_large");
    assert_eq!(line.requests("/v2/bot/followers/ids"), 1);
}

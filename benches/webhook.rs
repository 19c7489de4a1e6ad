//! A webhook of five events: verified, read into the connector's events, written as JSON; beside
//! minimal programs that verify and only parse. `cargo bench --bench webhook` shows a table;
//! `webhook.py` runs it beside LINE's SDKs. It measures no receiver and no network.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has nothing to measure"
)]
#![expect(
    clippy::print_stdout,
    reason = "a bench prints what it measured, and nobody but its runner reads it"
)]

use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime};

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use line_connector_client::Catalog;
use line_connector_core::encoding;
use line_connector_core::webhook::signature::Verifier;
use line_connector_core::webhook::{self, Terms};
use line_connector_http::Secret;
use ring::hmac;
use serde::Deserialize;

const SECRET: &str = "8c570fa6dd201bb328f1c1eac23a96d8";

/// Five events as LINE writes them: one line, no spaces.
const BODY: &str = include_str!("inputs/webhook.json");

/// What a minimal receiver knows of an event: who, what, when, in what kind of message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is parsed and not looked at")]
struct Minimal<'a> {
    #[serde(borrow)]
    destination: Cow<'a, str>,
    #[serde(borrow)]
    events: Vec<MinimalEvent<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is parsed and not looked at")]
struct MinimalEvent<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    timestamp: i64,
    #[serde(borrow)]
    webhook_event_id: Cow<'a, str>,
    #[serde(borrow)]
    reply_token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<MinimalSource<'a>>,
    #[serde(borrow)]
    message: Option<MinimalMessage<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is parsed and not looked at")]
struct MinimalSource<'a> {
    #[serde(borrow)]
    user_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    group_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is parsed and not looked at")]
struct MinimalMessage<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes())
}

fn signature() -> String {
    encoding::base64(hmac::sign(&key(), BODY.as_bytes()).as_ref())
}

/// What every receiver must do, with ring and base64 and nothing of the connector's.
fn verify(key: &hmac::Key, signature: &str) -> &'static [u8] {
    let body = black_box(BODY).as_bytes();
    let tag = encoding::from_base64(signature).unwrap();
    hmac::verify(key, body, &tag).unwrap();
    body
}

/// What is measured, by name.
const WAYS: [&str; 5] = [
    "verify",
    "verify, parse minimal types",
    "verify, parse into Value",
    "connector: verify, read",
    "connector: verify, read, write",
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match given.as_slice() {
        [_, "--measure", way, seconds, ..] => measure(way, seconds),
        [_, "--repeat", way, count, ..] => repeat(way, count),
        _ => divan::main(),
    }
}

/// How many bodies a second one core does once warm, as JSON.
fn measure(way: &str, seconds: &str) {
    let seconds = Duration::from_secs_f64(seconds.parse().unwrap());
    prepared(way, |once| {
        // As long again to warm up, as for its peers.
        per_second(seconds, once);
        let bodies = per_second(seconds, once);
        println!("{{\"bodies_per_second\": {bodies}}}");
    });
}

/// Does it so many times, for who counts instructions.
fn repeat(way: &str, count: &str) {
    let count: u32 = count.parse().unwrap();
    prepared(way, |once| (0..count).for_each(|_| once()));
}

/// Does it for so long; says how many times a second.
fn per_second(time: Duration, once: &dyn Fn()) -> f64 {
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < time {
        for _ in 0..100 {
            once();
        }
        count += 100;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

/// Hands one way of handling a body to whoever measures it. Each run drops what it made, as a
/// receiver does: kept results would measure fresh memory.
fn prepared(way: &str, measure: impl FnOnce(&dyn Fn())) {
    let (key, signature) = (key(), signature());
    let verifier = Verifier::new(&Secret::new(SECRET));
    let triggers = Catalog::embedded().triggers();
    let received = SystemTime::UNIX_EPOCH + Duration::from_hours(1);
    let terms = Terms::new(&triggers.content, received);
    let checked = || {
        let body = black_box(BODY).as_bytes();
        verifier.verify(body, Some(&signature)).unwrap();
        body
    };
    match WAYS.iter().position(|known| *known == way) {
        Some(0) => measure(&|| {
            verify(&key, &signature);
        }),
        Some(1) => measure(&|| {
            let body = verify(&key, &signature);
            black_box(&serde_json::from_slice::<Minimal<'_>>(body).unwrap());
        }),
        Some(2) => measure(&|| {
            let body = verify(&key, &signature);
            black_box(&serde_json::from_slice::<serde_json::Value>(body).unwrap());
        }),
        Some(3) => measure(&|| {
            black_box(&webhook::read(checked(), &terms).unwrap());
        }),
        Some(4) => measure(&|| {
            let delivery = webhook::read(checked(), &terms).unwrap();
            black_box(&serde_json::to_string(&delivery).unwrap());
        }),
        _ => panic!("one of {WAYS:?}"),
    }
}

/// Bodies, with the events and the bytes that they come in.
#[divan::bench(args = WAYS)]
fn bodies(bencher: Bencher<'_, '_>, way: &str) {
    prepared(way, |once| {
        bencher
            .counter(ItemsCount::new(5_u32))
            .counter(BytesCount::of_str(BODY))
            .bench_local(once);
    });
}

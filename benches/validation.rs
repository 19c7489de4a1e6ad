//! What checking inputs costs within a process: by the generated validators, as a call does, in its
//! first check and in those after it; and by the schemas, which explain rejected input.
//! `cargo bench --bench validation` shows a table; `validation.py` runs it beside another validator.
//! It measures no process as a whole.

#![expect(
    clippy::print_stdout,
    reason = "a bench prints what it measured, and nobody but its runner reads it"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use line_connector_client::Catalog;
use line_connector_core::schema::{Schema, accepts};
use serde_json::{Value, json};

/// The action whose inputs are checked.
const ACTION: &str = "send_push_message";

/// The documents: a push of a short text, and of the largest carousel that LINE takes.
const DOCUMENTS: [(&str, &str); 2] = [
    ("text", include_str!("inputs/text.json")),
    ("carousel", include_str!("inputs/carousel.json")),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match given.as_slice() {
        [_, "--measure", name, seconds, ..] => measure(name, seconds),
        _ => divan::main(),
    }
}

/// The schema of the action's inputs, as JSON.
fn inputs() -> Value {
    let action = Catalog::embedded().action(ACTION).expect("the action");
    Value::Object(action.inputs)
}

fn document(name: &str) -> Value {
    let found = DOCUMENTS.iter().find(|(known, _)| *known == name);
    let (_, text) = found.expect("`text` or `carousel`");
    serde_json::from_str(text).expect("JSON")
}

/// The check that a call makes of a valid document.
fn accept(document: &Value) {
    assert_eq!(
        accepts(ACTION, black_box(document)),
        Some(true),
        "the document is valid"
    );
}

/// The check by the schema. Of a valid document; anything else would measure the making of errors.
fn check(schema: &Schema, document: &Value) {
    let findings = schema.check(black_box(document));
    assert_eq!(findings.violations, [], "the document is valid");
    black_box(findings);
}

/// One process's figures as JSON: its very first check, and how many a second it does once warm.
fn measure(name: &str, seconds: &str) {
    let seconds = Duration::from_secs_f64(seconds.parse().expect("seconds"));
    let document = document(name);
    let start = Instant::now();
    accept(&document);
    let first = start.elapsed();
    // As long again to warm up, as for its peer.
    repeat(&document, seconds);
    let per_second = repeat(&document, seconds);
    println!(
        "{}",
        json!({"first_us": first.as_secs_f64() * 1e6, "per_second": per_second})
    );
}

/// Checks for so long; says how many a second.
fn repeat(document: &Value, time: Duration) -> f64 {
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < time {
        for _ in 0..10 {
            accept(document);
        }
        count += 10;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

/// The validators generated at build time.
#[divan::bench(args = ["text", "carousel"])]
fn generated(bencher: divan::Bencher<'_, '_>, name: &str) {
    let document = document(name);
    bencher.bench_local(|| accept(&document));
}

/// Compiling the schema and checking by it, in a process that has done it before.
#[divan::bench(args = ["text", "carousel"])]
fn first(bencher: divan::Bencher<'_, '_>, name: &str) {
    let (inputs, document) = (inputs(), document(name));
    bencher.bench_local(|| check(&Schema::new(&inputs, Catalog::schema), &document));
}

/// Checking with a schema that has seen such a document.
#[divan::bench(args = ["text", "carousel"])]
fn warm(bencher: divan::Bencher<'_, '_>, name: &str) {
    let (schema, document) = (Schema::new(&inputs(), Catalog::schema), document(name));
    bencher.bench_local(|| check(&schema, &document));
}

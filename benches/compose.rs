//! How many messages a second one core composes once warm, by kind:
//! `cargo bench -p line-connector-compose`. It measures no validation and no sending.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has nothing to measure"
)]
#![expect(
    clippy::print_stdout,
    reason = "a bench prints what it measured, and nobody but its runner reads it"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use line_connector_compose::{Options, compose};
use serde_json::{Value, json};

/// How long each kind is measured, after as long to warm up.
const TIME: Duration = Duration::from_secs(1);

fn card(description: &str) -> Value {
    json!({
        "title": "Rustic Table", "description": description,
        "media_message": {"url": "https://example.com/table.jpg"},
        "choices": [
            {"text_message": {"text": "Buy"}, "postback_data": "buy=4711"},
            {"url_message": {"title": "See more", "url": "https://example.com/4711"}},
            {"call_message": {"title": "Call us", "phone_number": "+81312345678"}},
        ],
    })
}

fn main() {
    let short = "Solid oak, four seats";
    let long =
        "Solid oak from the woods around, room for four, delivered within two weeks of your order";
    let cards: Vec<Value> = (0..10).map(|_| card(short)).collect();
    let kinds = [
        ("text", json!("disk full on db-1")),
        (
            "text with emoji",
            json!("Hello [emoji:5ac21a8c040ab15980c9b43f:001] {x}"),
        ),
        ("card, as template", json!({"card_message": card(short)})),
        ("card, as Flex", json!({"card_message": card(long)})),
        (
            "carousel of ten cards",
            json!({"carousel_message": {"cards": cards}}),
        ),
    ];
    let arguments: Vec<String> = std::env::args().collect();
    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // On a busy machine `perf stat` of so many tells more than the clock.
    if let [_, "--repeat", kind, count, ..] = given.as_slice() {
        let (_, item) = kinds.iter().find(|(name, _)| name == kind).unwrap();
        return repeat(std::slice::from_ref(item), count.parse().unwrap());
    }
    println!("| kind | messages a second |\n|---|---:|");
    for (name, item) in kinds {
        let items = [item];
        per_second(&items);
        println!("| {name} | {:.0} |", per_second(&items));
    }
}

fn repeat(items: &[Value], count: u32) {
    let options = Options::default();
    for _ in 0..count {
        black_box(compose(black_box(items), &options).unwrap());
    }
}

fn per_second(items: &[Value]) -> f64 {
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < TIME {
        repeat(items, 100);
        count += 100;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

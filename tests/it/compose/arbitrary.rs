//! Arbitrary messages, 100,000 of them, from a generator that needs no more than a number: what is
//! composed passes LINE's limits, and nothing that people would see is lost in silence.

use std::thread;

use line_connector_compose::{Change, Options, What, compose, shorthand};
use serde_json::{Map, Value, json};

use super::{judged, options};

const CASES: u64 = 100_000;

/// A sequence of numbers that looks like chance (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit as u64).unwrap()
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn text(&mut self) -> String {
        let pieces = match self.below(2000) {
            0 => 3000,
            1..=20 => 150,
            21..=200 => 20,
            _ => 1 + self.below(5),
        };
        (0..pieces).map(|_| self.pick(&PIECES)).collect()
    }

    fn url(&mut self) -> String {
        let more = match self.below(30) {
            0 => 1500,
            1 => 990,
            _ => 0,
        };
        let start = self.pick(&[
            "https://example.com/a.png",
            "https://example.com/海 b.jpg?x=",
            "https://example.com/v.mp4",
            "https://example.com/a.m4a",
            "https://example.com/report.pdf",
            "https://example.com/",
            "HTTPS://example.com/a.jpeg",
            "http://example.com/a.png",
            "mailto:a@example.com",
            "tel:110",
            "line://ti/p/x",
            "no url",
            "https://example.com/a.php",
            "",
        ]);
        format!("{start}{}", "y".repeat(more))
    }

    /// An object of some of these members.
    fn some(&mut self, members: Vec<(&str, Value)>) -> Value {
        let kept = members.into_iter().filter(|_| !self.one_in(4));
        Value::Object(kept.map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn many(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> Value) -> Value {
        let most = if self.one_in(20) { most } else { most.min(4) };
        let count = self.below(most + 1);
        (0..count).map(|_| make(self)).collect()
    }

    fn coordinates(&mut self) -> Value {
        let half = |number: usize| f64::from(u32::try_from(number).unwrap()) / 2.0 - 91.0;
        json!({"latitude": half(self.below(364)), "longitude": half(self.below(364))})
    }

    fn media(&mut self) -> Value {
        let mut media = json!({"url": self.url()});
        let name = self.pick(&["a.jpg", "b.pdf", "", "海.mp4", "c"]);
        let more = self.some(vec![
            ("thumbnail_url", "https://example.com/t.jpg".into()),
            ("filename_override", name.into()),
        ]);
        if self.one_in(3) {
            media
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
        }
        media
    }

    fn choice(&mut self) -> Value {
        let mut choice = match self.below(9) {
            0 => json!({"url_message": {"title": self.text(), "url": self.url()}}),
            1 => {
                json!({"call_message": {"title": self.text(), "phone_number": self.pick(&["+81 3-1234-5678", "110", "x"])}})
            }
            2 => {
                json!({"location_message": {"title": self.text(), "coordinates": self.coordinates(), "label": self.text()}})
            }
            3 => {
                json!({"share_location_message": {"title": self.text(), "fallback_url": self.url()}})
            }
            4 => json!({"calendar_message": {
                "title": self.text(), "event_start": "2026-01-01T10:00:00Z", "event_end": "2026-01-01T11:00:00Z",
                "event_title": self.text(), "fallback_url": self.url(),
            }}),
            _ => json!({"text_message": {"text": self.text()}}),
        };
        if self.one_in(3) {
            let data = if self.one_in(20) {
                "d".repeat(301)
            } else {
                self.text()
            };
            choice
                .as_object_mut()
                .unwrap()
                .insert("postback_data".to_owned(), data.into());
        }
        choice
    }

    fn card(&mut self) -> Value {
        let members = vec![
            ("title", self.text().into()),
            ("description", self.text().into()),
            ("media_message", self.media()),
            ("choices", self.many(16, Dice::choice)),
            (
                "height",
                self.pick(&["SHORT", "MEDIUM", "TALL", "UNSPECIFIED_HEIGHT"])
                    .into(),
            ),
        ];
        self.some(members)
    }

    fn list_item(&mut self) -> Value {
        if self.one_in(6) {
            return json!({"product": {"id": self.text(), "marketplace": "M", "item_price": 9.5, "currency": "JPY"}});
        }
        let mut choice = json!({"title": self.text()});
        let more = vec![
            ("description", self.text().into()),
            ("postback_data", self.text().into()),
            ("media", self.media()),
        ];
        let more = self.some(more);
        choice
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"choice": choice})
    }

    fn body(&mut self) -> Value {
        match self.below(12) {
            0 => json!({"text_message": {"text": self.text()}}),
            1 => json!({"media_message": self.media()}),
            2 | 3 => {
                let mut choice = json!({"choices": self.many(20, Dice::choice)});
                if !self.one_in(5) {
                    choice["text_message"] = json!({"text": self.text()});
                }
                json!({"choice_message": choice})
            }
            4 | 5 => json!({"card_message": self.card()}),
            6 | 7 => {
                let mut carousel = json!({"cards": self.many(15, Dice::card)});
                if self.one_in(4) {
                    carousel["choices"] = self.many(16, Dice::choice);
                }
                json!({"carousel_message": carousel})
            }
            8 => {
                let mut location = json!({"title": self.text(), "coordinates": self.coordinates()});
                if self.one_in(2) {
                    location["label"] = self.text().into();
                }
                json!({"location_message": location})
            }
            9 | 10 => {
                let section = |dice: &mut Dice| {
                    let members = vec![("title", dice.text().into())];
                    let mut section = dice.some(members);
                    section["items"] = dice.many(40, Dice::list_item);
                    section
                };
                let mut list = json!({"title": self.text(), "sections": self.many(4, section)});
                if self.one_in(3) {
                    list["description"] = self.text().into();
                    list["media"] = self.media();
                }
                json!({"list_message": list})
            }
            _ => self.contact(),
        }
    }

    fn contact(&mut self) -> Value {
        let mut contact = json!({"name": {"full_name": self.text(), "first_name": self.text()}});
        let members = vec![
            (
                "phone_numbers",
                self.many(
                    20,
                    |dice| json!({"phone_number": dice.text(), "type": "WORK"}),
                ),
            ),
            (
                "email_addresses",
                self.many(3, |dice| json!({"email_address": dice.text()})),
            ),
            (
                "addresses",
                self.many(
                    3,
                    |dice| json!({"city": dice.text(), "country_code": "JP", "country": "Japan"}),
                ),
            ),
            ("urls", self.many(3, |dice| json!({"url": dice.url()}))),
            (
                "organization",
                json!({"company": self.text(), "title": self.text()}),
            ),
            ("birthday", "1970-01-01".into()),
        ];
        let more = self.some(members);
        contact
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"contact_info_message": contact})
    }

    fn item(&mut self) -> Value {
        match self.below(5) {
            0 => self.text().into(),
            1 if self.one_in(3) => {
                json!({"type": "sticker", "packageId": "446", "stickerId": "1988"})
            }
            _ => {
                let mut item = self.body();
                if self.one_in(8) {
                    item["agent"] = json!({"display_name": self.text(), "picture_url": "https://example.com/a.png"});
                }
                if self.one_in(12) {
                    item["channel_properties"] =
                        json!({"LINE_VIDEO_TRACKING_ID": "t-1", "LINE_OPEN_STATUS": "u_1"});
                }
                item
            }
        }
    }

    fn options(&mut self) -> Value {
        let members = vec![
            ("render", self.pick(&["auto", "template", "flex"]).into()),
            (
                "markdown",
                self.pick(&["off", "off", "plain", "rich"]).into(),
            ),
            ("emoji", self.pick(&["on", "on", "off"]).into()),
            ("split", self.pick(&["auto", "auto", "never"]).into()),
            (
                "choices",
                self.pick(&["buttons", "quick_reply", "confirm"]).into(),
            ),
            ("text_choice", self.pick(&["postback", "message"]).into()),
            (
                "video_thumbnail_url",
                "https://example.com/default.png".into(),
            ),
            ("audio_duration_ms", 1000.into()),
            ("alt_text", self.text().into()),
            ("group", self.one_in(2).into()),
        ];
        let members = members.into_iter().filter(|_| !self.one_in(2));
        Value::Object(
            members
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }
}

const PIECES: [&str; 44] = [
    "word",
    "two words",
    " ",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    "a.",
    "b! ",
    "海",
    "海です。",
    "かか\u{3099}",
    "🍎",
    "👨‍👩‍👧‍👦",
    "👍🏽",
    "🇯🇵",
    "e\u{301}\u{301}\u{301}",
    "שלום",
    "مرحبا",
    "\u{202e}",
    "\u{200d}",
    "{",
    "}",
    "{{",
    "}}",
    "{key}",
    "$",
    "[emoji:5ac21a8c040ab15980c9b43f:001]",
    "[emoji:670e0cce840a8236ddd4ee4c:a_9]",
    "[emoji:x:1]",
    "[emoji:",
    "https://example.com/a?b=c&d=%20",
    "http://example.com",
    "\"",
    "\\",
    "\u{1}",
    "<b>",
    "**bold**",
    "# head\n",
    "|a|b|\n|-|-|\n|1|2|\n",
    "- item\n",
    "[link](https://example.com)",
    "\u{fffd}",
    "x",
];

/// What a person would see of messages, each message's texts one after another.
fn visible(messages: &[Value]) -> String {
    fn collect(value: &Value, seen: &mut String) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    match (name.as_str(), member) {
                        ("text" | "title" | "label" | "address", Value::String(text)) => {
                            seen.push('\u{0}');
                            seen.push_str(text);
                        }
                        (_, Value::Object(_) | Value::Array(_)) => collect(member, seen),
                        _ => {}
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, seen)),
            _ => {}
        }
    }
    let mut seen = String::new();
    let mut after_text = false;
    for message in messages {
        let text = shorthand(message);
        // The parts of a split follow each other.
        if !(after_text && text.is_some()) {
            seen.push('\u{0}');
        }
        after_text = text.is_some();
        match text {
            Some(text) => seen.push_str(&text),
            None => collect(message, &mut seen),
        }
        if let Some(more) = message.get("quickReply") {
            collect(more, &mut seen);
        }
    }
    seen
}

/// What a person would expect to see of an item: each text with its pointer.
fn written(value: &Value, path: &str, texts: &mut Vec<(String, String)>) {
    const SEEN: [&str; 12] = [
        "text",
        "title",
        "description",
        "label",
        "full_name",
        "first_name",
        "phone_number",
        "email_address",
        "city",
        "company",
        "id",
        "type",
    ];
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = format!("{path}/{name}");
                match member {
                    // A tap calls it.
                    _ if name == "phone_number" && members.contains_key("title") => {}
                    Value::String(text) if SEEN.contains(&name.as_str()) => {
                        texts.push((path, text.clone()));
                    }
                    _ => written(member, &path, texts),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                written(item, &format!("{path}/{index}"), texts);
            }
        }
        _ => {}
    }
}

/// Whether the report says something about this very text, or that what it belongs to is not as it was.
fn is_reported(path: &str, report: &[Change]) -> bool {
    report.iter().any(|change| {
        let within = path
            .strip_prefix(&change.path)
            .is_some_and(|rest| rest.starts_with('/'));
        change.path == path || within && change.what.is_loss()
    })
}

fn check(number: u64) -> bool {
    let mut dice = Dice(number);
    let options_value = dice.options();
    let chosen: Options = options(&options_value);
    let count = if dice.one_in(6) { 3 } else { 1 };
    let items: Vec<Value> = (0..count).map(|_| dice.item()).collect();
    let context = || format!("case {number}: {options_value}\n{}", json!(items));
    let document = json!(items);
    let composed = match compose(&items, &chosen) {
        Ok(composed) => composed,
        Err(problems) => {
            assert!(!problems.is_empty(), "{}", context());
            for problem in problems {
                let leads = document.pointer(&problem.path).is_some();
                assert!(leads, "{problem}\n{}", context());
            }
            return false;
        }
    };
    assert_eq!(composed.messages.len(), composed.origins.len());
    let findings = judged(&composed.messages);
    assert!(
        findings.violations.is_empty(),
        "{findings:#?}\n{}\n{}",
        json!(composed.messages),
        context()
    );
    for (index, item) in items.iter().enumerate() {
        let origin =
            |origin: &&String| origin.split('/').nth(1) == Some(index.to_string().as_str());
        let own: Vec<Value> = composed
            .messages
            .iter()
            .zip(&composed.origins)
            .filter(|(_, from)| origin(from))
            .map(|(message, _)| message.clone())
            .collect();
        assert!(!own.is_empty(), "item {index} vanished\n{}", context());
        if item.get("type").is_some() {
            assert_eq!(own, std::slice::from_ref(item));
            continue;
        }
        let reads_markdown = options_value
            .get("markdown")
            .is_some_and(|how| how != "off");
        if let (Value::String(text), false) = (item, reads_markdown) {
            let parts: Vec<String> = own.iter().filter_map(shorthand).collect();
            let dropped = composed
                .report
                .iter()
                .any(|change| change.what == What::Dropped);
            assert!(dropped || parts.concat() == *text, "{}", context());
            continue;
        }
        let seen = visible(&own);
        let mut texts = Vec::new();
        written(item, &format!("/{index}"), &mut texts);
        for (path, text) in texts {
            let text = text.trim();
            let found = text.is_empty() || seen.contains(text);
            assert!(
                found || is_reported(&path, &composed.report),
                "{path} vanished: {text:?}\n{}\n{:#?}\n{}",
                json!(own),
                composed.report,
                context()
            );
        }
    }
    for change in &composed.report {
        let parent = change
            .path
            .rsplit_once('/')
            .map_or("", |(parent, _)| parent);
        assert!(
            document.pointer(parent).is_some(),
            "{change:?}\n{}",
            context()
        );
    }
    if number.is_multiple_of(10) {
        let strict = Options {
            strict: true,
            ..chosen
        };
        let loses = composed.report.iter().any(|change| change.what.is_loss());
        assert_eq!(compose(&items, &strict).is_err(), loses, "{}", context());
    }
    true
}

#[test]
fn whatever_is_composed_passes_lines_limits_and_loses_nothing_in_silence() {
    let workers = 2;
    let accepted: u64 = thread::scope(|scope| {
        let worker = |first: u64| {
            move || {
                (first..CASES)
                    .step_by(2)
                    .filter(|number| check(*number))
                    .count() as u64
            }
        };
        let threads: Vec<_> = (0..workers)
            .map(|first| scope.spawn(worker(first)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert!(accepted > CASES / 3, "{accepted}");
}

/// Values of the wrong type anywhere in a message are refused in words, each at its place.
#[test]
fn whatever_is_wrong_is_refused_in_words() {
    fn spoil(value: &mut Value, dice: &mut Dice) {
        match value {
            Value::Object(members) if !members.is_empty() && !dice.one_in(5) => {
                let index = dice.below(members.len());
                spoil(members.values_mut().nth(index).unwrap(), dice);
            }
            Value::Array(items) if !items.is_empty() && !dice.one_in(5) => {
                let index = dice.below(items.len());
                spoil(&mut items[index], dice);
            }
            Value::Object(members) => {
                members.insert(
                    dice.pick(&["titel", "~/", "choices", "海"]).to_owned(),
                    json!([1]),
                );
            }
            other => {
                *other = [
                    json!(null),
                    json!(7),
                    json!([]),
                    json!({"a": 1}),
                    json!(true),
                    json!(""),
                ][dice.below(6)]
                .clone();
            }
        }
    }
    let mut refused = 0;
    for number in 0..5_000 {
        let mut dice = Dice(number);
        let mut item = dice.body();
        spoil(&mut item, &mut dice);
        match compose(std::slice::from_ref(&item), &Options::default()) {
            Ok(composed) => assert!(judged(&composed.messages).violations.is_empty(), "{item}"),
            Err(problems) => {
                refused += 1;
                for problem in problems {
                    let parent = problem
                        .path
                        .rsplit_once('/')
                        .map_or("", |(parent, _)| parent);
                    assert!(json!([item]).pointer(parent).is_some(), "{problem} {item}");
                    assert!(
                        !problem.message.contains("invalid type"),
                        "{problem} {item}"
                    );
                }
            }
        }
    }
    assert!(refused > 2_000, "{refused}");
    let empty: Map<String, Value> = Map::new();
    assert!(compose(&[Value::Object(empty)], &Options::default()).is_err());
}

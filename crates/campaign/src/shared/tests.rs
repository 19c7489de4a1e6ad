//! Shared runs against sandboxes in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use line_connector_client::{Connector, Error};
use line_connector_core::asset::Operator;
use line_connector_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{Campaign, Campaigner, Form, PlanOptions, RunOptions, RunState, results};

/// A store in memory.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Memory {
    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.lock().unwrap().clone()
    }

    fn change(&self, folder: &str, change: impl Fn(&mut Vec<u8>)) {
        let mut objects = self.0.lock().unwrap();
        let own = objects
            .iter_mut()
            .filter(|(name, _)| name.starts_with(folder));
        own.for_each(|(_, bytes)| change(bytes));
    }
}

impl Store for Memory {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    fn put_new(&self, name: &str, bytes: Vec<u8>) -> Result<bool, Error> {
        let mut objects = self.0.lock().unwrap();
        if objects.contains_key(name) {
            return Ok(true);
        }
        objects.insert(name.to_owned(), bytes);
        Ok(false)
    }

    fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.0.lock().unwrap().insert(name.to_owned(), bytes);
        Ok(())
    }
}

/// A campaign of two accounts, its list, and the LINE that each account sees.
struct Place {
    folder: TempDir,
    campaign: Campaign,
    common: Connector,
    own: BTreeMap<String, Connector>,
    lines: Vec<Arc<Sandbox>>,
}

/// Half of the people share a text, half have their own.
const TEXT: &str = "Hello {{ UserAttribute['name'] }}!";

impl Place {
    fn new(people: usize, members: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut list = "line_id,name\n".to_owned();
        for number in 0..people {
            let name = if number % 2 == 0 {
                format!("Ann {number}")
            } else {
                "everybody".to_owned()
            };
            let _ = writeln!(list, "U{number:032x},{name}");
        }
        list.push_str("nobody,Bob\n");
        std::fs::write(folder.path().join("people.csv"), list).unwrap();
        let mut document = json!({
            "schema": "campaign/1",
            "name": "shared",
            "recipients": {"csv": "people.csv"},
            "accounts": {"tokyo": {"weight": 70}, "osaka": {"weight": 30}},
            "messages": [{"type": "text", "text": TEXT}],
        });
        for (name, value) in members.as_object().unwrap() {
            document[name] = value.clone();
        }
        let campaign = Campaign::read("shared.json", &document.to_string()).unwrap();
        let mut own = BTreeMap::new();
        let mut lines = Vec::new();
        for name in ["tokyo", "osaka"] {
            let line = Arc::new(Sandbox::new(Settings {
                quota: Some(1_000_000),
                ..Settings::default()
            }));
            let mut asset = line.asset("http://sandbox.invalid");
            asset["rate_limits"] = json!({"*": "off"});
            let connector = Connector::builder()
                .transport(line.clone())
                .operator(Operator {
                    file: asset.as_object().cloned().unwrap(),
                    ..Operator::default()
                });
            own.insert(name.to_owned(), connector.build());
            lines.push(line);
        }
        Self {
            folder,
            campaign,
            common: Connector::builder().build(),
            own,
            lines,
        }
    }

    fn campaigner(&self) -> Campaigner<'_> {
        let ledger = self.folder.path().join("run.ledger");
        self.campaigner_of(&ledger)
    }

    fn campaigner_of(&self, ledger: &Path) -> Campaigner<'_> {
        let folder = self.folder.path();
        Campaigner::new(&self.campaign, folder, ledger, &self.common, &self.own)
    }

    fn plan(&self, store: &Memory) -> SharedRun {
        let told = self
            .campaigner()
            .plan_shared(&options(), store, "memory://store")
            .unwrap();
        let url = told["ledger"].as_str().unwrap();
        let (place, run) = SharedRun::place(url).unwrap();
        assert_eq!(place, "memory://store");
        let opened = SharedRun::open(store, &run).unwrap();
        assert_eq!(told["digest"], opened.manifest.digest);
        opened
    }

    /// How often each person got each text, all accounts together.
    fn received(&self) -> BTreeMap<(String, String), usize> {
        let mut received = BTreeMap::new();
        for delivery in self.lines.iter().flat_map(|line| line.delivered()) {
            let delivery = serde_json::to_value(&delivery).unwrap();
            let text = delivery["messages"][0]["text"].as_str().unwrap();
            let to = match &delivery["to"] {
                Value::Array(to) => to.clone(),
                one => vec![one.clone()],
            };
            for id in to {
                let person = (id.as_str().unwrap().to_owned(), text.to_owned());
                *received.entry(person).or_default() += 1;
            }
        }
        received
    }
}

fn options() -> PlanOptions {
    PlanOptions {
        offline: true,
        samples: 0,
        probes: 0,
        media_check: false,
    }
}

static NO: AtomicBool = AtomicBool::new(false);

fn turn(number: u32) -> Turn<'static> {
    Turn {
        number,
        began_ms: 0,
        in_doubt: false,
        only_in_doubt: false,
        permits: None,
        until_ms: i64::MAX,
        stop: &NO,
    }
}

/// Sends all chunks, each in one turn; returns what came of them.
fn send_all(place: &Place, store: &Memory, run: &SharedRun) -> Vec<Round> {
    let campaigner = place.campaigner();
    let mut rounds = Vec::new();
    for (lane, listed) in run.manifest.lanes.iter().enumerate() {
        for number in 0..listed.chunks {
            let mut chunk = Chunk::open(store, &run.manifest, lane, number).unwrap();
            rounds.push(chunk.send(&campaigner, &turn(1)));
            chunk.save(store).unwrap();
        }
    }
    rounds
}

fn rows(text: &[u8]) -> Vec<Value> {
    let lines = text.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn shared_results(store: &Memory, run: &SharedRun) -> Vec<Value> {
    let mut text = Vec::new();
    run.results(store, Form::Ndjson, &[], &mut text).unwrap();
    rows(&text)
}

/// Who got what from whom with which key.
fn facts(rows: &[Value]) -> BTreeSet<[String; 5]> {
    let names = ["line_id", "account", "rendering", "retry_key", "state"];
    let facts = rows
        .iter()
        .map(|row| names.map(|name| row[name].to_string()));
    facts.collect()
}

#[test]
fn a_shared_run_sends_the_same_to_the_same_people_with_the_same_keys_as_a_ledger() {
    let members = json!({});
    let shared = Place::new(2000, &members);
    let store = Memory::default();
    let run = shared.plan(&store);
    run.fix(&store).unwrap();
    send_all(&shared, &store, &run);
    assert!(shared.received().len() == 2000 && shared.received().values().all(|times| *times == 1));

    let alone = Place::new(2000, &members);
    let ledger = alone.folder.path().join("alone.ledger");
    let campaigner = alone.campaigner_of(&ledger);
    let plan = campaigner.plan(&options()).unwrap();
    let confirmed = RunOptions {
        confirm: plan["digest"].as_str().map(str::to_owned),
        ..RunOptions::default()
    };
    campaigner.start(&confirmed, &NO, &mut |_| {}).unwrap();
    let mut text = Vec::new();
    results(&ledger, Form::Ndjson, &[], &mut text).unwrap();

    let (here, there) = (facts(&rows(&text)), facts(&shared_results(&store, &run)));
    assert_eq!(here.len(), 2001);
    assert_eq!(here, there);
    assert_eq!(alone.received(), shared.received());
}

#[test]
fn planning_again_makes_the_same_objects_and_what_was_started_is_not_planned_again() {
    let place = Place::new(300, &json!({}));
    let store = Memory::default();
    let run = place.plan(&store);
    let before = store.objects();
    let again = place.plan(&store);
    let fixed = |objects: BTreeMap<String, Vec<u8>>| -> BTreeMap<String, Vec<u8>> {
        let folders = ["chunks/", "pages/", "skipped/"];
        let own = objects.into_iter();
        let own = own.filter(|(name, _)| folders.iter().any(|folder| name.starts_with(folder)));
        own.collect()
    };
    assert_eq!(fixed(before), fixed(store.objects()));
    again.fix(&store).unwrap();
    again.fix(&store).unwrap();
    let refused = place
        .campaigner()
        .plan_shared(&options(), &store, "memory://store");
    assert!(refused.unwrap_err().message.contains("was started already"));
    let other = SharedRun {
        sha256: "another".to_owned(),
        ..run
    };
    assert!(other.fix(&store).is_err());
}

#[test]
fn a_plan_that_ended_halfway_is_no_plan() {
    let place = Place::new(300, &json!({}));
    let store = Memory::default();
    let run = place.plan(&store).manifest.run;
    let halfway = Memory::default();
    for (name, bytes) in store.objects() {
        if !name.starts_with("runs/") {
            halfway.put(&name, bytes).unwrap();
        }
    }
    let error = SharedRun::open(&halfway, &run).unwrap_err();
    assert!(error.message.contains("has no run"), "{error:?}");
}

#[test]
fn what_was_changed_or_is_gone_is_told_and_not_sent() {
    let place = Place::new(50, &json!({}));
    let store = Memory::default();
    let run = place.plan(&store);
    store.change("chunks/", |bytes| bytes.push(b' '));
    let Err(Unusable::Damaged(reason)) = Chunk::open(&store, &run.manifest, 0, 0) else {
        panic!("a changed chunk was taken");
    };
    assert!(reason.contains("its digest differs"), "{reason}");
    store
        .0
        .lock()
        .unwrap()
        .retain(|name, _| !name.starts_with("chunks/"));
    let Err(Unusable::Damaged(reason)) = Chunk::open(&store, &run.manifest, 0, 0) else {
        panic!("a missing chunk was taken");
    };
    assert!(reason.contains("is missing"), "{reason}");
    assert!(place.received().is_empty());
}

#[test]
fn a_chunk_that_is_sent_again_after_a_death_doubles_nobody() {
    let place = Place::new(200, &json!({}));
    let store = Memory::default();
    let run = place.plan(&store);
    // Everything was accepted, and nothing of it written down.
    let campaigner = place.campaigner();
    for lane in 0..run.manifest.lanes.len() {
        let mut chunk = Chunk::open(&store, &run.manifest, lane, 0).unwrap();
        chunk.send(&campaigner, &turn(1));
        let mut chunk = Chunk::open(&store, &run.manifest, lane, 0).unwrap();
        let began_ms = campaigner.now().as_millisecond();
        let again = Turn {
            in_doubt: true,
            began_ms,
            ..turn(1)
        };
        let round = chunk.send(&campaigner, &again);
        assert_eq!(round.people.accepted, run.manifest.lanes[lane].people);
    }
    assert!(place.received().values().all(|times| *times == 1));
    assert_eq!(place.received().len(), 200);
}

#[test]
fn what_is_in_doubt_for_23_hours_is_not_repeated() {
    let place = Place::new(20, &json!({}));
    let store = Memory::default();
    let run = place.plan(&store);
    let campaigner = place.campaigner();
    let mut chunk = Chunk::open(&store, &run.manifest, 0, 0).unwrap();
    let long_ago = campaigner.now().as_millisecond() - 23 * 3600 * 1000;
    let late = Turn {
        in_doubt: true,
        began_ms: long_ago,
        ..turn(1)
    };
    let round = chunk.send(&campaigner, &late);
    assert_eq!(round.people.expired_unknown, run.manifest.lanes[0].people);
    assert_eq!(round.left, 0);
    assert!(place.received().is_empty());
}

#[test]
fn no_more_is_sent_than_there_are_permits_for_and_none_before_its_time() {
    let place = Place::new(200, &json!({}));
    let store = Memory::default();
    let run = place.plan(&store);
    let campaigner = place.campaigner();
    let lanes = &run.manifest.lanes;
    let lane = lanes
        .iter()
        .position(|lane| lane.method == Method::One)
        .unwrap();
    let mut chunk = Chunk::open(&store, &run.manifest, lane, 0).unwrap();
    let now = campaigner.now().as_millisecond();
    let permits = |at_ms| {
        vec![
            Permit { count: 3, at_ms },
            Permit {
                count: 4,
                at_ms: at_ms + 30,
            },
        ]
    };
    let within = Turn {
        permits: Some(permits(now)),
        ..turn(1)
    };
    let round = chunk.send(&campaigner, &within);
    assert_eq!(round.people.accepted, 7);
    assert_eq!(u64::from(round.wanted), lanes[lane].requests - 7);
    assert_eq!(round.used.iter().map(|permit| permit.count).sum::<u32>(), 7);
    assert!(round.used.iter().all(|permit| permit.at_ms >= now));
    assert!(round.used.iter().any(|permit| permit.at_ms >= now + 30));
    assert_eq!(round.unused, []);
    // Too late for these: they come back.
    let overdue = Turn {
        permits: Some(permits(now)),
        until_ms: now - 1,
        ..turn(1)
    };
    let round = chunk.send(&campaigner, &overdue);
    assert_eq!((round.people.accepted, round.used.len()), (7, 0));
    assert_eq!(
        round.unused.iter().map(|permit| permit.count).sum::<u32>(),
        7
    );
}

#[test]
fn people_whom_line_refuses_are_found_by_halving_within_the_chunk() {
    let place = Place::new(64, &json!({"messages": ["the same for all"]}));
    let store = Memory::default();
    let run = place.plan(&store);
    for line in &place.lines {
        let fault = json!({"kind": "status", "code": 400});
        line.inject(serde_json::from_value(fault).unwrap());
    }
    let rounds = send_all(&place, &store, &run);
    let accepted: u64 = rounds.iter().map(|round| round.people.accepted).sum();
    assert!(
        accepted < 64,
        "the halves are for further rounds: {accepted}"
    );
    let campaigner = place.campaigner();
    for (lane, listed) in run.manifest.lanes.iter().enumerate() {
        for number in 0..listed.chunks {
            let mut chunk = Chunk::open(&store, &run.manifest, lane, number).unwrap();
            while chunk.send(&campaigner, &turn(1)).wanted > 0 {}
            chunk.save(&store).unwrap();
        }
    }
    let results = shared_results(&store, &run);
    assert_eq!(
        results
            .iter()
            .filter(|row| row["state"] == "accepted")
            .count(),
        64
    );
    assert_eq!(place.received().len(), 64);
}

#[test]
fn a_run_that_was_given_up_sends_nothing_new_and_says_so() {
    let place = Place::new(40, &json!({}));
    let store = Memory::default();
    let run = place.plan(&store);
    let campaigner = place.campaigner();
    let mut chunk = Chunk::open(&store, &run.manifest, 0, 0).unwrap();
    let given_up = Turn {
        only_in_doubt: true,
        ..turn(1)
    };
    let round = chunk.send(&campaigner, &given_up);
    assert_eq!(round.people.cancelled, run.manifest.lanes[0].people);
    chunk.save(&store).unwrap();
    let standing = Standing {
        state: RunState::Cancelled,
        reason: None,
        started_ms: Some(0),
        ended_ms: Some(0),
        people: round.people,
        parked: Vec::new(),
        at_ms: 0,
    };
    standing.save(&store, &run.manifest.run).unwrap();
    let status = run.status(&store, "memory://store/runs/x").unwrap();
    assert_eq!(status["people"], json!({"cancelled": 40}));
    let results = shared_results(&store, &run);
    let cancelled = results.iter().filter(|row| row["state"] == "cancelled");
    assert_eq!(cancelled.count(), 40);
    assert!(place.received().is_empty());
}

#[test]
fn a_campaign_that_needs_a_file_of_one_machine_is_refused() {
    let cap = json!({"frequency_cap": {"history": "sent.db", "most": 1, "days": 7}});
    let place = Place::new(4, &cap);
    let refused = place
        .campaigner()
        .plan_shared(&options(), &Memory::default(), "memory://store");
    assert!(refused.unwrap_err().message.contains("frequency_cap"));
}

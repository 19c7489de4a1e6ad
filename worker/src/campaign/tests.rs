//! A worker's steps as Restate would call them, over files and a LINE on loopback.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use line_connector::{AssetFile, CampaignCommand};
use line_connector_campaign::{Form, Permit, Round, RunState, SharedRun, Standing};
use line_connector_client::ExitCode;
use line_connector_sandbox::{Sandbox, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::commands::campaign;
use super::run::{Order, Plan, Run};
use super::store::Objects;
use super::workplace::{Step, Workplace, now_ms};

const ACCOUNTS: [&str; 2] = ["osaka", "tokyo"];

/// A folder with a campaign that was planned into a store beneath it, and a LINE for each account.
struct Place {
    folder: TempDir,
    runtime: Runtime,
    lines: Vec<Arc<Sandbox>>,
    run: String,
    digest: String,
}

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: CampaignCommand,
}

impl Place {
    fn new(people: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let mut list = "line_id,name\n".to_owned();
        for number in 0..people {
            let name = if number % 2 == 0 { number } else { 0 };
            let _ = writeln!(list, "U{number:032x},Ann {name}");
        }
        write("people.csv", &list);
        let mut lines = Vec::new();
        let mut accounts = serde_json::Map::new();
        for name in ACCOUNTS {
            let settings = Settings {
                quota: Some(1_000_000),
                ..Settings::default()
            };
            let line = Arc::new(Sandbox::new(settings));
            let listener = Arc::clone(&line)
                .listen("127.0.0.1:0".parse().unwrap())
                .unwrap();
            let asset = line.asset(&listener.url());
            // It ends with the process.
            std::mem::forget(listener);
            write(&format!("{name}.json"), &asset.to_string());
            accounts.insert(
                name.to_owned(),
                json!({"asset": {"file": format!("{name}.json")}}),
            );
            lines.push(line);
        }
        let document = json!({
            "schema": "campaign/1",
            "name": "worker",
            "recipients": {"csv": "people.csv"},
            "accounts": accounts,
            "messages": ["Hello {{ UserAttribute['name'] }}!"],
        });
        write("campaign.json", &document.to_string());
        let mut place = Self {
            runtime: super::runtime().unwrap(),
            folder,
            lines,
            run: String::new(),
            digest: String::new(),
        };
        let document = place.path("campaign.json");
        let done = Self::command(&["plan", &document, "--to", &place.store_url(), "--show", "0"]);
        assert_eq!(done, ExitCode::Accepted);
        place.run = fs::read_dir(place.path("store/runs"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .file_name()
            .into_string()
            .unwrap();
        place.digest = SharedRun::open(&place.store(), &place.run)
            .unwrap()
            .manifest
            .digest;
        place
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn store_url(&self) -> String {
        format!("file://{}", self.path("store"))
    }

    fn store(&self) -> Objects {
        let handle = self.runtime.handle().clone();
        Objects::new(&self.store_url(), BTreeMap::new(), handle).unwrap()
    }

    fn command(words: &[&str]) -> ExitCode {
        let line = Line::parse_from(["campaign"].iter().chain(words));
        campaign(&|| line_connector::catalog(None), &line.command).unwrap()
    }

    fn command_fails(words: &[&str]) -> String {
        let line = Line::parse_from(["campaign"].iter().chain(words));
        let failed = campaign(&|| line_connector::catalog(None), &line.command);
        failed.unwrap_err().message
    }

    fn workplace(&self) -> Arc<Workplace> {
        let assets = PathBuf::from(self.folder.path());
        let asset = AssetFile::default();
        Arc::new(Workplace::new(self.store(), assets, asset, None))
    }

    fn plan(&self, workplace: &Arc<Workplace>, confirm: &str) -> Result<Plan, String> {
        let plan = Arc::clone(workplace).plan(self.run.clone(), confirm.to_owned());
        self.runtime.block_on(plan).unwrap()
    }

    fn send(
        &self,
        workplace: &Arc<Workplace>,
        order: &Order,
        permits: Option<Vec<Permit>>,
    ) -> Step {
        let begun = workplace.begin();
        let since = begun.at_ms;
        let sent = Arc::clone(workplace).send(order.clone(), begun, since, false, permits);
        self.runtime.block_on(sent).unwrap()
    }

    /// The orders of a run that begins.
    fn orders(&self, workplace: &Arc<Workplace>, run: &mut Run) -> Vec<Order> {
        let look = Arc::clone(workplace).look(
            run.manifest.clone(),
            run.accounts(),
            run.strangers(now_ms()),
        );
        let look = self.runtime.block_on(look).unwrap();
        let steps = run.steps(&self.run, &look);
        if let Some(standing) = steps.standing {
            self.runtime
                .block_on(Arc::clone(workplace).tell(self.run.clone(), standing))
                .unwrap();
        }
        steps.orders
    }

    /// How often each person got something.
    fn received(&self) -> BTreeMap<String, usize> {
        let mut received = BTreeMap::new();
        for delivery in self.lines.iter().flat_map(|line| line.delivered()) {
            let to = serde_json::to_value(&delivery).unwrap()["to"].clone();
            let to = if to.is_array() { to } else { json!([to]) };
            for id in to.as_array().unwrap() {
                *received.entry(id.as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        received
    }

    fn results(&self) -> Vec<Value> {
        let store = self.store();
        let mut text = Vec::new();
        let run = SharedRun::open(&store, &self.run).unwrap();
        run.results(&store, Form::Ndjson, &[], &mut text).unwrap();
        let lines = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        lines
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

fn sent(step: Step) -> Round {
    match step {
        Step::Sent(round) => round,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_of_two_accounts_reaches_everybody_once_and_its_results_say_so() {
    let place = Place::new(2000);
    let workplace = place.workplace();
    let plan = place.plan(&workplace, &place.digest[..12]).unwrap();
    let mut run = Run::new(plan, now_ms());
    let mut orders = place.orders(&workplace, &mut run);
    assert!(
        orders.iter().all(|order| order.limit.is_some()),
        "LINE's rates hold"
    );
    while let Some(order) = orders.pop() {
        let round = sent(place.send(&workplace, &order, None));
        let ended = super::run::Ended {
            lane: order.lane,
            chunk: order.chunk,
            turn: order.turn,
            outcome: super::run::Outcome::Sent(round),
        };
        run.ended(ended, now_ms());
        orders.extend(place.orders(&workplace, &mut run));
    }
    assert_eq!(run.state(), RunState::Finished);
    let received = place.received();
    assert!(received.len() == 2000 && received.values().all(|times| *times == 1));
    let results = place.results();
    let accepted = results.iter().filter(|row| row["state"] == "accepted");
    assert_eq!((results.len(), accepted.count()), (2000, 2000));
    let store = place.store();
    let status = SharedRun::open(&store, &place.run)
        .unwrap()
        .status(&store, "url")
        .unwrap();
    assert_eq!(
        (&status["state"], &status["people"]),
        (&json!("finished"), &json!({"accepted": 2000}))
    );
}

#[test]
fn only_the_plan_that_is_confirmed_is_sent() {
    let place = Place::new(4);
    let workplace = place.workplace();
    for wrong in ["", "0000000000000"] {
        let refused = place.plan(&workplace, wrong).unwrap_err();
        assert!(refused.contains(&place.digest[..12]), "{refused}");
    }
    assert!(place.plan(&workplace, &place.digest).is_ok());
    let again = Place::command_fails(&[
        "plan",
        &place.path("campaign.json"),
        "--to",
        &place.store_url(),
    ]);
    assert!(again.contains("was started already"), "{again}");
}

#[test]
fn whoever_begins_again_after_a_death_sends_nothing_at_first() {
    let place = Place::new(40);
    let workplace = place.workplace();
    let plan = place.plan(&workplace, &place.digest).unwrap();
    let mut run = Run::new(plan, 0);
    let order = place.orders(&workplace, &mut run).remove(0);
    // Somebody else's beginning, as a journal has it after a death; and one's own for the second time.
    let begun = place.workplace().begin();
    for _ in 0..2 {
        let sent = Arc::clone(&workplace).send(order.clone(), begun.clone(), 0, false, None);
        assert!(matches!(
            place.runtime.block_on(sent).unwrap(),
            Step::Late { .. }
        ));
    }
    assert!(place.received().is_empty());
}

#[test]
fn a_chunk_that_is_gone_is_parked_and_an_account_without_credentials_stops() {
    let place = Place::new(40);
    let workplace = place.workplace();
    let plan = place.plan(&workplace, &place.digest).unwrap();
    let mut run = Run::new(plan.clone(), 0);
    let order = place.orders(&workplace, &mut run).remove(0);
    fs::remove_dir_all(place.path("store/chunks")).unwrap();
    let Step::Parked(reason) = place.send(&workplace, &order, None) else {
        panic!("a chunk that is gone was sent");
    };
    assert!(reason.contains("is missing"), "{reason}");

    fs::remove_file(place.path("tokyo.json")).unwrap();
    let mut run = Run::new(plan, 0);
    let elsewhere = place.workplace();
    assert_eq!(place.orders(&elsewhere, &mut run), []);
    let standing: Standing = run.standing(0);
    assert_eq!(standing.state, RunState::Paused);
    assert!(
        standing
            .reason
            .unwrap()
            .contains("tokyo.json cannot be read")
    );
}

#[test]
fn an_asset_outside_the_workers_folder_is_refused() {
    assert!(super::workplace::is_beneath(Path::new("shops/tokyo.json")));
    for path in ["/etc/tokyo.json", "../tokyo.json", "shops/../../tokyo.json"] {
        assert!(!super::workplace::is_beneath(Path::new(path)), "{path}");
    }
}

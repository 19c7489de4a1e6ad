//! Files that people write or export: actions, campaigns, lists of people.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::LazyLock;

use line_connector_campaign::{Campaign, Campaigner, PlanOptions};
use line_connector_client::{Kind, examples};
use line_connector_core::catalog::reader::Problem;
use line_connector_core::describe;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{CATALOG, PLANNER};

/// What is told about a file can be found in it.
fn placed(problems: &[Problem], text: &str) {
    assert!(!problems.is_empty());
    // YAML ends a line at a lone carriage return, too.
    let lines = text.split(['\n', '\r']).count();
    for problem in problems {
        assert!(problem.line <= lines, "{problem}");
        assert!(!problem.reason.is_empty());
    }
}

/// Bytes as the file of an action: it is refused with places, or can be described and tried.
pub(crate) fn action(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let name = text.lines().find_map(|line| line.strip_prefix("name: "));
    let name = name.unwrap_or("nameless");
    let mut catalog = CATALOG.clone();
    if let Err(problems) = catalog.add(&format!("{name}.yaml"), text) {
        placed(&problems, text);
        return;
    }
    assert!(catalog.has(name));
    assert!(describe::action(&catalog, name).is_some());
    // An example may be wrong, which is told.
    let _ = examples::check(&catalog, name);
}

/// Bytes as a campaign: it is refused with places, or is the same when it is read again.
pub(crate) fn campaign(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    match Campaign::read("campaign.yaml", text) {
        Err(problems) => placed(&problems, text),
        Ok(campaign) => {
            let written = serde_json::to_string(&campaign).expect("JSON");
            let again = Campaign::read("campaign.json", &written);
            let again = again.unwrap_or_else(|problems| panic!("{written}: {problems:?}"));
            assert_eq!(written, serde_json::to_string(&again).expect("JSON"));
        }
    }
}

/// A campaign for each way in which a list is written, which its first byte chooses.
static CAMPAIGNS: LazyLock<[Campaign; 3]> = LazyLock::new(|| {
    let message = "Hello {{ UserAttribute['first_name'] | default('friend') }}!";
    [
        json!({"csv": "-"}),
        json!({"csv": "-", "delimiter": ";"}),
        json!({"ndjson": "-"}),
    ]
    .map(|recipients| {
        let document = json!({
            "schema": "campaign/1", "name": "list", "recipients": recipients, "messages": [message],
        });
        Campaign::read("list.json", &document.to_string()).expect("a campaign")
    })
});

thread_local! {
    static LIST: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static FOLDER: TempDir = super::folder();
}

/// Bytes as a list of people: it is refused, or each of its rows is sent to or left out.
pub(crate) fn list(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    LIST.set(rest.to_vec());
    let campaign = &CAMPAIGNS[usize::from(*first) % CAMPAIGNS.len()];
    FOLDER.with(|folder| {
        let ledger = folder.path().join("ledger");
        planned(campaign, folder.path(), &ledger);
        // There is none where the list was refused.
        let _ = std::fs::remove_file(&ledger);
    });
}

fn planned(campaign: &Campaign, folder: &Path, ledger: &Path) {
    let own = BTreeMap::new();
    let campaigner = Campaigner::new(campaign, folder, ledger, &PLANNER, &own)
        .with_input(|| Box::new(Cursor::new(LIST.take())) as Box<dyn Read>);
    let options = PlanOptions {
        offline: true,
        samples: 1,
        probes: 0,
        media_check: false,
    };
    match campaigner.plan(&options) {
        Err(error) => assert!(
            matches!(error.kind, Kind::InvalidDocument | Kind::InvalidInputs),
            "{error:?}"
        ),
        Ok(plan) => {
            let left_out = plan["left_out"].as_object().expect("reasons");
            let left_out: u64 = left_out.values().filter_map(Value::as_u64).sum();
            let people = plan["people"].as_u64().expect("a number");
            assert_eq!(plan["rows"], people + left_out, "{plan}");
        }
    }
}

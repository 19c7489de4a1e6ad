//! What each row of the list comes to: a person who gets something, or the reason why not.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use line_connector_client::{Connector, Invocation};
use line_connector_core::{compose, schema};
use serde_json::{Map, Value, json};

use crate::attributes::Attributes;
use crate::document::is_between_accounts;
use crate::gateway::{Weighted, choose, fraction};
use crate::ledger::{Fate, Fingerprint, Rendering, Staged, fingerprint};
use crate::list::Entry;
use crate::template::{Selector, Templates};

/// How many renderings a thread remembers.
const MAX_REMEMBERED: usize = 10_000;

/// Everything that decides about a row. Threads share it.
pub(crate) struct Rules<'a> {
    pub(crate) connector: &'a Connector,
    pub(crate) templates: &'a Templates,
    pub(crate) compose: compose::Options,
    /// What a request has beside `to` and `messages`.
    pub(crate) request: Map<String, Value>,
    pub(crate) accounts: Vec<Weighted>,
    /// The attribute that names the accounts which a person follows.
    pub(crate) follows: Option<String>,
    /// The share of the control group, and its salt.
    pub(crate) control: Option<(f64, String)>,
    pub(crate) suppressed: Suppressed,
}

/// Who gets nothing, whatever the list says.
#[derive(Debug, Default)]
pub(crate) struct Suppressed {
    /// By ID, in order.
    pub(crate) ids: Vec<String>,
    /// Who unfollowed an account, by its number.
    pub(crate) unfollowed: BTreeMap<usize, HashSet<String>>,
}

impl Suppressed {
    fn is_listed(&self, id: &str) -> bool {
        self.ids
            .binary_search_by(|known| known.as_str().cmp(id))
            .is_ok()
    }

    fn has_left(&self, account: usize, id: &str) -> bool {
        self.unfollowed
            .get(&account)
            .is_some_and(|gone| gone.contains(id))
    }
}

/// One thread's view of the rules.
pub(crate) struct Renderer<'a> {
    rules: &'a Rules<'a>,
    selector: Selector<'a>,
    known: HashMap<Fingerprint, Result<Arc<Rendering>, String>>,
}

/// What a row comes to; `None` where the person is not meant.
pub(crate) type Judged = Option<Staged>;

impl<'a> Renderer<'a> {
    pub(crate) fn new(rules: &'a Rules<'a>) -> Self {
        Self {
            rules,
            selector: rules.templates.selector(),
            known: HashMap::new(),
        }
    }

    /// Judges a row.
    pub(crate) fn judge(&mut self, entry: Entry) -> Judged {
        let line = entry.line;
        let left_out = |id: String, reason: String| {
            Some(Staged {
                line,
                id,
                fate: Fate::LeftOut(reason),
            })
        };
        let row = match entry.row {
            Ok(row) => row,
            Err(reason) => return left_out(String::new(), reason.to_owned()),
        };
        let person = Arc::new(Attributes::new(row));
        let is_meant = match self.selector.selects(&person) {
            Ok(is_meant) => is_meant,
            Err(why) => return left_out(String::new(), format!("where_failed: {why}")),
        };
        if !is_meant {
            return None;
        }
        let id = match self.rules.templates.id(&person) {
            Ok(id) => id,
            Err(why) => return left_out(String::new(), why.to_string()),
        };
        match self.fate(&id, &person) {
            Ok((account, rendering)) => Some(Staged {
                line,
                id,
                fate: Fate::Sent(account, rendering),
            }),
            Err(reason) => left_out(id, reason),
        }
    }

    fn fate(
        &mut self,
        id: &str,
        person: &Arc<Attributes>,
    ) -> Result<(usize, Arc<Rendering>), String> {
        let rules = self.rules;
        if id.is_empty() {
            return Err("no_line_id".to_owned());
        }
        if !is_id(id) {
            return Err("invalid_line_id".to_owned());
        }
        if rules.suppressed.is_listed(id) {
            return Err("suppressed".to_owned());
        }
        if let Some((share, salt)) = &rules.control
            && fraction(&["control", salt, id]) < *share
        {
            return Err("control_group".to_owned());
        }
        let followed = rules
            .follows
            .as_deref()
            .map(|name| person.text(name).unwrap_or_default());
        let follows = |place: usize| {
            let name = rules
                .accounts
                .get(place)
                .map(|account| account.name.as_str());
            followed.as_deref().is_none_or(|followed| {
                let mut names = followed.split(is_between_accounts);
                names.any(|followed| Some(followed) == name)
            })
        };
        if !(0..rules.accounts.len()).any(follows) {
            return Err("follows_no_account".to_owned());
        }
        let left = |place: usize| rules.suppressed.has_left(place, id);
        let account = choose(&rules.accounts, id, |place| follows(place) && !left(place));
        let account = account.ok_or_else(|| {
            let reason = if (0..rules.accounts.len()).any(|place| follows(place) && left(place)) {
                "unfollowed"
            } else {
                "no_account"
            };
            reason.to_owned()
        })?;
        let texts = rules
            .templates
            .texts(person)
            .map_err(|why| why.to_string())?;
        Ok((account, self.rendering(&texts)?))
    }

    fn rendering(&mut self, texts: &[String]) -> Result<Arc<Rendering>, String> {
        let mut all = Vec::with_capacity(texts.iter().map(|text| text.len() + 8).sum());
        for text in texts {
            all.extend((text.len() as u64).to_be_bytes());
            all.extend(text.as_bytes());
        }
        let digest = fingerprint(&all);
        if let Some(known) = self.known.get(&digest) {
            return known.clone();
        }
        let messages = self.rules.templates.messages(texts);
        let rendering = rendered(self.rules, &messages).map(Arc::new);
        if self.known.len() >= MAX_REMEMBERED {
            self.known.clear();
        }
        self.known.insert(digest, rendering.clone());
        rendering
    }
}

/// Whether a text is an ID of LINE's: of a user, a group chat or a multi-person chat.
pub(crate) fn is_id(id: &str) -> bool {
    let hexadecimal = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    match id.as_bytes() {
        [b'U' | b'C' | b'R', rest @ ..] => rest.len() == 32 && rest.iter().all(hexadecimal),
        _ => false,
    }
}

/// The requests that messages take, each checked as a call of the connector would.
fn rendered(rules: &Rules<'_>, messages: &Value) -> Result<Rendering, String> {
    let items = match messages {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut request = rules.request.clone();
    let portions: Vec<Value> = if items.iter().any(compose::is_generic) {
        let composed = line_connector_core::call::compose(messages, &rules.compose);
        let composed = composed.map_err(|error| invalid(&error))?;
        for (name, value) in composed.request {
            request.entry(name).or_insert(value);
        }
        let portions = composed
            .messages
            .chunks(line_connector_core::call::MAX_MESSAGES);
        portions.map(|portion| json!(portion)).collect()
    } else {
        vec![Value::from(items)]
    };
    let mut requests = Vec::with_capacity(portions.len());
    for messages in portions {
        let mut body = request.clone();
        body.insert("messages".to_owned(), messages);
        check(rules, &body)?;
        requests.push(Value::Object(body));
    }
    Ok(Rendering::new(requests))
}

/// Refuses a request that LINE would refuse, whoever it is for.
fn check(rules: &Rules<'_>, body: &Map<String, Value>) -> Result<(), String> {
    let catalog = rules.connector.catalog();
    let action = &catalog.manifest().send.one;
    let mut inputs = body.clone();
    inputs.insert("to".to_owned(), Value::from(SOMEBODY));
    // Nearly all are accepted, and then this says so much sooner.
    let inputs = Map::from_iter([(BODY.to_owned(), Value::Object(inputs))]);
    let inputs = Value::Object(inputs);
    if !catalog.is_added(action) && schema::accepts(action, &inputs) == Some(true) {
        return Ok(());
    }
    let shown = rules.connector.plan(Invocation {
        action: Some(action.clone()),
        inputs: inputs.as_object().cloned().unwrap_or_default(),
        ..Invocation::default()
    });
    match shown.error {
        Some(error) => Err(invalid(&error.into())),
        None => Ok(()),
    }
}

/// Where the action that sends takes what a request has.
const BODY: &str = "json_body";
/// Stands for the person while messages are checked.
pub(crate) const SOMEBODY: &str = "U00000000000000000000000000000000";

fn invalid(error: &line_connector_client::Error) -> String {
    let first = error.details.first();
    let text = first.map_or_else(|| error.message.clone(), ToString::to_string);
    format!("invalid_message: {text}")
}

//! A test send: what one row of the list would get, to people who are named. It is marked as a test,
//! and stands in no ledger.

use line_connector_client::{Error, Invocation, Kind};
use serde_json::{Map, Value, json};

use crate::campaigner::Campaigner;
use crate::followers::Followers;
use crate::ledger::Fate;
use crate::list::{Entry, List, Unreadable};
use crate::render::{Renderer, is_id};

impl Campaigner<'_> {
    /// Sends what the row on this line of the list would get to `to`, from the account that would send
    /// it, after a text that says that it is a test. It returns what became of each request.
    ///
    /// # Errors
    ///
    /// Where there is no such row, the person would get nothing, or `to` names nobody.
    pub fn test(&self, line: u64, to: &[String]) -> Result<Value, Error> {
        let strangers: Vec<&String> = to.iter().filter(|id| !is_id(id)).collect();
        if let Some(first) = strangers.first() {
            let message = format!("`{first}` is no ID of LINE's; nothing was sent");
            let hint = "give user IDs such as U4af4980629f0b5a3c3d6b8a1d2e3f405 in `--to`";
            return Err(Error::new(Kind::Usage, message).with_hint(hint));
        }
        let templates = self.templates(self.now())?;
        let rules = self.rules(&templates, &[]);
        let entry = self.entry(line)?;
        let Some(staged) = Renderer::new(&rules).judge(entry) else {
            let message =
                format!("the person on line {line} is not meant by `where`; nothing was sent");
            return Err(
                Error::new(Kind::InvalidInputs, message).with_hint("choose another `--line`")
            );
        };
        let (account, rendering) = match staged.fate {
            Fate::Sent(account, rendering) => (account, rendering),
            Fate::LeftOut(reason) => {
                let message = format!("the person on line {line} would get nothing: {reason}");
                return Err(
                    Error::new(Kind::InvalidInputs, message).with_hint("choose another `--line`")
                );
            }
        };
        let account = rules
            .accounts
            .get(account)
            .map(|account| account.name.clone())
            .unwrap_or_default();
        let requests: Vec<Map<String, Value>> =
            serde_json::from_str(&rendering.requests).unwrap_or_default();
        let mark = format!(
            "[TEST] {}: line {line} of the list, {}",
            self.campaign.name, staged.id
        );
        let mark = Map::from_iter([(
            "messages".to_owned(),
            json!([{"type": "text", "text": mark}]),
        )]);
        let mut sent = Vec::new();
        for id in to {
            for body in std::iter::once(&mark).chain(&requests) {
                let output = self.send_test(&account, id, body);
                let error = output.error.as_ref().map(|error| {
                    json!({
                        "kind": error.kind,
                        "message": error.message,
                        "details": error.details,
                    })
                });
                let failed = error.is_some();
                sent.push(json!({"to": id, "status_code": output.status_code, "error": error}));
                if failed {
                    break;
                }
            }
        }
        let ok = sent
            .iter()
            .all(|one| one.get("error").is_none_or(Value::is_null));
        Ok(json!({
            "ok": ok,
            "line": line,
            "person": staged.id,
            "account": account,
            "requests": requests,
            "sent": sent,
        }))
    }

    fn send_test(
        &self,
        account: &str,
        id: &str,
        body: &Map<String, Value>,
    ) -> line_connector_client::Output {
        let mut inputs = body.clone();
        inputs.insert("to".to_owned(), Value::from(id));
        // A test is in nobody's figures.
        inputs.remove("customAggregationUnits");
        self.connector(account).call(Invocation {
            action: Some(self.connector.catalog().manifest().send.one.clone()),
            inputs,
            ..Invocation::default()
        })
    }

    /// The row on a line of the list; of followers, the one of that number.
    fn entry(&self, line: u64) -> Result<Entry, Error> {
        let mut next: Box<dyn FnMut() -> Result<Option<Entry>, Unreadable>> =
            if self.campaign.recipients.followers {
                let names = self.names();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let mut followers = Followers::gather(self, &names)?;
                Box::new(move || followers.next())
            } else {
                let (place, notation) = self.list_place();
                let mut list = List::open(&place, notation, self.input)
                    .map_err(|error| self.unreadable(&error))?;
                Box::new(move || list.next())
            };
        while let Some(entry) = next().map_err(|error| self.unreadable(&error))? {
            if entry.line == line {
                return Ok(entry);
            }
            if entry.line > line {
                break;
            }
        }
        let message = format!("no row of the list begins on line {line}; nothing was sent");
        Err(Error::new(Kind::Usage, message)
            .with_hint("the header is line 1, the first person on line 2"))
    }
}

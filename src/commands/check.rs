//! `check`: whether an asset works, and how many messages are left this month.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use line_connector_client::{Catalog, Connector, Error, ExitCode, Invocation};
use line_connector_core::call::exit_code;
use line_connector_core::describe;
use serde_json::{Value, json};

use crate::args::{CheckArguments, Permissions};
use crate::host;
use crate::terminal::{complain, in_one_line, print, say, tell};

/// Of the month's messages, one in so many is few.
const FEW: u64 = 10;

/// One call and its answer.
struct Answer {
    action: String,
    code: ExitCode,
    /// The output document.
    output: Value,
}

/// Makes the calls that the manifest names, and shows each answer: as JSON, or in short on a terminal.
pub(crate) fn check(catalog: Catalog, arguments: &CheckArguments) -> Result<ExitCode, Error> {
    let mut template = Invocation::default();
    let connector = host::connector(
        catalog,
        &arguments.asset,
        &Permissions::default(),
        arguments.sandbox,
        &mut template,
    )?;
    let answers = ask(&connector, &template);
    let failed = answers.iter().map(|answer| answer.code);
    let failed = failed.into_iter().find(|code| *code != ExitCode::Accepted);
    let quota = Quota::of(connector.catalog(), &answers, arguments.min_left);
    let code = failed.unwrap_or(match quota.state {
        State::Spent | State::Low => ExitCode::Quota,
        State::Enough | State::Unknown => ExitCode::Accepted,
    });
    if code == ExitCode::Quota && (arguments.quiet || !io::stdout().is_terminal()) {
        say(&format!("warning: {}", quota.text()));
    }
    let written = if arguments.quiet {
        ExitCode::Accepted
    } else if arguments.json || !io::stdout().is_terminal() {
        let calls: Vec<Value> = answers
            .iter()
            .map(|answer| {
                let ok = answer.code == ExitCode::Accepted;
                json!({"action": answer.action, "ok": ok, "output": answer.output})
            })
            .collect();
        let ok = failed.is_none();
        print(&describe::pretty(
            &json!({"ok": ok, "quota": quota.document(), "calls": calls}),
        ))
    } else {
        tell(&in_short(&answers, &quota))
    };
    Ok(if written == ExitCode::Accepted {
        code
    } else {
        written
    })
}

/// The answers; people are told what the first failure is about.
fn ask(connector: &Connector, template: &Invocation) -> Vec<Answer> {
    let names = connector.catalog().manifest().check.clone();
    let mut complained = false;
    let ask = |action: String| {
        let output = connector.call(Invocation {
            action: Some(action.clone()),
            ..template.clone()
        });
        let code = exit_code(&output);
        if !complained {
            complain(&output);
            complained = code != ExitCode::Accepted;
        }
        Answer {
            action,
            code,
            output: output.document(),
        }
    };
    names.into_iter().map(ask).collect()
}

/// The month's messages.
struct Quota {
    /// How many there are; none where LINE sets no limit, or was not heard.
    limit: Option<u64>,
    used: Option<u64>,
    state: State,
}

/// What is left of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Enough,
    /// Fewer than wanted.
    Low,
    Spent,
    /// LINE did not tell, or sets no limit.
    Unknown,
}

impl Quota {
    /// What LINE answered about them. Fewer than `min_left` are few, or than a tenth of all.
    fn of(catalog: &Catalog, answers: &[Answer], min_left: Option<u64>) -> Self {
        let figures = &catalog.manifest().quota;
        let [limit, used] = [&figures.limit, &figures.used].map(|figure| {
            let answer = answers.iter().find(|answer| answer.action == figure.action);
            let body = answer.and_then(|answer| answer.output.get("json_body"));
            body.and_then(|body| body.pointer(&figure.output)?.as_u64())
        });
        let state = match limit.zip(used) {
            None => State::Unknown,
            Some((limit, used)) if used >= limit => State::Spent,
            Some((limit, used)) if limit - used < min_left.unwrap_or(limit / FEW) => State::Low,
            Some(_) => State::Enough,
        };
        Self { limit, used, state }
    }

    fn left(&self) -> Option<u64> {
        let (limit, used) = self.limit.zip(self.used)?;
        Some(limit.saturating_sub(used))
    }

    fn word(&self) -> &'static str {
        match self.state {
            State::Enough => "ok",
            State::Low => "low",
            State::Spent => "spent",
            State::Unknown => "unknown",
        }
    }

    fn document(&self) -> Value {
        let (limit, used, left) = (self.limit, self.used, self.left());
        json!({"limit": limit, "used": used, "left": left, "state": self.word()})
    }

    fn text(&self) -> String {
        match (self.limit, self.used, self.left()) {
            (Some(limit), Some(used), Some(left)) => {
                format!("{used} of {limit} messages used this month, {left} left")
            }
            (None, Some(used), _) => format!("{used} messages used this month; no limit is known"),
            _ => "not known".to_owned(),
        }
    }
}

/// The answers for people, a line each.
fn in_short(answers: &[Answer], quota: &Quota) -> String {
    let mut text = String::new();
    let mut add = |word: &str, about: &str| {
        let _ = writeln!(text, "{word:<8}{about}");
    };
    for answer in answers {
        let text_at = |pointer| answer.output.pointer(pointer).and_then(Value::as_str);
        if answer.code != ExitCode::Accepted {
            add("failed", &answer.action);
        } else if let Some(id) = text_at("/json_body/userId") {
            let name = text_at("/json_body/displayName").unwrap_or_default();
            let about = format!("the asset works: {name}, bot {id}");
            add("ok", &in_one_line(&about));
        }
    }
    if quota.state != State::Unknown || quota.used.is_some() {
        add(quota.word(), &quota.text());
    }
    text
}

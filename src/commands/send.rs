//! `send`: a message to people, for scripts and cron jobs. It makes an invocation of what the command
//! line says, and calls as `run` does.

use line_connector_client::{Catalog, Error, ExitCode, Invocation, Kind};
use line_connector_core::compose::send_request;
use line_connector_core::error::Detail;
use serde_json::{Map, Value, json};

use super::compose::{document, options, read, text};
use crate::args::SendArguments;
use crate::host;
use crate::terminal::report;

/// Sends one message, or a list of them.
pub(crate) fn send(catalog: Catalog, arguments: &SendArguments) -> Result<ExitCode, Error> {
    let written = written(arguments)?;
    let invocation = invocation(&catalog, arguments, written)?;
    let mut invocation = Invocation::from_value(invocation)?;
    let connector = host::calling(catalog, &arguments.calling, &mut invocation)?;
    let output = if arguments.calling.dry_run {
        connector.plan(invocation)
    } else {
        connector.call(invocation)
    };
    Ok(report(&output))
}

/// What is sent, and to whom where that stands beside it.
struct Written {
    to: Option<String>,
    messages: Value,
}

fn written(arguments: &SendArguments) -> Result<Written, Error> {
    let (mut to, mut words) = (arguments.to.clone(), arguments.text.clone());
    // A reply needs nobody's ID: the only word is its text.
    let is_text = to.as_deref().is_some_and(|word| !names_chats(word));
    if arguments.reply.is_some() && words.is_none() && is_text {
        words = to.take();
    }
    if let Some(text) = &words {
        let messages = Value::from(text.as_str());
        return Ok(Written { to, messages });
    }
    let bytes = read(&arguments.content)?;
    if arguments.sinch {
        let request = send_request(&document(&bytes)?).map_err(|problems| {
            let details = problems.into_iter().map(Detail::from).collect();
            let message = "the send request cannot be carried out by LINE; nothing was sent";
            Error::new(Kind::InvalidInputs, message).with_details(details)
        })?;
        for change in &request.ignored {
            crate::terminal::say(&format!("warning: {}: {}", change.path, change.message));
        }
        return Ok(Written {
            to: Some(request.to),
            messages: request.item,
        });
    }
    let messages = if arguments.json {
        document(&bytes)?
    } else {
        Value::from(text(&bytes)?)
    };
    Ok(Written { to, messages })
}

/// Whether a word looks like the ID of a chat, or several with commas between them.
fn names_chats(word: &str) -> bool {
    let is_id = |id: &str| {
        let digits = id.trim().strip_prefix(['U', 'C', 'R']);
        digits.is_some_and(|digits| {
            !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        })
    };
    word.split(',').all(is_id)
}

/// The invocation that the command line stands for.
fn invocation(
    catalog: &Catalog,
    arguments: &SendArguments,
    written: Written,
) -> Result<Value, Error> {
    let actions = &catalog.manifest().send;
    let mut options = options(&arguments.content);
    let mut inputs = Map::new();
    let several = written.to.as_deref().filter(|to| to.contains(','));
    let action = match (&arguments.reply, several) {
        (Some(_), Some(_)) => {
            return Err(Error::new(Kind::Usage, "a reply goes to one chat"));
        }
        (Some(token), None) => {
            inputs.insert("replyToken".to_owned(), Value::from(token.as_str()));
            if written.to.is_some() {
                options.insert("fallback".to_owned(), Value::from("push"));
            }
            &actions.reply
        }
        (None, Some(_)) => &actions.many,
        (None, None) => &actions.one,
    };
    if let Some(several) = several {
        let ids: Vec<&str> = several
            .split(',')
            .map(str::trim)
            .filter(|id| !id.is_empty())
            .collect();
        inputs.insert("to".to_owned(), json!(ids));
    } else if let Some(to) = written.to {
        inputs.insert("to".to_owned(), Value::from(to.trim()));
    }
    inputs.insert("messages".to_owned(), written.messages);
    if arguments.silent {
        inputs.insert("notificationDisabled".to_owned(), Value::Bool(true));
    }
    if let Some(key) = &arguments.idempotency_key {
        options.insert("idempotency_key".to_owned(), Value::from(key.as_str()));
    }
    let is_real = !arguments.calling.dry_run && !arguments.calling.sandbox;
    let usual = if is_real { "warn" } else { "off" };
    let check = arguments.media_check.as_deref().unwrap_or(usual);
    options.insert("media_check".to_owned(), Value::from(check));
    Ok(json!({"action": action, "inputs": inputs, "options": options}))
}

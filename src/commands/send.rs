//! `send`: a message to people, for scripts and cron jobs. It makes an invocation of what the command
//! line says, and calls as `run` does.

use line_connector_client::{Catalog, Error, ExitCode, Invocation, Kind};
use line_connector_core::call::detail_of;
use line_connector_core::compose::{is_generic, send_request};
use line_connector_core::documents::{json, unknown};
use line_connector_core::error::Detail;
use serde_json::{Map, Value};

use super::compose::{MESSAGES, document, messages, options, read, text};
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

/// What is sent, how it is composed, and to whom where that stands beside it.
struct Written {
    to: Option<String>,
    messages: Value,
    options: Map<String, Value>,
}

fn written(arguments: &SendArguments) -> Result<Written, Error> {
    let (mut to, mut words) = (arguments.to.clone(), arguments.text.clone());
    // A reply needs nobody's ID: the only word is its text.
    let is_text = to.as_deref().is_some_and(|word| !names_chats(word));
    if arguments.reply.is_some() && words.is_none() && is_text {
        words = to.take();
    }
    let mut options = options(&arguments.content);
    if arguments.sinch {
        let hint = "give a send request of Sinch's Conversation API, as JSON";
        let bytes = read(&arguments.content, "one send request as JSON")?;
        let request = send_request(&document(&bytes, hint)?).map_err(|problems| {
            let details = problems.into_iter().map(detail_of).collect();
            let message = "the send request cannot be carried out by LINE; nothing was sent";
            Error::new(Kind::InvalidInputs, message).with_details(details)
        })?;
        for change in &request.ignored {
            crate::terminal::say(&format!("warning: {}: {}", change.path, change.message));
        }
        return Ok(Written {
            to: Some(request.to),
            messages: request.item,
            options,
        });
    }
    let messages = match words {
        Some(text) => Value::from(text),
        None if arguments.json => {
            let hint = "give JSON: a string, a message or a list of messages; a text goes without `--json`";
            let written = document(&read(&arguments.content, MESSAGES)?, hint)?;
            messages(alone(written)?, &mut options)
        }
        None => piped_text(&read(&arguments.content, "the text")?)?,
    };
    Ok(Written {
        to,
        messages,
        options,
    })
}

/// A text from elsewhere. Nobody wants people to read the JSON of a message.
fn piped_text(bytes: &[u8]) -> Result<Value, Error> {
    let hint = "write the text after TO, pipe it in, or name its file in `--file`";
    let text = text(bytes, hint)?;
    if json::read(text.as_bytes()).is_ok_and(|value| is_meant_as_messages(&value)) {
        let message = "the text is the JSON of a message; nothing was sent";
        return Err(Error::new(Kind::InvalidDocument, message).with_hint(
            "with `--json` it is sent as the message; as the argument TEXT it is sent as it stands",
        ));
    }
    Ok(Value::from(text))
}

fn is_meant_as_messages(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(is_meant_as_messages),
        Value::Object(members) => {
            let known = ["type", "messages", "inputs"];
            known.iter().any(|name| members.contains_key(*name)) || is_generic(value)
        }
        _ => false,
    }
}

/// Refuses what has more in it than messages and how they are composed.
fn alone(written: Value) -> Result<Value, Error> {
    let Some(members) = written.as_object() else {
        return Ok(written);
    };
    if members.contains_key("inputs") || members.contains_key("action") {
        let message = "it is a document for `run`; nothing was sent";
        return Err(Error::new(Kind::InvalidDocument, message).with_hint(
            "`line-connector run < FILE` makes the call; `send --json` takes messages alone",
        ));
    }
    let strange = members
        .keys()
        .filter(|name| !["messages", "options"].contains(&name.as_str()));
    let details: Vec<Detail> = strange
        .map(|name| Detail {
            hint: (name == "to").then(|| "the command line says to whom".to_owned()),
            ..unknown(name, "", &["messages", "options"])
        })
        .collect();
    if members.contains_key("messages") && !details.is_empty() {
        let message = "there is more than messages; nothing was sent";
        return Err(Error::new(Kind::InvalidDocument, message)
            .with_details(details)
            .with_hint(
                "give a message, a list of messages, or {\"messages\": …, \"options\": …}",
            ));
    }
    Ok(written)
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
    let mut options = written.options;
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
        inputs.insert("to".to_owned(), Value::from(ids));
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
    Ok(serde_json::json!({"action": action, "inputs": inputs, "options": options}))
}

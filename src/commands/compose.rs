//! `compose`: messages as people write them, as LINE's objects. Nothing is sent.

use line_connector_client::{Error, ExitCode, Kind};
use line_connector_core::call;
use line_connector_core::documents::{Options, json};
use serde_json::{Map, Value, json};

use crate::args::{ComposeArguments, Content};
use crate::terminal::{input, print_json};

/// Writes the objects, how many requests they take, and what became of what was written.
pub(crate) fn compose(arguments: &ComposeArguments) -> Result<ExitCode, Error> {
    let mut members = options(&arguments.content);
    let written = if arguments.text {
        let hint = "pipe a text in, or name its file in `--file`";
        Value::from(text(&read(&arguments.content, "a text")?, hint)?)
    } else {
        let hint =
            "give JSON: a string, a message or a list of messages; a text goes with `--text`";
        messages(
            document(&read(&arguments.content, MESSAGES)?, hint)?,
            &mut members,
        )
    };
    let options = Options::from_members(members)?;
    let composed = call::compose(&written, &options.compose)?;
    let requests = composed.messages.len().div_ceil(call::MAX_MESSAGES);
    let mut document = json!({
        "messages": composed.messages,
        "requests": requests,
        "composed": composed.report,
    });
    if let (Some(document), false) = (document.as_object_mut(), composed.request.is_empty()) {
        document.insert("request".to_owned(), Value::Object(composed.request));
    }
    Ok(print_json(&document.to_string()))
}

/// The options that the command line gives.
pub(crate) fn options(content: &Content) -> Map<String, Value> {
    let words = [("markdown", &content.markdown), ("render", &content.render)];
    let words = words
        .into_iter()
        .filter_map(|(name, word)| Some((name.to_owned(), Value::from(word.as_deref()?))));
    let strict = content
        .strict
        .then(|| ("strict".to_owned(), Value::Bool(true)));
    words.chain(strict).collect()
}

/// What is read where messages are JSON.
pub(crate) const MESSAGES: &str = "messages as JSON";

/// Messages as they are, or as in an invocation: beside how they are composed.
pub(crate) fn messages(written: Value, options: &mut Map<String, Value>) -> Value {
    match written {
        Value::Object(mut whole) if whole.contains_key("messages") => {
            if let Some(Value::Object(own)) = whole.shift_remove("options") {
                options.extend(own);
            }
            whole.shift_remove("messages").unwrap_or_default()
        }
        other => other,
    }
}

/// The file of the command line, or standard input.
pub(crate) fn read(content: &Content, expected: &str) -> Result<Vec<u8>, Error> {
    match content
        .file
        .as_deref()
        .filter(|path| path.as_os_str() != "-")
    {
        None => input(expected),
        Some(path) => std::fs::read(path).map_err(|error| {
            let message = format!("{} cannot be read: {error}", path.display());
            Error::new(Kind::Usage, message)
        }),
    }
}

/// Bytes as a text, without the line end that every command ends its output with. `hint` says how one is
/// given.
pub(crate) fn text(bytes: &[u8], hint: &str) -> Result<String, Error> {
    let wrong = |message: String| Error::new(Kind::InvalidDocument, message).with_hint(hint);
    let text = json::decoded(bytes)
        .map_err(|unreadable| wrong(format!("the text cannot be read: {unreadable}")))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.trim().is_empty() {
        return Err(wrong("there is no text".to_owned()));
    }
    Ok(text.to_owned())
}

/// Bytes as JSON. `hint` says what is expected.
pub(crate) fn document(bytes: &[u8], hint: &str) -> Result<Value, Error> {
    json::read(bytes).map_err(|unreadable| {
        let message = format!("the JSON cannot be read: {unreadable}");
        Error::new(Kind::InvalidDocument, message).with_hint(hint)
    })
}

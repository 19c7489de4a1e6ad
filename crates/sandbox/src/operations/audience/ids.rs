//! The IDs of audiences: from JSON, or from a file in a multipart form.

use std::collections::HashSet;

use serde_json::Value;

use super::coded;
use crate::http::multipart::{self, Part};
use crate::http::{Answer, Call};
use crate::ids::{is_user_id, is_uuid};

const MAX_IDS_IN_JSON: usize = 10_000;
const MAX_IDS_IN_FILE: usize = 1_500_000;

const MALFORMED: &str = "UPLOAD_AUDIENCE_GROUP_INVALID_AUDIENCE_ID_FORMAT";
const TOO_MANY: &str = "UPLOAD_AUDIENCE_GROUP_TOO_MANY_AUDIENCE_IDS";
const NO_IDS: &str = "UPLOAD_AUDIENCE_GROUP_NO_VALID_AUDIENCE_IDS";

/// The IDs in `audiences`; `None` where it is left out.
pub(crate) fn of_json(body: &Value, ifa: bool) -> Result<Option<HashSet<u128>>, Answer> {
    let listed = match body.get("audiences") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(listed)) => listed,
        Some(_) => return Err(Answer::invalid_property("'audiences'")),
    };
    if listed.len() > MAX_IDS_IN_JSON {
        return Err(coded(TOO_MANY, TOO_MANY, Some("audiences")));
    }
    let read = |one: &Value| number(one.get("id")?.as_str()?, ifa);
    let ids = listed.iter().map(read).collect::<Option<_>>();
    let refusal = || coded("Invalid audience id format", MALFORMED, Some("audiences"));
    ids.map(Some).ok_or_else(refusal)
}

/// The IDs of a file, one per line.
pub(crate) fn of_file(content: &[u8], ifa: bool) -> Result<HashSet<u128>, Answer> {
    let refuse = |code| Err(coded(code, code, Some("file")));
    let Ok(text) = std::str::from_utf8(content) else {
        return refuse(MALFORMED);
    };
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    match lines().count() {
        0 => return refuse(NO_IDS),
        count if count > MAX_IDS_IN_FILE => return refuse(TOO_MANY),
        _ => {}
    }
    match lines().map(|line| number(line, ifa)).collect() {
        Some(ids) => Ok(ids),
        None => refuse(MALFORMED),
    }
}

/// An ID as a number.
fn number(id: &str, ifa: bool) -> Option<u128> {
    let fits = if ifa { is_uuid(id) } else { is_user_id(id) };
    let digits = id.trim_start_matches('U').replace('-', "");
    u128::from_str_radix(&digits, 16).ok().filter(|_| fits)
}

/// The multipart form with a file.
pub(crate) struct UploadForm<'a>(Vec<Part<'a>>);

impl<'a> UploadForm<'a> {
    pub(crate) fn parse(call: &'a Call) -> Result<Self, Answer> {
        let media_type = call.media_type();
        if media_type != "multipart/form-data" {
            return Err(Answer::unsupported(&media_type));
        }
        let content_type = call.headers.get("content-type").unwrap_or_default();
        let parts = multipart::parts(content_type, &call.body);
        let refusal = || Answer::message(400, "The request body could not be parsed");
        parts.map(Self).ok_or_else(refusal)
    }

    /// The value of a text field.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let part = self.0.iter().find(|part| part.name == name)?;
        Some(String::from_utf8_lossy(part.content).into_owned())
    }

    /// The content of the one file.
    pub(crate) fn file(&self) -> Result<&'a [u8], Answer> {
        let mut files = self.0.iter().filter(|part| part.name == "file");
        let (file, more) = (files.next(), files.next());
        let Some(file) = file.filter(|file| file.is_file) else {
            return Err(Answer::invalid("May not be empty", "file"));
        };
        if more.is_some() {
            return Err(Answer::invalid("Size must be between 1 and 1", "file"));
        }
        if file.media_type != "text/plain" {
            return Err(Answer::unsupported(&file.media_type));
        }
        Ok(file.content)
    }
}

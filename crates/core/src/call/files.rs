//! Files in and out of a call: the bytes that inputs point to, the content that is kept as it
//! arrives. It opens nothing itself; the runtime does.

use std::io;

use serde_json::{Map, Value, json};

use super::Pipeline;
use super::action::ResolvedAction;
use crate::digest::{self, Sha256};
use crate::documents::FileReport;
use crate::error::{Detail, Error, Kind};
use crate::host::{Files, NewFile};
use crate::json_text::JsonText;
use crate::upload::{self, Part};
use line_connector_catalog::definition::{Action, Binary};
use line_connector_catalog::sections;
use line_connector_http::{Receiver, Reply, Request};

/// Content on its way into a file.
pub(super) struct Saving<'a> {
    path: &'a str,
    files: &'a dyn Files,
    file: Option<Box<dyn NewFile>>,
    digest: Sha256,
}

impl<'a> Saving<'a> {
    pub(super) fn new(path: &'a str, files: &'a dyn Files) -> Self {
        Self {
            path,
            files,
            file: None,
            digest: Sha256::default(),
        }
    }

    /// The file under its name, if content has arrived.
    pub(super) fn finish(self, reply: &Reply) -> Result<Option<FileReport>, Error> {
        let Some(file) = self.file else {
            return Ok(None);
        };
        file.keep().map_err(|error| unwritable(self.path, &error))?;
        Ok(Some(FileReport {
            path: Some(self.path.to_owned()),
            size_bytes: self.digest.length(),
            sha256: self.digest.hex(),
            ..FileReport::of(&reply.headers)
        }))
    }
}

impl Receiver for Saving<'_> {
    fn restart(&mut self) -> io::Result<()> {
        self.file = None;
        self.digest = Sha256::default();
        self.file = Some(self.files.create(self.path)?);
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.file
            .as_mut()
            .map_or(Ok(()), |file| file.write_all(bytes))
    }
}

fn unwritable(path: &str, error: &io::Error) -> Error {
    Error::new(Kind::FileUnwritable, "the file cannot be written").with_details(vec![Detail::new(
        "/options/save_to",
        format!("{path}: {error}"),
    )])
}

impl Pipeline {
    /// The bytes that the inputs point to, each held against the action's rules for it.
    pub(super) fn parts(&self, action: &Action, inputs: &Value) -> Result<Vec<Part>, Error> {
        let read_file = &|path: &str| self.host.files.read(path);
        let mut parts = Vec::new();
        if let Some(rules) = sections::section(action, "data_body").and_then(rules)
            && let Some(source) = inputs.get("data_body")
        {
            parts.push(upload::load("", "/data_body", source, &rules, read_file)?);
        }
        for (name, source) in inputs
            .get("files")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let schemas =
                sections::section(action, "files").and_then(|files| files.get("properties"));
            let schema = schemas.and_then(|schemas| schemas.get(name)?.as_object());
            let rules = schema.and_then(rules).unwrap_or(NONE);
            parts.push(upload::load(
                name,
                &format!("/files/{name}"),
                source,
                &rules,
                read_file,
            )?);
        }
        Ok(parts)
    }
}

/// Puts the form that LINE wants in the place of values that people know in another.
pub(super) fn digest(action: &ResolvedAction, inputs: &mut Value) -> Result<(), Error> {
    for name in action.phone_numbers() {
        let Some(value) = inputs
            .pointer_mut("/json_body")
            .and_then(|body| body.get_mut(name))
        else {
            continue;
        };
        let digest = value
            .as_str()
            .and_then(digest::of_phone_number)
            .ok_or_else(|| {
                Error::new(Kind::InvalidInputs, "the phone number cannot be used").with_details(
                    vec![Detail {
                        expected: Some("a number such as +81 80-0000-1234".to_owned()),
                        ..Detail::new(
                            format!("/json_body/{name}"),
                            "is not a phone number with `+` and country code, nor its SHA-256",
                        )
                    }],
                )
            })?;
        *value = Value::from(digest);
    }
    Ok(())
}

/// Of a file that the action does not declare nothing is known, so none fits.
const NONE: Binary = Binary {
    content_types: Vec::new(),
    max_bytes: None,
    image: None,
};

fn rules(schema: &Map<String, Value>) -> Option<Binary> {
    serde_json::from_value(schema.get("x-binary")?.clone()).ok()
}

/// What a dry run shows of a body: JSON as it is, other text as text, and of bytes what they are.
pub(super) fn shown(request: &Request) -> Option<JsonText> {
    let content_type = request.headers.get("Content-Type").unwrap_or_default();
    match str::from_utf8(&request.body) {
        Ok("") => None,
        Ok(text) if !content_type.starts_with("multipart/") => {
            JsonText::read(text).or_else(|| Some(Value::from(text).into()))
        }
        _ => {
            let binary = json!({"binary": {
                "content_type": content_type,
                "size_bytes": request.body.len(),
                "sha256": digest::sha256(&request.body),
            }});
            Some(binary.into())
        }
    }
}

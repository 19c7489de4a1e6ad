//! Files in and out of a call: the bytes that inputs point to, the content that is kept as it
//! arrives. It opens nothing itself; the runtime does.

use std::io;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Pipeline;
use super::action::ResolvedAction;
use crate::digest::{self, Sha256};
use crate::documents::{FileReport, Options};
use crate::error::{Detail, Error, Kind};
use crate::handle::Handle;
use crate::host::{Host, NewFile};
use crate::json_text::JsonText;
use crate::upload::{self, Part};
use line_connector_catalog::definition::{Action, Binary};
use line_connector_catalog::sections;
use line_connector_http::{Receiver, Reply, Request};

/// How slowly content may come, bytes a second, once [`GRACE`] has passed.
const MIN_RATE: u64 = 1000;
/// How long content may come as slowly as it likes.
const GRACE: Duration = Duration::from_secs(10);

/// Content on its way into a file.
pub(super) struct Saving<'a> {
    path: &'a str,
    overwrite: bool,
    caller: Option<&'a Handle>,
    host: &'a Host,
    most: u64,
    file: Box<dyn NewFile>,
    /// When the content began to come.
    begun: Option<Duration>,
    digest: Sha256,
}

impl<'a> Saving<'a> {
    /// Begins the file that the options name, of at most so many bytes.
    pub(super) fn new(
        path: &'a str,
        options: &'a Options,
        host: &'a Host,
        most: u64,
    ) -> Result<Self, Error> {
        let overwrite = options.overwrite == Some(true);
        let file = host.files.create(path, overwrite);
        Ok(Self {
            path,
            overwrite,
            caller: options.handle.as_ref(),
            host,
            most,
            file: file.map_err(|error| unwritable(path, &error))?,
            begun: None,
            digest: Sha256::default(),
        })
    }

    /// The file under its name, if content has arrived.
    pub(super) fn finish(self, reply: &Reply) -> Result<Option<FileReport>, Error> {
        if self.begun.is_none() {
            return Ok(None);
        }
        self.file
            .keep()
            .map_err(|error| unwritable(self.path, &error))?;
        Ok(Some(FileReport {
            path: Some(self.path.to_owned()),
            size_bytes: self.digest.length(),
            sha256: self.digest.hex(),
            ..FileReport::of(&reply.headers)
        }))
    }

    /// Whether content that is so long may go on coming. Breaking it off changes nothing at LINE.
    fn check(&self, length: u64) -> io::Result<()> {
        if self.caller.is_some_and(Handle::is_cancelled) {
            return Err(io::Error::other("the caller gave the call up"));
        }
        if length > self.most {
            let text = format!("it is larger than {} bytes", self.most);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        let now = self.host.clock.monotonic();
        let took = now.saturating_sub(self.begun.unwrap_or(now));
        if took > GRACE && length / took.as_secs().max(1) < MIN_RATE {
            let text = format!("it comes more slowly than {MIN_RATE} bytes a second");
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        Ok(())
    }
}

impl Receiver for Saving<'_> {
    fn restart(&mut self) -> io::Result<()> {
        if self.begun.is_some() {
            self.file = self.host.files.create(self.path, self.overwrite)?;
        }
        self.begun = Some(self.host.clock.monotonic());
        self.digest = Sha256::default();
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.check(self.digest.length() + bytes.len() as u64)?;
        self.digest.update(bytes);
        self.file.write_all(bytes)
    }
}

fn unwritable(path: &str, error: &io::Error) -> Error {
    let wrong = Error::new(Kind::FileUnwritable, "the file cannot be written").with_details(vec![
        Detail::new("/options/save_to", format!("{path}: {error}")),
    ]);
    match error.kind() {
        io::ErrorKind::PermissionDenied => wrong.with_hint(
            "leave `save_to` out, or let the operator open a folder to documents: `--save-into DIR` or LINE_SAVE_INTO",
        ),
        io::ErrorKind::AlreadyExists => {
            wrong.with_hint("choose another name, or set `options.overwrite` to replace a file")
        }
        _ => wrong,
    }
}

impl Pipeline {
    /// The bytes that the inputs point to, each held against the action's rules for it. `doubts` takes
    /// what is doubtful about their lines; without it lines are not looked at.
    pub(super) fn parts(
        &self,
        action: &Action,
        inputs: &Value,
        mut doubts: Option<&mut Vec<Detail>>,
    ) -> Result<Vec<Part>, Error> {
        let read_file = &|path: &str, most: u64| self.host.files.read(path, most);
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
            let at = format!("/files/{name}");
            let part = upload::load(name, &at, source, &rules, read_file)?;
            if let (Some(lines), Some(doubts)) = (&rules.lines, doubts.as_deref_mut()) {
                let field = |field| inputs.get("data_body")?.get(field)?.as_bool();
                let chosen = lines.chosen_by.as_ref();
                let chosen = chosen.map(|name| field(name).unwrap_or(false));
                doubts.extend(upload::lines::check(
                    &at,
                    &part.bytes,
                    lines,
                    chosen,
                    self.catalog.schemas(),
                )?);
            }
            parts.push(part);
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
    lines: None,
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

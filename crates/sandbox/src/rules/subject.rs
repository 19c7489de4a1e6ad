//! One object under judgement, with its place in the body and the questions that can be asked of
//! it. What LINE calls a fault is put into LINE's words here; which questions to ask is up to the
//! other files.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::count::{Unit, length};
use crate::http::Answer;

/// How LINE spells the path to a fault, which depends on the part of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `messages[0].text`
    Body,
    /// The same path, with the words that LINE has for rich menus.
    RichMenu,
    /// The same path, with the words that LINE has for coupons.
    Coupon,
    /// `template/actions/0/uri` of the message with this index.
    Template(usize),
    /// `/hero/url` of the message with this index.
    Flex(usize),
}

/// Where an object stands: its parent, its name there, and its index if the name is an array's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    style: Style,
    parent: Option<&'a Place<'a>>,
    key: &'a str,
    index: Option<usize>,
}

impl<'a> Place<'a> {
    pub(super) fn root(style: Style) -> Self {
        Self {
            style,
            parent: None,
            key: "",
            index: None,
        }
    }

    fn below(&'a self, key: &'a str, index: Option<usize>) -> Self {
        Self {
            style: self.style,
            parent: Some(self),
            key,
            index,
        }
    }

    fn write(&self, path: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(path);
        }
        if self.key.is_empty() {
            return;
        }
        let first = path.is_empty();
        let (before, index_before, index_after) = match self.style {
            Style::Body | Style::RichMenu | Style::Coupon => {
                (if first { "" } else { "." }, "[", "]")
            }
            Style::Template(_) => (if first { "" } else { "/" }, "/", ""),
            Style::Flex(_) => ("/", "/", ""),
        };
        path.push_str(before);
        path.push_str(self.key);
        if let Some(index) = self.index {
            let _infallible = write!(path, "{index_before}{index}{index_after}");
        }
    }

    fn render(&self) -> String {
        let mut path = String::new();
        self.write(&mut path);
        path
    }
}

#[derive(Debug)]
struct Finding {
    style: Style,
    message: String,
    property: String,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: RefCell<Vec<Finding>>,
    /// The first value of a type that LINE's parser stops at.
    unreadable: RefCell<Option<String>>,
}

impl Findings {
    /// LINE's answer to what was found. Faults of the envelope come first; of templates and Flex
    /// containers only the first bad one is told about.
    pub(super) fn verdict(self) -> Result<(), Answer> {
        if let Some(property) = self.unreadable.into_inner() {
            return Err(Answer::invalid_property(&format!("'{property}'")));
        }
        let found = self.found.into_inner();
        let style = match found
            .iter()
            .find(|finding| finding.style == Style::Body)
            .or(found.first())
        {
            None => return Ok(()),
            Some(finding) => finding.style,
        };
        let details = found.into_iter().filter(|finding| finding.style == style);
        let details: Vec<Value> = details
            .map(|finding| json!({ "message": finding.message, "property": finding.property }))
            .collect();
        Err(match style {
            Style::Body | Style::RichMenu | Style::Coupon => Answer::invalid_body(&details),
            Style::Template(index) | Style::Flex(index) => {
                let text =
                    format!("A message (messages[{index}])\u{a0}in the request body is invalid");
                Answer::json(400, &json!({ "message": text, "details": details }))
            }
        })
    }
}

/// Whether something may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

/// An object under judgement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) fields: &'a Map<String, Value>,
    pub(super) place: Place<'a>,
    pub(super) findings: &'a Findings,
}

impl<'a> Subject<'a> {
    /// The same object with its faults spelt another way, as if it were the top.
    pub(super) fn restyled(&self, style: Style, key: &'a str) -> Subject<'a> {
        Subject {
            place: Place {
                style,
                parent: None,
                key,
                index: None,
            },
            ..*self
        }
    }

    pub(super) fn fault(&self, key: &str, message: impl Into<String>) {
        let place = self.place.below(key, None);
        let finding = Finding {
            style: place.style,
            message: message.into(),
            property: place.render(),
        };
        self.findings.found.borrow_mut().push(finding);
    }

    /// Notes a value that LINE's parser cannot make anything of.
    pub(super) fn unreadable(&self, key: &str) {
        let path = self.place.below(key, None).render();
        self.findings.unreadable.borrow_mut().get_or_insert(path);
    }

    /// A member that is there; `null` counts as left out where LINE's parser takes it so.
    pub(super) fn get(&self, key: &str, need: Need) -> Option<&'a Value> {
        let value = self.fields.get(key).filter(|value| !value.is_null());
        if value.is_none() && need == Need::Required {
            let words = match self.place.style {
                Style::Body | Style::Coupon => "May not be empty",
                Style::RichMenu | Style::Template(_) | Style::Flex(_) => "must be specified",
            };
            self.fault(key, words);
        }
        value
    }

    /// A string; the empty one is a fault.
    pub(super) fn string(&self, key: &str, need: Need) -> Option<&'a str> {
        match self.get(key, need)?.as_str() {
            Some("") => self.fault(key, "May not be empty"),
            Some(text) => return Some(text),
            None => self.unreadable(key),
        }
        None
    }

    /// A string of at most so many characters.
    pub(super) fn text(&self, key: &str, need: Need, most: usize, unit: Unit) -> Option<&'a str> {
        let text = self.string(key, need)?;
        if length(text, unit) > most {
            self.fault(key, format!("Length must be between 0 and {most}"));
        }
        Some(text)
    }

    /// One of a few strings.
    pub(super) fn choice(&self, key: &str, need: Need, known: &[&str]) -> Option<&'a str> {
        let text = self.string(key, need)?;
        if known.contains(&text) {
            return Some(text);
        }
        let comma = if self.place.style == Style::Coupon {
            ","
        } else {
            ", "
        };
        let known = known.join(comma);
        self.fault(
            key,
            format!("Must be one of the following values: [{known}]"),
        );
        None
    }

    /// A URL that phones fetch something from.
    pub(super) fn https(&self, key: &str, need: Need) {
        self.uri(key, need, 2000, &["https"]);
    }

    /// The URLs of a picture or film and of its preview.
    pub(super) fn media(&self) {
        self.https("originalContentUrl", Need::Required);
        self.https("previewImageUrl", Need::Required);
    }

    /// A URL with one of these schemes.
    pub(super) fn uri(&self, key: &str, need: Need, most: usize, schemes: &[&str]) {
        let Some(text) = self.text(key, need, most, Unit::Utf16) else {
            return;
        };
        let (scheme, rest) = text.split_once(':').unwrap_or(("", ""));
        let web = matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https");
        let host = rest
            .strip_prefix("//")
            .and_then(|rest| rest.split(['/', '?', '#']).next());
        if !schemes
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
        {
            let on_a_menu = self.place.style == Style::RichMenu;
            let words = if on_a_menu {
                "invalid uri"
            } else {
                "invalid uri scheme"
            };
            self.fault(key, words);
        } else if text.contains(|symbol: char| symbol.is_whitespace() || symbol.is_control())
            || (web && host.is_none_or(str::is_empty))
        {
            self.fault(key, "invalid uri");
        }
    }

    pub(super) fn boolean(&self, key: &str, need: Need) -> Option<bool> {
        let value = self.get(key, need)?;
        if !value.is_boolean() {
            self.unreadable(key);
        }
        value.as_bool()
    }

    pub(super) fn integer(&self, key: &str, need: Need, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.get(key, need)?;
        let Some(number) = value.as_i64() else {
            self.unreadable(key);
            return None;
        };
        if !range.contains(&number) {
            let text = match (*range.start(), *range.end()) {
                (start, i64::MAX) => format!("Must be greater than or equal to {start}"),
                (start, end) => format!("Must be between {start} and {end}"),
            };
            self.fault(key, text);
        }
        Some(number)
    }

    pub(super) fn number(&self, key: &str, range: RangeInclusive<f64>) {
        match self.get(key, Need::Required).map(Value::as_f64) {
            Some(Some(number)) if !range.contains(&number) => {
                let (start, end) = (range.start(), range.end());
                self.fault(key, format!("Must be between {start} and {end}"));
            }
            Some(None) => self.unreadable(key),
            _ => {}
        }
    }

    pub(super) fn object<'b>(&'b self, key: &'b str, need: Need) -> Option<Subject<'b>> {
        let Some(fields) = self.get(key, need)?.as_object() else {
            self.unreadable(key);
            return None;
        };
        Some(Subject {
            fields,
            place: self.place.below(key, None),
            findings: self.findings,
        })
    }

    /// The objects of an array of a certain size.
    pub(super) fn items<'b>(
        &'b self,
        key: &'b str,
        need: Need,
        size: RangeInclusive<usize>,
    ) -> Vec<Subject<'b>> {
        let Some(value) = self.get(key, need) else {
            return Vec::new();
        };
        let Some(items) = value.as_array() else {
            self.unreadable(key);
            return Vec::new();
        };
        if !size.contains(&items.len()) {
            let (least, most) = (size.start(), size.end());
            self.fault(key, format!("Size must be between {least} and {most}"));
        }
        let mut objects = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let place = self.place.below(key, Some(index));
            match item.as_object() {
                Some(fields) => objects.push(Subject {
                    fields,
                    place,
                    findings: self.findings,
                }),
                None => {
                    self.findings
                        .unreadable
                        .borrow_mut()
                        .get_or_insert(place.render());
                }
            }
        }
        objects
    }
}

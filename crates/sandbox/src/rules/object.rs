//! A JSON object under validation: its path in the body, and the checks that the other files combine.
//! Violations are reported in LINE's words, and paths in the style that LINE uses for that part of the
//! body.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::length::{LengthUnit, length};
use crate::http::Answer;

/// How LINE writes the path of a violation, which depends on the part of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathStyle {
    /// `messages[0].text`
    Body,
    /// Paths as in `Body`, messages as LINE has them for rich menus.
    RichMenu,
    /// Paths as in `Body`, messages as LINE has them for coupons.
    Coupon,
    /// `template/actions/0/uri` of the message with this index.
    Template(usize),
    /// `/hero/url` of the message with this index.
    Flex(usize),
}

/// The path of an object: its parent, its key there, and its index where that is an array.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'a> {
    style: PathStyle,
    parent: Option<&'a Path<'a>>,
    key: &'a str,
    index: Option<usize>,
}

impl<'a> Path<'a> {
    pub(super) fn root(style: PathStyle) -> Self {
        Self {
            style,
            parent: None,
            key: "",
            index: None,
        }
    }

    fn child(&'a self, key: &'a str, index: Option<usize>) -> Self {
        Self {
            style: self.style,
            parent: Some(self),
            key,
            index,
        }
    }

    fn write(&self, text: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(text);
        }
        if self.key.is_empty() {
            return;
        }
        let first = text.is_empty();
        let (before, index_before, index_after) = match self.style {
            PathStyle::Body | PathStyle::RichMenu | PathStyle::Coupon => {
                (if first { "" } else { "." }, "[", "]")
            }
            PathStyle::Template(_) => (if first { "" } else { "/" }, "/", ""),
            PathStyle::Flex(_) => ("/", "/", ""),
        };
        text.push_str(before);
        text.push_str(self.key);
        if let Some(index) = self.index {
            let _infallible = write!(text, "{index_before}{index}{index_after}");
        }
    }

    fn render(&self) -> String {
        let mut path = String::new();
        self.write(&mut path);
        path
    }
}

#[derive(Debug)]
struct Violation {
    style: PathStyle,
    message: String,
    property: String,
}

/// The violations found so far.
#[derive(Debug, Default)]
pub(super) struct Violations {
    found: RefCell<Vec<Violation>>,
    /// The path of the first value of a wrong type, at which LINE's parser stops.
    wrong_type: RefCell<Option<String>>,
}

impl Violations {
    /// LINE's answer to the violations. Those outside of templates and Flex containers come first; of
    /// templates and containers, only the first invalid one is reported.
    pub(super) fn into_result(self) -> Result<(), Answer> {
        if let Some(property) = self.wrong_type.into_inner() {
            return Err(Answer::invalid_property(&format!("'{property}'")));
        }
        let found = self.found.into_inner();
        let style = match found
            .iter()
            .find(|violation| violation.style == PathStyle::Body)
            .or(found.first())
        {
            None => return Ok(()),
            Some(violation) => violation.style,
        };
        let details = found
            .into_iter()
            .filter(|violation| violation.style == style);
        let details: Vec<Value> = details
            .map(
                |violation| json!({ "message": violation.message, "property": violation.property }),
            )
            .collect();
        Err(match style {
            PathStyle::Body | PathStyle::RichMenu | PathStyle::Coupon => {
                Answer::invalid_body(&details)
            }
            PathStyle::Template(index) | PathStyle::Flex(index) => {
                let text =
                    format!("A message (messages[{index}])\u{a0}in the request body is invalid");
                Answer::json(400, &json!({ "message": text, "details": details }))
            }
        })
    }
}

/// Whether a property may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Required,
    Optional,
}

/// A JSON object under validation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) fields: &'a Map<String, Value>,
    pub(super) path: Path<'a>,
    pub(super) violations: &'a Violations,
}

impl<'a> Object<'a> {
    /// The same object with paths in another style that start at `key`.
    pub(super) fn with_style(&self, style: PathStyle, key: &'a str) -> Object<'a> {
        Object {
            path: Path {
                style,
                parent: None,
                key,
                index: None,
            },
            ..*self
        }
    }

    /// Reports a violation of the property `key`.
    pub(super) fn reject(&self, key: &str, message: impl Into<String>) {
        let path = self.path.child(key, None);
        let violation = Violation {
            style: path.style,
            message: message.into(),
            property: path.render(),
        };
        self.violations.found.borrow_mut().push(violation);
    }

    /// Reports a value of a wrong type, at which LINE's parser stops.
    pub(super) fn wrong_type(&self, key: &str) {
        let path = self.path.child(key, None).render();
        self.violations.wrong_type.borrow_mut().get_or_insert(path);
    }

    /// The value of a property; `null` counts as left out.
    pub(super) fn get(&self, key: &str, need: Need) -> Option<&'a Value> {
        let value = self.fields.get(key).filter(|value| !value.is_null());
        if value.is_none() && need == Need::Required {
            let words = match self.path.style {
                PathStyle::Body | PathStyle::Coupon => "May not be empty",
                PathStyle::RichMenu | PathStyle::Template(_) | PathStyle::Flex(_) => {
                    "must be specified"
                }
            };
            self.reject(key, words);
        }
        value
    }

    /// A string; an empty one is a violation.
    pub(super) fn string(&self, key: &str, need: Need) -> Option<&'a str> {
        match self.get(key, need)?.as_str() {
            Some("") => self.reject(key, "May not be empty"),
            Some(text) => return Some(text),
            None => self.wrong_type(key),
        }
        None
    }

    /// A string of at most `most` characters, counted in `unit`.
    pub(super) fn text(
        &self,
        key: &str,
        need: Need,
        most: usize,
        unit: LengthUnit,
    ) -> Option<&'a str> {
        let text = self.string(key, need)?;
        if length(text, unit) > most {
            self.reject(key, format!("Length must be between 0 and {most}"));
        }
        Some(text)
    }

    /// One of a few strings.
    pub(super) fn choice(&self, key: &str, need: Need, known: &[&str]) -> Option<&'a str> {
        let text = self.string(key, need)?;
        if known.contains(&text) {
            return Some(text);
        }
        let comma = if self.path.style == PathStyle::Coupon {
            ","
        } else {
            ", "
        };
        let known = known.join(comma);
        self.reject(
            key,
            format!("Must be one of the following values: [{known}]"),
        );
        None
    }

    /// An HTTPS URL, from which phones download something.
    pub(super) fn https(&self, key: &str, need: Need) {
        self.uri(key, need, 2000, &["https"]);
    }

    /// The URLs of an image or video and of its preview.
    pub(super) fn media(&self) {
        self.https("originalContentUrl", Need::Required);
        self.https("previewImageUrl", Need::Required);
    }

    /// A URL with one of these schemes.
    pub(super) fn uri(&self, key: &str, need: Need, most: usize, schemes: &[&str]) {
        let Some(text) = self.text(key, need, most, LengthUnit::Utf16) else {
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
            let on_a_menu = self.path.style == PathStyle::RichMenu;
            let words = if on_a_menu {
                "invalid uri"
            } else {
                "invalid uri scheme"
            };
            self.reject(key, words);
        } else if text.contains(|symbol: char| symbol.is_whitespace() || symbol.is_control())
            || (web && host.is_none_or(str::is_empty))
        {
            self.reject(key, "invalid uri");
        }
    }

    pub(super) fn boolean(&self, key: &str, need: Need) -> Option<bool> {
        let value = self.get(key, need)?;
        if !value.is_boolean() {
            self.wrong_type(key);
        }
        value.as_bool()
    }

    pub(super) fn integer(&self, key: &str, need: Need, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.get(key, need)?;
        let Some(number) = value.as_i64() else {
            self.wrong_type(key);
            return None;
        };
        if !range.contains(&number) {
            let text = match (*range.start(), *range.end()) {
                (start, i64::MAX) => format!("Must be greater than or equal to {start}"),
                (start, end) => format!("Must be between {start} and {end}"),
            };
            self.reject(key, text);
        }
        Some(number)
    }

    pub(super) fn number(&self, key: &str, range: RangeInclusive<f64>) {
        match self.get(key, Need::Required).map(Value::as_f64) {
            Some(Some(number)) if !range.contains(&number) => {
                let (start, end) = (range.start(), range.end());
                self.reject(key, format!("Must be between {start} and {end}"));
            }
            Some(None) => self.wrong_type(key),
            _ => {}
        }
    }

    pub(super) fn object<'b>(&'b self, key: &'b str, need: Need) -> Option<Object<'b>> {
        let Some(fields) = self.get(key, need)?.as_object() else {
            self.wrong_type(key);
            return None;
        };
        Some(Object {
            fields,
            path: self.path.child(key, None),
            violations: self.violations,
        })
    }

    /// The objects of an array, whose length must be within `size`.
    pub(super) fn items<'b>(
        &'b self,
        key: &'b str,
        need: Need,
        size: RangeInclusive<usize>,
    ) -> Vec<Object<'b>> {
        let Some(value) = self.get(key, need) else {
            return Vec::new();
        };
        let Some(items) = value.as_array() else {
            self.wrong_type(key);
            return Vec::new();
        };
        if !size.contains(&items.len()) {
            let (least, most) = (size.start(), size.end());
            self.reject(key, format!("Size must be between {least} and {most}"));
        }
        let mut objects = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = self.path.child(key, Some(index));
            match item.as_object() {
                Some(fields) => objects.push(Object {
                    fields,
                    path,
                    violations: self.violations,
                }),
                None => {
                    self.violations
                        .wrong_type
                        .borrow_mut()
                        .get_or_insert(path.render());
                }
            }
        }
        objects
    }
}

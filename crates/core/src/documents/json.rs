//! Reads JSON that people and platforms write: documents, lines, asset files, webhook bodies. What
//! cannot be read is told in words, with its place; what is too much is refused before it is kept.

use std::cell::{Cell, RefCell};
use std::fmt;

use line_connector_catalog::references::escape;
use line_connector_text::json::strings;
pub use line_connector_text::json::values_at_most;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::details::shortened;
use crate::json_text::JsonText;

/// How many values a document may have: objects, arrays, strings, numbers. The largest that LINE
/// takes, 10,000 user IDs, has some 20,000.
pub const MAX_VALUES: usize = 250_000;
/// How long the `id` of a document that cannot be read may be, bytes.
const MAX_VISIBLE_ID: usize = 10_000;
/// What every editor of Windows puts before UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The reason where one document stands behind another.
pub(super) const SECOND_DOCUMENT: &str = "there is a second document behind the first";

/// Why a text is no JSON document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong, a fragment for people that quotes nothing of the text.
    pub reason: String,
    /// The line of the mistake, from 1; absent where there is none.
    pub line: Option<usize>,
    /// The character in the line, from 1.
    pub column: Option<usize>,
    /// The JSON pointer of the value that cannot be read, as far as it was read.
    pub path: String,
    /// Whether it is JSON by its grammar, and only a text in it is cut.
    pub is_cut_text: bool,
}

impl fmt::Display for Unreadable {
    /// The reason with its place.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)?;
        match (self.line, self.column) {
            (Some(1), Some(column)) => write!(formatter, " (column {column})"),
            (Some(line), Some(column)) => write!(formatter, " (line {line}, column {column})"),
            _ => Ok(()),
        }
    }
}

/// A document, its `id` kept as it was written.
#[derive(Debug, Default)]
pub struct Document {
    /// What comes back in the answer.
    pub id: Option<JsonText>,
    /// The other members.
    pub members: Map<String, Value>,
}

impl Document {
    /// Reads a JSON object.
    ///
    /// # Errors
    ///
    /// Why it is none, beside its `id` where that can be seen.
    pub fn read(text: &[u8]) -> Result<Self, (Unreadable, Option<JsonText>)> {
        let text = decoded(text).map_err(|unreadable| (unreadable, None))?;
        let reading = Reading::default();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let document = deserializer
            .deserialize_any(DocumentVisitor(&reading))
            .and_then(|document| deserializer.end().map(|()| document));
        document.map_err(|error| (reading.explain(text, &error), visible_id(text)))
    }
}

/// Reads one JSON value.
///
/// # Errors
///
/// Why it is none.
pub fn read(text: &[u8]) -> Result<Value, Unreadable> {
    let text = decoded(text)?;
    let reading = Reading::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = ValueSeed(&reading)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| reading.explain(text, &error))
}

/// Why `serde_json` could not read a text: for readers of other shapes than a [`Value`].
#[must_use]
pub fn why(text: &str, error: &serde_json::Error) -> Unreadable {
    Reading::default().explain(text, error)
}

/// The text of a document, without a byte order mark.
///
/// # Errors
///
/// Where it is not UTF-8.
pub fn decoded(text: &[u8]) -> Result<&str, Unreadable> {
    let reason = match text {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => {
            "it is UTF-16: write it as UTF-8".to_owned()
        }
        [0x1f, 0x8b, ..] => "it is compressed with gzip".to_owned(),
        _ => {
            let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
            match str::from_utf8(text) {
                Ok(text) => return Ok(text),
                Err(error) => {
                    let at = error.valid_up_to() + 1;
                    format!("it is not UTF-8 at byte {at}: write it as UTF-8")
                }
            }
        }
    };
    Err(Unreadable {
        reason,
        ..Unreadable::default()
    })
}

/// The `id` of a document that cannot be read, where it stands outermost and is a string or a
/// number.
#[must_use]
pub fn visible_id(text: &str) -> Option<JsonText> {
    let mut depth = 0_usize;
    let mut done = 0;
    for string in strings(text) {
        for byte in text.get(done..string.range.start)?.bytes() {
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        done = string.range.end;
        if depth == 1 && string.is_key && text.get(string.range)? == r#""id""# {
            let value = text
                .get(done..)?
                .trim_start()
                .strip_prefix(':')?
                .trim_start();
            let length = match strings(value).next() {
                Some(string) if string.range.start == 0 => string.range.end,
                _ => value.find([',', '}', '\n'])?,
            };
            let id = JsonText::read(value.get(..length.min(MAX_VISIBLE_ID))?)?;
            return (!id.value().is_null()).then_some(id);
        }
    }
    None
}

/// What is kept while one text is read.
#[derive(Default)]
struct Reading {
    values: Cell<usize>,
    /// The names and numbers that lead to a value that could not be read, the innermost first.
    path: RefCell<Vec<String>>,
    /// What is wrong though the grammar is kept to.
    refusal: RefCell<Option<String>>,
}

impl Reading {
    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > MAX_VALUES {
            return Err(self.refuse(format!("it has more than {MAX_VALUES} values")));
        }
        Ok(())
    }

    fn refuse<E: serde::de::Error>(&self, reason: String) -> E {
        self.refusal.replace(Some(reason));
        E::custom("refused")
    }

    /// Notes on the way out of a failure where it was.
    fn at<T, E>(&self, step: impl FnOnce() -> String, result: Result<T, E>) -> Result<T, E> {
        if result.is_err() {
            self.path.borrow_mut().push(step());
        }
        result
    }

    fn member<E: serde::de::Error>(
        &self,
        members: &mut Map<String, Value>,
        name: String,
        value: Value,
    ) -> Result<(), E> {
        match members.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(value);
                Ok(())
            }
            Entry::Occupied(entry) => {
                let reason = format!("`{}` stands in one object twice", shortened(entry.key()));
                self.at(|| entry.key().clone(), Err(self.refuse(reason)))
            }
        }
    }

    fn explain(&self, text: &str, error: &serde_json::Error) -> Unreadable {
        let mut path = String::new();
        for step in self.path.borrow().iter().rev() {
            path.push('/');
            path.push_str(&escape(shortened(step)));
        }
        let place = offset(text, error);
        let said = error.to_string();
        let reason = match self.refusal.take() {
            Some(refusal) => refusal,
            None if error.is_data() => format!("it is {}, not an object", a_kind_of_text(text)),
            None => in_words(&said, text.get(place..).unwrap_or_default(), text, place),
        };
        let before = text.get(..place).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Unreadable {
            reason,
            line: Some(before.matches('\n').count() + 1),
            column: Some(line.chars().count() + 1),
            path,
            is_cut_text: said.contains("surrogate")
                || said.contains("unexpected end of hex escape"),
        }
    }
}

/// The kind of the value that a text is.
fn a_kind_of_text(text: &str) -> &'static str {
    match text.trim_start().as_bytes().first() {
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Where the mistake is, bytes from the beginning: at the beginning of a character.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    // The column counts the bytes of the line that were read, the wrong one included; it is 0 where
    // that is the line end itself.
    let mut starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    let start = starts
        .nth(error.line().saturating_sub(1))
        .unwrap_or(text.len());
    let after = start + error.column();
    let at = if error.is_eof() {
        after
    } else {
        after.saturating_sub(1)
    };
    text.floor_char_boundary(at.min(text.len()))
}

/// What is wrong at a place, without quoting more than punctuation.
fn in_words(said: &str, rest: &str, text: &str, place: usize) -> String {
    let before = text.get(..place).unwrap_or_default().trim_end();
    let is = |what: &str| said.starts_with(what);
    let reason = if text.trim().is_empty() {
        "there is nothing"
    } else if said.contains("surrogate") || is("unexpected end of hex escape") {
        "it holds half of a surrogate pair: the text was cut inside an emoji or a rare character"
    } else if is("EOF") {
        "it ends too early: a bracket or a quotation mark is not closed"
    } else if is("control character") {
        match rest.chars().next() {
            Some('\n' | '\r') => "there is a line end inside a string: write it as \\n",
            Some('\t') => "there is a tab inside a string: write it as \\t",
            _ => "there is a control character inside a string: write it as \\u and four digits",
        }
    } else if is("invalid escape") {
        "a backslash in a string stands before a character that it cannot escape: write it as \\\\"
    } else if is("recursion limit") {
        "it is nested deeper than 127 levels"
    } else if is("number out of range") {
        "a number is too large"
    } else if is("trailing characters") {
        if before.ends_with(['}', ']']) && rest.starts_with(['{', '[']) {
            SECOND_DOCUMENT
        } else {
            "there is more behind the document"
        }
    } else if is("trailing comma") || (before.ends_with(',') && rest.starts_with([']', '}'])) {
        "there is a comma before a closing bracket"
    } else {
        unexpected(said, rest, before)
    };
    reason.to_owned()
}

/// What stands where something else should.
fn unexpected(said: &str, rest: &str, before: &str) -> &'static str {
    let begins = |words: &[&str]| words.iter().any(|word| rest.starts_with(word));
    // A word is read up to the letter that is wrong in it.
    let word = before.rsplit(|character: char| !character.is_ascii_alphabetic());
    let word = word.into_iter().next().unwrap_or_default();
    if begins(&["'"]) {
        "there are single quotes: JSON wants double quotes"
    } else if begins(&["“", "”", "„", "«", "‘", "’", "＂"]) {
        "there are typographic quotes: JSON wants straight ones"
    } else if begins(&["{{", "${", "<%", "{%"]) || before.ends_with(['{', '$']) && begins(&["{"]) {
        "a placeholder was not filled in"
    } else if begins(&["NaN", "Infinity", "-Infinity", "Inf"])
        || begins(&["I"]) && before.ends_with('-')
    {
        "NaN and Infinity are no JSON: write null, or leave it out"
    } else if begins(&["True", "False", "None"]) {
        "True, False and None are Python's: JSON writes true, false and null"
    } else if begins(&["undefined"]) || word == "u" {
        "`undefined` is no JSON: write null, or leave it out"
    } else if begins(&["//", "/*", "#"]) {
        "there is a comment, which JSON does not know"
    } else if begins(&["<"]) {
        "it is a page or XML"
    } else if said.starts_with("key must be a string") {
        "the name of a member stands without quotation marks"
    } else if said.starts_with("expected `:`") {
        "a colon is missing"
    } else if said.starts_with("expected `,`") {
        "a comma is missing, or a quotation mark in a string is not written as \\\""
    } else if said.starts_with("expected ident")
        && ["tr", "fa", "nu"]
            .iter()
            .any(|start| word.starts_with(start))
    {
        "true, false or null is misspelt"
    } else if said.starts_with("invalid number") {
        "a number is written in another way than JSON's"
    } else {
        "a value is missing, or stands without quotation marks"
    }
}

struct DocumentVisitor<'r>(&'r Reading);

impl<'de> Visitor<'de> for DocumentVisitor<'_> {
    type Value = Document;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut document = Document::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == "id" {
                let id = map.next_value::<Box<RawValue>>()?;
                if document.id.is_some() {
                    return Err(self.0.refuse("`id` stands there twice".to_owned()));
                }
                let mut deserializer = serde_json::Deserializer::from_str(id.get());
                ValueSeed(self.0)
                    .deserialize(&mut deserializer)
                    .map_err(|_| {
                        self.0.refuse(
                            "`id` has a number that is too large, or too many values".to_owned(),
                        )
                    })?;
                let id = JsonText::of(id);
                document.id = Some(id.ok_or_else(|| {
                    self.0.refuse(
                        "`id` cannot be repeated: it is nested too deep, or a number too long"
                            .to_owned(),
                    )
                })?);
            } else {
                let value = map.next_value_seed(ValueSeed(self.0));
                let value = self.0.at(|| name.clone(), value)?;
                self.0.member(&mut document.members, name, value)?;
            }
        }
        Ok(document)
    }
}

/// Makes a [`Value`], counted.
#[derive(Clone, Copy)]
struct ValueSeed<'r>(&'r Reading);

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = {
            let next = items.next_element_seed(self);
            self.0.at(|| values.len().to_string(), next)?
        } {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = self.0.at(|| name.clone(), map.next_value_seed(self))?;
            self.0.member(&mut members, name, value)?;
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why_not(text: &str) -> String {
        read(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn every_mistake_is_told_in_words_and_with_its_place() {
        for (text, says) in [
            ("", "there is nothing (column 1)"),
            ("{\"a\":[1,2", "it ends too early"),
            (
                "{\"a\":\"one\ntwo\"}",
                "a line end inside a string: write it as \\n (column 10)",
            ),
            ("{\"a\":\"one\r\ntwo\"}", "a line end inside a string"),
            (
                "{\"a\":\"one\ttwo\"}",
                "a tab inside a string: write it as \\t (column 10)",
            ),
            ("{\"a\":\"\u{1}\"}", "a control character inside a string"),
            (
                "{\n  \"a\": [1, 2,]\n}",
                "a comma before a closing bracket (line 2, column 14)",
            ),
            ("{\"a\":1,}", "a comma before a closing bracket (column 8)"),
            ("{} {}", "a second document behind the first (column 4)"),
            ("{} x", "more behind the document"),
            ("{'a':1}", "single quotes"),
            ("{\"a\":'x'}", "single quotes"),
            ("{“a”:1}", "typographic quotes"),
            ("{\"a\":„x“}", "typographic quotes"),
            ("{\"a\":NaN}", "NaN and Infinity"),
            ("{\"a\":-Infinity}", "NaN and Infinity"),
            ("{\"a\":True}", "Python"),
            ("{\"a\":None}", "Python"),
            ("{\"a\":undefined}", "undefined"),
            ("{\"a\":{{value}}}", "a placeholder was not filled in"),
            ("{\"a\":${value}}", "a placeholder was not filled in"),
            ("{\"a\":1 // one\n}", "a comment"),
            ("{ // one\n}", "a comment"),
            ("<html>", "a page or XML"),
            ("{a:1}", "stands without quotation marks"),
            ("{\"a\" 1}", "a colon is missing"),
            ("{\"a\":1 \"b\":2}", "a comma is missing"),
            ("{\"a\":\"say \"hi\"\"}", "a quotation mark in a string"),
            ("{\"a\":\"C:\\dir\"}", "a backslash in a string"),
            ("{\"a\":tru}", "misspelt"),
            ("{\"a\":1e999}", "a number is too large"),
            ("{\"a\":01}", "another way"),
            ("{\"a\":}", "a value is missing"),
            ("{\"a\":hello}", "stands without quotation marks"),
            ("{\"a\":\"\\ud83d\"}", "half of a surrogate pair"),
            ("{\"a\":\"\\ud83d x\"}", "half of a surrogate pair"),
            ("{\"a\":\"\\ude00\"}", "half of a surrogate pair"),
            ("{\"a\":1,\"a\":2}", "`a` stands in one object twice"),
        ] {
            let why = why_not(text);
            assert!(why.contains(says), "{text}: {why}");
            assert!(!why.contains("column 0"), "{text}: {why}");
        }
        for (text, says) in [
            ("[1]", "an array"),
            ("\"a\"", "a string"),
            (" 7", "a number"),
            ("null", "null"),
        ] {
            let (why, _) = Document::read(text.as_bytes()).unwrap_err();
            assert!(why.reason.contains(says), "{}", why.reason);
        }
        assert!(Document::read(b"{\"id\":1e400}").is_err());
        let deep = "[".repeat(200);
        assert!(why_not(&deep).contains("127 levels"));
    }

    #[test]
    fn other_encodings_are_named() {
        let wide: Vec<u8> = "{\"a\":1}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for (text, says) in [
            (wide.clone(), "UTF-16"),
            ([&[0xff, 0xfe], &wide[..]].concat(), "UTF-16"),
            (b"\xfe\xff\0{\0}".to_vec(), "UTF-16"),
            (
                b"{\"a\":\"\x83e\x83X\x83g\"}".to_vec(),
                "not UTF-8 at byte 7",
            ),
            (vec![0x1f, 0x8b, 8, 0], "gzip"),
        ] {
            let why = read(&text).unwrap_err().to_string();
            assert!(why.contains(says), "{why}");
        }
        assert_eq!(read(b"\xef\xbb\xbf[1]").unwrap(), serde_json::json!([1]));
    }

    #[test]
    fn the_place_of_a_cut_text_is_a_pointer() {
        let text = br#"{"inputs":{"messages":[{"type":"text"},{"a/b":"\ud83d"}]},"id":"late"}"#;
        let (unreadable, id) = Document::read(text).unwrap_err();
        assert_eq!(unreadable.path, "/inputs/messages/1/a~1b");
        assert!(unreadable.is_cut_text);
        assert_eq!(id.unwrap().text(), "\"late\"");
    }

    #[test]
    fn an_id_is_kept_as_it_was_written() {
        for id in [
            "461230966842064897123456",
            "1.50",
            "\"a\\u00e9\"",
            "[1,{\"a\": 2}]",
            "null",
        ] {
            let text = format!("{{\"id\":{id},\"action\":\"a\"}}");
            let document = Document::read(text.as_bytes()).unwrap();
            assert_eq!(document.id.unwrap().text(), id);
        }
        for text in [
            "{\"id\":7,\"inputs\":{]}",
            "{\"inputs\":{\"id\":1},\"id\":7,\"a\":'x'}",
        ] {
            let (_, id) = Document::read(text.as_bytes()).unwrap_err();
            assert_eq!(id.unwrap().text(), "7", "{text}");
        }
    }

    #[test]
    fn a_document_has_no_more_values_than_it_may() {
        let many = |count: usize| format!("[{}1]", "1,".repeat(count - 2));
        assert!(read(many(MAX_VALUES).as_bytes()).is_ok());
        assert!(why_not(&many(MAX_VALUES + 1)).contains("250000 values"));
    }
}

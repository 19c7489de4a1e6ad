//! The only reader of YAML. It turns text into the types of `definition`, or into a problem with
//! file, line and reason; `lint` checks what a well-formed file means.

use std::fmt;

use granit_parser::{Event, Parser};
use line_connector_text::nearest::nearest;
use serde::de::DeserializeOwned;

use crate::references::escape;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named to the reader.
    pub file: String,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The column, from 1; 0 where it is not known.
    pub column: usize,
    /// The reason, a fragment for people.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        for number in [self.line, self.column]
            .into_iter()
            .filter(|number| *number > 0)
        {
            write!(formatter, ":{number}")?;
        }
        write!(formatter, ": {}", self.reason)
    }
}

/// Reads one YAML file.
///
/// # Errors
///
/// A [`Problem`] where the text is not YAML, lacks a key, or has one that the type does not know.
pub fn yaml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Problem> {
    match cut_off(file, text).into_iter().next() {
        Some(problem) => Err(problem),
        None => parsed(file, text),
    }
}

/// A YAML file as far as it can be read, and what is wrong with its text: everything where it can be read
/// nevertheless.
#[must_use]
pub fn text(file: &str, text: &str) -> (Option<serde_json::Value>, Vec<Problem>) {
    match parsed(file, text) {
        Ok(value) => (Some(value), cut_off(file, text)),
        Err(problem) => (None, vec![problem]),
    }
}

fn parsed<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Problem> {
    serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location();
        let number = |number| usize::try_from(number).unwrap_or(0);
        Problem {
            file: file.to_owned(),
            line: place.map_or(0, |place| number(place.line())),
            column: place.map_or(0, |place| number(place.column())),
            reason: first_line(&error.to_string()),
        }
    })
}

/// Reads one JSON schema file.
///
/// # Errors
///
/// A [`Problem`] where the text is not JSON.
pub fn json(file: &str, text: &str) -> Result<serde_json::Value, Problem> {
    serde_json::from_str(text).map_err(|error| Problem {
        file: file.to_owned(),
        line: error.line(),
        column: error.column(),
        reason: error.to_string(),
    })
}

/// Rules that a file breaks, given by JSON pointer and reason, as problems with their lines.
#[must_use]
pub fn placed(file: &str, text: &str, breaches: Vec<(String, String)>) -> Vec<Problem> {
    breaches
        .into_iter()
        .map(|(pointer, reason)| {
            let (line, column) = place_of(text, &pointer);
            Problem {
                file: file.to_owned(),
                line,
                column,
                reason,
            }
        })
        .collect()
}

/// The line and column at which the value at a JSON pointer stands, or the nearest one above it that
/// there is; 0 where there is none.
#[must_use]
pub fn place_of(text: &str, pointer: &str) -> (usize, usize) {
    let is_above = |place: &str| {
        let rest = pointer.strip_prefix(place);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let places = places(text)
        .into_iter()
        .filter(|(place, _)| is_above(place));
    let deepest = places.max_by_key(|(place, _)| place.len());
    deepest.map_or((0, 0), |(_, place)| place)
}

/// Where the parser is among the nodes of a document.
enum Level {
    /// In a mapping, at the value of this key where there is one.
    Mapping(Option<String>),
    /// In a list, before this item.
    List(usize),
}

/// The JSON pointer of every member and every item of a YAML text, with its line and column, as far
/// as the text can be read.
fn places(text: &str) -> Vec<(String, (usize, usize))> {
    let mut found = Vec::new();
    let mut levels: Vec<Level> = Vec::new();
    let mut pointer: Vec<String> = Vec::new();
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        if matches!(event, Event::MappingEnd | Event::SequenceEnd) {
            levels.pop();
            pointer.pop();
            continue;
        }
        let at = (span.start.line(), span.start.col() + 1);
        let opens = match &event {
            Event::MappingStart(..) => Some(Level::Mapping(None)),
            Event::SequenceStart(..) => Some(Level::List(0)),
            Event::Scalar(..) | Event::Alias(..) => None,
            _ => continue,
        };
        let step = match (levels.last_mut(), &event) {
            (None, _) => String::new(),
            (Some(Level::Mapping(key @ None)), Event::Scalar(name, ..)) => {
                *key = Some(name.to_string());
                let place = format!("{}/{}", pointer.concat(), escape(name));
                found.push((place, at));
                continue;
            }
            (Some(Level::Mapping(key)), _) => {
                let key = key.take().unwrap_or_default();
                format!("/{}", escape(&key))
            }
            (Some(Level::List(index)), _) => {
                *index += 1;
                let step = format!("/{}", *index - 1);
                found.push((format!("{}{step}", pointer.concat()), at));
                step
            }
        };
        if let Some(level) = opens {
            levels.push(level);
            pointer.push(step);
        }
    }
    found
}

/// A plain scalar ends silently at ` #`: the rest of a sentence would be lost as a comment.
fn cut_off(file: &str, text: &str) -> Vec<Problem> {
    let is_cut = |line: &str| {
        let Some((key, value)) = line.split_once(": ") else {
            return false;
        };
        let plain = !value
            .trim_start()
            .starts_with(['"', '\'', '>', '|', '{', '[', '#', '&', '*']);
        plain && !key.trim_start().starts_with('#') && value.contains(" #")
    };
    let lines = text.lines().enumerate().filter(|(_, line)| is_cut(line));
    lines
        .map(|(index, _)| Problem {
            file: file.to_owned(),
            line: index + 1,
            column: 0,
            reason: "a plain value is cut off at ` #`; use a block scalar (`>-`) or quotes"
                .to_owned(),
        })
        .collect()
}

/// The reader's message without the excerpt that follows it.
fn first_line(message: &str) -> String {
    let line = message
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or(message);
    let line = line.trim_start_matches("error: ");
    // The place is told by the problem itself.
    let placed = line.strip_prefix("line ");
    let reason = placed.and_then(|rest| rest.split_once(": "));
    with_suggestion(reason.map_or(line, |(_, reason)| reason))
}

/// A reason that quotes a name which is not known, and tells those that are, with the nearest of them.
fn with_suggestion(reason: &str) -> String {
    let name = reason
        .strip_prefix("unknown ")
        .and_then(|rest| rest.split('`').nth(1));
    let known = reason.split_once(", expected ");
    let known = known.map(|(_, known)| known.trim_start_matches("one of "));
    let known = known.unwrap_or_default().split([',', '`', ' ']);
    match name.and_then(|name| nearest(name, known)) {
        Some(near) => format!("{reason}; did you mean `{near}`?"),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{place_of, yaml};

    #[test]
    fn a_name_that_is_not_known_is_answered_with_the_nearest() {
        let problem = yaml::<crate::definition::Pages>("a.yaml", "itms: a").unwrap_err();
        assert!(
            problem.reason.ends_with("did you mean `items`?"),
            "{problem}"
        );
    }

    #[test]
    fn a_problem_names_file_line_and_reason() {
        let problem = yaml::<u64>("a.yaml", "\n\nnot a number").unwrap_err();
        assert_eq!((problem.file.as_str(), problem.line), ("a.yaml", 3));
        let problem = yaml::<serde_json::Value>("a.yaml", "a: 1\nb: text # lost").unwrap_err();
        assert_eq!(problem.line, 2);
    }

    #[test]
    fn a_pointer_leads_to_its_line_and_column() {
        let text = "name: a\nmeta:\n  docs: x\n  endpoint: y\ninputs:\n  endpoint: z\n";
        assert_eq!(place_of(text, "/meta/endpoint"), (4, 3));
        assert_eq!(place_of(text, "/inputs/endpoint"), (6, 3));
        assert_eq!(place_of(text, "/nowhere"), (0, 0));
        let text = "a:\n  - b: {c: 1,\n      d: 2}\n  - *x\n  - b:\n      \"d/e\": [1,\n  2]\nf: 1";
        for (pointer, line) in [
            ("/a/0/b/d", 3),
            ("/a/1/b", 4),
            ("/a/2/b/d~1e/1", 7),
            ("/a/2/b/nowhere/0", 5),
            ("/f", 8),
        ] {
            let text = text.replace("*x", "&x y");
            assert_eq!(place_of(&text, pointer).0, line, "{pointer}");
        }
        assert_eq!(place_of("{\n\"a\": [{\n\"b\": 1}]}", "/a/0/b"), (3, 1));
    }
}

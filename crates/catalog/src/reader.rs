//! The only reader of YAML. It turns text into the types of `definition`, or into a problem with
//! file, line and reason; `lint` checks what a well-formed file means.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::references::unescape;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named to the reader.
    pub file: String,
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// The reason, a fragment for people.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.file, self.reason),
            line => write!(formatter, "{}:{line}: {}", self.file, self.reason),
        }
    }
}

/// Reads one YAML file.
///
/// # Errors
///
/// A [`Problem`] where the text is not YAML, lacks a key, or has one that the type does not know.
pub fn yaml<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Problem> {
    if let Some(problem) = cut_off(file, text) {
        return Err(problem);
    }
    serde_saphyr::from_str(text).map_err(|error| Problem {
        file: file.to_owned(),
        line: error
            .location()
            .and_then(|location| usize::try_from(location.line()).ok())
            .unwrap_or(0),
        reason: first_line(&error.to_string()),
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
        reason: error.to_string(),
    })
}

/// Rules that a file breaks, given by JSON pointer and reason, as problems with their lines.
#[must_use]
pub fn placed(file: &str, text: &str, breaches: Vec<(String, String)>) -> Vec<Problem> {
    breaches
        .into_iter()
        .map(|(pointer, reason)| Problem {
            file: file.to_owned(),
            line: line_of(text, &pointer),
            reason,
        })
        .collect()
}

/// The line on which the value at a JSON pointer starts, as well as indentation tells; 0 where it
/// cannot be found. Good enough for a person to jump to.
#[must_use]
pub fn line_of(text: &str, pointer: &str) -> usize {
    let mut line = 0;
    let mut remaining = text.lines().enumerate();
    for token in pointer.split('/').skip(1) {
        let key = unescape(token);
        if key.parse::<usize>().is_ok() {
            continue;
        }
        let Some((index, _)) = remaining.find(|(_, source)| starts_with_key(source, &key)) else {
            break;
        };
        line = index + 1;
    }
    line
}

fn starts_with_key(source: &str, key: &str) -> bool {
    let source = source.trim_start().trim_start_matches("- ").trim_start();
    let source = source.trim_start_matches(['{', '"', '\'']);
    source
        .strip_prefix(key)
        .is_some_and(|rest| rest.trim_start_matches(['"', '\'']).starts_with(':'))
}

/// A plain scalar ends silently at ` #`: the rest of a sentence would be lost as a comment.
fn cut_off(file: &str, text: &str) -> Option<Problem> {
    for (index, line) in text.lines().enumerate() {
        let Some((key, value)) = line.split_once(": ") else {
            continue;
        };
        let plain = !value
            .trim_start()
            .starts_with(['"', '\'', '>', '|', '{', '[', '#', '&', '*']);
        if plain && !key.trim_start().starts_with('#') && value.contains(" #") {
            return Some(Problem {
                file: file.to_owned(),
                line: index + 1,
                reason: "a plain value is cut off at ` #`; use a block scalar (`>-`) or quotes"
                    .to_owned(),
            });
        }
    }
    None
}

/// The reader's message without the excerpt that follows it.
fn first_line(message: &str) -> String {
    let line = message
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or(message);
    let line = line.trim_start_matches("error: ");
    // The place is told by the problem itself.
    match line
        .strip_prefix("line ")
        .and_then(|rest| rest.split_once(": "))
    {
        Some((_, reason)) => reason.to_owned(),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{line_of, yaml};

    #[test]
    fn a_problem_names_file_line_and_reason() {
        let problem = yaml::<u64>("a.yaml", "\n\nnot a number").unwrap_err();
        assert_eq!((problem.file.as_str(), problem.line), ("a.yaml", 3));
        let problem = yaml::<serde_json::Value>("a.yaml", "a: 1\nb: text # lost").unwrap_err();
        assert_eq!(problem.line, 2);
    }

    #[test]
    fn a_pointer_leads_to_its_line() {
        let text = "name: a\nmeta:\n  docs: x\n  endpoint: y\ninputs:\n  endpoint: z\n";
        assert_eq!(line_of(text, "/meta/endpoint"), 4);
        assert_eq!(line_of(text, "/inputs/endpoint"), 6);
        assert_eq!(line_of(text, "/nowhere"), 0);
    }
}

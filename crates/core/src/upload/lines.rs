//! Text files of one value a line: whether they are text, and which lines are not what LINE takes. It
//! changes no byte, and quotes no more of a line than its beginning.

use regex::Regex;

use super::{measured, wrong};
use crate::catalog::Schemas;
use crate::error::{Detail, Error, Kind};
use line_connector_catalog::definition::{LineKind, Lines};

/// How many wrong lines are told.
const MAX_TOLD: usize = 5;
/// How much of a line is quoted, characters.
const MAX_QUOTED: usize = 12;

/// Holds a file against what its lines must be. `chosen` is the form field's value where one says of
/// which kind they are. The result is what is doubtful.
///
/// # Errors
///
/// [`Kind::InvalidInputs`] with the first wrong lines; [`Kind::InvalidCatalog`] where the action's own
/// declaration is broken.
pub fn check(
    at: &str,
    bytes: &[u8],
    rules: &Lines,
    chosen: Option<bool>,
    shared: &Schemas,
) -> Result<Vec<Detail>, Error> {
    let patterns = rules.kinds.iter().map(|kind| pattern(kind, shared));
    let patterns: Vec<Regex> = patterns.collect::<Result<_, _>>()?;
    let text = text(at, bytes)?;
    let judge = Judge {
        at,
        rules,
        patterns,
    };
    judge.check(text, chosen.map(usize::from))
}

fn pattern(kind: &LineKind, shared: &Schemas) -> Result<Regex, Error> {
    let schema = serde_json::json!({"$ref": kind.schema});
    let pattern = shared.keyword("", &schema, "pattern");
    pattern
        .as_ref()
        .and_then(|(_, pattern)| Regex::new(pattern.as_str()?).ok())
        .ok_or_else(|| {
            let message = format!("`{}` has no pattern for lines", kind.schema);
            Error::new(Kind::InvalidCatalog, message)
        })
}

/// The text of a file, or what it is instead.
fn text<'a>(at: &str, bytes: &'a [u8]) -> Result<&'a str, Error> {
    let is_not = |message: &str, hint: &str| {
        let mut error = wrong(at, message.to_owned());
        for detail in &mut error.details {
            detail.hint = Some(hint.to_owned());
        }
        error
    };
    let utf8 = "save it as text in UTF-8 without a byte order mark, one value a line";
    let export = "export the column as text in UTF-8, one value a line";
    let unpack = "unpack it, and give the text file in it";
    let signatures: [(&[u8], &str, &str); 9] = [
        (b"\xef\xbb\xbf", "begins with a byte order mark (BOM)", utf8),
        (b"\xff\xfe", "is UTF-16", utf8),
        (b"\xfe\xff", "is UTF-16", utf8),
        (b"\x1f\x8b", "is compressed (gzip)", unpack),
        (b"\x28\xb5\x2f\xfd", "is compressed (zstd)", unpack),
        (b"BZh9", "is compressed (bzip2)", unpack),
        (
            b"PK\x03\x04",
            "is a ZIP archive or an Excel workbook (.xlsx)",
            export,
        ),
        (b"\xd0\xcf\x11\xe0", "is an Excel workbook (.xls)", export),
        (b"%PDF", "is a PDF", export),
    ];
    let known = signatures
        .iter()
        .find(|(start, ..)| bytes.starts_with(start));
    if let Some((_, message, hint)) = known {
        return Err(is_not(message, hint));
    }
    let beginning = bytes.get(..64).unwrap_or(bytes);
    let wide = beginning.chunks(2).filter(|pair| pair.contains(&0)).count();
    if wide * 3 > beginning.len() {
        return Err(is_not("is UTF-16", utf8));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to() + 1;
        is_not(&format!("is not text in UTF-8: byte {place}"), utf8)
    })?;
    let returns = text.trim_end().contains('\r') && !text.contains('\n');
    if returns {
        let hint = "write LF (`\\n`) or CRLF at the end of each line";
        return Err(is_not("has lines that end in CR alone", hint));
    }
    Ok(text)
}

struct Judge<'a> {
    at: &'a str,
    rules: &'a Lines,
    patterns: Vec<Regex>,
}

impl Judge<'_> {
    fn check(&self, text: &str, chosen: Option<usize>) -> Result<Vec<Detail>, Error> {
        let mut first = None;
        let mut wrong_lines = Vec::new();
        let (mut count, mut wrong_count) = (0_u64, 0_usize);
        let (mut blank, mut spaced) = (None, None);
        for (number, line) in (1_usize..).zip(text.trim_end().lines()) {
            let value = line.trim_ascii();
            if value.is_empty() {
                blank.get_or_insert(number);
                continue;
            }
            if value.len() != line.len() {
                spaced.get_or_insert(number);
            }
            count += 1;
            let kind = chosen.or(first.map(|(_, kind)| kind));
            let is = |kind: usize| {
                let pattern = self.patterns.get(kind);
                pattern.is_some_and(|pattern| pattern.is_match(value))
            };
            if kind.is_some_and(is) {
                continue;
            }
            let found = (0..self.patterns.len()).find(|kind| is(*kind));
            if let (None, Some(found)) = (kind, found) {
                first = Some((number, found));
                continue;
            }
            wrong_count += 1;
            if wrong_lines.len() < MAX_TOLD {
                wrong_lines.push(self.wrong_line(number, value, (kind, found), first));
            }
        }
        if wrong_count > wrong_lines.len() {
            let more = wrong_count - wrong_lines.len();
            let message = format!("{more} more lines are wrong, of {count}");
            wrong_lines.push(Detail::new(self.at, message));
        }
        if !wrong_lines.is_empty() {
            return Err(wrong(self.at, String::new()).with_details(wrong_lines));
        }
        if count == 0 {
            return Err(wrong(self.at, "holds no value".to_owned()));
        }
        if count > self.rules.max {
            let most = format!("at most {} lines", self.rules.max);
            let found = format!("{count} lines");
            return Err(measured(self.at, "holds too many lines", &most, &found));
        }
        let doubtful = [(blank, "is blank"), (spaced, "has white space around it")];
        let doubtful = doubtful.into_iter().filter_map(|(line, what)| {
            let message = format!("line {} {what}, and perhaps others", line?);
            Some(Detail {
                hint: Some("LINE does not say whether it takes that: remove it".to_owned()),
                ..Detail::new(self.at, message)
            })
        });
        Ok(doubtful.collect())
    }

    /// What is wrong with a line, which should be of one kind and is of another or of none.
    fn wrong_line(
        &self,
        number: usize,
        value: &str,
        (kind, found): (Option<usize>, Option<usize>),
        first: Option<(usize, usize)>,
    ) -> Detail {
        let title = |kind: usize| self.rules.kinds.get(kind).map_or("", |kind| &kind.title);
        let expected = if let Some(kind) = kind {
            title(kind).to_owned()
        } else {
            let titles: Vec<&str> = (0..self.patterns.len()).map(title).collect();
            titles.join(" or ")
        };
        let (message, hint) = if let Some(found) = found {
            let hint = match (&self.rules.chosen_by, first) {
                (Some(field), _) => {
                    let (plain, other) = (title(0), title(1));
                    format!("where `{field}` is true every line must be {other}, else {plain}")
                }
                (None, Some((line, kind))) => {
                    format!("line {line} is {}: a file holds one kind", title(kind))
                }
                (None, None) => "a file holds one kind".to_owned(),
            };
            (format!("is {}, not {expected}", title(found)), hint)
        } else if let Some((what, hint)) = self.oddity(number, value) {
            (format!("is not {expected}: it {what}"), hint.to_owned())
        } else {
            let hint = "correct or remove the line";
            (format!("is not {expected}"), hint.to_owned())
        };
        let mut quoted: String = value.chars().take(MAX_QUOTED).collect();
        if quoted.len() < value.len() {
            quoted.push('…');
        }
        Detail {
            found: Some(format!("{quoted:?}")),
            hint: Some(hint),
            ..Detail::new(self.at, format!("line {number} {message}"))
        }
    }

    /// What is to be seen in a value of no kind, and what to do.
    fn oddity(&self, number: usize, value: &str) -> Option<(&'static str, &'static str)> {
        let one = "write one value a line, without separators and other columns";
        let odd = |character: char| !character.is_ascii() || character.is_ascii_control();
        let (capital, lower) = (value.to_ascii_uppercase(), value.to_ascii_lowercase());
        let mixed = capital.get(..1).zip(lower.get(1..));
        let mixed = mixed.map(|(start, rest)| format!("{start}{rest}"));
        let matches = |text: &str| self.patterns.iter().any(|pattern| pattern.is_match(text));
        Some(match value {
            _ if value.starts_with(['{', '[']) => ("is JSON", one),
            _ if value.contains([',', ';', '\t']) => ("holds a separator", one),
            _ if value.starts_with(['"', '\'']) => {
                ("is in quotation marks", "write it without them")
            }
            _ if number == 1 && !value.contains(|c: char| c.is_ascii_digit()) => {
                ("looks like a header", "remove the line")
            }
            _ if value.contains(odd) => (
                "holds a character that no value has, perhaps invisible",
                "write the value anew",
            ),
            _ if value.contains(' ') => ("holds a blank", one),
            _ if mixed.as_deref().is_some_and(matches) || matches(&lower) => {
                ("has letters of the wrong case", "write it as LINE gave it")
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Lines {
        let kind = LineKind {
            title: "a user ID".to_owned(),
            schema: "schemas/line/id.json#/$defs/user_id".to_owned(),
        };
        Lines {
            max: 2,
            kinds: vec![kind],
            chosen_by: None,
        }
    }

    #[test]
    fn more_lines_than_line_takes_are_refused() {
        let line = format!("U{}\n", "0".repeat(32));
        let blank_ones_count_not = format!("{line}\n{line}");
        assert!(
            check(
                "",
                blank_ones_count_not.as_bytes(),
                &rules(),
                None,
                &Schemas::default()
            )
            .is_ok()
        );
        let error = check(
            "",
            line.repeat(3).as_bytes(),
            &rules(),
            None,
            &Schemas::default(),
        )
        .unwrap_err();
        assert_eq!(error.details[0].message, "holds too many lines");
        assert_eq!(error.details[0].found.as_deref(), Some("3 lines"));
    }

    #[test]
    fn a_declaration_without_a_pattern_is_the_catalogs_fault() {
        let mut rules = rules();
        for kind in &mut rules.kinds {
            "schemas/line/id.json#/$defs/none".clone_into(&mut kind.schema);
        }
        let error = check("", b"U", &rules, None, &Schemas::default()).unwrap_err();
        assert_eq!(error.kind, Kind::InvalidCatalog);
    }
}

//! The list of people, row by row: a table as spreadsheets write it, or a JSON object a line. A row
//! that cannot be read is told apart from a list that cannot.

use std::cell::Cell;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use line_connector_client::regular;
use line_connector_core::digest::Sha256;
use serde_json::Value;

use crate::attributes::{Columns, Row};

/// How long one row may be, bytes. A quote that is never closed would take the rest of the list.
pub(crate) const MAX_ROW_BYTES: u64 = 1024 * 1024;

/// Where a list comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    StandardInput,
    File(PathBuf),
}

/// Opens standard input, which is the program's.
pub(crate) type Input = fn() -> Box<dyn Read>;

/// How much of a text that stands in a list is told.
const MAX_TOLD: usize = 80;

/// A text of the list's, as errors name it.
pub(crate) fn told(text: &str) -> String {
    let mut told: String = text.chars().take(MAX_TOLD).collect();
    if told.len() < text.len() {
        told.push('…');
    }
    told.replace(char::is_control, " ")
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    Csv { delimiter: u8 },
    Ndjson,
}

/// One row: its line in the list, and what it holds.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) line: u64,
    pub(crate) row: Result<Row, &'static str>,
}

/// A list that cannot be read to its end: its line, 0 for the list as a whole, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) line: u64,
    pub(crate) reason: String,
}

impl From<String> for Unreadable {
    fn from(reason: String) -> Self {
        Self { line: 0, reason }
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => formatter.write_str(&self.reason),
            line => write!(formatter, "line {line}: {}", self.reason),
        }
    }
}

/// What makes a list the same one: its length and digest. When it was changed only spares reading it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Fingerprint {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) changed_ms: Option<u64>,
}

/// A list under way.
pub(crate) struct List {
    rows: Rows,
    state: Rc<State>,
    watched: Option<(PathBuf, Metadata)>,
}

enum Rows {
    /// With the number of lines that the reader does not count.
    Csv(Arc<Columns>, Box<csv::Reader<Box<dyn Read>>>, u64),
    Ndjson(BufReader<Box<dyn Read>>, u64),
}

/// What passes by while a list is read.
#[derive(Default)]
struct State {
    digest: Cell<Sha256>,
    bytes: Cell<u64>,
    quotes: Cell<u64>,
    row_began: Cell<u64>,
}

/// Reads, counts and digests.
struct Watched<R> {
    inner: R,
    state: Rc<State>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let state = &self.state;
        if state.bytes.get().saturating_sub(state.row_began.get()) > MAX_ROW_BYTES {
            let reason = format!(
                "is longer than {MAX_ROW_BYTES} bytes; is a quotation mark open that is never closed?"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let count = self.inner.read(buffer)?;
        let mut digest = state.digest.take();
        digest.update(buffer.get(..count).unwrap_or_default());
        state.digest.set(digest);
        state.bytes.set(state.bytes.get() + count as u64);
        let read = buffer.get(..count).unwrap_or_default();
        let quotes = memchr::memchr_iter(b'"', read).count();
        state.quotes.set(state.quotes.get() + quotes as u64);
        Ok(count)
    }
}

impl List {
    /// Opens a list and reads its header, if it has one.
    pub(crate) fn open(
        place: &Place,
        notation: Notation,
        input: Input,
    ) -> Result<Self, Unreadable> {
        let (source, watched): (Box<dyn Read>, _) = match place {
            Place::StandardInput => (input(), None),
            Place::File(path) => {
                let file = open(path)?;
                let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
                // A pipe has no length and cannot be read again.
                let watched = metadata.is_file().then(|| (path.clone(), metadata));
                (Box::new(file), watched)
            }
        };
        Self::read(source, notation, watched)
    }

    fn read(
        source: Box<dyn Read>,
        notation: Notation,
        watched: Option<(PathBuf, Metadata)>,
    ) -> Result<Self, Unreadable> {
        let state = Rc::new(State::default());
        let source = Watched {
            inner: source,
            state: Rc::clone(&state),
        };
        let mut source = BufReader::with_capacity(64 * 1024, source);
        let start = source
            .fill_buf()
            .map_err(|error| Unreadable::from(format!("cannot be read: {error}")))?;
        if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
            let reason = "is UTF-16; save it as UTF-8 (in Excel: `CSV UTF-8`)";
            return Err(Unreadable::from(reason.to_owned()));
        }
        if start.starts_with(b"\xef\xbb\xbf") {
            source.consume(3);
        }
        let rows = match notation {
            Notation::Csv { delimiter } => {
                let told = told_delimiter(&mut source)?;
                // The reader counts a row's line before it skips what is left of `\r\n`.
                let start = source.buffer();
                let end = start.iter().position(|byte| *byte == b'\n');
                let ends_in_two = end
                    .is_some_and(|end| start.get(..end).is_some_and(|line| line.ends_with(b"\r")));
                let before = u64::from(told.is_some()) + u64::from(ends_in_two);
                csv_rows(Box::new(source), told.unwrap_or(delimiter), before)?
            }
            Notation::Ndjson => Rows::Ndjson(BufReader::new(Box::new(source)), 0),
        };
        Ok(Self {
            rows,
            state,
            watched,
        })
    }

    /// The columns of a table.
    pub(crate) fn columns(&self) -> Option<&[String]> {
        match &self.rows {
            Rows::Csv(columns, ..) => Some(columns.names()),
            Rows::Ndjson(..) => None,
        }
    }

    /// The next row; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, Unreadable> {
        self.state.row_began.set(self.state.bytes.get());
        match &mut self.rows {
            Rows::Csv(columns, reader, before) => {
                let mut record = csv::StringRecord::new();
                let more = reader
                    .read_record(&mut record)
                    .map_err(|error| csv_error(&error, *before))?;
                if !more {
                    return Ok(None);
                }
                let line = record.position().map_or(0, csv::Position::line) + *before;
                let surplus = record.iter().skip(columns.names().len());
                let row = if surplus.into_iter().any(|cell| !cell.is_empty()) {
                    Err("malformed_row: more cells than columns")
                } else {
                    Ok(Row::Cells(Arc::clone(columns), record))
                };
                Ok(Some(Entry { line, row }))
            }
            Rows::Ndjson(reader, line) => loop {
                let mut text = Vec::new();
                let count = reader
                    .read_until(b'\n', &mut text)
                    .map_err(|error| Unreadable {
                        line: *line + 1,
                        reason: error.to_string(),
                    })?;
                if count == 0 {
                    return Ok(None);
                }
                *line += 1;
                if text.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let row = match serde_json::from_slice(&text) {
                    Ok(Value::Object(members)) => Ok(Row::Members(members)),
                    Ok(_) => Err("malformed_row: no JSON object"),
                    Err(_) => Err("malformed_row: no JSON"),
                };
                return Ok(Some(Entry { line: *line, row }));
            },
        }
    }

    /// What was read.
    ///
    /// # Errors
    ///
    /// That the file was changed meanwhile, or that its last row may be many.
    pub(crate) fn finish(self) -> Result<Fingerprint, Unreadable> {
        if matches!(self.rows, Rows::Csv(..)) && self.state.quotes.get() % 2 == 1 {
            let reason = "has an odd number of quotation marks: one is open that is never closed and takes the rows after it into its cell, or stands in a cell without being doubled";
            return Err(Unreadable::from(reason.to_owned()));
        }
        let changed = self.watched.as_ref().map(|(path, before)| {
            let after = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
            let same = before.len() == after.len()
                && before.modified().ok() == after.modified().ok()
                && before.len() == self.state.bytes.get();
            if same {
                Ok(changed_ms(before))
            } else {
                let reason = format!(
                    "{} was changed while it was read; plan again",
                    path.display()
                );
                Err(Unreadable::from(reason))
            }
        });
        Ok(Fingerprint {
            bytes: self.state.bytes.get(),
            sha256: self.state.digest.take().hex(),
            changed_ms: changed.transpose()?.flatten(),
        })
    }
}

/// Whether a file is still the one that was read.
pub(crate) fn is_same(path: &Path, known: &Fingerprint) -> Result<bool, Unreadable> {
    let mut file = open(path)?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if metadata.len() != known.bytes {
        return Ok(false);
    }
    if known.changed_ms.is_some() && changed_ms(&metadata) == known.changed_ms {
        return Ok(true);
    }
    let mut digest = Sha256::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file
            .read(&mut buffer)
            .map_err(|error| unreadable(path, &error))?;
        if count == 0 {
            return Ok(digest.hex() == known.sha256);
        }
        digest.update(buffer.get(..count).unwrap_or_default());
    }
}

fn open(path: &Path) -> Result<File, Unreadable> {
    regular::open(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> Unreadable {
    Unreadable::from(format!("{} cannot be read: {error}", path.display()))
}

fn changed_ms(metadata: &Metadata) -> Option<u64> {
    let changed = metadata.modified().ok()?;
    let since = changed.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// Some spreadsheets say the delimiter in a line of its own before the header: `sep=;`.
fn told_delimiter(source: &mut impl BufRead) -> Result<Option<u8>, Unreadable> {
    let start = source
        .fill_buf()
        .map_err(|error| Unreadable::from(format!("cannot be read: {error}")))?;
    let Some(rest) = start.strip_prefix(b"sep=") else {
        return Ok(None);
    };
    let (delimiter, ending) = match rest {
        [delimiter, b'\r', b'\n', ..] => (*delimiter, 2),
        [delimiter, b'\n', ..] => (*delimiter, 1),
        _ => return Ok(None),
    };
    source.consume("sep=".len() + 1 + ending);
    Ok(Some(delimiter))
}

fn csv_rows(source: Box<dyn Read>, delimiter: u8, before: u64) -> Result<Rows, Unreadable> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(source);
    let header = reader
        .headers()
        .map_err(|error| csv_error(&error, before))?;
    let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    if names.iter().all(String::is_empty) {
        return Err(Unreadable::from("has no header line".to_owned()));
    }
    if let [only] = names.as_slice()
        && let Some(other) = [";", "\t", ",", "|"]
            .into_iter()
            .find(|other| only.contains(other))
    {
        let shown = if other == "\t" { "\\t" } else { other };
        return Err(Unreadable {
            line: 1,
            reason: format!(
                "the header has one column, `{}`; if `{shown}` stands between the cells, set `recipients.delimiter` to \"{shown}\"",
                told(only)
            ),
        });
    }
    let columns = Columns::new(names).map_err(|name| Unreadable {
        line: 1,
        reason: format!("two columns are called `{}`", told(&name)),
    })?;
    Ok(Rows::Csv(Arc::new(columns), Box::new(reader), before))
}

fn csv_error(error: &csv::Error, before: u64) -> Unreadable {
    let line = error
        .position()
        .map_or(0, |position| position.line() + before);
    let reason = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => {
            "is not UTF-8; save the list as UTF-8 (in Excel: `CSV UTF-8`)".to_owned()
        }
        csv::ErrorKind::Io(error) => error.to_string(),
        _ => error.to_string(),
    };
    Unreadable { line, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::Attributes;

    fn csv_list(text: &'static [u8]) -> Result<List, Unreadable> {
        List::read(Box::new(text), Notation::Csv { delimiter: b',' }, None)
    }

    /// What stands under a name in each row, and the lines.
    fn column(mut list: List, name: &str) -> Vec<(u64, Option<String>)> {
        let mut found = Vec::new();
        while let Some(entry) = list.next().unwrap() {
            let row = entry.row.map(Attributes::new);
            found.push((entry.line, row.ok().and_then(|row| row.text(name))));
        }
        found
    }

    #[test]
    fn tables_as_spreadsheets_write_them() {
        let plain = b"line_id,name\nU1,Ann\nU2,\n";
        let windows = b"\xef\xbb\xbfline_id,\"name\"\r\nU1,\"Ann\"\r\nU2,\"\"\r\n";
        let told = b"sep=;\r\nline_id;name\r\nU1;Ann\r\nU2\r\n";
        for (text, first) in [(&plain[..], 2), (&windows[..], 2), (&told[..], 3)] {
            let rows = column(csv_list(text).unwrap(), "name");
            assert_eq!(rows, [(first, Some("Ann".to_owned())), (first + 1, None)]);
        }
        let quoted = b"line_id,name\nU1,\"a, \"\"b\"\"\nc\"\nU2,d\n";
        let rows = column(csv_list(quoted).unwrap(), "name");
        assert_eq!(
            rows,
            [
                (2, Some("a, \"b\"\nc".to_owned())),
                (4, Some("d".to_owned()))
            ]
        );
    }

    #[test]
    fn a_row_with_more_cells_than_columns_is_counted_and_the_rest_goes_on() {
        let rows = column(csv_list(b"id,name\nU1,a,b\nU2,c,,\n").unwrap(), "id");
        assert_eq!(rows, [(2, None), (3, Some("U2".to_owned()))]);
    }

    #[test]
    fn a_list_that_cannot_be_read_says_why() {
        let told = |text: &'static [u8]| {
            let mut list = csv_list(text).map_err(|error| error.to_string())?;
            while list.next().map_err(|error| error.to_string())?.is_some() {}
            Ok::<_, String>(())
        };
        for (text, why) in [
            (&b""[..], "has no header line"),
            (b"id;name\nU1;a\n", "recipients.delimiter"),
            (b"id,id\nU1,a\n", "two columns are called `id`"),
            (b"\xff\xfei\0d\0", "is UTF-16"),
            (b"id,name\nU1,\x82\xa0\n", "line 2: is not UTF-8"),
        ] {
            let error = told(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_quotation_mark_that_is_never_closed_does_not_take_the_memory() {
        struct Endless(bool);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    buffer.fill(b'a');
                    return Ok(buffer.len());
                }
                let start = b"id,name\nU1,\"";
                buffer[..start.len()].copy_from_slice(start);
                Ok(start.len())
            }
        }
        let notation = Notation::Csv { delimiter: b',' };
        let mut list = List::read(Box::new(Endless(false)), notation, None).unwrap();
        let error = list.next().unwrap_err();
        assert!(error.reason.contains("never closed"), "{error}");
        let mut list = List::read(Box::new(Endless(true)), Notation::Ndjson, None).unwrap();
        assert!(list.next().is_err());
    }

    #[test]
    fn a_quotation_mark_that_takes_the_last_rows_into_its_cell_is_told() {
        let read = |text: &'static [u8]| {
            let mut list = csv_list(text).unwrap();
            while list.next().unwrap().is_some() {}
            list.finish()
        };
        let error = read(b"id,name\nU1,\"a\nU2,b\n").unwrap_err();
        assert!(error.reason.contains("never closed"), "{error}");
        assert!(read(b"id,name\nU1,\"a \"\"b\"\"\"\nU2,b\n").is_ok());
    }

    #[test]
    fn json_lines_may_be_blank_or_broken() {
        let text = b"{\"id\": \"U1\"}\n\n[1]\n{\"id\": 2}";
        let list = List::read(Box::new(&text[..]), Notation::Ndjson, None).unwrap();
        let rows = column(list, "id");
        assert_eq!(
            rows,
            [
                (1, Some("U1".to_owned())),
                (3, None),
                (4, Some("2".to_owned()))
            ]
        );
    }

    #[test]
    fn a_file_that_changes_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.csv");
        std::fs::write(&path, "id\nU1\n").unwrap();
        let place = Place::File(path.clone());
        let notation = Notation::Csv { delimiter: b',' };
        let mut list = List::open(&place, notation, || Box::new(io::empty())).unwrap();
        while list.next().unwrap().is_some() {}
        let known = list.finish().unwrap();
        assert_eq!(is_same(&path, &known), Ok(true));
        std::fs::write(&path, "id\nU2\n").unwrap();
        let other = Fingerprint {
            changed_ms: None,
            ..known
        };
        assert_eq!(is_same(&path, &other), Ok(false));
        let mut list = List::open(&place, notation, || Box::new(io::empty())).unwrap();
        list.next().unwrap();
        std::fs::write(&path, "id\nU2\nU3\n").unwrap();
        assert!(
            list.finish()
                .unwrap_err()
                .reason
                .contains("changed while it was read")
        );
    }
}

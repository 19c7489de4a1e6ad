//! Texts for people in the columns of a terminal that nobody has widened. It knows no document.

use std::fmt::Write as _;

/// How wide a text gets.
pub(crate) const COLUMNS: usize = 80;

/// At most so many characters, the last of them `…` where there were more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// The words of a text in lines of at most so many characters; a longer word has a line of its own.
pub(crate) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut room = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        match lines.last_mut() {
            Some(line) if length < room => {
                line.push(' ');
                line.push_str(word);
                room -= length + 1;
            }
            _ => {
                lines.push(word.to_owned());
                room = most.saturating_sub(length);
            }
        }
    }
    lines
}

/// A text in wrapped lines, so many spaces before each.
pub(crate) fn indented(text: &str, by: usize) -> String {
    let lines = wrapped(text, COLUMNS.saturating_sub(by));
    let lines = lines.iter().map(|line| format!("{:by$}{line}\n", ""));
    lines.collect()
}

/// Rows of cells in columns; the last column takes what the others leave, and goes on below itself.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    const BETWEEN: usize = 2;
    const INDENT: usize = 2;
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let (_, first) = widths.split_last().unwrap_or((&0, &[]));
    let before: usize = INDENT + first.iter().map(|width| width + BETWEEN).sum::<usize>();
    let room = COLUMNS.saturating_sub(before).max(24);
    let mut text = String::new();
    for row in rows {
        let Some((last, cells)) = row.split_last() else {
            continue;
        };
        let mut line = " ".repeat(INDENT);
        for (cell, width) in cells.iter().zip(first) {
            let _ = write!(line, "{cell:width$}{:BETWEEN$}", "");
        }
        let mut lines = wrapped(last, room).into_iter();
        line.push_str(&lines.next().unwrap_or_default());
        text.push_str(line.trim_end());
        text.push('\n');
        for more in lines {
            let _ = writeln!(text, "{:before$}{more}", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_wider_than_asked() {
        assert_eq!(wrapped("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrapped("aa bbbbbbbb c", 5), ["aa", "bbbbbbbb", "c"]);
        assert_eq!(wrapped(" \n", 5), [""; 0]);
        assert_eq!(
            (cut("abcd", 4), cut("abcde", 4)),
            ("abcd".to_owned(), "abc…".to_owned())
        );
        let long = "word ".repeat(40);
        let rows = [
            ["to".to_owned(), "string".to_owned(), long.clone()],
            ["a".to_owned(), String::new(), "é".to_owned()],
        ];
        let text = table(&rows) + &indented(&long, 4);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS));
        assert!(text.starts_with("  to  string  word word"));
        assert!(text.contains("\n  a           é\n"));
    }
}

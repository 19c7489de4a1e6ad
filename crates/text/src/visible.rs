//! Makes visible what a text hides from whoever reads it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A text in which the characters that nobody sees, that command a terminal, or that turn the direction of
/// writing are escaped, as in a string of JSON: JSON stays JSON. Line ends and tabs stay, and so does what
/// joins the parts of an emoji or chooses its form.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\r' => escaped.push_str("\\r"),
            _ if is_hidden(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
            _ => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

/// Unicode's `Default_Ignorable_Code_Point`, but for joiners and the variation selectors of emojis; the
/// separators of lines and paragraphs; controls.
fn is_hidden(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::visible;

    #[test]
    fn what_hides_is_escaped_and_what_people_write_stays() {
        for (text, seen) in [
            ("Grüße 山\n\tسلام שלום", "Grüße 山\n\tسلام שלום"),
            (
                "👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}",
                "👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}",
            ),
            ("pay\u{202e}live\u{2066}", "pay\\u202elive\\u2066"),
            ("a\u{200b}b\u{feff}c\u{ad}", "a\\u200bb\\ufeffc\\u00ad"),
            ("\u{e0041}\u{3164}", "\\udb40\\udc41\\u3164"),
            ("\u{1b}[2J\r\u{2028}", "\\u001b[2J\\r\\u2028"),
        ] {
            assert_eq!(visible(text), seen);
        }
        let document = json!({"name": "\u{9b}2J\u{202e}\u{7f}\u{1b}\u{e0041}"});
        let read: Value = serde_json::from_str(&visible(&document.to_string())).unwrap();
        assert_eq!(read, document);
    }
}

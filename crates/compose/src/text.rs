//! Texts as LINE's text messages: emoji become substitutions, and what is too long for one message
//! becomes several, which together are the text.

use line_connector_text::length::utf16;
use serde_json::{Map, Value, json};
use unicode_segmentation::UnicodeSegmentation;

use crate::emoji::{self, LineEmoji, STAND_IN, Token};
use crate::flex;
use crate::options::{Emoji, Options, Split};
use crate::report::{Code, Place, Problem, Report, What};

/// The most that a text message may have, UTF-16 units.
const MAX_TEXT: usize = 5000;

/// The most LINE emoji in a text message.
const MAX_EMOJI: usize = 20;

/// What a LINE emoji is counted as, UTF-16 units: LINE counts its alternative text, which it does not
/// disclose.
const EMOJI_UNITS: usize = 20;

/// The longest name between braces that is kept in one piece.
const MAX_NAME: usize = 20;

/// How far back a border's kind is looked for, atoms.
const LOOK_BACK: usize = 32;

/// What is never cut: a grapheme cluster, a LINE emoji, a URL, a name in braces.
#[derive(Debug, Clone, Copy)]
struct Atom<'a> {
    source: &'a str,
    is_emoji: bool,
}

/// What atoms add up to.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// UTF-16 units as `text`.
    plain: usize,
    /// UTF-16 units as `textV2`, where braces are doubled.
    written: usize,
    emoji: usize,
}

impl Size {
    fn with(self, atom: &Atom<'_>) -> Self {
        let units = utf16(atom.source);
        if atom.is_emoji {
            let emoji = self.emoji + 1;
            let written = self.written + EMOJI_UNITS;
            return Self {
                written,
                emoji,
                ..self
            };
        }
        let braces = atom
            .source
            .bytes()
            .filter(|byte| matches!(byte, b'{' | b'}'))
            .count();
        Self {
            plain: self.plain + units,
            written: self.written + units + braces,
            emoji: self.emoji,
        }
    }

    /// How long it is as the message that it becomes.
    fn units(self) -> usize {
        if self.emoji == 0 {
            self.plain
        } else {
            self.written
        }
    }

    fn fits(self) -> bool {
        self.units() <= MAX_TEXT && self.emoji <= MAX_EMOJI
    }
}

/// The text messages that a text becomes: at least one, or a problem.
pub(crate) fn messages(
    text: &str,
    place: &Place,
    options: &Options,
    report: &mut Report,
) -> Vec<Value> {
    if text.trim().is_empty() {
        let problem = Problem::new(place, "is blank");
        report.refuse(problem.expected("a text with something to see"));
        return Vec::new();
    }
    // Most texts are short and plain.
    if text.len() <= MAX_TEXT && !text.contains('[') {
        return vec![flex::object([
            ("type", "text".into()),
            ("text", text.into()),
        ])];
    }
    let mut atoms = atoms(text, options.emoji);
    if options.split == Split::Never {
        limit_emoji(&mut atoms, place, report);
    }
    let size = atoms.iter().fold(Size::default(), Size::with);
    if size.fits() {
        return vec![message(&atoms)];
    }
    let (limit, found) = if size.emoji > MAX_EMOJI {
        (MAX_EMOJI, size.emoji)
    } else {
        (MAX_TEXT, size.units())
    };
    if options.split == Split::Never {
        let problem = Problem::new(place, "is too long for one message, and `split` is `never`");
        report.refuse(
            problem
                .code(Code::MessageSplitRequired)
                .expected(format!("at most {MAX_TEXT} UTF-16 units"))
                .found(format!("{found} UTF-16 units"))
                .hint("shorten it, or leave `split` out"),
        );
        return Vec::new();
    }
    let parts: Vec<Value> = parts(&atoms).into_iter().map(message).collect();
    let what = if limit == MAX_EMOJI {
        "LINE emoji"
    } else {
        "UTF-16 units"
    };
    let explanation = format!("is {} messages: one takes {limit} {what}", parts.len());
    report.exceeded(place, What::Split, (limit, found), explanation);
    parts
}

/// Emoji beyond the 20th become words.
fn limit_emoji(atoms: &mut [Atom<'_>], place: &Place, report: &mut Report) {
    let emoji = atoms.iter_mut().filter(|atom| atom.is_emoji);
    let mut beyond = 0;
    for atom in emoji.skip(MAX_EMOJI) {
        *atom = Atom {
            source: STAND_IN,
            is_emoji: false,
        };
        beyond += 1;
    }
    if beyond > 0 {
        let message = format!("its last {beyond} LINE emoji became `{STAND_IN}`");
        report.exceeded(
            place,
            What::Dropped,
            (MAX_EMOJI, MAX_EMOJI + beyond),
            message,
        );
    }
}

fn atoms(text: &str, emoji: Emoji) -> Vec<Atom<'_>> {
    let mut found = Vec::new();
    for token in emoji::tokens(text) {
        match token {
            Token::Emoji(source, _) => {
                found.push(Atom {
                    source,
                    is_emoji: emoji == Emoji::On,
                });
            }
            Token::Text(text) => add_text(text, &mut found),
        }
    }
    found
}

fn add_text<'a>(text: &'a str, found: &mut Vec<Atom<'a>>) {
    let mut rest = text;
    while let Some((start, end)) = next_whole(rest) {
        let (before, after) = rest.split_at(end);
        let (before, whole) = before.split_at(start);
        add_graphemes(before, found);
        if utf16(whole) > MAX_TEXT {
            add_graphemes(whole, found);
        } else {
            found.push(Atom {
                source: whole,
                is_emoji: false,
            });
        }
        rest = after;
    }
    add_graphemes(rest, found);
}

fn add_graphemes<'a>(text: &'a str, found: &mut Vec<Atom<'a>>) {
    for grapheme in text.graphemes(true) {
        if grapheme.len() <= MAX_TEXT {
            found.push(Atom {
                source: grapheme,
                is_emoji: false,
            });
        } else {
            // A letter under thousands of accents.
            let characters = grapheme.char_indices().filter_map(|(at, character)| {
                let source = grapheme.get(at..at + character.len_utf8())?;
                Some(Atom {
                    source,
                    is_emoji: false,
                })
            });
            found.extend(characters);
        }
    }
}

/// Where the next URL or name in braces begins and ends.
fn next_whole(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find(['h', '{'])?;
        let rest = text.get(at..)?;
        let length = if rest.starts_with("https://") || rest.starts_with("http://") {
            let ends = |character: char| {
                !character.is_ascii_graphic() || "<>\"{}|\\^`".contains(character)
            };
            rest.find(ends).unwrap_or(rest.len())
        } else {
            rest.strip_prefix('{').map_or(0, name_in_braces)
        };
        if length > 0 {
            let end = at + length;
            // What attaches to the last character, such as an accent, stays with it.
            let attached = text.get(end..).and_then(|rest| rest.chars().next());
            let border = attached.is_none_or(|next| next.is_ascii() || !attaches(next));
            if border {
                return Some((at, end));
            }
        }
        from = at + 1;
    }
}

/// Whether a character forms one grapheme cluster with a letter before it.
fn attaches(character: char) -> bool {
    let mut pair = String::from("a");
    pair.push(character);
    pair.graphemes(true).count() == 1
}

/// The length of `{name}`, given what follows the brace; 0 if it is none.
fn name_in_braces(rest: &str) -> usize {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = rest.bytes().take_while(is_word).count();
    let closed = rest.as_bytes().get(length) == Some(&b'}');
    if closed && (1..=MAX_NAME).contains(&length) {
        length + 2
    } else {
        0
    }
}

/// The atoms of each message.
fn parts<'b, 'a>(atoms: &'b [Atom<'a>]) -> Vec<&'b [Atom<'a>]> {
    let mut found = Vec::new();
    let mut rest = atoms;
    while !rest.is_empty() {
        let mut size = Size::default();
        let fitting = rest.iter().take_while(|atom| {
            size = size.with(atom);
            size.fits()
        });
        // Every atom fits by itself.
        let most = fitting.count().max(1);
        let end = if most == rest.len() {
            most
        } else {
            best_end(rest, most)
        };
        let (part, after) = rest.split_at(end);
        found.push(part);
        rest = after;
    }
    found
}

/// Where to cut: a border of the strongest kind within the first `most` atoms, the last of its kind.
fn best_end(atoms: &[Atom<'_>], most: usize) -> usize {
    let mut best = (Border::Grapheme, most);
    for end in (1..=most).rev() {
        let border = border(atoms, end);
        if border > best.0 {
            best = (border, end);
        }
        if best.0 == Border::BlankLine {
            break;
        }
    }
    best.1
}

/// The kinds of borders, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Border {
    Grapheme,
    Space,
    Sentence,
    Line,
    BlankLine,
}

/// The kind of border before the atom at `end`.
fn border(atoms: &[Atom<'_>], end: usize) -> Border {
    let before = atoms.get(..end).unwrap_or_default();
    let before = before
        .get(end.saturating_sub(LOOK_BACK)..)
        .unwrap_or_default();
    let Some((last, earlier)) = before.split_last() else {
        return Border::Grapheme;
    };
    let is_space = |atom: &Atom<'_>| atom.source.chars().all(char::is_whitespace);
    // White space stays with what it follows.
    let next_is_space = atoms.get(end).is_some_and(is_space);
    let character = last.source.chars().next_back().unwrap_or_default();
    if character == '\n' {
        let line = earlier
            .iter()
            .rev()
            .find(|atom| !matches!(atom.source, " " | "\t"));
        let blank = line.is_some_and(|atom| atom.source.ends_with('\n'));
        let more = atoms
            .get(end)
            .is_some_and(|next| next.source.ends_with('\n'));
        return if blank && !more {
            Border::BlankLine
        } else {
            Border::Line
        };
    }
    if next_is_space {
        return Border::Grapheme;
    }
    if is_space(last) {
        let word = earlier.iter().rev().find(|atom| !is_space(atom));
        let ends = word.is_some_and(|atom| matches!(atom.source, "." | "!" | "?" | "…"));
        return if ends {
            Border::Sentence
        } else {
            Border::Space
        };
    }
    // Scripts without spaces: the sentence ends behind its mark and the quotes that close it.
    let closing = |atom: &Atom<'_>| matches!(atom.source, "」" | "』" | "）" | "】");
    let is_mark = |atom: &Atom<'_>| matches!(atom.source, "。" | "！" | "？" | "｡");
    let mark = before.iter().rev().find(|atom| !closing(atom));
    let more = atoms
        .get(end)
        .is_some_and(|next| closing(next) || is_mark(next));
    if mark.is_some_and(is_mark) && !more {
        Border::Sentence
    } else {
        Border::Grapheme
    }
}

/// One text message.
fn message(atoms: &[Atom<'_>]) -> Value {
    if atoms.iter().all(|atom| !atom.is_emoji) {
        let text: String = atoms.iter().map(|atom| atom.source).collect();
        return flex::object([("type", "text".into()), ("text", text.into())]);
    }
    let mut text = String::new();
    let mut substitution = Map::new();
    for atom in atoms {
        if atom.is_emoji
            && let Some((_, LineEmoji { product, id })) = emoji::leading(atom.source)
        {
            let name = format!("e{}", substitution.len() + 1);
            text.push('{');
            text.push_str(&name);
            text.push('}');
            let emoji = json!({"type": "emoji", "productId": product, "emojiId": id});
            substitution.insert(name, emoji);
            continue;
        }
        for character in atom.source.chars() {
            text.push(character);
            if matches!(character, '{' | '}') {
                text.push(character);
            }
        }
    }
    json!({"type": "textV2", "text": text, "substitution": substitution})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        let atoms = atoms(text, Emoji::On);
        let parts = parts(&atoms);
        let text_of = |part: &[Atom<'_>]| part.iter().map(|atom| atom.source).collect();
        parts.into_iter().map(text_of).collect()
    }

    #[test]
    fn texts_are_cut_at_the_strongest_border() {
        let words = "word ".repeat(900);
        for (text, first) in [
            (format!("{words}\n\nnext\n{words}"), format!("{words}\n\n")),
            (format!("{words}\nnext {words}"), format!("{words}\n")),
            (format!("{words}end. next {words}"), format!("{words}end. ")),
            (format!("{words}{}", "x".repeat(900)), words.clone()),
            (
                "海。「海。」".repeat(900),
                "海。「海。」".repeat(833) + "海。",
            ),
            ("x".repeat(6000), "x".repeat(5000)),
            (format!("{}👨‍👩‍👧‍👦", "x".repeat(4995)), "x".repeat(4995)),
        ] {
            let parts = split(&text);
            assert_eq!(parts.concat(), text);
            assert_eq!(parts[0], first);
        }
    }

    #[test]
    fn what_belongs_together_is_never_cut() {
        let filling = "x".repeat(4980);
        for whole in [
            "https://example.com/a/long/path?and=query",
            "{the_name_of_a_field}",
            "[emoji:5ac21a8c040ab15980c9b43f:001]",
        ] {
            let text = format!("{filling}{whole}{whole}y");
            let parts = split(&text);
            assert_eq!(parts.concat(), text);
            for part in parts {
                let pieces = part.matches(whole).count();
                let rest = part.replace(whole, "");
                assert!(
                    rest.is_empty() || rest.chars().all(|c| c == 'x' || c == 'y'),
                    "{pieces} {rest}"
                );
            }
        }
    }

    #[test]
    fn a_letter_under_thousands_of_accents_is_cut_between_them() {
        let text = format!("a{}", "\u{301}".repeat(6000));
        let parts = split(&text);
        assert_eq!(parts.concat(), text);
        assert_eq!(parts.len(), 2);
    }
}

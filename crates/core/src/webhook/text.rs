//! A text with its LINE emoji written as `[emoji:PRODUCT:ID]` and its mentions as spans of that
//! text. LINE counts places in UTF-16 code units, and so do we.

use std::borrow::Cow;

use super::event::{Emoji, Mention, Message, Span};
use super::lenient::Object;
use super::wire;

/// Puts the text, its emoji and its mentions into a message.
pub(super) fn fill<'a>(message: &mut Message<'a>, line: &wire::Message<'a>) {
    let Some(literal) = line.text.get() else {
        return;
    };
    let emojis = &line.emojis.0;
    let mentionees = &line.mention.0.mentionees.0;
    if emojis.is_empty() && mentionees.is_empty() {
        message.text = Some(literal);
        return;
    }
    let ruler = Ruler::new(&literal);
    let found = placed(emojis, &ruler);
    let (text, shifts) = rewritten(&literal, &found, &ruler);
    message.emojis = spans(found, &shifts);
    let ruler = Ruler::new(&text);
    message.mentions = mentionees
        .iter()
        .map(|one| mention(&one.0, &shifts, &ruler))
        .collect();
    if message.emojis.is_empty() {
        message.text = Some(literal);
    } else {
        message.text = Some(Cow::Owned(text));
        message.literal_text = Some(literal);
    }
}

/// Finds the bytes of a text by places in UTF-16 code units.
struct Ruler<'t> {
    text: &'t str,
    /// For each unit, and for the end, the byte at which its character begins; `None` within one.
    bytes: Vec<Option<usize>>,
}

impl<'t> Ruler<'t> {
    fn new(text: &'t str) -> Self {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        for (at, character) in text.char_indices() {
            bytes.push(Some(at));
            bytes.extend((1..character.len_utf16()).map(|_| None));
        }
        bytes.push(Some(text.len()));
        Self { text, bytes }
    }

    /// The text between two places; `None` where one of them is outside, or within a character.
    fn slice(&self, span: Span) -> Option<&'t str> {
        let start = (*self.bytes.get(span.start)?)?;
        let end = (*self.bytes.get(span.end)?)?;
        self.text.get(start..end)
    }
}

/// Where LINE says that something stands.
fn span(index: super::Text<'_>, length: super::Text<'_>) -> Option<Span> {
    let start = usize::try_from(index.count()?).ok()?;
    let length = usize::try_from(length.count()?).ok()?;
    let end = start.checked_add(length)?;
    (length > 0).then_some(Span { start, end })
}

/// The emoji that stand in the text, in order. One that leads outside or into another is left out.
fn placed<'a>(emojis: &[Object<wire::Emoji<'a>>], ruler: &Ruler<'_>) -> Vec<Emoji<'a>> {
    let read = |emoji: &wire::Emoji<'a>| {
        let span = span(emoji.index, emoji.length)?;
        ruler.slice(span)?;
        Some(Emoji {
            span,
            product_id: emoji.product_id.filled()?,
            emoji_id: emoji.emoji_id.filled()?,
        })
    };
    let mut found: Vec<Emoji<'a>> = emojis.iter().filter_map(|one| read(&one.0)).collect();
    found.sort_by_key(|emoji| emoji.span.start);
    let mut end = 0;
    found.retain(|emoji| {
        let free = emoji.span.start >= end;
        if free {
            end = emoji.span.end;
        }
        free
    });
    found
}

/// Where an emoji stood in LINE's text, and where its markup stands in ours.
struct Shift {
    was: Span,
    is: Span,
}

/// The text with markup for its emoji.
fn rewritten(literal: &str, emojis: &[Emoji<'_>], ruler: &Ruler<'_>) -> (String, Vec<Shift>) {
    let mut text = String::with_capacity(literal.len() + emojis.len() * 40);
    let mut shifts: Vec<Shift> = Vec::with_capacity(emojis.len());
    let mut copied = 0;
    for Emoji {
        span,
        product_id,
        emoji_id,
    } in emojis
    {
        let before = Span {
            start: copied,
            end: span.start,
        };
        text.push_str(ruler.slice(before).unwrap_or_default());
        copied = span.end;
        let markup = format!("[emoji:{product_id}:{emoji_id}]");
        let start = moved(span.start, &shifts).unwrap_or(span.start);
        let end = start + markup.encode_utf16().count();
        text.push_str(&markup);
        let is = Span { start, end };
        shifts.push(Shift { was: *span, is });
    }
    let rest = Span {
        start: copied,
        end: ruler.bytes.len() - 1,
    };
    text.push_str(ruler.slice(rest).unwrap_or_default());
    (text, shifts)
}

/// Where a place of LINE's text is in ours; `None` within an emoji.
fn moved(place: usize, shifts: &[Shift]) -> Option<usize> {
    let passed = shifts.partition_point(|shift| shift.was.end <= place);
    if shifts
        .get(passed)
        .is_some_and(|next| next.was.start < place)
    {
        return None;
    }
    let last = passed.checked_sub(1).and_then(|last| shifts.get(last));
    Some(last.map_or(place, |shift| place - shift.was.end + shift.is.end))
}

fn spans<'a>(mut emojis: Vec<Emoji<'a>>, shifts: &[Shift]) -> Vec<Emoji<'a>> {
    for (emoji, shift) in emojis.iter_mut().zip(shifts) {
        emoji.span = shift.is;
    }
    emojis
}

fn mention<'a>(line: &wire::Mentionee<'a>, shifts: &[Shift], ruler: &Ruler<'_>) -> Mention<'a> {
    let place = || {
        let was = span(line.index, line.length)?;
        let start = moved(was.start, shifts)?;
        let end = moved(was.end, shifts)?;
        let is = Span { start, end };
        Some((is, ruler.slice(is)?.to_owned()))
    };
    let place = place();
    Mention {
        kind: line.r#type.filled(),
        user_id: line.user_id.filled(),
        is_self: line.is_self.flag(),
        span: place.as_ref().map(|(span, _)| *span),
        text: place.map(|(_, text)| text),
    }
}

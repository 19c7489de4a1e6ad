//! LINE emoji as people write them, `[emoji:PRODUCT:ID]`, in both directions. What is not exactly of this
//! form is text.

use std::borrow::Cow;

use serde_json::Value;

/// How a shorthand begins.
const OPENING: &str = "[emoji:";

/// Digits of a product ID.
const PRODUCT: usize = 24;

/// What stands where LINE has no emoji and nothing else would be left.
pub(crate) const STAND_IN: &str = "(emoji)";

/// A LINE emoji.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineEmoji<'a> {
    /// The set that it belongs to.
    pub(crate) product: &'a str,
    /// Which of the set.
    pub(crate) id: &'a str,
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Text(&'a str),
    /// A shorthand: as it is written, and what it means.
    Emoji(&'a str, LineEmoji<'a>),
}

/// The pieces of a text, in order; together they are the text.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut from) = (text, 0);
    while let Some(at) = rest.get(from..).and_then(|text| text.find(OPENING)) {
        let at = from + at;
        let Some((written, emoji)) = rest.get(at..).and_then(leading) else {
            from = at + OPENING.len();
            continue;
        };
        let (before, after) = rest.split_at(at);
        if !before.is_empty() {
            found.push(Token::Text(before));
        }
        found.push(Token::Emoji(written, emoji));
        rest = after.get(written.len()..).unwrap_or_default();
        from = 0;
    }
    if !rest.is_empty() {
        found.push(Token::Text(rest));
    }
    found
}

/// The shorthand that a text begins with.
pub(crate) fn leading(text: &str) -> Option<(&str, LineEmoji<'_>)> {
    let (product, rest) = text.strip_prefix(OPENING)?.split_at_checked(PRODUCT)?;
    let rest = rest.strip_prefix(':')?;
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let (id, rest) = rest.split_at(rest.bytes().take_while(is_word).count());
    let valid = product.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !id.is_empty()
        && rest.starts_with(']');
    let written = text.get(..OPENING.len() + product.len() + 1 + id.len() + 1)?;
    valid.then_some((written, LineEmoji { product, id }))
}

/// The text without its emoji, for places where LINE has none.
pub(crate) fn without(text: &str) -> Cow<'_, str> {
    if !text.contains(OPENING) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for token in tokens(text) {
        if let Token::Text(part) = token {
            // An emoji between two spaces leaves one.
            let double = plain.ends_with(' ') && part.starts_with(' ');
            plain.push_str(if double {
                part.trim_start_matches(' ')
            } else {
                part
            });
        }
    }
    let plain = plain.trim();
    Cow::Owned(if plain.is_empty() { STAND_IN } else { plain }.to_owned())
}

/// The text of a LINE text message with its emoji as `[emoji:PRODUCT:ID]`: of `text` with `emojis`, of
/// `textV2` with `substitution` (`{{` and `}}` become braces, places of mentions stay as they are).
/// `None` for any other message. What is composed from the result shows the same.
///
/// ```
/// let sent = serde_json::json!({"type": "textV2", "text": "Hi {e1} {{x}}", "substitution":
///     {"e1": {"type": "emoji", "productId": "5ac21a8c040ab15980c9b43f", "emojiId": "001"}}});
/// let written = line_connector_compose::shorthand(&sent);
/// assert_eq!(written.as_deref(), Some("Hi [emoji:5ac21a8c040ab15980c9b43f:001] {x}"));
/// ```
#[must_use]
pub fn shorthand(message: &Value) -> Option<String> {
    let text = message.get("text")?.as_str()?;
    match message.get("type")?.as_str()? {
        "text" => Some(with_emojis(text, message.get("emojis"))),
        "textV2" => Some(with_substitutions(text, message.get("substitution"))),
        _ => None,
    }
}

fn written(emoji: &Value) -> Option<String> {
    let part = |name: &str| emoji.get(name)?.as_str();
    Some(format!(
        "{OPENING}{}:{}]",
        part("productId")?,
        part("emojiId")?
    ))
}

/// `index` counts UTF-16 units; a `$` stands there.
fn with_emojis(text: &str, emojis: Option<&Value>) -> String {
    let emojis = emojis
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut result = String::with_capacity(text.len());
    let mut offset = 0_u64;
    for character in text.chars() {
        let is_here = |emoji: &&Value| emoji.get("index").and_then(Value::as_u64) == Some(offset);
        let emoji = emojis.iter().find(is_here).filter(|_| character == '$');
        match emoji.and_then(written) {
            Some(shorthand) => result.push_str(&shorthand),
            None => result.push(character),
        }
        offset += character.len_utf16() as u64;
    }
    result
}

fn with_substitutions(text: &str, substitutions: Option<&Value>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(at);
        result.push_str(before);
        let place = after
            .strip_prefix('{')
            .and_then(|after| after.split_once('}'));
        rest = if let Some(rest) = after.strip_prefix("{{") {
            result.push('{');
            rest
        } else if let Some(rest) = after.strip_prefix("}}") {
            result.push('}');
            rest
        } else if let Some((name, rest)) = place {
            let emoji = substitutions
                .and_then(|all| all.get(name))
                .and_then(written);
            result.push_str(&emoji.unwrap_or_else(|| format!("{{{name}}}")));
            rest
        } else {
            let (brace, rest) = after.split_at(1);
            result.push_str(brace);
            rest
        };
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HEART: &str = "[emoji:5ac21a8c040ab15980c9b43f:001]";

    #[test]
    fn only_the_exact_form_is_an_emoji() {
        let emojis = |text: &str| {
            let tokens = tokens(text);
            let whole: String = tokens
                .iter()
                .map(|token| match token {
                    Token::Text(text) | Token::Emoji(text, _) => *text,
                })
                .collect();
            assert_eq!(whole, text);
            tokens
                .iter()
                .filter(|token| matches!(token, Token::Emoji(..)))
                .count()
        };
        assert_eq!(emojis(&format!("a{HEART}{HEART}b")), 2);
        assert_eq!(emojis(&format!("[emoji:{HEART}")), 1);
        for literal in [
            "[emoji:5ac21a8c040ab15980c9b43:001]",
            "[emoji:5ac21a8c040ab15980c9b43g:001]",
            "[emoji:5ac21a8c040ab15980c9b43f:]",
            "[emoji:5ac21a8c040ab15980c9b43f:0 1]",
            "[emoji:5ac21a8c040ab15980c9b43f:001",
            "[Emoji:5ac21a8c040ab15980c9b43f:001]",
            "[emoji:",
        ] {
            assert_eq!(emojis(literal), 0, "{literal}");
        }
    }

    #[test]
    fn an_emoji_leaves_no_gap() {
        assert_eq!(without(&format!("Hi {HEART} all")), "Hi all");
        assert_eq!(without(&format!("{HEART} Buy")), "Buy");
        assert_eq!(without(HEART), STAND_IN);
        assert_eq!(without("plain "), "plain ");
    }

    #[test]
    fn text_messages_are_written_as_people_write_them() {
        let emojis =
            json!([{"index": 3, "productId": "5ac21a8c040ab15980c9b43f", "emojiId": "001"}]);
        let message = json!({"type": "text", "text": "🍎$$", "emojis": emojis});
        assert_eq!(shorthand(&message), Some(format!("🍎${HEART}")));
        let mention = json!({"type": "textV2", "text": "{{{who}}} }", "substitution": {}});
        assert_eq!(shorthand(&mention).as_deref(), Some("{{who}} }"));
        assert_eq!(shorthand(&json!({"type": "sticker"})), None);
    }
}

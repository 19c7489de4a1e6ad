//! Finds secrets in text, in whatever encoding a server or a gateway repeats them: as they are, or
//! each character percent-encoded, escaped for JSON or escaped for HTML, or the whole in base64.
//! Only values are touched; keys, numbers and the shape of a document stay.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem::Finder;

use line_connector_http::{Headers, REDACTED, Secret};
use line_connector_schema::Detail;
use line_connector_text::json::strings;
use serde_json::Value;

use crate::encoding::base64;

/// What is shorter cannot be told from ordinary text, bytes.
const SHORTEST: usize = 3;
/// Secrets of fewer bytes are replaced only where they stand alone: inside a word they are likelier
/// to be part of it.
const LONG: usize = 6;
/// How often one character may be encoded over and over.
const MAX_LAYERS: usize = 16;
/// What of a secret in base64 identifies it, characters.
const MIN_BASE64: usize = 7;
/// How many characters of a secret are compared for each byte of a text, on the whole. Only a secret
/// and a text that repeat themselves take more, and then the text goes as a whole.
const MAX_STEPS: usize = 16;

/// How many secrets are looked for one by one: each costs a pass over every text. No action has as many;
/// where a document has more, texts go as a whole.
const MAX_SECRETS: usize = 256;

/// Replaces secrets in text. A copy shares what was made of them.
#[derive(Clone, Default)]
pub struct Redactor {
    /// The forms of each secret.
    secrets: Vec<Arc<[Pattern]>>,
    /// Whether there are too many secrets to look for.
    hides_all: bool,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl Redactor {
    /// A redactor for these values.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        Self::default().with(secrets)
    }

    /// The same for further values; what is shorter than three bytes is no secret.
    #[must_use]
    pub fn with<'a>(mut self, secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        for secret in secrets {
            let value = secret.expose();
            if value.len() >= SHORTEST && !self.hides_all && !self.knows(value) {
                let forms = Pattern::in_base64(value);
                self.push([Pattern::plain(value)].into_iter().chain(forms).collect());
            }
        }
        self
    }

    /// One for the secrets of both.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.hides_all |= other.hides_all;
        for forms in &other.secrets {
            if !forms.first().is_some_and(|plain| self.knows(&plain.text)) {
                self.push(Arc::clone(forms));
            }
        }
        self
    }

    fn push(&mut self, forms: Arc<[Pattern]>) {
        if self.secrets.len() < MAX_SECRETS {
            self.secrets.push(forms);
        } else {
            self.hides_all = true;
        }
    }

    fn knows(&self, value: &str) -> bool {
        let mut plain = self.secrets.iter().filter_map(|forms| forms.first());
        plain.any(|plain| plain.text == value)
    }

    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.secrets.iter().flat_map(|forms| forms.iter())
    }

    /// Replaces every secret in a text.
    pub fn text(&self, text: &mut String) {
        if let Some(replaced) = self.replaced(text) {
            *text = replaced;
        }
    }

    /// A text with every secret replaced; `None` where there is none.
    #[must_use]
    pub fn replaced(&self, text: &str) -> Option<String> {
        if self.hides_all {
            return (text.len() >= SHORTEST && text != REDACTED).then(|| REDACTED.to_owned());
        }
        let mut patterns: Vec<&Pattern> = self
            .patterns()
            .filter(|pattern| pattern.may_be_in(text))
            .collect();
        // The longest first, so that none is left over where another is its beginning.
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.text.len()));
        patterns
            .iter()
            .fold(None, |replaced: Option<String>, pattern| {
                pattern
                    .replace(replaced.as_deref().unwrap_or(text))
                    .or(replaced)
            })
    }

    /// Replaces every secret in what is wrong somewhere.
    pub fn detail(&self, detail: &mut Detail) {
        let optional = [&mut detail.expected, &mut detail.found, &mut detail.hint];
        let texts = [&mut detail.path, &mut detail.message];
        let texts = texts.into_iter().chain(optional.into_iter().flatten());
        texts.for_each(|text| self.text(text));
    }

    /// Replaces every secret in the values of header fields.
    pub fn headers(&self, headers: &mut Headers) {
        if headers
            .iter()
            .any(|(_, value)| self.replaced(value).is_some())
        {
            let mut replaced = Headers::new();
            for (name, value) in headers.iter() {
                replaced.push(name, self.replaced(value).as_deref().unwrap_or(value));
            }
            *headers = replaced;
        }
    }

    /// Replaces every secret in the strings of a JSON text; `None` where there is none. A string
    /// that cannot be decoded, half a surrogate pair in it, goes as a whole.
    #[must_use]
    pub fn json(&self, json: &str) -> Option<String> {
        if !self.hides_all && !self.patterns().any(|pattern| pattern.may_be_in(json)) {
            return None;
        }
        let mut replaced = String::with_capacity(json.len());
        let mut done = 0;
        for string in strings(json).filter(|string| !string.is_key) {
            let literal = json.get(string.range.clone()).unwrap_or_default();
            let mut text: String =
                serde_json::from_str(literal).unwrap_or_else(|_| REDACTED.into());
            self.text(&mut text);
            replaced.push_str(json.get(done..string.range.start).unwrap_or_default());
            replaced.push_str(&Value::from(text).to_string());
            done = string.range.end;
        }
        replaced.push_str(json.get(done..).unwrap_or_default());
        (replaced != json).then_some(replaced)
    }
}

/// One way in which a secret may be written, character by character.
struct Pattern {
    text: String,
    /// Finds its longest run of letters and digits, which no encoding changes: where that is
    /// missing, so is the secret.
    run: Finder<'static>,
    /// Whether the characters are base64, of either alphabet.
    is_base64: bool,
}

impl Pattern {
    fn plain(value: &str) -> Self {
        Self::new(value, false)
    }

    /// The parts of base64 that the value determines, whatever stands before and after it.
    fn in_base64(value: &str) -> impl Iterator<Item = Self> {
        (0..3).filter_map(move |before: usize| {
            let bytes = [&b"\0\0"[..before], value.as_bytes()].concat();
            let encoded = base64(&bytes);
            // A character holds six bits; those that also hold bits of a neighbour go.
            let (start, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
            let inner = encoded.get(start..end)?;
            (inner.len() >= MIN_BASE64).then(|| Self::new(inner, true))
        })
    }

    fn new(text: &str, is_base64: bool) -> Self {
        let runs = text.split(|character: char| !character.is_ascii_alphanumeric());
        let run = runs.max_by_key(|run| run.len()).unwrap_or_default();
        Self {
            text: text.to_owned(),
            run: Finder::new(run).into_owned(),
            is_base64,
        }
    }

    /// `false` where it certainly is not.
    fn may_be_in(&self, text: &str) -> bool {
        // No encoding makes a secret shorter.
        text.len() >= self.text.len() && self.run.find(text.as_bytes()).is_some()
    }

    fn replace(&self, text: &str) -> Option<String> {
        if !self.may_be_in(text) {
            return None;
        }
        let mut replaced = String::new();
        let mut done = 0;
        let mut steps_left = text.len() * MAX_STEPS;
        for (start, _) in text.char_indices() {
            if start < done {
                continue;
            }
            let found = self.found_at(text, start, &mut steps_left);
            if steps_left == 0 {
                return Some(REDACTED.to_owned());
            }
            if let Some(found) = found {
                replaced.push_str(text.get(done..found.start)?);
                replaced.push_str(REDACTED);
                done = found.end;
            }
        }
        if done == 0 {
            return None;
        }
        replaced.push_str(text.get(done..)?);
        Some(replaced)
    }

    /// Where it stands, if it begins here: the longest reading. Nothing once no steps are left.
    fn found_at(&self, text: &str, start: usize, steps_left: &mut usize) -> Option<Range<usize>> {
        let mut ends = vec![start];
        let mut next = Vec::new();
        for character in self.text.chars() {
            for end in &ends {
                *steps_left = steps_left.checked_sub(1)?;
                let rest = text.as_bytes().get(*end..).unwrap_or_default();
                self.read(character, rest, |length| {
                    if !next.contains(&(end + length)) {
                        next.push(end + length);
                    }
                });
            }
            std::mem::swap(&mut ends, &mut next);
            next.clear();
            if ends.is_empty() {
                return None;
            }
        }
        let alone = |end: &usize| {
            let is_word = |character: char| character.is_alphanumeric();
            let before = text.get(..start).and_then(|text| text.chars().next_back());
            let after = text.get(*end..).and_then(|text| text.chars().next());
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        };
        let is_long = self.text.len() >= LONG;
        let end = ends.into_iter().filter(|end| is_long || alone(end)).max()?;
        Some(start..end)
    }

    /// Tells the length of each form of a character with which `rest` begins.
    fn read(&self, character: char, rest: &[u8], mut found: impl FnMut(usize)) {
        let mut buffer = [0; 4];
        let plain = character.encode_utf8(&mut buffer).as_bytes();
        if rest.starts_with(plain) {
            found(plain.len());
        }
        match (rest.first(), character) {
            (Some(b'-'), '+') | (Some(b'_'), '/') if self.is_base64 => found(1),
            (Some(b'+'), ' ') => found(1),
            (Some(b'%'), _) => percent_encoded(plain, rest, found),
            (Some(b'\\'), _) => escaped_for_json(character, rest, found),
            (Some(b'&'), _) => escaped_for_html(character, rest, found),
            _ => {}
        }
    }
}

/// `%2B`, also as `%252B` and so on.
fn percent_encoded(bytes: &[u8], rest: &[u8], mut found: impl FnMut(usize)) {
    for layers in 0..MAX_LAYERS {
        let mut at = 0;
        let all = bytes.iter().all(|byte| {
            let text = rest.get(at..).unwrap_or_default();
            let Some(digits) = text
                .strip_prefix(b"%")
                .and_then(|text| after_each(b"25", layers, text))
            else {
                return false;
            };
            at += 1 + 2 * layers + 2;
            let digits = digits.get(..2).and_then(|two| str::from_utf8(two).ok());
            digits.and_then(|two| u8::from_str_radix(two, 16).ok()) == Some(*byte)
        });
        if all {
            found(at);
        }
        if after_each(b"25", layers + 1, rest.get(1..).unwrap_or_default()).is_none() {
            return;
        }
    }
}

/// What follows that many copies of a part.
fn after_each<'a>(part: &[u8], times: usize, text: &'a [u8]) -> Option<&'a [u8]> {
    (0..times).try_fold(text, |text, _| text.strip_prefix(part))
}

/// `\"`, `\/`, `\n`, `\u002b`, also where the text was escaped again.
fn escaped_for_json(character: char, rest: &[u8], mut found: impl FnMut(usize)) {
    let run = |text: &[u8]| {
        let slashes = text.iter().take(MAX_LAYERS);
        slashes.take_while(|byte| **byte == b'\\').count()
    };
    let slashes = run(rest);
    let after = rest.get(slashes..).unwrap_or_default();
    if character == '\\' {
        (2..=slashes).for_each(&mut found);
    }
    let short = match character {
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        other => other,
    };
    if short.is_ascii() && character != '\\' && after.first() == Some(&(short as u8)) {
        found(slashes + 1);
    }
    let mut at = 0;
    let mut units = [0; 2];
    let all = character.encode_utf16(&mut units).iter().all(|unit| {
        let text = rest.get(at..).unwrap_or_default();
        let slashes = run(text);
        at += slashes + 5;
        let digits = text.get(slashes..).and_then(|text| text.strip_prefix(b"u"));
        let digits = digits.and_then(|text| str::from_utf8(text.get(..4)?).ok());
        slashes > 0 && digits.and_then(|four| u16::from_str_radix(four, 16).ok()) == Some(*unit)
    });
    if all {
        found(at);
    }
}

/// `&quot;`, `&#34;`, `&#x22;`, also as `&amp;quot;` and so on.
fn escaped_for_html(character: char, rest: &[u8], mut found: impl FnMut(usize)) {
    let mut text = rest.get(1..).unwrap_or_default();
    for _ in 0..MAX_LAYERS {
        let length = text.iter().take(MAX_LAYERS).position(|byte| *byte == b';');
        let name = length.and_then(|length| str::from_utf8(text.get(..length)?).ok());
        let Some(name) = name else {
            return;
        };
        let number = match name.strip_prefix('#') {
            Some(number) => match number.strip_prefix(['x', 'X']) {
                Some(number) => u32::from_str_radix(number, 16).ok(),
                None => number.parse().ok(),
            },
            None => None,
        };
        let named = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => number.and_then(char::from_u32),
        };
        text = text.get(name.len() + 1..).unwrap_or_default();
        if named == Some(character) {
            found(rest.len() - text.len());
        }
        if named != Some('&') {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redacted(secret: &str, text: &str) -> String {
        let mut text = text.to_owned();
        Redactor::new([&Secret::new(secret)]).text(&mut text);
        text
    }

    #[test]
    fn where_there_are_too_many_secrets_texts_go_as_a_whole() {
        let secrets: Vec<Secret> = (0..=MAX_SECRETS)
            .map(|number| Secret::new(format!("secret{number}")))
            .collect();
        let known = Redactor::new(&secrets[..MAX_SECRETS]);
        assert_eq!(known.replaced("a text"), None);
        let too_many = known.and(&Redactor::new(&secrets[MAX_SECRETS..]));
        for redactor in [too_many, Redactor::new(&secrets)] {
            assert_eq!(redactor.replaced("a text").unwrap(), REDACTED);
            assert_eq!(
                redactor.json(r#"{"a":["b",1,"a text"]}"#).unwrap(),
                r#"{"a":["b",1,"[redacted]"]}"#
            );
        }
    }

    #[test]
    fn every_encoding_of_a_character_is_the_character() {
        let secret = "aB+/= \"&<'\\é9";
        for written in [
            "aB+/= \"&<'\\é9",
            "aB%2B%2F%3D%20%22%26%3C%27%5C%C3%A99",
            "aB%2b%2f%3d+%22%26%3c%27%5c%c3%a99",
            "aB%252B%252F%253D%2520%2522%2526%253C%2527%255C%25C3%25A99",
            "aB+/= &quot;&amp;&lt;&#39;\\&#xe9;9",
            "aB&#43;&#x2F;&#61; &amp;quot;&amp;amp;&amp;lt;&apos;&#92;é9",
            "aB+\\/= \\\"&<'\\\\\\u00e99",
            "aB\\u002b\\u002F\\u003d\\u0020\\u0022\\u0026\\u003c\\u0027\\u005cé9",
            "aB+/= \\\\\\\"&<'\\\\\\\\é9",
        ] {
            assert_eq!(
                redacted(secret, &format!("x{written}y")),
                "x[redacted]y",
                "{written}"
            );
        }
        assert_eq!(redacted(secret, "aB+/= \"&<'\\é8"), "aB+/= \"&<'\\é8");
    }

    #[test]
    fn base64_is_found_at_every_offset_and_in_both_alphabets() {
        let secret = "s\u{fe}cr\u{ff}t?token>value";
        for before in ["", "a", "ab", "1234567890:"] {
            for after in ["", "z", "zz"] {
                let encoded = base64(format!("{before}{secret}{after}").as_bytes());
                for encoded in [
                    encoded.replace('+', "-").replace('/', "_"),
                    encoded.replace('+', "%2B").replace('/', "%2f"),
                    encoded,
                ] {
                    let shown = redacted(secret, &format!("Basic {encoded}"));
                    assert!(shown.contains(REDACTED), "{encoded}: {shown}");
                    assert!(shown.len() < 6 + 4 + REDACTED.len() + before.len() * 2 + 8);
                }
            }
        }
    }

    #[test]
    fn a_short_secret_is_one_only_where_it_stands_alone() {
        assert_eq!(
            redacted("abc", "abc, abcd, xabc: abc"),
            "[redacted], abcd, xabc: [redacted]"
        );
        assert_eq!(redacted("", "abc"), "abc");
        assert_eq!(redacted("t", "don't"), "don't");
    }

    #[test]
    fn the_longer_of_two_secrets_goes_first() {
        let secrets = [Secret::new("secret-1"), Secret::new("secret-1-long")];
        let mut text = "secret-1-long secret-1".to_owned();
        Redactor::new(&secrets).text(&mut text);
        assert_eq!(text, "[redacted] [redacted]");
    }

    #[test]
    fn only_strings_that_are_values_are_touched() {
        let redactor = Redactor::new([&Secret::new("123456")]);
        let body =
            r#"{"123456":123456,"a":["123456", "x\"123456\""],"b":1.50,"c":"\ud800 123456"}"#;
        let shown = redactor.json(body).unwrap();
        assert_eq!(
            shown,
            r#"{"123456":123456,"a":["[redacted]", "x\"[redacted]\""],"b":1.50,"c":"[redacted]"}"#
        );
        assert_eq!(redactor.json(&json!({"123456": 123_456}).to_string()), None);
        assert_eq!(redactor.json("{}"), None);
    }

    #[test]
    fn hostile_text_costs_no_more_than_its_length() {
        let secret = Secret::new("%\\& secret");
        for unit in ["%25", "\\", "&amp;", "%", "&"] {
            let mut text = unit.repeat(100_000) + " secret ";
            Redactor::new([&secret]).text(&mut text);
            assert!(text.len() > 100_000);
        }
    }
}

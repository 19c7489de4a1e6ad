//! Counts characters the two ways LINE does: UTF-16 code units, and what a reader sees as one
//! character. The second is an approximation by ranges, made without a Unicode table on purpose:
//! the connector uses one.

/// A way to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Utf16,
    Grapheme,
}

pub(super) fn length(text: &str, unit: Unit) -> usize {
    match unit {
        Unit::Utf16 => text.encode_utf16().count(),
        Unit::Grapheme => graphemes(text),
    }
}

const JOINER: char = '\u{200d}';

fn graphemes(text: &str) -> usize {
    let mut count = 0;
    let mut before: Option<char> = None;
    // A flag is a pair of regional indicators: the second of a pair extends, a third does not.
    let mut flag_is_open = false;
    for symbol in text.chars() {
        let is_flag_half = ('\u{1f1e6}'..='\u{1f1ff}').contains(&symbol);
        let completes_flag = is_flag_half && flag_is_open;
        let joins = before == Some(JOINER) && is_pictograph(symbol);
        let completes_line = before == Some('\r') && symbol == '\n';
        let follows_syllable = before.is_some_and(|before| continues_syllable(before, symbol));
        let extends = before.is_some() && is_extender(symbol);
        if !(extends || completes_flag || joins || completes_line || follows_syllable) {
            count += 1;
        }
        flag_is_open = is_flag_half && !completes_flag;
        before = Some(symbol);
    }
    count
}

/// Marks that sit on the character before them.
fn is_extender(symbol: char) -> bool {
    matches!(symbol,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}'
        | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{93c}' | '\u{93e}'..='\u{94f}'
        // Thai and Lao vowels and tone marks.
        | '\u{e31}' | '\u{e33}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}'
        | '\u{eb1}' | '\u{eb3}'..='\u{ebc}' | '\u{ec8}'..='\u{ece}'
        | '\u{200c}' | '\u{200d}' | '\u{20d0}'..='\u{20f0}'
        // The two sound marks of kana.
        | '\u{3099}' | '\u{309a}' | '\u{ff9e}' | '\u{ff9f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}'
        // Skin tones, tags of sub-national flags, more variation selectors.
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

fn is_pictograph(symbol: char) -> bool {
    matches!(symbol, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

/// Korean syllables that are written letter by letter.
fn continues_syllable(before: char, symbol: char) -> bool {
    let leading = ('\u{1100}'..='\u{115f}').contains(&before);
    let vowel = ('\u{1160}'..='\u{11a7}').contains(&before);
    let open = ('\u{ac00}'..='\u{d7a3}').contains(&before) || vowel;
    match symbol {
        '\u{1100}'..='\u{115f}' | '\u{ac00}'..='\u{d7a3}' => leading,
        '\u{1160}'..='\u{11a7}' => leading || open,
        '\u{11a8}'..='\u{11ff}' => open || ('\u{11a8}'..='\u{11ff}').contains(&before),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fact_sheets_values_are_counted_as_printed() {
        for (text, utf16, graphemes) in [
            ("", 0, 0),
            ("A", 1, 1),
            ("あ", 1, 1),
            ("🍎", 2, 1),
            ("👍🏽", 4, 1),
            ("👨‍👩‍👧‍👦", 11, 1),
            ("🇯🇵", 4, 1),
            ("🇯🇵🇹🇭", 8, 2),
            ("か\u{3099}", 2, 1),
            ("𠮷", 2, 1),
            ("สวัสดี", 6, 4),
            ("한국", 2, 2),
            ("\u{1112}\u{1161}\u{11ab}", 3, 1),
            ("a\r\nb", 4, 3),
            ("❤️‍🔥", 5, 1),
            ("1️⃣", 3, 1),
        ] {
            assert_eq!(length(text, Unit::Utf16), utf16, "{text:?} in UTF-16");
            assert_eq!(
                length(text, Unit::Grapheme),
                graphemes,
                "{text:?} in graphemes"
            );
        }
    }
}

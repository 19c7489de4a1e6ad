//! "Did you mean": the declared name that a mistyped one is nearest to. It decides nothing; a
//! suggestion is only ever shown.

/// Longer than any declared name, bytes: the comparison takes the product of both lengths.
const MAX_NAME: usize = 100;

/// More names than anything declares: of those that a document brings along, the first are looked at.
const MAX_CANDIDATES: usize = 1_000;

/// As many slips of the hand leave no doubt about what was meant.
const SLIPS: usize = 2;

/// The candidate that `name` was probably meant to be, if one is near enough: by slips of the hand; or
/// the first one that has all its words, as `send_push_message` has those of `send_message`.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_NAME {
        return None;
    }
    let folded = fold(name);
    let words: Vec<String> = words(name).collect();
    let is_word = words.iter().any(|word| word.chars().count() > 1);
    let mut best: Option<(usize, &str)> = None;
    let mut with_words = None;
    for candidate in candidates.into_iter().take(MAX_CANDIDATES) {
        let distance = strsim::osa_distance(&folded, &fold(candidate));
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
        if is_word && with_words.is_none() {
            let has = |word: &String| self::words(candidate).any(|known| known == *word);
            with_words = words.iter().all(has).then_some(candidate);
        }
    }
    let (distance, candidate) = best?;
    let length = candidate.chars().count();
    let most = (folded.chars().count().max(length) / 3).max(1);
    let near = (distance <= most && distance < length).then_some(candidate);
    near.filter(|_| distance <= SLIPS).or(with_words).or(near)
}

/// The words that a name is made of.
fn words(name: &str) -> impl Iterator<Item = String> {
    let words = name.split(['_', '-', ' ', '.']);
    words.filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Case and the choice of `_` or `-` are the commonest slips, and never the only difference
/// between two declared names.
fn fold(name: &str) -> String {
    name.chars()
        .filter(|character| !matches!(character, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_what_was_meant_and_only_that() {
        let names = ["altText", "contents", "quickReply", "sender", "uri", "to"];
        for (name, meant) in [
            ("alttext", Some("altText")),
            ("alt_txt", Some("altText")),
            ("quick_reply", Some("quickReply")),
            ("url", Some("uri")),
            ("zzz", None),
            ("x", None),
        ] {
            assert_eq!(nearest(name, names), meant, "{name}");
        }
        let names = [
            "push_message",
            "send_pnp_message",
            "send_push_message",
            "client_id",
        ];
        for (name, meant) in [
            ("send_message", "send_pnp_message"),
            ("push", "push_message"),
            ("send_pnp_mesage", "send_pnp_message"),
            ("id", "client_id"),
        ] {
            assert_eq!(nearest(name, names), Some(meant), "{name}");
        }
        assert_eq!(nearest(&"altText".repeat(1_000_000), names), None);
        assert_eq!(nearest("x-line-delivery-tag", ["X-Line-Retry-Key"]), None);
    }
}

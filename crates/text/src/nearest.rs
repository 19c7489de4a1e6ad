//! "Did you mean": the declared name that a mistyped one is nearest to. It decides nothing; a
//! suggestion is only ever shown.

/// Longer than any declared name, bytes: the comparison takes the product of both lengths.
const MAX_NAME: usize = 100;

/// The candidate that `name` was probably meant to be, if one is near enough.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_NAME {
        return None;
    }
    let folded = fold(name);
    let (distance, candidate) = candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&folded, &fold(candidate)), candidate))
        .min_by_key(|(distance, _)| *distance)?;
    let length = candidate.chars().count();
    let most = (folded.chars().count().max(length) / 3).max(1);
    (distance <= most && distance < length).then_some(candidate)
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
        assert_eq!(nearest(&"altText".repeat(1_000_000), names), None);
        assert_eq!(nearest("x-line-delivery-tag", ["X-Line-Retry-Key"]), None);
    }
}

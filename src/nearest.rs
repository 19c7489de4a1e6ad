//! "Did you mean": the declared name that a mistyped one is nearest to. It decides nothing; a
//! suggestion is only ever shown.

/// The candidate nearest to `name`, if one is near enough to have been meant.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let folded = fold(name);
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&folded, &fold(candidate)), candidate))
        .filter(|(similarity, _)| *similarity >= 0.84)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// Case and the choice of `_` or `-` are the commonest slips, and never the only difference
/// between two declared names.
fn fold(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_what_was_meant_and_only_that() {
        let names = ["altText", "contents", "quickReply", "sender"];
        assert_eq!(nearest("alttext", names), Some("altText"));
        assert_eq!(nearest("quick_reply", names), Some("quickReply"));
        assert_eq!(nearest("zzz", names), None);
    }
}

//! "Did you mean": the declared name nearest to a mistyped one. It knows nothing of schemas.

/// The candidate that `name` was probably meant to be, if one is near enough.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = plain(name);
    let (distance, candidate) = candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::osa_distance(&plain, &self::plain(candidate)),
                candidate,
            )
        })
        .min_by_key(|(distance, _)| *distance)?;
    let most = (plain.chars().count().max(candidate.chars().count()) / 3).max(1);
    (distance <= most && distance < candidate.chars().count()).then_some(candidate)
}

/// Without case and separators, so that `alt_text` is near `altText`.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|character| !matches!(character, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_near_and_another_word_is_not() {
        assert_eq!(nearest("altTxt", ["type", "altText"]), Some("altText"));
        assert_eq!(nearest("alt_text", ["type", "altText"]), Some("altText"));
        assert_eq!(nearest("bubbel", ["bubble", "carousel"]), Some("bubble"));
        assert_eq!(nearest("icon", ["box", "text", "filler"]), None);
        assert_eq!(nearest("to", ["messages", "x"]), None);
    }
}

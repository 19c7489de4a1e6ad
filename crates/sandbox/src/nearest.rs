//! "Did you mean": the known name that a mistyped one is nearest to. It is only ever shown.

/// A question about the name that was probably meant, or `otherwise` where none is near.
pub(crate) fn question<'a>(
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    // The comparison takes the product of both lengths.
    const MAX_NAME: usize = 100;
    let fold = |name: &str| name.replace(['_', '-', '.', ' '], "").to_lowercase();
    let given = fold(name);
    let near = names
        .into_iter()
        .filter(|_| name.len() <= MAX_NAME)
        .map(|known| (strsim::osa_distance(&given, &fold(known)), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance);
    match near {
        Some((_, known)) => format!("did you mean `{known}`?"),
        None => otherwise.to_owned(),
    }
}

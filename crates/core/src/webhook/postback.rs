//! What a tapped button carries: its data as text, as fields where it is a query string, and what
//! LINE adds. What the fields mean is up to the workflow.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use url::form_urlencoded;

use super::event::{Field, Postback};
use super::wire;

/// Reads a postback's part.
pub(super) fn read<'a>(line: &wire::Postback<'a>) -> Postback<'a> {
    let data = line.data.get();
    let params = line.params.0.iter().filter_map(|(name, value)| {
        // A name cannot be anything but a text.
        Some((name.get()?, value.get()?))
    });
    let params: BTreeMap<_, _> = params.collect();
    Postback {
        fields: data.as_ref().and_then(fields),
        data,
        params: (!params.is_empty()).then_some(params),
    }
}

/// The fields of a query string; of any other text there are none.
fn fields<'a>(data: &Cow<'a, str>) -> Option<BTreeMap<Cow<'a, str>, Field<'a>>> {
    if !is_query(data) {
        return None;
    }
    let mut fields = BTreeMap::new();
    match data {
        Cow::Borrowed(data) => {
            for (name, value) in form_urlencoded::parse(data.as_bytes()) {
                add(&mut fields, name, value);
            }
        }
        Cow::Owned(data) => {
            for (name, value) in form_urlencoded::parse(data.as_bytes()) {
                add(
                    &mut fields,
                    name.into_owned().into(),
                    value.into_owned().into(),
                );
            }
        }
    }
    Some(fields)
}

/// Whether a text is pairs of `name=value` between `&`, with names that no JSON and no URL begins
/// with.
fn is_query(data: &str) -> bool {
    let is_pair = |part: &str| {
        let name = part.split_once('=').map_or("", |(name, _)| name);
        let odd = |c: char| c.is_whitespace() || c.is_control() || "{}\"'<>\\:/?#,;()".contains(c);
        !name.is_empty() && !name.contains(odd)
    };
    !data.is_empty() && data.split('&').all(is_pair)
}

fn add<'a>(
    fields: &mut BTreeMap<Cow<'a, str>, Field<'a>>,
    name: Cow<'a, str>,
    value: Cow<'a, str>,
) {
    match fields.entry(name) {
        Entry::Vacant(place) => {
            place.insert(Field::One(value));
        }
        Entry::Occupied(mut place) => match place.get_mut() {
            Field::Many(values) => values.push(value),
            Field::One(first) => {
                let first = std::mem::take(first);
                place.insert(Field::Many(vec![first, value]));
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::is_query;

    #[test]
    fn a_query_string_is_told_from_other_texts() {
        for query in [
            "a=1",
            "a=",
            "a=1&b=2",
            "a[]=1&a[]=2",
            "商品=1",
            "a=b=c",
            "a=%26+x",
        ] {
            assert!(is_query(query), "{query}");
        }
        for other in [
            "",
            "buy",
            "=1",
            "a=1&",
            "a=1&b",
            "&a=1",
            "{\"a\":\"b=c\"}",
            "https://x.example/?a=1",
            "a b=1",
            "x = 1",
        ] {
            assert!(!is_query(other), "{other}");
        }
    }
}

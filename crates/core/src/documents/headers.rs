//! Header fields as an object of JSON: names in lower case, the values of one name in one string.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serializer};

use line_connector_http::Headers;

#[expect(clippy::ref_option, reason = "serde gives it so")]
pub(super) fn serialize<S: Serializer>(
    headers: &Option<Headers>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let fields = headers.iter().flat_map(Headers::iter);
    let mut fields: Vec<_> = fields.map(|(name, value)| (lower(name), value)).collect();
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut map = serializer.serialize_map(None)?;
    for same in fields.chunk_by(|(one, _), (other, _)| one == other) {
        if let [(name, value)] = same {
            map.serialize_entry(name, value)?;
        } else {
            let values: Vec<&str> = same.iter().map(|(_, value)| *value).collect();
            map.serialize_entry(&same[0].0, &values.join(", "))?;
        }
    }
    map.end()
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::from(name.to_ascii_lowercase())
    } else {
        Cow::from(name)
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Headers>, D::Error> {
    let fields = Option::<BTreeMap<String, String>>::deserialize(deserializer)?;
    Ok(fields.map(|fields| {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(name, value);
        }
        headers
    }))
}

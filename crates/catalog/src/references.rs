//! Walks over JSON by reference: where a `$ref` leads, and which ones a schema holds. It loads
//! nothing.

use serde_json::Value;

/// The folder below which shared schemas live, as `$ref`s in action files name it.
pub const SCHEMAS: &str = "schemas/line/";

/// Every `$ref` in a schema, with the JSON pointer at which it stands.
#[must_use]
pub fn references(schema: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(schema, &mut String::new(), &mut found);
    found
}

fn collect(value: &Value, pointer: &mut String, found: &mut Vec<(String, String)>) {
    let length = pointer.len();
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                pointer.push('/');
                pointer.push_str(&escape(key));
                match member {
                    Value::String(target) if key == "$ref" => {
                        found.push((pointer.clone(), target.clone()));
                    }
                    _ => collect(member, pointer, found),
                }
                pointer.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer.push('/');
                pointer.push_str(&index.to_string());
                collect(item, pointer, found);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

/// Splits a reference into the file it names, seen from the file it stands in, and the pointer
/// into that file. `from` is the referring schema's own path, or empty for an action file, whose
/// references start at the connector's root.
#[must_use]
pub fn target(from: &str, reference: &str) -> (String, String) {
    let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
    if file.is_empty() {
        return (from.to_owned(), pointer.to_owned());
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    (parts.join("/"), pointer.to_owned())
}

/// One key as a reference token of a JSON pointer.
#[must_use]
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::{references, target};

    #[test]
    fn references_are_found_with_their_place() {
        let schema = serde_json::json!({"items": [{"$ref": "a.json"}], "a/b": {"$ref": "#/x"}});
        assert_eq!(
            references(&schema),
            [
                ("/items/0/$ref".to_owned(), "a.json".to_owned()),
                ("/a~1b/$ref".to_owned(), "#/x".to_owned())
            ]
        );
    }

    #[test]
    fn targets_are_seen_from_the_file_they_stand_in() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            target("", "schemas/line/id.json#/a"),
            pair("schemas/line/id.json", "/a")
        );
        assert_eq!(
            target("schemas/line/m/text.json", "../id.json"),
            pair("schemas/line/id.json", "")
        );
        assert_eq!(
            target("schemas/line/id.json", "#/b"),
            pair("schemas/line/id.json", "/b")
        );
    }
}

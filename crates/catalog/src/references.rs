//! How schemas refer to one another and to parts of themselves: `$ref`s, JSON pointers, and the
//! branches that a `type` chooses. It loads nothing.

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
/// references start at the connector's root. A reference that leaves the root keeps its leading
/// `..`, the path of no file.
#[must_use]
pub fn target(from: &str, reference: &str) -> (String, String) {
    let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
    if file.is_empty() {
        return (from.to_owned(), pointer.to_owned());
    }
    let folder = from.rsplit_once('/').map(|(folder, _)| folder);
    let mut parts: Vec<&str> = folder.into_iter().flat_map(|it| it.split('/')).collect();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    (parts.join("/"), pointer.to_owned())
}

/// The `type` that a branch is for which reads, and says nothing more than,
/// `{"if": {"required": ["type"], "properties": {"type": {"const": …}}}, "then": …}`. Such a branch
/// cannot matter to an object of any other `type`.
#[must_use]
pub fn type_chosen_by(branch: &Value) -> Option<&str> {
    let condition = branch.get("if").filter(|_| branch.get("then").is_some())?;
    let kind = condition.pointer("/properties/type")?;
    let is_plain = has_members(branch, 2)
        && has_members(condition, 2)
        && condition.get("required")? == &serde_json::json!(["type"])
        && has_members(condition.get("properties")?, 1)
        && has_members(kind, 1);
    kind.get("const").filter(|_| is_plain)?.as_str()
}

fn has_members(value: &Value, count: usize) -> bool {
    value
        .as_object()
        .is_some_and(|members| members.len() == count)
}

/// One key as a reference token of a JSON pointer.
#[must_use]
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The key that a reference token of a JSON pointer stands for.
#[must_use]
pub fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{escape, references, target, type_chosen_by, unescape};

    #[test]
    fn references_are_found_with_their_place() {
        let schema = json!({"items": [{"$ref": "a.json"}], "a/b": {"$ref": "#/x"}});
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
        assert_eq!(target("a/b.json", "./../c.json"), pair("c.json", ""));
    }

    #[test]
    fn a_reference_that_leaves_the_root_names_no_file() {
        assert_eq!(target("a.json", "../b.json").0, "../b.json");
        assert_eq!(target("", "../../a/../b.json").0, "../../b.json");
    }

    #[test]
    fn a_type_chooses_a_branch_that_asks_for_nothing_else() {
        let condition = json!({"required": ["type"], "properties": {"type": {"const": "text"}}});
        let branch = json!({"if": condition, "then": {"minProperties": 2}});
        assert_eq!(type_chosen_by(&branch), Some("text"));
        for (place, value) in [
            ("/else", json!(false)),
            ("/required", json!(["text"])),
            ("/if/maxProperties", json!(2)),
            ("/if/required", json!(["type", "text"])),
            ("/if/properties/text", json!(true)),
            ("/if/properties/type/pattern", json!("x")),
        ] {
            let mut branch = branch.clone();
            let (parent, key) = place.rsplit_once('/').unwrap();
            branch.pointer_mut(parent).unwrap()[key] = value;
            assert_eq!(type_chosen_by(&branch), None, "{place}");
        }
    }

    #[test]
    fn a_token_is_unescaped_to_the_key_it_was_made_of() {
        for (key, token) in [("a/b", "a~1b"), ("~1", "~01"), ("/~", "~1~0"), ("", "")] {
            assert_eq!(escape(key), token);
            assert_eq!(unescape(token), key);
        }
    }
}

//! Whether LINE can show the media of messages. LINE takes any URL and fetches it only when somebody
//! opens the chat, so that nobody hears of a picture that is not there. What is looked at is up to the
//! host; this says where media stand in LINE's objects, and judges what was seen.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::documents::{Code, shortened};
use crate::error::Detail;

/// What was seen of a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    /// The HTTP status of the answer.
    pub status: u16,
    /// The declared content type.
    pub content_type: Option<String>,
    /// The size of the whole, bytes, where it was told.
    pub size_bytes: Option<u64>,
    /// The first bytes: some hundreds, or all.
    pub first_bytes: Vec<u8>,
}

/// What a medium is to a message, and what LINE takes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Picture,
    Preview,
    Icon,
    Video,
    Sound,
}

/// A URL of media in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaUrl {
    /// JSON pointer into the messages.
    pub(crate) path: String,
    /// What LINE fetches.
    pub(crate) url: String,
    role: Role,
}

/// What is wrong with media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaProblem {
    pub(crate) code: Code,
    pub(crate) detail: Detail,
}

const MIB: u64 = 1024 * 1024;

impl Role {
    /// The types that LINE takes here, and the most bytes.
    fn takes(self) -> (&'static [&'static str], u64) {
        match self {
            Role::Picture => (&["image/jpeg", "image/png"], 10 * MIB),
            Role::Preview => (&["image/jpeg", "image/png"], MIB),
            Role::Icon => (&["image/png"], MIB),
            Role::Video => (&["video/mp4"], 200 * MIB),
            Role::Sound => (&["audio/m4a", "video/mp4", "audio/mpeg"], 200 * MIB),
        }
    }
}

/// The media of messages, in the order in which they stand.
pub(crate) fn urls(messages: &Value) -> Vec<MediaUrl> {
    let mut found = Vec::new();
    walk(messages, "", &mut found);
    found
}

fn walk(value: &Value, path: &str, found: &mut Vec<MediaUrl>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{path}/{index}"), found);
            }
        }
        Value::Object(members) => {
            let kind = members.get("type").and_then(Value::as_str);
            for (name, member) in members {
                let path = format!("{path}/{name}");
                match (role(kind, name), member.as_str()) {
                    (Some(role), Some(url)) => {
                        // An image map is fetched in several widths, this among them.
                        let url = match name.as_str() {
                            "baseUrl" => format!("{url}/1040"),
                            _ => url.to_owned(),
                        };
                        found.push(MediaUrl { path, url, role });
                    }
                    _ => walk(member, &path, found),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What a member of an object of this type is, if it is the URL of media.
fn role(kind: Option<&str>, name: &str) -> Option<Role> {
    Some(match (name, kind) {
        ("originalContentUrl", Some("image"))
        | ("thumbnailImageUrl" | "baseUrl", _)
        | ("url", Some("image" | "icon")) => Role::Picture,
        ("originalContentUrl", Some("audio")) => Role::Sound,
        ("originalContentUrl", _) | ("url", Some("video")) => Role::Video,
        ("previewImageUrl" | "previewUrl", _) => Role::Preview,
        // Quick replies are actions with an icon.
        ("iconUrl", _) | ("imageUrl", Some("action")) => Role::Icon,
        ("imageUrl", _) => Role::Picture,
        _ => return None,
    })
}

/// Looks at every medium once. `probe` fetches the beginning of one, or says why it cannot.
pub(crate) fn problems(
    messages: &Value,
    mut probe: impl FnMut(&str) -> Result<Probe, String>,
) -> Vec<MediaProblem> {
    let mut seen = BTreeMap::new();
    let mut problems = Vec::new();
    for medium in urls(messages) {
        let seen = seen
            .entry(medium.url.clone())
            .or_insert_with(|| probe(&medium.url));
        problems.extend(judged(&medium, seen));
    }
    problems
}

fn judged(medium: &MediaUrl, seen: &Result<Probe, String>) -> Option<MediaProblem> {
    let problem = |code, message: String| {
        // Without its query, which may let whoever has it in.
        let url = medium.url.split(['?', '#']).next().unwrap_or_default();
        let detail = Detail {
            found: Some(shortened(url).to_owned()),
            ..Detail::new(medium.path.as_str(), message)
        };
        Some(MediaProblem { code, detail })
    };
    let probe = match seen {
        Ok(probe) => probe,
        Err(reason) => {
            return problem(
                Code::MediaNotReachable,
                format!("cannot be fetched: {reason}"),
            );
        }
    };
    if !matches!(probe.status, 200 | 206) {
        let message = format!("cannot be fetched: its server answers {}", probe.status);
        return problem(Code::MediaNotReachable, message);
    }
    let (types, most) = medium.role.takes();
    let wanted = types.join(" or ");
    match infer::get(&probe.first_bytes).map(|found| found.mime_type()) {
        Some(found) if types.contains(&found) => {}
        Some(found) => {
            let message = format!("is {found}, and LINE takes {wanted} here");
            return problem(Code::MediaTypeUnsupported, message);
        }
        None => {
            let declared = probe.content_type.as_deref().unwrap_or("nothing");
            let message =
                format!("does not begin as {wanted} does; its server declares {declared}");
            return problem(Code::MediaTypeUnsupported, message);
        }
    }
    match probe.size_bytes {
        Some(size) if size > most => problem(
            Code::MediaTooLarge,
            format!("has {size} bytes, and LINE takes {most} at most here"),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Role::{Icon, Picture, Preview, Sound, Video};
    use super::*;

    #[test]
    fn media_are_found_wherever_they_stand() {
        let messages = json!([
            {"type": "image", "originalContentUrl": "https://a.example/1", "previewImageUrl": "https://a.example/2"},
            {"type": "audio", "originalContentUrl": "https://a.example/3", "duration": 1},
            {"type": "imagemap", "baseUrl": "https://a.example/4", "actions": [{"type": "uri", "linkUri": "https://not.example"}],
             "video": {"originalContentUrl": "https://a.example/5", "previewImageUrl": "https://a.example/6"}},
            {"type": "template", "template": {"type": "carousel", "columns": [{"thumbnailImageUrl": "https://a.example/7"}]}},
            {"type": "flex", "contents": {"hero": {"type": "video", "url": "https://a.example/8", "previewUrl": "https://a.example/9",
             "altContent": {"type": "image", "url": "https://a.example/10"}}}},
            {"type": "text", "text": "hi", "sender": {"iconUrl": "https://a.example/11"},
             "quickReply": {"items": [{"type": "action", "imageUrl": "https://a.example/12", "action": {"type": "uri", "uri": "https://not.example"}}]}}
        ]);
        let urls = urls(&messages);
        let roles: Vec<_> = urls.iter().map(|medium| medium.role).collect();
        assert_eq!(
            roles,
            [
                Picture, Preview, Sound, Picture, Video, Preview, Picture, Video, Preview, Picture,
                Icon, Icon
            ]
        );
        assert_eq!(urls[3].url, "https://a.example/4/1040");
        assert_eq!(urls[6].path, "/3/template/columns/0/thumbnailImageUrl");
        assert!(
            urls.iter()
                .all(|medium| !medium.url.contains("not.example"))
        );
    }

    #[test]
    fn what_line_cannot_show_is_told_with_its_reason() {
        let png = b"\x89PNG\r\n\x1a\n".as_slice();
        let probe = |status, first: &[u8], size_bytes| {
            Ok(Probe {
                status,
                first_bytes: first.to_vec(),
                size_bytes,
                content_type: Some("image/png".to_owned()),
            })
        };
        let cases: [(Result<Probe, String>, Option<Code>); 9] = [
            (probe(206, png, Some(5)), None),
            (probe(200, b"\xff\xd8\xff\xe0", None), None),
            (probe(404, png, None), Some(Code::MediaNotReachable)),
            (probe(302, png, None), Some(Code::MediaNotReachable)),
            (
                Err("no such host".to_owned()),
                Some(Code::MediaNotReachable),
            ),
            (
                probe(200, b"GIF89a", None),
                Some(Code::MediaTypeUnsupported),
            ),
            (
                probe(200, b" <!DOCTYPE html><p>", None),
                Some(Code::MediaTypeUnsupported),
            ),
            (probe(200, b"", None), Some(Code::MediaTypeUnsupported)),
            (probe(200, png, Some(MIB + 1)), Some(Code::MediaTooLarge)),
        ];
        let messages = json!([{"type": "video", "previewImageUrl": "https://a.example/preview"}]);
        for (seen, code) in cases {
            let problems = problems(&messages, |_| seen.clone());
            let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
            assert_eq!(codes, code.into_iter().collect::<Vec<_>>(), "{seen:?}");
        }
    }

    #[test]
    fn one_url_is_looked_at_once() {
        let message = json!({"type": "image", "originalContentUrl": "https://a.example/1", "previewImageUrl": "https://a.example/1"});
        let mut looked = 0;
        let problems = problems(&json!([message, message]), |_| {
            looked += 1;
            Err("no".to_owned())
        });
        assert_eq!((looked, problems.len()), (1, 4));
    }
}

//! Forms with files, as they leave: read back part by part, by a reader of their own.

use std::sync::{Arc, LazyLock};

use line_connector_client::{Connector, Invocation};
use line_connector_core::encoding::base64;
use line_connector_http::Reply;
use serde_json::json;

use super::reply::Line;
use super::{PLANTED, sound};

static LINE: LazyLock<Arc<Line>> = LazyLock::new(|| {
    let line = Line::default();
    line.answers(Reply {
        status: 202,
        ..Reply::default()
    });
    Arc::new(line)
});
static CALLER: LazyLock<Connector> = LazyLock::new(|| LINE.connector());

/// Three lines and the rest as a description, a file's name, its type and its bytes: each arrives
/// as what it is, in a part of its own.
pub(crate) fn multipart(bytes: &[u8]) {
    let mut pieces = bytes.splitn(4, |byte| *byte == b'\n');
    let mut piece = || pieces.next().unwrap_or_default();
    let [description, name, kind] = [(); 3].map(|()| String::from_utf8_lossy(piece()).into_owned());
    let content = piece();
    let document = json!({
        "action": "create_audience_for_uploading_user_ids_by_file",
        "asset": {"url": "https://line.example", "token": PLANTED, "rate_limits": {"*": "off"}},
        "inputs": {
            "data_body": {"description": description},
            "files": {"file": {
                "file_name": name, "content_type": format!("text/plain{kind}"), "base64": base64(content),
            }},
        },
        "options": {"validation": "off", "attempts": 1},
    });
    let invocation = Invocation::from_value(document).expect("a document");
    sound(&CALLER.call(invocation), bytes);
    let Some(request) = LINE.request() else {
        return;
    };
    let content_type = request.headers.get("Content-Type").expect("a content type");
    let boundary = content_type
        .strip_prefix("multipart/form-data; boundary=")
        .expect("a form");
    let parts = parts(&request.body, boundary);
    let [(field, value), (head, file)] = parts.as_slice() else {
        panic!("{} parts", parts.len());
    };
    assert_eq!(
        field,
        &["Content-Disposition: form-data; name=\"description\""]
    );
    assert_eq!(*value, description.as_bytes());
    let [disposition, kind] = head.as_slice() else {
        panic!("{head:?}");
    };
    let name = disposition
        .strip_prefix("Content-Disposition: form-data; name=\"file\"; filename=\"")
        .and_then(|rest| rest.strip_suffix('"'));
    assert!(
        !name.expect("a file name").contains(['"', '\r', '\n']),
        "{disposition}"
    );
    let kind = kind
        .strip_prefix("Content-Type: text/plain")
        .expect("its type");
    assert!(
        kind.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "{kind}"
    );
    assert_eq!(*file, content);
}

/// The lines of each part's head, and its content.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<(Vec<&'a str>, &'a [u8])> {
    let mut rest = body.strip_prefix(b"--").expect("a boundary");
    let mut parts = Vec::new();
    loop {
        rest = rest.strip_prefix(boundary.as_bytes()).expect("a boundary");
        if rest == b"--\r\n" {
            return parts;
        }
        let part = rest.strip_prefix(b"\r\n").expect("a line");
        let end = find(part, format!("\r\n--{boundary}").as_bytes());
        let head = find(part, b"\r\n\r\n");
        let lines = str::from_utf8(&part[..head]).expect("text").split("\r\n");
        parts.push((lines.collect(), &part[head + 4..end]));
        rest = &part[end + 4..];
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    let mut windows = bytes.windows(wanted.len());
    windows.position(|window| window == wanted).expect("an end")
}

//! Bodies that are not JSON, sent over a plain socket: raw bytes and forms with files.

use super::plain_client::{Seen, head};
use super::{Scene, TOKEN};

/// One call with any bytes as its body.
pub(super) fn upload(
    scene: &Scene,
    method: &str,
    target: &str,
    content_type: &str,
    body: &[u8],
) -> Seen {
    let authorization = format!("Bearer {TOKEN}");
    let fields = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", content_type),
    ];
    let mut client = scene.client();
    client.send(head(method, target, &fields, body.len()));
    client.send(body);
    client.read().expect("an answer")
}

/// A form with some fields and a file of this type.
pub(super) fn form(fields: &[(&str, &str)], media_type: &str, file: &str) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        let open = "--sandbox\r\nContent-Disposition: form-data; name=";
        body.extend([open, "\"", name, "\"\r\n\r\n", value, "\r\n"]);
    }
    let open = "--sandbox\r\nContent-Disposition: form-data; name=\"file\"; filename=\"ids.txt\"";
    body.extend([open, "\r\nContent-Type: ", media_type, "\r\n\r\n", file]);
    body + "\r\n--sandbox--\r\n"
}

pub(super) const FORM: &str = "multipart/form-data; boundary=sandbox";

/// The start of a PNG of this size, which is all that anyone looks at.
pub(super) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(b"\x08\x06\0\0\0");
    bytes
}

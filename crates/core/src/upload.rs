//! Bytes that go to LINE as a body or as a part of one: where they come from, and whether they are
//! what the action says they must be. It reads no file; a reader is handed in.

use std::io;

use serde_json::Value;

use crate::encoding::{Written, from_any_base64};
use crate::error::{Detail, Error, Kind};
use line_connector_catalog::definition::{Binary, ImageBounds};
use line_connector_http::is_header_value;

pub mod lines;

/// The largest file where the action sets no bound: more than 1,500,000 user IDs take.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// One piece of bytes with what LINE is told about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The part's name in a multipart body; empty where it is the whole body.
    pub name: String,
    /// The file's name.
    pub file_name: String,
    /// The content type.
    pub content_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Loads a source, `{"path": …}` or `{"base64": …}`, and holds it against `rules`. `at` is the
/// source's place in the inputs.
///
/// # Errors
///
/// [`Kind::InvalidInputs`] with what is wrong: unreadable, too large, of another type, of other
/// dimensions.
pub fn load(
    name: &str,
    at: &str,
    source: &Value,
    rules: &Binary,
    read_file: &dyn Fn(&str, u64) -> io::Result<Vec<u8>>,
) -> Result<Part, Error> {
    let text = |key: &str| source.get(key).and_then(Value::as_str);
    let Written {
        content_type,
        bytes,
    } = match (text("path"), text("base64")) {
        (Some(path), None) => {
            let at = format!("{at}/path");
            Written {
                content_type: None,
                bytes: read_file(path, rules.max_bytes.unwrap_or(MAX_BYTES))
                    .map_err(|error| not_a_path(&at, path).unwrap_or(unreadable(&at, &error)))?,
            }
        }
        (None, Some(encoded)) => {
            from_any_base64(encoded).map_err(|reason| wrong(&format!("{at}/base64"), reason))?
        }
        _ => return Err(wrong(at, "needs either `path` or `base64`".to_owned())),
    };
    let stated = text("content_type").or(content_type.as_deref());
    let content_type = check(at, &bytes, stated, rules)?;
    let of_path = text("path").and_then(|path| path.rsplit(['/', '\\']).next());
    Ok(Part {
        name: name.to_owned(),
        file_name: text("file_name").or(of_path).unwrap_or("file").to_owned(),
        content_type,
        bytes,
    })
}

/// The content type of bytes that keep to the rules.
fn check(at: &str, bytes: &[u8], stated: Option<&str>, rules: &Binary) -> Result<String, Error> {
    if bytes.is_empty() {
        return Err(wrong(at, "is empty".to_owned()));
    }
    if let Some(most) = rules.max_bytes
        && bytes.len() as u64 > most
    {
        let found = format!("{} bytes", bytes.len());
        return Err(measured(
            at,
            "is too large",
            &format!("at most {most} bytes"),
            &found,
        ));
    }
    let image = rules
        .image
        .as_ref()
        .map(|bounds| image(at, bytes, bounds))
        .transpose()?;
    let content_type = match (image, stated) {
        (Some(found), Some(stated)) if !is_name_of(stated, found) => {
            let found = format!("{found}, by its first bytes");
            return Err(measured(
                at,
                "is not what `content_type` says",
                stated,
                &found,
            ));
        }
        (Some(found), _) => found.to_owned(),
        (None, Some(stated)) if !is_header_value(stated) => {
            return Err(wrong(
                &format!("{at}/content_type"),
                "must be printable ASCII in one line".to_owned(),
            ));
        }
        (None, Some(stated)) => stated.to_owned(),
        (None, None) => rules.content_types.first().cloned().unwrap_or_default(),
    };
    // A parameter such as `; charset=utf-8` does not make another type.
    let bare = content_type.split(';').next().unwrap_or_default().trim();
    if rules
        .content_types
        .iter()
        .any(|known| known.eq_ignore_ascii_case(bare))
    {
        Ok(content_type)
    } else {
        let expected = rules.content_types.join(" or ");
        Err(measured(
            at,
            "is of a type that LINE does not take here",
            &expected,
            &content_type,
        ))
    }
}

/// Whether an image's type is what `stated` means; `image/jpg` is a common misspelling.
fn is_name_of(stated: &str, found: &str) -> bool {
    let stated = stated.split(';').next().unwrap_or_default().trim();
    stated.eq_ignore_ascii_case(found)
        || (found == "image/jpeg" && stated.eq_ignore_ascii_case("image/jpg"))
}

/// The content type of an image within its bounds, by its own first bytes.
fn image(at: &str, bytes: &[u8], bounds: &ImageBounds) -> Result<&'static str, Error> {
    let content_type = match imagesize::image_type(bytes) {
        Ok(imagesize::ImageType::Jpeg) => "image/jpeg",
        Ok(imagesize::ImageType::Png) => "image/png",
        _ => return Err(wrong(at, "is neither JPEG nor PNG".to_owned())),
    };
    let size = imagesize::blob_size(bytes)
        .map_err(|_| wrong(at, "is an image whose dimensions cannot be read".to_owned()))?;
    let found = format!("{} × {} pixels", size.width, size.height);
    let (width, height) = (size.width as u64, size.height as u64);
    if !(bounds.min_width..=bounds.max_width).contains(&width) {
        let expected = format!(
            "a width of {} to {} pixels",
            bounds.min_width, bounds.max_width
        );
        return Err(measured(at, "is too narrow or too wide", &expected, &found));
    }
    if height < bounds.min_height {
        let expected = format!("a height of at least {} pixels", bounds.min_height);
        return Err(measured(at, "is too low", &expected, &found));
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "no image has 2^53 pixels on a side"
    )]
    if (width as f64) / (height as f64) < bounds.min_ratio {
        let expected = format!("width divided by height at least {}", bounds.min_ratio);
        return Err(measured(at, "is too high for its width", &expected, &found));
    }
    Ok(content_type)
}

/// What a path is that could not be read because it is a URL.
fn not_a_path(at: &str, path: &str) -> Option<Error> {
    let (scheme, rest) = path.split_once(':')?;
    let (message, hint) = match scheme.to_ascii_lowercase().as_str() {
        "data" => ("is a data URL, not a path", "give it as `base64`"),
        "file" => ("is a URL, not a path", "give the path without `file://`"),
        _ if rest.starts_with("//") => (
            "is a URL, not a path",
            "fetch it first; give a file of this machine, or its bytes as `base64`",
        ),
        _ => return None,
    };
    let mut error = wrong(at, message.to_owned());
    for detail in &mut error.details {
        detail.hint = Some(hint.to_owned());
    }
    Some(error)
}

fn unreadable(at: &str, error: &io::Error) -> Error {
    let mut wrong = wrong(at, format!("cannot be read: {error}"));
    if error.kind() == io::ErrorKind::PermissionDenied {
        let hint = "give the bytes as `base64`, or let the operator open a folder to documents: `--files DIR` or LINE_FILES";
        wrong.hint = Some(hint.to_owned());
    }
    wrong
}

fn wrong(at: &str, message: String) -> Error {
    Error::new(
        Kind::InvalidInputs,
        "a file does not fit the action; nothing was sent",
    )
    .with_details(vec![Detail::new(at, message)])
}

fn measured(at: &str, message: &str, expected: &str, found: &str) -> Error {
    let mut error = wrong(at, message.to_owned());
    for detail in &mut error.details {
        detail.expected = Some(expected.to_owned());
        detail.found = Some(found.to_owned());
    }
    error
}

/// The parts and plain fields of a form as one multipart body, and its content type. `boundary`
/// must not occur in any of them.
#[must_use]
pub fn multipart(fields: &[(String, String)], parts: &[Part], boundary: &str) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n",
            quoted(name)
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(value.as_bytes());
        body.extend_from_slice(b"\r\n");
    }
    for part in parts {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
            quoted(&part.name),
            quoted(&part.file_name),
            part.content_type,
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&part.bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// A name between quotes, as HTML forms write it.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules() -> Binary {
        serde_json::from_value(json!({
            "content_types": ["image/jpeg", "image/png"], "max_bytes": 1000,
            "image": {"min_width": 800, "max_width": 2500, "min_height": 250, "min_ratio": 1.45},
        }))
        .unwrap()
    }

    /// The first bytes of a PNG of these dimensions.
    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend_from_slice(&width.to_be_bytes());
        bytes.extend_from_slice(&height.to_be_bytes());
        bytes.extend_from_slice(&[8, 2, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    fn load_bytes(bytes: &[u8], extra: &serde_json::Value) -> Result<Part, Error> {
        let mut source = json!({"base64": crate::encoding::base64(bytes)});
        source
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        load("", "/data_body", &source, &rules(), &|_, _| unreachable!())
    }

    #[test]
    fn an_image_within_its_bounds_is_taken_and_told_by_its_bytes() {
        let part = load_bytes(&png(2500, 1686), &json!({})).unwrap();
        assert_eq!(part.content_type, "image/png");
    }

    #[test]
    fn type_size_and_dimensions_are_refused_before_sending() {
        let none = json!({});
        let large = [png(2500, 1686), vec![0; 1000]].concat();
        for (bytes, extra, message) in [
            (png(799, 250), &none, "is too narrow or too wide"),
            (png(2501, 250), &none, "is too narrow or too wide"),
            (png(800, 249), &none, "is too low"),
            (png(2500, 1725), &none, "is too high for its width"),
            (large, &none, "is too large"),
            (
                b"GIF89a\x20\x03\x20\x03".to_vec(),
                &none,
                "is neither JPEG nor PNG",
            ),
            (Vec::new(), &none, "is empty"),
            (
                png(2500, 1686),
                &json!({"content_type": "image/jpeg"}),
                "is not what `content_type` says",
            ),
        ] {
            let error = load_bytes(&bytes, extra).unwrap_err();
            assert_eq!(error.details[0].message, message);
        }
        assert!(load_bytes(&png(2500, 1724), &none).is_ok());
        assert!(load_bytes(&png(800, 250), &none).is_ok());
    }

    #[test]
    fn a_multipart_body_holds_fields_and_files() {
        let part = Part {
            name: "file".to_owned(),
            file_name: "a\"b.txt".to_owned(),
            content_type: "text/plain".to_owned(),
            bytes: b"U1\nU2".to_vec(),
        };
        let fields = [("description".to_owned(), "new".to_owned())];
        let (content_type, body) = multipart(&fields, &[part], "b");
        assert_eq!(content_type, "multipart/form-data; boundary=b");
        assert_eq!(
            String::from_utf8(body).unwrap(),
            "--b\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\nnew\r\n\
             --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22b.txt\"\r\n\
             Content-Type: text/plain\r\n\r\nU1\nU2\r\n--b--\r\n"
        );
    }
}

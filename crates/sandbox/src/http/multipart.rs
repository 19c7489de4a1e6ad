//! Parses bodies of `multipart/form-data`.

/// One part; its content borrows from the body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) name: String,
    pub(crate) is_file: bool,
    /// In lower case, without parameters; `text/plain`, the format's default, where the part has
    /// none.
    pub(crate) media_type: String,
    pub(crate) content: &'a [u8],
}

/// The parts of a body; `None` where the body is malformed or the content type has no boundary.
pub(crate) fn parts<'a>(content_type: &str, body: &'a [u8]) -> Option<Vec<Part<'a>>> {
    let boundary = argument(content_type, "boundary").filter(|boundary| !boundary.is_empty())?;
    let opening = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(opening.as_bytes())?;
    let mut parts = Vec::new();
    while let Some(begun) = rest.strip_prefix(b"\r\n") {
        let end = find(begun, between.as_bytes())?;
        parts.push(part(begun.get(..end)?)?);
        rest = begun.get(end + between.len()..)?;
    }
    rest.starts_with(b"--").then_some(parts)
}

fn part(bytes: &[u8]) -> Option<Part<'_>> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let field = |name: &str| {
        head.split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .find(|(known, _)| known.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let disposition = field("content-disposition")?;
    let media_type = field("content-type").unwrap_or("text/plain");
    let media_type = media_type.split(';').next().unwrap_or_default();
    Some(Part {
        name: argument(disposition, "name")?,
        is_file: argument(disposition, "filename").is_some(),
        media_type: media_type.trim().to_ascii_lowercase(),
        content: bytes.get(end + 4..)?,
    })
}

/// The value of the parameter `; name=value` or `; name="value"` of a header field.
fn argument(field: &str, name: &str) -> Option<String> {
    field.split(';').skip(1).find_map(|argument| {
        let (known, value) = argument.split_once('=')?;
        let value = value.trim();
        let bare = value
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let fits = known.trim().eq_ignore_ascii_case(name);
        fits.then(|| bare.unwrap_or(value).to_owned())
    })
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let first = needle.first()?;
    let mut from = 0;
    loop {
        let rest = bytes.get(from..)?;
        let at = from + rest.iter().position(|byte| byte == first)?;
        if bytes.get(at..)?.starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"x y\"";

    #[test]
    fn fields_and_files_are_taken_apart() {
        let body = b"--x y\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\n\xe3\x81\x82\r\n\
            --x y\r\ncontent-disposition: form-data; name=file; filename=\"a.txt\"\r\n\
            content-type: Text/Plain; charset=utf-8\r\n\r\nU1\r\nU2\r\n\r\n--x y--\r\n";
        let parts = parts(TYPE, body).unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!(
            (parts[0].name.as_str(), parts[0].is_file),
            ("description", false)
        );
        assert_eq!(parts[0].content, "あ".as_bytes());
        assert_eq!((parts[1].name.as_str(), parts[1].is_file), ("file", true));
        assert_eq!(parts[1].media_type, "text/plain");
        assert_eq!(parts[1].content, b"U1\r\nU2\r\n");
    }

    #[test]
    fn what_is_cut_off_or_unbounded_is_refused() {
        let whole = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b--";
        assert!(parts("multipart/form-data; boundary=b", whole).is_some());
        assert!(parts("multipart/form-data; boundary=c", whole).is_none());
        assert!(parts("multipart/form-data", whole).is_none());
        for length in 0..whole.len() {
            assert!(parts("multipart/form-data; boundary=b", &whole[..length]).is_none());
        }
        let nameless = b"--b\r\n\r\n1\r\n--b--";
        assert!(parts("multipart/form-data; boundary=b", nameless).is_none());
    }
}

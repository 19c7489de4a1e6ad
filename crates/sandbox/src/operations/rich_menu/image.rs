//! The image of a rich menu. Its type and dimensions are read from its bytes, whatever the content type
//! says.

use serde_json::json;

use super::not_found;
use crate::http::Answer;
use crate::state::Context;
use crate::store::rich_menu::Image;

/// LINE's limit of "1 MB".
const MAX_IMAGE_BYTES: usize = 1024 * 1024;

pub(crate) fn upload(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    if !["image/jpeg", "image/png"].contains(&ctx.call.media_type().as_str()) {
        return Err(Answer::message(415, "Unsupported media type"));
    }
    let id = ctx.parameter("richMenuId").to_owned();
    let menu = ctx.state.rich_menus.get_mut(&id).ok_or_else(not_found)?;
    if menu.image.is_some() {
        let text = "An image has already been uploaded to the richmenu";
        return Err(Answer::message(400, text));
    }
    let bytes = &ctx.call.body;
    let measured = measure(bytes).filter(|(_, width, height)| {
        (800..=2500).contains(width) && *height >= 250 && width * 100 >= height * 145
    });
    let fitting = measured.filter(|_| bytes.len() <= MAX_IMAGE_BYTES);
    let Some((media_type, ..)) = fitting else {
        let text = "The image size is not allowed for richmenu";
        return Err(Answer::message(400, text));
    };
    menu.image = Some(Image {
        media_type,
        bytes: bytes.clone(),
    });
    ctx.state.rich_menus.bound_images();
    Ok(Answer::json(200, &json!({})))
}

pub(crate) fn download(ctx: &mut Context<'_>) -> Result<Answer, Answer> {
    let menu = ctx.state.rich_menus.get(ctx.parameter("richMenuId"));
    let image = menu.and_then(|menu| menu.image.as_ref());
    let image = image.filter(|image| !image.bytes.is_empty());
    let image = image.ok_or_else(not_found)?;
    Ok(Answer::raw(200, image.media_type, image.bytes.clone()))
}

/// The type of an image, its width and its height.
fn measure(bytes: &[u8]) -> Option<(&'static str, u64, u64)> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        let header = bytes.get(8..)?.strip_prefix(b"\0\0\0\x0dIHDR")?;
        let (width, height) = (number(header.get(..4)?), number(header.get(4..8)?));
        return Some(("image/png", width, height));
    }
    let (width, height) = frame(bytes.strip_prefix(b"\xff\xd8")?)?;
    Some(("image/jpeg", width, height))
}

/// Skips the segments of a JPEG up to the frame header, which has the dimensions.
fn frame(mut rest: &[u8]) -> Option<(u64, u64)> {
    loop {
        rest = rest.strip_prefix(b"\xff")?;
        // Fill bytes may precede a marker.
        while let Some(behind) = rest.strip_prefix(b"\xff") {
            rest = behind;
        }
        let (&marker, behind) = rest.split_first()?;
        rest = behind;
        match marker {
            // Markers without a segment.
            0x01 | 0xd0..=0xd7 => {}
            // The image data, or the end, comes before any dimensions.
            0xd8..=0xda => return None,
            0xc0..=0xcf if ![0xc4, 0xc8, 0xcc].contains(&marker) => {
                return Some((number(rest.get(5..7)?), number(rest.get(3..5)?)));
            }
            _ => {
                let length = usize::try_from(number(rest.get(..2)?)).ok()?;
                rest = rest.get(length.max(2)..)?;
            }
        }
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes
    }

    #[test]
    fn images_are_measured_by_their_bytes() {
        assert_eq!(measure(&png(2500, 843)), Some(("image/png", 2500, 843)));
        let jpeg =
            b"\xff\xd8\xff\xe0\0\x04JF\xff\xff\xc4\0\x03x\xff\xc2\0\x11\x08\x06\x96\x09\xc4\x03";
        assert_eq!(measure(jpeg), Some(("image/jpeg", 2500, 1686)));
    }

    #[test]
    fn what_is_cut_off_or_something_else_has_no_size() {
        let whole = png(800, 250);
        for length in 0..whole.len() {
            assert_eq!(measure(&whole[..length]), None);
        }
        for wrong in [
            &b"GIF89a"[..],
            b"\xff\xd8\xff\xd9",
            b"\xff\xd8\xff\xe0\0\0",
            b"\xff\xd8\xff",
        ] {
            assert_eq!(measure(wrong), None);
        }
    }
}

//! The content of messages that users sent, which LINE keeps for download.

use std::collections::BTreeMap;

/// The type of the message that had the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentKind {
    /// An image.
    Image,
    /// A video.
    Video,
    /// An audio recording.
    Audio,
    /// Any file.
    File,
}

/// The bytes of content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentBytes {
    /// Exactly these bytes.
    Given(Vec<u8>),
    /// This many bytes, generated while they are sent: the byte at index n is n modulo 251.
    Filler(u64),
}

/// Whether content can be downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentFate {
    /// It can be downloaded.
    Ready,
    /// It is still being prepared for this many requests, for it or for its transcoding status.
    Preparing(u32),
    /// LINE could not prepare it.
    Failed,
    /// The user unsent the message.
    Unsent,
}

/// The content of a message that a user sent to the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The type of the message.
    pub kind: ContentKind,
    /// The `Content-Type` of the download; `None` leaves the header out.
    pub content_type: Option<String>,
    /// The bytes of the download.
    pub bytes: ContentBytes,
    /// Whether it can be downloaded.
    pub fate: ContentFate,
}

/// A PNG of one white pixel.
pub(crate) const PIXEL: [u8; 67] = [
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 10, b'I', b'D', b'A', b'T',
    0x78, 0x9c, 0x63, 0xf8, 0x0f, 0, 0x01, 0x01, 0x01, 0, 0xb1, 0x38, 0xf6, 0x14, 0, 0, 0, 0, b'I',
    b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

/// The content that is there from the start, one of each kind, by message ID.
pub(crate) fn samples() -> BTreeMap<String, Content> {
    let image = ContentBytes::Given(PIXEL.to_vec());
    let content = |kind, content_type: Option<&str>, bytes, fate| Content {
        kind,
        content_type: content_type.map(str::to_owned),
        bytes,
        fate,
    };
    let filler = ContentBytes::Filler;
    let (image_type, video_type) = (Some("image/png"), Some("video/mp4"));
    let all = [
        content(ContentKind::Image, image_type, image, ContentFate::Ready),
        content(
            ContentKind::Video,
            video_type,
            filler(100_000),
            ContentFate::Preparing(2),
        ),
        content(
            ContentKind::Audio,
            Some("audio/x-m4a"),
            filler(10_000),
            ContentFate::Ready,
        ),
        content(ContentKind::File, None, filler(5000), ContentFate::Ready),
        content(
            ContentKind::Image,
            image_type,
            filler(0),
            ContentFate::Unsent,
        ),
        content(
            ContentKind::Video,
            video_type,
            filler(0),
            ContentFate::Failed,
        ),
        content(
            ContentKind::Video,
            video_type,
            filler(300_000_000),
            ContentFate::Ready,
        ),
    ];
    let ids = 354_718_705_033_693_861_u64..;
    ids.map(|id| id.to_string()).zip(all).collect()
}

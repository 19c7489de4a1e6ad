//! Pictures, videos, sounds and other files. Their kind is read from the URL's ending, or from that of
//! `filename_override`; nothing is fetched here.

use line_connector_text::length::utf16;
use serde_json::{Value, json};

use crate::card::Shown;
use crate::choice::{Button, Choices, Tap};
use crate::composer::{Composer, Words};
use crate::link::{self, MAX_ACTION};
use crate::message::{MediaMessage, filled};
use crate::report::{Place, Problem, What};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Video,
    Audio,
    Other,
    /// The URL does not say.
    Unknown,
}

/// What the URL's ending says; `filename_override` is asked first.
fn kind(media: &MediaMessage<'_>) -> Kind {
    let own = filled(media.filename_override).and_then(link::ending);
    match own.or_else(|| link::ending(media.url)).as_deref() {
        Some("jpg" | "jpeg" | "jpe" | "jfif" | "png" | "apng") => Kind::Image,
        Some("mp4") => Kind::Video,
        Some("m4a" | "mp3") => Kind::Audio,
        // Programs, not files.
        Some("php" | "asp" | "aspx" | "ash" | "jsp" | "cgi") | None => Kind::Unknown,
        Some(_) => Kind::Other,
    }
}

/// The file's name: the caller's, or the last part of the URL's path.
fn name<'a>(media: &MediaMessage<'a>) -> &'a str {
    if let Some(name) = filled(media.filename_override) {
        return name;
    }
    let path = media.url.split(['?', '#']).next().unwrap_or_default();
    let name = path
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    filled(Some(name)).unwrap_or(media.url)
}

impl<'a> Composer<'a> {
    /// The messages of a media message.
    pub(crate) fn media(&mut self, media: &MediaMessage<'a>, place: &Place) -> Vec<Value> {
        let Some(url) = self.media_url(media.url, &place.key("url")) else {
            return Vec::new();
        };
        match kind(media) {
            Kind::Image => {
                let preview = self.thumbnail(media, place).unwrap_or_else(|| url.clone());
                vec![json!({
                    "type": "image", "originalContentUrl": url, "previewImageUrl": preview,
                })]
            }
            Kind::Video => self.preview(media, place).map_or_else(Vec::new, |preview| {
                vec![json!({
                    "type": "video", "originalContentUrl": url, "previewImageUrl": preview,
                })]
            }),
            Kind::Audio => match self.options.audio_duration_ms.filter(|duration| *duration > 0) {
                Some(duration) => vec![json!({
                    "type": "audio", "originalContentUrl": url, "duration": duration,
                })],
                None => self.as_link(
                    media,
                    place,
                    "is a link: LINE wants to know how long a sound plays; say so in `audio_duration_ms`",
                ),
            },
            Kind::Other => self.as_link(media, place, "is a link: LINE has no messages with such files"),
            Kind::Unknown => self.as_link(
                media,
                place,
                "is a link: its URL does not say what it is; say so in `filename_override`, as in photo.jpg",
            ),
        }
    }

    fn as_link(&mut self, media: &MediaMessage<'a>, place: &Place, why: &str) -> Vec<Value> {
        self.report.changed(place, What::Degraded, why);
        if filled(media.thumbnail_url).is_some() {
            let at = place.key("thumbnail_url");
            self.report
                .changed(&at, What::Dropped, "is not shown: a link has no picture");
        }
        let text = match filled(media.filename_override) {
            Some(name) => format!("{name}\n{}", media.url.trim()),
            None => media.url.trim().to_owned(),
        };
        self.texts(&text, &place.key("url"))
    }

    fn thumbnail(&mut self, media: &MediaMessage<'a>, place: &Place) -> Option<String> {
        let url = filled(media.thumbnail_url)?;
        self.media_url(url, &place.key("thumbnail_url"))
    }

    /// The picture that LINE demands of a video.
    fn preview(&mut self, media: &MediaMessage<'a>, place: &Place) -> Option<String> {
        if filled(media.thumbnail_url).is_some() {
            return self.thumbnail(media, place);
        }
        let at = place.key("thumbnail_url");
        let Some(default) = filled(self.options.video_thumbnail_url.as_deref()) else {
            let problem = Problem::new(place, "is a video without `thumbnail_url`");
            let problem = problem.expected("a JPEG or PNG picture of at most 1 MB");
            self.report
                .refuse(problem.hint("or set `video_thumbnail_url` for all videos"));
            return None;
        };
        self.report
            .changed(&at, What::Transcoded, "is the picture for all videos");
        self.media_url(default, &at)
    }

    /// What stands above a card's title, and what can be tapped to see it.
    pub(crate) fn shown(
        &mut self,
        media: &MediaMessage<'a>,
        place: &Place,
        in_carousel: bool,
        choices: &mut Choices<'a>,
    ) -> Option<Shown> {
        let url = self.media_url(media.url, &place.key("url"))?;
        match kind(media) {
            // Most pictures in cards come from services whose URLs have no endings.
            Kind::Image | Kind::Unknown => {
                if filled(media.thumbnail_url).is_some() {
                    let message = "is not needed: a card shows the picture itself";
                    self.report
                        .changed(&place.key("thumbnail_url"), What::Transcoded, message);
                }
                Some(Shown::Image(url))
            }
            Kind::Video if !in_carousel => {
                let preview = self.preview(media, place)?;
                Some(Shown::Video { url, preview })
            }
            Kind::Video => {
                let preview = self.preview(media, place)?;
                let message = "is a picture and a link: LINE plays no videos in a carousel";
                self.report.changed(place, What::Degraded, message);
                open("▶", media.url, url, place, choices);
                Some(Shown::Image(preview))
            }
            Kind::Audio | Kind::Other => {
                let message = "is a link: only pictures and videos are shown there";
                self.report.changed(place, What::Degraded, message);
                open(name(media), media.url, url, place, choices);
                self.thumbnail(media, place).map(Shown::Image)
            }
        }
    }
}

/// A button that opens a file, before all others.
fn open<'a>(label: &'a str, written: &str, uri: String, place: &Place, choices: &mut Choices<'a>) {
    if utf16(&uri) > MAX_ACTION {
        choices
            .lines
            .insert(0, format!("• {label}: {}", written.trim()));
        return;
    }
    let label = Words {
        text: label,
        place: place.clone(),
    };
    let tap = Tap::Uri { uri, desktop: None };
    choices.buttons.insert(
        0,
        Button {
            label,
            place: place.clone(),
            tap,
        },
    );
}

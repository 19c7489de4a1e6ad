//! Choices as what LINE can do on a tap: buttons, quick replies, or lines of text where LINE can do
//! nothing of the kind.

use line_connector_text::cut::shortened;
use line_connector_text::length::{code_points, utf16};
use serde_json::{Value, json};

use crate::composer::{Composer, MAX_DATA, Words};
use crate::flex::{object, set};
use crate::link::{self, MAX_ACTION};
use crate::message::{CHOICES, Choice, Coordinates, LocationMessage, filled};
use crate::options::TextChoice;
use crate::report::{Place, Problem, What};

/// The most quick replies below a message.
pub(crate) const MAX_QUICK_REPLIES: usize = 13;

/// The most characters on a template's button, and on a quick reply.
pub(crate) const MAX_LABEL: usize = 20;

/// The most characters that appear as said by the user.
const MAX_DISPLAY: usize = 300;

/// The longest URL that is written out instead of opened, characters.
const MAX_WRITTEN: usize = 4000;

/// LINE's own screen for sharing a location, in a chat with one user.
const SHARE_LOCATION: &str = "https://line.me/R/nv/location/";

/// A choice that LINE can do.
#[derive(Debug, Clone)]
pub(crate) struct Button<'a> {
    /// The text on it.
    pub(crate) label: Words<'a>,
    /// The choice.
    pub(crate) place: Place,
    pub(crate) tap: Tap,
}

/// What a tap does.
#[derive(Debug, Clone)]
pub(crate) enum Tap {
    /// Sends data, and shows the label as said by the user.
    Postback { data: String },
    /// Sends the label as if it had been typed.
    Message,
    /// Opens a page; on a desktop perhaps another one.
    Uri {
        uri: String,
        desktop: Option<String>,
    },
    /// Opens LINE's screen for sharing a location; quick replies only.
    Location,
}

/// Choices by what can be done with them.
#[derive(Debug, Default)]
pub(crate) struct Choices<'a> {
    pub(crate) buttons: Vec<Button<'a>>,
    /// Those that LINE cannot do, as text.
    pub(crate) lines: Vec<String>,
}

impl<'a> Composer<'a> {
    /// Reads the choices of a body. `quick` says that they will be quick replies.
    pub(crate) fn choices(
        &mut self,
        choices: &[Choice<'a>],
        place: &Place,
        quick: bool,
    ) -> Choices<'a> {
        let mut read = Choices::default();
        for (index, choice) in choices.iter().enumerate() {
            let place = place.index(index);
            if let Some((label, tap)) = self.choice(choice, &place, quick, &mut read.lines) {
                read.buttons.push(Button { label, place, tap });
            }
        }
        read
    }

    fn choice(
        &mut self,
        choice: &Choice<'a>,
        place: &Place,
        quick: bool,
        lines: &mut Vec<String>,
    ) -> Option<(Words<'a>, Tap)> {
        let there = [
            choice.text_message.is_some(),
            choice.url_message.is_some(),
            choice.call_message.is_some(),
            choice.location_message.is_some(),
            choice.calendar_message.is_some(),
            choice.share_location_message.is_some(),
        ];
        let count = there.into_iter().filter(|there| *there).count();
        if count != 1 {
            let problem = Problem::new(place, "must have exactly one kind of choice");
            let expected = crate::explain::one_of(&CHOICES);
            self.report
                .refuse(problem.expected(expected).found(count.to_string()));
            return None;
        }
        if let Some(text) = &choice.text_message {
            let label = self.label(text.text, &place.key("text_message"), "text")?;
            return Some((
                label.clone(),
                self.answer(&label, choice.postback_data, place)?,
            ));
        }
        if filled(choice.postback_data).is_some() {
            let at = place.key("postback_data");
            let message = "is lost: only text choices come back to your webhook";
            self.report.changed(&at, What::Dropped, message);
        }
        if let Some(url) = &choice.url_message {
            let at = place.key("url_message");
            let label = self.label(url.title, &at, "title")?;
            return self.page(label, url.url, &at.key("url"), lines);
        }
        if let Some(call) = &choice.call_message {
            let at = place.key("call_message");
            let label = self.label(call.title, &at, "title")?;
            let uri = self.telephone(call.phone_number, &at.key("phone_number"))?;
            return Some((label, Tap::Uri { uri, desktop: None }));
        }
        if let Some(location) = &choice.location_message {
            return self.map(location, &place.key("location_message"));
        }
        if let Some(calendar) = &choice.calendar_message {
            let at = place.key("calendar_message");
            let label = self.label(calendar.title, &at, "title")?;
            let message = "opens its `fallback_url`: LINE has no calendar for its event";
            self.report.changed(&at, What::Transcoded, message);
            return self.page(label, calendar.fallback_url, &at.key("fallback_url"), lines);
        }
        let share = choice.share_location_message.as_ref()?;
        let at = place.key("share_location_message");
        let label = self.label(share.title, &at, "title")?;
        if quick {
            return Some((label, Tap::Location));
        }
        let fallback = at.key("fallback_url");
        if self.options.group {
            let message = "opens its `fallback_url`: LINE shares locations with one user only";
            self.report.changed(&at, What::Transcoded, message);
            return self.page(label, share.fallback_url, &fallback, lines);
        }
        let message = "opens LINE's screen for sharing a location; on a desktop its `fallback_url`";
        self.report.changed(&at, What::Transcoded, message);
        let desktop = Some(link::encoded(share.fallback_url))
            .filter(|url| link::is_opened(url) && url.len() <= MAX_ACTION);
        let uri = SHARE_LOCATION.to_owned();
        Some((label, Tap::Uri { uri, desktop }))
    }

    /// The text on a button, which must have something to see.
    pub(crate) fn label(&mut self, text: &'a str, place: &Place, name: &str) -> Option<Words<'a>> {
        let place = place.key(name);
        if text.trim().is_empty() {
            let problem = Problem::new(&place, "is blank");
            self.report
                .refuse(problem.expected("a text with something to see"));
            return None;
        }
        Some(Words { text, place })
    }

    /// What a text choice sends.
    pub(crate) fn answer(
        &mut self,
        label: &Words<'a>,
        data: Option<&str>,
        place: &Place,
    ) -> Option<Tap> {
        let Some(data) = filled(data) else {
            return Some(match self.options.text_choice {
                TextChoice::Postback => Tap::Postback {
                    data: self.default_data(label.text),
                },
                TextChoice::Message => Tap::Message,
            });
        };
        let units = utf16(data);
        if units > MAX_DATA {
            let problem = Problem::new(&place.key("postback_data"), "is too long");
            self.report.refuse(
                problem
                    .expected(format!("at most {MAX_DATA} UTF-16 units"))
                    .found(format!("{units} UTF-16 units"))
                    .hint("data is never shortened: send a key, and keep the data under it"),
            );
            return None;
        }
        Some(Tap::Postback {
            data: data.to_owned(),
        })
    }

    /// A page to open; a line of text where LINE opens nothing of the kind.
    fn page(
        &mut self,
        label: Words<'a>,
        url: &str,
        place: &Place,
        lines: &mut Vec<String>,
    ) -> Option<(Words<'a>, Tap)> {
        let uri = link::encoded(url);
        if !uri.contains(':') || uri.len() > MAX_WRITTEN {
            let problem = Problem::new(place, "cannot be opened");
            let expected =
                format!("a URL such as https://example.com/, at most {MAX_ACTION} characters");
            self.report.refuse(
                problem
                    .expected(expected)
                    .found(format!("{} characters", uri.len())),
            );
            return None;
        }
        if link::is_opened(&uri) && uri.len() <= MAX_ACTION {
            self.report_encoding(url, &uri, place);
            return Some((label, Tap::Uri { uri, desktop: None }));
        }
        if link::is_opened(&uri) {
            let message = "is written out: it is too long for a button";
            self.report
                .exceeded(place, What::Degraded, (MAX_ACTION, uri.len()), message);
        } else {
            let message = "is written out: LINE opens http, https, line and tel only";
            self.report.changed(place, What::Degraded, message);
        }
        let label = self.plain(&label);
        lines.push(format!("• {label}: {}", url.trim()));
        None
    }

    /// A number to call.
    pub(crate) fn telephone(&mut self, number: &str, place: &Place) -> Option<String> {
        let uri = link::telephone(number);
        if uri.is_none() {
            let problem = Problem::new(place, "is no telephone number");
            self.report
                .refuse(problem.expected("a number as E.164, such as +81312345678"));
        }
        uri
    }

    fn map(&mut self, location: &LocationMessage<'a>, place: &Place) -> Option<(Words<'a>, Tap)> {
        let label = self.label(location.title, place, "title")?;
        if filled(location.label).is_some() {
            let message = "is not shown: a button has its title only";
            self.report
                .changed(&place.key("label"), What::Dropped, message);
        }
        let (latitude, longitude) = self.coordinates(&location.coordinates, place)?;
        let uri = format!("https://www.google.com/maps/search/?api=1&query={latitude},{longitude}");
        Some((label, Tap::Uri { uri, desktop: None }))
    }

    /// Degrees that exist, as they were written.
    pub(crate) fn coordinates(
        &mut self,
        coordinates: &Coordinates,
        place: &Place,
    ) -> Option<(serde_json::Number, serde_json::Number)> {
        let place = place.key("coordinates");
        let mut valid = true;
        for (name, degrees, limit) in [
            ("latitude", &coordinates.latitude, 90.0),
            ("longitude", &coordinates.longitude, 180.0),
        ] {
            if !degrees
                .as_f64()
                .is_some_and(|degrees| degrees.abs() <= limit)
            {
                valid = false;
                let problem = Problem::new(&place.key(name), "is not on the earth");
                let expected = format!("degrees from -{limit} to {limit}");
                self.report
                    .refuse(problem.expected(expected).found(degrees.to_string()));
            }
        }
        valid.then(|| (coordinates.latitude.clone(), coordinates.longitude.clone()))
    }

    /// LINE's action for a button whose label may have so many characters.
    pub(crate) fn action(&mut self, button: &Button<'a>, limit: usize) -> Value {
        let label = self.cut(&button.label, limit).into_owned();
        self.tap(&button.tap, &button.label, label)
    }

    /// LINE's action with this label, which may be shorter than what is said.
    pub(crate) fn tap(&mut self, tap: &Tap, said: &Words<'_>, label: String) -> Value {
        let label = ("label", Value::from(label));
        match tap {
            Tap::Postback { data } => object([
                ("type", "postback".into()),
                label,
                ("data", data.as_str().into()),
                ("displayText", self.said(said).into()),
            ]),
            Tap::Message => object([
                ("type", "message".into()),
                label,
                ("text", self.said(said).into()),
            ]),
            Tap::Uri { uri, desktop } => {
                let mut action =
                    object([("type", "uri".into()), label, ("uri", uri.as_str().into())]);
                if let Some(desktop) = desktop {
                    set(&mut action, "altUri", json!({"desktop": desktop}));
                }
                action
            }
            Tap::Location => object([("type", "location".into()), label]),
        }
    }

    /// What appears as said by the user.
    fn said(&mut self, label: &Words<'_>) -> String {
        let plain = self.without_emoji(label.text);
        if shortened(&plain, MAX_DISPLAY, code_points).is_none() {
            return plain.into_owned();
        }
        self.cut_plain(plain, &label.place, MAX_DISPLAY, code_points)
            .into_owned()
    }

    /// What a choice is as text.
    pub(crate) fn line(&self, button: &Button<'a>) -> String {
        let label = self.without_emoji(button.label.text);
        match &button.tap {
            Tap::Uri { uri, .. } => match uri.strip_prefix("tel:") {
                Some(number) => format!("• {label}: {number}"),
                None => format!("• {label}: {uri}"),
            },
            _ => format!("• {label}"),
        }
    }

    /// The quick reply of these buttons, which are few enough.
    pub(crate) fn quick_reply(&mut self, buttons: &[Button<'a>]) -> Value {
        let items: Vec<Value> = buttons
            .iter()
            .map(|button| {
                let mut action = self.action(button, MAX_LABEL);
                if let Value::Object(members) = &mut action {
                    // It has no effect there.
                    members.shift_remove("altUri");
                }
                json!({"type": "action", "action": action})
            })
            .collect();
        json!({"items": items})
    }

    /// Leaves so many buttons; the others become lines.
    pub(crate) fn list_rest(
        &mut self,
        buttons: &mut Vec<Button<'a>>,
        lines: &mut Vec<String>,
        limit: usize,
    ) {
        if buttons.len() <= limit {
            return;
        }
        let found = buttons.len();
        for button in buttons.split_off(limit) {
            let message = "is listed as text: there is no room for more buttons";
            self.report
                .exceeded(&button.place, What::Degraded, (limit, found), message);
            lines.push(self.line(&button));
        }
    }
}

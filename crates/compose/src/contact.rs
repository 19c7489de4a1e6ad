//! Contacts as Flex Messages, or as text where templates are wanted. A tap calls a number or opens a
//! page; mail addresses are text, since LINE opens no `mailto:`.

use serde_json::{Value, json};

use crate::composer::{Composer, Words};
use crate::flex::{self, Look, set};
use crate::link::{self, MAX_ACTION};
use crate::list::paged;
use crate::message::{Address, ContactInfoMessage, filled};
use crate::options::Render;
use crate::report::{Place, What};

/// A line of a contact.
struct Line<'a> {
    /// Such as WORK.
    kind: Option<&'a str>,
    value: String,
    place: Place,
    /// What a tap opens.
    uri: Option<String>,
}

impl<'a> Composer<'a> {
    /// The messages of a contact.
    pub(crate) fn contact(
        &mut self,
        contact: &ContactInfoMessage<'a>,
        place: &Place,
    ) -> Vec<Value> {
        let at = place.key("name");
        let Some(name) = self.label(contact.name.full_name, &at, "full_name") else {
            return Vec::new();
        };
        let shown = self.without_emoji(name.text);
        for (key, part) in [
            ("prefix", contact.name.prefix),
            ("first_name", contact.name.first_name),
            ("middle_name", contact.name.middle_name),
            ("last_name", contact.name.last_name),
            ("suffix", contact.name.suffix),
        ] {
            if filled(part).is_some_and(|part| !shown.contains(part.trim())) {
                let message = "is not shown: it is not in `full_name`";
                self.report.changed(&at.key(key), What::Dropped, message);
            }
        }
        let work = contact.organization.as_ref().and_then(|work| {
            let parts = [work.title, work.department, work.company];
            let parts: Vec<&str> = parts.into_iter().filter_map(filled).collect();
            (!parts.is_empty()).then(|| parts.join(", "))
        });
        let lines = self.contact_lines(contact, place);
        if self.options.render == Render::Template {
            self.report
                .changed(place, What::Transcoded, "is a text: LINE has no contacts");
            let kind =
                |kind: Option<&str>| kind.map_or_else(String::new, |kind| format!("{kind}: "));
            let lines = lines
                .iter()
                .map(|line| format!("{}{}", kind(line.kind), line.value));
            let all: Vec<String> = [name.text.to_owned()]
                .into_iter()
                .chain(work)
                .chain(lines)
                .collect();
            return self.texts(&all.join("\n"), place);
        }
        self.report.changed(
            place,
            What::Transcoded,
            "is a Flex Message: LINE has no contacts",
        );
        self.contact_bubbles(&name, work.as_deref(), &lines, place)
    }

    fn contact_bubbles(
        &mut self,
        name: &Words<'a>,
        work: Option<&str>,
        lines: &[Line<'a>],
        place: &Place,
    ) -> Vec<Value> {
        let mut messages = Vec::new();
        let alt_text = self.alt_text(&[name.text], &[]);
        let mut body = vec![flex::text(
            &self.flex_text(name, &mut messages),
            Look::Title,
        )];
        if let Some(work) = work {
            let words = Words {
                text: work,
                place: place.key("organization"),
            };
            body.push(flex::text(
                &self.flex_text(&words, &mut messages),
                Look::Description,
            ));
        }
        let first = flex::bubble(None, body, Vec::new());
        let mut rows = Vec::new();
        if !lines.is_empty() {
            rows.push(flex::separator());
        }
        for line in lines {
            rows.push(self.contact_row(line, &mut messages));
        }
        let drawn: Vec<(String, Value)> = paged(first, rows)
            .into_iter()
            .map(|bubble| (alt_text.clone(), bubble))
            .collect();
        let found = drawn.len();
        messages.extend(self.flex_messages(drawn, (place, found)));
        messages
    }

    fn contact_row(&mut self, line: &Line<'a>, whole: &mut Vec<Value>) -> Value {
        let mut contents = Vec::new();
        if let Some(kind) = line.kind {
            let words = Words {
                text: kind,
                place: line.place.key("type"),
            };
            let mut note = flex::text(&self.flex_text(&words, whole), Look::Note);
            set(&mut note, "flex", 1);
            contents.push(note);
        }
        let words = Words {
            text: &line.value,
            place: line.place.clone(),
        };
        let mut value = flex::text(&self.flex_text(&words, whole), Look::Row);
        set(&mut value, "flex", 3);
        if let Some(uri) = &line.uri {
            set(&mut value, "color", "#1a5fb4");
            set(&mut value, "action", json!({"type": "uri", "uri": uri}));
        }
        contents.push(value);
        flex::row(contents)
    }

    fn contact_lines(&mut self, contact: &ContactInfoMessage<'a>, place: &Place) -> Vec<Line<'a>> {
        let mut lines = Vec::new();
        for (index, phone) in contact.phone_numbers.iter().enumerate() {
            let place = place.key("phone_numbers").index(index);
            let number = phone.phone_number.trim();
            let uri = link::telephone(number);
            if uri.is_none() && !number.is_empty() {
                let message = "cannot be called: it is no number as E.164, such as +81312345678";
                self.report
                    .changed(&place.key("phone_number"), What::Degraded, message);
            }
            lines.push(Line {
                kind: filled(phone.r#type),
                value: number.to_owned(),
                place,
                uri,
            });
        }
        for (index, mail) in contact.email_addresses.iter().enumerate() {
            let place = place.key("email_addresses").index(index);
            let value = mail.email_address.trim().to_owned();
            lines.push(Line {
                kind: filled(mail.r#type),
                value,
                place,
                uri: None,
            });
        }
        for (index, address) in contact.addresses.iter().enumerate() {
            let place = place.key("addresses").index(index);
            let value = postal(address);
            lines.push(Line {
                kind: filled(address.r#type),
                value,
                place,
                uri: None,
            });
        }
        for (index, page) in contact.urls.iter().enumerate() {
            let place = place.key("urls").index(index);
            let value = page.url.trim().to_owned();
            let encoded = link::encoded(page.url);
            let opened = link::is_opened(&encoded) && encoded.len() <= MAX_ACTION;
            if !opened && !value.is_empty() {
                let message = "cannot be opened: LINE opens http, https, line and tel, at most 1000 characters";
                self.report
                    .changed(&place.key("url"), What::Degraded, message);
            }
            let uri = opened.then_some(encoded);
            lines.push(Line {
                kind: filled(page.r#type),
                value,
                place,
                uri,
            });
        }
        if let Some(birthday) = filled(contact.birthday) {
            let value = format!("🎂 {birthday}");
            lines.push(Line {
                kind: None,
                value,
                place: place.key("birthday"),
                uri: None,
            });
        }
        for line in lines.extract_if(.., |line| line.value.is_empty()) {
            self.report.changed(&line.place, What::Dropped, "is blank");
        }
        lines
    }
}

/// An address in one line; a country's code only where it has no name.
fn postal(address: &Address<'_>) -> String {
    let country = filled(address.country).or(filled(address.country_code));
    let parts = [
        filled(address.zip),
        filled(address.city),
        filled(address.state),
        country,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

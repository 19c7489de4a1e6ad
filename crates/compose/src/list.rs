//! Lists as Flex Messages: rows in sections, or bubbles side by side where most items have pictures.

use line_connector_text::cut::shortened;
use line_connector_text::length::{code_points, json_bytes};
use serde_json::Value;

use crate::card::{Panel, Shown};
use crate::choice::{Choices, Tap};
use crate::composer::{Composer, Words};
use crate::flex::{self, Look, MAX_BUBBLE, set};
use crate::message::{ListItem, ListMessage, MediaMessage, Product, filled};
use crate::report::{Code, Place, Problem, What};

/// What a bubble adds to its rows as JSON, bytes, at most.
const AROUND_ROWS: usize = 500;

/// An item of a list, read.
struct Row<'a> {
    title: Words<'a>,
    description: Option<Words<'a>>,
    picture: Option<String>,
    /// Nothing for a product.
    tap: Option<Tap>,
    /// What a product is, beside its ID.
    note: Option<String>,
}

impl<'a> Composer<'a> {
    /// The messages of a list.
    pub(crate) fn list(&mut self, list: &ListMessage<'a>, place: &Place) -> Vec<Value> {
        self.foreign(list.message_properties.as_ref(), place);
        let items = || list.sections.iter().flat_map(|section| &section.items);
        if items().next().is_none() {
            let problem = Problem::new(&place.key("sections"), "have no items");
            self.report
                .refuse(problem.expected("at least one section with an item"));
            return Vec::new();
        }
        if items().all(|item| item.product.is_some() && item.choice.is_none()) {
            let problem = Problem::new(
                place,
                "lists products of a catalogue, which LINE does not have",
            );
            self.report.refuse(
                problem
                    .code(Code::UnsupportedOperation)
                    .hint("write the products as `choice`, or as cards of a `carousel_message`"),
            );
            return Vec::new();
        }
        let Some(title) = self.label(list.title, place, "title") else {
            return Vec::new();
        };
        self.report.changed(
            place,
            What::Transcoded,
            "is a Flex Message: LINE has no lists",
        );
        let mut choices = Choices::default();
        let shown = list
            .media
            .as_ref()
            .and_then(|media| self.shown(media, &place.key("media"), true, &mut choices));
        let mut sections = Vec::new();
        for (index, section) in list.sections.iter().enumerate() {
            let at = place.key("sections").index(index);
            let heading = Words::optional(section.title, &at, "title");
            if section.items.is_empty() {
                let message = "is not shown: it has no items";
                self.report.changed(&at, What::Dropped, message);
                continue;
            }
            let mut rows = Vec::new();
            for (index, item) in section.items.iter().enumerate() {
                let at = at.key("items").index(index);
                rows.extend(self.list_row(item, &at, &mut choices.lines));
            }
            sections.push((heading, rows));
        }
        let rows = || sections.iter().flat_map(|(_, rows)| rows);
        let pictured = rows().filter(|row| row.picture.is_some()).count();
        let in_bubbles = 2 * pictured > rows().count();
        let head = Panel {
            place: place.clone(),
            shown,
            height: None,
            title: Some(title),
            text: Words::optional(list.description, place, "description"),
            buttons: choices.buttons,
            lines: choices.lines,
        };
        if in_bubbles {
            self.list_in_bubbles(head, &sections)
        } else {
            self.list_in_rows(head, &sections)
        }
    }

    fn list_row(
        &mut self,
        item: &ListItem<'a>,
        place: &Place,
        lines: &mut Vec<String>,
    ) -> Option<Row<'a>> {
        match (&item.choice, &item.product) {
            (Some(choice), None) => {
                let place = place.key("choice");
                let title = self.label(choice.title, &place, "title")?;
                let tap = self.answer(&title, choice.postback_data, &place)?;
                let media = choice.media.as_ref();
                let picture = media
                    .and_then(|media| self.row_picture(media, &title, &place.key("media"), lines));
                let description = Words::optional(choice.description, &place, "description");
                Some(Row {
                    title,
                    description,
                    picture,
                    tap: Some(tap),
                    note: None,
                })
            }
            (None, Some(product)) => {
                let place = place.key("product");
                let title = self.label(product.id, &place, "id")?;
                let message = "is a row with its ID and price: LINE has no catalogue";
                self.report.changed(&place, What::Degraded, message);
                let note = product_note(product);
                Some(Row {
                    title,
                    description: None,
                    picture: None,
                    tap: None,
                    note,
                })
            }
            (choice, product) => {
                let problem = Problem::new(place, "must have either `choice` or `product`");
                let count = usize::from(choice.is_some()) + usize::from(product.is_some());
                self.report.refuse(problem.found(count.to_string()));
                None
            }
        }
    }

    /// A row's picture. Of another file there is a button or a line at the end.
    fn row_picture(
        &mut self,
        media: &MediaMessage<'a>,
        title: &Words<'a>,
        place: &Place,
        lines: &mut Vec<String>,
    ) -> Option<String> {
        let mut more = Choices::default();
        let shown = self.shown(media, place, true, &mut more);
        for button in more.buttons {
            if let Tap::Uri { uri, .. } = &button.tap {
                let name = self.without_emoji(title.text);
                lines.push(format!("• {name}: {uri}"));
            }
        }
        lines.extend(more.lines);
        match shown {
            Some(Shown::Image(url)) => Some(url),
            _ => None,
        }
    }

    /// What a tap on a row does.
    fn row_action(&mut self, row: &Row<'a>) -> Option<Value> {
        // Never shown; read aloud.
        let label = self.without_emoji(row.title.text);
        let short = shortened(&label, flex::MAX_LABEL, code_points);
        let label = short.unwrap_or_else(|| label.into_owned());
        Some(self.tap(row.tap.as_ref()?, &row.title, label))
    }

    fn row_texts(&mut self, row: &Row<'a>, look: Look, whole: &mut Vec<Value>) -> Vec<Value> {
        let mut texts = vec![flex::text(&self.flex_text(&row.title, whole), look)];
        if let Some(description) = &row.description {
            texts.push(flex::text(
                &self.flex_text(description, whole),
                Look::Description,
            ));
        }
        if let Some(note) = &row.note {
            texts.push(flex::text(note, Look::Description));
        }
        texts
    }

    fn list_in_rows(
        &mut self,
        head: Panel<'a>,
        sections: &[(Option<Words<'a>>, Vec<Row<'a>>)],
    ) -> Vec<Value> {
        let mut messages = Vec::new();
        let place = head.place.clone();
        let alt_text = self.carousel_alt_text(std::slice::from_ref(&head));
        let first = self.bubble(head, &mut messages);
        let mut parts: Vec<Value> = Vec::new();
        for (heading, rows) in sections {
            parts.push(flex::separator());
            if let Some(heading) = heading {
                parts.push(flex::text(
                    &self.flex_text(heading, &mut messages),
                    Look::Note,
                ));
            }
            for row in rows {
                parts.push(self.flex_row(row, &mut messages));
            }
        }
        let bubbles = paged(first, parts);
        let found = bubbles.len();
        let drawn = bubbles
            .into_iter()
            .map(|bubble| (alt_text.clone(), bubble))
            .collect();
        messages.extend(self.flex_messages(drawn, (&place, found)));
        messages
    }

    fn flex_row(&mut self, row: &Row<'a>, whole: &mut Vec<Value>) -> Value {
        let mut contents = Vec::new();
        if let Some(url) = &row.picture {
            let mut picture = flex::image(url, "1:1");
            set(&mut picture, "size", "xs");
            set(&mut picture, "flex", 0);
            contents.push(picture);
        }
        let texts = self.row_texts(row, Look::Row, whole);
        let mut column = flex::column(texts);
        set(&mut column, "spacing", "none");
        contents.push(column);
        let action = self.row_action(row);
        if action.is_some() {
            let mut chevron = flex::text("›", Look::Description);
            set(&mut chevron, "flex", 0);
            set(&mut chevron, "gravity", "center");
            contents.push(chevron);
        }
        let mut drawn = flex::row(contents);
        set(&mut drawn, "paddingTop", "sm");
        set(&mut drawn, "paddingBottom", "sm");
        if let Some(action) = action {
            set(&mut drawn, "action", action);
        }
        drawn
    }

    fn list_in_bubbles(
        &mut self,
        head: Panel<'a>,
        sections: &[(Option<Words<'a>>, Vec<Row<'a>>)],
    ) -> Vec<Value> {
        let mut messages = Vec::new();
        let place = head.place.clone();
        let alt_text = self.carousel_alt_text(std::slice::from_ref(&head));
        let mut drawn = vec![(alt_text, self.bubble(head, &mut messages))];
        for (heading, rows) in sections {
            let heading = heading
                .as_ref()
                .map(|heading| self.flex_text(heading, &mut messages).into_owned());
            for row in rows {
                let mut body = Vec::new();
                body.extend(
                    heading
                        .as_ref()
                        .map(|heading| flex::text(heading, Look::Note)),
                );
                body.extend(self.row_texts(row, Look::Title, &mut messages));
                let hero = row.picture.as_ref().map(|url| flex::image(url, "20:13"));
                let mut bubble = flex::bubble(hero, body, Vec::new());
                if let Some(action) = self.row_action(row) {
                    set(&mut bubble, "action", action);
                }
                drawn.push((row.title.text.to_owned(), bubble));
            }
        }
        let found = drawn.len();
        messages.extend(self.flex_messages(drawn, (&place, found)));
        messages
    }
}

/// A product's price and number.
fn product_note(product: &Product<'_>) -> Option<String> {
    let quantity = product
        .quantity
        .as_ref()
        .map(|quantity| format!("{quantity} ×"));
    let price = product.item_price.as_ref().map(ToString::to_string);
    let currency = filled(product.currency).map(str::to_owned);
    let market = filled(product.marketplace).map(|market| format!("({market})"));
    let parts: Vec<String> = [quantity, price, currency, market]
        .into_iter()
        .flatten()
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Parts in the body of a bubble, and of as many further ones as its limit makes necessary.
pub(crate) fn paged(first: Value, parts: Vec<Value>) -> Vec<Value> {
    let mut bytes = json_bytes(&first) + AROUND_ROWS;
    let mut first = first;
    let mut bubbles: Vec<Vec<Value>> = vec![Vec::new()];
    for part in parts {
        let own = json_bytes(&part) + 1;
        if bytes + own > MAX_BUBBLE {
            bubbles.push(Vec::new());
            bytes = AROUND_ROWS;
        }
        bytes += own;
        if let Some(last) = bubbles.last_mut() {
            last.push(part);
        }
    }
    let mut pages = bubbles.into_iter();
    let own = pages.next().unwrap_or_default();
    let body = first
        .pointer_mut("/body/contents")
        .and_then(Value::as_array_mut);
    match body {
        Some(body) => body.extend(own),
        None => set(&mut first, "body", flex::column(own)),
    }
    let further = pages.map(|parts| flex::bubble(None, parts, Vec::new()));
    std::iter::once(first).chain(further).collect()
}

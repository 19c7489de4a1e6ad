//! Choice messages, cards and carousels: templates where every part fits unchanged, otherwise Flex.

use line_connector_text::cut::shortened;
use line_connector_text::length::{code_points, escaped_bytes, json_bytes};
use serde_json::{Map, Value, json};

use crate::choice::{Button, Choices, MAX_LABEL, MAX_QUICK_REPLIES};
use crate::composer::{Composer, MAX_FLEX_TEXT, Words};
use crate::flex::{self, Look, MAX_BUBBLE, set};
use crate::message::{CardMessage, CarouselMessage, ChoiceMessage, Height};
use crate::options::{self, Render};
use crate::report::{Place, Problem, What};

/// The most buttons in a buttons template, and in a column of a carousel template.
const BUTTONS: Limits = Limits {
    buttons: 4,
    text: 160,
};
const COLUMN: Limits = Limits {
    buttons: 3,
    text: 120,
};

/// The most columns in a carousel template.
const MAX_COLUMNS: usize = 10;

/// The most characters in a template's title.
const MAX_TITLE: usize = 40;

/// The most characters in a template's text beside an image or a title.
const MAX_TEXT_BESIDE: usize = 60;

/// The most characters in a confirm template's text.
const MAX_CONFIRM: usize = 240;

/// The most buttons in a bubble.
const MAX_FLEX_BUTTONS: usize = 13;

/// What a bubble adds to its parts as JSON, bytes, at most.
const AROUND: usize = 600;

/// What a template takes.
#[derive(Debug, Clone, Copy)]
struct Limits {
    buttons: usize,
    /// Characters of the text where it stands alone.
    text: usize,
}

/// What stands above a card's title.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    Image(String),
    Video { url: String, preview: String },
}

/// What choices, cards and a carousel's cards have in common.
#[derive(Debug, Clone)]
pub(crate) struct Panel<'a> {
    pub(crate) place: Place,
    pub(crate) shown: Option<Shown>,
    pub(crate) height: Option<Height>,
    pub(crate) title: Option<Words<'a>>,
    pub(crate) text: Option<Words<'a>>,
    pub(crate) buttons: Vec<Button<'a>>,
    /// Choices that LINE cannot do, as text.
    pub(crate) lines: Vec<String>,
}

/// Why a template does not take a panel.
struct Misfit {
    amounts: Option<(usize, usize)>,
    why: &'static str,
}

impl<'a> Panel<'a> {
    fn image(&self) -> Option<&str> {
        match &self.shown {
            Some(Shown::Image(url)) => Some(url),
            _ => None,
        }
    }

    /// A template's title and text: it demands a text, so that a title alone is one.
    fn template_texts(&self) -> (Option<&Words<'a>>, Option<&Words<'a>>) {
        match (&self.title, &self.text) {
            (Some(title), None) => (None, Some(title)),
            (title, text) => (title.as_ref(), text.as_ref()),
        }
    }

    /// The most characters that the text may have.
    fn text_limit(&self, limits: Limits) -> usize {
        let beside = self.image().is_some() || self.template_texts().0.is_some();
        if beside { MAX_TEXT_BESIDE } else { limits.text }
    }

    fn is_square(&self) -> bool {
        self.height == Some(Height::Tall)
    }

    fn ratio(&self, video: bool) -> &'static str {
        match self.height {
            Some(Height::Short) => "20:9",
            Some(Height::Tall) => "1:1",
            _ if video => "16:9",
            _ => "20:13",
        }
    }

    fn alt_lines(&self) -> Vec<&'a str> {
        let words = self.title.iter().chain(&self.text);
        words.map(|words| words.text).collect()
    }

    fn labels(&self) -> Vec<&'a str> {
        self.buttons
            .iter()
            .map(|button| button.label.text)
            .collect()
    }
}

impl<'a> Composer<'a> {
    /// The messages of a text with choices.
    pub(crate) fn choice_message(
        &mut self,
        message: &ChoiceMessage<'a>,
        place: &Place,
    ) -> Vec<Value> {
        let text = message.text_message.as_ref().map(|text| text.text);
        let text = Words::optional(text, &place.key("text_message"), "text");
        self.foreign(message.message_properties.as_ref(), place);
        let at = place.key("choices");
        if message.choices.is_empty() {
            let problem = Problem::new(&at, "is empty");
            self.report
                .refuse(problem.expected("at least one choice; a text alone is a `text_message`"));
            return Vec::new();
        }
        let wants_quick = self.options.choices == options::Choices::QuickReply;
        let quick = wants_quick && self.is_last && text.is_some();
        if wants_quick && !quick {
            let message =
                "are buttons: quick replies stand below the last message, which has a text";
            self.report.changed(&at, What::Transcoded, message);
        }
        let Choices { buttons, lines } = self.choices(&message.choices, &at, quick);
        match text {
            Some(text) if quick => self.text_with_quick_reply(&text, buttons, lines),
            Some(text) if self.is_confirm(&text, &buttons, &lines) => {
                vec![self.confirm(&text, &buttons)]
            }
            text => {
                let place = place.clone();
                self.panel(Panel {
                    place,
                    shown: None,
                    height: None,
                    title: None,
                    text,
                    buttons,
                    lines,
                })
            }
        }
    }

    fn text_with_quick_reply(
        &mut self,
        text: &Words<'a>,
        mut buttons: Vec<Button<'a>>,
        mut lines: Vec<String>,
    ) -> Vec<Value> {
        self.list_rest(&mut buttons, &mut lines, MAX_QUICK_REPLIES);
        let whole = [text.text]
            .into_iter()
            .chain(lines.iter().map(String::as_str));
        let whole: Vec<&str> = whole.collect();
        let mut messages = self.texts(&whole.join("\n"), &text.place);
        if !buttons.is_empty()
            && let Some(last) = messages.last_mut()
        {
            set(last, "quickReply", self.quick_reply(&buttons));
        }
        messages
    }

    fn is_confirm(&self, text: &Words<'a>, buttons: &[Button<'a>], lines: &[String]) -> bool {
        self.options.choices == options::Choices::Confirm
            && self.options.render != Render::Flex
            && buttons.len() == 2
            && lines.is_empty()
            && code_points(&self.without_emoji(text.text)) <= MAX_CONFIRM
            && buttons.iter().all(|button| self.label_fits(button))
    }

    fn label_fits(&self, button: &Button<'a>) -> bool {
        code_points(&self.without_emoji(button.label.text)) <= MAX_LABEL
    }

    fn confirm(&mut self, text: &Words<'a>, buttons: &[Button<'a>]) -> Value {
        let alt_text = self.alt_text(&[text.text], &[]);
        let actions = self.actions(buttons);
        let text = self.plain(text);
        flex::template(
            json!({"type": "confirm", "text": text, "actions": actions}),
            alt_text,
        )
    }

    fn actions(&mut self, buttons: &[Button<'a>]) -> Vec<Value> {
        buttons
            .iter()
            .map(|button| self.action(button, MAX_LABEL))
            .collect()
    }

    /// The messages of a card.
    pub(crate) fn card(&mut self, card: &CardMessage<'a>, place: &Place) -> Vec<Value> {
        match self.read_card(card, place, false) {
            Some(panel) => self.panel(panel),
            None => Vec::new(),
        }
    }

    fn read_card(
        &mut self,
        card: &CardMessage<'a>,
        place: &Place,
        in_carousel: bool,
    ) -> Option<Panel<'a>> {
        self.foreign(card.message_properties.as_ref(), place);
        let mut choices = self.choices(&card.choices, &place.key("choices"), false);
        let shown = card.media_message.as_ref().and_then(|media| {
            self.shown(
                media,
                &place.key("media_message"),
                in_carousel,
                &mut choices,
            )
        });
        let title = Words::optional(card.title, place, "title");
        let text = Words::optional(card.description, place, "description");
        let has_media = card.media_message.is_some();
        if title.is_none() && text.is_none() && !has_media && card.choices.is_empty() {
            let problem = Problem::new(place, "has nothing to show");
            self.report
                .refuse(problem.expected("a title, a description, media or choices"));
            return None;
        }
        let Choices { buttons, lines } = choices;
        let height = card.height.filter(|height| *height != Height::Unspecified);
        Some(Panel {
            place: place.clone(),
            shown,
            height,
            title,
            text,
            buttons,
            lines,
        })
    }

    /// A panel as messages, the way that the options want.
    pub(crate) fn panel(&mut self, panel: Panel<'a>) -> Vec<Value> {
        match self.options.render {
            Render::Flex => self.flex_panel(panel),
            Render::Template => self.templates(&panel),
            Render::Auto => match self.misfit(&panel, BUTTONS) {
                None => vec![self.buttons_template(&panel)],
                Some(misfit) => {
                    self.report_flex(&panel.place, &misfit);
                    self.flex_panel(panel)
                }
            },
        }
    }

    fn report_flex(&mut self, place: &Place, misfit: &Misfit) {
        let message = format!("is a Flex Message: {}", misfit.why);
        match misfit.amounts {
            Some(amounts) => self
                .report
                .exceeded(place, What::Transcoded, amounts, message),
            None => self.report.changed(place, What::Transcoded, message),
        }
    }

    /// Why a template with these limits does not take a panel unchanged; `None` if it does.
    fn misfit(&self, panel: &Panel<'a>, limits: Limits) -> Option<Misfit> {
        let simple = |why| Some(Misfit { amounts: None, why });
        let beyond = |limit, found, why| {
            (found > limit).then_some(Misfit {
                amounts: Some((limit, found)),
                why,
            })
        };
        if !panel.lines.is_empty() {
            return simple("a choice that LINE cannot do is listed as text");
        }
        if panel.buttons.is_empty() {
            return simple("a template needs a button");
        }
        if matches!(panel.shown, Some(Shown::Video { .. })) {
            return simple("a template shows no video");
        }
        let (title, text) = panel.template_texts();
        let Some(text) = text else {
            return simple("a template needs a text");
        };
        let length = |words: &Words<'a>| code_points(&self.without_emoji(words.text));
        let label = panel
            .buttons
            .iter()
            .map(|button| length(&button.label))
            .max()
            .unwrap_or(0);
        let buttons = panel.buttons.len();
        beyond(
            limits.buttons,
            buttons,
            "a template has no room for so many buttons",
        )
        .or_else(|| {
            beyond(
                MAX_LABEL,
                label,
                "a template has no room for so long a button",
            )
        })
        .or_else(|| {
            beyond(
                MAX_TITLE,
                title.map_or(0, length),
                "a template has no room for so long a title",
            )
        })
        .or_else(|| {
            beyond(
                panel.text_limit(limits),
                length(text),
                "a template has no room for so long a text",
            )
        })
    }

    /// What a buttons template and a column share. What is too long is shortened.
    fn template_parts(&mut self, panel: &Panel<'a>, limits: Limits) -> Map<String, Value> {
        let mut parts = Map::with_capacity(4);
        if let Some(url) = panel.image() {
            parts.insert("thumbnailImageUrl".to_owned(), url.into());
        }
        let (title, text) = panel.template_texts();
        if let Some(title) = title {
            parts.insert("title".to_owned(), self.cut(title, MAX_TITLE).into());
        }
        let text = match text {
            Some(text) => self.cut(text, panel.text_limit(limits)).into_owned(),
            None => self.stand_in(panel, panel.text_limit(limits)),
        };
        parts.insert("text".to_owned(), text.into());
        let buttons = panel
            .buttons
            .get(..limits.buttons)
            .unwrap_or(&panel.buttons);
        parts.insert("actions".to_owned(), self.actions(buttons).into());
        parts
    }

    /// The labels, where a template demands a text and there is none.
    fn stand_in(&self, panel: &Panel<'a>, limit: usize) -> String {
        let labels = self.without_emoji(&panel.labels().join(" / ")).into_owned();
        shortened(&labels, limit, code_points).unwrap_or(labels)
    }

    fn buttons_template(&mut self, panel: &Panel<'a>) -> Value {
        let alt_text = self.alt_text(&panel.alt_lines(), &panel.labels());
        let mut template = Map::with_capacity(6);
        template.insert("type".to_owned(), "buttons".into());
        if let Some(ratio) = template_ratio([panel]) {
            template.insert("imageAspectRatio".to_owned(), ratio.into());
        }
        template.extend(self.template_parts(panel, BUTTONS));
        flex::template(Value::Object(template), alt_text)
    }

    /// A panel as templates, whatever that costs.
    fn templates(&mut self, panel: &Panel<'a>) -> Vec<Value> {
        let mut messages = Vec::new();
        let mut panel = panel.clone();
        if let Some(Shown::Video { url, preview }) = panel
            .shown
            .take_if(|shown| matches!(shown, Shown::Video { .. }))
        {
            let message = "is a message of its own: a template shows no video";
            self.report.changed(&panel.place, What::Transcoded, message);
            messages.push(json!({
                "type": "video", "originalContentUrl": url, "previewImageUrl": preview,
            }));
        }
        if panel.buttons.is_empty() {
            messages.extend(self.without_buttons(&panel));
            return messages;
        }
        let all = std::mem::take(&mut panel.buttons);
        let count = all.len().div_ceil(BUTTONS.buttons);
        if count > 1 {
            let message = format!(
                "is {count} templates: one has room for {} buttons",
                BUTTONS.buttons
            );
            let amounts = (BUTTONS.buttons, all.len());
            self.report
                .exceeded(&panel.place, What::Split, amounts, message);
        }
        for (index, buttons) in all.chunks(BUTTONS.buttons).enumerate() {
            panel.buttons = buttons.to_vec();
            if index == 0 {
                messages.push(self.buttons_template(&panel));
            } else {
                messages.push(self.more_buttons(&panel));
            }
        }
        messages.extend(self.listed(&panel));
        messages
    }

    /// Further buttons of a panel below its title, which has been shown and reported.
    fn more_buttons(&mut self, panel: &Panel<'a>) -> Value {
        let lines = panel.alt_lines();
        let alt_text = self.alt_text(&lines, &panel.labels());
        let text = lines
            .first()
            .map(|line| self.without_emoji(line).into_owned());
        let text = text.unwrap_or_else(|| panel.labels().join(" / "));
        let text = shortened(&text, BUTTONS.text, code_points).unwrap_or(text);
        let actions = self.actions(&panel.buttons);
        flex::template(
            json!({"type": "buttons", "text": text, "actions": actions}),
            alt_text,
        )
    }

    /// A template demands a button: without one there are an image and texts.
    fn without_buttons(&mut self, panel: &Panel<'a>) -> Vec<Value> {
        let message = "is an image and a text: a template needs a button";
        self.report.changed(&panel.place, What::Transcoded, message);
        let mut messages = Vec::new();
        if let Some(url) = panel.image() {
            messages.push(json!({
                "type": "image", "originalContentUrl": url, "previewImageUrl": url,
            }));
        }
        let lines: Vec<&str> = panel
            .title
            .iter()
            .chain(&panel.text)
            .map(|words| words.text)
            .collect();
        if !lines.is_empty() {
            messages.extend(self.texts(&lines.join("\n"), &panel.place));
        }
        messages.extend(self.listed(panel));
        messages
    }

    fn listed(&mut self, panel: &Panel<'a>) -> Vec<Value> {
        if panel.lines.is_empty() {
            return Vec::new();
        }
        self.texts(&panel.lines.join("\n"), &panel.place)
    }

    /// A panel as a Flex Message, and texts that are too long for it before that.
    fn flex_panel(&mut self, panel: Panel<'a>) -> Vec<Value> {
        let alt_text = self.alt_text(&panel.alt_lines(), &panel.labels());
        let mut messages = Vec::new();
        let bubble = self.bubble(panel, &mut messages);
        messages.push(flex::message(vec![bubble], alt_text));
        messages
    }

    /// A panel as a bubble. What is too long for it goes into text messages, which are added to `whole`.
    pub(crate) fn bubble(&mut self, mut panel: Panel<'a>, whole: &mut Vec<Value>) -> Value {
        let mut body = Vec::new();
        if let Some(title) = &panel.title {
            body.push(flex::text(&self.flex_text(title, whole), Look::Title));
        }
        if let Some(text) = &panel.text {
            let look = if panel.title.is_some() {
                Look::Description
            } else {
                Look::Body
            };
            body.push(flex::text(&self.flex_text(text, whole), look));
        }
        let mut lines = std::mem::take(&mut panel.lines);
        self.list_rest(&mut panel.buttons, &mut lines, MAX_FLEX_BUTTONS);
        let mut footer: Vec<Value> = panel
            .buttons
            .iter()
            .map(|button| self.flex_button(button))
            .collect();
        let hero = panel.shown.as_ref().map(|shown| hero(shown, &panel));
        let mut bytes: usize = AROUND
            + body
                .iter()
                .chain(&hero)
                .chain(&footer)
                .map(part_bytes)
                .sum::<usize>();
        let mut without_room = Vec::new();
        loop {
            let labels = panel
                .buttons
                .iter()
                .filter_map(|button| self.long_label(button));
            let listed = lines.iter().cloned().chain(labels);
            let listed: Vec<String> = listed.chain(without_room.iter().rev().cloned()).collect();
            let text = listed.join("\n");
            let shown = if escaped_bytes(&text) <= MAX_FLEX_TEXT {
                text.as_str()
            } else {
                ""
            };
            let needed = bytes + escaped_bytes(shown);
            if needed <= MAX_BUBBLE || footer.is_empty() {
                if !shown.is_empty() {
                    body.push(flex::text(shown, Look::Description));
                } else if !text.is_empty() {
                    whole.extend(self.texts(&text, &panel.place));
                }
                return flex::bubble(hero, body, footer);
            }
            bytes -= footer.pop().as_ref().map_or(0, part_bytes);
            if let Some(button) = panel.buttons.pop() {
                let message = "is listed as text: there is no room for more buttons";
                let amounts = (MAX_BUBBLE, needed);
                self.report
                    .exceeded(&button.place, What::Degraded, amounts, message);
                without_room.push(self.line(&button));
            }
        }
    }

    /// A label that no button has room for, as text.
    fn long_label(&self, button: &Button<'a>) -> Option<String> {
        let label = self.without_emoji(button.label.text);
        (code_points(&label) > flex::MAX_LABEL).then(|| format!("• {label}"))
    }

    fn flex_button(&mut self, button: &Button<'a>) -> Value {
        flex::button(self.action(button, flex::MAX_LABEL))
    }

    /// The messages of a carousel.
    pub(crate) fn carousel(&mut self, carousel: &CarouselMessage<'a>, place: &Place) -> Vec<Value> {
        let cards = place.key("cards");
        if carousel.cards.is_empty() {
            let problem = Problem::new(&cards, "is empty");
            self.report.refuse(problem.expected("at least one card"));
            return Vec::new();
        }
        let alone = carousel.cards.len() == 1;
        let mut panels = Vec::new();
        for (index, card) in carousel.cards.iter().enumerate() {
            panels.extend(self.read_card(card, &cards.index(index), !alone));
        }
        let mut messages = if panels.len() == 1 {
            panels
                .pop()
                .map_or_else(Vec::new, |panel| self.panel(panel))
        } else {
            self.panels(panels, place)
        };
        if !carousel.choices.is_empty() {
            self.outer_choices(carousel, place, &mut messages);
        }
        messages
    }

    fn panels(&mut self, panels: Vec<Panel<'a>>, place: &Place) -> Vec<Value> {
        match self.options.render {
            Render::Flex => self.flex_carousel(panels, place),
            Render::Template => self.carousel_templates(&panels, place),
            Render::Auto => match self.carousel_misfit(&panels) {
                None => vec![self.carousel_template(&panels)],
                Some(misfit) => {
                    self.report_flex(place, &misfit);
                    self.flex_carousel(panels, place)
                }
            },
        }
    }

    /// Why a carousel template does not take these cards unchanged.
    fn carousel_misfit(&self, panels: &[Panel<'a>]) -> Option<Misfit> {
        if panels.len() > MAX_COLUMNS {
            let amounts = Some((MAX_COLUMNS, panels.len()));
            return Some(Misfit {
                amounts,
                why: "a template has no room for so many cards",
            });
        }
        let own = panels.iter().find_map(|panel| self.misfit(panel, COLUMN));
        let (first, others) = panels.split_first()?;
        let unlike = || {
            let alike = others
                .iter()
                .all(|panel| likeness(panel) == likeness(first));
            let why = "a template wants as many buttons in all cards, and pictures and titles in all or none";
            (!alike).then_some(Misfit { amounts: None, why })
        };
        own.or_else(unlike)
    }

    fn carousel_template(&mut self, panels: &[Panel<'a>]) -> Value {
        let alt_text = self.carousel_alt_text(panels);
        let mut template = Map::with_capacity(6);
        template.insert("type".to_owned(), "carousel".into());
        if let Some(ratio) = template_ratio(panels) {
            template.insert("imageAspectRatio".to_owned(), ratio.into());
        }
        let columns: Vec<Value> = panels
            .iter()
            .map(|panel| Value::Object(self.template_parts(panel, COLUMN)))
            .collect();
        template.insert("columns".to_owned(), columns.into());
        flex::template(Value::Object(template), alt_text)
    }

    pub(crate) fn carousel_alt_text(&self, panels: &[Panel<'a>]) -> String {
        let first = |panel: &Panel<'a>| panel.alt_lines().first().copied();
        let lines: Vec<&str> = panels.iter().filter_map(first).collect();
        let labels: Vec<&str> = panels.iter().flat_map(Panel::labels).collect();
        self.alt_text(&lines, &labels)
    }

    /// Cards as templates, whatever that costs: neighbours that are alike become a carousel.
    fn carousel_templates(&mut self, panels: &[Panel<'a>], place: &Place) -> Vec<Value> {
        let mut messages = Vec::new();
        let mut count = 0;
        for run in panels.chunk_by(|left, right| {
            is_column(left) && is_column(right) && likeness(left) == likeness(right)
        }) {
            for columns in run.chunks(MAX_COLUMNS) {
                count += 1;
                match columns {
                    [panel] => messages.extend(self.templates(panel)),
                    columns => messages.push(self.carousel_template(columns)),
                }
            }
        }
        if count > 1 {
            let message =
                format!("is {count} templates: one has at most {MAX_COLUMNS} cards that are alike");
            self.report
                .exceeded(place, What::Split, (MAX_COLUMNS, panels.len()), message);
        }
        messages
    }

    fn flex_carousel(&mut self, panels: Vec<Panel<'a>>, place: &Place) -> Vec<Value> {
        let found = panels.len();
        let mut messages = Vec::new();
        let mut drawn = Vec::new();
        for panel in panels {
            let alone = std::slice::from_ref(&panel);
            let alt_text = self.carousel_alt_text(alone);
            drawn.push((alt_text, self.bubble(panel, &mut messages)));
        }
        messages.extend(self.flex_messages(drawn, (place, found)));
        messages
    }

    /// Bubbles, each with its alternative text, as Flex Messages.
    pub(crate) fn flex_messages(
        &mut self,
        drawn: Vec<(String, Value)>,
        (place, found): (&Place, usize),
    ) -> Vec<Value> {
        let (alt_texts, bubbles): (Vec<String>, Vec<Value>) = drawn.into_iter().unzip();
        let carousels = flex::carousels(bubbles);
        if carousels.len() > 1 {
            let message = format!(
                "is {} Flex Messages: one has at most {} bubbles and {} bytes",
                carousels.len(),
                flex::MAX_BUBBLES,
                flex::MAX_CAROUSEL,
            );
            self.report
                .exceeded(place, What::Split, (flex::MAX_BUBBLES, found), message);
        }
        let mut alt_texts = alt_texts.into_iter();
        carousels
            .into_iter()
            .map(|bubbles| {
                let lines: Vec<String> = alt_texts.by_ref().take(bubbles.len()).collect();
                let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                lines.dedup();
                let alt_text = self.alt_text(&lines, &[]);
                flex::message(bubbles, alt_text)
            })
            .collect()
    }

    /// Choices that belong to no card: quick replies below the carousel, or a message after it.
    fn outer_choices(
        &mut self,
        carousel: &CarouselMessage<'a>,
        place: &Place,
        messages: &mut Vec<Value>,
    ) {
        let place = place.key("choices");
        let quick = self.options.choices == options::Choices::QuickReply && self.is_last;
        let Choices {
            mut buttons,
            mut lines,
        } = self.choices(&carousel.choices, &place, quick);
        if !quick {
            let message = "are a message of their own: a carousel has no buttons below it";
            self.report.changed(&place, What::Transcoded, message);
            if !buttons.is_empty() || !lines.is_empty() {
                let panel = Panel {
                    place,
                    shown: None,
                    height: None,
                    title: None,
                    text: None,
                    buttons,
                    lines,
                };
                messages.extend(self.panel(panel));
            }
            return;
        }
        self.list_rest(&mut buttons, &mut lines, MAX_QUICK_REPLIES);
        if !lines.is_empty() {
            messages.extend(self.texts(&lines.join("\n"), &place));
        }
        if !buttons.is_empty()
            && let Some(last) = messages.last_mut()
        {
            set(last, "quickReply", self.quick_reply(&buttons));
        }
    }
}

/// What all columns of a carousel template have alike.
fn likeness(panel: &Panel<'_>) -> (usize, bool, bool, bool) {
    let titled = panel.template_texts().0.is_some();
    let pictured = panel.image().is_some();
    (
        panel.buttons.len(),
        pictured,
        titled,
        pictured && panel.is_square(),
    )
}

/// Whether a column of a carousel template can hold it, if its texts are shortened.
fn is_column(panel: &Panel<'_>) -> bool {
    let fits = (1..=COLUMN.buttons).contains(&panel.buttons.len());
    fits && panel.lines.is_empty() && !matches!(panel.shown, Some(Shown::Video { .. }))
}

/// How high pictures are in a template; `None` for LINE's default.
fn template_ratio<'p, 'a: 'p>(
    panels: impl IntoIterator<Item = &'p Panel<'a>>,
) -> Option<&'static str> {
    let mut pictured = panels.into_iter().filter(|panel| panel.image().is_some());
    let first = pictured.next()?;
    first.height.map(|_| {
        if first.is_square() {
            "square"
        } else {
            "rectangle"
        }
    })
}

/// The size of a component among others as JSON, bytes.
fn part_bytes(part: &Value) -> usize {
    json_bytes(part) + 1
}

/// What stands above a bubble's title.
fn hero(shown: &Shown, panel: &Panel<'_>) -> Value {
    match shown {
        Shown::Image(url) => flex::image(url, panel.ratio(false)),
        Shown::Video { url, preview } => {
            let ratio = panel.ratio(true);
            json!({
                "type": "video", "url": url, "previewUrl": preview, "aspectRatio": ratio,
                "altContent": flex::image(preview, ratio),
            })
        }
    }
}

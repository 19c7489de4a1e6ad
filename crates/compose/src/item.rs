//! One item: which kind of message it is, and what stands beside its body.

use line_connector_text::cut::shortened;
use line_connector_text::kind::a_kind_of;
use line_connector_text::length::utf16;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::composer::Composer;
use crate::explain::{explain, one_of};
use crate::flex::set;
use crate::message::{Agent, BODIES, Message, filled};
use crate::report::{Change, Code, Place, Problem, What};

/// The most that a sender's name may have, UTF-16 units.
const MAX_SENDER: usize = 20;

/// The most characters of a video's tracking ID.
const MAX_TRACKING: usize = 100;

/// The most characters of an aggregation unit.
const MAX_UNIT: usize = 30;

/// A message that an item became, and where in the item it comes from.
pub(crate) type Made = (Value, String);

impl<'a> Composer<'a> {
    /// The messages of an item.
    pub(crate) fn item(&mut self, item: &'a Value, place: &Place) -> Vec<Made> {
        let messages = match item {
            Value::String(text) => self.text_message(text, place),
            Value::Object(members) if members.contains_key("type") => vec![item.clone()],
            Value::Object(members) => return self.generic(item, members, place),
            other => {
                let message = format!("must be a text or an object, not {}", a_kind_of(other));
                self.report.refuse(Problem::new(place, message));
                Vec::new()
            }
        };
        made(messages, place)
    }

    fn generic(
        &mut self,
        item: &'a Value,
        members: &Map<String, Value>,
        place: &Place,
    ) -> Vec<Made> {
        if members.get("message").is_some_and(Value::is_object) {
            let problem = Problem::new(&place.key("message"), "stands in a whole request");
            self.report
                .refuse(problem.hint("write what it holds in its place: the item is the message"));
            return Vec::new();
        }
        let message = match Message::deserialize(item) {
            Ok(message) => message,
            Err(why) => {
                self.refuse(item, members, place, &why.to_string());
                return Vec::new();
            }
        };
        let line = message
            .explicit_channel_message
            .as_ref()
            .and_then(|all| all.get("LINE"));
        if let Some(line) = line {
            return self.explicit_item(&message, line, members, place);
        }
        let bodies = ["explicit_channel_message", "channel_specific_message"];
        let there = BODIES
            .iter()
            .filter(|name| members.get(**name).is_some_and(|body| !body.is_null()));
        let there: Vec<&str> = there
            .copied()
            .filter(|name| !bodies.contains(name))
            .collect();
        let [name] = there.as_slice() else {
            self.refuse_bodies(&message, &there, place);
            return Vec::new();
        };
        let at = place.key(name);
        let mut made = match &message.template_message {
            Some(template) => self.template_item(template, &at),
            None => made(self.body(&message, &at), &at),
        };
        self.sender(message.agent.as_ref(), &place.key("agent"), &mut made);
        self.properties(&message, &place.key("channel_properties"), &mut made);
        made
    }

    fn body(&mut self, message: &Message<'a>, place: &Place) -> Vec<Value> {
        let Message {
            text_message,
            media_message,
            choice_message,
            card_message,
            carousel_message,
            location_message,
            list_message,
            contact_info_message,
            ..
        } = message;
        if let Some(text) = text_message {
            return self.text_message(text.text, &place.key("text"));
        }
        let media = media_message.as_ref().map(|media| self.media(media, place));
        let choice = choice_message
            .as_ref()
            .map(|choice| self.choice_message(choice, place));
        let card = card_message.as_ref().map(|card| self.card(card, place));
        let carousel = carousel_message
            .as_ref()
            .map(|carousel| self.carousel(carousel, place));
        let location = location_message
            .as_ref()
            .map(|location| self.location(location, place));
        let list = list_message.as_ref().map(|list| self.list(list, place));
        let contact = contact_info_message
            .as_ref()
            .map(|contact| self.contact(contact, place));
        let all = [media, choice, card, carousel, location, list, contact];
        all.into_iter().flatten().flatten().collect()
    }

    /// Says what is wrong with an item that is no generic message.
    fn refuse(&mut self, item: &Value, members: &Map<String, Value>, place: &Place, why: &str) {
        let mut problems = explain(item, place);
        if !BODIES.iter().any(|body| members.contains_key(*body)) {
            let message = "is no message: LINE's have a `type`, generic ones a body";
            problems.insert(0, Problem::new(place, message).expected(one_of(&BODIES)));
        }
        if problems.is_empty() {
            problems.push(Problem::new(place, why));
        }
        self.report.problems.append(&mut problems);
    }

    fn refuse_bodies(&mut self, message: &Message<'a>, there: &[&str], place: &Place) {
        let specific = message
            .channel_specific_message
            .as_ref()
            .is_some_and(|all| all.contains_key("LINE"));
        let problem = if specific && there.is_empty() {
            let at = place.key("channel_specific_message").key("LINE");
            Problem::new(&at, "is a notification message, which no list of messages can hold")
                .code(Code::UnsupportedOperation)
                .hint("call the action for notification messages by template: `templateKey` and `body` instead of `messages`")
        } else if there.len() > 1 {
            Problem::new(
                place,
                format!("has {} bodies: {}", there.len(), there.join(", ")),
            )
            .expected("exactly one body")
            .hint("write them as items of their own")
        } else if message.explicit_channel_message.is_some()
            || message.channel_specific_message.is_some()
            || message.explicit_channel_omni_message.is_some()
        {
            Problem::new(place, "has nothing for LINE")
                .code(Code::UnsupportedOperation)
                .expected("`explicit_channel_message.LINE`, or a body")
        } else {
            Problem::new(place, "has no body").expected(one_of(&BODIES))
        };
        self.report.refuse(problem);
    }

    fn explicit_item(
        &mut self,
        message: &Message<'a>,
        line: &Value,
        members: &Map<String, Value>,
        place: &Place,
    ) -> Vec<Made> {
        for name in members
            .keys()
            .filter(|name| BODIES.contains(&name.as_str()))
        {
            if !matches!(
                name.as_str(),
                "explicit_channel_message" | "channel_specific_message"
            ) {
                let message =
                    "is for other channels: `explicit_channel_message.LINE` stands in for it";
                self.report
                    .changed(&place.key(name), What::Transcoded, message);
            }
        }
        if message.agent.is_some() {
            let message = "is not shown: LINE's own messages are passed on as they are";
            self.report
                .changed(&place.key("agent"), What::Dropped, message);
        }
        let at = place.key("explicit_channel_message").key("LINE");
        let mut made = made(self.explicit(line, &at), &at);
        self.properties(message, &place.key("channel_properties"), &mut made);
        made
    }

    /// The messages of a template; whatever happens to them is reported where it is named.
    fn template_item(
        &mut self,
        template: &crate::message::TemplateMessage,
        place: &Place,
    ) -> Vec<Made> {
        let items = self.stored(template, place).unwrap_or_default();
        let mut all = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if item.get("template_message").is_some() {
                let problem = Problem::new(place, "is a template that names a template");
                self.report
                    .refuse(problem.expected("a template of messages"));
                continue;
            }
            let is_last = self.is_last && index + 1 == items.len();
            let mut inner = Composer::new(item, self.options, is_last);
            let within = Place::item(index);
            all.extend(made(
                inner
                    .item(item, &within)
                    .into_iter()
                    .map(|(message, _)| message)
                    .collect(),
                place,
            ));
            self.request.append(&mut inner.request);
            let note = |path: &str, message: &str| format!("`{path}` of the template {message}");
            for change in inner.report.changes {
                let message = note(&change.path, &change.message);
                self.report.changes.push(Change {
                    path: place.to_string(),
                    message,
                    ..change
                });
            }
            for problem in inner.report.problems {
                let message = note(&problem.path, &problem.message);
                self.report.refuse(Problem {
                    path: place.to_string(),
                    message,
                    ..problem
                });
            }
        }
        all
    }

    /// Puts the agent's name and picture on messages.
    fn sender(&mut self, agent: Option<&Agent<'a>>, place: &Place, made: &mut [Made]) {
        let Some(agent) = agent else {
            return;
        };
        let mut sender = Map::new();
        if let Some(name) = filled(agent.display_name) {
            let at = place.key("display_name");
            let name = self.without_emoji(name);
            let short = shortened(&name, MAX_SENDER, utf16).is_some();
            let name = if short {
                self.cut_plain(name, &at, MAX_SENDER, utf16)
            } else {
                name
            };
            sender.insert("name".to_owned(), name.into());
        }
        if let Some(url) = filled(agent.picture_url)
            && let Some(url) = self.media_url(url, &place.key("picture_url"))
        {
            sender.insert("iconUrl".to_owned(), url.into());
        }
        if sender.is_empty() {
            return;
        }
        for (message, _) in made {
            set(message, "sender", sender.clone());
        }
    }

    /// What channel properties ask of LINE; those of other channels are not ours to judge.
    fn properties(&mut self, message: &Message<'a>, place: &Place, made: &mut [Made]) {
        for (name, value) in &message.channel_properties {
            let at = place.key(name);
            match *name {
                "LINE_VIDEO_TRACKING_ID" => self.tracking(value, &at, made),
                "LINE_OPEN_STATUS" => {
                    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                    if (1..=MAX_UNIT).contains(&value.len()) && value.bytes().all(is_word) {
                        let units = json!([value]);
                        self.request
                            .insert("customAggregationUnits".to_owned(), units);
                    } else {
                        let problem = Problem::new(&at, "is no name of a unit");
                        let expected = "1 to 30 letters, digits and underscores";
                        self.report.refuse(problem.expected(expected));
                    }
                }
                name if name.starts_with("LINE_") => {
                    let message =
                        "is not known; what a request may have stands beside its messages";
                    self.report.changed(&at, What::Dropped, message);
                }
                _ => {}
            }
        }
    }

    fn tracking(&mut self, id: &str, place: &Place, made: &mut [Made]) {
        const OTHERS: &str = "-.=,+*()%$&;:@{}!?<>[]";
        let valid =
            |character: char| character.is_ascii_alphanumeric() || OTHERS.contains(character);
        if !(1..=MAX_TRACKING).contains(&id.len()) || !id.chars().all(valid) {
            let problem = Problem::new(place, "is no tracking ID");
            let expected = format!("1 to {MAX_TRACKING} letters, digits and {OTHERS}");
            self.report.refuse(problem.expected(expected));
            return;
        }
        let videos = made
            .iter_mut()
            .filter(|(message, _)| message["type"] == "video");
        let mut any = false;
        for (message, _) in videos {
            set(message, "trackingId", id);
            any = true;
        }
        if !any {
            let message = "is for video messages, and there is none";
            self.report.changed(place, What::Dropped, message);
        }
    }
}

fn made(messages: Vec<Value>, place: &Place) -> Vec<Made> {
    messages
        .into_iter()
        .map(|message| (message, place.to_string()))
        .collect()
}

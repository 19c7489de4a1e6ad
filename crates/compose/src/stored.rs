//! Messages kept under a name, with places for parameters: `${name}` in their strings. Only strings are
//! filled in, so that no parameter can change what a message is.

use std::collections::{BTreeMap, BTreeSet};

use line_connector_text::nearest::nearest;
use serde_json::{Map, Value};

use crate::MAX_BYTES;
use crate::composer::Composer;
use crate::explain::{listed, one_of};
use crate::message::{TemplateMessage, TemplateReference, filled};
use crate::report::{Code, Place, Problem};

impl<'a> Composer<'a> {
    /// The items of the template that a message names, filled in.
    pub(crate) fn stored(
        &mut self,
        message: &TemplateMessage,
        place: &Place,
    ) -> Option<Vec<Value>> {
        let (reference, place) =
            match (message.channel_template.get("LINE"), &message.omni_template) {
                (Some(reference), _) => (reference, place.key("channel_template").key("LINE")),
                (None, Some(reference)) => (reference, place.key("omni_template")),
                (None, None) => {
                    let problem = Problem::new(place, "names no template for LINE");
                    let problem = problem.code(Code::TemplateNotFound);
                    self.report
                        .refuse(problem.expected("`channel_template.LINE` or `omni_template`"));
                    return None;
                }
            };
        let template = self.find(reference, &place)?;
        let mut filling = Filling {
            parameters: &reference.parameters,
            lacking: BTreeSet::new(),
            room: MAX_BYTES,
        };
        let filled = filling.fill(template);
        if !filling.lacking.is_empty() {
            let lacking: Vec<&str> = filling.lacking.iter().copied().collect();
            let problem =
                Problem::new(&place, format!("lacks the parameters {}", listed(&lacking)));
            let problem = problem.code(Code::TemplateInsufficientParameters);
            self.report
                .refuse(problem.hint("give them in `parameters`"));
            return None;
        }
        if filling.room == 0 {
            self.report.refuse(Problem::too_large(&place));
            return None;
        }
        Some(match filled {
            Value::Array(items) => items,
            item => vec![item],
        })
    }

    fn find(&mut self, reference: &TemplateReference, place: &Place) -> Option<&'a Value> {
        let templates = &self.options.templates;
        let id = &reference.template_id;
        let language = filled(reference.language_code.as_deref());
        let own = language.and_then(|language| templates.get(&format!("{id}/{language}")));
        if let Some(template) = own.or_else(|| templates.get(id)) {
            return Some(template);
        }
        let prefix = format!("{id}/");
        let languages: Vec<&str> = templates
            .keys()
            .filter_map(|name| name.strip_prefix(&prefix))
            .collect();
        let problem = if languages.is_empty() {
            let names = templates.keys().map(String::as_str);
            let problem = Problem::new(
                &place.key("template_id"),
                "is no template of the option `templates`",
            );
            let problem = problem.code(Code::TemplateNotFound);
            match nearest(id, names) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem,
            }
        } else {
            Problem::new(
                &place.key("language_code"),
                "is no language of this template",
            )
            .code(Code::TemplateNonExistingLanguageOrVersion)
            .expected(one_of(&languages))
        };
        self.report.refuse(problem);
        None
    }
}

/// Fills parameters into a template.
struct Filling<'p, 't> {
    parameters: &'p BTreeMap<String, String>,
    /// The names of those that are not there.
    lacking: BTreeSet<&'t str>,
    /// How many bytes may still be filled in; nothing is where it would be too much.
    room: usize,
}

impl<'t> Filling<'_, 't> {
    fn fill(&mut self, template: &'t Value) -> Value {
        match template {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(members) => {
                let filled = members
                    .iter()
                    .map(|(name, value)| (name.clone(), self.fill(value)));
                Value::Object(filled.collect::<Map<String, Value>>())
            }
            other => other.clone(),
        }
    }

    fn text(&mut self, text: &'t str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            filled.push_str(before);
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
            let length = after.bytes().take_while(is_word).count();
            match after[length..].strip_prefix('}') {
                Some(behind) if length > 0 => {
                    let name = &after[..length];
                    match self.parameters.get(name) {
                        Some(value) => {
                            self.room = self.room.saturating_sub(value.len());
                            if self.room > 0 {
                                filled.push_str(value);
                            }
                        }
                        None => drop(self.lacking.insert(name)),
                    }
                    rest = behind;
                }
                _ => {
                    filled.push_str("${");
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }
}

//! Messages kept under a name, with places for parameters: `${name}` in their strings. Only strings are
//! filled in, so that no parameter can change what a message is.

use std::collections::BTreeMap;

use line_connector_text::nearest::nearest;
use serde_json::{Map, Value};

use crate::composer::Composer;
use crate::explain::one_of;
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
        let mut lacking = Vec::new();
        let filled = fill(template, &reference.parameters, &mut lacking);
        if !lacking.is_empty() {
            let problem = Problem::new(
                &place,
                format!("lacks the parameters {}", lacking.join(", ")),
            );
            let problem = problem.code(Code::TemplateInsufficientParameters);
            self.report
                .refuse(problem.hint("give them in `parameters`"));
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

/// A template with its parameters. The names of those that are lacking are added to `lacking`.
fn fill(
    template: &Value,
    parameters: &BTreeMap<String, String>,
    lacking: &mut Vec<String>,
) -> Value {
    match template {
        Value::String(text) => fill_text(text, parameters, lacking).into(),
        Value::Array(items) => items
            .iter()
            .map(|item| fill(item, parameters, lacking))
            .collect(),
        Value::Object(members) => {
            let member =
                |(name, value): (&String, &Value)| (name.clone(), fill(value, parameters, lacking));
            Value::Object(members.iter().map(member).collect::<Map<String, Value>>())
        }
        other => other.clone(),
    }
}

fn fill_text(
    text: &str,
    parameters: &BTreeMap<String, String>,
    lacking: &mut Vec<String>,
) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        match after.split_once('}') {
            Some((name, after)) if !name.is_empty() && name.bytes().all(is_word) => {
                match parameters.get(name) {
                    Some(value) => filled.push_str(value),
                    None if lacking.iter().any(|known| known == name) => {}
                    None => lacking.push(name.to_owned()),
                }
                rest = after;
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

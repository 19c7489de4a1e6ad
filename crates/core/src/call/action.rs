//! An action as calls need it: parsed once, with what its sections declare, wherever that stands.

use std::borrow::Cow;
use std::ops::Deref;

use serde_json::{Map, Value};

use crate::catalog::Catalog;
use line_connector_catalog::definition::Action;
use line_connector_catalog::sections::SECTIONS;

/// An action with the properties of each of its sections.
pub(super) struct ResolvedAction {
    action: Action,
    sections: Vec<(&'static str, Map<String, Value>)>,
    secrets: Vec<(&'static str, String)>,
    phone_numbers: Vec<String>,
}

impl ResolvedAction {
    /// The action, its references followed.
    pub(super) fn new(catalog: &Catalog, action: Action) -> Self {
        let properties = |section| catalog.section_properties(&action, section).into_owned();
        let sections = SECTIONS.map(|section| (section, properties(section)));
        let marked = |key: &str, mark: &Value| {
            let properties = sections.iter().flat_map(|(section, properties)| {
                properties.iter().map(|property| (*section, property))
            });
            let marked = properties.filter(|(_, (_, schema))| schema.get(key) == Some(mark));
            let names = marked.map(|(section, (name, _))| (section, name.clone()));
            names.collect::<Vec<_>>()
        };
        let numbers = marked("x-digest", &Value::from("e164-sha256")).into_iter();
        let numbers = numbers.filter(|(section, _)| *section == "json_body");
        Self {
            secrets: marked("writeOnly", &Value::Bool(true)),
            phone_numbers: numbers.map(|(_, name)| name).collect(),
            sections: sections.into(),
            action,
        }
    }

    /// What a section declares.
    pub(super) fn section(&self, name: &str) -> Cow<'_, Map<String, Value>> {
        let mut sections = self.sections.iter();
        sections
            .find(|(section, _)| *section == name)
            .map_or_else(Cow::default, |(_, properties)| Cow::Borrowed(properties))
    }

    /// The inputs that hold secrets: section and name.
    pub(super) fn secrets(&self) -> &[(&'static str, String)] {
        &self.secrets
    }

    /// The members of the JSON body that are phone numbers, and travel as digests.
    pub(super) fn phone_numbers(&self) -> &[String] {
        &self.phone_numbers
    }
}

impl Deref for ResolvedAction {
    type Target = Action;

    fn deref(&self) -> &Action {
        &self.action
    }
}

//! An action as calls need it: parsed once, with what its sections declare, wherever that stands.

use std::borrow::Cow;
use std::ops::Deref;

use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::catalog::source::definition::Action;
use crate::catalog::source::lint::SECTIONS;

/// An action with the properties of each of its sections.
pub(super) struct Known {
    action: Action,
    sections: Vec<(&'static str, Map<String, Value>)>,
}

impl Known {
    /// The action, its references followed.
    pub(super) fn new(catalog: &Catalog, action: Action) -> Self {
        let properties = |section| catalog.section_properties(&action, section).into_owned();
        let sections = SECTIONS.map(|section| (section, properties(section)));
        Self {
            sections: sections.into(),
            action,
        }
    }

    /// What each section declares.
    pub(super) fn sections(&self) -> impl Iterator<Item = (&'static str, &Map<String, Value>)> {
        self.sections
            .iter()
            .map(|(section, properties)| (*section, properties))
    }

    /// What a section declares.
    pub(super) fn section(&self, name: &str) -> Cow<'_, Map<String, Value>> {
        self.sections()
            .find(|(section, _)| *section == name)
            .map_or_else(Cow::default, |(_, properties)| Cow::Borrowed(properties))
    }
}

impl Deref for Known {
    type Target = Action;

    fn deref(&self) -> &Action {
        &self.action
    }
}

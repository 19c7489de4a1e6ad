//! Which actions a client is shown, and which it can reach at all: what the operator's filters say.
//! They bind every tool, those that take an action's name included.

use std::collections::BTreeSet;

use line_connector_client::{Catalog, Error, Kind};
use line_connector_core::catalog::Entry;
use line_connector_core::catalog::definition::{Action, Effect};
use line_connector_core::error::Detail;
use line_connector_core::nearest::nearest;

use crate::Settings;
use crate::tools::{self, META_TOOLS, RUN};

/// The families beside the catalog's own.
const ALL: &str = "all";
const DEFAULT: &str = "default";

/// What the filters say.
pub(crate) struct Offer {
    /// Nothing where the operator has chosen nothing: then the default set is shown, and every action
    /// can be reached.
    chosen: Option<BTreeSet<String>>,
    excluded: BTreeSet<String>,
    read_only: bool,
}

impl Offer {
    /// # Errors
    ///
    /// [`Kind::Usage`] where a filter names what is not there.
    pub(crate) fn new(catalog: &Catalog, settings: &Settings) -> Result<Self, Error> {
        let entries = catalog.entries();
        let mut unknown = Vec::new();
        let mut chosen = BTreeSet::new();
        for toolset in &settings.toolsets {
            let belongs = |entry: &&Entry| match toolset.as_str() {
                ALL => true,
                DEFAULT => entry.default_set,
                family => entry.family == family,
            };
            let names: Vec<&Entry> = entries.iter().filter(belongs).collect();
            if names.is_empty() {
                unknown.push(no_toolset(toolset, &entries));
            }
            chosen.extend(names.into_iter().map(|entry| entry.name.clone()));
        }
        let mut named = |name: &String| {
            let meta = META_TOOLS.contains(&name.as_str());
            let full = catalog.full_name(name).map(str::to_owned);
            let full = full.or_else(|| meta.then(|| name.clone()));
            if full.is_none() {
                let text = format!("there is no tool `{name}`");
                let near = tools::nearest(catalog, name);
                let hint = near.map_or_else(
                    || "`line-connector list` shows every action".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                unknown.push(Detail {
                    hint: Some(hint),
                    ..Detail::new("", text)
                });
            }
            full
        };
        chosen.extend(settings.tools.iter().filter_map(&mut named));
        let excluded = settings
            .exclude_tools
            .iter()
            .filter_map(&mut named)
            .collect();
        if !unknown.is_empty() {
            return Err(
                Error::new(Kind::Usage, "the choice of tools is wrong").with_details(unknown)
            );
        }
        let is_chosen = !settings.toolsets.is_empty() || !settings.tools.is_empty();
        Ok(Self {
            chosen: is_chosen.then_some(chosen),
            excluded,
            read_only: settings.read_only,
        })
    }

    /// Whether a tool that takes an action's name is offered.
    pub(crate) fn has_tool(&self, name: &str) -> bool {
        !self.excluded.contains(name)
    }

    /// Whether clients are told of such a tool: one that writes has no use where nothing is written.
    pub(crate) fn lists(&self, name: &str) -> bool {
        self.has_tool(name) && !(self.read_only && name == RUN)
    }

    /// Whether an action is shown as a tool of its own, as far as its name tells.
    pub(crate) fn shows(&self, entry: &Entry) -> bool {
        let shown = match &self.chosen {
            Some(chosen) => chosen.contains(&entry.name),
            None => entry.default_set,
        };
        shown && !self.excluded.contains(&entry.name)
    }

    /// Why an action cannot be called, if it cannot.
    pub(crate) fn refusal(&self, action: &Action) -> Option<&'static str> {
        let chosen = self.chosen.as_ref();
        if self.excluded.contains(&action.name)
            || chosen.is_some_and(|chosen| !chosen.contains(&action.name))
        {
            return Some("the operator does not offer this action");
        }
        if self.read_only && action.meta.effect != Effect::Read {
            return Some("the operator allows only actions that change nothing (`--read-only`)");
        }
        None
    }
}

fn no_toolset(name: &str, entries: &[Entry]) -> Detail {
    let families: BTreeSet<&str> = entries.iter().map(|entry| entry.family.as_str()).collect();
    let families: Vec<&str> = families.into_iter().collect();
    let known = families.iter().copied().chain([DEFAULT, ALL]);
    Detail {
        expected: Some(format!("{DEFAULT}, {ALL}, {}", families.join(", "))),
        hint: nearest(name, known).map(|near| format!("did you mean `{near}`?")),
        ..Detail::new("", format!("there is no toolset `{name}`"))
    }
}

//! An action's name on the command line: any text, since `--actions` adds actions, and for shells that
//! complete it the names that are built in. They are looked up only for those.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::Error;
use clap::{Arg, Command};
use line_connector_client::Catalog;

/// Reads an action's name.
#[derive(Debug, Clone, Copy)]
pub(super) struct ActionName;

impl TypedValueParser for ActionName {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue>>> {
        let actions = Catalog::embedded().entries().into_iter();
        Some(Box::new(actions.flat_map(|action| {
            let differs = action.short != action.name;
            let names = [Some(action.short), differs.then_some(action.name)];
            // clap keeps names for ever; a process that asks for these ends with them.
            let title: &str = action.title.leak();
            let names = names.into_iter().flatten().map(String::leak);
            names.map(move |name| PossibleValue::new(&*name).help(title))
        })))
    }
}

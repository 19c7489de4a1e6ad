//! `describe`: the connector, an action or a trigger in full, as JSON.

use line_connector_client::{Catalog, Error, ExitCode, Kind};
use line_connector_core::describe;

use crate::terminal::print;

/// Prints the description.
pub(crate) fn describe(catalog: &Catalog, action: Option<&str>) -> Result<ExitCode, Error> {
    let description = match action {
        None => describe::connector(catalog),
        Some(name) => describe::action(catalog, name)
            .or_else(|| describe::trigger(catalog, name))
            .ok_or_else(|| {
                Error::new(Kind::UnknownAction, format!("there is no action `{name}`"))
            })?,
    };
    Ok(print(&describe::pretty(&description)))
}

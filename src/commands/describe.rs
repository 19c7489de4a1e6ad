//! `describe`: the connector, an action or a trigger in full, as JSON.

use line_connector_client::{Catalog, Error, ExitCode, Kind};
use line_connector_core::{compact, describe};

use crate::terminal::print;

/// Prints the description.
pub(crate) fn describe(
    catalog: &Catalog,
    action: Option<&str>,
    in_short: bool,
) -> Result<ExitCode, Error> {
    let description = match action {
        None if in_short => compact::all(catalog),
        None => describe::connector(catalog),
        Some(name) if in_short => compact::action(catalog, name).ok_or_else(|| {
            Error::new(Kind::UnknownAction, format!("there is no action `{name}`"))
        })?,
        Some(name) => describe::action(catalog, name)
            .or_else(|| describe::trigger(catalog, name))
            .ok_or_else(|| {
                Error::new(Kind::UnknownAction, format!("there is no action `{name}`"))
            })?,
    };
    Ok(print(&describe::pretty(&description)))
}

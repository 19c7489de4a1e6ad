//! `describe`: the connector, an action, a trigger, or one property of either: in full as JSON, or
//! in short for people.

mod text;

use line_connector_client::{Catalog, Error, ExitCode, Kind};
use line_connector_core::nearest::nearest;
use line_connector_core::{compact, describe, property};

use crate::args::DescribeArguments;
use crate::terminal::{is_watched, print, print_json, tell};

/// Prints the description.
pub(crate) fn describe(
    catalog: &Catalog,
    arguments: &DescribeArguments,
) -> Result<ExitCode, Error> {
    let in_full = arguments.json || !(arguments.text || is_watched());
    let Some(name) = arguments.action.as_deref() else {
        return Ok(match (arguments.compact, in_full) {
            (true, _) => print(&describe::pretty(&compact::all(catalog))),
            (false, true) => print(&describe::pretty(&describe::connector(catalog))),
            (false, false) => tell(&text::connector(catalog)),
        });
    };
    if let Some(number) = arguments.example {
        return example(catalog, name, number);
    }
    if arguments.compact {
        let action = compact::action(catalog, name);
        let action = action.ok_or_else(|| catalog.unknown(name))?;
        return Ok(print(&describe::pretty(&action)));
    }
    let described = describe::action(catalog, name).or_else(|| describe::trigger(catalog, name));
    let described = described.ok_or_else(|| unknown(catalog, name))?;
    let Some(path) = arguments.path.as_deref() else {
        return Ok(if in_full {
            print(&describe::pretty(&described))
        } else {
            tell(&text::whole(catalog, &described))
        });
    };
    let place = property::find(&described, path)?;
    Ok(if in_full {
        print(&describe::pretty(&place.schema))
    } else {
        tell(&text::place(&described, path, &place))
    })
}

/// The error of a name that neither an action nor a trigger has.
fn unknown(catalog: &Catalog, name: &str) -> Error {
    let triggers = catalog.triggers().events;
    let triggers = triggers.iter().map(|trigger| trigger.name.as_str());
    let error = catalog.unknown(name);
    match (catalog.nearest(name), nearest(name, triggers)) {
        (None, Some(near)) => error.with_hint(format!("did you mean `{near}`?")),
        _ => error,
    }
}

/// An example of an action, from 1, as an invocation.
fn example(catalog: &Catalog, name: &str, number: usize) -> Result<ExitCode, Error> {
    let name = catalog
        .full_name(name)
        .ok_or_else(|| catalog.unknown(name))?;
    let examples = catalog.examples(name);
    let wanted = number.checked_sub(1).and_then(|at| examples.get(at));
    let example = wanted.ok_or_else(|| {
        let count = examples.len();
        let error = Error::new(Kind::Usage, format!("`{name}` has no example {number}"));
        error.with_hint(format!("there are examples 1 to {count}"))
    })?;
    Ok(print_json(
        &describe::invocation(catalog, name, example).to_string(),
    ))
}

//! `run`: one document in, one call, one document out.

use std::mem::ManuallyDrop;

use line_connector_client::{Catalog, Error, ExitCode, Invocation, Kind, Output};
use line_connector_core::documents::Refused;
use line_connector_core::json_text::JsonText;

use crate::args::CallArguments;
use crate::host;
use crate::terminal::{DOCUMENT, input, report};

/// Makes the call that standard input describes. Every failure is answered with the caller's `id`,
/// once the document could be read. An action that there is not is told before: nobody has to write a
/// document to learn it.
pub(crate) fn run(catalog: Catalog, call: CallArguments) -> ExitCode {
    if let Err(error) = known(&catalog, call.action.as_deref()) {
        return report(&Output::from(&error));
    }
    let mut invocation = match document(call.action.is_some()) {
        Ok(invocation) => invocation,
        Err(refused) => return report(&refused.into()),
    };
    let id = invocation.id.clone();
    let output = answer(catalog, call, &mut invocation).unwrap_or_else(|error| failed(id, &error));
    report(&output)
}

fn answer(
    catalog: Catalog,
    call: CallArguments,
    invocation: &mut Invocation,
) -> Result<Output, Error> {
    name_action(&catalog, invocation, call.action)?;
    host::permit(&call.calling.permissions, invocation)?;
    let connector = host::calling(catalog, &call.calling, invocation)?;
    // The process ends with this call, and its memory with it.
    let connector = ManuallyDrop::new(connector);
    let invocation = std::mem::take(invocation);
    Ok(if call.calling.dry_run {
        connector.plan(invocation)
    } else {
        connector.call(invocation)
    })
}

fn failed(id: Option<JsonText>, error: &Error) -> Output {
    Output {
        id,
        ..Output::from(error)
    }
}

/// Whether the action of the command line is there, where it names one.
pub(crate) fn known(catalog: &Catalog, named: Option<&str>) -> Result<(), Error> {
    match named.filter(|name| !catalog.has(name)) {
        Some(name) => Err(catalog.unknown(name)),
        None => Ok(()),
    }
}

/// Nothing at all is an empty document where the command line names the action: many actions need
/// no inputs.
fn document(named: bool) -> Result<Invocation, Refused> {
    let text = input(DOCUMENT)?;
    if named && text.iter().all(u8::is_ascii_whitespace) {
        return Ok(Invocation::default());
    }
    Invocation::from_json(&text)
}

/// Takes the action that the command line names. The document may name it too, by any of its names.
pub(crate) fn name_action(
    catalog: &Catalog,
    invocation: &mut Invocation,
    named: Option<String>,
) -> Result<(), Error> {
    let same = |one: &str, other: &str| {
        one == other
            || catalog
                .full_name(one)
                .is_some_and(|one| catalog.full_name(other) == Some(one))
    };
    match (&invocation.action, named) {
        (Some(inside), Some(named)) if !same(inside, &named) => Err(Error::new(
            Kind::InvalidDocument,
            format!("the command line names `{named}`, the document `{inside}`"),
        )),
        (_, Some(named)) => {
            invocation.action = Some(named);
            Ok(())
        }
        (_, None) => Ok(()),
    }
}

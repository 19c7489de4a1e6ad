//! `check`: whether an asset works.

use line_connector_client::{Catalog, Error, ExitCode, Invocation};
use line_connector_core::call::exit_code;
use line_connector_core::describe;
use serde_json::{Value, json};

use crate::args::AssetFile;
use crate::args::Permissions;
use crate::host;
use crate::terminal::{complain, print};

/// Makes the calls that the manifest names, and shows each answer.
pub(crate) fn check(catalog: Catalog, asset: &AssetFile, sandbox: bool) -> Result<ExitCode, Error> {
    let names = catalog.manifest().check.clone();
    let mut template = Invocation::default();
    let connector = host::connector(
        catalog,
        asset,
        &Permissions::default(),
        sandbox,
        &mut template,
    )?;
    let mut code = ExitCode::Accepted;
    let mut calls = Vec::new();
    for name in names {
        let invocation = Invocation {
            action: Some(name.clone()),
            ..template.clone()
        };
        let output = connector.call(invocation);
        if code == ExitCode::Accepted {
            code = exit_code(&output);
            complain(&output);
        }
        let rendered = serde_json::from_str::<Value>(&output.render()).unwrap_or_default();
        calls.push(json!({"action": name, "ok": output.error.is_none(), "output": rendered}));
    }
    let ok = code == ExitCode::Accepted;
    let written = print(&describe::pretty(&json!({"ok": ok, "calls": calls})));
    Ok(if written == ExitCode::Accepted {
        code
    } else {
        written
    })
}

//! A campaign in the background: the same command again, as a process of its own.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use line_connector_campaign::status;
use line_connector_client::{Clock as _, Error, Kind, SystemClock};
use serde_json::{Value, json};

use crate::private::{beside, own_with, private};

/// How long the new process may take to get the campaign under way.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// Starts this command again without `--detach`, and returns when it sends. What it would write goes
/// to a file beside the ledger.
pub(super) fn detach(ledger: &Path) -> Result<Value, Error> {
    let log = beside(ledger, ".log");
    let failed = |reason: String| {
        Error::new(
            Kind::Internal,
            format!("the campaign cannot go on in the background: {reason}"),
        )
        .with_hint("leave `--detach` out")
    };
    let file = own_with(private().create(true).append(true), &log)
        .map_err(|error| failed(format!("{}: {error}", log.display())))?;
    let errors = file
        .try_clone()
        .map_err(|error| failed(error.to_string()))?;
    let program = env::current_exe().map_err(|error| failed(error.to_string()))?;
    let arguments = env::args_os()
        .skip(1)
        .filter(|argument| argument != "--detach");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        // Signals to this terminal's processes are not meant for it.
        command.process_group(0);
    }
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let begun = Instant::now();
    loop {
        let ended = child
            .try_wait()
            .map_err(|error| failed(error.to_string()))?;
        let known = status(ledger)?;
        let own = format!("process {} ", child.id());
        let holder = known.get("holder").and_then(Value::as_str);
        let is_under_way = holder.is_some_and(|holder| holder.starts_with(&own));
        if let Some(code) = ended {
            if code.success() {
                return Ok(known);
            }
            return Err(failed(format!("it ended; {} says why", log.display())));
        }
        if is_under_way {
            let mut known = known;
            known["process"] = json!(child.id());
            known["log"] = json!(log.display().to_string());
            return Ok(known);
        }
        if begun.elapsed() > PATIENCE {
            return Err(failed(format!(
                "it does not begin; {} may say why",
                log.display()
            )));
        }
        SystemClock.sleep(LOOK);
    }
}

//! Hands the command line over to `line-connector-worker`: what needs other machines stands there, so
//! that this program carries nothing of it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use line_connector_client::{Error, ExitCode, Kind};

/// What it is called.
const WORKER: &str = "line-connector-worker";

/// Runs the process's own command line by the worker, to its end. On Unix the worker takes this
/// process's place: its id, its signals and its exit code are the worker's.
///
/// # Errors
///
/// Where the worker is not installed, or cannot be started.
pub(crate) fn take_over() -> Result<ExitCode, Error> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for program in beside_this().into_iter().chain([PathBuf::from(WORKER)]) {
        match run(Command::new(program).args(&arguments)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => failure = error,
            Err(error) => {
                failure = error;
                break;
            }
            Ok(code) => return Ok(code),
        }
    }
    let error = if failure.kind() == io::ErrorKind::NotFound {
        Error::new(
            Kind::Usage,
            format!("`{WORKER}` does this, and is not installed"),
        )
    } else {
        Error::new(
            Kind::Usage,
            format!("`{WORKER}` cannot be started: {failure}"),
        )
    };
    Err(error.with_hint(format!(
        "put `{WORKER}` beside `line-connector` or on the PATH; in its sources `cargo install --path worker` builds it"
    )))
}

/// The worker beside this program.
fn beside_this() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    Some(own.with_file_name(format!("{WORKER}{}", std::env::consts::EXE_SUFFIX)))
}

/// Becomes the other program.
#[cfg(unix)]
fn run(command: &mut Command) -> io::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec())
}

/// Elsewhere it waits for the other program.
#[cfg(not(unix))]
fn run(command: &mut Command) -> io::Result<ExitCode> {
    let code = command.status()?.code();
    let known = ExitCode::ALL
        .into_iter()
        .find(|known| Some(*known as i32) == code);
    Ok(known.unwrap_or(ExitCode::Bug))
}

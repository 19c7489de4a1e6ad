//! The queue's files on the disk: that they are this user's alone, and that one receiver at a time
//! has them. The receiver reads and writes them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use line_connector_client::{Error, Kind};

use crate::private::{Exposed, own};

/// An error that is about the queue's file.
pub(crate) fn queue_error(path: &Path, reason: impl std::fmt::Display) -> Error {
    let path = path.display();
    Error::new(
        Kind::Usage,
        format!("the queue {path} cannot be used: {reason}"),
    )
    .with_hint("name the file of a receiver's queue that this user may write, on a disk with room")
}

/// Makes the queue's file where there is none, and reserves it for this process for as long as the
/// answer is kept. It is the file itself that is locked: no other name of it, and no file that
/// somebody removes, lets a second process in.
///
/// # Errors
///
/// Where the file cannot be made, is not this user's alone, or another process has it.
pub(crate) fn reserve(path: &Path) -> Result<File, Error> {
    let unusable = |error: io::Error| queue_error(path, error);
    guard(path)?;
    let file = own(path).map_err(unusable)?;
    let lock = lockable(path, file).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
        Err(TryLockError::WouldBlock) => {
            let error = queue_error(path, "it is in use: another receiver has it at this moment");
            Err(error.with_hint("end the other one, or give each a `--queue` of its own"))
        }
    }
}

/// The file that is locked. On Linux such a lock has nothing to do with those of `SQLite`.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
fn lockable(_: &Path, file: File) -> io::Result<File> {
    Ok(file)
}

/// Elsewhere it would keep SQLite out, so that a file beside it is locked.
#[cfg(not(target_os = "linux"))]
fn lockable(path: &Path, _: File) -> io::Result<File> {
    own(&crate::private::beside(path, "-lock"))
}

/// Refuses a queue that is not there, or whose files are not this user's alone.
///
/// # Errors
///
/// Why it is refused.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(_) => guard(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(queue_error(path, "there is no such file"))
        }
        Err(error) => Err(queue_error(path, error)),
    }
}

/// Refuses a queue that others can read or write: events may stand there that LINE did not send, and
/// what people wrote may be read.
fn guard(path: &Path) -> Result<(), Error> {
    match Exposed::database(path) {
        Some(exposed) => Err(queue_error(path, &exposed)
            .with_hint(exposed.hint("whoever can write it can make up events"))),
        None => Ok(()),
    }
}

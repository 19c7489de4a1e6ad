//! Files that an operator names: regular ones, so that none is waited for and none goes on for ever.
//! What a shell hands over as an open descriptor, as `<(…)` does, may be a pipe.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// No open waits: a FIFO without a writer would, for ever.
pub(crate) const FLAGS: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

/// Opens a file to read it.
///
/// # Errors
///
/// Where it cannot be opened, or is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let is_handed_over = path == Path::new("/dev/stdin")
        || ["/dev/fd", "/proc/self/fd"]
            .iter()
            .any(|folder| path.starts_with(folder));
    if is_handed_over {
        return File::open(path);
    }
    let mut options = OpenOptions::new();
    let options = options.read(true).custom_flags(FLAGS.bits().cast_signed());
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(irregular())
    }
}

/// Reads a file of so many bytes at most.
///
/// # Errors
///
/// Where it cannot be read, is no regular file, or is larger.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    contents(open(path)?, most)
}

/// Reads a text of so many bytes at most.
///
/// # Errors
///
/// The same, and where it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let bytes = read(path, most)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Reads an open file of so many bytes at most.
///
/// # Errors
///
/// Where it cannot be read, or is larger.
pub fn contents(file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let text = format!("it is larger than {most} bytes");
        return Err(io::Error::new(ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

pub(crate) fn irregular() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")
}

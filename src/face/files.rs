//! Files of the system, as the runtime hands them to calls: whole ones to read, new ones that
//! appear under their name only when they are complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::random;
use crate::run::NewFile;

/// A file that is written beside its name and moved there when it is whole.
struct Partial {
    writer: Option<BufWriter<File>>,
    beside: PathBuf,
    target: PathBuf,
}

/// Begins a file.
pub(crate) fn create(path: &str) -> io::Result<Box<dyn NewFile>> {
    let target = PathBuf::from(path);
    let name = target
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it does not name a file"))?;
    let mut name_beside = name.to_owned();
    name_beside.push(format!(".{:016x}.partial", random::bits() >> 64));
    let beside = target.with_file_name(name_beside);
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)?;
    Ok(Box::new(Partial {
        writer: Some(BufWriter::new(file)),
        beside,
        target,
    }))
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.writer {
            Some(writer) => writer.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl NewFile for Partial {
    fn keep(mut self: Box<Self>) -> io::Result<()> {
        if let Some(writer) = self.writer.take() {
            let file = writer
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
        }
        fs::rename(&self.beside, &self.target)
    }
}

impl Drop for Partial {
    /// Whatever was not kept goes. After `keep` the name is free and there is nothing to remove.
    fn drop(&mut self) {
        drop(self.writer.take());
        let _ = fs::remove_file(&self.beside);
    }
}

/// Reads a whole file.
pub(crate) fn read(path: &str) -> io::Result<Vec<u8>> {
    fs::read(Path::new(path))
}

/// Makes a file for its owner alone where there is none, and reserves it for this process by a lock
/// on a file beside it, for as long as the answer is kept.
#[cfg(feature = "listen")]
pub(crate) fn reserve(path: &Path) -> io::Result<File> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let lock = options.open(beside)?;
    lock.try_lock().map_err(|error| match error {
        fs::TryLockError::Error(error) => error,
        fs::TryLockError::WouldBlock => io::Error::other("another receiver uses it at this moment"),
    })?;
    options.open(path)?;
    Ok(lock)
}

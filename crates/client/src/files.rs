//! The system's files: whole ones to read, new ones that appear under their name only when they are
//! complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use line_connector_core::host::{Files, NewFile, Random};

use crate::random::SystemRandom;

/// Every file that the process may open.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemFiles;

impl Files for SystemFiles {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        create(path)
    }
}

/// No file at all: the default of a [`Connector`](crate::Connector).
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn create(&self, _: &str) -> io::Result<Box<dyn NewFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A file that is written beside its name and moved there when it is whole.
struct Partial {
    writer: Option<BufWriter<File>>,
    beside: PathBuf,
    target: PathBuf,
}

/// Begins a file.
fn create(path: &str) -> io::Result<Box<dyn NewFile>> {
    let target = PathBuf::from(path);
    let name = target
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it does not name a file"))?;
    let mut name_beside = name.to_owned();
    name_beside.push(format!(".{:016x}.partial", SystemRandom.bits() >> 64));
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

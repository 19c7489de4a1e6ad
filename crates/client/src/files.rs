//! The files that documents name: beneath the folders that the operator opened, and nowhere else,
//! whatever symbolic links stand there. New files appear under their name only when they are complete.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::path::{Component, Path, PathBuf};

use crate::random::SystemRandom;
use crate::regular::{self, FLAGS};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use line_connector_core::host::{Files, NewFile, Random};

/// A file for its owner alone: content is private, and nobody else is to replace it.
const MODE: u32 = 0o600;

/// Files beneath folders. By default there are none: documents name no file.
#[derive(Debug, Clone, Default)]
pub struct SystemFiles {
    readable: Vec<PathBuf>,
    writable: Vec<PathBuf>,
}

impl SystemFiles {
    /// Lets documents read the files beneath a folder.
    #[must_use]
    pub fn reading(mut self, folder: impl Into<PathBuf>) -> Self {
        self.readable.push(folder.into());
        self
    }

    /// Lets documents save files beneath a folder.
    #[must_use]
    pub fn saving_into(mut self, folder: impl Into<PathBuf>) -> Self {
        self.writable.push(folder.into());
        self
    }
}

impl Files for SystemFiles {
    fn read(&self, path: &str, most: u64) -> io::Result<Vec<u8>> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(FLAGS.bits().cast_signed());
        let mut missing = outside();
        for (folder, beneath) in beneath(&self.readable, path) {
            match open(folder)?.open_with(&beneath, &options) {
                Ok(file) => return contents(file, most),
                Err(error) if error.kind() == ErrorKind::NotFound => missing = error,
                Err(error) => return Err(told(error)),
            }
        }
        Err(missing)
    }

    fn create(&self, path: &str, overwrite: bool) -> io::Result<Box<dyn NewFile>> {
        let (folder, beneath) = beneath(&self.writable, path).next().ok_or_else(outside)?;
        let name = beneath.file_name().ok_or(ErrorKind::IsADirectory)?;
        let folder = open(folder)?;
        let folder = match beneath.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => {
                folder.open_dir(parent).map_err(told)?
            }
            _ => folder,
        };
        match folder.symlink_metadata(name) {
            Ok(there) if overwrite && there.is_file() => {}
            Ok(there) => return Err(exists(there.is_file())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(told(error)),
        }
        Ok(Box::new(Partial::new(folder, name.into(), overwrite)?))
    }
}

/// The folders in which a path lies, each with the rest of the path. A relative one lies in all.
fn beneath<'a>(folders: &'a [PathBuf], path: &'a str) -> impl Iterator<Item = (&'a Path, PathBuf)> {
    let path = Path::new(path);
    folders.iter().filter_map(move |folder| {
        if path.is_relative() {
            return Some((folder.as_path(), path.to_owned()));
        }
        let whole = folder.canonicalize();
        let whole = whole.as_deref().unwrap_or(folder);
        let rest = path
            .strip_prefix(folder)
            .or_else(|_| path.strip_prefix(whole));
        let rest = rest.ok()?;
        let is_plain = rest
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        (is_plain && rest != Path::new("")).then(|| (folder.as_path(), rest.to_owned()))
    })
}

fn open(folder: &Path) -> io::Result<Dir> {
    Dir::open_ambient_dir(folder, ambient_authority()).map_err(|error| {
        let text = format!("the folder {} cannot be opened: {error}", folder.display());
        io::Error::new(error.kind(), text)
    })
}

fn contents(file: cap_std::fs::File, most: u64) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(regular::irregular());
    }
    regular::contents(file.into_std(), most)
}

/// Reports a path that leads outside like one that does not exist, so that nobody can probe for files.
fn outside() -> io::Error {
    io::Error::new(
        ErrorKind::PermissionDenied,
        "it lies in no folder that is open to documents",
    )
}

/// A link that leads out is not told from a path that does.
fn told(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::PermissionDenied => outside(),
        _ => error,
    }
}

fn exists(is_file: bool) -> io::Error {
    let text = if is_file {
        "it exists already"
    } else {
        "what exists under this name is not a regular file"
    };
    io::Error::new(ErrorKind::AlreadyExists, text)
}

/// A file that is written without a name, or where the system cannot do that, beside its name.
/// What was not kept is gone, with the process at the latest.
struct Partial {
    writer: BufWriter<File>,
    folder: Dir,
    /// What it is called until it is kept, if anything.
    beside: Option<String>,
    name: PathBuf,
    overwrite: bool,
}

impl Partial {
    fn new(folder: Dir, name: PathBuf, overwrite: bool) -> io::Result<Self> {
        let (file, beside) = if let Some(file) = nameless(&folder)? {
            (file, None)
        } else {
            let beside = hidden_name();
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(MODE);
            let file = folder.open_with(&beside, &options)?;
            (file.into_std(), Some(beside))
        };
        Ok(Self {
            writer: BufWriter::new(file),
            folder,
            beside,
            name,
            overwrite,
        })
    }

    /// Gives the file one more name, which nothing has yet.
    fn link(&self, name: &Path) -> io::Result<()> {
        match &self.beside {
            Some(beside) => self.folder.hard_link(beside, &self.folder, name),
            None => name_file(self.writer.get_ref(), &self.folder, name),
        }
    }
}

/// A file that has no name yet, where the system and the file system know such files.
#[cfg(target_os = "linux")]
fn nameless(folder: &Dir) -> io::Result<Option<File>> {
    use rustix::fs::{Mode, OFlags, openat};
    use rustix::io::Errno;
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match openat(folder, ".", flags, Mode::from_raw_mode(MODE)) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(target_os = "linux")]
fn name_file(file: &File, folder: &Dir, name: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, own, folder, name, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Dir) -> io::Result<Option<File>> {
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
fn name_file(_: &File, _: &Dir, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// A name that nobody has.
fn hidden_name() -> String {
    format!(".{:016x}.partial", SystemRandom.bits() >> 64)
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl NewFile for Partial {
    fn keep(mut self: Box<Self>) -> io::Result<()> {
        self.writer.flush()?;
        self.writer.get_ref().sync_all()?;
        if !self.overwrite {
            return self.link(&self.name);
        }
        if self.beside.is_none() {
            let beside = hidden_name();
            self.link(Path::new(&beside))?;
            self.beside = Some(beside);
        }
        let beside = self.beside.as_deref().unwrap_or_default();
        self.folder.rename(beside, &self.folder, &self.name)
    }
}

impl Drop for Partial {
    /// After a renaming the name is free and there is nothing to remove.
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            let _ = self.folder.remove_file(beside);
        }
    }
}

//! Files that are their owner's alone: how they are made, and whether one that is there already is
//! such a file. The callers decide what follows where they are not.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Why a file or folder is not this user's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// It belongs to another user.
    Owner,
    /// Others may read or write it.
    Mode,
    /// It has a second name somewhere, a hard link.
    Linked,
}

impl Exposure {
    /// What is wrong, as the end of a sentence about it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Exposure::Owner => "belongs to another user",
            Exposure::Mode => "can be used by others",
            Exposure::Linked => "has a second name, a hard link",
        }
    }
}

/// A file that is not this user's alone, and why; a link and a pipe are no files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// The file.
    pub file: PathBuf,
    /// Why; `None` where it is no plain file.
    pub exposure: Option<Exposure>,
}

impl Exposed {
    /// Why a file that was found is not this user's alone, if so.
    #[must_use]
    pub fn file(file: &Path, found: &Metadata) -> Option<Self> {
        let exposure = exposure(found);
        (!found.is_file() || exposure.is_some()).then(|| Self {
            file: file.to_owned(),
            exposure: exposure.filter(|_| found.is_file()),
        })
    }

    /// The same for a database of `SQLite` and the files that it keeps beside it; those that are not
    /// there expose nothing.
    #[must_use]
    pub fn database(path: &Path) -> Option<Self> {
        let files = ["", "-wal", "-shm", "-journal"].map(|ending| beside(path, ending));
        files.into_iter().find_map(|file| {
            let found = fs::symlink_metadata(&file).ok()?;
            Self::file(&file, &found)
        })
    }

    /// What to do about it. `whoever` says what others could do with it.
    #[must_use]
    pub fn hint(&self, whoever: &str) -> String {
        let file = self.file.display();
        match self.exposure {
            None => format!("name the file itself, or remove {file}"),
            Some(Exposure::Mode) => {
                format!("{whoever}: see that it is as you left it, and run `chmod 600 {file}`")
            }
            Some(Exposure::Owner) => "run this as the user whose file it is".to_owned(),
            Some(Exposure::Linked) => format!("remove the other name of {file}"),
        }
    }
}

impl fmt::Display for Exposed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = self.exposure.map(Exposure::text);
        let why = why.unwrap_or("is not a plain file, and a link does not count");
        write!(formatter, "{} {why}", self.file.display())
    }
}

/// The name of a file that stands beside another.
#[must_use]
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(ending);
    PathBuf::from(beside)
}

/// Opens a file to read and write it, and makes it where there is none.
///
/// # Errors
///
/// Where it is not this user's alone.
pub fn own(path: &Path) -> io::Result<File> {
    own_with(private().read(true).create(true).truncate(false), path)
}

/// Opens a file with these options.
///
/// # Errors
///
/// Where it is not this user's alone.
pub fn own_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    no_link(options);
    let file = options.open(path)?;
    match Exposed::file(path, &file.metadata()?) {
        Some(exposed) => Err(io::Error::other(exposed.to_string())),
        None => Ok(file),
    }
}

/// Options for a file that its owner alone can read and write.
#[must_use]
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Lets these options neither follow a link nor wait for whoever stands behind a pipe's name.
#[cfg(unix)]
pub fn no_link(options: &mut OpenOptions) {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
}

/// Elsewhere there is no such option.
#[cfg(not(unix))]
pub fn no_link(_: &mut OpenOptions) {}

/// Why what was found is not this user's alone, if so.
#[cfg(unix)]
#[must_use]
pub fn exposure(found: &Metadata) -> Option<Exposure> {
    use std::os::unix::fs::MetadataExt as _;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Some(Exposure::Owner);
    }
    if found.mode() & 0o077 != 0 {
        return Some(Exposure::Mode);
    }
    (found.is_file() && found.nlink() > 1).then_some(Exposure::Linked)
}

/// Elsewhere the folder's own access rules decide; there is no mode to look at.
#[cfg(not(unix))]
#[must_use]
pub fn exposure(_: &Metadata) -> Option<Exposure> {
    None
}

/// What others can do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// Neither read nor write it, as far as its mode tells; a group that was let in is nobody else.
    Nothing,
    /// Read it.
    Read,
    /// Write it.
    Write,
}

/// Who else can use a file with secrets that somebody has put there. Its own group counts as others only
/// where that is not this process's.
#[cfg(unix)]
#[must_use]
pub fn others(found: &Metadata) -> Others {
    use std::os::unix::fs::MetadataExt as _;
    let is_own_group = found.gid() == rustix::process::getegid().as_raw();
    let by_others = if is_own_group { 0o002 } else { 0o022 };
    match found.mode() {
        mode if mode & by_others != 0 => Others::Write,
        mode if mode & 0o004 != 0 => Others::Read,
        _ => Others::Nothing,
    }
}

/// Elsewhere the file's own access rules decide.
#[cfg(not(unix))]
#[must_use]
pub fn others(_: &Metadata) -> Others {
    Others::Nothing
}

/// A folder on the way to this file or folder in which others may put something else in the place of what
/// leads on. Links are followed as well as looked at.
#[cfg(unix)]
#[must_use]
pub fn replaceable_in(path: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    let is_open = |found: Metadata| {
        // In a sticky folder such as /tmp each owner alone renames and removes.
        let is_sticky = found.mode() & 0o1000 != 0;
        ![0, user].contains(&found.uid()) || (others(&found) == Others::Write && !is_sticky)
    };
    let ways = [std::path::absolute(path), path.canonicalize()];
    let ways: Vec<PathBuf> = ways.into_iter().flatten().collect();
    let mut above = ways.iter().flat_map(|way| way.ancestors().skip(1));
    let found = above.find(|above| fs::metadata(above).is_ok_and(is_open));
    found.map(Path::to_path_buf)
}

/// Elsewhere the folders' own access rules decide.
#[cfg(not(unix))]
#[must_use]
pub fn replaceable_in(_: &Path) -> Option<PathBuf> {
    None
}

//! Files that are their owner's alone: how they are made, and whether one that is there already is
//! such a file. The callers decide what follows where they are not.

use std::fs::{Metadata, OpenOptions};

/// Why a file or folder is not this user's alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// It belongs to another user.
    Owner,
    /// Others may read or write it.
    Mode,
    /// It has a second name somewhere, a hard link.
    Linked,
}

impl Exposure {
    /// What is wrong, as the end of a sentence about it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Exposure::Owner => "belongs to another user",
            Exposure::Mode => "can be used by others",
            Exposure::Linked => "has a second name, a hard link",
        }
    }
}

/// Options for a file that its owner alone can read and write.
pub(crate) fn private() -> OpenOptions {
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
pub(crate) fn no_link(options: &mut OpenOptions) {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
}

/// Elsewhere there is no such option.
#[cfg(not(unix))]
pub(crate) fn no_link(_: &mut OpenOptions) {}

/// Why what was found is not this user's alone, if so.
#[cfg(unix)]
pub(crate) fn exposure(found: &Metadata) -> Option<Exposure> {
    use std::os::unix::fs::MetadataExt as _;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Some(Exposure::Owner);
    }
    if found.mode() & 0o077 != 0 {
        return Some(Exposure::Mode);
    }
    (found.is_file() && found.nlink() > 1).then_some(Exposure::Linked)
}

/// Who else can use a file with secrets that somebody has put there. Its own group counts as others only
/// where that is not this process's.
#[cfg(unix)]
pub(crate) fn others(found: &Metadata) -> Others {
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
pub(crate) fn others(_: &Metadata) -> Others {
    Others::Nothing
}

/// What others can do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// Neither read nor write it, as far as its mode tells; a group that was let in is nobody else.
    Nothing,
    /// Read it.
    Read,
    /// Write it.
    Write,
}

/// Elsewhere the folder's own access rules decide; there is no mode to look at.
#[cfg(not(unix))]
pub(crate) fn exposure(_: &Metadata) -> Option<Exposure> {
    None
}

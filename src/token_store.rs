//! Tokens in files, for `--token-cache`: a folder and files that only their owner can use, replaced
//! whole, one process at a time. See `core::auth` for what stands in a file.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use line_connector_client::{Error, Hold, Kind, Store};

use crate::private::{Exposure, exposure, no_link, private, replaceable_in};
use crate::terminal::say;

/// More than any token needs; a longer file is none of ours.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// How often a held name is tried again: often at first, since issuing takes some milliseconds.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LAST_PAUSE: Duration = Duration::from_millis(20);

/// How many files the folder may have before it takes only the operator's tokens.
const MANY: usize = 2048;

/// A folder of tokens.
#[derive(Debug)]
pub(crate) struct TokenFiles {
    folder: PathBuf,
    /// Whether people were told what is unwise about it.
    told: Once,
}

impl TokenFiles {
    /// A folder that is made, and looked at, when a token is wanted.
    pub(crate) fn new(mut folder: PathBuf) -> Self {
        // With a slash or a dot at its end, a link would pass for the folder that it leads to.
        folder = folder.components().collect();
        Self {
            folder,
            told: Once::new(),
        }
    }

    /// Makes the folder if it is not there, and sees to it that it is its owner's alone.
    fn prepare(&self) -> Result<(), Error> {
        let refused = |why: String| unusable(&self.folder, &why);
        let look = || fs::symlink_metadata(&self.folder);
        let found = match look() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(&self.folder).map_err(|error| refused(format!("cannot be made: {error}")))?;
                look()
            }
            found => found,
        };
        let found = found.map_err(|error| refused(format!("cannot be looked at: {error}")))?;
        if !found.is_dir() {
            return Err(refused(
                "is not a folder, and a link does not count".to_owned(),
            ));
        }
        guard(&self.folder, &found, "700")?;
        self.told.call_once(|| {
            if let Some(above) = replaceable_in(&self.folder) {
                say(&format!(
                    "warning: others may change {}, and so put another folder in the place of the token cache {}: keep it beneath folders of this user's alone",
                    above.display(),
                    self.folder.display()
                ));
            }
        });
        Ok(())
    }

    fn path(&self, name: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{name}.{ending}"))
    }
}

impl Store for TokenFiles {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.prepare()?;
        let path = self.path(name, "json");
        let unreadable = |error: io::Error| unusable(&path, &format!("cannot be read: {error}"));
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        if !found.is_file() {
            return Err(unusable(&path, "is not a plain file; remove it"));
        }
        guard(&path, &found, "600")?;
        let mut options = OpenOptions::new();
        no_link(options.read(true));
        let mut content = Vec::new();
        let opened = options.open(&path);
        match opened.and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut content)) {
            Ok(_) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(error)),
        }
    }

    fn is_full(&self) -> bool {
        fs::read_dir(&self.folder).is_ok_and(|files| files.count() >= MANY)
    }

    /// The system lets go of the lock when its process ends in whatever way; the file stays, since
    /// to remove it would take it from under one who waits.
    #[expect(
        clippy::disallowed_methods,
        reason = "another process is waited for in real time, which no test can skip"
    )]
    fn hold(&self, name: &str, patience: Duration) -> io::Result<Box<dyn Hold + '_>> {
        let mut options = private();
        let lock = options.create(true).open(self.path(name, "lock"))?;
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if started.elapsed() >= patience => {
                    let text = "another process kept its lock for too long";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(pause.min(patience)),
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
        Ok(Box::new(Held {
            _lock: lock,
            beside: self.path(name, "new"),
            target: self.path(name, "json"),
        }))
    }
}

/// A name that this process holds.
struct Held {
    _lock: File,
    beside: PathBuf,
    target: PathBuf,
}

impl Hold for Held {
    fn replace(&self, content: &[u8]) -> io::Result<()> {
        // What a process left that ended in the middle; nobody else writes while this one holds.
        match fs::remove_file(&self.beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Not synchronised with the disk: a token that is lost with the power is issued anew.
        let written = private()
            .create_new(true)
            .open(&self.beside)
            .and_then(|mut file| file.write_all(content))
            .and_then(|()| fs::rename(&self.beside, &self.target));
        if written.is_err() {
            let _ = fs::remove_file(&self.beside);
        }
        written
    }
}

fn unusable(path: &Path, why: &str) -> Error {
    let message = format!("the token cache cannot be used: {} {why}", path.display());
    let hint = "give `--token-cache` (or LINE_CONNECTOR_TOKEN_CACHE) a folder of this user's alone, such as one that is not there yet";
    Error::new(Kind::Usage, message).with_hint(hint)
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Refuses what others can read or write, or what is somebody else's: a token that stands there may
/// be known to them, or be theirs.
fn guard(path: &Path, found: &Metadata, mode: &str) -> Result<(), Error> {
    let Some(exposure) = exposure(found) else {
        return Ok(());
    };
    let error = unusable(path, exposure.text());
    if exposure != Exposure::Mode {
        return Err(error);
    }
    let hint = format!(
        "whoever can read it can send in the channel's name: run `chmod {mode} {}`, or remove it",
        path.display()
    );
    Err(error.with_hint(hint))
}

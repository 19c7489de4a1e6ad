//! `keygen`: an RSA key pair for assertions, printed or written to a folder.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use line_connector_client::jwk::PrivateKey;
use line_connector_client::{Error, ExitCode, Kind};
use line_connector_core::describe;
use serde_json::json;

use crate::host::unwritten;
use crate::terminal::{print, print_secret, say};

/// Makes a key pair and prints it, or the names of the files that it was written to.
pub(crate) fn keygen(folder: Option<&Path>) -> Result<ExitCode, Error> {
    let failed = |reason: String| Error::new(Kind::Internal, reason);
    let key = PrivateKey::generate().map_err(failed)?;
    let Some(folder) = folder else {
        let pair = json!({"private_key": key.private_jwk(), "public_key": key.public_jwk()});
        say(
            "keep `private_key` secret; register `public_key` in the LINE Developers Console, which answers the `kid`",
        );
        let instead = "let `--out` name a folder: the key is written nowhere else, and is gone";
        return Ok(print_secret(&describe::pretty(&pair), instead));
    };
    let private = folder.join("private-key.jwk.json");
    let public = folder.join("public-key.jwk.json");
    make(folder).map_err(|error| unwritten(folder, &error))?;
    write_new(&private, &describe::pretty(&key.private_jwk()), true)
        .map_err(|error| unwritten(&private, &error))?;
    write_new(&public, &describe::pretty(&key.public_jwk()), false)
        .map_err(|error| unwritten(&public, &error))?;
    let names = json!({"private_key": private, "public_key": public});
    Ok(print(&describe::pretty(&names)))
}

/// Makes a folder where there is none, for its owner alone.
fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.recursive(true).create(folder)
}

/// Writes a file that must not be there yet; a secret one for its owner alone.
fn write_new(path: &Path, text: &str, secret: bool) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    options.open(path)?.write_all(text.as_bytes())
}

//! Writes what a check begins with into a folder, for libFuzzer: `seeds CHECK FOLDER`.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let (Some(check), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("usage: seeds CHECK FOLDER"));
    };
    fs::create_dir_all(&folder)?;
    for (number, seed) in line_connector_fuzz::seeds(&check).iter().enumerate() {
        fs::write(Path::new(&folder).join(number.to_string()), seed)?;
    }
    Ok(())
}

//! How a release binary is laid out on Linux, so that little has to be done and loaded to start it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which functions stand together; `benches/layout.py` writes it.
const LAYOUT: &str = "build/layout.ld";

/// The compiler's library of unwinding, as a part of the binary.
const UNWINDING: &str = "static:-bundle=gcc_eh";

/// Tells cargo how to link.
pub(crate) fn arrange() {
    let is = |name: &str, value: &str| env::var_os(name).is_some_and(|known| known == value);
    let linux = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if !linux || !is("PROFILE", "release") {
        return;
    }
    // At a fixed address its tables need no relocation, which otherwise is a third of what starting
    // it costs. Its libraries stay where the system puts them.
    println!("cargo::rustc-link-arg-bins=-no-pie");
    // Not every linker takes the rest, and which one links only linking tells. Without it the binary
    // is a little slower to start.
    let folder = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let layout = format!("-Wl,-T,{}", Path::new(&folder).join(LAYOUT).display());
    if links_with(&format!("-Clink-arg={layout}")) == Some(true) {
        println!("cargo::rustc-link-arg-bins={layout}");
    }
    // One library less to find and to load, of which nothing is used but in a panic.
    if links_with(&format!("-l{UNWINDING}")) == Some(true) {
        println!("cargo::rustc-link-lib={UNWINDING}");
    }
}

/// Whether a program links with this argument of the compiler's, on this machine and for this target.
fn links_with(argument: &str) -> Option<bool> {
    let folder = PathBuf::from(env::var_os("OUT_DIR")?);
    let program = folder.join("links.rs");
    fs::write(&program, "fn main() {}").ok()?;
    let mut compiler = Command::new(env::var_os("RUSTC")?);
    compiler.arg(&program).arg("-o").arg(folder.join("links"));
    compiler.arg("--target").arg(env::var_os("TARGET")?);
    let flags = env::var_os("CARGO_ENCODED_RUSTFLAGS")?;
    let flags = flags.to_str()?.split('\u{1f}');
    compiler.args(flags.filter(|flag| !flag.is_empty()));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        compiler.arg(format!("-Clinker={}", linker.to_str()?));
    }
    compiler.args(["-Cpanic=abort", "-Clink-arg=-no-pie", argument]);
    Some(compiler.output().ok()?.status.success())
}

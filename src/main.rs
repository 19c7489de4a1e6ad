//! The binary: parse, call the face, exit.

use std::process;

use line_connector::error::ExitCode;
use line_connector::face::cli;

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that ends the process"
)]
fn main() {
    // A platform gets its one document and an exit code even from a bug; the place is enough to
    // find it, the message may hold a value that must not be shown.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        cli::report_bug(&place);
        process::exit(ExitCode::Bug as i32);
    }));
    process::exit(cli::main(std::env::args_os()) as i32);
}

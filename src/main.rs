//! `line-connector`, as a process.

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that ends the process"
)]
fn main() {
    std::process::exit(line_connector::program() as i32);
}

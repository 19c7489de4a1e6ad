//! libFuzzer's way to a check: the environment names it, since all share one corpus.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use line_connector_fuzz::{CHECKS, Check};

static CHOSEN: OnceLock<Check> = OnceLock::new();

fn chosen() -> Check {
    let name = std::env::var("CHECK").unwrap_or_default();
    let known = CHECKS.iter().find(|(known, _)| *known == name);
    known
        .unwrap_or_else(|| panic!("CHECK must be one of {:?}", CHECKS.map(|(name, _)| name)))
        .1
}

fuzz_target!(|bytes: &[u8]| CHOSEN.get_or_init(chosen)(bytes));

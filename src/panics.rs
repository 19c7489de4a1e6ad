//! Panics: contained at the call that they interrupt, and told by their place alone, since a message
//! may hold a value that must not be shown.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};

use line_connector_client::{Error, Kind, Outcome};

use crate::terminal::say;

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on a panic writes its place to standard error, and nothing else.
pub(crate) fn report_place() {
    panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|place| format!("{}:{}", in_crate(place.file()), place.line()))
            .unwrap_or_default();
        say(&format!("bug: panic at {place}"));
        PLACE.set(Some(place));
    }));
}

/// Does one piece of work; a panic in it costs its result and nothing else.
///
/// # Errors
///
/// [`Kind::Internal`] with the place, where it panicked.
pub fn contain<T>(work: impl FnOnce() -> T) -> Result<T, Error> {
    // What panicked is given up as a whole, and locks are taken over from whoever panicked, so no
    // half-changed state is looked at as if it were whole.
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        let place = PLACE.take().unwrap_or_default();
        // Nobody knows what was done before.
        Error::new(Kind::Internal, format!("the connector has a bug: {place}"))
            .with_outcome(Outcome::Unknown)
    })
}

/// A source file from its crate on: where it was built is nobody's business.
fn in_crate(file: &str) -> &str {
    let Some((before, _)) = file.rsplit_once("/src/") else {
        return file;
    };
    let start = before.rfind('/').map_or(0, |slash| slash + 1);
    &file[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_starts_at_its_crate() {
        assert_eq!(in_crate("src/main.rs"), "src/main.rs");
        assert_eq!(
            in_crate("crates/core/src/call/mod.rs"),
            "core/src/call/mod.rs"
        );
        assert_eq!(
            in_crate("/registry/src/index/ureq-3.5.0/src/run.rs"),
            "ureq-3.5.0/src/run.rs"
        );
    }

    #[test]
    fn a_panic_costs_its_own_result() {
        let error = contain(|| panic!("token")).unwrap_err();
        assert_eq!(error.kind, Kind::Internal);
        assert_eq!(error.outcome, Outcome::Unknown);
        assert!(!error.message.contains("token"));
        assert_eq!(contain(|| 1).unwrap(), 1);
    }
}

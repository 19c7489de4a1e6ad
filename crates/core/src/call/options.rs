//! Options that an action cannot follow, and options that change nothing: the former are refused, all at
//! once, the latter are warned about.

use super::action::ResolvedAction;
use super::{gives_file, idempotency};
use crate::documents::Options;
use crate::error::{Detail, Error, Kind};
use line_connector_catalog::definition::Repeat;

/// An option by its place.
fn option(name: &str, message: &str) -> Detail {
    Detail::new(format!("/options/{name}"), message)
}

/// Options that the action cannot follow.
///
/// # Errors
///
/// [`Kind::InvalidInputs`] with each of them.
pub(super) fn fit(action: &ResolvedAction, options: &Options) -> Result<(), Error> {
    let mut details = Vec::new();
    if options.all_pages == Some(true) && action.meta.pages.is_none() {
        details.push(option("all_pages", "this action has no pages"));
    }
    if options.save_to.is_some() && !gives_file(action) {
        details.push(option("save_to", "this action gives no file"));
    }
    if action.meta.messages.is_none() {
        let names = options.about_messages().into_iter();
        details.extend(names.map(|name| option(name, "this action takes no messages")));
    } else if options.fallback.is_some() && !has_fallback(action) {
        details.push(option("fallback", "this action has none"));
    }
    if let Err(error) = idempotency(action, options) {
        details.extend(error.details);
    }
    if details.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::InvalidInputs, "the options do not fit the action").with_details(details))
}

fn has_fallback(action: &ResolvedAction) -> bool {
    let sends = action.meta.sends.as_ref();
    sends.is_some_and(|sends| sends.fallback.is_some())
}

/// Options that change nothing for this call. `is_composed` says whether its messages are to become
/// LINE's objects; `own_key` whether it brings a retry key.
pub(super) fn without_effect(
    action: &ResolvedAction,
    options: &Options,
    is_composed: bool,
    own_key: bool,
) -> Vec<Detail> {
    let meta = &action.meta;
    let mut details = Vec::new();
    let mut idle = |name: &str, why: &str| {
        details.push(option(name, &format!("has no effect: {why}")));
    };
    if options.max_items.is_some() && options.all_pages != Some(true) {
        idle(
            "max_items",
            if meta.pages.is_some() {
                "it counts with `all_pages`"
            } else {
                "this action has no pages"
            },
        );
    }
    if options.overwrite.is_some() && options.save_to.is_none() {
        idle("overwrite", "it counts with `save_to`");
    }
    let waits = meta.progress.is_some() || !meta.pending.is_empty();
    if options.wait_ms.is_some_and(|wait| wait > 0) && !waits {
        idle(
            "wait_ms",
            "this action leaves nothing to wait for; turns are `max_wait_ms`",
        );
    }
    if let (Some(timeout), Some(deadline)) = (options.timeout_ms, options.deadline_ms)
        && timeout > deadline
    {
        idle("timeout_ms", "the call ends before, by `deadline_ms`");
    }
    if options.idempotency_key.is_some() && own_key && meta.retry == Repeat::Keyed {
        idle(
            "idempotency_key",
            "the inputs bring a retry key of their own",
        );
    }
    if meta.messages.is_some() && !is_composed {
        for name in options.compose.changed() {
            idle(
                name,
                "the messages are LINE's own objects, and go as they are",
            );
        }
    }
    details
}

//! Listings that take several calls, page after page. How an action's pages are asked for is
//! declared.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value};

use super::action::ResolvedAction;
use super::deadline::Deadline;
use super::{Answer, Pipeline, insert};
use crate::documents::{Invocation, Output};
use crate::error::{Error, Kind};
use crate::json_text::JsonText;
use crate::request;
use line_connector_catalog::definition::Pages;

impl Pipeline {
    /// Every page of a listing, merged into the first one's output.
    pub(super) fn all_pages(
        &self,
        action: &ResolvedAction,
        pages: &Pages,
        mut invocation: Invocation,
        deadline: &Deadline,
    ) -> Answer {
        if let Err(error) = in_sections(action, &mut invocation) {
            return self.refused(invocation, error);
        }
        if let Some(first) = pages
            .first
            .filter(|_| parameter(&invocation, pages).is_none())
        {
            set_parameter(&mut invocation, pages, Value::from(first));
        }
        let mut listing = Listing::new(invocation.options.max_items, &self.listed);
        let patience = invocation.options.max_wait_ms;
        loop {
            invocation.options.max_wait_ms =
                patience.map(|all| all.saturating_sub(listing.waited_ms.unwrap_or_default()));
            deadline.hand_to(&mut invocation.options, self.host.clock.as_ref());
            let mut answer = self.once(invocation.clone());
            if answer.output.error.is_some() {
                listing.report(&mut answer.output);
                return answer;
            }
            match listing.take(pages, answer, parameter(&invocation, pages)) {
                Ok(Some(next)) => {
                    deadline.tell(|| {
                        format!(
                            "after page {}: {} items",
                            listing.pages, listing.items.count
                        )
                    });
                    set_parameter(&mut invocation, pages, next);
                }
                Ok(None) => return listing.finish(pages),
                Err(error) => return listing.finish(pages).with_error(&error),
            }
        }
    }
}

/// Brings the inputs into sections, so that more can be added to them.
pub(super) fn in_sections(
    action: &ResolvedAction,
    invocation: &mut Invocation,
) -> Result<(), Error> {
    let inputs = std::mem::take(&mut invocation.inputs);
    let bound = request::bind(inputs, |section| action.section(section))?;
    invocation.inputs = bound.as_object().cloned().unwrap_or_default();
    Ok(())
}

/// Two times, either of which may be absent.
pub(super) fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    [one, other]
        .into_iter()
        .flatten()
        .reduce(|one, other| one + other)
}

fn parameter<'a>(invocation: &'a Invocation, pages: &Pages) -> Option<&'a Value> {
    invocation.inputs.get("parameters")?.get(&pages.parameter)
}

fn set_parameter(invocation: &mut Invocation, pages: &Pages, value: Value) {
    insert(
        &mut invocation.inputs,
        "parameters",
        &pages.parameter,
        value,
    );
}

/// How many pages a listing has at most: with 1000 items each, ten million.
const MAX_PAGES: u32 = 10_000;
/// How many bytes of pages a listing holds at most.
const MAX_BYTES: usize = 128 * 1024 * 1024;
/// How many bytes of pages all listings under way hold at most.
const MAX_BYTES_TOGETHER: usize = 2 * MAX_BYTES;

/// Items as JSON text, one behind the other: as values they would take many times their bytes.
#[derive(Default)]
struct Items {
    json: String,
    count: u64,
}

impl Items {
    fn push(&mut self, item: &Value) {
        if self.count > 0 {
            self.json.push(',');
        }
        // Writing to a string cannot fail.
        let _ = write!(self.json, "{item}");
        self.count += 1;
    }
}

/// What the listings under way hold together, and one of them.
struct Share<'a> {
    all: &'a AtomicUsize,
    bytes: usize,
}

impl Share<'_> {
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.all.fetch_add(bytes, Ordering::Relaxed);
    }

    fn is_too_large(&self) -> bool {
        self.bytes >= MAX_BYTES || self.all.load(Ordering::Relaxed) >= MAX_BYTES_TOGETHER
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The pages read so far.
struct Listing<'a> {
    most: Option<u64>,
    items: Items,
    /// The first page's answer, and its body without the items.
    first: Option<(Answer, Option<Value>)>,
    /// The continuation tokens that came, each of which leads on once.
    tokens: HashSet<String>,
    share: Share<'a>,
    pages: u32,
    attempts: u32,
    waited_ms: Option<u64>,
    elapsed_ms: u64,
    more: bool,
}

impl<'a> Listing<'a> {
    fn new(most: Option<u64>, all: &'a AtomicUsize) -> Self {
        Self {
            most,
            items: Items::default(),
            first: None,
            tokens: HashSet::new(),
            share: Share { all, bytes: 0 },
            pages: 0,
            attempts: 0,
            waited_ms: None,
            elapsed_ms: 0,
            more: false,
        }
    }

    /// Takes in a page and says what asks for the next one.
    fn take(
        &mut self,
        pages: &Pages,
        answer: Answer,
        asked: Option<&Value>,
    ) -> Result<Option<Value>, Error> {
        self.pages += 1;
        let body = answer.output.json_body.as_ref();
        self.share.add(body.map_or(0, |body| body.text().len()));
        if let Some(meta) = &answer.output.meta {
            self.attempts += meta.attempts;
            self.waited_ms = sum(self.waited_ms, meta.waited_ms);
            self.elapsed_ms += meta.elapsed_ms;
        }
        let mut page = answer.output.json();
        let body = page.as_mut().and_then(Value::as_object_mut);
        let found = body.and_then(|body| match body.get_mut(&pages.items).map(Value::take) {
            Some(Value::Array(items)) => Some((items, body.get(&pages.next).cloned())),
            _ => None,
        });
        let (items, next) = found.unwrap_or_default();
        let most = self.most.unwrap_or(u64::MAX);
        let room = usize::try_from(most - self.items.count).unwrap_or(usize::MAX);
        items
            .iter()
            .take(room)
            .for_each(|item| self.items.push(item));
        match &mut self.first {
            Some((first, _)) => first.redactor = answer.redactor.and(&first.redactor),
            None => self.first = Some((answer, page)),
        }
        let next = following(next, asked);
        if self.items.count >= most {
            self.more = items.len() > room || next.is_some();
            return Ok(None);
        }
        self.check(next.as_ref())?;
        Ok(next)
    }

    /// Whether the listing may go on.
    fn check(&mut self, next: Option<&Value>) -> Result<(), Error> {
        let Some(next) = next else {
            return Ok(());
        };
        let refusal = |message: &str| Err(Error::new(Kind::UnexpectedStatus, message));
        if let Some(token) = next.as_str()
            && !self.tokens.insert(token.to_owned())
        {
            return refusal(
                "LINE gave the same continuation token twice; the listing cannot go on",
            );
        }
        if self.pages >= MAX_PAGES || self.share.is_too_large() {
            return refusal("the listing is too long; ask for it in parts");
        }
        Ok(())
    }

    /// The first page's output with the items of all.
    fn finish(self, pages: &Pages) -> Answer {
        let (mut answer, mut page) = self.first.unwrap_or_default();
        let meta = answer.output.meta.get_or_insert_default();
        meta.pages = Some(self.pages);
        meta.items = Some(self.items.count);
        meta.more = Some(self.more);
        meta.attempts = self.attempts;
        meta.waited_ms = self.waited_ms;
        meta.elapsed_ms = self.elapsed_ms;
        if let Some(Value::Object(body)) = &mut page {
            body.shift_remove(&pages.next);
            body.entry(&pages.items).or_insert(Value::Null);
            answer.output.json_body = JsonText::read(&with_items(body, &pages.items, &self.items));
        } else {
            answer.output.json_body = page.map(Into::into);
        }
        answer
    }

    /// What was read before a page failed.
    fn report(&self, output: &mut Output) {
        let meta = output.meta.get_or_insert_default();
        meta.pages = Some(self.pages);
        meta.items = Some(self.items.count);
        meta.attempts += self.attempts;
        meta.waited_ms = sum(self.waited_ms, meta.waited_ms);
        meta.elapsed_ms += self.elapsed_ms;
    }
}

/// A page's body with these items in the member of that name.
fn with_items(body: &Map<String, Value>, name: &str, items: &Items) -> String {
    let mut json = String::with_capacity(items.json.len() + 256);
    for (member, value) in body {
        json.push(if json.is_empty() { '{' } else { ',' });
        let key = Value::from(member.as_str());
        // Writing to a string cannot fail.
        let _ = if member == name {
            write!(json, "{key}:[{}]", items.json)
        } else {
            write!(json, "{key}:{value}")
        };
    }
    json.push('}');
    json
}

/// What asks for the page after this one, if there is one.
fn following(next: Option<Value>, asked: Option<&Value>) -> Option<Value> {
    match next {
        Some(Value::String(token)) if !token.is_empty() => Some(Value::from(token)),
        Some(Value::Bool(true)) => {
            let page = asked.map_or(1, |page| {
                page.as_u64()
                    .or_else(|| page.as_str()?.parse().ok())
                    .unwrap_or(1)
            });
            Some(Value::from(page + 1))
        }
        _ => None,
    }
}

//! The tools as clients list them: an action each for what is shown, and five that are none, most
//! of which take an action's name. It makes no call.

use std::sync::Arc;

use line_connector_client::Catalog;
use line_connector_core::catalog::Entry;
use line_connector_core::catalog::definition::{Action, Effect, Repeat};
use line_connector_core::compact;
use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

use crate::offer::Offer;

/// Finds actions by words.
pub(crate) const FIND: &str = "find_actions";
/// Tells everything about an action.
pub(crate) const DESCRIBE: &str = "describe_action";
/// Makes LINE's objects of messages as people write them.
pub(crate) const COMPOSE: &str = "compose_message";
/// Calls an action that changes nothing.
pub(crate) const READ: &str = "read_action";
/// Calls any action.
pub(crate) const RUN: &str = "run_action";

/// The tools that are no action of their own.
pub(crate) const META_TOOLS: [&str; 5] = [FIND, DESCRIBE, COMPOSE, READ, RUN];

/// The tool that is nearest to a name which none has: an action's, or one of the others.
pub(crate) fn nearest<'c>(catalog: &'c Catalog, name: &str) -> Option<&'c str> {
    let meta = line_connector_core::nearest::nearest(name, META_TOOLS);
    meta.or_else(|| catalog.nearest(name))
}

/// The longest description of a tool, characters: longer ones are cut by hosts.
const DESCRIPTION: usize = 500;

/// Which account a call is for.
pub(crate) const ACCOUNT: &str = "account";
/// The digest of a plan that the caller wants carried out.
pub(crate) const CONFIRM: &str = "confirm";

/// Whether inputs are checked: what is new at LINE can be sent all the same.
pub(crate) const VALIDATION: &str = "validation";

/// The tools that a client lists, always in the same order.
pub(crate) fn list(catalog: &Catalog, offer: &Offer, accounts: &[&str], asks: bool) -> Vec<Tool> {
    let shown = catalog.entries().into_iter();
    let shown = shown
        .filter(|entry| offer.shows(entry))
        .filter_map(|entry| {
            let action = catalog.action(&entry.name)?;
            let offered = offer.refusal(&action).is_none();
            offered.then(|| tool(catalog, &entry, &action, accounts, asks))
        });
    let meta = META_TOOLS.into_iter();
    let meta = meta.filter(|name| offer.lists(name));
    shown
        .chain(meta.map(|name| meta_tool(name, accounts)))
        .collect()
}

fn tool(catalog: &Catalog, entry: &Entry, action: &Action, accounts: &[&str], asks: bool) -> Tool {
    let mut inputs = compact::inputs(catalog, action);
    if let Some(properties) = inputs.get_mut("properties").and_then(Value::as_object_mut) {
        properties.extend(controls(action, accounts, asks));
    }
    let Value::Object(schema) = inputs else {
        return meta_tool(FIND, accounts);
    };
    Tool::new(
        entry.short.clone(),
        cut(&action.description),
        Arc::new(schema),
    )
    .with_title(action.title.clone())
    .with_annotations(annotations(action))
}

/// What clients may know of a call before it is made.
fn annotations(action: &Action) -> ToolAnnotations {
    let reads = action.meta.effect == Effect::Read;
    let sends = action.meta.sends.is_some();
    ToolAnnotations::new()
        .read_only(reads)
        .destructive(action.meta.effect == Effect::Destructive || sends)
        .idempotent(action.meta.retry == Repeat::Safe)
        .open_world(true)
}

/// The arguments beside an action's inputs.
pub(crate) fn controls(action: &Action, accounts: &[&str], asks: bool) -> Map<String, Value> {
    let mut controls = Map::new();
    let mut add = |name: &str, schema: Value| {
        controls.insert(name.to_owned(), schema);
    };
    if let [_, _, ..] = accounts {
        add(ACCOUNT, account(accounts));
    }
    if action.meta.retry == Repeat::Keyed {
        add(
            "idempotency_key",
            json!({"type": "string", "description": "What this send is, such as `order-4711/shipped`. A repeat with the same key sends nothing more."}),
        );
    }
    if action.meta.progress.is_some() || !action.meta.pending.is_empty() {
        add(
            "wait_ms",
            json!({"type": "integer", "description": "How long to wait for the end of the work that LINE only begins, milliseconds."}),
        );
    }
    if action.meta.pages.is_some() {
        add(
            "all_pages",
            json!({"type": "boolean", "description": "Follows the listing to its end."}),
        );
        add(
            "max_items",
            json!({"type": "integer", "description": "The most items, with `all_pages`."}),
        );
    }
    if has_file(action) {
        add(
            "save_to",
            json!({"type": "string", "description": "Saves the file here, beneath a folder of `--save-into`, instead of answering with its bytes."}),
        );
    }
    if asks && action.asks_first() {
        add(
            CONFIRM,
            json!({"type": "string", "description": "Leave it out at first. Where the answer is a plan, show it to the user; once they agree, call again with the plan's digest here."}),
        );
    }
    controls
}

/// Whether what comes back is a file.
fn has_file(action: &Action) -> bool {
    let properties = action.output.get("properties");
    properties.is_some_and(|properties| properties.get("file").is_some())
}

fn account(accounts: &[&str]) -> Value {
    json!({"enum": accounts, "description": "Which LINE Official Account; the first where it is left out."})
}

/// A tool that is no action.
fn meta_tool(name: &str, accounts: &[&str]) -> Tool {
    let action =
        json!({"type": "string", "description": "The action's name, as `find_actions` tells it."});
    let (title, description, mut properties, required) = match name {
        FIND => (
            "Find actions",
            "Finds what else can be done with LINE: every operation of the Messaging API is an action \
(rich menus, audiences, insight, coupons, groups, LIFF, memberships, webhooks, tokens …). Call it before \
you say that something cannot be done; then `describe_action`.",
            json!({
                "query": {"type": "string", "description": "Words of what is wanted, in English."},
                "family": {"type": "string", "description": "Only this family, such as rich_menu."},
                "effect": {"enum": ["read", "write", "destructive"]},
                "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 20},
            }),
            json!([]),
        ),
        DESCRIBE => (
            "Describe an action",
            "Tells an action's inputs in full, with limits, traps, and examples: also of the tools here, \
whose own schemas leave out what messages may contain. Read it before you write templates, Flex messages \
or rich menus.",
            json!({"action": action}),
            json!(["action"]),
        ),
        COMPOSE => (
            "Compose messages",
            "Makes LINE's message objects of a text, of Markdown, or of a message in the field names of Sinch's \
Conversation API (card_message, choice_message, carousel_message, media_message …), and tells what was \
changed, shortened or split. Nothing is sent: what it answers can be sent or shown.",
            json!({
                "messages": {"description": "A text, a message, or a list of them."},
                "render": {"enum": ["auto", "template", "flex"]},
                "markdown": {"enum": ["plain", "rich"], "description": "Reads texts as Markdown."},
                "strict": {"type": "boolean", "description": "Refuses what LINE would not show whole."},
            }),
            json!(["messages"]),
        ),
        READ => (
            "Call an action that reads",
            "Calls any action that changes nothing, by name; others are refused. Use `run_action` for those.",
            json!({"action": action, "inputs": {"type": "object", "description": "Its inputs, flat."},
                "all_pages": {"type": "boolean"}, "max_items": {"type": "integer"},
                "wait_ms": {"type": "integer"}, "save_to": {"type": "string"}}),
            json!(["action"]),
        ),
        _ => (
            "Call any action",
            "Calls any action by name. Sends to many, deletions and unlinking are shown as a plan first and \
carried out once the user agrees. Call `describe_action` for the inputs.",
            json!({"action": action, "inputs": {"type": "object", "description": "Its inputs, flat."},
                "idempotency_key": {"type": "string", "description": "What this send is; a repeat with the same key sends nothing more."},
                "all_pages": {"type": "boolean"}, "max_items": {"type": "integer"},
                "wait_ms": {"type": "integer"}, "save_to": {"type": "string"},
                "validation": {"enum": ["strict", "off"], "description": "off sends inputs that the check refuses: only for what is new at LINE."},
                "confirm": {"type": "string", "description": "The digest of a plan that the user agreed to."}}),
            json!(["action"]),
        ),
    };
    if let ([_, _, ..], READ | RUN) = (accounts, name)
        && let Some(properties) = properties.as_object_mut()
    {
        properties.insert(ACCOUNT.to_owned(), account(accounts));
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), properties);
    schema.insert("required".to_owned(), required);
    schema.insert("additionalProperties".to_owned(), json!(false));
    let annotations = ToolAnnotations::new()
        .read_only(name != RUN)
        .destructive(name == RUN)
        .idempotent(name != RUN)
        .open_world(name == READ || name == RUN);
    Tool::new(name.to_owned(), description, Arc::new(schema))
        .with_title(title)
        .with_annotations(annotations)
}

/// A description as long as hosts show it, cut after a sentence where one ends.
pub(crate) fn cut(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(DESCRIPTION) else {
        return text.to_owned();
    };
    let start = text.get(..end).unwrap_or(text);
    match start.rfind(". ") {
        Some(stop) => start.get(..=stop).unwrap_or(start).to_owned(),
        None => format!("{start}…"),
    }
}

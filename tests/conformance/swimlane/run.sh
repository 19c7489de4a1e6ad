#!/usr/bin/env bash
# Runs the action files through Swimlane's own runtime and through this connector, both against the
# sandbox, and compares what they send and what they answer. Needs Python 3.10 or later and PyPI.
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

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    --requirement tests/conformance/swimlane/requirements.txt

# compare.py starts and stops the sandboxes itself, one for each run, so that both sides meet the
# same fresh state. Its exit code is this script's.
"$work/venv/bin/python" -W ignore tests/conformance/swimlane/compare.py "$binary"

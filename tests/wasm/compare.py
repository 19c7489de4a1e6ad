"""Checks the WebAssembly module of the core.

    compare.py path/to/module.wasm path/to/line-connector
"""

import gzip
import json
import pathlib
import re
import shutil
import subprocess
import sys

IMPORT_SECTION = 2
NODE = pathlib.Path(__file__).with_name("plan.mjs")


def number(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def imports(module: bytes) -> int:
    """How many imports a module has."""
    assert module[:4] == b"\0asm", "not a WebAssembly module"
    at = 8
    while at < len(module):
        section = module[at]
        length, at = number(module, at + 1)
        if section == IMPORT_SECTION:
            return number(module, at)[0]
        at += length
    return 0


def documents(binary: str) -> list[dict]:
    """An invocation for each example of each action that needs no file and no clock."""
    described = json.loads(subprocess.check_output([binary, "describe"]))
    return [
        {
            "action": action["name"],
            "asset": {"token": "t"},
            "inputs": example["inputs"],
            "options": {"idempotency_key": "the same on both sides"},
        }
        for action in described["actions"]
        for example in action["examples"]
    ]


def comparable(text: str) -> dict:
    """An output without what differs by nature: the time taken, multipart boundaries, and how long ago a
    day is, since the module's clock stands still."""
    text = re.sub(r"line-connector-[0-9a-f]{32}", "BOUNDARY", text)
    output = json.loads(text)
    meta = output["meta"]
    meta.pop("elapsed_ms")
    warnings = [one for one in meta.pop("warnings", []) if "years ago" not in one["message"]]
    if warnings:
        meta["warnings"] = warnings
    body = output.get("request", {}).get("body")
    if isinstance(body, dict):
        body.get("binary", {}).pop("sha256", None)
    return output


def main() -> int:
    module, binary = sys.argv[1:]
    data = pathlib.Path(module).read_bytes()
    count = imports(data)
    size = len(gzip.compress(data)) / 1e6
    print(f"the core as WebAssembly: {count} imports, {len(data) / 1e6:.2f} MB, {size:.2f} MB gzipped")
    passed, failed = int(count == 0), int(count != 0)
    node = shutil.which("node")
    if node is None:
        print("dry runs are left out: they need Node")
    else:
        cases = documents(binary)
        lines = "".join(json.dumps(case) + "\n" for case in cases)
        serve = [binary, "serve", "--dry-run", "--ordered", "--concurrency", "1"]
        ours = subprocess.check_output([node, NODE, module], input=lines, text=True).splitlines()
        theirs = subprocess.check_output(serve, input=lines, text=True).splitlines()
        for case, one, other in zip(cases, ours, theirs, strict=True):
            same = comparable(one) == comparable(other)
            passed, failed = passed + same, failed + (not same)
            if not same:
                print(f"FAILED {case['action']}\n  module:  {one}\n  program: {other}")
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

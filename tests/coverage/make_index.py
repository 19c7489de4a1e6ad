"""Writes operations.json: every operation that LINE's published OpenAPI describes, with its host and
path. tests/it/coverage.rs compares the catalog with it, and tests/conformance/prism/ looks up which
file describes an operation.

    LINE_OPENAPI_DIR=path/to/line-openapi python3 tests/coverage/make_index.py

It needs PyYAML. CI does not run it: run it when LINE publishes a new version, and read the diff.
"""

import json
import os
import pathlib

import yaml

# All files but webhook.yml, which describes what LINE calls and not what it answers.
SPECS = [
    "channel-access-token.yml",
    "insight.yml",
    "liff.yml",
    "manage-audience.yml",
    "messaging-api.yml",
    "module-attach.yml",
    "module.yml",
    "shop.yml",
]
HOSTS = {
    "https://api.line.me": "api",
    "https://api-data.line.me": "data",
    "https://manager.line.biz": "manager",
}
METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]


def operations(spec, document):
    """The operations of one file. The innermost `servers` says which host serves one."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            operation = item[method]
            servers = operation.get("servers") or item.get("servers") or document["servers"]
            [url] = [server["url"].rstrip("/") for server in servers]
            yield {
                "method": method.upper(),
                "host": HOSTS[url],
                "path": path,
                "operation": operation["operationId"],
                "spec": spec,
            }


def main():
    folder = pathlib.Path(os.environ["LINE_OPENAPI_DIR"])
    found = []
    for spec in SPECS:
        document = yaml.safe_load((folder / spec).read_text(encoding="utf-8"))
        found.extend(operations(spec, document))
    found.sort(key=lambda entry: (entry["spec"], entry["path"], entry["method"]))
    # One operation a line, so that a diff shows what LINE has added or removed.
    lines = ",\n".join("  " + json.dumps(entry) for entry in found)
    target = pathlib.Path(__file__).with_name("operations.json")
    target.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{len(found)} operations in {target}")


if __name__ == "__main__":
    main()

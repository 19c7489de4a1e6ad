"""One playbook step on Swimlane's own open runtime, as its users' platform would start it.

Reads `{"asset": …, "inputs": …}` on standard input and the same action file that our connector
carries; prints the runtime's output as JSON. `cold.py` starts it with the Python that has the
runtime installed: `swimlane_step.py ASSET_FILE ACTION_FILE`.
"""

import json
import sys

import yaml
from connector_definition_runner import Runner

# The parser in C where PyYAML has it: the peer is measured at its best.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(path):
    """Reads one file of the connector's definition."""
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, LOADER)


def main():
    """Runs the step; the runtime itself ends the process with 1 when it fails."""
    asset_file, action_file = sys.argv[1:]
    document = json.load(sys.stdin)
    runner = Runner(document["asset"], load(asset_file), None)
    output = runner.run(document["inputs"], load(action_file))
    json.dump(output, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()

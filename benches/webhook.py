#!/usr/bin/env python3
"""Measures verifying and reading webhooks on one core: ours beside minimal programs and LINE's SDKs.

`README.md` in this folder says how to run it and how to read what it prints.
"""

import argparse
import os
import statistics
import sys
from dataclasses import dataclass

import documents
from clients import NODE_SDK, PYTHON_SDK
from support import builds, peers, process, report, turns
from support.errors import Unavailable
from support.receiver import SECRET, sign

BODY = os.path.join(documents.INPUTS, "webhook.json")
EVENTS = 5
# What the bench calls its ways, as a table shows them.
WAYS = {
    "line-connector: into its events": "connector: verify, read",
    "line-connector: and written as JSON": "connector: verify, read, write",
    "minimal Rust: verify only": "verify",
    "minimal Rust: into minimal types": "verify, parse minimal types",
    "minimal Rust: into `serde_json::Value`": "verify, parse into Value",
}
OURS, _, _, MINIMAL, _ = WAYS


@dataclass(frozen=True)
class Row:
    """The median of one client."""

    client: str
    rounds: int
    events_per_second: float


def main():
    """Measures, prints, and writes what was asked for."""
    options = arguments()
    try:
        measured = measure(options)
    except Unavailable as reason:
        raise SystemExit(f"cannot measure: {reason}") from reason
    document = report.document(measured, figures(measured))
    report.tell(options, markdown(measured), document, *report.markers("webhook"))


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=turns.positive, default=5, help="rounds to measure (5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each repeats (1)")
    parser.add_argument("--no-sdks", action="store_true", help="without LINE's SDKs")
    report.add_options(parser)
    return parser.parse_args()


def measure(options):
    """The whole run: processes of all clients in turn, in an order that changes."""
    measured = report.Report(conditions=report.conditions(options.rounds))
    bench = builds.bench("webhook")
    commands = {client: [bench, "--measure", way] for client, way in WAYS.items()}
    if not options.no_sdks:
        commands |= sdks(measured)
    turns.warn_if_busy()
    samples = {client: [] for client in commands}
    for client in turns.in_turns(commands, options.rounds):
        taken = process.answer([*pinned(), *commands[client], str(options.seconds)])
        samples[client].append(taken["bodies_per_second"] * EVENTS)
    for client, taken in samples.items():
        measured.rows.append(Row(client, len(taken), statistics.median(taken)))
    return measured


def pinned():
    """One core, where the system can say so: Node's collector would use another."""
    return ["taskset", "--cpu-list", "0"] if sys.platform == "linux" else []


def sdks(measured):
    """The commands of LINE's SDKs; the reasons of those that cannot be had go into the report."""
    with open(BODY, "rb") as file:
        given = [BODY, SECRET, sign(file.read())]
    commands = {}
    for client, prepare in ((NODE_SDK, node_sdk), (PYTHON_SDK, python_sdk)):
        try:
            command, version = prepare()
        except Unavailable as reason:
            turns.skip(measured.skipped, client, str(reason))
            continue
        commands[client] = [*command, *given]
        measured.conditions += f", {version}"
    return commands


def node_sdk():
    """The Node SDK's program, and what to call its version."""
    node, modules = peers.node(), peers.node_modules(peers.NODE_SDK)
    script = os.path.join(peers.FOLDER, "webhook.mjs")
    return [node, script, modules], f"Node {peers.version([node])}, {peers.NODE_SDK[0]}"


def python_sdk():
    """The Python SDK's program, and what to call its version."""
    script = os.path.join(peers.FOLDER, "webhook.py")
    return [peers.python(peers.PYTHON_SDK), script], peers.PYTHON_SDK[0]


def figures(measured):
    """The figure of the design that applies."""
    minimal, node, python = (
        measured.ratio("events_per_second", OURS, to) for to in (MINIMAL, NODE_SDK, PYTHON_SDK)
    )
    return [
        report.at_least("verify, parse, normalise", 0.7, minimal, "× minimal types"),
        report.at_least("beside LINE's Node SDK", 1, node, "×"),
        report.at_least("beside LINE's Python SDK", 1, python, "×"),
    ]


def markdown(measured):
    """The whole report, readable on a terminal and in the README alike."""
    body = []
    for row in measured.rows:
        ratio = measured.ratio("events_per_second", row.client, MINIMAL)
        body.append([row.client, f"{row.events_per_second:,.0f}", report.times(ratio, 3)])
    parts = [
        f"{measured.conditions}. Medians, bodies of {EVENTS} events; × is the ratio to minimal types.",
        report.table(["", "events a second", "×"], body),
    ]
    return report.finished(parts, figures(measured), measured.skipped)


if __name__ == "__main__":
    main()

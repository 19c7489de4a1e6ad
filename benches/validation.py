#!/usr/bin/env python3
"""Measures checking inputs within a process: ours beside ajv, on the same schema and documents.

`README.md` in this folder says how to run it and how to read what it prints.
"""

import argparse
import json
import os
import statistics
import tempfile
from dataclasses import dataclass

import documents
from support import builds, peers, process, report, turns
from support.errors import Unavailable

OURS, AJV = "line-connector", "ajv"
TITLES = {"text": "Push of a text", "carousel": "Push of the largest carousel"}


@dataclass(frozen=True)
class Row:
    """The medians of one validator at one document."""

    client: str
    document: str
    rounds: int
    first_us: float
    per_second: float


def main():
    """Measures, prints, and writes what was asked for."""
    options = arguments()
    try:
        with tempfile.TemporaryDirectory(prefix="validation-") as folder:
            measured = measure(options, folder)
    except Unavailable as reason:
        raise SystemExit(f"cannot measure: {reason}") from reason
    document = report.document(measured, figures(measured))
    report.tell(options, markdown(measured), document, *report.markers("validation"))


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=turns.positive, default=5, help="rounds to measure (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long one check is repeated (2)")
    report.add_options(parser)
    return parser.parse_args()


def measure(options, folder):
    """The whole run: processes of both validators in turn, in an order that changes."""
    up_to_date()
    measured = report.Report(conditions=report.conditions(options.rounds))
    bench = builds.bench("validation")
    commands = {(OURS, name): [bench, "--measure", name] for name in TITLES}
    try:
        commands.update(ajv(folder))
        measured.conditions += f", Node {peers.version([peers.node()])}"
    except Unavailable as reason:
        turns.skip(measured.skipped, AJV, str(reason))
    turns.warn_if_busy()
    samples = {case: [] for case in commands}
    for case in turns.in_turns(commands, options.rounds):
        samples[case].append(process.answer([*commands[case], str(options.seconds)]))
    for (client, name), taken in samples.items():
        measured.rows.append(summarize(client, name, taken))
    return measured


def up_to_date():
    """Refuses to measure other documents than the other benches do."""
    for name, text in documents.inputs().items():
        with open(os.path.join(documents.INPUTS, name), encoding="utf-8") as file:
            if file.read() != text:
                raise Unavailable(f"inputs/{name} is out of date; run documents.py")


def ajv(folder):
    """The commands of ajv, over the schema that the connector itself hands out."""
    schema = os.path.join(folder, "schema.json")
    described = process.answer([builds.connector(), "describe", documents.ACTION])
    with open(schema, "w", encoding="utf-8") as file:
        json.dump(described["inputs"], file)
    script = os.path.join(peers.FOLDER, "validate.mjs")
    command = [peers.node(), script, peers.node_modules(peers.AJV), schema]
    return {(AJV, name): [*command, os.path.join(documents.INPUTS, f"{name}.json")] for name in TITLES}


def summarize(client, name, samples):
    """The medians of a validator at a document."""
    return Row(
        client=client,
        document=name,
        rounds=len(samples),
        first_us=statistics.median(sample["first_us"] for sample in samples),
        per_second=statistics.median(sample["per_second"] for sample in samples),
    )


def figures(measured):
    """The figures of the design that apply."""
    ratio = measured.ratio("per_second", OURS, AJV, document="carousel")
    return [report.at_least("largest carousel: validations a second", 1.5, ratio, "× ajv")]


def markdown(measured):
    """The whole report, readable on a terminal and in the README alike."""
    parts = [f"{measured.conditions}. Medians; × is the ratio to ajv."]
    for name, title in TITLES.items():
        body = [cells(measured, row) for row in measured.rows if row.document == name]
        head = ["", "first check, µs", "×", "then, a second", "×"]
        parts += [f"#### {title}", report.table(head, body)]
    return report.finished(parts, figures(measured), measured.skipped)


def cells(measured, row):
    """One validator's line."""
    first, then = (
        measured.ratio(value, row.client, AJV, document=row.document) for value in ("first_us", "per_second")
    )
    first_us, per_second = f"{row.first_us:,.0f}", f"{row.per_second:,.0f}"
    return [row.client, first_us, report.times(first, 3), per_second, report.times(then)]


if __name__ == "__main__":
    main()

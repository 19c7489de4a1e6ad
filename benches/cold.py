#!/usr/bin/env python3
"""Measures whole cold processes: ours beside a minimal Rust client, curl and Swimlane's runtime.

`README.md` in this folder says how to run it and how to read what it prints.
"""

import argparse
import os
import random
import statistics
import sys
from dataclasses import dataclass, field

import clients
from clients import CLIENTS, MINIMAL, OURS, SDKS, SWIMLANE, TITLES
from support import process, report, turns
from support.errors import Unavailable
from support.neutral_server import NeutralServer, reachable_folder

# Memory hardly varies, so a few processes show it; of the slow clients, fewer.
PEAKS, SLOW_PEAKS = 5, 2
DRY_RUNS = (
    clients.DRY_TEXT,
    clients.UNCHECKED_TEXT,
    clients.DRY_CAROUSEL,
    clients.UNCHECKED_CAROUSEL,
)


@dataclass(frozen=True)
class Row:
    """The medians of one client at one scenario."""

    scenario: str
    client: str
    runs: int
    wall_ms: float
    cpu_ms: float
    peak_mib: float


@dataclass
class Report(report.Report):
    """All of one run."""

    carousel_extra_cpu_ms: float = 0.0
    binary_bytes: dict[str, int] = field(default_factory=dict)


def main():
    """Measures, prints, and writes what was asked for."""
    options = arguments()
    if sys.platform != "linux":
        raise SystemExit("only Linux tells a process's peak memory in the way that this relies on")
    try:
        with reachable_folder("cold-") as folder:
            measured, details = measure(folder, options.runs, options.sdks)
    except Unavailable as reason:
        raise SystemExit(f"cannot measure: {reason}") from reason
    document = report.document(measured, figures(measured), samples=details)
    report.tell(options, markdown(measured), document, *report.markers("cold"))


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=turns.positive, default=200, help="rounds to measure (200)")
    parser.add_argument("--sdks", action="store_true", help="also LINE's SDKs and MCP server (minutes)")
    report.add_options(parser)
    return parser.parse_args()


def measure(folder, runs, sdks):
    """The whole run: build, start the server, try each case once, then measure in rounds."""
    process.adopt_orphans()
    with NeutralServer(folder) as server:
        cases, skipped = stage(clients.Stage(folder, server), sdks)
        cases = [case for case in cases if works(case, folder, skipped)]
        turns.warn_if_busy()
        samples = rounds(cases, folder, runs)
        peaks = [peaks_mib(case) for case in cases]
    rows = [summarize(*one) for one in zip(cases, samples, peaks, strict=True)]
    taken = zip(cases, samples, strict=True)
    ours = {case.scenario: one for case, one in taken if case.client == OURS}
    measured = Report(
        conditions=report.conditions(runs),
        rows=rows,
        skipped=skipped,
        carousel_extra_cpu_ms=extra_cpu_ms(ours),
        binary_bytes=binary_bytes(cases),
    )
    return measured, details(cases, samples)


def stage(shared, sdks):
    """The cases of all clients, and the reasons of those that cannot be had."""
    cases, skipped = [], {}
    for client, prepare in CLIENTS.items():
        if client in SDKS and not sdks:
            continue
        try:
            cases += prepare(shared)
        except Unavailable as reason:
            if client == OURS:
                raise
            turns.skip(skipped, client, str(reason))
    return cases, skipped


def works(case, folder, skipped):
    """Runs a case once, unmeasured: it warms the disk's cache, and only right answers are timed."""
    wrong = complaint(case, process.run(case.command, folder))
    if wrong is None:
        return True
    if case.client == OURS:
        raise Unavailable(f"{TITLES[case.scenario]}: {wrong}")
    turns.skip(skipped, f"{case.client}, {TITLES[case.scenario]}", wrong)
    return False


def complaint(case, sample):
    """What is wrong with an answer, or None."""
    if sample.exit_code == 0 and case.expected in sample.output:
        return None
    said = (sample.errors or sample.output).strip()[-300:]
    return f"{case.client} ended with {sample.exit_code}: {said}"


def rounds(cases, folder, runs):
    """The samples of each case: every round runs all of them, in an order of its own.

    Round by round, so that a machine that slows down slows all alike; in changing order, so that
    no case always follows the one that empties the processor's caches.
    """
    samples = [[] for _ in cases]
    order = random.Random(0)
    for number in range(runs):
        due = [index for index, case in enumerate(cases) if number % case.every == 0]
        order.shuffle(due)
        for index in due:
            sample = process.run(cases[index].command, folder)
            wrong = complaint(cases[index], sample)
            if wrong:
                raise Unavailable(f"round {number}: {wrong}")
            samples[index].append(sample)
    return samples


def peaks_mib(case):
    """The peak memory of some processes of a case."""
    return [process.peak_mib(case.command) for _ in range(PEAKS if case.every == 1 else SLOW_PEAKS)]


def summarize(case, samples, peaks):
    """The medians of a case."""
    return Row(
        scenario=case.scenario,
        client=case.client,
        runs=len(samples),
        wall_ms=statistics.median(sample.wall_ms for sample in samples),
        cpu_ms=statistics.median(sample.cpu_ms for sample in samples),
        peak_mib=statistics.median(peaks),
    )


def extra_cpu_ms(samples):
    """How much more it takes to validate the carousel than a text: the median of the differences
    within each round, which the machine's drift does not reach.
    """
    each_round = zip(*([one.cpu_ms for one in samples[name]] for name in DRY_RUNS), strict=True)
    return statistics.median(
        (carousel - unchecked_carousel) - (text - unchecked_text)
        for text, unchecked_text, carousel, unchecked_carousel in each_round
    )


def binary_bytes(cases):
    """The sizes of the Rust binaries that were run."""
    rust = (OURS, MINIMAL)
    return {case.client: os.path.getsize(case.command.argv[0]) for case in cases if case.client in rust}


def details(cases, samples):
    """Every sample, for readers who want more than medians."""
    return [
        {
            "scenario": case.scenario,
            "client": case.client,
            "wall_ms": [round(sample.wall_ms, 3) for sample in taken],
            "cpu_ms": [round(sample.cpu_ms, 3) for sample in taken],
        }
        for case, taken in zip(cases, samples, strict=True)
    ]


def figures(measured):
    """The figures of the design that apply to a cold `run`."""

    def ratio(scenario, value, client=OURS, to=MINIMAL):
        return measured.ratio(value, client, to, scenario=scenario)

    ours = measured.row(OURS, scenario=clients.PLAIN)
    swimlane = ratio(clients.PLAIN, "wall_ms", SWIMLANE, OURS)
    extra = measured.carousel_extra_cpu_ms
    return [
        report.at_most("plain HTTP, token given: wall time", 1.7, ratio(clients.PLAIN, "wall_ms"), "× minimal"),
        report.at_least("plain HTTP: faster than Swimlane's runtime", 40, swimlane, "×"),
        report.at_most("TLS: wall time", 1.4, ratio(clients.TLS, "wall_ms"), "× minimal"),
        report.at_most("peak memory", 10, ours.peak_mib, "MiB"),
        report.at_most("validating the carousel: more CPU than a text", 1, extra, "ms"),
        report.at_most("release binary", 20, measured.binary_bytes[OURS] / 1e6, "MB"),
    ]


def markdown(measured):
    """The whole report, readable on a terminal and in the README alike."""
    parts = [f"{measured.conditions}. Medians; × is the ratio to the minimal Rust client."]
    for scenario in (clients.PLAIN, clients.TLS, clients.TOKEN):
        parts += [f"#### {TITLES[scenario]}", calls(measured, scenario)]
    parts += ["#### Validation: `run --dry-run`", dry_runs(measured)]
    parts += ["#### On disk", sizes(measured)]
    return report.finished(parts, figures(measured), measured.skipped)


def calls(measured, scenario):
    """The clients at one scenario, side by side."""
    body = []
    for row in measured.rows:
        if row.scenario == scenario:
            cells = [row.client]
            for value, digits in (("wall_ms", 2), ("cpu_ms", 2), ("peak_mib", 1)):
                ratio = measured.ratio(value, row.client, MINIMAL, scenario=scenario)
                cells += [f"{getattr(row, value):.{digits}f}", report.times(ratio)]
            body.append(cells)
    return report.table(["", "wall ms", "×", "CPU ms", "×", "peak MiB", "×"], body)


def dry_runs(measured):
    """What the size of a message costs."""
    body = []
    for scenario in DRY_RUNS:
        row = measured.row(OURS, scenario=scenario)
        body.append([TITLES[scenario], f"{row.wall_ms:.2f}", f"{row.cpu_ms:.2f}", f"{row.peak_mib:.1f}"])
    extra = f"{measured.carousel_extra_cpu_ms:.2f}"
    body.append(["More to validate the carousel, round by round", "", extra, ""])
    return report.table(["", "wall ms", "CPU ms", "peak MiB"], body)


def sizes(measured):
    """The binaries."""
    body = [[name, f"{size / 1e6:.2f}"] for name, size in measured.binary_bytes.items()]
    return report.table(["", "MB"], body)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures whole cold processes: ours beside a minimal Rust client, curl and Swimlane's runtime.

`README.md` in this folder says how to run it and how to read what it prints.
"""

import argparse
import os
import random
import sys

import clients
from clients import CLIENTS, OURS, SDKS
from support import process, report, turns
from support.errors import Unavailable
from support.neutral_server import NeutralServer, reachable_folder

# Memory hardly varies, so a few processes show it; of the slow clients, fewer.
PEAKS, SLOW_PEAKS = 5, 2


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
    document = report.document(measured, report.figures(measured), samples=details)
    report.tell(options, report.markdown(measured), document)


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
    rows = [report.summarize(*one) for one in zip(cases, samples, peaks, strict=True)]
    taken = zip(cases, samples, strict=True)
    ours = {case.scenario: one for case, one in taken if case.client == OURS}
    measured = report.Report(
        rows=rows,
        carousel_extra_cpu_ms=report.extra_cpu_ms(ours),
        binary_bytes=binary_bytes(cases),
        skipped=skipped,
        conditions=report.conditions(runs),
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
        raise Unavailable(f"{clients.TITLES[case.scenario]}: {wrong}")
    turns.skip(skipped, f"{case.client}, {clients.TITLES[case.scenario]}", wrong)
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
    nobody always follows the one that empties the processor's caches.
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


def binary_bytes(cases):
    """The sizes of the Rust binaries that were run."""
    rust = (OURS, clients.MINIMAL)
    return {case.client: os.path.getsize(case.command.argv[0]) for case in cases if case.client in rust}


def details(cases, samples):
    """Every sample, for whoever wants more than medians."""
    return [
        {
            "scenario": case.scenario,
            "client": case.client,
            "wall_ms": [round(sample.wall_ms, 3) for sample in taken],
            "cpu_ms": [round(sample.cpu_ms, 3) for sample in taken],
        }
        for case, taken in zip(cases, samples, strict=True)
    ]


if __name__ == "__main__":
    main()

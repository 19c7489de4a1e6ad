#!/usr/bin/env python3
"""Measures whole cold processes: ours beside a minimal Rust client, curl and Swimlane's runtime.

`README.md` in this folder says how to run it and how to read what it prints.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile

import clients
import process
import report
from clients import CLIENTS, OURS, SDKS
from errors import Unavailable
from neutral_server import NeutralServer

# Memory hardly varies, so a few processes show it; of the slow clients, fewer.
PEAKS, SLOW_PEAKS = 5, 2


def main():
    """Measures, prints, and writes what was asked for."""
    options = arguments()
    if sys.platform != "linux":
        raise SystemExit("only Linux tells a process's peak memory in the way that this relies on")
    # Being asked to end is an end like any other: the server stops, the folder goes.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    folder = tempfile.mkdtemp(prefix="cold-")
    # nginx gives up root, and then still has to reach its files.
    os.chmod(folder, 0o711)
    try:
        measured, details = measure(folder, options.runs, options.sdks)
    except Unavailable as reason:
        raise SystemExit(f"cannot measure: {reason}") from reason
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    document = report.document(measured, report.figures(measured), samples=details)
    report.tell(options, report.markdown(measured), document)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=positive, default=200, help="rounds to measure (200)")
    parser.add_argument("--sdks", action="store_true", help="also LINE's SDKs and MCP server (minutes)")
    parser.add_argument("--json", metavar="FILE", help="also write medians and all samples as JSON")
    parser.add_argument("--update-readme", action="store_true", help="put the tables into README.md")
    return parser.parse_args()


def positive(text):
    """A count of rounds."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def measure(folder, runs, sdks):
    """The whole run: build, start the server, try each case once, then measure in rounds."""
    process.adopt_orphans()
    with NeutralServer(folder) as server:
        cases, skipped = stage(clients.Stage(folder, server), sdks)
        cases = [case for case in cases if works(case, folder, skipped)]
        warn_if_busy()
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
            skip(skipped, client, str(reason))
    return cases, skipped


def works(case, folder, skipped):
    """Runs a case once, unmeasured: it warms the disk's cache, and only right answers are timed."""
    wrong = complaint(case, process.run(case.command, folder))
    if wrong is None:
        return True
    if case.client == OURS:
        raise Unavailable(f"{clients.TITLES[case.scenario]}: {wrong}")
    skip(skipped, f"{case.client}, {clients.TITLES[case.scenario]}", wrong)
    return False


def complaint(case, sample):
    """What is wrong with an answer, or None."""
    if sample.exit_code == 0 and case.expected in sample.output:
        return None
    said = (sample.errors or sample.output).strip()[-300:]
    return f"{case.client} ended with {sample.exit_code}: {said}"


def skip(skipped, what, reason):
    """Notes and tells what is not measured."""
    skipped[what] = reason
    print(f"skipping {what}: {reason}", file=sys.stderr)


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


def warn_if_busy():
    """Says when others use the processors: medians then need more rounds."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores / 2:
        print(f"others use this machine (load {load:.1f} on {cores} cores)", file=sys.stderr)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Proves and measures `listen` at large: killed at work, under load, among hostile clients.

`README.md` in this folder says how to run it and how to read what it prints.
"""

import argparse
import dataclasses
import os
import random
import resource
import signal
import sys
import tempfile

import builds
import listen_hostile
import listen_kills
import listen_throughput
import report
import turns
from errors import Unavailable

BEGIN, END = "<!-- listen: begin -->", "<!-- listen: end -->"


def main():
    """Runs the sections that were asked for, prints them, and fails where a promise was broken."""
    options = arguments()
    if sys.platform != "linux":
        raise SystemExit("only Linux tells what this relies on")
    # Being asked to end is an end like any other: what was started stops, the folder goes.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    raise_file_limit()
    load = os.getloadavg()[0]
    results, skipped = {}, {}
    try:
        connector = builds.connector()
        turns.warn_if_busy()
        with tempfile.TemporaryDirectory(prefix="listen-", dir=options.folder) as folder:
            for name, section in SECTIONS.items():
                if getattr(options, name) or not any(getattr(options, each) for each in SECTIONS):
                    print(f"{name} …", file=sys.stderr)
                    try:
                        results[name] = section(connector, folder, options)
                    except Unavailable as reason:
                        skipped[name] = str(reason)
    except Unavailable as reason:
        raise SystemExit(f"cannot measure: {reason}") from reason
    machine = report.conditions(1).rpartition(", ")[0]
    parts = [f"{machine}; load {load:.1f} before it began.", *map(markdown, results.values())]
    parts += [f"Not measured: {name} ({reason})." for name, reason in skipped.items()]
    text = "\n\n".join(parts) + "\n"
    measured = {name: dataclasses.asdict(result) for name, result in results.items()}
    report.tell(options, text, measured, BEGIN, END)
    return 0 if not skipped and all(result.good() for result in results.values()) else 1


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    count = turns.positive
    parser.add_argument("--kills", action="store_true", help="only this section (and others so named)")
    parser.add_argument("--throughput", action="store_true", help="only this section")
    parser.add_argument("--hostile", action="store_true", help="only this section")
    parser.add_argument("--events", type=count, default=100_000, help="events under kills (100000)")
    parser.add_argument("--times", type=count, default=60, help="how often it is killed (60)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--seconds", type=count, default=10, help="how long each load lasts (10)")
    parser.add_argument("--no-sdks", action="store_true", help="leave LINE's SDKs out")
    parser.add_argument("--idle", type=count, default=10_000, help="idle connections (10000)")
    parser.add_argument("--folder", help="where queues stand (the system's temporary folder)")
    report.add_options(parser)
    return parser.parse_args()


def raise_file_limit():
    """As many open files as the system grants; what is started inherits it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def kills(connector, folder, options):
    """Killed at work."""
    return listen_kills.run(connector, folder, options.events, options.times, options.seed)


def throughput(connector, folder, options):
    """Under load."""
    return listen_throughput.run(connector, folder, options.seconds, not options.no_sdks)


def hostile(connector, folder, options):
    """Among hostile clients."""
    return listen_hostile.run(connector, folder, options.idle)


SECTIONS = {"kills": kills, "throughput": throughput, "hostile": hostile}


def markdown(result):
    """A section, readable on a terminal and in the README alike."""
    return f"#### {result.TITLE}\n\n{result.text()}"


if __name__ == "__main__":
    sys.exit(main())

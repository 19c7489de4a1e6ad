#!/usr/bin/env python3
"""Proves promises that take many processes or minutes: kills, hostile clients, rates.

    python3 tests/soak/run.py                         # all, at full size
    python3 tests/soak/run.py --small                 # all, small enough for CI
    python3 tests/soak/run.py listen_kills --set events=5000 --set kills=10 --seed 7
    python3 tests/soak/run.py scale_webhooks scale_calls        # these need other servers; only by name

It needs Linux, Python 3.10 or later, and cargo or LINE_CONNECTOR_BIN. `README.md` in this folder says
what each test proves. It ends with 1 where a promise was broken.
"""

import argparse
import dataclasses
import os
import random
import resource
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "benches"))

import campaign_kills
import clocks
import full_disk
import hostile_clients
import listen_kills
import rates
import scale_calls
import scale_restate
import scale_webhooks
import serve_kills
import slow_disk
from support import builds, report, turns
from support.errors import Unavailable

TESTS = {
    "serve_kills": serve_kills,
    "listen_kills": listen_kills,
    "campaign_kills": campaign_kills,
    "hostile_clients": hostile_clients,
    "full_disk": full_disk,
    "slow_disk": slow_disk,
    "clocks": clocks,
    "rates": rates,
}
# These need servers of others, and run only by their names.
ON_SERVERS = {
    "scale_webhooks": scale_webhooks,
    "scale_calls": scale_calls,
    "scale_restate": scale_restate,
}
# A test that takes longer is stuck.
MOST_SECONDS = 1800


def main():
    """Runs the tests that were asked for, and fails where a promise was broken."""
    options = arguments()
    if sys.platform != "linux":
        raise SystemExit("only Linux tells what this relies on")
    # Being asked to end is an end like any other: what was started stops, the folder goes.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"no end after {MOST_SECONDS} s"))
    raise_file_limit()
    try:
        connector = builds.connector()
    except Unavailable as reason:
        raise SystemExit(f"cannot test: {reason}") from reason
    turns.warn_if_busy()
    print(f"{report.conditions()}; load {os.getloadavg()[0]:.1f}; seed {options.seed}", flush=True)
    kept = [prove(name, connector, options) for name in options.tests or TESTS]
    print(f"{sum(kept)} passed, {len(kept) - sum(kept)} failed")
    return 0 if all(kept) else 1


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tests", nargs="*", metavar="TEST", help=f"of {', '.join(TESTS)} (all); {', '.join(ON_SERVERS)}")
    parser.add_argument("--small", action="store_true", help="small enough for CI: some two minutes")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--folder", help="where queues stand (the system's temporary folder)")
    parser.add_argument(
        "--set", action="append", default=[], type=setting, metavar="NAME=N", help="part of a size"
    )
    options = parser.parse_args()
    for name in options.tests:
        if name not in TESTS | ON_SERVERS:
            parser.error(f"there is no test {name}")
    return options


def setting(text):
    """A part of a size and its number."""
    name, _, number = text.partition("=")
    return name, turns.positive(number)


def raise_file_limit():
    """As many open files as the system grants; what is started inherits it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def prove(name, connector, options):
    """Runs one test and tells what it came to; whether its promise was kept."""
    test = (TESTS | ON_SERVERS)[name]
    size = test.SMALL if options.small else test.FULL
    fields = {field.name for field in dataclasses.fields(size)}
    size = dataclasses.replace(size, **{part: number for part, number in options.set if part in fields})
    started = time.monotonic()
    signal.alarm(MOST_SECONDS)
    try:
        with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=options.folder) as folder:
            good, text = test.run(connector, folder, size, options.seed)
    except (Unavailable, OSError) as reason:
        good, text = False, str(reason)
    seconds = time.monotonic() - started
    print(f"{'ok' if good else 'FAILED'} {name}: {text} ({seconds:.0f} s)", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(main())

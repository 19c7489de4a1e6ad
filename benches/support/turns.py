"""What the benches do alike: count rounds, take turns, and say what is missing or in the way."""

import os
import random
import sys


def positive(text):
    """A count of rounds."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def in_turns(cases, rounds):
    """Every case once a round, in an order that changes: a machine that slows down slows all alike."""
    order = random.Random(0)
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        yield from order.sample(list(cases), len(cases))


def skip(skipped, what, reason):
    """Notes and tells what is not measured."""
    skipped[what] = reason
    print(f"skipping {what}: {reason}", file=sys.stderr)


def warn_if_busy():
    """Says when others use the processors: medians then need more rounds."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores / 2:
        print(f"others use this machine (load {load:.1f} on {cores} cores)", file=sys.stderr)

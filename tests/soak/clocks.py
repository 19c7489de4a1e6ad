"""`listen` under a clock that is set, while it runs and while it does not: every event comes once, and
none comes again however often LINE sends it. The clock is libfaketime's.
"""

import glob
import os
import random
import time
from dataclasses import dataclass

from full_disk import PATIENCE_SECONDS, deliver
from support import builds
from support.errors import Unavailable
from support.receiver import Platform, Receiver, event_id

EVENTS = 20
# How far the clock is set, hours; Linux lets nobody set it before 1970.
JUMPS = (-24 * 365 * 50, -240, -10, -1, 0, 1, 25, 240, 24 * 365)


@dataclass(frozen=True)
class Size:
    """How much of it."""

    jumps: int


FULL, SMALL = Size(jumps=60), Size(jumps=8)


def run(connector, folder, size, seed):
    """Sets the clock, sends old and new events, and counts what came."""
    dice = random.Random(seed)
    clock = os.path.join(folder, "clock")
    set_clock(clock, 0)
    variables = {
        "LD_PRELOAD": library(),
        "FAKETIME_TIMESTAMP_FILE": clock,
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    sent, refused, stuck = 0, 0, 0
    with Platform(folder) as platform:
        options = ("--forward", platform.url)
        receiver = Receiver(connector, folder, *options, variables=variables)
        try:
            for _ in range(size.jumps):
                restarts = dice.random() < 0.5
                if restarts:
                    receiver.stop()
                set_clock(clock, dice.choice(JUMPS))
                if restarts:
                    receiver = Receiver(connector, folder, *options, variables=variables)
                # Old ids are forgotten each second.
                time.sleep(1.5)
                sent += EVENTS
                refused += sum(not deliver(receiver.port, number, 10) for number in range(sent))
                stuck += not drained(receiver)
        finally:
            receiver.stop()
        platform.stop()
        with open(platform.posts, encoding="utf-8") as posts:
            text = posts.read()
    counts = [text.count(event_id(number)) for number in range(sent)]
    missing, again = counts.count(0), sum(count > 1 for count in counts)
    good = not (refused or stuck or missing or again)
    return good, (
        f"the clock was set {size.jumps} times; {sent:,} events, each sent up to {size.jumps} times, "
        f"{refused} refused; {missing} missing, {again} came again, {stuck} times something was stuck"
    )


def library():
    """Where libfaketime is, which root on Debian or Ubuntu gets installed if need be."""
    builds.tool("faketime")
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    if not found:
        raise Unavailable("libfaketime is not where Debian and Ubuntu put it")
    return found[0]


def set_clock(clock, hours):
    """How far the clock is off from now on."""
    with open(clock + ".new", "w", encoding="ascii") as file:
        file.write(f"{hours:+d}h\n")
    os.replace(clock + ".new", clock)


def drained(receiver):
    """Whether nothing waits any more, in time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while receiver.metrics()["events_waiting"] > 0:
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True

"""`listen` on a disk that takes its time, from some milliseconds to longer than LINE waits: every webhook
is answered in time, and what was answered 200 is there.
"""

import os
import random
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from full_disk import PATIENCE_SECONDS, becomes, deliver
from support import builds
from support.receiver import Platform, Receiver, event_id

# LINE waits no longer.
ANSWER_SECONDS = 2.0
# How long a write may take, milliseconds.
DELAYS = (0, 20, 200, 800, 3_000)
AT_ONCE = 8


@dataclass(frozen=True)
class Size:
    """How much of it."""

    times: int


FULL, SMALL = Size(times=60), Size(times=8)


def run(connector, folder, size, seed):
    """Slows the disk down and lets it recover, several times."""
    dice = random.Random(seed)
    delays = [3_000, *(dice.choice(DELAYS) for _ in range(size.times - 1))]
    disk = os.path.join(folder, "milliseconds")
    set_delay(disk, 0)
    library = shim(folder)
    variables = {"LD_PRELOAD": library, "SLOW_DISK": disk}
    taken, refused, late, wrong = [], 0, 0, 0
    numbers = iter(range(10**9))
    with Platform(folder) as platform:
        with Receiver(connector, folder, "--hold", variables=variables) as receiver:
            for delay in delays:
                set_delay(disk, delay)
                some = [next(numbers) for _ in range(AT_ONCE)]
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    answers = list(pool.map(lambda number: timed(receiver.port, number), some))
                taken += [number for number, (good, _) in zip(some, answers) if good]
                refused += sum(not good for good, _ in answers)
                late += sum(seconds > ANSWER_SECONDS for _, seconds in answers)
                set_delay(disk, 0)
                # What is on its way to the disk takes the old time.
                wrong += not becomes(receiver.port, 200)
        with Receiver(connector, folder, "--forward", platform.url) as receiver:
            end = time.monotonic() + PATIENCE_SECONDS
            while receiver.metrics()["events_waiting"] > 0 and time.monotonic() < end:
                time.sleep(0.1)
        platform.stop()
        with open(platform.posts, encoding="utf-8") as posts:
            text = posts.read()
    missing = sum(event_id(number) not in text for number in taken)
    good = missing == 0 and late == 0 and wrong == 0 and refused > 0 and len(taken) > 0
    return good, (
        f"slow {size.times} times; {len(taken):,} webhooks answered 200, {refused:,} refused, {late} "
        f"later than {ANSWER_SECONDS:.0f} s; {missing} events missing, {wrong} times it did not recover"
    )


def shim(folder):
    """The library that slows a disk down, compiled."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slow_disk.c")
    library = os.path.join(folder, "slow_disk.so")
    command = [builds.tool("cc", "gcc"), "-shared", "-fPIC", "-o", library, source, "-ldl"]
    subprocess.run(command, check=True)
    return library


def set_delay(disk, milliseconds):
    """How long a write takes from now on."""
    with open(disk + ".new", "w", encoding="ascii") as file:
        file.write(str(milliseconds))
    os.replace(disk + ".new", disk)


def timed(port, number):
    """One webhook: whether it was answered 200, and after how many seconds."""
    started = time.monotonic()
    good = deliver(port, number, 100)
    return good, time.monotonic() - started

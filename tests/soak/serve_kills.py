"""Kills `serve` at random moments, starts it again with the same documents and idempotency keys, and
looks in the sandbox whether every message arrived exactly once.
"""

import os
import random
import subprocess
import time
from dataclasses import dataclass

from serving import environment, pushes, serve, times_delivered
from support.sandbox import Sandbox

CONCURRENCY = 16


@dataclass(frozen=True)
class Size:
    """How much of it."""

    messages: int
    kills: int


FULL, SMALL = Size(messages=2_000, kills=200), Size(messages=2_000, kills=60)


def run(connector, folder, size, seed):
    """Runs it: whether the promise was kept, and what it came to."""
    chance = random.Random(seed)
    source = os.path.join(folder, "documents.ndjson")
    with open(source, "w", encoding="utf-8") as file:
        file.write(pushes(size.messages))
    options = ["--quota", "100000000", "--keep-records", str(4 * size.messages)]
    with Sandbox(connector, *options) as sandbox:
        killed = sum(killed_at_work(start(connector, sandbox, source), chance) for _ in range(size.kills))
        before_the_last = len(times_delivered(sandbox))
        last = start(connector, sandbox, source)
        last.communicate()
        counts = times_delivered(sandbox)
    missing = size.messages - len(counts)
    twice = sum(1 for times in counts.values() if times > 1)
    text = (
        f"{size.kills} processes, {killed} killed at work; {size.messages:,} messages, "
        f"{before_the_last:,} delivered before the last run, {missing} missing, "
        f"{twice} delivered more than once"
    )
    return missing == 0 and twice == 0 and last.returncode == 0, text


def start(connector, sandbox, source):
    """Starts `serve` with all documents; its answers go nowhere."""
    options = ["--concurrency", str(CONCURRENCY)]
    with open(source, encoding="utf-8") as documents:
        return serve(connector, environment(sandbox), documents, subprocess.DEVNULL, *options)


def killed_at_work(process, chance):
    """Kills a process at a random moment; says whether it was still at work."""
    # Cubed, so that early moments, when most is new, come as often as late ones.
    time.sleep(chance.random() ** 3)
    at_work = process.poll() is None
    process.kill()
    process.communicate()
    return at_work

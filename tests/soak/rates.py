"""Makes many calls under a rate limit against a sandbox that answers 429 above it: none may meet a 429,
each must arrive once, and the time must be what the rate allows.
"""

import json
import os
import time
from dataclasses import dataclass

from serving import environment, pushes, serve, times_delivered
from support.errors import Unavailable
from support.sandbox import Sandbox

CONCURRENCY = 32
# How far the time may be from the ideal.
TOLERANCE = 0.05


@dataclass(frozen=True)
class Size:
    """How much of it."""

    calls: int
    # Calls a second.
    rate: int


FULL, SMALL = Size(calls=10_000, rate=200), Size(calls=4_000, rate=200)


def run(connector, folder, size, _seed):
    """Runs it: whether the promise was kept, and what it came to."""
    limits = ["--rate-limit", f"{size.rate}/s"]
    room = ["--quota", "100000000", "--keep-records", str(2 * size.calls)]
    with Sandbox(connector, *limits, *room) as sandbox:
        summary, answers, seconds = call(connector, sandbox, folder, size)
        counts = times_delivered(sandbox)
    refused = summary["by_status"].get("429", 0)
    failed = sum(1 for answer in answers if "error" in answer)
    once = sum(1 for times in counts.values() if times == 1)
    # The first window's calls go at once; the others take their time at the rate.
    ideal = (size.calls - size.rate) / size.rate
    off = seconds / ideal - 1
    delivered = once == len(counts) == len(answers) == size.calls
    text = (
        f"{size.calls:,} calls at {size.rate}/s; {refused} got a 429, {failed} failed, "
        f"{once:,} delivered once; {seconds:.2f} s, ideal {ideal:.2f} s ({off:+.1%})"
    )
    return refused == failed == 0 and delivered and abs(off) <= TOLERANCE, text


def call(connector, sandbox, folder, size):
    """All calls in one process: its summary, answers and time."""
    source, target = (os.path.join(folder, name) for name in ("documents.ndjson", "answers.ndjson"))
    with open(source, "w", encoding="utf-8") as file:
        file.write(pushes(size.calls))
    variables = environment(sandbox)
    variables["LINE_RATE_LIMITS"] = json.dumps({"send_push_message": f"{size.rate}/s"})
    options = ["--stats", "--concurrency", str(CONCURRENCY)]
    with open(source, encoding="utf-8") as documents, open(target, "w", encoding="utf-8") as answers:
        start = time.monotonic()
        process = serve(connector, variables, documents, answers, *options)
        _, errors = process.communicate()
        seconds = time.monotonic() - start
    if process.returncode != 0:
        raise Unavailable(f"serve ended with {process.returncode}: {errors}")
    with open(target, encoding="utf-8") as file:
        answered = [json.loads(line) for line in file]
    return json.loads(errors.splitlines()[-1]), answered, seconds

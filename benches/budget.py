"""Makes many calls with a rate budget against a sandbox that answers 429 above it: none may meet a
429, each must arrive once, and the time must be what the rate allows.

    python3 benches/budget.py [--calls 10000] [--rate 200]
"""

import argparse
import json
import sys
import tempfile
import time

import builds
from serving import Sandbox, pushes, serve, times_delivered

# How far the time may be from the ideal.
TOLERANCE = 0.05


def main():
    """Runs it and prints one line; fails where a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=200, help="calls a second")
    parser.add_argument("--concurrency", type=int, default=32)
    options = parser.parse_args()
    connector = builds.connector()
    limits = ["--rate-limit", f"{options.rate}/s"]
    room = ["--quota", "100000000", "--keep-records", str(2 * options.calls)]
    with tempfile.TemporaryDirectory() as folder, Sandbox(connector, *limits, *room) as sandbox:
        summary, answers, seconds = run(connector, sandbox, folder, options)
        counts = times_delivered(sandbox)
    refused = summary["by_status"].get("429", 0)
    failed = sum(1 for answer in answers if "error" in answer)
    once = sum(1 for times in counts.values() if times == 1)
    # The first calls go at once, so so many windows have to pass before the last ones may.
    ideal = (options.calls - options.rate) / options.rate
    off = seconds / ideal - 1
    good = refused == failed == 0 and once == len(counts) == options.calls and abs(off) <= TOLERANCE
    print(
        f"{'ok' if good else 'FAILED'}: {options.calls} calls at {options.rate}/s; {refused} got a 429, "
        f"{failed} failed, {once} delivered once; {seconds:.2f} s, ideal {ideal:.2f} s ({off:+.1%})"
    )
    return 0 if good else 1


def run(connector, sandbox, folder, options):
    """All calls in one process: its summary, its answers, its time."""
    source, target = f"{folder}/documents.ndjson", f"{folder}/answers.ndjson"
    with open(source, "w", encoding="utf-8") as file:
        file.write(pushes(options.calls))
    environment = sandbox.environment()
    environment["LINE_RATE_LIMITS"] = json.dumps({"send_push_message": f"{options.rate}/s"})
    concurrency = str(options.concurrency)
    with open(source, encoding="utf-8") as documents, open(target, "w", encoding="utf-8") as answers:
        start = time.monotonic()
        process = serve(
            connector, environment, documents, answers, "--stats", "--concurrency", concurrency
        )
        _, errors = process.communicate()
        seconds = time.monotonic() - start
    if process.returncode != 0:
        sys.exit(f"serve ended with {process.returncode}: {errors}")
    with open(target, encoding="utf-8") as file:
        return json.loads(errors.splitlines()[-1]), [json.loads(line) for line in file], seconds


if __name__ == "__main__":
    sys.exit(main())

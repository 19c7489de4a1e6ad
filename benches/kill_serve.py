"""Kills `serve` at random moments, starts it again with the same documents and idempotency keys, and
looks in the sandbox whether every message arrived exactly once.

    python3 benches/kill_serve.py [--kills 200] [--messages 2000] [--seed N]
"""

import argparse
import random
import sys
import tempfile
import time

import builds
from serving import Sandbox, pushes, serve, times_delivered


def main():
    """Runs it and prints one line; fails where a message is missing or came twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--messages", type=int, default=2_000)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    connector = builds.connector()
    keep = str(4 * options.messages)
    with tempfile.TemporaryDirectory() as folder, Sandbox(
        connector, "--quota", "100000000", "--keep-records", keep
    ) as sandbox:
        source = f"{folder}/documents.ndjson"
        with open(source, "w", encoding="utf-8") as file:
            file.write(pushes(options.messages))
        killed = sum(
            attempt(connector, sandbox, source, options, chance) for _ in range(options.kills)
        )
        before_the_last = len(times_delivered(sandbox))
        last = run(connector, sandbox, source, options)
        last.communicate()
        counts = times_delivered(sandbox)
    missing = options.messages - len(counts)
    twice = sum(1 for times in counts.values() if times > 1)
    good = missing == 0 and twice == 0 and last.returncode == 0
    print(
        f"{'ok' if good else 'FAILED'}: {options.kills} processes, {killed} killed at work; "
        f"{options.messages} messages, {before_the_last} delivered before the last run, "
        f"{missing} missing, {twice} delivered more than once (seed {options.seed})"
    )
    return 0 if good else 1


def run(connector, sandbox, source, options):
    """Starts `serve` with all documents; its answers go nowhere."""
    concurrency = str(options.concurrency)
    with open(source, encoding="utf-8") as documents, open("/dev/null", "w", encoding="utf-8") as answers:
        return serve(
            connector, sandbox.environment(), documents, answers, "--concurrency", concurrency
        )


def attempt(connector, sandbox, source, options, chance):
    """One process, killed at a random moment; says whether it was still at work."""
    process = run(connector, sandbox, source, options)
    # Cubed, so that early moments, when most is new, come as often as late ones.
    time.sleep(chance.random() ** 3)
    at_work = process.poll() is None
    process.kill()
    process.communicate()
    return at_work


if __name__ == "__main__":
    sys.exit(main())

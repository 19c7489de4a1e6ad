"""Workers of a work queue on NATS killed at random moments and started again, while they push texts to a
sandbox; each text must then have arrived once, and each document must have one answer.
"""

import json
import random
import subprocess
import time
from dataclasses import dataclass

from nats import Client, Server
from serving import environment, push, times_delivered
from support import builds
from support.errors import Unavailable
from support.sandbox import Sandbox

# Killed ones leave their messages to the others after so long.
ACK_SECONDS = 2
WORKERS = 3
CONCURRENCY = 8
STUCK_SECONDS = 60


@dataclass(frozen=True)
class Size:
    """How much of it."""

    calls: int
    kills: int


FULL, SMALL = Size(calls=10_000, kills=60), Size(calls=500, kills=8)


class Worker:
    """`line-connector-worker nats`."""

    def __init__(self, program, server, sandbox):
        command = [program, "nats", "--server", server.url, "--ack-seconds", str(ACK_SECONDS)]
        command += ["--concurrency", str(CONCURRENCY)]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=environment(sandbox), **quiet)

    def kill(self):
        """As if its machine died."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Asks it to end, and gives its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=60)


def run(connector, folder, size, seed):
    """Runs it: whether the promise was kept, and what it came to."""
    chance = random.Random(seed)
    program = builds.worker(connector)
    options = ["--quota", "100000000", "--keep-records", str(4 * size.calls)]
    with Sandbox(connector, *options) as sandbox, Server(folder) as server:
        # The first one makes the streams.
        workers = [Worker(program, server, sandbox)]
        try:
            with Client(server) as client:
                wait_for(client, "LINE_CALLS")
                client.publish([message(number) for number in range(size.calls)])
                started = time.monotonic()
                workers += [Worker(program, server, sandbox) for _ in range(WORKERS - 1)]
                killed, redelivered = kill_at_work(client, workers, size, chance, (program, server, sandbox))
                took = time.monotonic() - started
                codes = [worker.stop() for worker in workers]
                results = client.messages("LINE_RESULTS")
                left = client.request("$JS.API.STREAM.INFO.LINE_CALLS")["state"]["messages"]
        finally:
            for worker in workers:
                worker.kill()
        counts = times_delivered(sandbox)
    answered = {head["Line-Call-Id"] for _, head, _ in results}
    failed = sum("Line-Error" in head for _, head, _ in results)
    again = sum(json.loads(body)["meta"].get("already_accepted", False) for _, _, body in results)
    missing, twice = size.calls - len(counts), sum(times > 1 for times in counts.values())
    unanswered, surplus = size.calls - len(answered), len(results) - len(answered)
    good = not any([missing, twice, unanswered, surplus, failed, left, *codes])
    text = (
        f"{size.calls:,} calls by {WORKERS} workers, {killed} killed at work, {took:.0f} s; "
        f"at most {redelivered} redelivered messages under way at once, {again} calls that LINE had taken before; "
        f"{missing} texts missing, {twice} delivered more than once; {unanswered} documents without an answer, "
        f"{surplus} with more than one, {failed} answered with an error, {left} left in the queue"
    )
    return good, text


def message(number):
    """A document of the queue; its message's id is what names its effect."""
    document = push(number)
    del document["options"]
    return f"line.calls.soak.{number % 7}", f"message-{number}", json.dumps(document).encode()


def wait_for(client, stream):
    """Waits until a stream is there."""
    until = time.monotonic() + 30
    while True:
        try:
            client.request(f"$JS.API.STREAM.INFO.{stream}")
            return
        except OSError as reason:
            if time.monotonic() > until:
                raise Unavailable(f"no stream {stream}: {reason}") from reason
            time.sleep(0.1)


def kill_at_work(client, workers, size, chance, start):
    """Kills workers while the queue empties, and waits until it is empty."""
    moments = sorted((chance.randrange(size.calls) for _ in range(size.kills)), reverse=True)
    left, since, killed, redelivered = size.calls, time.monotonic(), 0, 0
    while left:
        info = client.request("$JS.API.CONSUMER.INFO.LINE_CALLS.line-connector")
        redelivered = max(redelivered, info["num_redelivered"])
        now = info["num_pending"] + info["num_ack_pending"]
        if now < left:
            left, since = now, time.monotonic()
        if time.monotonic() - since > STUCK_SECONDS:
            raise Unavailable(f"{left} messages do not leave the queue")
        if moments and left <= moments[0]:
            moments.pop(0)
            killed += 1
            place = chance.randrange(len(workers))
            workers[place].kill()
            workers[place] = Worker(*start)
        time.sleep(0.01)
    return killed, redelivered

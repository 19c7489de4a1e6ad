"""`listen` on a disk that is full again and again: what it answered 200 for is there, `/healthz` says
whether a webhook can be stored, and it goes on by itself when there is room.
"""

import os
import random
import resource
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

from support.receiver import Platform, Receiver, event, event_id, post, webhook

CHATS = 50
# How far beyond the journal's size the disk reaches, at most.
ROOM_BYTES = 300_000
# Whatever is expected comes within this time.
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Size:
    """How much of it."""

    times: int


FULL, SMALL = Size(times=50), Size(times=8)


def run(connector, folder, size, seed):
    """Fills the disk and makes room, several times, and compares what was answered with what came."""
    dice = random.Random(seed)
    taken, refused, wrong = [], 0, 0
    numbers = iter(range(10**9))
    with Platform(folder) as platform:
        with Receiver(connector, folder, "--hold") as receiver:
            for _ in range(size.times):
                journal = os.path.getsize(os.path.join(folder, "queue.db-wal"))
                limit(receiver, journal + dice.randrange(ROOM_BYTES))
                while True:
                    number = next(numbers)
                    if deliver(receiver.port, number, dice.choice((10, 1_000, 50_000))):
                        taken.append(number)
                        continue
                    refused += 1
                    break
                # The last one could not be stored: that is not health, however often it is asked.
                wrong += sum(health(receiver.port) == 200 for _ in range(5))
                limit(receiver, None)
                wrong += not becomes(receiver.port, 200)
                number = next(numbers)
                if deliver(receiver.port, number, 50_000):
                    taken.append(number)
                else:
                    wrong += 1
        with Receiver(connector, folder, "--forward", platform.url) as receiver:
            end = time.monotonic() + PATIENCE_SECONDS
            while receiver.metrics()["events_waiting"] > 0 and time.monotonic() < end:
                time.sleep(0.1)
        platform.stop()
        with open(platform.posts, encoding="utf-8") as posts:
            text = posts.read()
    missing = sum(event_id(number) not in text for number in taken)
    good = missing == 0 and wrong == 0 and refused >= size.times
    return good, (
        f"full {size.times} times; {len(taken):,} webhooks answered 200, {refused:,} refused; "
        f"{missing} events missing, {wrong} times health or the answer after it was wrong"
    )


def limit(receiver, most):
    """How large a file of the receiver's may be from now on."""
    _, hard = resource.prlimit(receiver.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(receiver.process.pid, resource.RLIMIT_FSIZE, (hard if most is None else most, hard))


def deliver(port, number, length):
    """One webhook with a text of this length; whether it was answered 200."""
    one = event(number, number % CHATS)
    one["message"]["text"] = "x" * length
    body, signature = webhook([one])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(post(body, signature))
        return peer.recv(4096).startswith(b"HTTP/1.1 200 ")


def health(port):
    """What `/healthz` is answered with."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def becomes(port, status):
    """Whether `/healthz` is answered so in time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while health(port) != status:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True

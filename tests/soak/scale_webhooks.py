"""`listen --publish` and its NATS server killed at random moments and started again, under webhooks that
come twice, out of order, and again whenever they were not answered 200; and what the stream must then
have. It also tells the deliveries a second beside those of the SQLite queue.
"""

import asyncio
import os
import random
import tempfile
import time
from dataclasses import dataclass

import listen as bench
from listen_kills import CONNECTIONS, Sender
from nats import Client, Server
from support.errors import Unavailable
from support.receiver import Receiver

STREAM = "LINE_EVENTS"


@dataclass(frozen=True)
class Size:
    """How much of it."""

    webhooks: int
    kills: int
    # How long each load lasts that is measured.
    seconds: int
    # How many servers there are; of several one is killed at a time.
    nodes: int = 1


FULL, SMALL = Size(webhooks=100_000, kills=60, seconds=10), Size(webhooks=2_000, kills=10, seconds=2)


class Ordered(Sender):
    """A sender that remembers when each event was first sent."""

    # Some webhooks have several events, and a fifth come twice.
    EVENTS = 1.6
    WEBHOOKS = 1.2

    def __init__(self, chance, webhooks):
        super().__init__(chance, int(webhooks * self.EVENTS / self.WEBHOOKS))
        self.sent_at = {}

    async def send(self, streams, numbers, redelivered):
        now = time.monotonic()
        for number in numbers:
            self.sent_at.setdefault(number, now)
        return await super().send(streams, numbers, redelivered)


class Run:
    """One run: the sender at work while the receiver and the server are killed and started again."""

    def __init__(self, connector, folder, server, sender, kills):
        self.connector, self.folder, self.server = connector, folder, server
        self.sender, self.kills = sender, kills
        self.killed = {"listen": 0, "nats": 0}
        self.receiver = None

    async def go(self):
        """Gives the exit code of the last receiver, which was asked to end."""
        await asyncio.to_thread(self.start)
        work = [asyncio.ensure_future(self.sender.work()) for _ in range(CONNECTIONS)]
        chance, whole = self.sender.chance, self.sender.webhooks_in_all
        for moment in sorted(chance.randrange(whole) for _ in range(self.kills)):
            while self.sender.answered < moment:
                await asyncio.sleep(0.002)
            await asyncio.sleep(0.1 * chance.random())
            await asyncio.to_thread(self.kill, chance.choice(("listen", "nats", "both")), chance.random())
        await asyncio.gather(*work)
        return await asyncio.to_thread(self.receiver.stop)

    def kill(self, which, pause):
        """Kills one of them or both, and starts them again after a while."""
        if which != "nats":
            self.killed["listen"] += 1
            self.receiver.kill()
        if which != "listen":
            self.killed["nats"] += 1
            self.server.kill(self.sender.chance.randrange(len(self.server.ports)))
            # Sometimes LINE's two seconds pass.
            time.sleep(2 * pause**4)
            self.server.start()
        if which != "nats":
            self.start()

    def start(self):
        """Starts a receiver."""
        options = ["--publish", self.server.url, "--replicas", str(len(self.server.ports))]
        self.receiver = Receiver(self.connector, self.folder, *options, port=self.sender.port)

    def close(self):
        """Ends the process that may have been left."""
        if self.receiver:
            self.receiver.kill()


def run(connector, folder, size, seed):
    """Runs it: whether the promises were kept, and what it came to."""
    sender = Ordered(random.Random(seed), size.webhooks)
    with Server(folder, size.nodes) as server:
        work = Run(connector, folder, server, sender, size.kills)
        try:
            code = asyncio.run(work.go())
        finally:
            work.close()
        with Client(server) as client:
            found = client.messages(STREAM)
    stored = [sender.number_of.get(head.get("Nats-Msg-Id")) for _, head, _ in found]
    known = [number for number in stored if number is not None]
    missing = len(set(sender.answered_at) - set(known)) + sender.events - len(sender.answered_at)
    twice, unknown = len(known) - len(set(known)), len(stored) - len(known)
    misplaced = sum(
        not subject.endswith(f".U{sender.chat_of[number]:032x}")
        for (subject, _, _), number in zip(found, stored)
        if number is not None
    )
    wrong = out_of_order(sender, known)
    good = not any([missing, twice, unknown, misplaced, wrong, code])
    text = (
        f"{sender.events:,} events of {sender.chats:,} chats in {sender.webhooks_in_all:,} webhooks, "
        f"listen killed {work.killed['listen']} times and one of {size.nodes} nats-server {work.killed['nats']}, "
        f"{sender.unanswered:,} webhooks sent again because they were not answered 200; "
        f"{missing} events missing, {twice} twice, {unknown} unknown, {misplaced} under another chat, "
        f"{wrong} out of order; exit code {code}; {rates(connector, folder, size.seconds)}"
    )
    return good, text


def out_of_order(sender, stored):
    """How many events stand in the stream before one of their chat that had been answered 200 before they
    were sent for the first time.
    """
    wrong = 0
    chats = {}
    for number in stored:
        chats.setdefault(sender.chat_of[number], []).append(number)
    for numbers in chats.values():
        for place, number in enumerate(numbers):
            sent = sender.sent_at[number]
            wrong += any(sender.answered_at[later] < sent for later in numbers[place + 1 :])
    return wrong


def rates(connector, folder, seconds):
    """The deliveries a second without kills, beside those of the queue."""
    told = []
    try:
        load = (bench.bodies(folder, bench.MOST_A_SECOND * seconds), bench.MANY, seconds)
        with tempfile.TemporaryDirectory(dir=folder) as own, Server(own) as server:
            for name, options in (
                ("published", ["--publish", server.url]),
                ("into the SQLite queue", ["--hold"]),
            ):
                with Receiver(connector, own, *options) as receiver:
                    figures = bench.wrk(receiver.port, load)
                a_second = figures["requests"] / figures["micros"] * 1e6
                told.append(
                    f"{a_second:,.0f} a second {name} (99 % within {figures['p99'] / 1e3:.0f} ms, "
                    f"{figures['refused'] + figures['broken']} refused)"
                )
    except Unavailable as reason:
        return f"rates are left out: {reason}"
    finally:
        path = os.path.join(folder, "webhooks")
        if os.path.exists(path):
            os.remove(path)
    return ", ".join(told)

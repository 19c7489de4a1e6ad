"""`listen` among hostile clients: thousands of idle connections, requests that come a byte at a time,
bodies of 100 MB, bodies that are held before their end. Valid webhooks must still be answered in LINE's two seconds.
"""

import socket
import statistics
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass

from support.process import memory_mib
from support.receiver import Receiver, event, post, sign, webhook

# LINE waits for an answer this long.
LINE_WAITS_SECONDS = 2
SLOW_CLIENTS = 200
# Bodies that look signed and never end, more than there is memory for.
HELD_BODIES = 80
HELD_BYTES = 1 << 20
BODY_BYTES = 100_000_000
DELIVERIES = 400
EVERY_SECONDS = 0.02


@dataclass(frozen=True)
class Size:
    """How much of it."""

    idle: int


FULL, SMALL = Size(idle=10_000), Size(idle=1_000)


@dataclass(frozen=True)
class Result:
    """One receiver and what it went through."""

    max_connections: int
    opened: int
    # Connections that were open at the end, as the receiver counts them.
    open: int
    # Connections that it closed to make room.
    evicted: int
    # How many of the bodies were refused, of those that were sent.
    bodies: int
    refused_bodies: int
    deliveries: int
    # Answered 200 within LINE's time.
    in_time: int
    median_ms: float
    slowest_ms: float
    peak_mib: float

    def good(self):
        """Whether all valid webhooks were answered in time and no oversized body was taken."""
        return self.in_time == self.deliveries and self.refused_bodies == self.bodies > 0

    def text(self):
        """All of it on one line."""
        return (
            f"with room for {self.max_connections:,} connections: {self.opened:,} opened, "
            f"{self.open:,} open at the end, {self.evicted:,} evicted, {self.refused_bodies:,} of "
            f"{self.bodies:,} oversized bodies refused, {self.in_time} of {self.deliveries} webhooks answered in "
            f"time (median {self.median_ms:.1f} ms, slowest {self.slowest_ms:.0f} ms), "
            f"peak {self.peak_mib:.0f} MiB"
        )


def run(connector, folder, size, _seed):
    """Once with room for all connections, once with the default room."""
    rooms = (size.idle + 2 * SLOW_CLIENTS + 100, 512)
    results = [attempt(connector, folder, size.idle, room) for room in rooms]
    return all(one.good() for one in results), "; ".join(one.text() for one in results)


def attempt(connector, folder, idle, room):
    """One receiver: valid webhooks while hostile clients come and stay."""
    options = ["--hold", "--max-connections", str(room)]
    with tempfile.TemporaryDirectory(dir=folder) as inner, Receiver(connector, inner, *options) as receiver:
        clients = HostileClients(receiver.port, idle)
        try:
            clients.start()
            took = [deliver(receiver.port, number) for number in range(DELIVERIES)]
        finally:
            clients.stop()
        metrics = receiver.metrics()
        result = Result(
            max_connections=room,
            opened=clients.opened,
            open=int(metrics["connections"]),
            evicted=int(metrics["evicted_connections_total"]),
            bodies=clients.bodies,
            refused_bodies=clients.refused_bodies,
            deliveries=len(took),
            in_time=sum(seconds is not None and seconds < LINE_WAITS_SECONDS for seconds in took),
            median_ms=statistics.median(seconds or float("inf") for seconds in took) * 1e3,
            slowest_ms=max(seconds or float("inf") for seconds in took) * 1e3,
            peak_mib=memory_mib(receiver.process.pid)[0],
        )
        clients.close()
    return result


def deliver(port, number):
    """One valid webhook over a connection of its own, as LINE sends it: the seconds to a 200, or None."""
    time.sleep(EVERY_SECONDS)
    body, signature = webhook([event(number, number)])
    start = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
            peer.sendall(post(body, signature))
            good = peer.recv(4096).startswith(b"HTTP/1.1 200 ")
    except OSError:
        good = False
    return time.monotonic() - start if good else None


class HostileClients:
    """All hostile clients. The connections that were open when they stop stay open until `close`."""

    def __init__(self, port, idle):
        self.port, self.idle = port, idle
        self.opened = self.bodies = self.refused_bodies = 0
        self.stopped = threading.Event()
        self.held = deque()
        self.slow = []
        self.bodies_held = []
        work = (self.open_idle, self.send_slowly, self.send_oversized, self.hold_bodies)
        self.threads = [threading.Thread(target=one) for one in work]

    def start(self):
        """Opens the idle connections first; the rest goes on meanwhile."""
        for _ in range(self.idle):
            self.open_one()
        for thread in self.threads:
            thread.start()

    def stop(self):
        """Ends what they do."""
        self.stopped.set()
        for thread in self.threads:
            if thread.ident is not None:
                thread.join()

    def close(self):
        """Closes what they hold."""
        for peer in [*self.held, *self.slow, *self.bodies_held]:
            peer.close()

    def connect(self):
        """One more connection, or None where there is none to be had."""
        try:
            return socket.create_connection(("127.0.0.1", self.port), timeout=10)
        except OSError:
            return None

    def open_one(self):
        """One more idle connection; half of them begin a request and leave it at that."""
        peer = self.connect()
        if peer is not None:
            self.opened += 1
            if self.opened % 2:
                attempt_to_send(peer, b"POST / HTTP/1.1\r\nhost: localhost\r\n")
            self.held.append(peer)

    def open_idle(self):
        """New idle connections again and again, in place of the oldest ones."""
        while not self.stopped.wait(0.002):
            self.open_one()
            if len(self.held) > self.idle:
                self.held.popleft().close()

    def send_slowly(self):
        """Requests a byte at a time: half of them in their head, half in their body."""
        head = b"POST / HTTP/1.1\r\nhost: localhost\r\n"
        starts = (head + b"x-slow: ", head + b"content-length: 100000\r\n\r\n")
        while not self.stopped.wait(0.1):
            kept = [peer for peer in self.slow if attempt_to_send(peer, b"a")]
            for number in range(SLOW_CLIENTS - len(kept)):
                peer = self.connect()
                if peer is not None:
                    attempt_to_send(peer, starts[number % 2])
                    kept.append(peer)
            self.slow = kept

    def hold_bodies(self):
        """Keeps bodies of 1 MiB before their last byte, and replaces those that are given up."""
        head = post(b"", sign(b"another body")).replace(b"content-length: 0", b"content-length: %d" % HELD_BYTES)
        while not self.stopped.wait(0.01):
            if len(self.bodies_held) >= HELD_BODIES:
                self.bodies_held.pop(0).close()
            peer = self.connect()
            if peer is not None:
                attempt_to_send(peer, head + bytes(HELD_BYTES - 1))
                self.bodies_held.append(peer)

    def send_oversized(self):
        """Bodies of 100 MB, announced or in chunks, one after another."""
        announced = b"content-length: %d\r\n\r\n" % BODY_BYTES
        chunked = b"transfer-encoding: chunked\r\n\r\n"
        while not self.stopped.is_set():
            self.oversized(announced, bytes(65_536))
            self.oversized(chunked, b"10000\r\n%s\r\n" % bytes(65_536))

    def oversized(self, head, piece):
        """Sends one until it is refused: an answer that is no 200, or a connection that is closed."""
        peer = self.connect()
        if peer is None:
            return
        self.bodies += 1
        whole = True
        with peer:
            start = b"POST / HTTP/1.1\r\nhost: localhost\r\nx-line-signature: a\r\n"
            sent = attempt_to_send(peer, start + head)
            for _ in range(BODY_BYTES // 65_536 if sent else 0):
                if not attempt_to_send(peer, piece):
                    whole = False
                    break
            try:
                answer = peer.recv(4096)
            except OSError:
                answer = b""
        self.refused_bodies += not whole or not answer.startswith(b"HTTP/1.1 200 ")


def attempt_to_send(peer, data):
    """Sends, unless the other end has closed."""
    try:
        peer.sendall(data)
    except OSError:
        return False
    return True

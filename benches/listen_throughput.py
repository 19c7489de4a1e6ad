"""Deliveries a second that `listen` makes durable, beside what the disk can do and what LINE's SDKs do
in memory.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import ClassVar

import builds
import peers
import report
from clients import NODE_SDK, PYTHON_SDK
from errors import Unavailable
from listening import SECRET, Platform, Receiver, cpu_seconds, event, peak_mib, webhook

# A transaction holds at most what can wait for it, so more connections make larger ones.
FEW, MANY = 64, 400
CHATS = 5_000
# More than can be taken in a second by anything here.
MOST_A_SECOND = 25_000
# What LINE asks of a receiver: an answer within two seconds. And the design's figure.
TARGET = 10_000
HOLD, FORWARD = "listen --hold, durable", "listen --forward, durable"
# A transaction is one sync; from time to time the log is copied into the database, which takes more.
OF_THE_DISK = 0.7


@dataclass(frozen=True)
class Row:
    """One server under load."""

    server: str
    connections: int
    per_second: float
    refused: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    # Of the server, for one delivery.
    cpu_us: float
    peak_mib: float
    # Of `listen` only: transactions a second, deliveries in each, events handed on a second.
    commits: float | None = None
    group: float | None = None
    forwarded: float | None = None


@dataclass
class Throughput:
    """One run."""

    TITLE: ClassVar[str] = "Under load"
    # Appends of 4 KB a second, each made durable before the next: the better of before and after.
    syncs: float = 0.0
    rows: list[Row] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def good(self):
        """Whether nothing valid was refused; figures are judged by who reads them."""
        return not any(row.refused for row in self.rows)

    def figures(self):
        """The design's figure: so many deliveries, or as many transactions as the disk grants; and what
        a core would do that neighbours and the load do not share.
        """
        held = [row for row in self.rows if row.server == HOLD]
        deliveries = max(row.per_second for row in held)
        a_core = 1e6 / min(row.cpu_us for row in held)
        share = max(row.commits for row in held) / self.syncs
        return [
            report.at_least("deliveries made durable a second", TARGET, deliveries, ""),
            report.at_least("or else: transactions", OF_THE_DISK, share, "× the disk's syncs"),
            report.at_least("deliveries a CPU second, load not counted", TARGET, a_core, ""),
        ]

    def text(self):
        """The tables."""
        head = ["", "connections", "deliveries/s", "p50 ms", "p99 ms", "max ms", "CPU µs each", "peak MiB", "refused"]
        body = [
            [
                row.server,
                str(row.connections),
                f"{row.per_second:,.0f}",
                f"{row.p50_ms:.1f}",
                f"{row.p99_ms:.1f}",
                f"{row.max_ms:.0f}",
                f"{row.cpu_us:.0f}",
                f"{row.peak_mib:.0f}",
                str(row.refused),
            ]
            for row in self.rows
        ]
        lines = [
            f"A webhook with one event each time, every event new. The disk makes {self.syncs:,.0f} "
            f"appends of 4 KB a second durable, one after another."
        ]
        for row in self.rows:
            if row.commits:
                more = f"{row.server}, {row.connections} connections: {row.commits:,.0f} transactions "
                more += f"a second, {row.group:.1f} deliveries in each"
                if row.forwarded is not None:
                    more += f"; {row.forwarded:,.0f} events a second were handed on meanwhile"
                lines.append(more + ".")
        lines += [f"Not measured: {name} ({reason})." for name, reason in self.skipped.items()]
        tables = [report.table(head, body), *lines[1:], report.verdicts(self.figures())]
        return "\n\n".join([lines[0], *tables])


def run(connector, folder, seconds, sdks):
    """Measures all, one after another."""
    if shutil.which("wrk") is None:
        raise Unavailable("wrk is not installed (apt-get install wrk)")
    measured = Throughput()
    with tempfile.TemporaryDirectory(dir=folder) as inner:
        before = syncs(inner, 3)
        load = bodies(inner, MOST_A_SECOND * seconds)
        for name, server in ((HOLD, hold), (FORWARD, forward)):
            for connections in (FEW, MANY):
                with tempfile.TemporaryDirectory(dir=inner) as own:
                    load_with = (load, connections, seconds)
                    measured.rows.append(server(connector, own, load_with, name))
        measured.syncs = max(before, syncs(inner, 3))
        for name, command in SDKS.items() if sdks else ():
            try:
                measured.rows.append(sdk(name, command(), (load, FEW, seconds)))
            except Unavailable as reason:
                measured.skipped[name] = str(reason)
    return measured


def syncs(folder, seconds):
    """How many appends of 4 KB this disk makes durable in a second, one after another."""
    with open(os.path.join(folder, "appends"), "wb", buffering=0) as file:
        start, count = time.monotonic(), 0
        while time.monotonic() - start < seconds:
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            count += 1
        return count / (time.monotonic() - start)


def bodies(folder, count):
    """A file of signed webhooks, no event twice."""
    path = os.path.join(folder, "webhooks")
    with open(path, "w", encoding="ascii") as file:
        for number in range(count):
            body, signature = webhook([event(number, number * 7919 % CHATS)])
            file.write(f"{signature} {body.decode()}\n")
    return path


def wrk(port, load):
    """Loads a server, and gives wrk's figures."""
    path, connections, seconds = load
    script = os.path.join(builds.BENCHES, "listen_load.lua")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", "-s", script]
    command += [f"http://127.0.0.1:{port}/", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines or not lines[-1].startswith("{"):
        raise SystemExit(f"wrk ended with {done.returncode}: {done.stdout[-300:]} {done.stderr[-300:]}")
    return json.loads(lines[-1])


def row(server, load, figures, cpu, peak, **more):
    """wrk's figures as a row."""
    return Row(
        server=server,
        connections=load[1],
        per_second=figures["requests"] / figures["micros"] * 1e6,
        refused=figures["refused"] + figures["broken"],
        p50_ms=figures["p50"] / 1e3,
        p99_ms=figures["p99"] / 1e3,
        max_ms=figures["max"] / 1e3,
        cpu_us=cpu * 1e6 / max(figures["requests"], 1),
        peak_mib=peak,
        **more,
    )


def hold(connector, folder, load, name, *options):
    """`listen`, which answers when an event is on the disk."""
    with Receiver(connector, folder, *(options or ["--hold"])) as receiver:
        figures = wrk(receiver.port, load)
        metrics, took = receiver.metrics(), figures["micros"] / 1e6
        commits = metrics["commits_total"]
        handed = metrics['forwards_total{result="acknowledged"}'] if options else None
        new = metrics['events_total{result="new"}']
        return row(
            name,
            load,
            figures,
            cpu_seconds(receiver.process.pid),
            peak_mib(receiver.process.pid),
            commits=commits / took,
            group=new / commits,
            forwarded=None if handed is None else handed / took,
        )


def forward(connector, folder, load, name):
    """`listen`, which also posts each event on to a platform that takes it at once."""
    with Platform(folder) as platform:
        return hold(connector, folder, load, name, "--forward", f"{platform.url}/0")


def node():
    """A server over LINE's SDK for Node."""
    script = os.path.join(peers.FOLDER, "webhook_server.mjs")
    return [peers.node(), script, peers.node_modules(peers.NODE_SDK)]


def python():
    """A server over LINE's SDK for Python."""
    return [peers.python(peers.PYTHON_SDK), os.path.join(peers.FOLDER, "webhook_server.py")]


SDKS = {f"{NODE_SDK}, in memory": node, f"{PYTHON_SDK}, in memory": python}


def sdk(name, command, load):
    """A server over one of LINE's SDKs: it answers when it has read the event."""
    environment = {"PATH": os.environ["PATH"], "SECRET": SECRET}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, text=True, env=environment, **pipes)
    try:
        port = process.stdout.readline()
        if not port.strip():
            raise Unavailable(f"it ended with {process.wait()}")
        figures = wrk(int(port), load)
        return row(name, load, figures, cpu_seconds(process.pid), peak_mib(process.pid))
    finally:
        process.terminate()
        process.wait()

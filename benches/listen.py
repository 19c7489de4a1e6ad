#!/usr/bin/env python3
"""Measures the deliveries a second that `listen` makes durable, beside what the disk can do and what
LINE's SDKs do in memory.

`README.md` in this folder says how to run it and how to read what it prints.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from clients import NODE_SDK, PYTHON_SDK
from support import builds, peers, report, turns
from support.errors import Unavailable
from support.process import cpu_seconds, memory_mib
from support.receiver import SECRET, Platform, Receiver, event, webhook

# A transaction holds at most what can wait for it, so more connections make larger ones.
FEW, MANY = 64, 400
CHATS = 5_000
# More than can be taken in a second by anything here.
MOST_A_SECOND = 25_000
# What the design asks for.
TARGET = 10_000
HOLD, FORWARD = "listen --hold, durable", "listen --forward, durable"
# A transaction is one sync; from time to time the log is copied into the database, which takes more.
OF_THE_DISK = 0.7


@dataclass(frozen=True)
class Row:
    """One server under load."""

    client: str
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
class Report(report.Report):
    """All of one run."""

    # Appends of 4 KB a second, each made durable before the next: the better of before and after.
    syncs: float = 0.0


def main():
    """Measures, prints, writes what was asked for; fails where something valid was refused."""
    options = arguments()
    if sys.platform != "linux":
        raise SystemExit("only Linux tells what this relies on")
    # Being asked to end is an end like any other: what was started stops, the folder goes.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    load = os.getloadavg()[0]
    try:
        connector = builds.connector()
        turns.warn_if_busy()
        measured = Report(conditions=f"{report.conditions()}; load {load:.1f} before it began")
        measure(measured, connector, options)
    except Unavailable as reason:
        raise SystemExit(f"cannot measure: {reason}") from reason
    document = report.document(measured, figures(measured))
    report.tell(options, markdown(measured), document, *report.markers("listen"))
    return 1 if any(row.refused for row in measured.rows) else 0


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--seconds", type=turns.positive, default=10, help="how long each load lasts (10)")
    parser.add_argument("--no-sdks", action="store_true", help="leave LINE's SDKs out")
    parser.add_argument("--folder", help="where queues stand (the system's temporary folder)")
    report.add_options(parser)
    return parser.parse_args()


def measure(measured, connector, options):
    """Measures all, one after another."""
    # Told before minutes are spent on what it would post.
    builds.tool("wrk")
    with tempfile.TemporaryDirectory(prefix="listen-", dir=options.folder) as folder:
        before = syncs(folder, 3)
        load = bodies(folder, MOST_A_SECOND * options.seconds)
        for name, server in ((HOLD, hold), (FORWARD, forward)):
            for connections in (FEW, MANY):
                with tempfile.TemporaryDirectory(dir=folder) as own:
                    load_with = (load, connections, options.seconds)
                    measured.rows.append(server(connector, own, load_with, name))
        measured.syncs = max(before, syncs(folder, 3))
        for name, command in () if options.no_sdks else SDKS.items():
            try:
                measured.rows.append(sdk(name, command(), (load, FEW, options.seconds)))
            except Unavailable as reason:
                turns.skip(measured.skipped, name, str(reason))


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
    command = [builds.tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", "-s", script]
    command += [f"http://127.0.0.1:{port}/", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines or not lines[-1].startswith("{"):
        raise SystemExit(f"wrk ended with {done.returncode}: {done.stdout[-300:]} {done.stderr[-300:]}")
    return json.loads(lines[-1])


def row(client, load, figures, cpu, peak, **more):
    """wrk's figures as a row."""
    return Row(
        client=client,
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
            memory_mib(receiver.process.pid)[0],
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
        return row(name, load, figures, cpu_seconds(process.pid), memory_mib(process.pid)[0])
    finally:
        process.terminate()
        process.wait()


def figures(measured):
    """The figures of the design: deliveries a second, or else as many transactions as the disk allows;
    and what a core would do if it had nothing else to run.
    """
    held = [row for row in measured.rows if row.client == HOLD]
    deliveries = max(row.per_second for row in held)
    a_core = 1e6 / min(row.cpu_us for row in held)
    share = max(row.commits for row in held) / measured.syncs
    return [
        report.at_least("deliveries made durable a second", TARGET, deliveries, ""),
        report.at_least("or else: transactions", OF_THE_DISK, share, "× the disk's syncs"),
        report.at_least("deliveries a CPU second, load not counted", TARGET, a_core, ""),
    ]


def markdown(measured):
    """The whole report, readable on a terminal and in the README alike."""
    parts = [
        f"{measured.conditions}.",
        f"A webhook with one event each time, every event new. The disk makes {measured.syncs:,.0f} "
        f"appends of 4 KB a second durable, one after another.",
        servers(measured),
        *(transactions(row) for row in measured.rows if row.commits),
    ]
    return report.finished(parts, figures(measured), measured.skipped)


def servers(measured):
    """The servers side by side."""
    body = [
        [
            row.client,
            str(row.connections),
            f"{row.per_second:,.0f}",
            f"{row.p50_ms:.1f}",
            f"{row.p99_ms:.1f}",
            f"{row.max_ms:.0f}",
            f"{row.cpu_us:.0f}",
            f"{row.peak_mib:.0f}",
            str(row.refused),
        ]
        for row in measured.rows
    ]
    head = ["", "connections", "deliveries/s", "p50 ms", "p99 ms", "max ms", "CPU µs each", "peak MiB"]
    return report.table([*head, "refused"], body)


def transactions(row):
    """What `listen` wrote meanwhile."""
    text = f"{row.client}, {row.connections} connections: {row.commits:,.0f} transactions a second, "
    text += f"{row.group:.1f} deliveries in each"
    if row.forwarded is not None:
        text += f"; {row.forwarded:,.0f} events a second were handed on meanwhile"
    return f"{text}."


if __name__ == "__main__":
    sys.exit(main())

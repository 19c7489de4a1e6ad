#!/usr/bin/env python3
"""Measures processes that are kept running: `serve` beside a minimal Rust client and LINE's SDKs.

`README.md` in this folder says how to run it and how to read what it prints.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import documents
from clients import GIVEN_TOKEN, MINIMAL, NODE_SDK, OURS, PUSH, PYTHON_SDK
from support import builds, peers, report, turns
from support.errors import Unavailable
from support.neutral_server import NeutralServer, reachable_folder
from support.process import memory_mib

IN_FLIGHT = (1, 8, 32)
# LINE's highest limit, requests a second.
LINES_LIMIT = 2000
SAMPLE_EVERY_SECONDS = 0.02
MILLION = 1_000_000
MARKS = (100_000, 250_000, 500_000, 750_000, MILLION)


@dataclass(frozen=True)
class Client:
    """A client, and how it is started."""

    name: str
    # From how many are in flight to the command.
    argv: object
    environment: dict[str, str]
    # Files with its standard input: to warm up with, and to be measured with.
    warm_up: str
    whole: str
    # How many calls are measured: those of `whole` beyond those of `warm_up`.
    measured: int
    # From its standard output to how many calls were accepted.
    accepted: object


@dataclass(frozen=True)
class Sample:
    """One process from start to end."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    end_mib: float


@dataclass(frozen=True)
class Row:
    """The medians of one client at one number of calls in flight."""

    client: str
    in_flight: int
    rounds: int
    calls: int
    per_second: float
    cpu_us: float
    peak_mib: float
    end_mib: float


@dataclass
class Report(report.Report):
    """All of one run."""

    # From a number of calls to the resident memory of `serve` after them, in MiB.
    memory: dict[int, float] = field(default_factory=dict)
    memory_per_second: float | None = None


def main():
    """Measures, prints, and writes what was asked for."""
    options = arguments()
    if sys.platform != "linux":
        raise SystemExit("only Linux tells a process's memory in the way that this relies on")
    try:
        with reachable_folder("warm-") as folder, NeutralServer(folder) as server:
            measured = measure(options, folder, server)
    except Unavailable as reason:
        raise SystemExit(f"cannot measure: {reason}") from reason
    document = report.document(measured, figures(measured))
    report.tell(options, markdown(measured), document, *report.markers("warm"))


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    count = turns.positive
    parser.add_argument("--rounds", type=count, default=5, help="rounds to measure (5)")
    parser.add_argument("--calls", type=count, default=20_000, help="calls a Rust client makes (20000)")
    parser.add_argument("--sdk-calls", type=count, default=4_000, help="calls an SDK makes (4000)")
    parser.add_argument("--no-sdks", action="store_true", help="leave LINE's SDKs out")
    parser.add_argument("--million", action="store_true", help="also watch memory over 1,000,000 calls")
    report.add_options(parser)
    return parser.parse_args()


def measure(options, folder, server):
    """The whole run: each client tried once, then measured in rounds, then memory."""
    measured = Report(conditions=conditions(options))
    clients = []
    for name, prepare in PREPARE.items():
        if name in (NODE_SDK, PYTHON_SDK) and options.no_sdks:
            continue
        try:
            client = prepare(Stage(folder, server, options))
            run(client, 1, client.warm_up, folder)
            clients.append(client)
        except Unavailable as reason:
            if name in (OURS, MINIMAL):
                raise
            turns.skip(measured.skipped, name, str(reason))
    turns.warn_if_busy()
    samples = rounds(clients, options.rounds, folder)
    for in_flight in IN_FLIGHT:
        for client in clients:
            taken = samples[client.name, in_flight]
            measured.rows.append(summarize(client, in_flight, taken))
    if options.million:
        ours_ = next(client for client in clients if client.name == OURS)
        measured.memory, measured.memory_per_second = million(ours_, folder)
    return measured


def conditions(options):
    """The machine and the versions; no names or paths."""
    machine = report.conditions(options.rounds)
    node = shutil.which("node") and not options.no_sdks
    return machine + (f", Node {peers.version([peers.node()])}" if node else "")


@dataclass(frozen=True)
class Stage:
    """What all clients share."""

    folder: str
    server: NeutralServer
    options: argparse.Namespace

    def lines(self, name, count, document):
        """Writes a file of `count` documents, one a line."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            for number in range(count):
                file.write(documents.compact(document(number)))
                file.write("\n")
        return path

    def client(self, name, argv, calls, document, accepted, environment):
        """A client that gets these documents: a tenth of them again, to warm up with."""
        warm_up = max(calls // 10, 200)
        return Client(
            name=name,
            argv=argv,
            environment=environment,
            warm_up=self.lines(f"{name}.warm_up", warm_up, document),
            whole=self.lines(f"{name}.whole", warm_up + calls, document),
            measured=calls,
            accepted=accepted,
        )


def push(number):
    """The body of a push, the same for every client."""
    body = documents.text_push()
    body["messages"][0]["text"] += f" Number {number}."
    return body


def ours(stage):
    """`serve`, as a platform uses it, validation and all; only LINE's limit of 2,000 pushes a second,
    which it keeps to, is lifted, as an asset may do for any server but LINE's.
    """
    binary = builds.connector()
    asset = os.path.join(stage.folder, "asset.json")
    with open(asset, "w", encoding="utf-8") as file:
        limits = {"*": "off"}
        json.dump({"url": stage.server.url, "token": GIVEN_TOKEN, "rate_limits": limits}, file)

    def argv(in_flight):
        return [binary, "serve", "--concurrency", str(in_flight), "--asset", asset]

    def document(number):
        return {
            "id": str(number),
            "action": documents.ACTION,
            "inputs": {"json_body": push(number)},
        }

    def accepted(output):
        return output.count('"status_code":200')

    return stage.client(OURS, argv, stage.options.calls, document, accepted, {})


def minimal(stage):
    """The floor."""
    binary = builds.minimal("warm")
    environment = {"URL": stage.server.url + PUSH, "TOKEN": GIVEN_TOKEN}
    return stage.client(MINIMAL, lambda _: [binary], stage.options.calls, push, int, environment)


def node(stage):
    """LINE's SDK for Node."""
    argv = [peers.node(), os.path.join(peers.FOLDER, "push.mjs"), peers.node_modules(peers.NODE_SDK)]
    return sdk(stage, NODE_SDK, argv)


def python(stage):
    """LINE's SDK for Python."""
    argv = [peers.python(peers.PYTHON_SDK), os.path.join(peers.FOLDER, "push.py")]
    return sdk(stage, PYTHON_SDK, argv)


def sdk(stage, name, argv):
    """A program over one of LINE's SDKs."""

    def accepted(output):
        return int(output.removeprefix("accepted "))

    environment = {"URL": stage.server.url, "TOKEN": GIVEN_TOKEN}
    return stage.client(name, lambda _: argv, stage.options.sdk_calls, push, accepted, environment)


# In the order of the tables.
PREPARE = {OURS: ours, MINIMAL: minimal, NODE_SDK: node, PYTHON_SDK: python}


def rounds(clients, count, folder):
    """The samples of each client at each number in flight: pairs of a short and a whole run.

    Their difference is the calls in between, with a warm process: what it costs to start, to
    connect and to compile at the first call is in both.
    """
    cases = [(client, in_flight) for client in clients for in_flight in IN_FLIGHT]
    samples = {(client.name, in_flight): [] for client, in_flight in cases}
    for client, in_flight in turns.in_turns(cases, count):
        pair = tuple(run(client, in_flight, path, folder) for path in (client.warm_up, client.whole))
        samples[client.name, in_flight].append(pair)
    return samples


def summarize(client, in_flight, pairs):
    """The medians of a client."""

    def median(value):
        return statistics.median(value(short, whole) for short, whole in pairs)

    return Row(
        client=client.name,
        in_flight=in_flight,
        rounds=len(pairs),
        calls=client.measured,
        per_second=median(lambda short, whole: client.measured / (whole.wall_s - short.wall_s)),
        cpu_us=median(lambda short, whole: (whole.cpu_s - short.cpu_s) * 1e6 / client.measured),
        peak_mib=median(lambda _, whole: whole.peak_mib),
        end_mib=median(lambda _, whole: whole.end_mib),
    )


def run(client, in_flight, path, folder):
    """Runs a client once over a file of documents; every call must be accepted."""
    environment = {"PATH": os.defpath, "IN_FLIGHT": str(in_flight), **client.environment}
    output, errors = os.path.join(folder, "stdout"), os.path.join(folder, "stderr")
    with open(path, "rb") as stdin, open(output, "wb") as stdout, open(errors, "wb") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(
            client.argv(in_flight), stdin=stdin, stdout=stdout, stderr=stderr, env=environment
        )
        watch = Watch(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    peak, end = watch.stop()
    check(client, process.returncode, path, output, errors)
    return Sample(wall, usage.ru_utime + usage.ru_stime, peak, end)


def check(client, code, path, output, errors):
    """Refuses a run in which not every call was accepted."""
    with open(path, "rb") as file:
        expected = sum(1 for _ in file)
    with open(output, encoding="utf-8", errors="replace") as file:
        text = file.read()
    accepted = client.accepted(text) if code == 0 and text else 0
    if accepted != expected:
        with open(errors, encoding="utf-8", errors="replace") as file:
            said = file.read().strip()[-500:]
        raise Unavailable(f"{client.name} ended with {code}, {accepted} of {expected} accepted: {said}")


class Watch(threading.Thread):
    """Looks at a process's memory now and then: its own peak, and what it holds last."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.stopped = threading.Event()
        self.seen = (0.0, 0.0)
        self.start()

    def run(self):
        """Looks until it is told to stop, or the process is gone."""
        while not self.stopped.wait(SAMPLE_EVERY_SECONDS):
            now = memory_mib(self.pid)
            if now is None:
                return
            self.seen = now

    def stop(self):
        """The peak and the last figure, in MiB."""
        self.stopped.set()
        self.join()
        return self.seen


def million(client, folder):
    """Resident memory of `serve` at marks on the way to a million calls, and calls a second."""
    with open(client.whole, "rb") as file:
        lines = file.readlines()
    environment = {"PATH": os.defpath, **client.environment}
    errors = os.path.join(folder, "stderr")
    print(f"{MILLION:,} calls", file=sys.stderr)
    memory = {}
    with open(errors, "wb") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(
            client.argv(max(IN_FLIGHT)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
        )
        writer = threading.Thread(target=feed, args=(process.stdin, lines), daemon=True)
        writer.start()
        answered = accepted = 0
        rest = b""
        while answered < MILLION:
            read = process.stdout.read1(1 << 20)
            if not read:
                raise Unavailable(f"serve ended after {answered} calls")
            read = rest + read
            end = read.rfind(b"\n") + 1
            whole, rest = read[:end], read[end:]
            answered += whole.count(b"\n")
            accepted += whole.count(b'"status_code":200')
            for mark in MARKS:
                if answered >= mark and mark not in memory:
                    memory[mark] = round(memory_mib(process.pid)[1], 2)
        took = time.perf_counter() - start
        # Its input is still open: that was a living process.
        process.stdin.close()
        process.stdout.close()
        code = process.wait()
    if accepted != MILLION or code != 0:
        raise Unavailable(f"serve ended with {code}, {accepted} of {MILLION} accepted")
    return memory, MILLION / took


def feed(pipe, lines):
    """Writes a million documents, the same ones again and again; the reader of the answers closes."""
    whole = b"".join(lines)
    try:
        for _ in range(MILLION // len(lines)):
            pipe.write(whole)
        pipe.write(b"".join(lines[: MILLION % len(lines)]))
        pipe.flush()
    except OSError:
        pass  # it has ended early, which the reader tells


def figures(measured):
    """The figures of the design that apply to a warm `serve`."""
    most = max(IN_FLIGHT)
    per_second = measured.ratio("per_second", OURS, MINIMAL, in_flight=most)
    node_cpu = measured.ratio("cpu_us", NODE_SDK, OURS, in_flight=most)
    python_cpu = measured.ratio("cpu_us", PYTHON_SDK, OURS, in_flight=most)
    ours_ = measured.row(OURS, in_flight=most)
    core = ours_ and 1e6 / ours_.cpu_us / LINES_LIMIT
    growth = None
    if MILLION in measured.memory:
        growth = measured.memory[MILLION] - measured.memory[MARKS[0]]
    return [
        report.at_least(f"{most} in flight: requests a second", 0.8, per_second, "× minimal"),
        report.at_least(f"{most} in flight: requests a CPU second", 12, node_cpu, "× Node SDK"),
        report.at_least(f"{most} in flight: requests a CPU second", 20, python_cpu, "× Python SDK"),
        report.at_least(f"{most} in flight: one core's requests a second", 1, core, "× LINE's highest limit"),
        report.at_most("memory grows from 100,000 to 1,000,000 calls by", 1, growth, "MiB"),
    ]


def markdown(measured):
    """The whole report, readable on a terminal and in the README alike."""
    parts = [f"{measured.conditions}. Medians; × is the ratio to the minimal Rust client."]
    for in_flight in IN_FLIGHT:
        parts += [f"#### {in_flight} in flight", table(measured, in_flight)]
    if measured.memory:
        body = [[f"{mark:,}", f"{mib:.1f}"] for mark, mib in measured.memory.items()]
        title = f"#### Memory of `serve`, {max(IN_FLIGHT)} in flight, {measured.memory_per_second:,.0f} a second"
        parts += [title, report.table(["calls", "resident MiB"], body)]
    return report.finished(parts, figures(measured), measured.skipped)


def table(measured, in_flight):
    """The clients at one number of calls in flight, side by side."""
    body = []
    for row in measured.rows:
        if row.in_flight == in_flight:
            per_second, cpu_us = (
                measured.ratio(value, row.client, MINIMAL, in_flight=in_flight)
                for value in ("per_second", "cpu_us")
            )
            body.append(
                [
                    row.client,
                    f"{row.per_second:,.0f}",
                    report.times(per_second),
                    f"{row.cpu_us:,.1f}",
                    report.times(cpu_us),
                    f"{1e6 / row.cpu_us:,.0f}",
                    f"{row.peak_mib:.1f}",
                    f"{row.end_mib:.1f}",
                ]
            )
    head = ["", "requests/s", "×", "CPU µs each", "×", "a CPU second", "peak MiB", "end MiB"]
    return report.table(head, body)


if __name__ == "__main__":
    main()

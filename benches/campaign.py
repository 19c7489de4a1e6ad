#!/usr/bin/env python3
"""Measures campaigns: planning them, and sending them to many people, beside `serve` without a ledger
and LINE's SDKs.

`README.md` in this folder says how to run it and how to read what it prints.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

import documents
from clients import GIVEN_TOKEN, NODE_SDK, OURS, PYTHON_SDK
from listen import syncs
from support import builds, peers, report, turns
from support.errors import Unavailable
from support.neutral_server import NeutralServer, reachable_folder
from warm import Watch

# As `sending.concurrency` is without being told.
IN_FLIGHT = 16
# LINE's limit of people in a request.
MOST_PEOPLE = 500
IDENTICAL, PERSONAL = "identical", "personalised"
TEXT = {IDENTICAL: "Both shops are open.", PERSONAL: "Hello {{ UserAttribute['name'] }}!"}
SERVE = "serve, no ledger"
TEN_MILLION = 10_000_000
# A test of the whole before minutes are spent on it.
FEW = 2_000


@dataclass(frozen=True)
class Sample:
    """One process from start to end."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    output: str


@dataclass(frozen=True)
class PlanRow:
    """The medians of planning for so many people."""

    client: str
    text: str
    people: int
    per_second: float
    cpu_us: float
    peak_mib: float
    ledger_mb: float


@dataclass(frozen=True)
class Row:
    """The medians of one way to send one kind of text."""

    client: str
    text: str
    people: int
    requests: int
    people_per_second: float
    per_second: float
    # Of one request.
    cpu_us: float
    peak_mib: float


@dataclass
class Report(report.Report):
    """All of one run."""

    plans: list = field(default_factory=list)
    # Appends of 4 KB a second, each made durable before the next: the better of before and after.
    syncs: float = 0.0


def main():
    """Measures, prints, and writes what was asked for."""
    options = arguments()
    if sys.platform != "linux":
        raise SystemExit("only Linux tells a process's memory in the way that this relies on")
    if options.folder:
        os.environ["TMPDIR"] = os.path.abspath(options.folder)
    load = os.getloadavg()[0]
    try:
        with reachable_folder("campaign-") as folder, NeutralServer(folder) as server:
            stage = Stage(folder, server, builds.connector(), options)
            conditions = f"{report.conditions(options.rounds)}; load {load:.1f} before it began"
            measured = Report(conditions=conditions)
            measure(measured, stage)
    except Unavailable as reason:
        raise SystemExit(f"cannot measure: {reason}") from reason
    document = report.document(measured, figures(measured))
    report.tell(options, markdown(measured), document, *report.markers("campaign"))


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    count = turns.positive
    parser.add_argument("--rounds", type=count, default=3, help="rounds to measure (3)")
    parser.add_argument("--people", type=count, default=1_000_000, help="people of a list (1000000)")
    parser.add_argument("--messages", type=count, default=100_000, help="personalised messages sent (100000)")
    parser.add_argument("--sdk-messages", type=count, default=10_000, help="those that an SDK sends (10000)")
    parser.add_argument("--no-sdks", action="store_true", help="leave LINE's SDKs out")
    parser.add_argument("--ten-million", action="store_true", help="also plan for 10,000,000 people")
    parser.add_argument("--folder", help="where ledgers stand (the system's temporary folder)")
    report.add_options(parser)
    return parser.parse_args()


class Stage:
    """What all clients share: the server, the lists, and files in a folder of this run."""

    def __init__(self, folder, server, connector, options):
        self.folder = folder
        self.server = server
        self.connector = connector
        self.options = options
        # LINE's rate limits, to which it keeps, are lifted, as an asset may do for any server but LINE's.
        asset = {"url": server.url, "token": GIVEN_TOKEN, "rate_limits": {"*": "off"}}
        self.asset = self.write("asset.json", [asset])

    def path(self, name):
        """A file of this run."""
        return os.path.join(self.folder, name)

    def write(self, name, lines):
        """Writes documents, one a line."""
        with open(self.path(name), "w", encoding="utf-8") as file:
            for document in lines:
                file.write(documents.compact(document))
                file.write("\n")
        return self.path(name)

    def people(self, count):
        """A list of so many people."""
        path = self.path(f"{count}.csv")
        if not os.path.exists(path):
            with open(path, "w", encoding="ascii") as file:
                file.write("line_id,name\n")
                file.writelines(f"{person(number)},{called(number)}\n" for number in range(count))
        return path

    def ids(self, count):
        """Their IDs alone, one a line."""
        path = self.path(f"{count}.ids")
        if not os.path.exists(path):
            with open(path, "w", encoding="ascii") as file:
                file.writelines(f"{person(number)}\n" for number in range(count))
        return path

    def campaign(self, text, count):
        """The document of a campaign for so many people."""
        self.people(count)
        document = {
            "schema": "campaign/1",
            "name": f"{text} {count}",
            "accounts": {"shop": {"asset": {"file": "asset.json"}}},
            "recipients": {"csv": f"{count}.csv"},
            "messages": [{"type": "text", "text": TEXT[text]}],
            "sending": {"concurrency": IN_FLIGHT},
        }
        return self.write(f"{text}-{count}.json", [document])

    def run(self, argv, stdin=os.devnull, environment=None):
        """Runs a process, which must end well."""
        output, errors = self.path("stdout"), self.path("stderr")
        environment = {"PATH": os.defpath, **(environment or {})}
        with open(stdin, "rb") as source, open(output, "wb") as stdout, open(errors, "wb") as stderr:
            start = time.perf_counter()
            process = subprocess.Popen(argv, stdin=source, stdout=stdout, stderr=stderr, env=environment)
            watch = Watch(process.pid)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        peak, _ = watch.stop()
        if process.returncode != 0:
            with open(errors, encoding="utf-8", errors="replace") as file:
                raise Unavailable(f"{argv[0]} ended with {process.returncode}: {file.read().strip()[-500:]}")
        with open(output, encoding="utf-8") as file:
            return Sample(wall, usage.ru_utime + usage.ru_stime, peak, file.read())


def person(number):
    """A user ID."""
    return f"U{number:032x}"


def called(number):
    """A name that nobody else has."""
    return f"Ann {number}"


def plan(stage, text, people):
    """Plans a campaign from the start: how that went, and what the plan says."""
    document = stage.campaign(text, people)
    ledger = document.removesuffix(".json") + ".ledger"
    for file in (ledger, f"{ledger}-wal", f"{ledger}-shm"):
        if os.path.exists(file):
            os.remove(file)
    command = [stage.connector, "campaign", "plan", document, "--offline", "--show", "0", "--json"]
    sample = stage.run(command)
    told = json.loads(sample.output)
    if told["people"] != people:
        raise Unavailable(f"{told['people']} of {people} people were planned")
    return sample, told["digest"], os.path.getsize(ledger)


def ours(stage, text, people):
    """Sends a campaign that was just planned."""
    _, digest, _ = plan(stage, text, people)
    document = stage.campaign(text, people)
    command = [stage.connector, "campaign", "start", document, "--confirm", digest, "--json"]
    sample = stage.run(command)
    ended = json.loads(sample.output.splitlines()[-1])["ended"]
    expect(OURS, ended["people"].get("accepted", 0), people)
    return sample, ended["parts"]


def serve(stage, text, people):
    """The same requests by `serve`, which remembers nothing and validates each."""
    path = stage.path(f"{text}-{people}.serve")
    if not os.path.exists(path):
        stage.write(os.path.basename(path), calls(text, people))
    command = [stage.connector, "serve", "--concurrency", str(IN_FLIGHT), "--asset", stage.asset]
    sample = stage.run(command, path)
    requests = sum(1 for _ in calls(text, people))
    expect(SERVE, sample.output.count('"status_code":200'), requests)
    return sample, requests


def calls(text, people):
    """The documents of the calls."""
    if text == PERSONAL:
        for number in range(people):
            yield {"id": str(number), "action": documents.ACTION, "inputs": {"json_body": push(number)}}
        return
    for first in range(0, people, MOST_PEOPLE):
        to = [person(number) for number in range(first, min(first + MOST_PEOPLE, people))]
        body = {"to": to, "messages": [{"type": "text", "text": TEXT[IDENTICAL]}]}
        yield {"id": str(first), "action": "send_multicast_message", "inputs": {"json_body": body}}


def push(number):
    """The push to one person."""
    return {"to": person(number), "messages": [{"type": "text", "text": f"Hello {called(number)}!"}]}


def node(stage, text, people):
    """LINE's SDK for Node."""
    script = os.path.join(peers.FOLDER, SCRIPTS[text] + ".mjs")
    return sdk(stage, NODE_SDK, [peers.node(), script, peers.node_modules(peers.NODE_SDK)], text, people)


def python(stage, text, people):
    """LINE's SDK for Python."""
    script = os.path.join(peers.FOLDER, SCRIPTS[text] + ".py")
    return sdk(stage, PYTHON_SDK, [peers.python(peers.PYTHON_SDK), script], text, people)


SCRIPTS = {IDENTICAL: "multicast", PERSONAL: "push"}


def sdk(stage, name, argv, text, people):
    """A program over one of LINE's SDKs."""
    if text == PERSONAL:
        people = min(people, stage.options.sdk_messages)
        path = stage.path(f"{people}.pushes")
        if not os.path.exists(path):
            stage.write(os.path.basename(path), (push(number) for number in range(people)))
    else:
        path = stage.ids(people)
    environment = {"URL": stage.server.url, "TOKEN": GIVEN_TOKEN, "TEXT": TEXT[text]}
    sample = stage.run(argv, path, {**environment, "IN_FLIGHT": str(IN_FLIGHT)})
    expect(name, int(sample.output.removeprefix("accepted ")), people)
    return sample, people if text == PERSONAL else -(-people // MOST_PEOPLE)


# In the order of the tables.
CLIENTS = {OURS: ours, SERVE: serve, NODE_SDK: node, PYTHON_SDK: python}


def expect(client, accepted, expected):
    """Refuses a run in which not everybody was accepted."""
    if accepted != expected:
        raise Unavailable(f"{client}: {accepted} of {expected} accepted")


def measure(measured, stage):
    """The whole run: each client tried once, then measured in rounds, then the largest lists."""
    options = stage.options
    clients = []
    for name, client in CLIENTS.items():
        if name in (NODE_SDK, PYTHON_SDK) and options.no_sdks:
            continue
        try:
            for text in TEXT:
                client(stage, text, FEW)
            clients.append(name)
        except Unavailable as reason:
            if name == OURS:
                raise
            turns.skip(measured.skipped, name, str(reason))
    turns.warn_if_busy()
    before = syncs(stage.folder, 3)
    sizes = {IDENTICAL: options.people, PERSONAL: options.messages}
    cases = [(name, text, sizes[text]) for name in clients for text in TEXT]
    cases += [(None, text, options.people) for text in TEXT]
    samples = {case: [] for case in cases}
    for case in turns.in_turns(cases, options.rounds):
        name, text, people = case
        samples[case].append(CLIENTS[name](stage, text, people) if name else plan(stage, text, people))
    measured.plans = [planned(text, options.people, samples[None, text, options.people]) for text in TEXT]
    measured.rows = [sent(*case, samples[case]) for case in cases if case[0]]
    measured.syncs = max(before, syncs(stage.folder, 3))
    if options.ten_million:
        for text in TEXT:
            print(f"{TEN_MILLION:,} people, {text}", file=sys.stderr)
            measured.plans.append(planned(text, TEN_MILLION, [plan(stage, text, TEN_MILLION)]))
            os.remove(stage.path(f"{text}-{TEN_MILLION}.ledger"))


def planned(text, people, samples):
    """The medians of planning."""
    return PlanRow(
        client=OURS,
        text=text,
        people=people,
        per_second=statistics.median(people / sample.wall_s for sample, *_ in samples),
        cpu_us=statistics.median(sample.cpu_s * 1e6 / people for sample, *_ in samples),
        peak_mib=max(sample.peak_mib for sample, *_ in samples),
        ledger_mb=max(size for _, _, size in samples) / 1e6,
    )


def sent(client, text, people, samples):
    """The medians of a client."""
    requests = samples[0][1]
    # An SDK sends fewer texts of one person's own.
    people = min(people, requests) if text == PERSONAL else people
    seconds = statistics.median(sample.wall_s for sample, _ in samples)
    return Row(
        client=client,
        text=text,
        people=people,
        requests=requests,
        people_per_second=people / seconds,
        per_second=requests / seconds,
        cpu_us=statistics.median(sample.cpu_s * 1e6 / requests for sample, _ in samples),
        peak_mib=max(sample.peak_mib for sample, _ in samples),
    )


def figures(measured):
    """The figures of the design for campaigns."""
    rates = [row.per_second for row in measured.plans if row.people != TEN_MILLION]
    largest = [row.peak_mib for row in measured.plans if row.people == TEN_MILLION]
    largest = max(largest) if len(largest) == len(TEXT) else None
    personal = measured.row(OURS, text=PERSONAL)
    bound = measured.ratio("per_second", OURS, SERVE, text=IDENTICAL)
    return [
        report.at_least("planned, recipients a second", 100_000, min(rates), ""),
        report.at_most("memory for 10,000,000 recipients", 100, largest, "MiB"),
        report.at_least("identical text: requests a second", 0.8, bound, "× serve without a ledger"),
        report.at_least("personalised, durable, messages a second", 8_000, personal.per_second, ""),
    ]


def markdown(measured):
    """The whole report, readable on a terminal and in the README alike."""
    parts = [
        f"{measured.conditions}. Medians; the highest peaks. The disk makes {measured.syncs:,.0f} appends "
        f"of 4 KB a second durable, one after another.",
        "#### Planning",
        plans(measured),
    ]
    for text in TEXT:
        parts += [f"#### Sending, {text} text, {IN_FLIGHT} in flight", table(measured, text)]
    return report.finished(parts, figures(measured), measured.skipped)


def plans(measured):
    """What planning costs."""
    body = [
        [
            row.text,
            f"{row.people:,}",
            f"{row.per_second:,.0f}",
            f"{row.cpu_us:.1f}",
            f"{row.peak_mib:.0f}",
            f"{row.ledger_mb:,.0f}",
        ]
        for row in measured.plans
    ]
    return report.table(["", "recipients", "a second", "CPU µs each", "peak MiB", "ledger MB"], body)


def table(measured, text):
    """The clients side by side."""
    body = [
        [
            row.client,
            f"{row.people:,}",
            f"{row.people_per_second:,.0f}",
            f"{row.per_second:,.0f}",
            report.times(measured.ratio("per_second", row.client, SERVE, text=text)),
            f"{row.cpu_us:,.0f}",
            f"{row.peak_mib:.0f}",
        ]
        for row in measured.rows
        if row.text == text
    ]
    head = ["", "people", "people/s", "requests/s", "×", "CPU µs a request", "peak MiB"]
    return report.table(head, body)


if __name__ == "__main__":
    main()

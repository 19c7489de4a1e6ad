"""Kills a campaign over two accounts at random moments while their sandboxes fail in every way that
LINE may, goes on with it each time, and looks in the sandboxes whether everybody got it exactly once.
"""

import json
import os
import random
import subprocess
import time
from dataclasses import dataclass

from support.errors import Unavailable
from support.process import memory_mib
from support.sandbox import Sandbox

# Beyond LINE's own, so that the machine is the limit.
LIMITS = {"*": "off"}
WEIGHTS = {"tokyo": 70, "osaka": 30}
# Every second person shares the text with a group; the groups stand one after another in the list, so
# that requests to many come between requests to one.
GROUPS = 12
# A sandbox's deliveries are read in pieces: it remembers so many.
KEEP = 20_000
SENDS = "/v2/bot/message/"
FAULTS = [
    {"kind": "status", "code": 500, "path": SENDS},
    {"kind": "status", "code": 500, "when": "after", "path": SENDS},
    {"kind": "drop", "at": "after_read", "path": SENDS},
    {"kind": "drop", "at": "after_processing", "path": SENDS},
    {"kind": "drop", "at": "mid_body", "path": SENDS},
    {"kind": "rate_limit", "path": SENDS},
]
MONTHLY_LIMIT = {"kind": "monthly_limit", "path": SENDS}
# So many sends come to one that fails.
SENDS_A_FAULT = 40
# Fewer at once than are under way: an account goes on by itself.
MOST_FAULTS = 8
LOOK_EVERY_SECONDS = 0.02
# One process in so many meets the end of the month in both accounts instead of being killed.
PAUSES = 8
# As long as a process may take to begin with its first request.
START_SECONDS = 0.1
# Kills are spread over so much of the work; the rest is room for processes that did more than meant.
OF_THE_WORK = 0.8


@dataclass(frozen=True)
class Size:
    """How much of it."""

    people: int
    kills: int


FULL, SMALL = Size(people=50_000, kills=100), Size(people=6_000, kills=8)


def run(connector, folder, size, seed):
    """Runs it: whether the promise was kept, and what it came to."""
    chance = random.Random(seed)
    options = ["--quota", "100000000", "--keep-records", str(KEEP)]
    with Sandbox(connector, *options) as tokyo, Sandbox(connector, *options) as osaka:
        sandboxes = {"tokyo": tokyo, "osaka": osaka}
        arrivals = Arrivals(sandboxes, size.people)
        campaign = Campaign(connector, folder)
        campaign.write(size.people, sandboxes)
        planned = time.monotonic()
        requests = campaign.plan()
        planned = time.monotonic() - planned
        lives = Lives(campaign, arrivals, chance)
        while lives.killed < size.kills and not lives.is_finished:
            lives.live(requests, size.kills)
        began, before = time.monotonic(), arrivals.people()
        while not lives.is_finished:
            lives.last()
        took = time.monotonic() - began
        arrivals.read()
    missing, once = arrivals.times.count(0), arrivals.times.count(1)
    twice = size.people - missing - once
    status = campaign.tell("status")
    results = campaign.results()
    text = (
        f"{size.people:,} people, planned in {planned:.1f} s; {lives.killed} kills, {lives.at_work} of "
        f"them between the first and the last request, {lives.paused} pauses at the month's limit, "
        f"{arrivals.faults} faults; {missing} people missing, {twice} with more than one message, "
        f"{arrivals.wrong} with another's; {results:,} accepted in the results; {status['state']}; "
        f"{size.people - before:,} were left after the last kill and took {took:.0f} s, peak "
        f"{lives.peak_mib:.0f} MiB"
    )
    told = status["people"] == {"accepted": size.people} and status["state"] == "finished"
    kept = missing == 0 and twice == 0 and arrivals.wrong == 0 and results == size.people
    return kept and told and 2 * lives.killed >= size.kills and lives.paused > 0, text


class Campaign:
    """A campaign's files, and the commands over them."""

    def __init__(self, connector, folder):
        self.connector = connector
        self.folder = folder
        self.document = os.path.join(folder, "campaign.json")
        self.digest = ""

    def write(self, people, sandboxes):
        """Writes the list, the assets and the document."""
        with open(os.path.join(self.folder, "people.csv"), "w", encoding="ascii") as file:
            file.write("line_id,name\n")
            for number in range(people):
                file.write(f"U{number:032x},{called(number, people)}\n")
        accounts = {}
        for account, sandbox in sandboxes.items():
            with open(os.path.join(self.folder, f"{account}.json"), "w", encoding="ascii") as file:
                json.dump({**sandbox.asset, "rate_limits": LIMITS}, file)
            accounts[account] = {"asset": {"file": f"{account}.json"}, "weight": WEIGHTS[account]}
        document = {
            "schema": "campaign/1",
            "name": "kills",
            "accounts": accounts,
            "recipients": {"csv": "people.csv"},
            "messages": [{"type": "text", "text": "Hello {{ UserAttribute['name'] }}!"}],
        }
        with open(self.document, "w", encoding="ascii") as file:
            json.dump(document, file)

    def command(self, verb, *options):
        """A command over it."""
        return [self.connector, "campaign", verb, self.document, *options]

    def tell(self, verb, *options):
        """What a command tells."""
        command = self.command(verb, "--json", *options)
        done = subprocess.run(command, capture_output=True, text=True, env={}, check=False)
        if done.returncode != 0:
            raise Unavailable(f"campaign {verb} ended with {done.returncode}: {done.stdout} {done.stderr}")
        return json.loads(done.stdout)

    def plan(self):
        """Plans it; how many requests that makes."""
        plan = self.tell("plan", "--show", "0")
        self.digest = plan["digest"]
        return sum(sum(account["requests"].values()) for account in plan["accounts"])

    def results(self):
        """How many people the results call accepted, each of them once."""
        command = self.command("results", "--json", "--state", "accepted")
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={}) as process:
            return sum(1 for _ in process.stdout)

    def send(self):
        """Starts a process that sends it, or goes on with it."""
        # A process that was killed too early has started nothing.
        is_new = self.tell("status")["state"] == "planned"
        command = self.command("start", "--confirm", self.digest) if is_new else self.command("resume")
        output = os.path.join(self.folder, "output")
        with open(output, "wb") as stdout:
            return subprocess.Popen([*command, "--json"], stdout=stdout, stderr=subprocess.STDOUT, env={})

    def said(self):
        """What the process that ended last wrote at last."""
        with open(os.path.join(self.folder, "output"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        return lines[-1] if lines else ""


def called(number, people):
    """A person's name."""
    return f"Ann {number}" if number % 2 == 0 else f"everybody in group {number * GROUPS // people}"


@dataclass
class Channel:
    """What is known of one sandbox."""

    sandbox: Sandbox
    # Deliveries so far, and how many of them were read.
    delivered: int = 0
    read: int = 0
    # At the last fault.
    failed_at: int = 0


class Arrivals:
    """What the sandboxes delivered, and the faults that were put into them."""

    def __init__(self, sandboxes, people):
        self.channels = [Channel(sandbox) for sandbox in sandboxes.values()]
        self.total = people
        # How often each person got a message.
        self.times = bytearray(people)
        self.wrong = 0
        self.faults = 0

    def people(self):
        """How many people got something."""
        self.read()
        return self.total - self.times.count(0)

    def look(self):
        """How many deliveries there were; reads them before any is forgotten."""
        for channel in self.channels:
            counts = channel.sandbox.call("GET", "/sandbox/counts")
            channel.delivered = sum(counts["deliveries"].values())
            if channel.delivered - channel.read > KEEP / 4:
                self.read_one(channel)
        return sum(channel.delivered for channel in self.channels)

    def read(self):
        """Reads what is left."""
        for channel in self.channels:
            self.read_one(channel)

    def read_one(self, channel):
        """Counts whom the deliveries since the last time went to."""
        answer = channel.sandbox.call("GET", "/sandbox/deliveries")
        if answer["forgotten"] > channel.read:
            raise Unavailable("the sandbox forgot deliveries before they were read")
        for delivery in answer["deliveries"][channel.read - answer["forgotten"] :]:
            self.count(delivery)
        channel.read = answer["forgotten"] + len(answer["deliveries"])

    def count(self, delivery):
        """Counts one delivery."""
        to, text = delivery["to"], delivery["messages"][0]["text"]
        for person in to if isinstance(to, list) else [to]:
            number = int(person[1:], 16)
            self.times[number] = min(self.times[number] + 1, 255)
            self.wrong += text != f"Hello {called(number, self.total)}!"

    def fail(self, chance):
        """Lets some of the next sends fail."""
        for channel in self.channels:
            count = min((channel.delivered - channel.failed_at) // SENDS_A_FAULT, MOST_FAULTS)
            if count:
                channel.failed_at = channel.delivered
                self.add(channel, [chance.choice(FAULTS) for _ in range(count)])

    def end_of_month(self):
        """Lets both accounts be refused."""
        for channel in self.channels:
            self.add(channel, [MONTHLY_LIMIT])

    def add(self, channel, faults):
        """Puts faults into a sandbox."""
        channel.sandbox.call("POST", "/sandbox/faults", faults)
        self.faults += len(faults)


@dataclass
class Lives:
    """The processes that send a campaign, one after another."""

    campaign: Campaign
    arrivals: Arrivals
    chance: random.Random
    started: int = 0
    killed: int = 0
    # Killed when something had been sent, and something was left.
    at_work: int = 0
    paused: int = 0
    is_finished: bool = False
    peak_mib: float = 0.0

    def live(self, requests, kills):
        """Lets a process live for a random time, and kills it."""
        before = self.arrivals.look()
        self.started += 1
        ends_the_month = self.started % PAUSES == PAUSES // 2
        if ends_the_month:
            self.arrivals.end_of_month()
        process = self.campaign.send()
        if not ends_the_month and self.chance.randrange(4) == 0:
            # While it starts, or looks for what the one before it left.
            time.sleep(self.chance.random() * START_SECONDS)
        else:
            left = max(requests * OF_THE_WORK - before, 0)
            share = 2 * left / (kills - self.killed + 1)
            enough = before + self.chance.random() * share
            self.watch(process, None if ends_the_month else enough)
            time.sleep(self.chance.random() * LOOK_EVERY_SECONDS)
        if process.poll() is not None:
            self.ended(process)
            return
        process.kill()
        process.wait()
        self.killed += 1
        self.at_work += before < self.arrivals.look() < requests

    def last(self):
        """Lets a process go on to its end."""
        process = self.campaign.send()
        self.watch(process, None)
        self.ended(process)

    def watch(self, process, enough):
        """Looks on, and lets sends fail, until there were enough or the process has ended."""
        while process.poll() is None:
            delivered = self.arrivals.look()
            if enough is not None and delivered >= enough:
                return
            self.arrivals.fail(self.chance)
            memory = memory_mib(process.pid)
            if memory is not None:
                self.peak_mib = max(self.peak_mib, memory[0])
            time.sleep(LOOK_EVERY_SECONDS)

    def ended(self, process):
        """A process that ended by itself: everybody was sent to, or the month is used up."""
        code = process.wait()
        try:
            ended = json.loads(self.campaign.said())["ended"]
        except (ValueError, KeyError) as reason:
            raise Unavailable(f"it ended with {code}: {self.campaign.said()}") from reason
        state, why = ended["state"], ended["reason"] or ""
        if code == 0 and state == "finished":
            self.is_finished = True
        elif code == 1 and state == "paused" and "monthly limit" in why:
            self.paused += 1
        else:
            raise Unavailable(f"it ended with {code}, {state}: {why}")

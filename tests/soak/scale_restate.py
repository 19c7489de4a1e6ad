"""Sends a campaign over four channels from three workers that a cluster of Restate calls, while workers, a
node and connections to LINE are killed at random moments. Everybody must get the right text exactly once,
no request may meet a 429, and the time must be what the rate limits allow. The same campaign, sent from
one machine with a ledger, must then have the same people, renderings and keys, and reach nobody again.
"""

import json
import os
import random
import subprocess
import time
from dataclasses import dataclass

import campaign_kills
from campaign_kills import Arrivals, called
from restate import Balancer, Cluster, Worker
from support import builds
from support.errors import Unavailable
from support.sandbox import Sandbox

CHANNELS = 4
WORKERS = 3
PUSH = "/v2/bot/message/push"
MULTICAST = "/v2/bot/message/multicast"
# LINE takes ten times as many pushes as multicasts.
TIMES_MULTICASTS = 10
# What breaks here are connections and answers; LINE's own refusals are another test's.
FAULTS = [fault for fault in campaign_kills.FAULTS if fault["kind"] in ("drop", "status")]
LOOK_EVERY_SECONDS = 0.05
# How long a worker and a node stay away.
WORKER_AWAY_SECONDS = 0.5
NODE_AWAY_SECONDS = 3
# How far the time may be from the ideal.
TOLERANCE = 0.1
STUCK_SECONDS = 900
# Faults are spread over so much of the work: a fault of the last request is waited for by all.
OF_THE_WORK = 0.97
COMPARED = {
    None: "",
    True: "; the same people, renderings and keys with a ledger",
    False: "; OTHER people, renderings or keys with a ledger",
}


@dataclass(frozen=True)
class Size:
    """How much of it."""

    people: int
    nodes: int
    # Pushes a second and channel.
    rate: int
    worker_kills: int
    node_kills: int
    # In so many sends one connection or answer is lost; 0 for none.
    sends_a_fault: int
    # Whether the time must be what the limits allow.
    timed: int = 0
    # Whether there are none.
    unlimited: int = 0
    # Whether it is sent with a ledger afterwards.
    compared: int = 0


FULL = Size(200_000, nodes=3, rate=100, worker_kills=6, node_kills=2, sends_a_fault=200, timed=1)
SMALL = Size(5_000, nodes=1, rate=100, worker_kills=1, node_kills=1, sends_a_fault=100, compared=1)


def run(connector, folder, size, seed):
    """Runs it: whether the promise was kept, and what it came to."""
    chance = random.Random(seed)
    program = builds.worker(connector)
    limits = [] if size.unlimited else rate_limits(size.rate)
    options = ["--quota", "100000000", "--keep-records", str(campaign_kills.KEEP), *limits]
    sandboxes = [Sandbox(connector, *options) for _ in range(CHANNELS)]
    try:
        for sandbox in sandboxes:
            sandbox.__enter__()
        return send(connector, program, folder, size, sandboxes, chance)
    finally:
        for sandbox in sandboxes:
            if sandbox.process:
                sandbox.__exit__()


def rate_limits(rate):
    """The sandbox answers 429 above these."""
    return ["--rate-limit", f"POST {PUSH}={rate}/s", "--rate-limit", f"POST {MULTICAST}={rate // TIMES_MULTICASTS}/s"]


def send(connector, program, folder, size, sandboxes, chance):
    """With LINE there: plans, and sends."""
    store = os.path.join(folder, "store")
    named = {f"channel{number}": sandbox for number, sandbox in enumerate(sandboxes)}
    campaign = Shared(connector, program, folder, f"file://{store}")
    campaign.write(size, named)
    planned = time.monotonic()
    ideal = campaign.plan(size)
    planned = time.monotonic() - planned
    arrivals = Arrivals(named, size.people)
    workers = [Worker(program, folder, campaign.store) for _ in range(WORKERS)]
    try:
        with Cluster(folder, size.nodes) as cluster, Balancer([worker.port for worker in workers]) as url:
            cluster.register(url)
            cluster.warm("LineCampaign", "status")
            campaign.ingress = cluster.ingress()
            started = time.monotonic()
            campaign.tell("start", "--confirm", campaign.digest, "--ingress", campaign.ingress)
            broken = Broken(size, cluster, workers, chance)
            sent = watch(campaign, arrivals, broken, size, chance)
            took = sent - started
            status = campaign.finished()
            codes = [worker.stop() for worker in workers]
            # What follows is another process, which knows nothing of the permits used until now.
            refused = sum(counted(channel.sandbox).get("429", 0) for channel in arrivals.channels)
            compared = compare(campaign) if size.compared else None
    finally:
        for worker in workers:
            if worker.process.poll() is None:
                worker.kill()
    arrivals.read()
    ended = codes == [0] * WORKERS and compared is not False
    return judge(size, campaign, arrivals, broken, (status, ended, refused, compared), (planned, took, ideal))


def compare(campaign):
    """Sends the same with a ledger: LINE must know all its keys. Whether the results tell the same."""
    alone = campaign_kills.Campaign(campaign.connector, campaign.folder)
    alone.plan()
    if alone.send().wait() != 0:
        raise Unavailable(f"with a ledger it ends with {alone.said()}")
    return facts(alone) == facts(campaign)


def facts(campaign):
    """Who got what with which key, as the results tell it."""
    command = campaign.command("results", "--json")
    done = subprocess.run(command, capture_output=True, check=True, env={})
    rows = map(json.loads, done.stdout.splitlines())
    return {(row["line_id"], row["rendering"], row["retry_key"], row["state"]) for row in rows}


def judge(size, campaign, arrivals, broken, end, times):
    """What it came to."""
    planned, took, ideal = times
    status, ended, refused, compared = end
    missing, once = arrivals.times.count(0), arrivals.times.count(1)
    twice = size.people - missing - once
    results = campaign.results()
    off = took / ideal - 1 if ideal else 0
    speed = f"{took:.1f} s, {size.people / took:,.0f} people/s"
    if ideal:
        speed = f"{took:.1f} s, ideal {ideal:.1f} s ({off:+.1%})"
    text = (
        f"{size.people:,} people over {CHANNELS} channels, planned in {planned:.1f} s; {size.nodes} nodes, "
        f"{WORKERS} workers; {broken.workers_killed} workers and {broken.nodes_killed} nodes killed, "
        f"{arrivals.faults} faults; {missing} people missing, {twice} with more than one message, "
        f"{arrivals.wrong} with another's; {refused} got a 429; {results:,} accepted in the results; "
        f"{status['state']}; {speed}{COMPARED[compared]}"
    )
    told = status["people"] == {"accepted": size.people} and status["state"] == "finished"
    kept = missing == twice == arrivals.wrong == refused == 0 and results == size.people
    in_time = not size.timed or size.unlimited or off <= TOLERANCE
    killed = broken.workers_killed == size.worker_kills and broken.nodes_killed == size.node_kills
    return kept and told and in_time and killed and ended, text


def counted(sandbox):
    """How often the sandbox answered with each status."""
    return sandbox.call("GET", "/sandbox/counts")["statuses"]


class Shared(campaign_kills.Campaign):
    """A campaign in a store, and the commands over it."""

    def __init__(self, connector, program, folder, store):
        super().__init__(connector, folder)
        self.program = program
        self.store = store
        self.ingress = None

    def write(self, size, sandboxes):
        """Writes the list, the assets and the document."""
        with open(os.path.join(self.folder, "people.csv"), "w", encoding="ascii") as file:
            file.write("line_id,name,follows\n")
            for number in range(size.people):
                # Half of each channel's people have a text of their own.
                follows = number // 2 % CHANNELS
                file.write(f"U{number:032x},{called(number, size.people)},channel{follows}\n")
        limits = {"*": "off"}
        if not size.unlimited:
            limits = {"send_push_message": f"{size.rate}/s", "send_multicast_message": f"{size.rate // TIMES_MULTICASTS}/s"}
        accounts = {}
        for account, sandbox in sandboxes.items():
            with open(os.path.join(self.folder, f"{account}.json"), "w", encoding="ascii") as file:
                json.dump({**sandbox.asset, "rate_limits": limits}, file)
            accounts[account] = {"asset": {"file": f"{account}.json"}}
        document = {
            "schema": "campaign/1",
            "name": "scale",
            "accounts": accounts,
            "recipients": {"csv": "people.csv", "accounts": "follows"},
            "messages": [{"type": "text", "text": "Hello {{ UserAttribute['name'] }}!"}],
            # A failure here is a kill: it says nothing of the account. The sandbox takes 256 connections.
            "sending": {"max_failures": 100_000, "concurrency": 16},
        }
        with open(self.document, "w", encoding="ascii") as file:
            json.dump(document, file)

    def plan(self, size):
        """Plans it into the store; how many seconds it takes within the limits, at least."""
        plan = self.tell("plan", "--show", "0", "--to", self.store)
        self.digest, self.document = plan["digest"], plan["ledger"]
        if size.unlimited:
            return 0
        # The first second's calls come up over that second.
        pushes = max(account["requests"]["one"] for account in plan["accounts"])
        multicasts = max(account["requests"]["many"] for account in plan["accounts"])
        return max(pushes, multicasts * TIMES_MULTICASTS) / size.rate

    def status(self):
        """Where it stands."""
        return self.tell("status")

    def finished(self):
        """Waits until the run knows its end."""
        until = time.monotonic() + 60
        while (status := self.status())["state"] in ("scheduled", "running"):
            if time.monotonic() > until:
                raise Unavailable(f"the campaign does not end: {status}")
            time.sleep(0.2)
        return status


class Broken:
    """Workers and nodes that are killed when so much was done, and come back after a while."""

    def __init__(self, size, cluster, workers, chance):
        self.cluster, self.workers, self.chance = cluster, workers, chance
        self.workers_killed = self.nodes_killed = 0
        self.away = []
        # Kills are spread over the middle of the work.
        kills = ["worker"] * size.worker_kills + ["node"] * size.node_kills
        chance.shuffle(kills)
        self.planned = [
            (0.1 + 0.7 * (place + chance.random()) / len(kills), kind) for place, kind in enumerate(kills)
        ]

    def look(self, done):
        """Kills what is due at this share of the work, and brings back who was away long enough."""
        now = time.monotonic()
        for back in [back for back in self.away if back[0] <= now]:
            self.away.remove(back)
            back[1]()
        while self.planned and done >= self.planned[0][0]:
            _, kind = self.planned.pop(0)
            self.bring_back()
            if kind == "worker":
                self.kill_worker()
            else:
                self.kill_node()

    def kill_worker(self):
        """Kills one of them."""
        worker = self.chance.choice(self.workers)
        worker.kill()
        self.workers_killed += 1
        self.away.append((time.monotonic() + WORKER_AWAY_SECONDS, worker.start))

    def kill_node(self):
        """Kills one of them; the first takes the calls of this test, and is no different otherwise."""
        number = self.chance.randrange(len(self.cluster.ports))
        self.cluster.kill(number)
        self.nodes_killed += 1
        self.away.append((time.monotonic() + NODE_AWAY_SECONDS, lambda: self.cluster.start(number)))

    def bring_back(self):
        """Starts everybody who is away: one at a time may be."""
        for _, start in self.away:
            start()
        self.away.clear()


def watch(campaign, arrivals, broken, size, chance):
    """Breaks things until everybody got something; when that was."""
    until = time.monotonic() + STUCK_SECONDS
    people = 0
    while True:
        arrivals.look()
        now = time.monotonic()
        people = arrivals.people()
        if people == size.people:
            broken.bring_back()
            return now
        if now > until:
            raise Unavailable(f"{size.people - people} people got nothing after {STUCK_SECONDS} s: {campaign.status()}")
        broken.look(people / size.people)
        if size.sends_a_fault and people < OF_THE_WORK * size.people:
            fail(arrivals, size.sends_a_fault, chance)
        time.sleep(LOOK_EVERY_SECONDS)


def fail(arrivals, sends, chance):
    """Lets some of the next sends lose their connections or answers."""
    for channel in arrivals.channels:
        count = min((channel.delivered - channel.failed_at) // sends, campaign_kills.MOST_FAULTS)
        if count:
            channel.failed_at = channel.delivered
            arrivals.add(channel, [chance.choice(FAULTS) for _ in range(count)])

"""`listen --forward` killed at random moments and started again, under webhooks that come twice, out of
order, and again whenever they were not answered 200; and what the platform must have seen of it.
"""

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass

from support.ports import free_ports
from support.receiver import Platform, Receiver, event, event_id, post, webhook

CONNECTIONS = 24
CONCURRENCY = 32
# So many events are handed out for each that may be in flight; those of them that were answered just
# before a kill come again.
LOOKAHEAD = 4
# The share of posts for which the platform takes up to two seconds.
SLOW = 0.02
# So long after something was on its way, it has surely arrived or been written down.
SURELY_SECONDS = 1.0
# The queue counts as stuck where nothing arrives for so long.
STUCK_SECONDS = 30


@dataclass(frozen=True)
class Size:
    """How much of it."""

    events: int
    kills: int


FULL, SMALL = Size(events=100_000, kills=60), Size(events=30_000, kills=15)


@dataclass
class Kills:
    """What a run came to."""

    events: int
    chats: int
    webhooks: int
    kills: int
    # Webhooks that had to be sent again because they were not answered 200.
    unanswered: int
    # Events that the platform got after they had waited over a second: these show the order.
    waited: int
    missing: int
    unknown: int
    # Posts of an event that the platform had answered before a kill, which came before that was
    # written down.
    again_after_kill: int
    # Posts of an event after its acknowledgement had surely been written down.
    again_wrongly: int
    # Events of a chat in the wrong order though both had been waiting.
    out_of_order: int
    # Two events of a chat with the platform at once.
    at_once: int
    exit_code: int

    def good(self):
        """Whether all promises were kept."""
        wrong = [self.missing, self.unknown, self.again_wrongly, self.out_of_order, self.at_once]
        return not any(wrong) and self.exit_code == 0 and self.again_after_kill <= self.bound()

    def bound(self):
        """How many posts kills may cause at most to come again."""
        return CONCURRENCY * LOOKAHEAD * self.kills

    def text(self):
        """All of it on one line."""
        return (
            f"{self.events:,} events of {self.chats:,} chats in {self.webhooks:,} webhooks, "
            f"{self.kills} kills, {self.unanswered:,} webhooks sent again because they were not "
            f"answered 200; {self.missing} events missing, {self.unknown} unknown, "
            f"{self.again_wrongly} again after they were done, {self.out_of_order} out of order, "
            f"{self.at_once} at once within a chat; {self.again_after_kill:,} in flight at a kill came "
            f"again (at most {self.bound():,}); {self.waited:,} had waited over a second; "
            f"exit code {self.exit_code}"
        )


def run(connector, folder, size, seed):
    """Runs it: whether the promises were kept, and what it came to."""
    with Platform(folder, SLOW) as platform:
        sender = Sender(random.Random(seed), size.events)
        work = Run(connector, folder, platform, sender, size.kills)
        try:
            code = asyncio.run(work.go())
        finally:
            work.close()
        platform.stop()
        with open(platform.posts, encoding="ascii") as file:
            posts = sorted(map(Post.read, file), key=lambda one: one.came)
    kills = judge(sender, posts, size.kills, code)
    return kills.good(), kills.text()


class Sender:
    """LINE, as far as it sends webhooks."""

    def __init__(self, chance, events):
        self.chance = chance
        self.events = events
        self.chats = max(events // 50, 1)
        self.chat_of = [chance.randrange(self.chats) for _ in range(events)]
        self.number_of = {event_id(number): number for number in range(events)}
        self.waiting = deque(self.webhooks())
        self.webhooks_in_all = len(self.waiting)
        self.open = self.webhooks_in_all
        # When each event was first answered 200.
        self.answered_at = {}
        self.answered = self.unanswered = 0
        [self.port] = free_ports(1)

    def webhooks(self):
        """Lists of event numbers, and whether it is a redelivery: near their order, a fifth twice."""
        order = sorted(range(self.events), key=lambda number: number + self.chance.random() * 200)
        placed = []
        place = 0
        while place < len(order):
            numbers = order[place : place + self.chance.choice((1, 1, 1, 2, 3))]
            placed.append((place, numbers, False))
            if self.chance.random() < 0.2:
                placed.append((place + self.chance.random() ** 2 * 5_000, numbers, True))
            place += len(numbers)
        placed.sort(key=lambda one: one[0])
        return [(numbers, redelivered) for _, numbers, redelivered in placed]

    async def work(self):
        """One of LINE's connections: sends until everything has been answered 200."""
        streams = None
        while self.open:
            if not self.waiting:
                await asyncio.sleep(0.01)
                continue
            numbers, redelivered = self.waiting.popleft()
            try:
                if streams is None:
                    streams = await asyncio.open_connection("127.0.0.1", self.port)
                status = await asyncio.wait_for(self.send(streams, numbers, redelivered), 5)
            except (OSError, EOFError, ValueError, IndexError, asyncio.TimeoutError):
                status = None
            if status == 200:
                self.done(numbers)
                continue
            self.unanswered += 1
            self.waiting.insert(min(len(self.waiting), self.chance.randrange(200)), (numbers, True))
            if status is None:
                if streams:
                    streams[1].close()
                streams = None
                await asyncio.sleep(0.02)
        if streams:
            streams[1].close()

    async def send(self, streams, numbers, redelivered):
        """Sends one webhook and gives the status."""
        reader, writer = streams
        body = webhook([event(number, self.chat_of[number], redelivered) for number in numbers])
        writer.write(post(*body))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = head.partition("content-length:")[2].partition("\r\n")[0]
        await reader.readexactly(int(length or 0))
        return int(head.split()[1])

    def done(self, numbers):
        """A webhook was answered 200."""
        now = time.monotonic()
        for number in numbers:
            self.answered_at.setdefault(number, now)
        self.answered += 1
        self.open -= 1


class Run:
    """One run: the sender at work while the receiver is killed and started again."""

    def __init__(self, connector, folder, platform, sender, kills):
        self.connector, self.folder, self.platform = connector, folder, platform
        self.sender, self.kills = sender, kills
        self.receiver = None

    async def go(self):
        """Gives the exit code of the last process, which was asked to end."""
        work = [asyncio.ensure_future(self.sender.work()) for _ in range(CONNECTIONS)]
        chance, whole = self.sender.chance, self.sender.webhooks_in_all
        # Spread over the work, wherever in it the machine is fast or slow.
        early = self.kills * 4 // 5
        moments = sorted(chance.randrange(whole) for _ in range(early))
        # And the last ones while only the platform has work left.
        moments += [whole] * (self.kills - early)
        for number, moment in enumerate(moments):
            await asyncio.to_thread(self.start, number)
            while self.sender.answered < moment:
                await asyncio.sleep(0.002)
            # Where the moment is past already, it is killed while it starts to work.
            await asyncio.sleep((1.0 if moment == whole else 0.1) * chance.random())
            await asyncio.to_thread(self.receiver.kill)
        await asyncio.to_thread(self.start, self.kills)
        await asyncio.gather(*work)
        await asyncio.to_thread(self.drain)
        return await asyncio.to_thread(self.receiver.stop)

    def close(self):
        """Ends the process that may have been left."""
        if self.receiver:
            self.receiver.kill()

    def start(self, number):
        """Starts a process; its posts carry its number as their path."""
        options = ["--forward", f"{self.platform.url}/{number}", "--concurrency", str(CONCURRENCY)]
        self.receiver = Receiver(self.connector, self.folder, *options, port=self.sender.port)

    def drain(self):
        """Waits until the platform has everything, or nothing more comes."""
        before, since = 0, time.monotonic()
        while time.monotonic() - since < STUCK_SECONDS:
            _, ids = self.platform.count()
            if ids >= self.sender.events:
                # What would come once too often gets the time to.
                time.sleep(2 * SURELY_SECONDS)
                return
            if ids > before:
                before, since = ids, time.monotonic()
            time.sleep(0.1)


@dataclass(frozen=True)
class Post:
    """One post as the platform wrote it down."""

    came: float
    answered: float
    run: int
    event: str
    attempt: int

    @staticmethod
    def read(line):
        """From a line."""
        came, answered, path, key, attempt = line.split()
        return Post(float(came), float(answered), int(path.strip("/")), key.rpartition("-")[2], int(attempt))


def judge(sender, posts, kills, code):
    """Holds what came against what was promised."""
    by_chat = {}
    unknown = 0
    for one in posts:
        number = sender.number_of.get(one.event)
        unknown += number is None
        if number is not None:
            by_chat.setdefault(sender.chat_of[number], []).append((number, one))
    last_of_run = {}
    for one in posts:
        last_of_run[one.run] = one.came
    again = [chat_again(chat, last_of_run) for chat in by_chat.values()]
    firsts = [first_posts(chat) for chat in by_chat.values()]
    received = {number for chat in firsts for number, _ in chat}
    waited = sum(
        one.came - sender.answered_at[number] > SURELY_SECONDS for chat in firsts for number, one in chat
    )
    return Kills(
        events=sender.events,
        chats=sender.chats,
        webhooks=sender.webhooks_in_all,
        kills=kills,
        unanswered=sender.unanswered,
        waited=waited,
        missing=len(set(sender.answered_at) - received) + sender.events - len(sender.answered_at),
        unknown=unknown,
        again_after_kill=sum(right for right, _ in again),
        again_wrongly=sum(wrong for _, wrong in again),
        out_of_order=sum(out_of_order(chat, sender.answered_at) for chat in firsts),
        at_once=sum(at_once(chat) for chat in by_chat.values()),
        exit_code=code,
    )


def first_posts(chat):
    """The first post of each event of a chat, as they came."""
    firsts = {}
    for number, one in chat:
        firsts.setdefault(number, one)
    return list(firsts.items())


def chat_again(chat, last_of_run):
    """How many posts of a chat came again as a kill explains it, and how many it does not explain.

    That an acknowledgement was written down is certain where the chat's next event has come since,
    or where its process went on for a while.
    """
    right = wrong = 0
    latest = {}
    followed = set()
    for number, one in chat:
        before = latest.get(number)
        if before is not None:
            lived = last_of_run[before.run] - before.answered > SURELY_SECONDS
            if number in followed or before.run == one.run or lived:
                wrong += 1
            else:
                right += 1
        else:
            followed.update(latest)
        latest[number] = one
    return right, wrong


def out_of_order(firsts, answered_at):
    """How many events came after a later one of their chat that was first handed out when both were
    waiting. Whether it was is known of first attempts only: they were handed out just then.
    """
    wrong = 0
    for place, (number, _) in enumerate(firsts):
        for other, before in firsts[:place]:
            both = answered_at.get(number, before.came) < before.came - SURELY_SECONDS
            if other > number and before.attempt == 1 and both:
                wrong += 1
                break
    return wrong


def at_once(chat):
    """How many posts of a chat came from one process before it had the answer to the one before."""
    pairs = zip(chat, chat[1:])
    return sum(one.run == other.run and other.came < one.answered for (_, one), (_, other) in pairs)

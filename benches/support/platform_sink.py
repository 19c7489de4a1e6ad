"""The platform that `listen --forward` posts to: `platform_sink.py FILE [SLOW]` prints its port and
answers every POST 200 over kept connections. For each it writes to FILE: when it came, when it was
answered (seconds of the system's monotonic clock), its path, its `webhook-id` and `attempt`.

A share of SLOW (0 to 1) takes up to two seconds, so that chats have events that wait; and a tenth a
few milliseconds, so that handing out a chat's next event too early is seen. Without SLOW all are
answered at once. A GET answers `[POSTS, IDS]`, so far.
"""

import asyncio
import json
import random
import signal
import sys
import time

SLOW = float(sys.argv[2]) if len(sys.argv) > 2 else 0
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Seen:
    """What has come."""

    def __init__(self, file):
        self.file = file
        self.posts = 0
        self.ids = set()

    def note(self, came, path, head, body):
        """Writes a post down."""
        self.posts += 1
        key = head["webhook-id"]
        self.ids.add(key)
        attempt = json.loads(body)["attempt"]
        self.file.write(f"{came!r} {time.monotonic()!r} {path} {key} {attempt}\n")


class Connection(asyncio.Protocol):
    """One connection, requests one after another."""

    def __init__(self, seen):
        self.seen = seen
        self.rest = b""
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.rest += data
        while True:
            end = self.rest.find(b"\r\n\r\n")
            if end < 0:
                return
            first, *lines = self.rest[:end].decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines)
            head = {name.lower(): value.strip() for name, _, value in pairs}
            whole = end + 4 + int(head.get("content-length", 0))
            if len(self.rest) < whole:
                return
            body, self.rest = self.rest[end + 4 : whole], self.rest[whole:]
            self.request(first.split(), head, body)

    def request(self, first, head, body):
        """Answers one request, now or soon."""
        if first[0] == "GET":
            counts = json.dumps([self.seen.posts, len(self.seen.ids)]).encode()
            answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s"
            self.transport.write(answer % (len(counts), counts))
            return
        arguments = (time.monotonic(), first[1], head, body)
        chance = random.random() / SLOW if SLOW else float("inf")
        seconds = 2 * chance if chance < 1 else 0.005 * random.random() if SLOW and chance < 0.1 / SLOW else 0
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self.answer, *arguments)
        else:
            self.answer(*arguments)

    def answer(self, *arguments):
        """Notes a post, then answers it: what is answered was surely received."""
        self.seen.note(*arguments)
        self.transport.write(ANSWER)


async def main():
    """Serves until it is asked to end."""
    loop = asyncio.get_running_loop()
    with open(sys.argv[1], "w", encoding="ascii") as file:
        seen = Seen(file)
        server = await loop.create_server(lambda: Connection(seen), "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        asked = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, asked.set)
        await asked.wait()


if __name__ == "__main__":
    asyncio.run(main())

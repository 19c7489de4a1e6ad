"""A NATS server with JetStream on files, and as much of a client as the tests need."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

from support import builds
from support.errors import Unavailable
from support.ports import free_ports

# A server that has not started by then never will.
START_SECONDS = 30
# So much is asked for at once.
BATCH = 500


class Server:
    """`nats-server` on loopback, or a cluster of them; each keeps its folder and its ports when it is
    killed and started.
    """

    def __init__(self, folder, nodes=1):
        self.program = os.environ.get("NATS_SERVER") or builds.tool("nats-server")
        ports = free_ports(3 * nodes)
        self.ports, self.monitors, routes = (ports[start::3] for start in range(3))
        # A client tries them until one answers.
        self.url = ",".join(f"nats://127.0.0.1:{port}" for port in self.ports)
        self.commands = [self.command(folder, node, routes) for node in range(nodes)]
        self.processes = [None] * nodes

    def command(self, folder, node, routes):
        """How one of them is started."""
        command = [self.program, "-a", "127.0.0.1", "-p", str(self.ports[node]), "-m", str(self.monitors[node])]
        command += ["-js", "-sd", os.path.join(folder, f"jetstream-{node}")]
        if len(routes) > 1:
            every = ",".join(f"nats://127.0.0.1:{route}" for route in routes)
            command += ["--name", f"node-{node}", "--cluster_name", "soak"]
            command += ["--cluster", f"nats://127.0.0.1:{routes[node]}", "--routes", every]
        return command

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        for node in range(len(self.processes)):
            self.kill(node)

    def start(self):
        """Starts those that do not run, and waits until streams can be used on all."""
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        for node, process in enumerate(self.processes):
            if process is None:
                self.processes[node] = subprocess.Popen(self.commands[node], **quiet)
        until = time.monotonic() + START_SECONDS
        while not all(map(is_healthy, self.monitors)):
            if time.monotonic() > until or any(process.poll() is not None for process in self.processes):
                raise Unavailable("nats-server does not start")
            time.sleep(0.02)

    def kill(self, node):
        """As if it died; what the system holds in memory stays."""
        if self.processes[node]:
            self.processes[node].kill()
            self.processes[node].wait()
            self.processes[node] = None


def is_healthy(monitor):
    """Whether streams can be used on a server, and are as they should be."""
    url = f"http://127.0.0.1:{monitor}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


class Client:
    """A connection to a server; `with` closes it."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.ports[0]), timeout=60)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.inboxes = 0
        self.send('CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, line, body=None):
        """A line of the protocol, and what follows it."""
        data = line.encode() + b"\r\n" + (b"" if body is None else body + b"\r\n")
        self.socket.sendall(data)

    def subscribe(self):
        """A subject of this client's own."""
        self.inboxes += 1
        inbox = f"_INBOX.soak.{os.getpid()}.{id(self)}.{self.inboxes}"
        self.send(f"SUB {inbox} {self.inboxes}")
        return inbox

    def next(self):
        """The next message: its subject, where acknowledgements go, its headers and its body."""
        while True:
            words = self.file.readline().decode().split()
            if not words:
                raise OSError("the connection ended")
            if words[0] == "PING":
                self.send("PONG")
            elif words[0] == "MSG":
                reply = words[3] if len(words) == 5 else None
                return words[1], reply, {}, self.file.read(int(words[-1]) + 2)[:-2]
            elif words[0] == "HMSG":
                reply = words[3] if len(words) == 6 else None
                data = self.file.read(int(words[-1]) + 2)[:-2]
                head, body = data[: int(words[-2])], data[int(words[-2]) :]
                return words[1], reply, headers(head.decode()), body
            elif words[0] == "-ERR":
                raise OSError(" ".join(words))

    def request(self, subject, document=None):
        """JetStream's answer to a request."""
        inbox = self.subscribe()
        body = b"" if document is None else json.dumps(document).encode()
        self.send(f"PUB {subject} {inbox} {len(body)}", body)
        answer = json.loads(self.next()[3])
        if "error" in answer:
            raise OSError(f"{subject}: {answer['error']}")
        return answer

    def publish(self, messages):
        """Puts messages (subject, id, body) into their streams, and waits until all are safe."""
        inbox = self.subscribe()
        for start in range(0, len(messages), BATCH):
            some = messages[start : start + BATCH]
            for subject, name, body in some:
                head = f"NATS/1.0\r\nNats-Msg-Id: {name}\r\n\r\n".encode()
                line = f"HPUB {subject} {inbox} {len(head)} {len(head) + len(body)}"
                self.send(line, head + body)
            for _ in some:
                answer = json.loads(self.next()[3])
                if "error" in answer:
                    raise OSError(str(answer["error"]))

    def messages(self, stream):
        """All messages of a stream, as a consumer gets them: subject, headers and body."""
        info = self.request(f"$JS.API.STREAM.INFO.{stream}")
        count = info["state"]["messages"]
        config = {"deliver_policy": "all", "ack_policy": "none", "inactive_threshold": 60_000_000_000}
        created = self.request(f"$JS.API.CONSUMER.CREATE.{stream}", {"stream_name": stream, "config": config})
        inbox = self.subscribe()
        found = []
        while len(found) < count:
            asked = min(BATCH, count - len(found))
            body = json.dumps({"batch": asked, "expires": 30_000_000_000}).encode()
            self.send(f"PUB $JS.API.CONSUMER.MSG.NEXT.{stream}.{created['name']} {inbox} {len(body)}", body)
            for _ in range(asked):
                subject, _, head, body = self.next()
                if "status" in head:
                    raise OSError(f"the stream ends early: {head['status']}")
                found.append((subject, head, body))
        return found


def headers(text):
    """Headers by their names; the status of what is no message stands beside them."""
    first, *lines = text.rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    found = {name: value.strip() for name, _, value in pairs}
    status = first.removeprefix("NATS/1.0").strip()
    return {**found, "status": status} if status else found

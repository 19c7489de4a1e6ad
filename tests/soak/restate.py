"""A cluster of Restate on loopback, workers that it calls, and what stands between them."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

from support.errors import Unavailable
from support.ports import free_ports

# The version that was proven.
PACKAGES = ["@restatedev/restate-server@1.7"]
# A server that has not started by then never will.
START_SECONDS = 60


def server():
    """The server's program: what RESTATE_SERVER names, or that of npm, which is installed once."""
    given = os.environ.get("RESTATE_SERVER")
    if given:
        return given
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(cache, "line-connector", "restate")
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(os.uname().machine, "x64")
    package = f"restate-server-linux-{machine}"
    program = os.path.join(folder, "node_modules", "@restatedev", package, "bin", "restate-server")
    if not os.path.exists(program):
        if shutil.which("npm") is None:
            raise Unavailable("Restate is not there: npm installs it, or RESTATE_SERVER names it")
        os.makedirs(folder, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
        if done.returncode != 0 or not os.path.exists(program):
            raise Unavailable(f"npm cannot install Restate: {done.stderr.strip()[-300:]}")
    return program


CONFIG = """
cluster-name = "soak"
node-name = "n{number}"
auto-provision = {first}
default-replication = {replication}
default-num-partitions = {partitions}
base-dir = "{folder}/n{number}"
bind-ip = "127.0.0.1"
bind-port = {port}
advertised-host = "127.0.0.1"
listen-mode = "tcp"
disable-telemetry = true
log-filter = "warn"
rocksdb-total-memory-size = "256 MB"
[metadata-client]
addresses = [{addresses}]
[admin]
bind-port = {admin}
[ingress]
bind-port = {ingress}
"""


class Cluster:
    """So many nodes; a killed one keeps its folder and its ports when it is started again."""

    def __init__(self, folder, nodes):
        self.program = server()
        self.folder = folder
        self.ports = [free_ports(3) for _ in range(nodes)]
        self.processes = [None] * nodes
        addresses = ", ".join(f'"http://127.0.0.1:{port}"' for port, _, _ in self.ports)
        for number, (port, admin, ingress) in enumerate(self.ports):
            with open(self.config(number), "w", encoding="ascii") as file:
                file.write(
                    CONFIG.format(
                        number=number,
                        first="true" if number == 0 else "false",
                        replication=2 if nodes > 2 else 1,
                        partitions=4,
                        folder=folder,
                        port=port,
                        addresses=addresses,
                        admin=admin,
                        ingress=ingress,
                    )
                )

    def config(self, number):
        """The file that a node reads."""
        return os.path.join(self.folder, f"n{number}.toml")

    def __enter__(self):
        for number in range(len(self.ports)):
            self.start(number)
        try:
            for _, _, ingress in self.ports:
                wait_for(f"http://127.0.0.1:{ingress}/restate/health")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for number in range(len(self.ports)):
            self.kill(number)

    def start(self, number):
        """Starts a node."""
        with open(os.path.join(self.folder, f"n{number}.log"), "ab") as log:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self.processes[number] = subprocess.Popen([self.program, "-c", self.config(number)], **pipes)

    def kill(self, number):
        """As if its machine died."""
        process = self.processes[number]
        if process:
            process.kill()
            process.wait()

    def ingress(self, number=0):
        """Where a node takes calls."""
        return f"http://127.0.0.1:{self.ports[number][2]}"

    def register(self, url):
        """Tells where the services are."""
        until = time.monotonic() + START_SECONDS
        body = json.dumps({"uri": url, "force": True}).encode()
        while True:
            place = f"http://127.0.0.1:{self.ports[0][1]}/deployments"
            request = urllib.request.Request(place, body, {"content-type": "application/json"}, method="POST")
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    if answer.status in (200, 201):
                        return
            except (OSError, urllib.error.URLError) as reason:
                if time.monotonic() > until:
                    text = reason.read().decode() if isinstance(reason, urllib.error.HTTPError) else ""
                    raise Unavailable(f"Restate takes no services: {reason} {text}") from reason
            time.sleep(0.1)


    def warm(self, service, handler):
        """Waits until a handler answers, whatever it says: a new cluster takes some seconds until then."""
        place = f"{self.ingress()}/{service}/nobody/{handler}"
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(urllib.request.Request(place, method="POST"), timeout=30).close()
                return
            except urllib.error.HTTPError as answer:
                if "not started" in answer.read().decode():
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise Unavailable("Restate does not reach the workers")


def wait_for(url):
    """Waits until somebody answers there."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.05)
    raise Unavailable(f"nobody answers at {url}")


class Worker:
    """`line-connector-worker restate`; a killed one keeps its port when it is started again."""

    def __init__(self, program, folder, store):
        (self.port,) = free_ports(1)
        self.log = os.path.join(folder, f"worker-{self.port}.log")
        self.command = [program, "restate", "--store", store, "--assets", folder]
        self.command += ["--address", f"127.0.0.1:{self.port}"]
        self.process = None
        self.start()

    def start(self):
        """Starts it, and waits until it listens."""
        with open(self.log, "ab") as log:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": log}
            self.process = subprocess.Popen(self.command, env={}, text=True, **pipes)
        if not self.process.stdout.readline():
            raise Unavailable(f"a worker ended with {self.process.wait()}; {self.log}")

    def kill(self):
        """As if its machine died."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """Asks it to end, and gives its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=60)


class Balancer:
    """What stands between Restate and its workers in earnest too: each connection goes to the next worker
    that takes it.
    """

    def __init__(self, ports):
        self.ports = ports
        self.next = 0
        (self.port,) = free_ports(1)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        wait_for_port(self.port)
        return f"http://127.0.0.1:{self.port}"

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def serve(self):
        """Takes connections until the loop is stopped."""
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self.take, "127.0.0.1", self.port))
        self.loop.run_forever()

    async def take(self, reader, writer):
        """Joins a connection with one to a worker."""
        for _ in self.ports:
            self.next = (self.next + 1) % len(self.ports)
            try:
                back, forth = await asyncio.open_connection("127.0.0.1", self.ports[self.next])
            except OSError:
                continue
            await asyncio.gather(copy(reader, forth), copy(back, writer))
            return
        writer.close()


async def copy(reader, writer):
    """Hands on what comes, and the end of it."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def wait_for_port(port):
    """Waits until somebody listens."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Unavailable("the balancer does not start")

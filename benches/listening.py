"""A `listen` process, the webhooks it gets and the platform it posts to, for `listen.py`'s sections."""

import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import builds

SECRET = "8c570fa6dd201bb328f1c1eac23a96d8"
DESTINATION = "U4af4980629f0b5a3c3d6b8a1d2e3f405"
# The timestamp of the event numbered 0; each is a millisecond later than the one before.
FIRST_TIME = 1_767_225_600_000


def event_id(number):
    """The webhookEventId of the so-manieth event: 26 characters, as LINE's are."""
    return f"01KAX{number:021d}"


def event(number, chat, redelivered=False):
    """A text message of the so-manieth chat."""
    return {
        "type": "message",
        "message": {"type": "text", "id": str(580_000_000_000_000_000 + number), "text": f"text {number}"},
        "webhookEventId": event_id(number),
        "deliveryContext": {"isRedelivery": redelivered},
        "timestamp": FIRST_TIME + number,
        "source": {"type": "user", "userId": f"U{chat:032x}"},
        "replyToken": f"{number:032x}",
        "mode": "active",
    }


def webhook(events):
    """The body of a webhook, and its signature."""
    body = json.dumps({"destination": DESTINATION, "events": events}, separators=(",", ":")).encode()
    digest = hmac.digest(SECRET.encode(), body, hashlib.sha256)
    return body, base64.b64encode(digest).decode()


def post(body, signature, more=""):
    """The bytes of a whole request."""
    head = (
        f"POST / HTTP/1.1\r\nhost: localhost\r\nuser-agent: LineBotWebhook/2.0\r\n"
        f"content-type: application/json; charset=utf-8\r\nx-line-signature: {signature}\r\n"
        f"content-length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


def free_port():
    """A port of the loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Receiver:
    """`line-connector listen`; `with` ends it as a service manager does."""

    def __init__(self, connector, folder, *options, port=0):
        environment = {
            "LINE_CLIENT_ID": "1234567890",
            "LINE_CLIENT_SECRET": SECRET,
            "LINE_FORWARD_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        }
        queue = os.path.join(folder, "queue.db")
        command = [connector, "listen", "--queue", queue, "--address", f"127.0.0.1:{port}", *options]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, env=environment, text=True, **pipes)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if line.startswith('{"listening"'):
                break
        else:
            raise SystemExit(f"listen ended with {self.process.wait()}: {''.join(said)}")
        self.port = int(json.loads(said[-1])["listening"].rstrip("/").rpartition(":")[2])
        # What it says later must not fill the pipe.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def kill(self):
        """As a power cut would, but for what the system has not yet written."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Asks it to end, and gives its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def metrics(self):
        """What `/metrics` says, by the line's beginning."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name.removeprefix("line_connector_"): float(value) for name, _, value in pairs}


def cpu_seconds(pid):
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid):
    """The most memory that a process has had resident."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        peak = next(line for line in file if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


class Platform:
    """A process of its own that takes what is posted to it and writes a line for each post."""

    def __init__(self, folder, slow=0):
        self.posts = os.path.join(folder, "posts")
        command = [sys.executable, os.path.join(builds.BENCHES, "platform_sink.py"), self.posts, str(slow)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def count(self):
        """How many posts it has answered so far, and how many of those were of a new id."""
        with urllib.request.urlopen(self.url, timeout=30) as answer:
            return json.load(answer)

    def stop(self):
        """Ends it; then all of its lines are in the file."""
        self.process.terminate()
        self.process.wait()

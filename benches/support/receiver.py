"""A `listen` process, the webhooks that it gets and the platform that it posts to."""

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request

from support.errors import Unavailable

# The one that `webhook.rs` signs with too.
SECRET = "8c570fa6dd201bb328f1c1eac23a96d8"
DESTINATION = "U4af4980629f0b5a3c3d6b8a1d2e3f405"
# The timestamp of the event numbered 0; each is a millisecond later than the one before.
FIRST_TIME = 1_767_225_600_000
SINK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "platform_sink.py")


def event_id(number):
    """The webhookEventId of an event: 26 characters, as LINE's are."""
    return f"01KAX{number:021d}"


def event(number, chat, redelivered=False):
    """A text message in a chat."""
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
    return body, sign(body)


def sign(body):
    """The signature of a body, as LINE puts it into `x-line-signature`."""
    return base64.b64encode(hmac.digest(SECRET.encode(), body, hashlib.sha256)).decode()


def post(body, signature, more=""):
    """The bytes of a whole request."""
    head = (
        f"POST / HTTP/1.1\r\nhost: localhost\r\nuser-agent: LineBotWebhook/2.0\r\n"
        f"content-type: application/json; charset=utf-8\r\nx-line-signature: {signature}\r\n"
        f"content-length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


class Receiver:
    """`line-connector listen`; `with` ends it as a service manager does."""

    def __init__(self, connector, folder, *options, port=0, variables=None):
        environment = {
            "LINE_CLIENT_ID": "1234567890",
            "LINE_CLIENT_SECRET": SECRET,
            "LINE_FORWARD_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            **(variables or {}),
        }
        # What is published is in no queue.
        keep = [] if "--publish" in options else ["--queue", os.path.join(folder, "queue.db")]
        command = [connector, "listen", *keep, "--address", f"127.0.0.1:{port}", *options]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, env=environment, text=True, **pipes)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if line.startswith('{"listening"'):
                break
        else:
            raise Unavailable(f"listen ended with {self.process.wait()}: {''.join(said)}")
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


class Platform:
    """A process of its own that takes what is posted to it and writes a line for each post."""

    def __init__(self, folder, slow=0):
        self.posts = os.path.join(folder, "posts")
        command = [sys.executable, SINK, self.posts, str(slow)]
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

"""A sandbox of its own and `serve` processes that talk to it, for the scripts that prove promises."""

import json
import subprocess
import urllib.request

USER = "U4af4980629f0b5a3c3d6b8a1d2e3f405"


class Sandbox:
    """`line-connector sandbox` on a free port; `with` starts it and stops it."""

    def __init__(self, connector, *options):
        command = [connector, "sandbox", *options]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        self.process = subprocess.Popen(command, **pipes)
        card = json.loads(self.process.stdout.readline())
        self.url, self.token = card["asset"]["url"], card["token"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def environment(self):
        """What a connector needs to reach it; nothing is inherited."""
        return {
            "LINE_API_URL": self.url,
            "LINE_CHANNEL_ACCESS_TOKEN": self.token,
            "LINE_CLIENT_ID": "1234567890",
        }

    def get(self, path):
        """What a control endpoint answers."""
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)


def pushes(count):
    """So many documents, a line each: a push with an idempotency key and a text of its own."""
    return "".join(json.dumps(push(number)) + "\n" for number in range(count))


def push(number):
    """One of them."""
    return {
        "id": number,
        "action": "send_push_message",
        "inputs": {"to": USER, "messages": [{"type": "text", "text": f"text {number}"}]},
        "options": {"idempotency_key": f"message {number}"},
    }


def serve(connector, environment, source, answers, *options):
    """Starts `serve` with its input from one file and its answers to another."""
    command = [connector, "serve", *options]
    files = {"stdin": source, "stdout": answers, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, text=True, **files)


def times_delivered(sandbox):
    """How often each text arrived."""
    counts = {}
    for delivery in sandbox.get("/sandbox/deliveries")["deliveries"]:
        text = delivery["messages"][0]["text"]
        counts[text] = counts.get(text, 0) + 1
    return counts

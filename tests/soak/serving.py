"""`serve` processes that push texts to a sandbox, and what arrived there."""

import json
import subprocess

USER = "U4af4980629f0b5a3c3d6b8a1d2e3f405"


def pushes(count):
    """Documents, one a line: pushes, each with an idempotency key and a text of its own."""
    return "".join(json.dumps(push(number)) + "\n" for number in range(count))


def push(number):
    """One of them."""
    return {
        "id": number,
        "action": "send_push_message",
        "inputs": {"to": USER, "messages": [{"type": "text", "text": f"text {number}"}]},
        "options": {"idempotency_key": f"message {number}"},
    }


def environment(sandbox):
    """What a connector needs to reach the sandbox; nothing is inherited."""
    return {
        "LINE_API_URL": sandbox.url,
        "LINE_CHANNEL_ACCESS_TOKEN": sandbox.token,
        "LINE_CLIENT_ID": "1234567890",
    }


def serve(connector, variables, source, answers, *options):
    """Starts `serve` with its input from one file and its answers to another."""
    command = [connector, "serve", *options]
    files = {"stdin": source, "stdout": answers, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=variables, text=True, **files)


def times_delivered(sandbox):
    """How often each text arrived."""
    counts = {}
    for delivery in sandbox.call("GET", "/sandbox/deliveries")["deliveries"]:
        text = delivery["messages"][0]["text"]
        counts[text] = counts.get(text, 0) + 1
    return counts

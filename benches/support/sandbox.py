"""A simulated LINE: the connector's own sandbox as a process of its own."""

import json
import subprocess
import urllib.request

from support.errors import Unavailable


class Sandbox:
    """`line-connector sandbox` on a free port; `with` starts it and stops it."""

    def __init__(self, connector, *options):
        self.command = [connector, "sandbox", "--listen", "127.0.0.1:0", *options]
        self.process = None
        self.url = self.token = ""
        # What a document needs in order to reach it; the client's credentials in place of the token.
        self.asset = {}

    def __enter__(self):
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(self.command, text=True, **pipes)
        line = self.process.stdout.readline()
        if not line:
            raise Unavailable(f"the sandbox ended with {self.process.wait()}")
        card = json.loads(line)
        self.url, self.asset, self.token = card["listening"], card["asset"], card["token"]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def call(self, method, path, body=None):
        """Talks to the sandbox itself, not to the LINE that it plays."""
        data = None if body is None else json.dumps(body).encode()
        head = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, head, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

<<<<<<< HEAD
"""LINE's Python SDK as its users write it: `webhook.py BODY SECRET SIGNATURE SECONDS`.

Verifies a body and parses it into the SDK's events; writes how many a second it does once warm.
"""

import json
import sys
import time

from linebot.v3 import WebhookParser


def main():
    """Measures."""
    path, secret, signature, seconds = sys.argv[1:]
    with open(path, "rb") as file:
        body = file.read()
    parser = WebhookParser(secret)

    def once():
        # A web framework hands over bytes, and the SDK takes text.
        assert len(parser.parse(body.decode(), signature)) == 5

    def per_second():
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < float(seconds):
            for _ in range(10):
                once()
            count += 10
        return count / (time.perf_counter() - start)

    per_second()
    print(json.dumps({"bodies_per_second": per_second()}))


if __name__ == "__main__":
    main()
=======
"""LINE's Python SDK as a receiver of webhooks, as small as it can be: Python's own threading server,
the SDK's parser, 200. It prints its port. What it answers 200 is nowhere but in memory.
"""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from linebot.v3 import WebhookParser
from linebot.v3.exceptions import InvalidSignatureError

PARSER = WebhookParser(os.environ["SECRET"])


class Handler(BaseHTTPRequestHandler):
    """Answers webhooks over kept connections."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
        try:
            PARSER.parse(body, self.headers.get("X-Line-Signature", ""))
            self.send_response(200)
        except InvalidSignatureError:
            self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """With room for all of the load's connections at once."""

    request_queue_size = 1024


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
>>>>>>> c3161a9e4e06f8882d564dafb6b792b63f68eba2

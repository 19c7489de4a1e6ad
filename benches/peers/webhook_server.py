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

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

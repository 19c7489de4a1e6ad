"""LINE's Python SDK as its users write it: sends TEXT to the people whose IDs stand in standard input,
one a line: 500 in a request, each with a retry key.

IN_FLIGHT threads over the SDK's own pool of connections; writes to how many people it was accepted.
"""

import os
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

from linebot.v3.messaging import ApiClient, Configuration, MessagingApi, MulticastRequest, TextMessage

IN_FLIGHT = int(os.environ["IN_FLIGHT"])
MOST = 500


def main():
    """Sends to them all."""
    configuration = Configuration(host=os.environ["URL"], access_token=os.environ["TOKEN"])
    configuration.connection_pool_maxsize = IN_FLIGHT
    messages = [TextMessage(text=os.environ["TEXT"])]
    people = sys.stdin.read().split()
    with ApiClient(configuration) as client:
        api = MessagingApi(client)

        def send(first):
            to = people[first : first + MOST]
            api.multicast(MulticastRequest(to=to, messages=messages), x_line_retry_key=str(uuid.uuid4()))
            return len(to)

        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            print("accepted", sum(pool.map(send, range(0, len(people), MOST))))


if __name__ == "__main__":
    main()

"""LINE's Python SDK as its users write it: pushes each line of standard input.

IN_FLIGHT threads over the SDK's own pool of connections; writes how many were accepted. One line is
one push: then it is what a platform's step would be.
"""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from linebot.v3.messaging import ApiClient, Configuration, MessagingApi, PushMessageRequest

IN_FLIGHT = int(os.environ.get("IN_FLIGHT", "1"))


def issue():
    """A stateless token."""
    from linebot.v3.oauth import ApiClient, ChannelAccessToken, Configuration

    with ApiClient(Configuration(host=os.environ["URL"])) as client:
        answer = ChannelAccessToken(client).issue_stateless_channel_token(
            grant_type="client_credentials",
            client_id=os.environ["CLIENT_ID"],
            client_secret=os.environ["CLIENT_SECRET"],
        )
    return answer.access_token


def main():
    """Pushes them all."""
    token = os.environ.get("TOKEN") or issue()
    configuration = Configuration(host=os.environ["URL"], access_token=token)
    configuration.connection_pool_maxsize = IN_FLIGHT
    configuration.ssl_ca_cert = os.environ.get("CA_FILE")
    with ApiClient(configuration) as client:
        api = MessagingApi(client)

        def push(line):
            answer = api.push_message(PushMessageRequest.from_dict(json.loads(line)))
            return len(answer.sent_messages)

        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            print("accepted", sum(pool.map(push, sys.stdin)))


if __name__ == "__main__":
    main()

"""Runs every action file through Swimlane's runtime (connector_def_runner) and through this
connector, each against a fresh sandbox, and compares the requests on the wire and the outputs.

    compare.py path/to/line-connector

What may differ by design stands in BY_DESIGN with its reason; anything else is a failure.
"""

import contextlib
import copy
import dataclasses
import io
import json
import os
import pathlib
import signal
import subprocess
import sys

import requests
import yaml
from connector_definition_runner import Runner

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "benches"))

from support.errors import Unavailable
from support.sandbox import Sandbox

# (where, name): why the two sides need not agree there.
BY_DESIGN = {
    ("request header", "user-agent"): "each client names itself",
    ("request header", "accept"): "each HTTP library has its own; LINE answers the same",
    ("request header", "accept-encoding"): "each HTTP library has its own; LINE answers the same",
    ("request header", "connection"): "each HTTP library has its own; LINE answers the same",
    ("request header", "host"): "each run has a sandbox, and so a port, of its own",
    ("request header", "content-length"): "white space and escapes in JSON; parsed, bodies are equal",
    ("request header", "authorization"): "each run has a token of its own; the scheme is compared",
    ("response header", "connection"): "follows the request's",
    ("response header", "keep-alive"): "follows the request's",
    ("response header", "date"): "the moment; names in lower case here, as LINE sent them there",
    ("output", "meta"): "ours only: attempts, retry key, request ID, time taken",
    ("output", "delivery"): "ours only: what became of the messages",
    ("output", "error"): "ours only: what kind of failure it is and what to do",
    ("exit", "409"): "a retry key that LINE already accepted: success here, a failure there",
    ("exit", "no token"): "exit code 4 here; there the runtime raises before it has a result",
}

# Values that LINE makes anew for each request.
PER_REQUEST = {"quoteToken", "acceptedTime", "completedTime"}

TEXT = [{"type": "text", "text": "Hello, world"}]
USER = "U4af4980629f0b5a3c3d6b8a1d2e3f405"
KEY = {"X-Line-Retry-Key": "123e4567-e89b-12d3-a456-426614174999"}
PUSH = {"headers": KEY, "json_body": {"to": USER, "messages": TEXT}}
REPLY = {"json_body": {"replyToken": "85cbe770fa8b4f45bbe077b1d4be4a36", "messages": TEXT}}


@dataclasses.dataclass
class Case:
    """One call that both sides make."""

    title: str
    action: str
    inputs: dict
    way: str = "http_bearer"
    expect: int = 200
    asset: dict = dataclasses.field(default_factory=dict)
    # An action that is run first, on the same sandbox; `requestId` becomes its request ID.
    first: tuple = ()
    # What the sandbox is told to do wrong.
    fault: dict = dataclasses.field(default_factory=dict)


# Refusals that the examples cannot show, since a sandbox accepts what they send.
REFUSALS = [
    Case("six messages", "send_push_message", expect=400,
         inputs={"headers": KEY, "json_body": {"to": USER, "messages": TEXT * 6}}),
    Case("no messages", "send_broadcast_message", expect=400,
         inputs={"headers": KEY, "json_body": {"messages": []}}),
    Case("one user as a string", "send_multicast_message", expect=400,
         inputs={"headers": KEY, "json_body": {"to": USER, "messages": TEXT}}),
    Case("no such audience", "send_narrowcast_message", expect=400,
         inputs={"headers": KEY, "json_body": {
             "messages": TEXT, "recipient": {"type": "audience", "audienceGroupId": 1}}}),
    Case("six messages", "validate_message_objects_of_a_push_message", expect=400,
         inputs={"json_body": {"messages": TEXT * 6}}),
    Case("seven seconds", "display_a_loading_animation", expect=400,
         inputs={"json_body": {"chatId": USER, "loadingSeconds": 7}}),
    Case("a day with hyphens", "get_number_of_sent_push_messages", expect=400,
         inputs={"parameters": {"date": "2019-12-31"}}),
    Case("the ID of no narrowcast", "get_narrowcast_message_status", expect=404,
         inputs={"parameters": {"requestId": "8e36bade-c5d6-4d00-9e69-72244675a9a1"}}),
    Case("a used reply token", "send_reply_message", expect=400, inputs=REPLY,
         first=("send_reply_message", REPLY)),
    Case("the same retry key again", "send_push_message", expect=409, inputs=PUSH,
         first=("send_push_message", PUSH)),
    Case("over the rate limit", "send_push_message", expect=429, inputs=PUSH,
         fault={"kind": "rate_limit"}),
    Case("over the monthly limit", "send_push_message", expect=429, inputs=PUSH,
         fault={"kind": "monthly_limit"}),
    Case("a page of HTML", "send_push_message", expect=500, inputs=PUSH,
         fault={"kind": "html", "code": 500}),
    Case("an empty body", "send_reply_message", expect=500, inputs=REPLY,
         fault={"kind": "status", "code": 500}),
    Case("a wrong channel secret", "send_push_message", expect=400, inputs=PUSH,
         way="oauth2_client_credentials", asset={"client_secret": "wrong"}),
]


def asset_for(sandbox, case):
    """The asset's parameters for one way to authenticate."""
    if case.way == "http_bearer":
        hosts = {name: sandbox.asset[name] for name in ("url", "data_url", "manager_url")}
        asset = {**hosts, "token": sandbox.token}
    else:
        asset = dict(sandbox.asset)
    return {**asset, "verify_ssl": True, **case.asset}


# The actions of Swimlane's own LINE connector. The others need what its runtime does not do (calls
# without a token, files by path, digests), or state that no fresh sandbox has.
COMPARED = {
    "display_a_loading_animation",
    "get_narrowcast_message_status",
    "get_number_of_messages_sent_this_month",
    "get_the_target_limit_for_sending_messages_this_month",
    *(f"get_number_of_sent_{kind}_messages" for kind in ("reply", "push", "multicast", "broadcast")),
    *(f"send_{kind}_message" for kind in ("reply", "push", "multicast", "narrowcast", "broadcast")),
    *(f"validate_message_objects_of_a_{kind}_message"
      for kind in ("reply", "push", "multicast", "narrowcast", "broadcast")),
}


class Sides:
    """The two ways to run an action."""

    def __init__(self, binary):
        self.binary = binary
        manifest = yaml.safe_load((ROOT / "manifest.yaml").read_text("utf-8"))
        self.assets = {asset["name"]: asset for asset in manifest["assets"]}
        files = sorted((ROOT / "actions").glob("*/*.yaml"))
        files = [file for file in files if file.stem in COMPARED]
        assert len(files) == len(COMPARED) == 18, sorted(COMPARED - {file.stem for file in files})
        self.actions = {file.stem: yaml.safe_load(file.read_text("utf-8")) for file in files}

    def theirs(self, case, asset):
        """Exit code and result of Swimlane's runtime; None where it raised."""
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                runner = Runner(asset=asset, asset_schema=copy.deepcopy(self.assets[case.way]),
                                http_proxy=None)
                action = copy.deepcopy(self.actions[case.action])
                return 0, runner.run(copy.deepcopy(case.inputs), action)
        except SystemExit as stop:
            mark = "::set-error "
            lines = [line for line in said.getvalue().splitlines() if line.startswith(mark)]
            return stop.code, json.loads(lines[-1].removeprefix(mark))
        except requests.HTTPError:
            return None, None

    def ours(self, case, asset):
        """Exit code and output document of this connector."""
        # The other runtime checks nothing and sends once.
        options = {"validation": "off", "attempts": 1}
        document = {"asset": asset, "inputs": case.inputs, "options": options}
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("LINE_")}
        done = subprocess.run([self.binary, "run", case.action], input=json.dumps(document),
                              capture_output=True, text=True, env=environment, timeout=60)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"no JSON on stdout: {done.stdout!r} {done.stderr!r}") from None


def play(sides, side, case):
    """Runs a case on one side: exit code, output, and what arrived at the sandbox."""
    with Sandbox(sides.binary) as sandbox:
        case, hidden = copy.deepcopy(case), {}
        if case.first:
            action, inputs = case.first
            before = Case("", action, inputs)
            _, document = sides.theirs(before, asset_for(sandbox, before))
            request_id = lower(document["response_headers"])["x-line-request-id"]
            if "requestId" in case.inputs.get("parameters", {}) and case.expect == 200:
                case.inputs["parameters"]["requestId"] = request_id
                hidden[request_id] = "<request ID>"
        if case.fault:
            sandbox.call("POST", "/sandbox/faults", {"path": "/v2/bot/", **case.fault})
        sandbox.call("DELETE", "/sandbox/requests")
        code, document = side(case, asset_for(sandbox, case))
        records = sandbox.call("GET", "/sandbox/requests")["requests"]
    text = json.dumps([code, document, records])
    for value, name in hidden.items():
        text = text.replace(value, name)
    return json.loads(text)


def lower(headers):
    return {name.lower(): value for name, value in headers.items()}


def request_view(record):
    """What must be equal of one request on the wire."""
    headers = dict(record["headers"])
    view = {name: value for name, value in headers.items()
            if ("request header", name) not in BY_DESIGN}
    view["authorization scheme"] = headers.get("authorization", "").split(" ")[0]
    return {"method": record["method"], "path": record["path"], "query": sorted(record["query"]),
            "headers": view, "body": record["body"]}


def settled(value, inside=""):
    """A body without what LINE makes anew for each request."""
    if isinstance(value, list):
        return [settled(item, inside) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: f"<{name}>" if name in PER_REQUEST or (name == "id" and inside == "sentMessages")
            else settled(item, name) for name, item in value.items()}


def output_view(document):
    """What must be equal of one output."""
    names = set(lower(document["response_headers"]))
    names -= {name for where, name in BY_DESIGN if where == "response header"}
    body = {name: settled(document[name]) for name in ("json_body", "response_text", "file")
            if name in document}
    return {"status_code": document["status_code"], "reason": document["reason"],
            "header names": sorted(names), **body}


def differences(what, theirs, ours):
    """The leaves in which two values differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in sorted(theirs.keys() | ours.keys()):
            yield from differences(f"{what}.{name}", theirs.get(name), ours.get(name))
    elif theirs != ours:
        yield f"{what}: theirs {json.dumps(theirs)}, ours {json.dumps(ours)}"


def judge(case, theirs, ours):
    """Every way in which a case fails; none when it passes."""
    (their_code, their_document, their_records), (code, document, records) = theirs, ours
    if len(their_records) != len(records):
        paths = [[record["path"] for record in side] for side in (their_records, records)]
        yield f"requests: theirs {paths[0]}, ours {paths[1]}"
    for their_record, record in zip(their_records, records):
        path = f"request {record['path']}"
        yield from differences(path, request_view(their_record), request_view(record))
    if their_document is None:
        if (code, document.get("error", {}).get("kind")) != (4, "token_refused"):
            yield f"exit code {code}, {document.get('error')}, expected 4 for a refused token"
        return
    yield from differences("output", output_view(their_document), output_view(document))
    if document["status_code"] != case.expect:
        yield f"status {document['status_code']}, expected {case.expect}: {document}"
    refused = case.expect >= 400
    expected = (int(refused), int(refused and case.expect != 409))
    if (their_code, code) != expected:
        yield f"exit codes: theirs {their_code}, ours {code}, expected {expected}"
    if ("error" in document) != (expected[1] == 1):
        yield f"error: {document.get('error')}"
    unknown = document.keys() - their_document.keys() - {"meta", "error", "delivery"}
    if unknown:
        yield f"output: keys that only ours has: {sorted(unknown)}"


def cases(actions):
    """Every documented success with both ways to authenticate, and every kind of refusal."""
    narrowcast = ("send_narrowcast_message", {"headers": KEY, "json_body": {"messages": TEXT}})
    for name, action in actions.items():
        seen = []
        for example in action["examples"]:
            status = example["reply"]["status_code"]
            if status not in action["meta"]["success"] or example["inputs"] in seen:
                continue
            seen.append(example["inputs"])
            for way in ("oauth2_client_credentials", "http_bearer"):
                yield Case(example["title"], name, example["inputs"], way, status,
                           first=narrowcast if name == "get_narrowcast_message_status" else ())
        yield Case("a wrong token", name, action["examples"][0]["inputs"], expect=401,
                   asset={"token": "wrong-token"})
    yield from REFUSALS


def main():
    # A terminated run still stops its sandbox: SystemExit passes through Sandbox.__exit__.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A proxy of the environment is not meant for the loopback.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    sides = Sides(str(pathlib.Path(sys.argv[1]).resolve()))
    passed = failed = 0
    for case in cases(sides.actions):
        try:
            theirs, ours = (play(sides, side, case) for side in (sides.theirs, sides.ours))
            problems = list(judge(case, theirs, ours))
        except (
                AssertionError, KeyError, OSError, Unavailable, ValueError, subprocess.TimeoutExpired
        ) as error:
            problems = [f"{type(error).__name__}: {error}"]
        passed, failed = passed + (not problems), failed + bool(problems)
        if problems:
            print(f"FAILED {case.action} | {case.way} | {case.title}")
            print(*(f"    {problem}" for problem in problems), sep="\n")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

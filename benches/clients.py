"""Who is measured at what: for each client, the command of each scenario that it can do."""

import os
from dataclasses import dataclass

import documents
from support import builds, peers
from support.process import Command

OURS, MINIMAL, CURL, SWIMLANE, NOTHING = (
    "line-connector",
    "minimal Rust client",
    "curl",
    "connector_def_runner",
    "`true` (starts and ends)",
)
NODE_SDK, PYTHON_SDK, MCP_SERVER = "LINE Node SDK", "LINE Python SDK", "LINE MCP server"
PLAIN, TLS, TOKEN = "plain", "tls", "token"
DRY_TEXT, DRY_CAROUSEL = "dry_text", "dry_carousel"
UNCHECKED_TEXT, UNCHECKED_CAROUSEL = "unchecked_text", "unchecked_carousel"
TITLES = {
    PLAIN: "One push, plain HTTP, token given",
    TLS: "One push, TLS, token given",
    TOKEN: "One push, plain HTTP, token issued first",
    DRY_TEXT: "Dry run of a text",
    DRY_CAROUSEL: "Dry run of the largest carousel",
    UNCHECKED_TEXT: "The text, `validation: off`",
    UNCHECKED_CAROUSEL: "The carousel, `validation: off`",
}
PUSH = "/v2/bot/message/push"
ISSUE = "/oauth2/v3/token"
ACCEPTED = '"sentMessages"'
CREDENTIALS = {"client_id": "1234567890", "client_secret": "5a0f4d8fbd1e4d2cbd7e53f7ee1fd1b4"}
# As long as the tokens that the server issues.
GIVEN_TOKEN = "bench." + "1" * 200

# Two calls in one shell, since curl has no memory; the token is cut out without a further process.
CURL_TWICE = """
answer=$("$CURL" -q -sS "$TOKEN_URL" -d grant_type=client_credentials \
  -d client_id="$CLIENT_ID" -d client_secret="$CLIENT_SECRET")
token=${answer#*\\"access_token\\":\\"}
exec "$CURL" -q -sS "$URL" -H 'Content-Type: application/json' \
  -H "Authorization: Bearer ${token%%\\"*}" --data-binary @-
"""


@dataclass(frozen=True)
class Case:
    """One client at one scenario."""

    scenario: str
    client: str
    command: Command
    # What a right answer holds; a client that fails fast must not look fast.
    expected: str = ACCEPTED
    # Measured in every Nth round only, for slow clients.
    every: int = 1


class Stage:
    """What all clients share: the server, and files in a folder of this run."""

    def __init__(self, folder, server):
        self.folder = folder
        self.server = server
        self.body = self.write("body.json", documents.text_push())

    def write(self, name, document):
        """Writes a document, to be some process's standard input."""
        return self.write_lines(name, [document])

    def write_lines(self, name, lines):
        """Writes documents, one a line."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            for document in lines:
                file.write(documents.compact(document) + "\n")
        return path

    def assets(self):
        """The asset of each scenario that needs the server; a client may have to add to it."""
        plain, tls = self.server.url, self.server.tls_url
        return {
            PLAIN: {"url": plain, "token": GIVEN_TOKEN},
            TLS: {"url": tls, "token": GIVEN_TOKEN},
            TOKEN: {"url": plain, "token_url": plain + ISSUE, **CREDENTIALS},
        }


def ours(stage):
    """Our binary: the calls, and the dry runs that need no server."""
    binary = builds.connector()
    run = [binary, "run", documents.ACTION]
    cases = []
    for scenario, asset in stage.assets().items():
        # The operator's, since documents open no file.
        environment = {"LINE_CA_FILE": stage.server.ca_file} if scenario == TLS else {}
        document = {"asset": asset, "inputs": {"json_body": documents.text_push()}}
        stdin = stage.write(f"ours-{scenario}.json", document)
        cases.append(Case(scenario, OURS, Command(run, stdin, environment)))
    text, carousel = documents.text_push(), documents.carousel_push()
    dry_runs = {
        DRY_TEXT: (text, "strict"),
        DRY_CAROUSEL: (carousel, "strict"),
        UNCHECKED_TEXT: (text, "off"),
        UNCHECKED_CAROUSEL: (carousel, "off"),
    }
    for scenario, (push, validation) in dry_runs.items():
        document = {"inputs": {"json_body": push}, "options": {"validation": validation}}
        stdin = stage.write(f"ours-{scenario}.json", document)
        cases.append(Case(scenario, OURS, Command([*run, "--dry-run"], stdin), '"request"'))
    return cases


def minimal(stage):
    """The floor."""
    argv = [builds.minimal()]
    plain, tls = stage.server.url, stage.server.tls_url
    given = {"TOKEN": GIVEN_TOKEN}
    credentials = {name.upper(): value for name, value in CREDENTIALS.items()}
    environments = {
        PLAIN: {"URL": plain + PUSH, **given},
        TLS: {"URL": tls + PUSH, **given, "CA_FILE": stage.server.ca_file},
        TOKEN: {"URL": plain + PUSH, "TOKEN_URL": plain + ISSUE, **credentials},
    }
    return [
        Case(scenario, MINIMAL, Command(argv, stage.body, environment))
        for scenario, environment in environments.items()
    ]


def curl(stage):
    """What a shell script would use."""
    path = builds.tool("curl")
    bearer = ["-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {GIVEN_TOKEN}"]
    post = [path, "-q", "-sS", *bearer, "--data-binary", "@-"]
    plain, tls = stage.server.url, stage.server.tls_url
    twice = {"CURL": path, "URL": plain + PUSH, "TOKEN_URL": plain + ISSUE}
    twice.update({name.upper(): value for name, value in CREDENTIALS.items()})
    verified = ["--cacert", stage.server.ca_file]
    return [
        Case(PLAIN, CURL, Command([*post, plain + PUSH], stage.body)),
        Case(TLS, CURL, Command([*post, *verified, tls + PUSH], stage.body)),
        Case(TOKEN, CURL, Command(["/bin/sh", "-c", CURL_TWICE], stage.body, twice)),
    ]


def swimlane(stage):
    """The runtime that our action files are written for."""
    python = builds.runner_python(stage.folder)
    builds.split_assets(python, stage.folder)
    step = os.path.join(peers.FOLDER, "swimlane_step.py")
    action = builds.action_file(documents.ACTION)
    environment = {"REQUESTS_CA_BUNDLE": stage.server.ca_file}
    cases = []
    for scenario, asset in stage.assets().items():
        way = "oauth2_client_credentials" if "client_id" in asset else "http_bearer"
        asset["verify_ssl"] = True
        document = {"asset": asset, "inputs": {"json_body": documents.text_push()}}
        stdin = stage.write(f"swimlane-{scenario}.json", document)
        argv = [python, step, os.path.join(stage.folder, f"{way}.yaml"), action]
        cases.append(Case(scenario, SWIMLANE, Command(argv, stdin, environment), every=10))
    return cases


def node_sdk(stage):
    """LINE's SDK for Node, in a script of a few lines."""
    script = os.path.join(peers.FOLDER, "push.mjs")
    argv = [peers.node(), script, peers.node_modules(peers.NODE_SDK)]
    return line_sdk(stage, NODE_SDK, argv, "NODE_EXTRA_CA_CERTS")


def python_sdk(stage):
    """LINE's SDK for Python, in a script of a few lines."""
    argv = [peers.python(peers.PYTHON_SDK), os.path.join(peers.FOLDER, "push.py")]
    return line_sdk(stage, PYTHON_SDK, argv, "CA_FILE")


def line_sdk(stage, client, argv, ca_variable):
    """A script over one of LINE's SDKs."""
    plain, tls = stage.server.url, stage.server.tls_url
    credentials = {name.upper(): value for name, value in CREDENTIALS.items()}
    environments = {
        PLAIN: {"URL": plain, "TOKEN": GIVEN_TOKEN},
        TLS: {"URL": tls, "TOKEN": GIVEN_TOKEN, ca_variable: stage.server.ca_file},
        TOKEN: {"URL": plain, **credentials},
    }
    return [
        Case(scenario, client, Command(argv, stage.body, environment), "accepted 1", every=20)
        for scenario, environment in environments.items()
    ]


def mcp_server(stage):
    """LINE's own MCP server, as an agent starts it: initialize, then one call."""
    message = documents.text_push()["messages"][0]
    call = {"name": "push_text_message", "arguments": {"userId": documents.USER, "message": message}}
    client = {"name": "bench", "version": "0"}
    hello = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": client}
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call},
    ]
    stdin = stage.write_lines("mcp.ndjson", messages)
    modules = peers.node_modules(peers.MCP_SERVER)
    script = os.path.join(modules, "node_modules", "@line", "line-bot-mcp-server", "dist", "index.js")
    environment = {"CHANNEL_ACCESS_TOKEN": GIVEN_TOKEN, "LINE_MESSAGING_API_BASE_URL": stage.server.url}
    command = Command([peers.node(), script], stdin, environment)
    return [Case(PLAIN, MCP_SERVER, command, "sentMessages", every=20)]


def nothing(stage):
    """What starting a process costs here, part of every other figure."""
    for path in ("/bin/true", "/usr/bin/true"):
        if os.access(path, os.X_OK):
            return [Case(PLAIN, NOTHING, Command([path], stage.body), expected="")]
    return []


# Seconds each, and a long installation at first: only where they are asked for.
SDKS = {NODE_SDK: node_sdk, PYTHON_SDK: python_sdk, MCP_SERVER: mcp_server}
# In the order of the tables. Ours must be there; the others are skipped with a reason.
CLIENTS = {OURS: ours, MINIMAL: minimal, CURL: curl, SWIMLANE: swimlane, **SDKS, NOTHING: nothing}

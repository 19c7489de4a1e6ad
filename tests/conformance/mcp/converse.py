"""Talks to `line-connector mcp` by the official Python client, in both generations of the protocol, and
by the MCP Inspector's command line.

    converse.py path/to/line-connector path/to/node path/to/inspector
"""

import asyncio
import json
import subprocess
import sys

from mcp import StdioServerParameters, types
from mcp.client import Client

BINARY, NODE, INSPECTOR = sys.argv[1:4]
USER = "U4af4980629f0b5a3c3d6b8a1d2e3f405"
TEXT = [{"type": "text", "text": "hello"}]

passed = failed = 0


def check(what, holds, found=""):
    """Counts one statement."""
    global passed, failed
    if holds:
        passed += 1
    else:
        failed += 1
        print(f"FAILED: {what}: {found}")


def paths(result):
    """The places that a refusal names."""
    error = result.structured_content["error"]
    return [detail["path"] for detail in error.get("details", [])]


async def converse(mode, version, forms):
    """A whole conversation in one generation."""
    asked = []

    async def answer(_context, params):
        asked.append(params.message)
        return types.ElicitResult(action="accept", content={"confirm": True})

    server = StdioServerParameters(command=BINARY, args=["mcp", "--sandbox"])
    where = f"{mode}, {'forms' if forms else 'no forms'}"
    async with Client(server, mode=mode, elicitation_callback=answer if forms else None) as client:
        check(f"{where}: the version", client.protocol_version == version, client.protocol_version)
        tools = (await client.list_tools()).tools
        names = {tool.name for tool in tools}
        check(f"{where}: the tools", {"push_message", "run_action"} <= names, names)

        sent = await client.call_tool(
            "push_message", {"to": USER, "messages": TEXT, "idempotency_key": "order-1"}
        )
        check(f"{where}: a push", not sent.is_error, sent)
        again = await client.call_tool(
            "push_message", {"to": USER, "messages": TEXT, "idempotency_key": "order-1"}
        )
        check(f"{where}: its repeat", again.structured_content["meta"].get("already_accepted"), again)

        wrong = await client.call_tool("push_message", {"to": 7, "messages": TEXT})
        check(f"{where}: a wrong argument", wrong.is_error and "/to" in paths(wrong), wrong)

        broadcast = {"messages": TEXT}
        result = await client.call_tool("broadcast_message", broadcast)
        if forms:
            check(f"{where}: somebody was asked", len(asked) == 1, asked)
        else:
            plan = result.structured_content
            check(f"{where}: a plan", "digest" in plan and "status_code" not in plan, plan)
            broadcast["confirm"] = plan["digest"]
            result = await client.call_tool("broadcast_message", broadcast)
        check(f"{where}: a broadcast", result.structured_content.get("status_code") == 200, result)

        read = await client.call_tool("read_action", {"action": "list_follower_ids"})
        check(f"{where}: a read by name", not read.is_error, read)
        refused = await client.call_tool("read_action", {"action": "push_message"})
        check(f"{where}: no write through it", refused.is_error, refused)

        resources = (await client.list_resources()).resources
        for resource in resources:
            read = await client.read_resource(resource.uri)
            check(f"{where}: {resource.uri}", json.loads(read.contents[0].text))
        prompts = (await client.list_prompts()).prompts
        check(f"{where}: the prompts", len(prompts) == 3, prompts)
        prompt = await client.get_prompt("draft_message", {"about": "a sale"})
        check(f"{where}: a prompt", "a sale" in prompt.messages[0].content.text)


def inspect(*arguments, server=("--sandbox",)):
    """Runs the Inspector's command line once."""
    command = [NODE, INSPECTOR, "--cli", BINARY, "mcp", *server, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def inspect_all():
    """Lists, reads, writes and breaks by the Inspector."""
    for tools in [(), ("--toolsets", "all")]:
        ended = inspect("--method", "tools/list", "--strict", server=("--sandbox", *tools))
        check(f"inspector: a strict list {tools}", ended.returncode == 0, ended.stderr[-2000:])

    def call(tool, *pairs):
        return inspect("--method", "tools/call", "--tool-name", tool, "--tool-arg", *pairs)

    ended = inspect("--method", "tools/call", "--tool-name", "get_bot_info")
    check("inspector: a read", ended.returncode == 0 and "displayName" in ended.stdout, ended.stderr)
    messages = "messages=" + json.dumps(TEXT)
    ended = call("push_message", f"to={USER}", messages)
    check("inspector: a write", ended.returncode == 0 and "sentMessages" in ended.stdout, ended.stderr)
    ended = call("push_message", "to=7", messages)
    told = ended.stdout + ended.stderr
    check("inspector: a refusal by place", ended.returncode != 0 and "/to" in told, told)
    inputs = 'inputs={"audienceGroupId":1}'
    ended = call("run_action", "action=delete_audience", inputs)
    told = ended.stdout + ended.stderr
    check("inspector: a deletion is a plan", "digest" in told, told)


async def main():
    for mode, version in [("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28"), ("auto", "2026-07-28")]:
        for forms in [False, True]:
            await converse(mode, version, forms)


asyncio.run(main())
inspect_all()
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)

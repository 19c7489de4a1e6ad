#!/usr/bin/env python3
"""Writes `build/layout.ld`: which functions a call runs through, so that the linker puts them
together. A process then loads what it needs, and not a piece of everything.

    python3 benches/layout.py            # says how much of what calls run through stands together
    python3 benches/layout.py --update   # writes the layout anew

It runs a release with its names left in under valgrind, in the calls that `cold.py` and `warm.py`
measure. It needs what they need, valgrind (as root on Debian or Ubuntu it installs that itself), and
`nm` of the binutils. Names change with the compiler and with dependencies: to be repeated before a
release.
"""

import os
import re
import subprocess
import sys

import builds
import clients
import documents
import process
from errors import Unavailable
from neutral_server import NeutralServer, reachable_folder

LAYOUT = os.path.join(builds.ROOT, "build", "layout.ld")
# How much may stand there that no call runs through, so that a name stands for all that differ from
# it in their hash only: such a name outlives other versions of the compiler.
FEW_BYTES = 4096
SERVED = 50

HEAD = """\
/* Which functions stand together in a release: those that calls run through, the ones of every call
   first. benches/layout.py writes this file; without it, or with names that are no longer right, a
   process starts a little slower and takes more memory. Both lld and GNU ld read it.

   Nothing is unwound in a release, whose panics abort: what unwinding needs is left out, 0.9 MB. */
SECTIONS
{
  /DISCARD/ :
  {
    *(.eh_frame .eh_frame_hdr)
  }
  .text.call :
  {
"""
LATER = """
    /* Those above whose hash is no longer right, among others that differ in it only. */
"""
TAIL = """\
  }
}
INSERT BEFORE .text;
"""


def main():
    """Runs the calls, and writes or compares."""
    update = sys.argv[1:] == ["--update"]
    if sys.argv[1:] and not update:
        sys.exit(__doc__)
    try:
        binary, used = watch()
    except Unavailable as reason:
        sys.exit(f"cannot run: {reason}")
    sizes = functions(binary)
    names = [name for name in used if name in sizes]
    if update:
        with open(LAYOUT, "w", encoding="ascii") as file:
            file.write(layout(names, sizes))
    with open(LAYOUT, encoding="ascii") as file:
        listed, _, _ = file.read().partition(LATER)
        written = set(re.findall(r"\*\(\.text\*\.(\S+)\)", listed))
    there = [name for name in names if name in written or pattern(name) in written]
    share = sum(sizes[name] for name in there) / sum(sizes[name] for name in names)
    print(f"{len(there)} of {len(names)} functions, {share:.0%} of their bytes, stand together")


def watch():
    """The binary, and the functions that calls ran through, in the order in which calls need them."""
    # Not by the profile: hashes in names depend on it.
    options = ["--bin", "line-connector", "--", "-Cstrip=none"]
    binary = builds.cargo_build("line-connector", builds.ROOT, options, ("rustc", "--release"))
    os.environ["LINE_CONNECTOR_BIN"] = binary
    used = []
    with reachable_folder("layout-") as folder, NeutralServer(folder) as server:
        stage = clients.Stage(folder, server)
        for command in [*(case.command for case in clients.ours(stage)), served(stage, binary)]:
            seen = executed(command, folder)
            used += sorted(seen - set(used))
    return binary, used


def served(stage, binary):
    """Some calls of a process that is kept running."""
    document = {
        "action": documents.ACTION,
        "asset": {"url": stage.server.url, "token": clients.GIVEN_TOKEN},
        "inputs": {"json_body": documents.text_push()},
    }
    lines = stage.write_lines("served.json", [{**document, "id": one} for one in range(SERVED)])
    return process.Command([binary, "serve"], lines)


def executed(command, folder):
    """The symbols of all functions that ran in a process."""
    out = os.path.join(folder, "callgrind.out")
    options = ["--demangle=no", "--compress-strings=no", f"--callgrind-out-file={out}"]
    argv = [builds.valgrind(), "--tool=callgrind", *options, *command.argv]
    with open(command.stdin, encoding="utf-8") as given:
        environment = {"PATH": os.defpath, **command.environment}
        done = subprocess.run(argv, stdin=given, env=environment, capture_output=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"a call failed: {done.stdout.decode()}{done.stderr.decode()}")
    with open(out, encoding="utf-8") as file:
        lines = [re.match(r"c?fn=(.*?)('\d+)?\n", line) for line in file]
    return {line.group(1) for line in lines if line}


def functions(binary):
    """The sizes of the binary's functions, by symbol."""
    done = subprocess.run(["nm", "-S", binary], capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    return {row[3]: int(row[1], 16) for row in rows if len(row) == 4 and row[2] in "tT"}


def layout(names, sizes):
    """The linker script that puts these functions together, in this order."""
    alike = {}
    for name in sizes:
        alike.setdefault(pattern(name), []).append(name)
    known = set(names)
    shown, by_hash = [], []
    for name in names:
        others = sum(sizes[other] for other in alike[pattern(name)] if other not in known)
        if others > FEW_BYTES:
            by_hash.append(pattern(name))
        shown.append(name if others > FEW_BYTES else pattern(name))
    # With `.unlikely` between them where the compiler knows that it is.
    lines = [[f"    *(.text*.{one})\n" for one in dict.fromkeys(some)] for some in (shown, by_hash)]
    return HEAD + "".join(lines[0]) + LATER + "".join(lines[1]) + TAIL


def pattern(name):
    """A symbol with its hashes left open."""
    name = re.sub(r"17h[0-9a-f]{16}E", "17h*E", name)
    return re.sub(r"Cs[0-9A-Za-z]{6,14}_(?=\d)", "Cs*_", name)


if __name__ == "__main__":
    main()

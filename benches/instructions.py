#!/usr/bin/env python3
"""Counts the instructions of cold dry runs, and holds them against the committed figures: a guard that
a busy machine cannot trip.

    python3 benches/instructions.py            # compares; exit code 1 where something grew
    python3 benches/instructions.py --update   # writes the figures of this build

It needs cargo and valgrind (as root on Debian or Ubuntu it installs valgrind itself). It builds with
the profile `guard`: a release without link-time optimisation, which builds sooner.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import documents
from support import builds
from support.errors import Unavailable

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "benches" / "instructions.json"
ASSET = {"url": "http://127.0.0.1:9", "token": "none"}


def main():
    update = sys.argv[1:] == ["--update"]
    if sys.argv[1:] and not update:
        sys.exit(__doc__)
    try:
        counts = measure(builds.guard(), builds.tool("valgrind"))
    except Unavailable as reason:
        sys.exit(f"cannot count: {reason}")
    if update:
        tolerance = json.loads(FIGURES.read_text())["tolerance_percent"] if FIGURES.exists() else 5
        figures = {"tolerance_percent": tolerance, "instructions": counts}
        FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
    figures = json.loads(FIGURES.read_text())
    return compare(counts, figures["instructions"], figures["tolerance_percent"])


def measure(binary, counter):
    """Instructions of each case, by name."""
    text = count(binary, counter, documents.text_push())
    carousel = count(binary, counter, documents.carousel_push())
    return {
        "cold dry run of a text push": text,
        "cold dry run of the largest Flex carousel": carousel,
    }


def count(binary, counter, body):
    """Instructions of one process from start to end, in user space."""
    inputs = {"json_body": body}
    document = {"asset": ASSET, "inputs": inputs}
    with tempfile.TemporaryDirectory() as folder:
        command = [counter, "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        command += [binary, "run", documents.ACTION, "--dry-run"]
        given = documents.compact(document).encode()
        ended = subprocess.run(command, input=given, env={}, capture_output=True, check=False)
    found = re.search(rb"Collected\s*:\s*(\d+)", ended.stderr)
    if ended.returncode != 0 or b'"request"' not in ended.stdout or not found:
        sys.exit(f"the dry run failed:\n{ended.stdout.decode()}\n{ended.stderr.decode()}")
    return int(found.group(1))


def compare(counts, figures, tolerance):
    """Prints each case beside its figure; 1 where one is over it by more than the tolerance."""
    code = 0
    print(f"{'instructions':44}{'committed':>12}{'now':>12}{'':>4}change")
    for name, now in counts.items():
        committed = figures[name]
        change = 100 * (now - committed) / committed
        verdict = ""
        if change > tolerance:
            verdict = f"  more than {tolerance} % over the committed figure"
            code = 1
        elif change < -tolerance:
            verdict = "  commit the better figure with --update"
        print(f"{name:44}{committed:>12,}{now:>12,}{'':>4}{change:+.1f} %{verdict}")
    if code:
        print("where this is meant, commit new figures: python3 benches/instructions.py --update")
    return code


if __name__ == "__main__":
    sys.exit(main())

"""What all reports have in common: rows and their ratios, figures to reach, tables, and where they go."""

import dataclasses
import json
import os
import platform
import subprocess
from dataclasses import dataclass, field

from support import builds

VERDICTS = {True: "yes", False: "**no**", None: "–"}
README = os.path.join(builds.BENCHES, "README.md")


@dataclass(frozen=True)
class Figure:
    """A figure that the design promises, and what it is here."""

    what: str
    limit: str
    measured: str
    # None where it could not be measured.
    met: bool | None


@dataclass
class Report:
    """All of one run. A bench with more to tell than rows adds fields of its own."""

    conditions: str
    # Dataclasses with a `client` and whatever else tells them apart.
    rows: list = field(default_factory=list)
    # From what could not be measured to the reason.
    skipped: dict[str, str] = field(default_factory=dict)

    def row(self, client, **case):
        """The row of a client at a case, or None where it was not measured."""
        wanted = {"client": client, **case}
        for row in self.rows:
            if all(getattr(row, name) == value for name, value in wanted.items()):
                return row
        return None

    def ratio(self, value, client, to, **case):
        """How many times as much one client has as another; None where either is missing."""
        one, other = self.row(client, **case), self.row(to, **case)
        return getattr(one, value) / getattr(other, value) if one and other else None


def conditions(rounds=None):
    """The machine and the versions, as far as they say how to read the figures; no names or paths."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    versions = [first_line(command) for command in (["rustc", "-V"], ["curl", "-q", "-V"])]
    versions = [" ".join(version.split()[:2]) for version in versions if version]
    known = [machine, *versions, f"Python {platform.python_version()}"]
    return ", ".join(known if rounds is None else [*known, f"{rounds} rounds"])


def first_line(command):
    """The first line that a command prints; empty where it does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.partition("\n")[0]


def at_most(what, limit, measured, unit):
    """A figure that must not be exceeded."""
    return figure(what, "≤", limit, measured, unit, lambda value: value <= limit)


def at_least(what, limit, measured, unit):
    """A figure that must be reached."""
    return figure(what, "≥", limit, measured, unit, lambda value: value >= limit)


def figure(what, sign, limit, measured, unit, judge):
    """A figure in words."""
    wanted = f"{sign} {limit} {unit}".rstrip()
    if measured is None:
        return Figure(what, wanted, "not measured", None)
    return Figure(what, wanted, f"{measured:.3g} {unit}".rstrip(), judge(measured))


def finished(parts, judged, skipped):
    """A report whose parts come before the figures of the design."""
    parts = [*parts, "#### Figures of the design", verdicts(judged)]
    parts += [f"Not measured: {what} ({reason})." for what, reason in skipped.items()]
    return "\n\n".join(parts) + "\n"


def verdicts(judged):
    """The design's figures and whether they are met."""
    body = [[one.what, one.limit, one.measured, VERDICTS[one.met]] for one in judged]
    return table(["", "to reach", "here", "met"], body)


def times(ratio, digits=2):
    """A ratio as a cell; a dash where there is none."""
    return "–" if ratio is None else f"{ratio:.{digits}f}"


def table(head, body):
    """A Markdown table with its columns aligned for the eye."""
    widths = [max(len(row[column]) for row in [head, *body]) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    rule = [cell.rjust(3, "-") for cell in rule]
    return "\n".join(line(cells, widths) for cells in [head, rule, *body])


def line(cells, widths):
    """One line of a table: the first column to the left, figures to the right."""
    first = cells[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return f"| {' | '.join([first, *rest])} |"


def add_options(parser):
    """The options by which `tell` knows where a report goes."""
    parser.add_argument("--json", metavar="FILE", help="also write all figures as JSON")
    parser.add_argument("--update-readme", action="store_true", help="put the tables into README.md")


def document(measured, judged, **more):
    """A report as JSON, with its figures."""
    judged = [dataclasses.asdict(one) for one in judged]
    return {**dataclasses.asdict(measured), "figures": judged, **more}


def markers(bench):
    """The lines of the README between which a bench's tables stand."""
    return f"<!-- {bench}: begin -->", f"<!-- {bench}: end -->"


def tell(options, text, measured, begin, end):
    """Prints a report, and puts it where the options ask for it."""
    print(text, end="")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(measured, file, ensure_ascii=False, indent=2)
            file.write("\n")
    if options.update_readme:
        rewrite(text, begin, end)


def rewrite(text, begin, end):
    """Puts a report between two markers of the README."""
    with open(README, encoding="utf-8") as file:
        before, found, rest = file.read().partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise SystemExit(f"the README has no place between {begin} and {end}")
    with open(README, "w", encoding="utf-8") as file:
        file.write(f"{before}{begin}\n{text}{end}{after}")

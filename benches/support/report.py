"""From samples to medians, ratios, the figures of the design, and the texts that show them."""

import dataclasses
import json
import os
import platform
import statistics
import subprocess
from dataclasses import dataclass

import clients
from clients import MINIMAL, OURS, SWIMLANE
from support import builds

VERDICTS = {True: "yes", False: "**no**", None: "–"}
README = os.path.join(builds.BENCHES, "README.md")
BEGIN, END = "<!-- cold: begin -->", "<!-- cold: end -->"


@dataclass(frozen=True)
class Row:
    """The medians of one client at one scenario."""

    scenario: str
    client: str
    runs: int
    wall_ms: float
    cpu_ms: float
    peak_mib: float


@dataclass(frozen=True)
class Figure:
    """A figure that the design promises, and what it is here."""

    what: str
    limit: str
    measured: str
    # None where it could not be measured.
    met: bool | None


@dataclass(frozen=True)
class Report:
    """All of one run."""

    rows: list[Row]
    carousel_extra_cpu_ms: float
    binary_bytes: dict[str, int]
    skipped: dict[str, str]
    conditions: str

    def row(self, scenario, client):
        """The row of a client at a scenario, or None where it was not measured."""
        found = [row for row in self.rows if (row.scenario, row.client) == (scenario, client)]
        return found[0] if found else None

    def ratio(self, scenario, value, client=OURS, to=MINIMAL):
        """How many times as much one client takes as another; None where either is missing."""
        one, other = self.row(scenario, client), self.row(scenario, to)
        return getattr(one, value) / getattr(other, value) if one and other else None


def summarize(case, samples, peaks):
    """The medians of a case."""
    return Row(
        scenario=case.scenario,
        client=case.client,
        runs=len(samples),
        wall_ms=statistics.median(sample.wall_ms for sample in samples),
        cpu_ms=statistics.median(sample.cpu_ms for sample in samples),
        peak_mib=statistics.median(peaks),
    )


def extra_cpu_ms(samples):
    """How much more it takes to validate the carousel than a text: the median of the differences
    within each round, which the machine's drift does not reach.
    """
    scenarios = (
        clients.DRY_CAROUSEL,
        clients.UNCHECKED_CAROUSEL,
        clients.DRY_TEXT,
        clients.UNCHECKED_TEXT,
    )
    rounds = zip(*([one.cpu_ms for one in samples[name]] for name in scenarios), strict=True)
    return statistics.median(
        (carousel - unchecked_carousel) - (text - unchecked_text)
        for carousel, unchecked_carousel, text, unchecked_text in rounds
    )


def conditions(runs=None):
    """The machine and the versions, as far as they say how to read the figures; no names or paths."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    versions = [first_line(command) for command in (["rustc", "-V"], ["curl", "-q", "-V"])]
    versions = [" ".join(version.split()[:2]) for version in versions if version]
    known = [machine, *versions, f"Python {platform.python_version()}"]
    return ", ".join(known if runs is None else [*known, f"{runs} rounds"])


def first_line(command):
    """The first line that a command prints; empty where it does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.partition("\n")[0]


def figures(report):
    """The figures of the design that apply to a cold `run`."""
    ours = report.row(clients.PLAIN, OURS)
    size = report.binary_bytes[OURS] / 1e6
    swimlane = report.ratio(clients.PLAIN, "wall_ms", SWIMLANE, OURS)
    plain, tls = report.ratio(clients.PLAIN, "wall_ms"), report.ratio(clients.TLS, "wall_ms")
    return [
        at_most("plain HTTP, token given: wall time", 1.5, plain, "× minimal"),
        at_least("plain HTTP: faster than Swimlane's runtime", 100, swimlane, "×"),
        at_most("TLS: wall time", 1.3, tls, "× minimal"),
        at_most("peak memory", 2, report.ratio(clients.PLAIN, "peak_mib"), "× minimal"),
        at_most("peak memory", 6, ours.peak_mib, "MiB"),
        at_most("validating the carousel: more CPU than a text", 1, report.carousel_extra_cpu_ms, "ms"),
        at_most("release binary", 12, size, "MB"),
    ]


def at_most(what, limit, measured, unit):
    """A figure that must not be exceeded."""
    return figure(what, "≤", limit, measured, unit, lambda value: value <= limit)


def at_least(what, limit, measured, unit):
    """A figure that must be reached."""
    return figure(what, "≥", limit, measured, unit, lambda value: value >= limit)


def figure(what, sign, limit, measured, unit, judge):
    """A figure in words."""
    if measured is None:
        return Figure(what, f"{sign} {limit} {unit}", "not measured", None)
    return Figure(what, f"{sign} {limit} {unit}", f"{measured:.3g} {unit}", judge(measured))


def markdown(report):
    """The whole report, readable on a terminal and in the README alike."""
    parts = [f"{report.conditions}. Medians; × is the ratio to the minimal Rust client."]
    for scenario in (clients.PLAIN, clients.TLS, clients.TOKEN):
        parts += [f"#### {clients.TITLES[scenario]}", calls(report, scenario)]
    parts += ["#### Validation: `run --dry-run`", dry_runs(report)]
    parts += ["#### On disk", sizes(report)]
    return finished(parts, figures(report), report.skipped)


def finished(parts, judged, skipped):
    """A report whose parts come before the figures of the design."""
    parts = [*parts, "#### Figures of the design", verdicts(judged)]
    parts += [f"Not measured: {what} ({reason})." for what, reason in skipped.items()]
    return "\n\n".join(parts) + "\n"


def calls(report, scenario):
    """The clients at one scenario, side by side."""
    body = []
    for row in report.rows:
        if row.scenario == scenario:
            cells = [row.client]
            for value, digits in (("wall_ms", 2), ("cpu_ms", 2), ("peak_mib", 1)):
                times = report.ratio(scenario, value, row.client)
                cells += [f"{getattr(row, value):.{digits}f}", "–" if times is None else f"{times:.2f}"]
            body.append(cells)
    return table(["", "wall ms", "×", "CPU ms", "×", "peak MiB", "×"], body)


def dry_runs(report):
    """What the size of a message costs."""
    scenarios = (
        clients.DRY_TEXT,
        clients.UNCHECKED_TEXT,
        clients.DRY_CAROUSEL,
        clients.UNCHECKED_CAROUSEL,
    )
    rows = [report.row(scenario, OURS) for scenario in scenarios]
    body = [
        [clients.TITLES[row.scenario], f"{row.wall_ms:.2f}", f"{row.cpu_ms:.2f}", f"{row.peak_mib:.1f}"]
        for row in rows
    ]
    body.append(["More to validate the carousel, round by round", "", f"{report.carousel_extra_cpu_ms:.2f}", ""])
    return table(["", "wall ms", "CPU ms", "peak MiB"], body)


def sizes(report):
    """The binaries."""
    body = [[name, f"{size / 1e6:.2f}"] for name, size in report.binary_bytes.items()]
    return table(["", "MB"], body)


def verdicts(judged):
    """The design's figures and whether they are met."""
    body = [[one.what, one.limit, one.measured, VERDICTS[one.met]] for one in judged]
    return table(["", "to reach", "here", "met"], body)


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


def tell(options, text, measured, begin=BEGIN, end=END):
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

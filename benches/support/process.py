"""Measures whole processes from outside: wall time, CPU time and peak memory."""

import ctypes
import json
import os
import subprocess
import time
from dataclasses import dataclass, field

from support.errors import Unavailable

PR_SET_CHILD_SUBREAPER = 36

# Waits for the end of the shell's standard input before it becomes the command: a shell that saw
# its child end would take the figures for itself.
ORPHAN = """
exec 3<&0
{ read -r _ <&3; exec "$@" <"$BENCH_STDIN" 3<&-; } >/dev/null 2>&1 &
echo $!
"""


@dataclass(frozen=True)
class Command:
    """A process to start: the same for every client, so that only the program differs."""

    argv: list[str]
    stdin: str
    # Nothing is inherited: a proxy or a token in the caller's environment must not change a figure.
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """One process from start to end."""

    exit_code: int
    output: str
    errors: str
    wall_ms: float
    cpu_ms: float


def adopt_orphans():
    """Makes this process the parent of its orphaned descendants, which `peak_mib` relies on."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(command, folder):
    """Runs a command once, its output going to files: no pipe makes the reader a part of the time."""
    output, errors = os.path.join(folder, "stdout"), os.path.join(folder, "stderr")
    environment = {"PATH": os.defpath, **command.environment}
    written = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, command.stdin, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, output, written, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, errors, written, 0o600),
    ]
    start = time.perf_counter()
    pid = os.posix_spawn(command.argv[0], command.argv, environment, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    cpu = usage.ru_utime + usage.ru_stime
    return Sample(os.waitstatus_to_exitcode(status), text(output), text(errors), wall * 1e3, cpu * 1e3)


def peak_mib(command):
    """The most memory that a command held while it ran, in MiB.

    Linux counts the memory of the program that called exec as the new program's own peak. Started
    from here, everything would show at least the size of this Python; so a shell, which is small,
    starts it in the background and ends, and this process, its new parent, reads the figures.
    """
    environment = {"PATH": os.defpath, **command.environment, "BENCH_STDIN": command.stdin}
    shell = ["/bin/sh", "-c", ORPHAN, "sh", *command.argv]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(shell, env=environment, text=True, **pipes) as started:
        pid = int(started.stdout.read())
    # The shell has ended and its standard input is closed, which lets the orphan go on.
    _, _, usage = os.wait4(pid, 0)
    return usage.ru_maxrss / 1024


def cpu_seconds(pid):
    """User and system time of a living process so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid):
    """Peak and present resident memory of a living process; None when it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            fields = dict(line.split(":", 1) for line in file if line.startswith("Vm"))
        return tuple(int(fields[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))
    except (OSError, KeyError, ValueError):
        return None


def answer(command):
    """The JSON that a process prints, such as figures that it has measured itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def text(path):
    """A file's text, whatever its bytes."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()

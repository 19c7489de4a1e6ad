"""Builds and finds the programs that are measured."""

import json
import os
import shutil
import subprocess
import sys

from support.errors import Unavailable

BENCHES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(BENCHES)
RUNNER = "connector_def_runner"
# Its version, pinned where the two runtimes are compared.
REQUIREMENTS = os.path.join(ROOT, "tests", "conformance", "swimlane", "requirements.txt")

# Run by the Python of the other runtime, the only one here that reads YAML: its assets are files of
# their own, ours stand together in the manifest.
SPLIT_ASSETS = """
import sys, yaml
manifest, folder = sys.argv[1:]
for asset in yaml.safe_load(open(manifest, encoding="utf-8"))["assets"]:
    with open(f"{folder}/{asset['name']}.yaml", "w", encoding="utf-8") as file:
        yaml.safe_dump(asset, file, sort_keys=False)
"""


def connector():
    """Our binary: the one that LINE_CONNECTOR_BIN names, or a fresh release build."""
    given = os.environ.get("LINE_CONNECTOR_BIN")
    if given:
        return os.path.abspath(given)
    return cargo_build("line-connector", ROOT, [])


def worker(connector):
    """The worker: the one that LINE_CONNECTOR_WORKER_BIN names, the one beside our binary, or a fresh
    release build.
    """
    beside = os.path.join(os.path.dirname(connector), "line-connector-worker")
    given = os.environ.get("LINE_CONNECTOR_WORKER_BIN") or (beside if os.path.exists(beside) else None)
    if given:
        return os.path.abspath(given)
    return cargo_build("line-connector-worker", ROOT, ["--package", "line-connector-worker"])


def guard():
    """Our binary as `instructions.py` counts it, built sooner than a release."""
    return cargo_build("line-connector", ROOT, ["--locked"], ("build", "--profile", "guard"))


def minimal(name="minimal"):
    """A floor; its own target folder, so that neither build waits for the other's lock."""
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    folder = os.path.join(target, "bench-minimal")
    return cargo_build(name, os.path.join(BENCHES, "minimal"), ["--locked", "--target-dir", folder])


def bench(name):
    """One of our benches as a program, which cargo builds as it builds releases."""
    return cargo_build(name, ROOT, ["--bench", name], ["bench", "--no-run"])


def cargo_build(name, folder, options, how=("build", "--release")):
    """Builds a package, in release if not told otherwise; the path that cargo gives for its binary."""
    if shutil.which("cargo") is None:
        raise Unavailable("cargo is not installed")
    print(f"building {name}", file=sys.stderr)
    command = ["cargo", *how, "--message-format=json-render-diagnostics", *options]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{name} does not build")
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == name:
            return message["executable"]
    raise Unavailable(f"cargo built no binary {name}")


def tool(name, package=None):
    """The path of a program, which root on Debian or Ubuntu gets installed if need be."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    package = package or name
    if shutil.which(name, path=places) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {package}", file=sys.stderr)
        for command in (["update"], ["install", "--yes", package]):
            subprocess.run(["apt-get", "-q", *command], check=False, stdout=subprocess.DEVNULL)
    found = shutil.which(name, path=places)
    if found is None:
        raise Unavailable(f"{name} is not installed; on Debian or Ubuntu: apt-get install {package}")
    return found


def runner_python(folder):
    """A Python that has Swimlane's runtime: RUNNER_PYTHON, or that of a new environment."""
    given = os.environ.get("RUNNER_PYTHON")
    if not given:
        print(f"installing {RUNNER}", file=sys.stderr)
        environment = os.path.join(folder, "venv")
        given = os.path.join(environment, "bin", "python")
        quietly([sys.executable, "-m", "venv", environment], "this Python makes no environments")
        install = [given, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS]
        quietly(install, f"pip cannot install {RUNNER}")
    quietly([given, "-c", "import connector_definition_runner"], f"{RUNNER} cannot be imported")
    return given


def split_assets(python, folder):
    """Writes each way to authenticate to a file of its own, as the other runtime has them."""
    manifest = os.path.join(ROOT, "manifest.yaml")
    quietly([python, "-c", SPLIT_ASSETS, manifest, folder], "it cannot read the manifest's assets")


def quietly(command, otherwise):
    """Runs a command that is a means only; its failure means that the peer is not measured."""
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise Unavailable(otherwise)


def action_file(name):
    """The file of an action, whichever family's folder holds it."""
    for folder, _, files in os.walk(os.path.join(ROOT, "actions")):
        if f"{name}.yaml" in files:
            return os.path.join(folder, f"{name}.yaml")
    raise Unavailable(f"there is no action file for {name}")

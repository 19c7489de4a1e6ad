"""LINE's own SDKs and MCP server, and ajv: pinned, and installed once into a folder beside the builds."""

import os
import shutil
import subprocess
import sys

from support import builds
from support.errors import Unavailable

FOLDER = os.path.join(builds.BENCHES, "peers")
NODE_SDK = ["@line/bot-sdk@11.2.0"]
PYTHON_SDK = ["line-bot-sdk==3.27.0"]
MCP_SERVER = ["@line/line-bot-mcp-server@0.5.0"]
AJV = ["ajv@8.20.0"]


def node():
    """The path of Node: the one that NODE names, or the one on the path."""
    found = os.environ.get("NODE") or shutil.which("node")
    if found is None:
        raise Unavailable("node is not installed")
    return os.path.realpath(found)


def node_modules(packages):
    """A folder in which Node finds these packages."""
    return installed(packages, npm_install)


def python(packages):
    """A Python that has these packages, those of PyPI."""
    return os.path.join(installed(packages, pip_install), "bin", "python")


def npm_install(packages, folder):
    """Installs from npm, running none of the packages' scripts (one of them fetches a browser)."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed")
    quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    command = [npm, "install", "--prefix", folder, *quiet, *packages]
    builds.quietly(command, f"npm cannot install {' '.join(packages)}")


def pip_install(packages, folder):
    """Installs from PyPI, into an environment of its own."""
    builds.quietly([sys.executable, "-m", "venv", folder], "this Python makes no environments")
    command = [os.path.join(folder, "bin", "python"), "-m", "pip", "install", "--quiet", *packages]
    builds.quietly(command, f"pip cannot install {' '.join(packages)}")


def installed(packages, install):
    """The folder of some packages. One of this name is whole: it gets it only when it is."""
    name = "+".join(packages).replace("/", "-").replace("@", "-").strip("-")
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(builds.ROOT, "target"))
    folder = os.path.join(os.path.abspath(target), "bench-peers", name)
    done = os.path.join(folder, "installed")
    if not os.path.exists(done):
        print(f"installing {' '.join(packages)}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        install(packages, folder)
        with open(done, "w", encoding="utf-8"):
            pass
    return folder


def version(command):
    """What a program says of its version, on one line."""
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]

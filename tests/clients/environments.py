"""Real clients, each in an environment of its own that is made once and kept.

An environment lies beside this project's own, under the hash of what is in it. Where a registry
cannot be reached the test is skipped, and says so.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PYTHON_CLIENTS = {
    "openai-0.28": ("openai==0.28.1", "numpy==2.4.6"),  # its Embedding wants numpy
    "openai": ("openai==3.54.0",),
    "langchain": ("langchain-openai==1.7.3",),
}
NODE_CLIENTS = {"openai-node": ("openai@6.49.0",)}

_PATIENCE = 240
_HERE = Path(sys.prefix) / "clients"


def python_of(name: str) -> Path:
    """The interpreter of a Python client's environment."""
    directory = _place(PYTHON_CLIENTS[name])
    python = directory / "bin" / "python"
    if not (directory / "ready").exists():
        shutil.rmtree(directory, ignore_errors=True)
        _make([sys.executable, "-m", "venv", str(directory)])
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _make([str(python), *install, *PYTHON_CLIENTS[name]])
        (directory / "ready").touch()
    return python


def node_modules_of(name: str) -> Path:
    """The folder that holds `node_modules` of a Node.js client."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js and npm are not installed")
    directory = _place(NODE_CLIENTS[name])
    if not (directory / "ready").exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        quiet = ("--silent", "--no-audit", "--no-fund", "--no-package-lock")
        soon = ("--fetch-timeout=20000", "--fetch-retries=1", "--fetch-retry-maxtimeout=5000")
        options = (*quiet, *soon, "--prefix", str(directory))
        _make(["npm", "install", *options, *NODE_CLIENTS[name]])
        (directory / "ready").touch()
    return directory


def _place(packages: tuple[str, ...]) -> Path:
    return _HERE / hashlib.sha256("\n".join(packages).encode()).hexdigest()[:16]


def _make(command: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - pip and npm, with names from the tables above
            command,
            env={name: text for name, text in os.environ.items() if not name.startswith("PYTHON")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{' '.join(command[-2:])} is not installed after {_PATIENCE} s")
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        pytest.skip(f"{' '.join(command[-2:])} cannot be installed here: {last}")

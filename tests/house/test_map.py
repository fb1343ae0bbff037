"""The map in `plugin/__init__.py` names every room, and each once."""

import re
from pathlib import Path

import plugin

ROOT = Path(plugin.__file__).parent


def _rooms() -> set[str]:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and _holds_code(path)}
    modules = {path.stem for path in ROOT.glob("*.py")} - {"__init__"}
    return folders | modules


def _holds_code(path: Path) -> bool:
    return not path.name.startswith((".", "__")) and any(path.iterdir())


def test_every_room_is_on_the_map_once() -> None:
    mapped = re.findall(r"^    (\w+) {2,}\S", plugin.__doc__ or "", flags=re.MULTILINE)
    assert sorted(mapped) == sorted(_rooms())

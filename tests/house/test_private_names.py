"""What is used of other packages beyond their documentation has one owner and an upper bound."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import plugin

ROOT = Path(plugin.__file__).parent
PROJECT = ROOT.parent / "pyproject.toml"

FASTAPI, UVICORN = "api/fastapi_private.py", "server/http/uvicorn_private.py"
_IMPORT = r"^\s*(?:from|import) +"

OWNERS = {
    _IMPORT + r"fastapi\.(_\w+|dependencies|datastructures|middleware\.asyncexitstack)\b": FASTAPI,
    r"\._type_adapter\b|\._embed_body_fields\b": FASTAPI,
    _IMPORT + r"uvicorn\.(protocols|server|config|_\w+)\b": UVICORN,
    _IMPORT + r"pydantic_core .*\bcore_schema\b": "operations/models.py",
    _IMPORT + r"(pydantic|pydantic_core|starlette)\._\w+": None,
    _IMPORT + r"pydantic_settings\.": None,
}
"""Names that are not documented, and the module that may use them; None for nobody."""


@pytest.mark.parametrize("names", OWNERS)
def test_private_names_have_one_owner(names: str) -> None:
    used = re.compile(names, re.MULTILINE)
    found = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if used.search(path.read_text("utf-8"))
    }
    assert found == ({OWNERS[names]} - {None})


def requirements() -> dict[str, Requirement]:
    listed = tomllib.loads(PROJECT.read_text("utf-8"))["project"]["dependencies"]
    found = [Requirement(one) for one in listed]
    return {one.name: one for one in found}


@pytest.mark.parametrize(
    "name", ["fastapi", "uvicorn", "pydantic", "pydantic-settings", "sqlalchemy"]
)
def test_what_is_reached_into_has_an_upper_bound(name: str) -> None:
    given = requirements()[name].specifier
    assert any(one.operator == "<" for one in given), f"{name} needs an upper bound"
    assert given.contains(version(name)), f"{name} {version(name)} was not tried: {given}"

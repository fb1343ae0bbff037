"""docs/auth.md names every rule, shows what works, and says the same in both languages."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from plugin.auth import jwks
from plugin.auth.compact import LONGEST
from plugin.auth.signatures import ALGORITHMS

ROOT = Path(__file__).parents[2]
DOCS = ("auth.md", "auth.zh.md")
RULE = re.compile(r"(?:Refused|NotStrict)\(\s*\"(\w+)\"|rule, reason = \"(\w+)\"")


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text(name), re.DOTALL)


def rules_of_the_code() -> set[str]:
    modules = (ROOT / "plugin" / "auth").glob("*.py")
    found = (RULE.findall(file.read_text("utf-8")) for file in modules)
    return {one or other for pairs in found for one, other in pairs} - {"jwks"}


@pytest.mark.parametrize("name", DOCS)
def test_every_rule_is_in_the_table(name: str) -> None:
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text(name), re.MULTILINE)
    listed = {rule for row in rows for rule in re.findall(r"\w+", row)}
    members = {"issuer", "audience", "algorithm", "key", "jwks_url"}
    assert listed - members == rules_of_the_code() - members
    assert members >= {"issuer", "audience", "algorithm", "key"} & rules_of_the_code()


@pytest.mark.parametrize("name", DOCS)
def test_the_figures_are_those_of_the_code(name: str) -> None:
    pace = jwks.Pace()
    assert (pace.shortest, pace.longest, pace.usual) == (10, 15 * 60, 5 * 60)
    assert (pace.patience, pace.cooldown, pace.retry, pace.stale) == (3, 5, 5, 60 * 60)
    assert f"{LONGEST:,}" in text(name)
    assert all(algorithm in text(name) for algorithm in ALGORITHMS)


def test_both_languages_show_the_same() -> None:
    for language in ("json", "python"):
        assert blocks(DOCS[0], language) == blocks(DOCS[1], language)


def test_what_is_shown_works(capsys: pytest.CaptureFixture[str]) -> None:
    import time

    from plugin.auth.jwt import FixedKey, Issuer, JwtAuth
    from plugin.auth.signatures import read_key
    from plugin.settings import Settings

    given: Any = [one for block in blocks(DOCS[0], "json") for one in json.loads(block)]
    _, ours = Settings.model_validate({"jwt_issuers": given}).jwt_issuers
    [example] = blocks(DOCS[0], "python")
    exec(example, {})  # noqa: S102 - the page's own lines, as a user runs them
    assert ours.key is not None
    keys = FixedKey(read_key(ours.key.get_secret_value(), ours.algorithm))
    issuer = Issuer(ours.issuer, ours.audience, ours.algorithm, keys)
    token = capsys.readouterr().out.strip().encode()
    caller = JwtAuth([issuer], ["todos:read", "todos:write"], time.time).caller(token)
    assert (caller.name, sorted(caller.scopes)) == ("ann", ["todos:read", "todos:write"])

"""`plugin auth-matrix`: our own service, and services of others with holes planted in them."""

from typing import Any

import pytest

from tests.harness.command import Command, command
from tests.harness.planted import SECURED, Planted, Service

MODULE = "tests.cli.harness.test_auth_matrix"
OUR_CASES = [
    *("no_key", "malformed", "unknown", "expired", "revoked", "jwt_expired", "jwt_wrong_issuer"),
    *("jwt_wrong_audience", "jwt_wrong_algorithm", "jwt_no_algorithm", "jwt_wrong_signature"),
    *("missing_scope", "jwt_missing_scope", "valid", "jwt_valid"),
]


class Guarded(Service):
    """A service of somebody else that knows one key."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] != "/openapi.json":
            key = dict(scope["headers"]).get(b"authorization", b"")
            self.planted = GRANTED if key == b"Bearer good-key-1234" else self.refusal

            async def challenged(message: Any) -> None:
                if message["type"] == "http.response.start" and self.challenge:
                    message["headers"] = [*message["headers"], (b"WWW-Authenticate", b"Bearer")]
                await send(message)

            await super().__call__(scope, receive, challenged)
            return
        await super().__call__(scope, receive, send)

    def __init__(self, refusal: Planted, *, challenge: bool = True) -> None:
        super().__init__(document=SECURED)
        self.refusal = refusal
        self.challenge = challenge


GRANTED = Planted(404, {"detail": "no such item"})
holds = Guarded(Planted(401, {"detail": "send a key"}))
is_open = Guarded(Planted(200))
crashes = Guarded(Planted(500, {"detail": "KeyError"}))
says_nothing = Guarded(Planted(401, {"detail": "send a key"}), challenge=False)
forgets = Guarded(Planted(403, {"detail": "send a key"}))


@pytest.fixture
def matrix(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    return command(monkeypatch, capfdbinary, "auth-matrix")


def test_our_own_service_holds(matrix: Command, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("PLUGIN_DATA_DIR", str(tmp_path / "data"))
    ran = matrix("--json")
    failed = [line for line in ran.lines if line["outcome"] != "passed"]
    assert (ran.code, failed) == (0, [])
    cases: dict[str, list[str]] = {}
    for line in ran.lines:
        cases.setdefault(line["operation"], []).append(line["case"])
    assert {"add_todo", "list_todos", "get_current_weather", "upsert_documents"} <= cases.keys()
    for found in cases.values():
        assert found[: len(OUR_CASES)] == OUR_CASES
    checks = {check["check"] for line in ran.lines for check in line["checks"]}
    assert {"status", "challenge", "readable", "no_secret", "no_effect", "let_in"} == checks
    added = next(
        one
        for one in ran.lines
        if (one["operation"], one["case"]) == ("add_todo", "duplicate_parallel")
    )
    assert added["statuses"] == [201, 201]
    assert not (tmp_path / "data").exists()


def test_what_people_read(matrix: Command) -> None:
    ran = matrix("--app", f"{MODULE}:holds", "--key", "good-key-1234")
    assert ran.code == 0
    assert ran.out.startswith("Every key that must not open anything was refused\n")
    assert "3 of 3" in ran.out
    assert "404 + 404" in ran.out
    ran = matrix("--app", f"{MODULE}:is_open")
    assert ran.code == 1
    assert "18 of 18 attempts went wrong" in ran.out
    assert "status: 200 OK; expected 401 or 403" in ran.out


@pytest.mark.parametrize(
    ("service", "check"),
    [("is_open", "status"), ("crashes", "status"), ("says_nothing", "challenge")],
)
def test_holes_of_others(matrix: Command, service: str, check: str) -> None:
    ran = matrix("--app", f"{MODULE}:{service}", "--json")
    assert ran.code == 1
    for line in ran.lines:
        assert line["outcome"] == "failed"
        assert [one["check"] for one in line["checks"] if not one["ok"]] == [check]


def test_keys_that_are_given(matrix: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGIN_REVOKED_KEY", "revoked-key-1234")
    arguments = ("--app", f"{MODULE}:holds", "--key", "good-key-1234", "--json")
    more = ("--narrow-key", "narrow-key-1234", "--credential", "jwt_wrong_issuer=eyJh.e30.x=")
    ran = matrix(*arguments, *more)
    found = {line["case"]: line for line in ran.lines if line["operation"] == "get_item"}
    assert list(found) == [
        *("no_key", "malformed", "unknown", "revoked", "missing_scope", "jwt_wrong_issuer"),
        "valid",
    ]
    assert found["missing_scope"]["expected"] == [403]
    assert found["missing_scope"]["outcome"] == "failed", "401 is not the word for it"
    assert found["jwt_wrong_issuer"]["outcome"] == "passed"
    for secret in ("good-key-1234", "revoked-key-1234", "narrow-key-1234", "eyJh"):
        assert secret not in ran.out + ran.err


def test_403_for_everybody_is_a_refusal(matrix: Command) -> None:
    assert matrix("--app", f"{MODULE}:forgets", "--json").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--app", "a:b", "--url", "http://localhost:1"], "--app and --url exclude each other"),
        (["--key", "x"], "this service gets keys of its own"),
        (["--app", "a:b", "--credential", "odd"], "--credential: expected CASE=TEXT"),
        (["--url", "https://example.com"], "example.com is not this machine; --allow-host"),
        (["gone.jsonl", "--app", f"{MODULE}:holds"], "cannot read gone.jsonl"),
    ],
)
def test_what_cannot_run_says_so_in_one_line(
    matrix: Command, arguments: list[str], says: str
) -> None:
    ran = matrix(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert ran.err.count("\n") == 1

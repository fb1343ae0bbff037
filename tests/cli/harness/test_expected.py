"""`plugin replay --record` and `--expect`, from the arguments to the exit code."""

import json
from pathlib import Path

import pytest

from tests.harness.command import Command, command
from tests.harness.planted import Planted, Service

MODULE = "tests.cli.harness.test_expected"
DOCS = Path(__file__).parents[3] / "docs"
CALLS = (
    b'{"calls": [{"name": "get_item", "arguments": {"id": 1}}]}\n'
    b'{"calls": [{"name": "add_item", "arguments": "{\\"name\\": \\"x\\"}"}]}\n'
)

one = Service()
other = Service(Planted(body={"id": 1, "name": "two"}))
renamed = Service(document={**one.document, "paths": {"/none": {}}})


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    return command(monkeypatch, capfdbinary, "replay")


@pytest.fixture
def recorded(replay: Command, tmp_path: Path) -> Path:
    file = tmp_path / "recorded.jsonl"
    ran = replay("-", "--app", f"{MODULE}:one", "--record", file, "--json", stdin=CALLS)
    assert len(ran.lines) == 2
    assert list(tmp_path.iterdir()) == [file], "no unfinished file is left"
    assert file.stat().st_mode & 0o077 == 0
    return file


def test_record_then_expect(replay: Command, recorded: Path) -> None:
    ran = replay("-", "--app", f"{MODULE}:one", "--expect", recorded, "--json", stdin=CALLS)
    for line in ran.lines:
        (check,) = [check for check in line["checks"] if check["check"] == "expectation"]
        assert check["ok"]
    assert ran.err == ""


def test_a_recording_is_a_transcript_of_its_own(replay: Command, recorded: Path) -> None:
    ran = replay(recorded, "--app", f"{MODULE}:one", "--expect", recorded, "--json")
    assert [line["row"] for line in ran.lines] == [1, 2]
    assert all(check["ok"] for check in ran.lines[0]["checks"])


def test_another_answer_fails(replay: Command, recorded: Path) -> None:
    arguments = ("-", "--app", f"{MODULE}:other", "--expect", recorded)
    ran = replay(*arguments, stdin=CALLS)
    assert ran.code == 1
    assert 'expectation: /name: recorded "one", got "two"' in ran.out
    ran = replay(*arguments, "--mask", "/name", "--json", stdin=CALLS)
    assert ran.lines[0]["outcome"] == "passed"


def test_a_stale_recording_fails_loudly(replay: Command, recorded: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    arguments = ("-", "--app", f"{MODULE}:renamed", "--expect", recorded, "--junit", report)
    ran = replay(*arguments, "--json", stdin=CALLS)
    assert ran.code == 1
    assert {line["outcome"] for line in ran.lines} == {"service_broke_contract"}
    for line in ran.lines:
        (check,) = line["checks"]
        assert check["check"] == "stale"
        assert "any more; the recording is stale: record it again" in check["message"]
    assert report.read_text().count("<failure") == 2


def test_answers_for_calls_that_did_not_come(replay: Command, recorded: Path) -> None:
    first = CALLS.splitlines()[0]
    ran = replay("-", "--app", f"{MODULE}:one", "--expect", recorded, "--json", stdin=first)
    assert ran.code == 0
    assert ran.err == "note: 1 recorded answers are for calls that did not come\n"


def test_our_own_service_answers_as_before(
    replay: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGIN_DATA_DIR", str(tmp_path / "data"))
    file = tmp_path / "recorded.jsonl"
    replay(DOCS / "calls.jsonl", "--record", file, "--json")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) > 8
    assert rows[0]["expect"][0]["masks"] == ["/id", "/created_at"]
    ran = replay(DOCS / "calls.jsonl", "--expect", file, "--json")
    failed = [line for line in ran.lines if line["outcome"] == "service_broke_contract"]
    assert failed == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--record", "a", "--expect", "b"], "--record and --expect exclude each other"),
        (["--mask", "/a"], "--mask says what --record or --expect is to leave out"),
        (["--record", "a", "--mutate"], "--mutate makes other calls each time"),
        (["--record", "missing/a"], "cannot write missing/a"),
        (["--expect", "missing"], "cannot read missing: No such file or directory; make it with"),
        (["--expect", "empty"], "empty holds no recorded answers; make some with --record"),
        (["--expect", "broken"], "broken line 2 is not JSON"),
    ],
)
def test_what_cannot_run_says_so_in_one_line(
    replay: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").write_text("")
    Path("broken").write_text("{}\n{\n")
    ran = replay("-", "--app", f"{MODULE}:one", *arguments, "--json", stdin=CALLS)
    assert ran.code == 2
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert not Path("a").exists()

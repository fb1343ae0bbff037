"""`plugin replay`, from its arguments to its exit code."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.harness.command import Command, command
from tests.harness.planted import DOCUMENT

APPLICATIONS = "tests.harness.applications"
GOOD = ("get_item", '{"id": 1}')
WRONG = ("get_item", '{"id": "1"}')
KEY = "plugin_planted_secret_key"


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Command:
    monkeypatch.delenv("PLUGIN_KEY", raising=False)
    return command(monkeypatch, capsysbinary, "replay")


def recorded(*calls: tuple[str, Any]) -> bytes:
    """One recording, a line, for each call."""
    rows = [{"calls": [{"name": name, "arguments": arguments}]} for name, arguments in calls]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def outcomes(lines: list[Any]) -> list[str]:
    return [line.get("outcome", "unreadable") for line in lines]


def test_json_lines_are_as_they_are_promised(replay: Command) -> None:
    data = recorded(GOOD, WRONG, ("nothing", "{}"), ("get_by_name", {"name": ".."})) + b"oops\n"
    ran = replay("-", "--app", f"{APPLICATIONS}:good", "--json", stdin=data)
    assert (ran.code, ran.err) == (1, "")
    good, wrong, unknown, inexpressible, unreadable = ran.lines
    milliseconds = good.pop("milliseconds")
    assert isinstance(milliseconds, float)
    names = ["status", "content_type", "schema", "error_shape", "size", "time", "accepted"]
    assert good == {
        "row": 1,
        "reply": 0,
        "call": 0,
        "operation": "get_item",
        "outcome": "passed",
        "faults": [],
        "repairs": [],
        "status": 200,
        "checks": [{"check": name, "ok": True, "message": ""} for name in names],
    }
    assert (wrong["outcome"], wrong["status"]) == ("call_was_wrong", 200)
    (fault,) = wrong["faults"]
    assert fault.keys() == {"fault", "pointer", "message"}
    assert (fault["fault"], fault["pointer"]) == ("number_as_string", "/id")
    assert (unknown["operation"], unknown["outcome"]) == (None, "call_was_wrong")
    assert (unknown["status"], unknown["milliseconds"], unknown["checks"]) == (None, None, [])
    assert inexpressible["outcome"] == "not_sent"
    assert inexpressible["reason"].startswith("HTTP cannot carry it")
    assert unreadable.keys() == {"row", "error"}
    assert unreadable["row"] == 5


@pytest.mark.parametrize(
    ("application", "calls", "expected", "code"),
    [
        ("good", [GOOD], ["passed"], 0),
        ("make", [GOOD], ["passed"], 0),
        ("good", [], [], 0),
        ("good", [GOOD, WRONG], ["passed", "call_was_wrong"], 1),
        ("missing_property", [GOOD], ["service_broke_contract"], 1),
        ("good", [GOOD, ("get_by_name", {"name": ".."})], ["passed", "not_sent"], 0),
        ("good", [("get_by_name", {"name": ".."})], ["not_sent"], 1),
    ],
)
def test_exit_codes(
    replay: Command, application: str, calls: list[Any], expected: list[str], code: int
) -> None:
    target = f"{APPLICATIONS}:{application}"
    ran = replay("-", "--app", target, "--json", stdin=recorded(*calls))
    assert (outcomes(ran.lines), ran.code) == (expected, code)
    assert replay("-", "--app", target, stdin=recorded(*calls)).code == code


def test_this_service_on_a_database_of_its_own(
    replay: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGIN_DATA_DIR", str(tmp_path / "data"))
    calls = [
        ("add_todo", {"text": "Buy milk"}),
        ("list_todos", ""),
        ("add_todo", {"text": "Buy milk", "when": "now"}),
        ("complete_todo", "{"),
    ]
    ran = replay("-", "--json", stdin=recorded(*calls))
    assert outcomes(ran.lines) == ["passed", "passed", "call_was_wrong", "call_was_wrong"]
    assert [line["status"] for line in ran.lines] == [201, 200, 422, None]
    assert not (tmp_path / "data").exists(), "the throw-away database is elsewhere"


def test_junit(replay: Command, tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    data = recorded(GOOD, WRONG, ("get_by_name", {"name": ".."}), ("\x1b[31m", "{}")) + b"oops\n"
    ran = replay("-", "--app", f"{APPLICATIONS}:good", "--junit", file, stdin=data)
    assert ran.code == 1
    suites = ET.parse(file).getroot()  # noqa: S314 - it is our own
    counted = {
        suite.get("name"): [suite.get(key) for key in ("tests", "failures", "errors", "skipped")]
        for suite in suites
    }
    assert counted == {
        "get_item": ["2", "1", "0", "0"],
        "get_by_name": ["1", "0", "0", "1"],
        "\ufffd[31m": ["1", "1", "0", "0"],
        "transcript": ["1", "0", "1", "0"],
    }


def test_junit_that_cannot_be_written(replay: Command, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "report.xml"
    ran = replay("-", "--app", f"{APPLICATIONS}:good", "--junit", file, stdin=recorded(GOOD))
    assert ran.code == 2
    assert ran.err.startswith(f"error: cannot write {file}")
    assert ran.err.count("\n") == 1


def test_what_people_read(replay: Command) -> None:
    ran = replay("-", "--app", f"{APPLICATIONS}:missing_property", stdin=recorded(GOOD, WRONG))
    assert "The service broke its contract in 2 calls" in ran.out
    assert 'schema: the body: "name" is a required property' in ran.out
    ran = replay("-", "--app", f"{APPLICATIONS}:good", stdin=recorded(("\x1b]0;x\x07", "{}")))
    assert ran.out.startswith("Nothing was sent; 1 call was wrong.")
    assert "\\x1b]0;x\\x07" in ran.out
    assert "\x1b" not in ran.out


@pytest.mark.parametrize(
    ("limit", "check"), [("--max-characters=5", "size"), ("--max-seconds=0", "time")]
)
def test_the_limits(replay: Command, limit: str, check: str) -> None:
    target = f"{APPLICATIONS}:good"
    (line,) = replay("-", "--app", target, limit, "--json", stdin=recorded(GOOD)).lines
    assert line["outcome"] == "service_broke_contract"
    assert [one["check"] for one in line["checks"] if not one["ok"]] == [check]
    assert line["status"] == 200


def test_a_document_beside_the_service(replay: Command, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(DOCUMENT))
    arguments = ("-", "--app", f"{APPLICATIONS}:without_document", "--json")
    ran = replay(*arguments, stdin=recorded(GOOD))
    assert (ran.code, ran.out) == (2, "")
    assert "it is no OpenAPI document" in ran.err
    ran = replay(*arguments, "--openapi", document, stdin=recorded(GOOD))
    assert [(line["status"], line["outcome"]) for line in ran.lines] == [(404, "passed")]


@pytest.mark.parametrize("how", ["--json", "--junit", ""])
@pytest.mark.parametrize("application", ["answers_with_the_key", "raises_with_the_key"])
def test_the_key_is_in_no_output(
    replay: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    application: str,
    how: str,
) -> None:
    file = tmp_path / "report.xml"
    more = [how, str(file)] if how == "--junit" else [how] if how else []
    target = ["-", "--app", f"{APPLICATIONS}:{application}"]
    by_option = replay(*target, "--key", KEY, *more, stdin=recorded(GOOD))
    monkeypatch.setenv("PLUGIN_KEY", KEY)
    for ran in (by_option, replay(*target, *more, stdin=recorded(GOOD))):
        assert ran.code == 1
        written = file.read_text() if file.exists() else ""
        everything = ran.out + ran.err + written
        assert KEY not in everything
        assert "[the key]" in everything, "the service did give it away"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--app", "nonsense"], "--app nonsense: expected module:attribute"),
        (["--app", "no.such.module:app"], "--app no.such.module:app: ModuleNotFoundError"),
        (["--app", f"{APPLICATIONS}:gone"], f"--app {APPLICATIONS}:gone: AttributeError"),
        (["--app", f"{APPLICATIONS}:NOT_AN_APPLICATION"], "is dict, not an application"),
        (["--app", f"{APPLICATIONS}:make_or_raise"], "ValueError: no database here"),
        (["--app", f"{APPLICATIONS}:fails_to_start"], "the application did not start: no database"),
        (["--app", "a:b", "--url", "http://localhost:1"], "--app and --url exclude each other"),
        (["--url", "https://example.com"], "example.com is not this machine; --allow-host"),
        (["--url", "nonsense"], "nonsense is no address"),
        (["--url", "http://127.0.0.1:1"], "nothing answers at http://127.0.0.1:1"),
        (["--openapi", "gone.yaml"], "cannot read gone.yaml"),
    ],
)
def test_what_cannot_run_says_so_in_one_line(
    replay: Command, arguments: list[str], says: str
) -> None:
    ran = replay("-", *arguments, "--json", stdin=recorded(GOOD))
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") == 1


def test_a_file_of_calls_that_is_not_there(replay: Command) -> None:
    ran = replay("gone.jsonl", "--app", f"{APPLICATIONS}:good", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "error: cannot read gone.jsonl: No such file or directory;"
        " give a file of recorded calls, or -\n"
    )


# -- over HTTP -------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    """Answers every request well, and remembers it."""

    seen: list[tuple[str, str, str | None]]

    def do_GET(self) -> None:
        self._answer(200)

    def do_POST(self) -> None:
        self._answer(201)

    def _answer(self, status: int) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        is_document = self.path == "/base/openapi.json"
        if not is_document:
            self.seen.append((self.command, self.path, self.headers.get("authorization")))
        content = json.dumps(DOCUMENT if is_document else {"id": 1, "name": "x"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A running service, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str | None]] = []
        super().__init__(("127.0.0.1", 0), type("Handler", (_Handler,), {"seen": self.seen}))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/base"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_running_service(replay: Command, server: Server) -> None:
    data = recorded(GOOD, ("add_item", {"name": "x"}))
    ran = replay("-", "--url", server.url + "/", "--key", KEY, "--json", stdin=data)
    assert outcomes(ran.lines) == ["passed", "not_sent"]
    assert "--allow-consequential" in ran.lines[1]["reason"]
    assert server.seen == [("GET", "/base/items/1", f"Bearer {KEY}")]
    assert ran.code == 0

    ran = replay("-", "--url", server.url, "--allow-consequential", "--json", stdin=data)
    assert outcomes(ran.lines) == ["passed", "passed"]
    assert server.seen[1:] == [("GET", "/base/items/1", None), ("POST", "/base/items", None)]


def test_a_service_that_is_not_there_is_blamed_for_nothing(replay: Command, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(DOCUMENT))
    ran = replay(
        *("-", "--url", "http://127.0.0.1:9", "--openapi", document, "--json"),
        stdin=recorded(GOOD),
    )
    assert (ran.code, ran.out) == (2, "")
    assert "start the service" in ran.err

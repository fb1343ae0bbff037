"""The middleware in front of applications, good and odd; the file that it writes."""

import asyncio
import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from plugin.contract.requests.request import Request
from plugin.errors import CannotRun
from plugin.harness.asgi import Application, AsgiService
from plugin.harness.exchange import Response, Unreachable
from plugin.harness.recording.masking import Masker
from plugin.harness.recording.recorded_reply import Body
from plugin.harness.recording.recorder import RecordCalls, Recorder
from plugin.harness.recording.row_file import RowFile, RowTooLarge
from tests.harness.planted import DOCUMENT, SECURED, Planted, Service
from tests.harness.recordings import replies

JSON = (("content-type", "application/json"), ("authorization", "Bearer hunter2"))


def rows(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text().splitlines()]


async def ask(application: Application, method: str, target: str, body: bytes = b"") -> Response:
    path, _, query = target.partition("?")
    async with AsgiService(application) as service:
        return await service.send(Request(method, path, query, JSON, body))


async def test_a_call_and_its_answer(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    answer = {"id": 9, "name": "alice@corp.io", "token": "hunter2"}
    application = RecordCalls(Service(Planted(201, answer)), file)
    body = json.dumps({"name": "alice@corp.io", "password": "hunter2"}).encode()
    response = await ask(application, "POST", "/items", body)
    assert json.loads(response.body) == answer, "what is answered is not touched"
    (row,) = rows(file)
    assert row["calls"] == [
        {
            "id": None,
            "name": "add_item",
            "arguments": {"name": "user1@example.com", "password": "masked-1"},
        }
    ]
    (expected,) = row["expect"]
    assert expected["status"] == 201
    assert expected["body"] == {"id": 9, "name": "user1@example.com", "token": "masked-1"}
    assert set(expected["masks"]) == {"/id", "/name", "/token"}
    assert row["contract"]["add_item"]["route"] == "POST /items"
    assert "hunter2" not in file.read_text()
    (reply,) = replies(row)
    assert reply.format == "calls"


async def test_one_line_of_middleware(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    app = FastAPI()

    @app.get("/items/{item_id}")
    async def get_item(item_id: int, color: str = "red") -> dict[str, Any]:
        return {"item_id": item_id, "color": color}

    app.add_middleware(RecordCalls, path=file)
    assert (await ask(app, "GET", "/items/7?color=blue&x=1")).status == 200
    assert (await ask(app, "GET", "/items/seven")).status == 422
    assert (await ask(app, "GET", "/openapi.json")).status == 200
    assert (await ask(app, "GET", "/nothing")).status == 404
    found = [(row["calls"][0]["arguments"], row["expect"][0]["status"]) for row in rows(file)]
    assert found == [({"item_id": 7, "color": "blue", "x": "1"}, 200), ({"item_id": "seven"}, 422)]
    assert rows(file)[0]["expect"][0] == {
        "status": 200,
        "body": {"item_id": 7, "color": "blue"},
        "masks": [],
    }


async def test_streams_pass_piece_by_piece_and_the_row_is_there_before_the_end(
    tmp_path: Path,
) -> None:
    file = tmp_path / "calls.jsonl"
    seen: list[tuple[bytes, int]] = []

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (b"one", b"two"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        if "body" in message:
            seen.append((message["body"], len(rows(file))))

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    recorded = RecordCalls(application, file, openapi=DOCUMENT)
    scope = {"type": "http", "method": "GET", "path": "/items/1", "headers": []}
    await recorded(scope, receive, send)
    assert seen == [(b"one", 0), (b"two", 0), (b"", 1)]
    assert rows(file)[0]["expect"] == [{"status": 200, "text": "onetwo", "masks": []}]


@pytest.mark.parametrize("openapi", ["path", "mapping"])
async def test_a_document_beside_the_application(tmp_path: Path, openapi: str) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(DOCUMENT))
    service = Service(document={"detail": "none"})
    given = document if openapi == "path" else DOCUMENT
    await ask(RecordCalls(service, tmp_path / "x", openapi=given), "GET", "/items/1")
    assert len(rows(tmp_path / "x")) == 1


async def test_an_application_without_a_document_works_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/openapi.json":
            raise RuntimeError("no such page")
        await Service()(scope, receive, send)

    recorded = RecordCalls(application, tmp_path / "x")
    for _ in range(2):
        scope = {"type": "http", "method": "GET", "path": "/items/1", "headers": []}
        statuses: list[int] = []

        async def send(message: Any, into: list[int] = statuses) -> None:
            into.append(message.get("status", 0))

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        await recorded(scope, receive, send)
        assert statuses[0] == 200
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("nothing is recorded: no contract was found (no such page); give")


async def test_what_is_too_large_is_passed_on(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    large = Service(Planted(201, {"id": 1, "name": "x" * 50_000}))
    application = RecordCalls(large, file, openapi=DOCUMENT, limit=20_000)
    assert len((await ask(application, "POST", "/items", b'{"name": "a"}')).body) > 50_000
    assert rows(file)[0]["expect"] == [{"status": 201, "masks": []}]
    await ask(application, "POST", "/items", json.dumps({"name": "x" * 30_000}).encode())
    assert len(rows(file)) == 1


async def test_an_application_that_raises_raises_on(tmp_path: Path) -> None:
    broken = Service(Planted(raises=RuntimeError("broken")))
    with pytest.raises(Unreachable, match="broken"):
        await ask(RecordCalls(broken, tmp_path / "x", openapi=DOCUMENT), "GET", "/items/1")
    assert rows(tmp_path / "x") == []


@pytest.mark.parametrize(("document", "count"), [(SECURED, 0), (DOCUMENT, 1)])
async def test_who_was_turned_away_has_called_nothing(
    tmp_path: Path, document: dict[str, Any], count: int
) -> None:
    refusing = RecordCalls(
        Service(Planted(401, {"detail": "no"})), tmp_path / "x", openapi=document
    )
    await ask(refusing, "GET", "/items/1")
    assert len(rows(tmp_path / "x")) == count


async def test_packed_answers_are_read(tmp_path: Path) -> None:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"Content-Encoding", b"gzip")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": gzip.compress(b'{"name": "x"}')})

    recorded = RecordCalls(application, tmp_path / "x", openapi=DOCUMENT)
    await ask(recorded, "GET", "/items/1")
    assert rows(tmp_path / "x")[0]["expect"][0]["body"] == {"name": "x"}


async def test_a_full_disk_does_not_break_the_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorded = RecordCalls(Service(), tmp_path / "x", openapi=DOCUMENT)

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    assert (await ask(recorded, "GET", "/items/1")).status == 200
    assert "a call of get_item was not recorded: [Errno 28]" in caplog.text


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="cannot write"):
        RecordCalls(Service(), tmp_path / "missing" / "x")
    with pytest.raises(CannotRun, match="cannot read"):
        RecordCalls(Service(), tmp_path / "x", openapi=tmp_path / "gone.yaml")


async def test_calls_beside_each_other(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    application = RecordCalls(Service(Planted(seconds=0.01)), file, openapi=DOCUMENT)
    async with AsgiService(application) as service:
        asked = [Request("GET", f"/items/{number + 1}", "", (), b"") for number in range(40)]
        await asyncio.gather(*map(service.send, asked))
    assert sorted(row["calls"][0]["arguments"]["id"] for row in rows(file)) == list(range(1, 41))


# -- the file --------------------------------------------------------------------------------------


def test_rows_of_several_writers_stay_whole(tmp_path: Path) -> None:
    file = tmp_path / "rows"
    writers = [RowFile(file, 1_000_000) for _ in range(4)]

    def write(writer: RowFile, number: int) -> None:
        for at in range(50):
            writer.append({"writer": number, "at": at, "text": "x" * 9_000})

    threads = [
        threading.Thread(target=write, args=(writer, number))
        for number, writer in enumerate(writers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = rows(file)
    assert len(found) == 200
    for number in range(4):
        assert [row["at"] for row in found if row["writer"] == number] == list(range(50))


def test_a_row_after_one_that_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    file = tmp_path / "rows"
    writer, real = RowFile(file, 1_000), os.write
    monkeypatch.setattr("os.write", lambda handle, data: real(handle, data[:5]))
    with pytest.raises(OSError, match="took 5 of"):
        writer.append({"first": 1})
    monkeypatch.undo()
    writer.append({"second": 2})
    assert file.read_text() == '{"fir\n{"second":2}\n'
    with pytest.raises(RowTooLarge):
        writer.append("x" * 1_000)
    assert file.stat().st_mode & 0o077 == 0


def test_the_recorder_loses_a_row_rather_than_a_reply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(RowFile(tmp_path / "rows", 200), Masker())
    reply = {"type": "message", "stop_reason": "end_turn", "content": []}
    recorder.reply("/", Body(b"{}"), Body(json.dumps(reply).encode()))
    large = {**reply, "content": [{"type": "text", "text": "x" * 300}]}
    recorder.reply("/", Body(b"{}"), Body(json.dumps(large).encode()))
    monkeypatch.setattr("plugin.harness.recording.recorder.make_row", lambda *_: 1 / 0)
    recorder.reply("/", Body(b"{}"), Body(b"{}"))
    assert recorder.recorded == 1
    assert recorder.left_out == {
        "it is larger than 200 bytes": 1,
        "it could not be read (ZeroDivisionError)": 1,
    }

import errno
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from plugin.settings import Settings
from tests.openai_schema import assert_reply

OnDisk = Callable[[], list[str]]

LINES = b'{"prompt": "a", "completion": "b"}\n'


def upload(call: Any, content: Any = b"any", name: str = "notes.txt", **form: Any) -> Any:
    data = {"purpose": "user_data"} | form
    return call("POST", "/v1/files", files={"file": (name, content)}, data=data)


def kept(call: Any, content: Any = b"any", name: str = "notes.txt", **form: Any) -> dict[str, Any]:
    reply = upload(call, content, name, **form)
    assert reply.status_code == 200, reply.text
    made: dict[str, Any] = assert_reply("/v1/files", "POST", 200, reply.content)
    return made


def refused(reply: Any, status: int, words: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    error: dict[str, Any] = assert_reply("/v1/files", "POST", status, reply.content)["error"]
    assert words in error["message"]
    return error


@pytest.fixture
def on_disk(settings: Settings) -> OnDisk:
    """Return the files that came since the test began; the tests of this module share a folder."""
    folder = settings.data_dir / "files"

    def now() -> set[str]:
        return {path.name for path in folder.iterdir()} if folder.exists() else set()

    before = now()
    return lambda: sorted(now() - before)


def test_a_file_is_kept_listed_read_and_deleted(call: Any, on_disk: OnDisk) -> None:
    made = kept(call, LINES, "train.jsonl", purpose="fine-tune")
    assert made == {
        **made,
        "object": "file",
        "bytes": len(LINES),
        "filename": "train.jsonl",
        "purpose": "fine-tune",
        "status": "processed",
    }
    assert made["id"].startswith("file-")
    path = f"/v1/files/{made['id']}"
    assert assert_reply(path, "GET", 200, call("GET", path).content) == made
    listed = assert_reply("/v1/files", "GET", 200, call("GET", "/v1/files").content)
    assert listed["data"] == [made]
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (
        *(made["id"], made["id"]),
        False,
    )
    content = call("GET", f"{path}/content")
    assert content.content == LINES
    assert content.headers["content-type"] == "application/octet-stream"
    assert content.headers["x-content-type-options"] == "nosniff"
    assert content.headers["content-disposition"] == 'attachment; filename="train.jsonl"'

    gone = assert_reply(path, "DELETE", 200, call("DELETE", path).content)
    assert gone == {"id": made["id"], "object": "file", "deleted": True}
    assert on_disk() == []
    for method, where in (("GET", path), ("GET", f"{path}/content"), ("DELETE", path)):
        refused(call(method, where), 404, "No such File object")
    empty = assert_reply("/v1/files", "GET", 200, call("GET", "/v1/files").content)
    assert empty["data"] == []


def test_another_callers_file_is_not_there(call_as: Any) -> None:
    one, other = call_as("one"), call_as("other")
    path = f"/v1/files/{kept(one)['id']}"
    for method, where in (("GET", path), ("GET", f"{path}/content"), ("DELETE", path)):
        refused(other(method, where), 404, "No such File object")
    assert other("GET", "/v1/files").json()["data"] == []
    assert one("GET", f"{path}/content").content == b"any"


def test_scopes_divide_reading_from_writing(call_as: Any) -> None:
    reader, writer = call_as("reader", "files:read"), call_as("writer", "files:write")
    made = kept(writer)
    assert reader("GET", "/v1/files").status_code == 200
    refused(upload(reader), 403, "files:write")
    refused(writer("GET", f"/v1/files/{made['id']}/content"), 403, "files:read")


def test_lists_go_on_behind_a_file_even_a_deleted_one(call: Any) -> None:
    ids = [kept(call, name=f"{number}.txt")["id"] for number in range(5)]
    seen: list[str] = []
    query = "limit=2"
    while True:
        page = call("GET", f"/v1/files?{query}").json()
        seen += [one["id"] for one in page["data"]]
        for name in seen[-2:]:
            call("DELETE", f"/v1/files/{name}")
        if not page["has_more"]:
            break
        query = f"limit=2&after={page['last_id']}"
    assert seen == ids[::-1]


def test_lists_by_purpose_and_order(call: Any) -> None:
    first = kept(call)["id"]
    second = kept(call, LINES, purpose="fine-tune")["id"]
    third = kept(call)["id"]

    def listed(query: str) -> list[str]:
        return [one["id"] for one in call("GET", f"/v1/files?{query}").json()["data"]]

    assert listed("order=asc") == [first, second, third]
    assert listed(f"order=asc&after={first}") == [second, third]
    assert listed("purpose=fine-tune") == [second]
    assert listed("purpose=nothing-such") == []
    refused(call("GET", "/v1/files?limit=0"), 400, "limit")
    refused(call("GET", "/v1/files?order=up"), 400, "order")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\secret\\notes.txt", "notes.txt"),
        ("..", "file"),
        ("报告 2026.jsonl", "报告 2026.jsonl"),
        ("x" * 10_000 + ".jsonl", "x" * 249 + ".jsonl"),
        ("a\u202etxt.exe", "atxt.exe"),
    ],
)
def test_names_hold_no_path_and_nothing_unprintable(call: Any, name: str, shown: str) -> None:
    made = kept(call, name=name)
    assert made["filename"] == shown
    disposition = call("GET", f"/v1/files/{made['id']}/content").headers["content-disposition"]
    assert disposition.startswith('attachment; filename="')
    assert disposition.isprintable()
    assert disposition.isascii()


def test_control_characters_never_reach_a_header(call: Any) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\x01\t\\"b;\x7f.txt"\r\n'
        b"\r\nhello\r\n--x--\r\n"
    )
    sent = {"content-type": "multipart/form-data; boundary=x"}
    made = call("POST", "/v1/files", content=body, headers=sent).json()
    assert made["filename"] == 'a"b;.txt'
    answer = call("GET", f"/v1/files/{made['id']}/content")
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"a'b;.txt\"; filename*=UTF-8''a%22b%3B.txt"
    )


def test_the_same_name_twice_is_two_files(call: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: kept(call, b"%d" % n, "same.txt"), range(16)))
    assert len({one["id"] for one in made}) == 16
    for number, one in enumerate(made):
        assert call("GET", f"/v1/files/{one['id']}/content").content == b"%d" % number


def test_bad_lines_are_named_and_nothing_is_kept(call: Any, on_disk: OnDisk) -> None:
    content = b'{"prompt": "a", "completion": "b"}\n\n{"prompt": 1}\n{'
    error = refused(upload(call, content, purpose="fine-tune"), 400, "line 3: prompt must be")
    assert "line 4: not JSON" in error["message"]
    assert error["param"] == "file"
    assert on_disk() == []
    assert call("GET", "/v1/files").json()["data"] == []


def test_an_empty_file_is_refused(call: Any, on_disk: OnDisk) -> None:
    refused(upload(call, b""), 400, "the file is empty")
    assert on_disk() == []


def test_the_limit_is_that_of_the_file_not_of_the_form(
    call: Any, settings: Settings, on_disk: OnDisk
) -> None:
    limit = settings.file_limit
    assert kept(call, b"x" * limit)["bytes"] == limit
    refused(upload(call, b"x" * (limit + 1)), 413, f"{limit} bytes at most")
    refused(upload(call, b"x" * (limit + 2_000_000)), 413, "bytes at most")
    assert len(on_disk()) == 1


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"purpose": "world peace"}, "purpose"),
        ({"purpose": "user_data", "colour": "red"}, "colour"),
        ({"purpose": "user_data", "expires_after[anchor]": "never"}, "expires_after"),
        (
            {"expires_after[anchor]": "created_at", "expires_after[seconds]": "59"},
            "expires_after",
        ),
    ],
)
def test_wrong_fields_are_named(call: Any, form: dict[str, str], param: str) -> None:
    assert refused(upload(call, **form), 400, "")["param"] == param


def test_forms_that_are_none_are_refused(call: Any, on_disk: OnDisk) -> None:
    def send(body: bytes, kind: str = "multipart/form-data; boundary=x") -> Any:
        return call("POST", "/v1/files", content=body, headers={"content-type": kind})

    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\nabc\r\n'
    refused(send(b"{}", "application/json"), 415, "multipart/form-data")
    refused(send(b"x", "multipart/form-data"), 415, "boundary")
    refused(send(b""), 400, "closing boundary")
    refused(send(b"garbage"), 400, "no multipart form")
    refused(send(part % b"file"), 400, "closing boundary")
    refused(send(part % b"purpose" + b"--x--\r\n"), 400, "One file")
    refused(send(part % b"file" * 2 + b"--x--\r\n"), 400, "One file")
    refused(send(part % b"purpose" * 2 + b"--x--\r\n"), 400, "twice")
    refused(send(b"--x\r\n\r\nabc\r\n--x--\r\n"), 400, "no name")
    assert on_disk() == []


def test_a_file_may_expire(call: Any) -> None:
    form = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    made = kept(call, **form)
    assert made["expires_at"] == made["created_at"] + 3600


def test_a_full_disk_is_the_services_fault(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    reply = upload(call)
    error = refused(reply, 507, "The disk of this service is full")
    assert (error["type"], error["code"]) == ("server_error", "insufficient_storage")
    assert reply.headers["x-should-retry"] == "false"
    assert call("GET", "/v1/files").json()["data"] == []


def test_an_upload_in_many_pieces(call: Any, settings: Settings) -> None:
    content = json.dumps({"prompt": "x" * 150_000, "completion": "y"}).encode()
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        + content
        + b'\r\n--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--x--'
    )

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 997):
            yield body[start : start + 997]

    sent = {"content-type": "multipart/form-data; boundary=x"}
    made = call("POST", "/v1/files", content=pieces(), headers=sent).json()
    assert made["bytes"] == len(content)
    assert (settings.data_dir / "files" / made["id"]).read_bytes() == content
    assert call("GET", f"/v1/files/{made['id']}/content").content == content

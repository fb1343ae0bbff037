import pytest

from plugin.api.v1.multipart import FormReader
from plugin.errors import InvalidRequest, PluginError, UnsupportedMediaType

KIND = 'multipart/form-data; boundary="x y"'


def part(head: str, content: bytes) -> bytes:
    return f"--x y\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"


FORM = (
    part('name="purpose"', "目的".encode())
    + part('name="file"; filename="数据.txt"', b"a\r\n--x\r\nb")
    + part('name="empty"', b"")
    + b"--x y--\r\n"
)


def read(body: bytes, step: int = 10_000, kind: str = KIND) -> tuple[FormReader, bytes]:
    written: list[bytes] = []
    form = FormReader(kind, ("file",), written.append)
    for start in range(0, len(body), step):
        form.feed(body[start : start + step])
    form.finish()
    return form, b"".join(written)


@pytest.mark.parametrize("step", [1, 2, 7, 100, 10_000])
def test_a_form_is_the_same_in_whatever_pieces_it_comes(step: int) -> None:
    form, content = read(FORM, step)
    assert form.fields == {"purpose": "目的", "empty": ""}
    assert form.uploads == [("file", "数据.txt")]
    assert content == b"a\r\n--x\r\nb"


def test_a_file_needs_no_file_name() -> None:
    form, content = read(part('name="file"', b"abc") + b"--x y--")
    assert (form.uploads, content) == ([("file", "")], b"abc")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (FORM[:-10], "closing boundary"),
        (part('name="a"', b"x" * 200_001), "longer than 200000"),
        (part('name="a"', b"1") + part('name="a"', b"2"), "twice"),
        (part('filename="a"', b"1"), "no name"),
        (b"".join(part(f'name="{n}"', b"") for n in range(101)), "more than 100 parts"),
        (part('name="' + "a" * 70_000 + '"', b""), "no multipart form"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read(body)


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data", "multipart/mixed; b=c"])
def test_other_media_types_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="multipart/form-data"):
        read(FORM, kind=kind)


def test_an_overlong_boundary_is_no_crash() -> None:
    with pytest.raises(PluginError):
        read(FORM, kind="multipart/form-data; boundary=" + "x" * 10_000)

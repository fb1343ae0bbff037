from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.contract.operation import Operation, Parameter
from plugin.contract.requests.request import NotExpressible, build
from tests.contract.conftest import ReadOne

ARRAY, OBJECT = ["blue", "a b", "x,y"], {"R": 100, "G": True}


def operation(location: str, style: str, path: str = "/c", **more: Any) -> Operation:
    """An operation with one parameter `color` in that style."""
    parameter = Parameter(
        name="color",
        argument="color",
        location=location,  # type: ignore[arg-type]  # the tests name known ones
        required=False,
        schema={},
        style=style,
        explode=more.pop("explode", False),
        pointer="",
        **more,
    )
    return Operation(
        method="GET",
        path=path,
        operation_id=None,
        pointer="",
        summary="",
        description="",
        parameters=(parameter,),
        body=None,
        answers=(),
        schema={"type": "object", "properties": {"color": {}}},
    )


@pytest.mark.parametrize(
    ("style", "explode", "scalar", "array", "mapping"),
    [
        ("simple", False, "blue", "blue,a%20b,x%2Cy", "R,100,G,true"),
        ("simple", True, "blue", "blue,a%20b,x%2Cy", "R=100,G=true"),
        ("label", False, ".blue", ".blue,a%20b,x%2Cy", ".R,100,G,true"),
        ("label", True, ".blue", ".blue.a%20b.x%2Cy", ".R=100.G=true"),
        ("matrix", False, ";color=blue", ";color=blue,a%20b,x%2Cy", ";color=R,100,G,true"),
        (
            "matrix",
            True,
            ";color=blue",
            ";color=blue;color=a%20b;color=x%2Cy",
            ";R=100;G=true",
        ),
    ],
)
def test_path_styles(style: str, explode: bool, scalar: str, array: str, mapping: str) -> None:
    for value, text in (("blue", scalar), (ARRAY, array), (OBJECT, mapping)):
        made = build(operation("path", style, "/c/{color}/d", explode=explode), {"color": value})
        assert made.path == f"/c/{text}/d"


@pytest.mark.parametrize(
    ("style", "explode", "array", "mapping"),
    [
        ("form", True, "color=blue&color=a%20b&color=x%2Cy", "R=100&G=true"),
        ("form", False, "color=blue,a%20b,x%2Cy", "color=R,100,G,true"),
        ("spaceDelimited", False, "color=blue%20a%20b%20x%2Cy", "color=R%20100%20G%20true"),
        ("pipeDelimited", False, "color=blue%7Ca%20b%7Cx%2Cy", "color=R%7C100%7CG%7Ctrue"),
        (
            "deepObject",
            True,
            "color%5B0%5D=blue&color%5B1%5D=a%20b&color%5B2%5D=x%2Cy",
            "color%5BR%5D=100&color%5BG%5D=true",
        ),
    ],
)
def test_query_styles(style: str, explode: bool, array: str, mapping: str) -> None:
    one = operation("query", style, explode=explode)
    assert build(one, {"color": "a b"}).query == "color=a%20b"
    assert build(one, {"color": ARRAY}).query == array
    assert build(one, {"color": OBJECT}).query == mapping
    assert build(one, {"color": []}).query == ""
    assert build(one, {"color": None}).query == ""
    assert build(one, {}).query == ""


def test_deep_objects_go_all_the_way_down() -> None:
    value = {"a": {"b": [1, {"c": None}]}, "d": ["x", "y"]}
    assert parse_qsl(build(operation("query", "deepObject"), {"color": value}).query) == [
        ("color[a][b][0]", "1"),
        ("color[a][b][1][c]", "null"),
        ("color[d]", "x"),
        ("color[d]", "y"),
    ]


def test_headers_and_cookies() -> None:
    assert build(operation("header", "simple"), {"color": ARRAY}).headers == (
        ("color", "blue,a b,x,y"),
    )
    assert build(operation("header", "simple", explode=True), {"color": OBJECT}).headers == (
        ("color", "R=100,G=true"),
    )
    assert build(operation("header", "simple"), {"color": "天气 ü"}).headers == (
        ("color", "%E5%A4%A9%E6%B0%94 %C3%BC"),
    )
    assert build(operation("cookie", "form", explode=True), {"color": "a;b"}).headers == (
        ("cookie", "color=a%3Bb"),
    )


def test_parameters_with_content_are_json() -> None:
    one = operation("query", "form", media_type="application/json")
    assert parse_qsl(build(one, {"color": {"a": [1]}}).query) == [("color", '{"a":[1]}')]
    two = operation("path", "simple", "/{color}", media_type="text/plain")
    assert build(two, {"color": "a"}).path == "/a"


def test_reserved_characters_stay_bare_where_the_document_allows_it() -> None:
    one = operation("query", "form", allow_reserved=True)
    assert build(one, {"color": "a/b?c:d&e=f#g+h"}).query == "color=a/b?c:d%26e%3Df%23g%2Bh"


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3"), (3.5, "3.5"), (True, "true"), (False, "false"), (10**20, "1" + "0" * 20)],
)
def test_scalars_are_written_in_json_words(value: Any, text: str) -> None:
    assert build(operation("query", "form"), {"color": value}).query == f"color={text}"


@pytest.mark.parametrize(
    "value",
    ["", ".", "..", "../x", "a/../b", "..\\x", ["a/../b", "x"], None, "\ud800"],
)
def test_a_path_argument_that_leads_elsewhere_is_refused(value: Any) -> None:
    with pytest.raises(NotExpressible) as caught:
        build(operation("path", "simple", "/c/{color}"), {"color": value})
    assert caught.value.argument == "color"


def test_a_part_of_a_segment_may_make_no_dots_either() -> None:
    with pytest.raises(NotExpressible):
        build(operation("path", "simple", "/c/.{color}"), {"color": "."})
    assert build(operation("path", "simple", "/c/v{color}"), {"color": "1."}).path == "/c/v1."


@given(st.text())
def test_a_path_argument_never_adds_a_segment_or_a_query(value: str) -> None:
    try:
        made = build(operation("path", "simple", "/c/{color}/d"), {"color": value})
    except NotExpressible:
        return
    assert made.path.count("/") == 3
    assert made.query == ""
    assert "#" not in made.path
    assert made.path.isascii()


@given(st.text())
def test_a_header_argument_never_starts_another_header(value: str) -> None:
    try:
        made = build(operation("header", "simple"), {"color": value})
    except NotExpressible:
        return
    ((_, text),) = made.headers
    assert not {"\r", "\n", "\x00"} & set(text)
    text.encode("latin-1")


@pytest.mark.parametrize("name", ["Host", "content-length", "bad name", "a\r\nb", ""])
def test_a_header_that_is_none_or_frames_the_request_is_refused(
    read_one: ReadOne, name: str
) -> None:
    one = read_one({"parameters": [{"name": name, "in": "header", "schema": {}}]})
    with pytest.raises(NotExpressible):
        build(one, {one.parameters[0].argument: "x"})


def test_an_argument_without_a_place_is_refused() -> None:
    with pytest.raises(NotExpressible, match="no such argument"):
        build(operation("query", "form"), {"colour": "x"})


def test_a_template_may_hold_a_query_and_a_fragment(read_one: ReadOne) -> None:
    one = read_one(
        {"parameters": [{"name": "q", "in": "query", "schema": {}}]}, path="/a b?beta=true#two"
    )
    made = build(one, {"q": 1})
    assert (made.path, made.query) == ("/a%20b", "beta=true&q=1")


def body_of(read_one: ReadOne, media_type: str, schema: Any, **media: Any) -> Operation:
    content: dict[str, Any] = {media_type: {"schema": schema, **media}}
    return read_one({"requestBody": {"content": content}})


PROPERTIES = {
    "a": {"type": "string"},
    "list": {"type": "array", "items": {"type": "integer"}},
    "deep": {"type": "object"},
    "file": {"type": "string", "format": "binary"},
}


def test_json_bodies(read_one: ReadOne) -> None:
    flat = body_of(read_one, "application/json", {"properties": PROPERTIES})
    made = build(flat, {"a": "ü", "list": [1.0, 2.5], "deep": {"n": 10**30}})
    assert made.headers == (("content-type", "application/json"),)
    assert made.body == '{"a":"ü","list":[1,2.5],"deep":{"n":1%s}}'.encode() % (b"0" * 30)
    assert build(flat, {}).body == b""
    whole = body_of(read_one, "application/merge-patch+json", {"type": "array"})
    assert build(whole, {"body": [None]}).body == b"[null]"
    assert build(whole, {}).headers == ()
    for value in (float("nan"), float("inf"), "\ud800"):
        with pytest.raises(NotExpressible):
            build(whole, {"body": [value]})


def test_a_required_flat_body_is_sent_even_when_it_is_empty(read_one: ReadOne) -> None:
    content: dict[str, Any] = {"application/json": {"schema": {"properties": {"a": {}}}}}
    one = read_one({"requestBody": {"content": content, "required": True}})
    assert build(one, {}).body == b"{}"


def test_form_bodies(read_one: ReadOne) -> None:
    form = "application/x-www-form-urlencoded"
    one = body_of(
        read_one,
        form,
        {"properties": PROPERTIES},
        encoding={"list": {"explode": False}, "deep": {"style": "deepObject"}},
    )
    made = build(one, {"a": "x&y z", "list": [1, 2.0], "deep": {"k": {"n": [True]}}})
    assert made.headers == (("content-type", form),)
    assert made.body == b"a=x%26y+z&list=1%2C2&deep%5Bk%5D%5Bn%5D=true"
    plain = body_of(read_one, form, {"properties": PROPERTIES})
    assert build(plain, {"list": [1, 2], "deep": {"k": 1}}).body == (
        b"list=1&list=2&deep=%7B%22k%22%3A1%7D"
    )


def test_multipart_bodies(read_one: ReadOne) -> None:
    one = body_of(read_one, "multipart/form-data", {"properties": PROPERTIES})
    made = build(one, {"a": "x\r\n--y", "list": [1, 2], "deep": {"k": 1}, "file": "content"})
    content_type = dict(made.headers)["content-type"]
    boundary = content_type.removeprefix("multipart/form-data; boundary=")
    parts = made.body.split(f"--{boundary}".encode())
    octets = b"Content-Type: application/octet-stream"
    assert parts[0] == b""
    assert parts[-1] == b"--\r\n"
    assert [part.partition(b"\r\n\r\n")[0].strip() for part in parts[1:-1]] == [
        b'Content-Disposition: form-data; name="a"',
        b'Content-Disposition: form-data; name="list"',
        b'Content-Disposition: form-data; name="list"',
        b'Content-Disposition: form-data; name="deep"\r\nContent-Type: application/json',
        b'Content-Disposition: form-data; name="file"; filename="file"\r\n' + octets,
    ]
    assert parts[1].endswith(b"\r\n\r\nx\r\n--y\r\n")
    assert (
        build(one, {"a": "x\r\n--y", "list": [1, 2], "deep": {"k": 1}, "file": "content"}) == made
    )


def test_a_field_name_cannot_break_out_of_its_part(read_one: ReadOne) -> None:
    one = body_of(read_one, "multipart/form-data", {"properties": {'a"\r\nX: y': {}}})
    body = build(one, {'a"\r\nX: y': "v"}).body
    assert b'name="a%22%0D%0AX: y"' in body


def test_text_bodies(read_one: ReadOne) -> None:
    one = body_of(read_one, "text/plain", {"type": "string"})
    assert build(one, {"body": "ü"}).body == "ü".encode()
    assert dict(build(one, {"body": 3.0}).headers) == {"content-type": "text/plain; charset=utf-8"}
    with pytest.raises(NotExpressible, match="carries text"):
        build(one, {"body": {"a": 1}})


def test_added_nulls_do_not_travel(read_one: ReadOne) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": ["string", "null"]}},
    }
    one = body_of(read_one, "application/json", schema)
    assert build(one, {"a": None, "b": None}).body == b'{"b":null}'

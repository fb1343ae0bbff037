import json
from typing import Any

import pytest

from tests.api.v1.fixed_engine import Fixed, serve
from tests.openai_schema import assert_reply

MADE = {"created": 1_700_000_000, "data": [{"url": "https://example.com/cat.png"}]}
PNG = ("cat.png", b"\x89PNG\r\n\x1a\n", "image/png")
EDIT, VARY, MAKE = "/v1/images/edits", "/v1/images/variations", "/v1/images/generations"


@pytest.fixture
def painter(service: Any) -> Fixed:
    engine = Fixed(MADE)
    aliases = {"dall-e-2": "gpt-image-1"}
    serve(service, engine, ("gpt-image-1", "image"), ("talker", "text"), **aliases)
    return engine


def refused(reply: Any, status: int, words: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    error: dict[str, Any] = assert_reply(MAKE, "POST", status, reply.content)["error"]
    assert words in error["message"]
    return error


def test_without_an_image_model_the_settings_are_named(call: Any) -> None:
    replies = (
        call("POST", MAKE, json={"prompt": "a cat", "n": 1, "size": "1024x1024"}),
        call("POST", MAKE, json={"prompt": "a cat", "model": "dall-e-3"}),
        call("POST", EDIT, files={"image": PNG}, data={"prompt": "a hat"}),
        call("POST", VARY, files={"image": PNG}),
    )
    for reply in replies:
        text = refused(reply, 501, "PLUGIN_UPSTREAMS")["message"]
        assert "PLUGIN_MODEL_ALIASES" in text


def test_images_are_made_by_the_default_model(call: Any, painter: Fixed) -> None:
    reply = call("POST", MAKE, json={"prompt": "a cat", "n": None, "style": None})
    assert_reply(MAKE, "POST", 200, reply.content)
    assert reply.json() == MADE
    assert reply.headers["openai-model"] == "gpt-image-1 (fixed)"
    (ask,) = painter.asked
    assert (ask.path, ask.model, ask.requested) == (
        *("images/generations", "gpt-image-1"),
        "dall-e-2",
    )
    assert ask.body == {"prompt": "a cat", "model": "dall-e-2"}


def test_what_the_model_may_know_goes_on_to_it(call: Any, painter: Fixed) -> None:
    call("POST", MAKE, json={"prompt": "a cat", "model": "gpt-image-1", "background": "opaque"})
    (ask,) = painter.asked
    assert ask.body["background"] == "opaque"
    assert ask.unknown == ("background",)


@pytest.mark.parametrize(("path", "mask"), [(EDIT, True), (EDIT, False), (VARY, False)])
def test_forms_go_on_as_they_came(call: Any, painter: Fixed, path: str, *, mask: bool) -> None:
    files = [("image", PNG), *([("mask", PNG)] if mask else [])]
    data = {"prompt": "a hat", "n": "2", "size": "256x256"}
    reply = call("POST", path, files=files, data=data)
    assert_reply(path, "POST", 200, reply.content)
    (ask,) = painter.asked
    assert ask.path == path.removeprefix("/v1/")
    assert ask.body == {"prompt": "a hat", "n": 2, "size": "256x256", "model": "dall-e-2"}
    assert ask.upload is not None
    assert ask.upload.content_type.startswith("multipart/form-data; boundary=")
    assert ask.upload.content.count(PNG[1]) == 1 + mask


def test_several_images_may_be_edited_at_once(call: Any, painter: Fixed) -> None:
    files = [("image[]", PNG), ("image[]", PNG)]
    data = {"prompt": "one of both", "model": "gpt-image-1"}
    assert call("POST", EDIT, files=files, data=data).status_code == 200
    assert painter.asked[0].requested == "gpt-image-1"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "  \n"}, "prompt"),
        ({"prompt": "a", "n": 0}, "n"),
        ({"prompt": "a", "n": 11}, "n"),
        ({"prompt": "a", "n": "1"}, "n"),
        ({"prompt": "a", "size": "big"}, "size"),
        ({"prompt": "a", "response_format": "png"}, "response_format"),
        ({"prompt": "a", "model": "talker"}, "model"),
    ],
)
def test_wrong_parameters_are_named(call: Any, painter: Fixed, body: Any, param: str) -> None:
    assert refused(call("POST", MAKE, json=body), 400, "")["param"] == param
    assert painter.asked == []


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "a", "n": "0"}, "n"),
        ({"prompt": "a", "n": "many"}, "n"),
        ({"prompt": "a", "size": "1024 x 1024"}, "size"),
        ({"prompt": "a", "stream": "perhaps"}, "stream"),
        ({"prompt": "a", "model": "talker"}, "model"),
    ],
)
def test_wrong_fields_of_a_form_are_named(
    call: Any, painter: Fixed, data: dict[str, str], param: str
) -> None:
    reply = call("POST", EDIT, files={"image": PNG}, data=data)
    assert refused(reply, 400, "")["param"] == param
    assert painter.asked == []


def test_a_form_without_an_image_is_none(call: Any, painter: Fixed) -> None:
    reply = call("POST", EDIT, files={"mask": PNG}, data={"prompt": "a"})
    assert refused(reply, 400, "`image` is missing")["param"] == "image"
    refused(call("POST", VARY, json={"prompt": "a"}), 415, "multipart/form-data")
    refused(call("POST", MAKE, json={"prompt": "a", "model": "nobody"}), 404, "does not exist")
    assert painter.asked == []


def test_images_may_be_named_instead_of_sent(call: Any, painter: Fixed) -> None:
    body = {
        "prompt": "a hat",
        "images": [{"image_url": "data:image/png;base64,AA=="}],
        "mask": None,
        "quality": "low",
    }
    kind = {"content-type": "Application/JSON; charset=utf-8"}
    reply = call("POST", EDIT, content=json.dumps(body), headers=kind)
    assert_reply(EDIT, "POST", 200, reply.content)
    (ask,) = painter.asked
    assert (ask.path, ask.upload, ask.unknown) == ("images/edits", None, ("quality",))
    assert ask.body["images"] == body["images"]
    assert "mask" not in ask.body


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": "a hat"}, "images"),
        ({"prompt": "a hat", "images": []}, "images"),
        ({"prompt": "a hat", "images": [{"file_id": "file-1"}]}, "images[0].image_url"),
        ({"prompt": "a hat", "images": [{"image_url": "u"}], "n": 11}, "n"),
        ([], None),
    ],
)
def test_wrong_references_are_named(
    call: Any, painter: Fixed, body: Any, param: str | None
) -> None:
    assert refused(call("POST", EDIT, json=body), 400, "`")["param"] == param
    assert not painter.asked


def test_a_form_may_be_larger_than_other_bodies(call: Any, painter: Fixed) -> None:
    large = ("cat.png", b"x" * 3_000_000, "image/png")
    assert call("POST", VARY, files={"image": large}).status_code == 200
    assert len(painter.asked) == 1
    refused(call("POST", MAKE, json={"prompt": "x" * 2_000_000}), 413, "bytes at most")

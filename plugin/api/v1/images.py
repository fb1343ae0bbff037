"""`/v1/images`: made by an image model of an upstream, for there is none on this machine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from plugin.api.v1.answering import answer
from plugin.api.v1.described import ENGINE_ERRORS, answers, reference
from plugin.api.v1.multipart import FormReader
from plugin.api.v1.wire import Body, ModelName, Part
from plugin.engines.catalog import Catalog
from plugin.engines.engine import Upload
from plugin.errors import InvalidRequest, NotOffered
from plugin.operations import operation
from plugin.pools.opening import Pools

router = APIRouter(prefix="/v1/images", tags=["images"])

_JSON = "application/json"

UPLOAD_LIMIT = 52_428_800
"""Bytes that a form with images may have."""

UPLOADS = ("/v1/images/edits", "/v1/images/variations")

DEFAULTS = ("dall-e-2", "gpt-image-1")
"""The models meant by a request that names none: the first that somebody answers for."""

Prompt = Annotated[str, Field(min_length=1, max_length=32_000, pattern=r"\S")]
Images = Annotated[int, Field(ge=1, le=10)]
Size = Annotated[str, Field(pattern=r"^(auto|[1-9][0-9]{1,3}x[1-9][0-9]{1,3})$")]


class Painting(Body):
    """What all requests for images may say."""

    model: ModelName | None = None
    "An image model; null for the default."
    n: Images | None = None
    "How many images, 1 to 10."
    size: Size | None = None
    "Width and height in pixels, as 1024x1024, or auto."
    response_format: Literal["url", "b64_json"] | None = None
    "An address, or the image itself in base64."


class ImageRequest(Painting):
    """What to paint."""

    prompt: Prompt
    "What the image shows."
    stream: bool | None = None
    "Whether to answer with server-sent events, where the model can."


class ImageReference(Part):
    """An image by its address, or as a data URL; upstreams do not know the files kept here."""

    image_url: Annotated[str, Field(min_length=1)]


class ImageEditRequest(ImageRequest):
    """What to change, for clients that refer to images instead of sending them."""

    images: Annotated[list[ImageReference], Field(min_length=1, max_length=16)]
    "The images to change."
    mask: ImageReference | None = None
    "Where the first of them may change."


class ImageForm(Painting):
    """The fields of a form with images; a prompt where one is needed."""

    prompt: Prompt | None = None
    "What the image shall show."
    stream: bool | None = None
    "Whether to answer with server-sent events, where the model can."


class ImageEvent(BaseModel):
    """A part of an image that is being made, or the whole one."""

    model_config = ConfigDict(extra="allow")

    type: str


class Image(BaseModel):
    """An image: its address, or itself in base64."""

    url: str | None = None
    b64_json: str | None = None
    revised_prompt: str | None = None


class ImageList(BaseModel):
    """The images that were made."""

    created: int
    data: list[Image]


def _form(*required: str) -> dict[str, Any]:
    """The description of a form: files, and fields as `ImageForm` judges them; none can be null.

    Variations of an image are not streamed.
    """
    files = {name: {"type": "string", "format": "binary"} for name in ("image", "mask")}
    fields = {
        name: {**told["anyOf"][0], "description": told.get("description", "")}
        for name, told in ImageForm.model_json_schema()["properties"].items()
        if name != "stream" or "prompt" in required
    }
    named = {"minLength": 1}
    schema = {"required": [*required], "properties": files | fields, "propertyNames": named}
    return {"multipart/form-data": {"schema": {"type": "object", **schema}}}


def _body(content: Mapping[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


@router.post("/generations", operation_id="create_image", responses=answers(ImageList, ImageEvent))
@operation(scope="gpt:use", raises=ENGINE_ERRORS)
async def create_image(body: ImageRequest, request: Request) -> Response:
    """Paint images from a text. An image model of an upstream answers; without one it is a 501."""
    given = await body.given(request) | {"model": _model(request, body.model)}
    return await answer(request, "images/generations", given, unknown=body.unknown)


@router.post(
    "/edits",
    operation_id="create_image_edit",
    responses=answers(ImageList, ImageEvent),
    openapi_extra=_body(
        {**_form("image", "prompt"), _JSON: {"schema": {"$ref": reference(ImageEditRequest)}}}
    ),
)
@operation(scope="gpt:use", raises=ENGINE_ERRORS)
async def create_image_edit(request: Request) -> Response:
    """Change images by a text. An image model of an upstream answers; without one it is a 501."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        return await _with_images(request, "images/edits", needs_prompt=True)
    content = await _content(request)
    with _named():
        body = await _pools(request).files.run(ImageEditRequest.model_validate_json, content)
    given = await body.given(request) | {"model": _model(request, body.model)}
    return await answer(request, "images/edits", given, unknown=body.unknown)


@router.post(
    "/variations",
    operation_id="create_image_variation",
    responses=answers(ImageList),
    openapi_extra=_body(_form("image")),
)
@operation(scope="gpt:use", raises=ENGINE_ERRORS)
async def create_image_variation(request: Request) -> Response:
    """Vary an image. An image model of an upstream answers; without one it is a 501."""
    return await _with_images(request, "images/variations", needs_prompt=False)


def _pools(request: Request) -> Pools:
    pools: Pools = request.app.state.services.pools
    return pools


async def _content(request: Request) -> bytes:
    async with _pools(request).uploads.turn():
        return await request.body()


async def _with_images(request: Request, path: str, *, needs_prompt: bool) -> Response:
    content_type = request.headers.get("content-type", "")
    form = FormReader(content_type, ("image", "image[]", "mask"), lambda _: None)
    content = await _content(request)
    await _pools(request).files.run(form.feed, content)
    form.finish()
    if not any(name in {"image", "image[]"} for name, _ in form.uploads):
        raise InvalidRequest("`image` is missing; send at least one file of it.", param="image")
    body = _checked(form.fields, needs_prompt=needs_prompt)
    model = _model(request, body.get("model"))
    return await answer(
        request, path, {**body, "model": model}, upload=Upload(content, content_type)
    )


def _checked(fields: Mapping[str, str], *, needs_prompt: bool) -> dict[str, Any]:
    """The fields of a form as the JSON that they stand for, judged like a body."""
    given = {name: _meant(name, text) for name, text in fields.items()}
    with _named():
        form = ImageForm.model_validate(given)
    if needs_prompt and form.prompt is None:
        raise InvalidRequest("`prompt` is missing; say what shall change.", param="prompt")
    return given


@contextmanager
def _named() -> Iterator[None]:
    """Tell the first of pydantic's faults as the API does; raises `InvalidRequest`."""
    try:
        yield
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in fault["loc"])
        name = name.removeprefix(".")
        text = f"`{name or 'body'}`: {fault['msg']}."
        raise InvalidRequest(text, param=name or None) from None


def _meant(name: str, text: str) -> Any:
    if name == "n" and text.isascii() and text.isdigit() and len(text) < 10:  # noqa: PLR2004 - any greater one is wrong too
        return int(text)
    if name == "stream" and text in {"true", "false"}:
        return text == "true"
    return text


def _model(request: Request, asked: str | None) -> str:
    """The name of the image model to ask; raises where there is none, or none of that name."""
    catalog: Catalog = request.app.state.services.catalog
    if not catalog.of_kind("image"):
        raise NotOffered(
            "Nothing here makes images: no image model is configured, and none can run on this "
            "machine. Name an OpenAI-compatible address in PLUGIN_UPSTREAMS, such as "
            '[{"name": "images", "base_url": "https://api.example.com/v1", "api_key": "...", '
            '"models": [{"id": "gpt-image-1", "kind": "image"}]}], and give it the names that '
            'callers use with PLUGIN_MODEL_ALIASES, such as {"dall-e-2": "gpt-image-1"}.',
            param="model",
        )
    if asked is None:
        named = (name for name in DEFAULTS if catalog.get(name) is not None)
        asked = next(named, catalog.of_kind("image")[0].id)
    if catalog.find(asked).model.kind != "image":
        raise InvalidRequest(
            f"The model `{asked[:200]}` makes no images; GET /v1/models lists those that do.",
            param="model",
        )
    return asked

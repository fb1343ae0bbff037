"""What an operation says it answers: read lazily, and looked up by status and media type."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from plugin.contract.operation import Answer, Operation, Schema
from plugin.contract.pointer import child
from plugin.contract.source import NotUsable, Source, mapping, text

_SUCCESS = "2"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a contract says of one reply.

    `missing` names what the contract does not declare: the status, the media type, or a schema for
    it. Then `schema` is None.
    """

    answer: Answer | None = None
    media_type: str | None = None
    schema: Schema | None = None
    missing: Literal["status", "media_type", "schema"] | None = None


def read_answers(source: Source, node: Any, pointer: str) -> tuple[Answer, ...]:
    """The declared responses. One that cannot be read is noted and left out."""
    found = []
    for status, declared in mapping(node).items():
        where = child(pointer, status)
        if status.startswith("x-"):
            continue
        try:
            response, target = source.follow(declared, where)
        except NotUsable as problem:
            source.notes.append(problem.note)
            continue
        content = mapping(mapping(response).get("content"))
        found.append(
            Answer(
                status=status if status == "default" else status.upper(),
                schemas=_Schemas(source, content, child(target, "content")),
                pointer=where,
                description=text(mapping(response).get("description")),
            )
        )
    return tuple(found)


def answer_schema(operation: Operation, status: int, media_type: str) -> Declared:
    """Which declared answer speaks for a reply: the exact status, then `4XX`, then `default`.

    `media_type` may carry parameters (`application/json; charset=utf-8`) and is empty for no body.
    """
    answer = _speaking(operation, status)
    if answer is None:
        return Declared(missing="status")
    if not answer.schemas:
        return Declared(answer, missing="schema")
    key = _matching(answer.schemas, media_type)
    if key is None:
        return Declared(answer, missing="media_type")
    schema = answer.schemas[key]
    return Declared(answer, key, schema, missing="schema" if schema is None else None)


def success(operation: Operation) -> Declared:
    """The JSON answer that a call is made for: the first declared 2XX that has a schema."""
    for answer in sorted(operation.answers, key=lambda answer: answer.status):
        if not answer.status.startswith(_SUCCESS):
            continue
        key = _matching(answer.schemas, "application/json")
        if key is not None:
            schema = answer.schemas[key]
            return Declared(answer, key, schema, missing="schema" if schema is None else None)
    return Declared(missing="status")


def _speaking(operation: Operation, status: int) -> Answer | None:
    by_status = {answer.status: answer for answer in operation.answers}
    for key in (str(status), f"{status // 100}XX", "default"):
        if key in by_status:
            return by_status[key]
    return None


def _matching(declared: Mapping[str, Any], media_type: str) -> str | None:
    wanted = _bare(media_type)
    family = f"{wanted.partition('/')[0]}/*"
    by_type = {_bare(key): key for key in reversed(list(declared))}
    for candidate in (wanted, family, "*/*", "*"):
        if candidate in by_type:
            return by_type[candidate]
    return None


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


class _Schemas(Mapping[str, Schema | None]):
    """Media types to schemas, each translated when it is first asked for.

    A large document has ten times as much schema in its answers as in its arguments, and most of
    it is never looked at.
    """

    __slots__ = ("_content", "_pointer", "_ready", "_source")

    def __init__(self, source: Source, content: Mapping[str, Any], pointer: str) -> None:
        self._source = source
        self._content = content
        self._pointer = pointer
        self._ready: dict[str, Schema | None] = {}

    def __getitem__(self, media_type: str) -> Schema | None:
        if media_type not in self._ready:
            self._ready[media_type] = self._read(media_type, self._content[media_type])
        return self._ready[media_type]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def _read(self, media_type: str, media: Any) -> Schema | None:
        if "schema" not in mapping(media):
            return None
        pointer = child(child(self._pointer, media_type), "schema")
        library = self._source.answers
        return library.whole(library.fragment(media["schema"], pointer))

"""What an operation says it answers: read lazily, and looked up by status and media type."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from plugin.contract.library import Fragment
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


def success_parts(operation: Operation) -> tuple[Schema, Mapping[str, Schema]] | None:
    """The schema of the success answer, and the definitions that it refers to, apart.

    For a glance at many answers: nothing of a large schema is put together.
    """
    for answer in sorted(operation.answers, key=lambda answer: answer.status):
        key = _matching(answer.schemas, "application/json")
        if not answer.status.startswith(_SUCCESS) or key is None:
            continue
        if isinstance(answer.schemas, _Schemas):
            return answer.schemas.parts(key)
        schema = answer.schemas[key]
        return None if schema is None else (schema, mapping(schema).get("$defs", {}))
    return None


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
            self._ready[media_type] = self._read(media_type)
        return self._ready[media_type]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def parts(self, media_type: str) -> tuple[Schema, Mapping[str, Schema]] | None:
        """The schema as it stands there, and the definitions that it may refer to."""
        fragment = self._fragment(media_type)
        if fragment is None:
            return None
        return fragment.schema, self._source.answers.definitions

    def _read(self, media_type: str) -> Schema | None:
        fragment = self._fragment(media_type)
        return None if fragment is None else self._source.answers.whole(fragment)

    def _fragment(self, media_type: str) -> Fragment | None:
        media = mapping(self._content[media_type])
        if "schema" not in media:
            return None
        pointer = child(child(self._pointer, media_type), "schema")
        return self._source.answers.fragment(media["schema"], pointer)

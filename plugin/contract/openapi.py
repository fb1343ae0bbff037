"""Read any OpenAPI document, 3.0 or 3.1, into operations; never die on one odd keyword."""

from collections.abc import Iterator, Mapping
from typing import Any

from plugin.contract.answers import read_answers
from plugin.contract.arguments import Arguments
from plugin.contract.bodies import read_body
from plugin.contract.operation import Contract, Note, Operation
from plugin.contract.parameters import ParameterReader
from plugin.contract.pointer import child
from plugin.contract.source import NotUsable, Source, flag, mapping, text
from plugin.contract.text import parse, without_control_characters
from plugin.errors import CannotRun

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
"""The methods of a path item, as OpenAPI lists them."""


def read(data: bytes | str) -> Contract:
    """The contract that a document holds, JSON or YAML.

    What cannot be called is in `skipped`, what is odd in `notes`; both point into the document.
    Raises CannotRun only when the text is no OpenAPI document at all.
    """
    notes: list[Note] = []
    return read_value(parse(data, notes), notes)


def read_value(document: Any, notes: list[Note]) -> Contract:
    """The contract that a parsed document holds; `notes` are what was odd in its text."""
    if not isinstance(document, dict):
        raise CannotRun("the document is not an object: give an OpenAPI 3.0 or 3.1 document")
    if "openapi" not in document and "swagger" in document:
        raise CannotRun(
            f"this is a Swagger {document['swagger']} document: convert it to OpenAPI 3.0 or 3.1"
        )
    if not {"openapi", "paths", "webhooks", "components"} & set(document):
        raise CannotRun("the document has neither openapi nor paths: it is no OpenAPI document")
    return _Reader(Source(document, notes)).contract()


class _Reader:
    """Reads one document from the top down."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._document = source.document
        self._skipped: list[Note] = []
        self._parameters = ParameterReader(source, self._credentials())

    def contract(self) -> Contract:
        """Everything in the document."""
        self._check_top()
        info = mapping(self._document.get("info"))
        operations = tuple(self._operations())
        self._check_ids(operations)
        return Contract(
            title=text(info.get("title")),
            version=str(info.get("version", "")),
            description=text(info.get("description")),
            servers=self._servers(self._document, ""),
            operations=operations,
            skipped=tuple(self._skipped),
            notes=tuple(dict.fromkeys(self._source.notes)),
            document=self._document,
        )

    def _check_top(self) -> None:
        version = str(self._document.get("openapi", ""))
        if not version.startswith(("3.0", "3.1")):
            self._source.note("/openapi", f"version {version!r} was read as OpenAPI 3.1")
        if webhooks := mapping(self._document.get("webhooks")):
            reason = f"{len(webhooks)} webhooks: the service calls these itself, no model does"
            self._source.note("/webhooks", reason)
        if not self._servers(self._document, ""):
            self._source.note(
                "/servers", "no servers: calls go to the host that serves the document"
            )

    def _check_ids(self, operations: tuple[Operation, ...]) -> None:
        seen: dict[str, str] = {}
        for operation in operations:
            if operation.operation_id is None:
                self._source.note(operation.pointer, "no operationId")
            elif operation.operation_id in seen:
                first = seen[operation.operation_id]
                reason = f"the operationId {operation.operation_id!r} is also that of {first}"
                self._source.note(operation.pointer, reason)
            else:
                seen[operation.operation_id] = operation.pointer

    def _operations(self) -> Iterator[Operation]:
        for path, declared in mapping(self._document.get("paths")).items():
            if path.startswith("x-"):
                continue
            pointer = child("/paths", path)
            try:
                item = self._path_item(declared, pointer)
            except NotUsable as problem:
                self._skipped.append(problem.note)
                continue
            yield from self._of_path(path, item, pointer)

    def _path_item(self, declared: Any, pointer: str) -> Mapping[str, Any]:
        """The path item, with what it refers to beneath what it says itself."""
        item = mapping(declared)
        if "$ref" in item:
            target, _ = self._source.follow(item, pointer)
            item = {**mapping(target), **{key: item[key] for key in item if key != "$ref"}}
        return item

    def _of_path(self, path: str, item: Mapping[str, Any], pointer: str) -> Iterator[Operation]:
        if not path.startswith("/"):
            self._source.note(pointer, "a path begins with a slash; one was added")
            path = f"/{path}"
        for key, declared in item.items():
            if key.lower() not in METHODS:
                continue
            where = child(pointer, key)
            try:
                if not isinstance(declared, dict):
                    raise NotUsable(where, "an operation is an object")
                yield self._operation(path, (item, pointer), key.lower(), (declared, where))
            except NotUsable as problem:
                self._skipped.append(problem.note)

    def _operation(
        self,
        path: str,
        shared: tuple[Mapping[str, Any], str],
        method: str,
        own: tuple[Mapping[str, Any], str],
    ) -> Operation:
        (item, item_pointer), (node, pointer) = shared, own
        parameters = self._parameters.read(
            path,
            (item.get("parameters"), child(item_pointer, "parameters")),
            (node.get("parameters"), child(pointer, "parameters")),
        )
        body = read_body(
            self._source,
            node.get("requestBody"),
            child(pointer, "requestBody"),
            beside=frozenset(parameter.name for parameter, _ in parameters),
        )
        fragments = [fragment for _, fragment in parameters]
        for broken in self._source.requests.broken(
            [*fragments, *([body.fragment] if body else [])]
        ):
            raise NotUsable(broken.pointer, f"{broken.reason} (needed by {method.upper()} {path})")
        arguments = Arguments(parameters, body)
        return Operation(
            method=method.upper(),
            path=path,
            operation_id=_operation_id(node.get("operationId")),
            pointer=pointer,
            summary=text(node.get("summary")) or text(item.get("summary")),
            description=text(node.get("description")) or text(item.get("description")),
            parameters=arguments.parameters,
            body=arguments.body,
            answers=read_answers(self._source, node.get("responses"), child(pointer, "responses")),
            schema=arguments.schema(self._source),
            servers=self._servers(node, pointer) or self._servers(item, item_pointer),
            security=_security(node.get("security", self._document.get("security"))),
            tags=tuple(tag for tag in _listed(node.get("tags")) if isinstance(tag, str)),
            deprecated=flag(node.get("deprecated")),
            extensions={key: value for key, value in node.items() if key.startswith("x-")},
        )

    def _servers(self, node: Mapping[str, Any], pointer: str) -> tuple[str, ...]:
        found = []
        for index, server in enumerate(_listed(node.get("servers"))):
            url = text(mapping(server).get("url"))
            for name, variable in mapping(mapping(server).get("variables")).items():
                url = url.replace(f"{{{name}}}", str(mapping(variable).get("default", "")))
            if url:
                found.append(url)
            else:
                self._source.note(f"{pointer}/servers/{index}", "a server without a url")
        return tuple(found)

    def _credentials(self) -> frozenset[tuple[str, str]]:
        """Where API keys travel, by (location, name): a model never sees them."""
        schemes = mapping(mapping(self._document.get("components")).get("securitySchemes"))
        found = set()
        for scheme in map(mapping, schemes.values()):
            location, name = text(scheme.get("in")), text(scheme.get("name"))
            if scheme.get("type") == "apiKey" and name:
                found.add((location, name.lower() if location == "header" else name))
        return frozenset(found)


def _operation_id(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return without_control_characters(str(value)).strip() or None


def _security(value: Any) -> tuple[Mapping[str, tuple[str, ...]], ...]:
    return tuple(
        {
            name: tuple(scope for scope in _listed(scopes) if isinstance(scope, str))
            for name, scopes in requirement.items()
        }
        for requirement in _listed(value)
        if isinstance(requirement, dict)
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

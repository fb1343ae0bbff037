"""The parameters of an operation, as the document declares them."""

import re
from collections.abc import Mapping
from typing import Any, get_args

from plugin.contract.library import Fragment
from plugin.contract.operation import Location, Parameter
from plugin.contract.pointer import child
from plugin.contract.source import NotUsable, Source, flag, mapping, text

IN_PATH = re.compile(r"\{([^{}]+)\}")

_LOCATIONS: tuple[Location, ...] = get_args(Location)
_STYLES = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
"""The styles that OpenAPI allows for a location; the first one is the default."""

_NOT_ARGUMENTS = frozenset({"accept", "content-type", "authorization"})
"""Headers that OpenAPI says to ignore: media types and security schemes speak for them."""

_INLINE = ("type", "format", "items", "enum", "default", "minimum", "maximum", "pattern")
"""Where Swagger 2.0 kept a parameter's schema: beside its name. Documents of 3.0 still do."""


class ParameterReader:
    """Reads parameters; security schemes supply `credentials`, given by (location, name)."""

    def __init__(self, source: Source, credentials: frozenset[tuple[str, str]]) -> None:
        self._source = source
        self._credentials = credentials

    def read(
        self, path: str, shared: tuple[Any, str], own: tuple[Any, str]
    ) -> list[tuple[Parameter, Fragment]]:
        """The parameters of a path item and those of its operation, which replace the former.

        Each comes with its schema's fragment. A placeholder that nothing declares gets a text
        parameter.
        """
        found: dict[tuple[str, str], tuple[Parameter, Fragment]] = {}
        for declared, pointer in (shared, own):
            for index, node in enumerate(self._listed(declared, pointer)):
                read = self._one(node, child(pointer, index))
                if read is not None:
                    found[read[0].location, read[0].name] = read
        return self._as_templated(path, found, own[1])

    def _listed(self, declared: Any, pointer: str) -> list[Any]:
        if isinstance(declared, list):
            return declared
        if declared is not None:
            self._source.note(pointer, "parameters is a list; it was left out")
        return []

    def _one(self, node: Any, pointer: str) -> tuple[Parameter, Fragment] | None:
        node, pointer = self._source.follow(node, pointer)
        node = mapping(node)
        name, location = node.get("name"), text(node.get("in")).lower()
        if isinstance(name, int | float) and not isinstance(name, bool):
            name = str(name)
        if not isinstance(name, str) or location not in _LOCATIONS:
            self._refuse(node, pointer, location)
            return None
        if self._supplied(name, location):
            return None
        schema, media_type = self._schema(node, pointer)
        style, explode = self._style(node, location, pointer)
        parameter = Parameter(
            name=name,
            argument=name,
            location=next(known for known in _LOCATIONS if known == location),
            required=location == "path" or flag(node.get("required")),
            schema=self._source.requests.whole(schema),
            style=style,
            explode=explode,
            pointer=pointer,
            description=text(node.get("description")),
            media_type=media_type,
            allow_reserved=flag(node.get("allowReserved")),
        )
        return parameter, schema

    def _refuse(self, node: Mapping[str, Any], pointer: str, location: str) -> None:
        reason = (
            f"a parameter in {location!r} is Swagger 2.0's: give a requestBody"
            if location in ("body", "formdata")
            else "a parameter without a name and one of path, query, header, cookie"
        )
        if flag(node.get("required")):
            raise NotUsable(pointer, reason)
        self._source.note(pointer, f"{reason}; it was left out")

    def _supplied(self, name: str, location: str) -> bool:
        if location == "header" and name.lower() in _NOT_ARGUMENTS:
            return True
        key = name.lower() if location == "header" else name
        return (location, key) in self._credentials

    def _schema(self, node: Mapping[str, Any], pointer: str) -> tuple[Fragment, str | None]:
        library = self._source.requests
        content = mapping(node.get("content"))
        if content and "schema" not in node:
            media_type = next(iter(content))
            where = child(child(child(pointer, "content"), media_type), "schema")
            schema = mapping(content[media_type]).get("schema", {})
            return library.fragment(schema, where), media_type
        if "schema" in node:
            schema, where = node["schema"], child(pointer, "schema")
        else:
            schema, where = {key: node[key] for key in _INLINE if key in node}, pointer
            self._source.note(pointer, "a parameter without a schema")
        return library.fragment(self._with_examples(schema, node), where), None

    def _with_examples(self, schema: Any, node: Mapping[str, Any]) -> Any:
        """The schema with the parameter's own words, which say more than a component's."""
        if not isinstance(schema, dict):
            return schema
        words = {key: node[key] for key in ("example", "deprecated") if key in node}
        return {**schema, **words} if words else schema

    def _style(self, node: Mapping[str, Any], location: str, pointer: str) -> tuple[str, bool]:
        allowed = _STYLES[location]
        style = node.get("style", allowed[0])
        if style not in allowed:
            self._source.note(
                pointer, f"style {style!r} is not for {location}; read as {allowed[0]}"
            )
            style = allowed[0]
        explode = node.get("explode")
        return style, explode if isinstance(explode, bool) else style in ("form", "deepObject")

    def _as_templated(
        self,
        path: str,
        found: dict[tuple[str, str], tuple[Parameter, Fragment]],
        pointer: str,
    ) -> list[tuple[Parameter, Fragment]]:
        """Path parameters are the template's: others cannot be sent, missing ones are text."""
        named = dict.fromkeys(IN_PATH.findall(path))
        for name in [name for location, name in found if location == "path" and name not in named]:
            self._source.note(
                pointer, f"the path has no {{{name}}}, so that parameter was left out"
            )
            del found["path", name]
        for name in named:
            if ("path", name) not in found:
                self._source.note(
                    pointer, f"{{{name}}} has no parameter; it was read as required text"
                )
                found["path", name] = _text_parameter(name, pointer)
        return list(found.values())


def _text_parameter(name: str, pointer: str) -> tuple[Parameter, Fragment]:
    schema = {"type": "string"}
    parameter = Parameter(
        name=name,
        argument=name,
        location="path",
        required=True,
        schema=schema,
        style="simple",
        explode=False,
        pointer=pointer,
    )
    return parameter, Fragment(schema, (), ())

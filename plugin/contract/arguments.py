"""How an operation's parameters and body become the arguments of one call."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from plugin.contract.bodies import BodyRead
from plugin.contract.library import Fragment
from plugin.contract.operation import Body, Parameter, Schema
from plugin.contract.schema.validation import definitions_used
from plugin.contract.source import Source

_CARRIED = (
    "additionalProperties",
    "dependentRequired",
    "minProperties",
    "maxProperties",
    "propertyNames",
    "patternProperties",
)
"""What a flat body says of its object beside properties; it then says it of the arguments."""


class Arguments:
    """The layout of one call: parameters by name, a flat body's properties beside them."""

    def __init__(
        self, parameters: Sequence[tuple[Parameter, Fragment]], body: BodyRead | None
    ) -> None:
        taken = set(body.flat["properties"]) if body and body.flat else set()
        self.parameters = tuple(_placed(parameter, taken) for parameter, _ in parameters)
        self.body: Body | None = None
        if body is not None:
            argument = "body" if body.body.flat else _free("body", "", taken)
            self.body = replace(body.body, argument=argument)
        self._fragments = [fragment for _, fragment in parameters]
        self._read = body

    def schema(self, source: Source) -> dict[str, Any]:
        """The arguments as one object schema, self-contained."""
        flat = self._read.flat or {} if self._read else {}
        properties: dict[str, Schema] = {
            parameter.argument: _described(fragment.schema, parameter.description)
            for parameter, fragment in zip(self.parameters, self._fragments, strict=True)
        }
        required = [parameter.argument for parameter in self.parameters if parameter.required]
        properties.update(flat.get("properties", {}))
        required += [name for name in flat.get("required", ()) if name not in required]
        if self._read and self.body and not self.body.flat:
            schema = self._read.fragment.schema
            properties[self.body.argument] = _described(schema, self.body.description)
            if self.body.required:
                required.append(self.body.argument)
        found: dict[str, Any] = {"type": "object", "properties": properties}
        if required:
            found["required"] = required
        found |= {keyword: flat[keyword] for keyword in _CARRIED if keyword in flat}
        definitions = source.requests.closure(definitions_used(found))
        if definitions:
            found["$defs"] = definitions
        return found


def _placed(parameter: Parameter, taken: set[str]) -> Parameter:
    argument = _free(parameter.name, parameter.location, taken)
    taken.add(argument)
    return parameter if argument == parameter.name else replace(parameter, argument=argument)


def _free(name: str, suffix: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    stem = f"{name}_{suffix}" if suffix else name
    candidate, number = stem, 2
    while candidate in taken:
        candidate, number = f"{stem}_{number}", number + 1
    return candidate


def _described(schema: Schema, description: str) -> Schema:
    """The schema with the words of the parameter or body, which are nearer than a component's."""
    if not description:
        return schema
    if isinstance(schema, bool):
        return {"description": description} if schema else schema
    return {**schema, "description": description}

"""Text between a prompt and a suffix, from a model that was never trained to fill a gap."""

from collections.abc import Mapping, Sequence
from typing import Any

from plugin.errors import InvalidRequest

_SHOWN = 12


def framed(prompt: str | Sequence[int], suffix: str, stop: Sequence[str]) -> Mapping[str, Any]:
    """The members of the engine's request that make it write towards `suffix`.

    The model is told in words how the text ends, and stops where it begins to write that end. It
    heeds this for short endings; nothing guarantees that the pieces fit.
    """
    if not isinstance(prompt, str):
        raise InvalidRequest("suffix needs a prompt that is a text.", param="suffix")
    end = suffix.strip()
    if not end:
        return {}
    begin = end.splitlines()[0][:_SHOWN]
    told = f'Complete the text so that it ends with "{end}"\n\n{prompt}'
    return {"prompt": told, "stop": [*stop, begin]}

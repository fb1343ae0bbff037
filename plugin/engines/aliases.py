"""Other names of models: those of the guide and of SDKs' defaults, and what an operator adds.

The models that these names once meant are retired, or somebody else's; a small model of this
machine answers in their place, unless an upstream serves the name itself.
"""

from collections.abc import Collection, Iterator, Mapping

from plugin.errors import CannotRun

TEXT = "smollm2-135m-instruct"
VECTORS = "all-minilm-l6-v2"
"""The models of the embedded engine."""

_OF_TEXT = (
    # the guide's
    "gpt-4",
    "gpt-4-32k",
    "gpt-3.5-turbo",
    "text-davinci-003",
    "davinci",
    "text-davinci-edit-001",
    "code-davinci-edit-001",
    "text-davinci-002",
    "gpt-3.5-turbo-16k",
    "curie",
    "babbage",
    "ada",
    "text-curie-001",
    "text-babbage-001",
    "text-ada-001",
    # what SDKs and their examples ask for
    "gpt-3.5-turbo-instruct",
    "gpt-4-turbo",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4.1-nano",
    "gpt-5",
    "gpt-5-mini",
    "gpt-5-nano",
    "davinci-002",
    "babbage-002",
    # the dated names of those years
    "gpt-3.5-turbo-0301",
    "gpt-3.5-turbo-0613",
    "gpt-3.5-turbo-1106",
    "gpt-3.5-turbo-0125",
    "gpt-3.5-turbo-16k-0613",
    "gpt-4-0314",
    "gpt-4-0613",
    "gpt-4-32k-0314",
    "gpt-4-32k-0613",
    "gpt-4-1106-preview",
    "gpt-4-0125-preview",
    "gpt-4-turbo-preview",
    "gpt-4o-2024-08-06",
)
_OF_VECTORS = ("text-embedding-ada-002", "text-embedding-3-small", "text-embedding-3-large")

KNOWN: Mapping[str, str] = {
    **dict.fromkeys(_OF_TEXT, TEXT),
    **dict.fromkeys(_OF_VECTORS, VECTORS),
}
"""From a well-known name to the embedded model that answers for it."""


def alias_table(given: Mapping[str, str], served: Collection[str]) -> dict[str, str]:
    """Every alias of a served model, to that model; `given` goes before the well-known names.

    An alias may stand for another one. Raises `CannotRun` for a given one that leads to nothing:
    the operator meant some model. A well-known name without its model is merely left out.
    """
    names = {**KNOWN, **given}
    found = {name: _end(name, names, served) for name in names}
    for name, model in given.items():
        if found[name] is None:
            raise CannotRun(
                f"PLUGIN_MODEL_ALIASES: {name!r} stands for {model!r}, and no engine serves that "
                f"model; give one of {', '.join(sorted(served)) or 'PLUGIN_UPSTREAMS'}"
            )
    return {name: model for name, model in found.items() if model is not None}


def _end(name: str, names: Mapping[str, str], served: Collection[str]) -> str | None:
    """Where the chain of names ends: with a served model, or with nothing."""
    return next((step for step in _steps(name, names) if step in served), None)


def _steps(name: str, names: Mapping[str, str]) -> Iterator[str]:
    seen = {name}
    while (following := names.get(name)) is not None and following not in seen:
        yield following
        seen.add(following)
        name = following

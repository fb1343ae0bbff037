"""Model names: which engine answers for which, under whatever name it is asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from plugin.engines.engine import Engine
from plugin.errors import ModelNotFound

Kind = Literal["text", "embedding", "image", "moderation"]


@dataclass(frozen=True, slots=True)
class Model:
    """A model that somebody answers for. `context_window` is in tokens, dates are ISO 8601."""

    id: str
    kind: Kind
    owned_by: str
    context_window: int | None = None
    strengths: str | None = None
    retires: str | None = None
    languages: tuple[str, ...] = ()
    """What it understands well, as ISO 639-1."""
    created: int = 0
    """When it was published, in Unix time; 0 where nobody said."""


@dataclass(frozen=True, slots=True)
class Answering:
    """What a requested name comes to: the model behind it and its engine."""

    requested: str
    model: Model
    engine: Engine

    @property
    def is_alias(self) -> bool:
        """Whether the name is another than the model's own."""
        return self.requested != self.model.id


class Catalog:
    """Every name that can be asked for; a model's own name goes before an alias.

    Of two engines for one model the first in `models` answers. `aliases` lead to models' own names.
    `states` say how each engine is, by the name of the engine.
    """

    def __init__(
        self,
        models: Sequence[tuple[Model, Engine]],
        aliases: Mapping[str, str],
        states: Mapping[str, Callable[[], str]] | None = None,
    ) -> None:
        self._states = states or {}
        self._names: dict[str, Answering] = {}
        for model, engine in models:
            self._names.setdefault(model.id, Answering(model.id, model, engine))
        own = dict(self._names)
        for name, meant in aliases.items():
            if meant in own and name not in own:
                self._names[name] = replace(own[meant], requested=name)

    def find(self, name: str) -> Answering:
        """Who answers for `name`; raises `ModelNotFound`."""
        found = self._names.get(name)
        if found is None:
            raise ModelNotFound(
                f"The model `{name[:200]}` does not exist here. GET /v1/models lists what does; "
                "PLUGIN_MODEL_ALIASES gives one of them another name.",
                param="model",
            )
        return found

    def get(self, name: str) -> Answering | None:
        """Who answers for `name`, if anybody does."""
        return self._names.get(name)

    def names(self) -> list[str]:
        """Every name that can be asked for, own names first."""
        return list(self._names)

    def models(self) -> list[Model]:
        """Every model, without its other names."""
        return [one.model for one in self._names.values() if not one.is_alias]

    def aliases_of(self, model: str) -> list[str]:
        """The other names of a model."""
        return [
            one.requested for one in self._names.values() if one.is_alias and one.model.id == model
        ]

    def of_kind(self, kind: Kind) -> list[Model]:
        """The models that do one kind of work; empty when nobody here does it."""
        return [model for model in self.models() if model.kind == kind]

    def states(self) -> dict[str, str]:
        """How each engine is: the phase of the embedded one, the breaker of an upstream."""
        return {name: state() for name, state in self._states.items()}

"""Model names: which engine answers for which, under whatever name it is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Answering:
    """What a requested name comes to: the model behind it and its engine."""

    requested: str
    model: Model
    engine: Engine


class Catalog:
    """Every name that can be asked for; a model's own name goes before an alias."""

    def __init__(self, models: Sequence[tuple[Model, Engine]], aliases: Mapping[str, str]) -> None:
        self._models = {model.id: (model, engine) for model, engine in reversed(models)}
        self._aliases = aliases

    def find(self, name: str) -> Answering:
        """Who answers for `name`; raises `ModelNotFound`."""
        found = self._models.get(name) or self._models.get(self._aliases.get(name, ""))
        if found is None:
            raise ModelNotFound(
                f"The model `{name[:200]}` does not exist here. GET /v1/models lists what does; "
                "PLUGIN_MODEL_ALIASES gives one of them another name.",
                param="model",
            )
        return Answering(name, *found)

    def names(self) -> list[str]:
        """Every name that can be asked for, own names first."""
        aliases = (name for name, model in self._aliases.items() if model in self._models)
        return list(dict.fromkeys((*self._models, *aliases)))

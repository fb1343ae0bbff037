"""An engine of one answer, put into a running service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from plugin.engines.catalog import Catalog, Kind, Model
from plugin.engines.engine import Ask, Events, Whole
from plugin.messages import AnsweredBy, Usage
from tests.inside import inside


@dataclass
class Fixed:
    """Answers everything with `reply`, and remembers what it was asked."""

    reply: Mapping[str, Any]
    asked: list[Ask] = field(default_factory=list)

    async def answer(self, ask: Ask) -> Whole | Events:
        """See `Engine`."""
        self.asked.append(ask)
        return Whole(orjson.dumps(self.reply), Usage(), AnsweredBy(f"{ask.model} (fixed)"))


def serve(service: Any, engine: Fixed, *models: tuple[str, Kind], **aliases: str) -> None:
    """Let `engine` answer for `models` in the service behind a test client."""
    layer = inside(service)
    served: Sequence[tuple[Model, Fixed]] = [(Model(*one, "tests"), engine) for one in models]
    catalog = Catalog(served, aliases)
    layer.state.services = replace(layer.state.services, catalog=catalog)

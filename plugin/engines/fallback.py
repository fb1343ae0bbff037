"""One model of several upstreams: the next one is asked when one of them cannot answer."""

from collections.abc import Sequence

from plugin.engines.catalog import Model
from plugin.engines.engine import Ask, Engine, Events, Whole
from plugin.engines.retries import MOST_PATIENT
from plugin.engines.upstream import Upstream
from plugin.engines.upstream_errors import CallFailed

_IMPATIENT = 0.5
"""Seconds that a retry may be away while another address could be asked instead."""


class Fallback:
    """Several upstreams of one model, asked in their order until one has an answer."""

    passes_on = True

    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        self._upstreams = tuple(upstreams)

    async def answer(self, ask: Ask) -> Whole | Events:
        """Carry out a request.

        When nobody answers, the caller hears the first one who was asked, or when to come again.
        """
        failures: list[CallFailed] = []
        for upstream in self._upstreams:
            last = upstream is self._upstreams[-1]
            try:
                return await upstream.attempt(ask, MOST_PATIENT if last else _IMPATIENT)
            except CallFailed as failed:
                failures.append(failed)
        told = min(failures, key=lambda failed: (failed.resting, failed.after or 0.0))
        raise told.error from told


def engines_of(served: Sequence[tuple[Model, Upstream]]) -> list[tuple[Model, Engine]]:
    """One engine a model; a model of several upstreams is described as its first one does."""
    models: dict[str, tuple[Model, list[Upstream]]] = {}
    for model, upstream in served:
        models.setdefault(model.id, (model, []))[1].append(upstream)
    return [
        (model, upstreams[0] if len(upstreams) == 1 else Fallback(upstreams))
        for model, upstreams in models.values()
    ]

"""How near a question comes to each chunk of a caller: the cosines of their vectors.

Exact, without an index: a caller's vectors are held in memory, and one product gives all cosines.
"""

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from plugin.operations.documents.store import document_chunks, documents
from plugin.operations.documents.vectors import FLOAT, changes, document_vectors
from plugin.pools.threads import Threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_HELD = 128 * 1024 * 1024
"""Bytes of vectors held in a process; of a caller who has more, the newest chunks have a part."""

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Held:
    """The vectors of a caller's chunks, a row each, at one state of the caller's documents."""

    version: tuple[str, int]
    serials: "NDArray[np.int64]"
    vectors: "NDArray[np.float32]"

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self.serials.nbytes + self.vectors.nbytes)


class OddVectorsError(Exception):
    """Vectors of one model differ in length: the model has changed behind its name."""


class Nearness:
    """Holds the vectors of the callers who asked last, `most` bytes of them."""

    def __init__(self, threads: Threads, most: int = MOST_HELD) -> None:
        self._threads = threads
        self._most = most
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._loading = asyncio.Lock()

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(held.size for held in self._held.values())

    async def held(self, connection: AsyncConnection, caller_id: str, model: str) -> Held:
        """The vectors of the caller's chunks, as they are now."""
        # Read before the vectors: at worst they are newer than this says, and are read again.
        version = (model, await changes(connection, caller_id))
        held = self._found(caller_id, version)
        if held is None:
            async with self._loading:  # one at a time: others may have waited for the same
                held = self._found(caller_id, version)
                if held is None:
                    held = await self._load(connection, caller_id, version)
                    self._keep(caller_id, held)
        return held

    def _found(self, caller_id: str, version: tuple[str, int]) -> Held | None:
        held = self._held.get(caller_id)
        if held is None or held.version != version:
            return None
        self._held.move_to_end(caller_id)
        return held

    def _keep(self, caller_id: str, held: Held) -> None:
        self._held[caller_id] = held
        self._held.move_to_end(caller_id)
        while len(self._held) > 1 and self.size > self._most:
            self._held.popitem(last=False)

    async def _load(
        self, connection: AsyncConnection, caller_id: str, version: tuple[str, int]
    ) -> Held:
        serials: list[int] = []
        parts: list[bytes] = []
        room = self._most
        async with connection.stream(_vectors_of(caller_id, version[0])) as rows:
            # In pieces, for each is unpacked on the event loop.
            async for some in rows.partitions(_AT_ONCE):
                serials += [serial for serial, _ in some]
                parts += [vector for _, vector in some]
                room -= sum(len(vector) for _, vector in some)
                if room <= 0:
                    break
        return await self._threads.run(_pack, version, serials, parts)


def _vectors_of(caller_id: str, model: str) -> "Select[int, bytes]":
    """The caller's vectors, the newest chunks first."""
    serial, vector = document_vectors.c.chunk_serial, document_vectors.c.vector
    return (
        select(serial, vector)
        .join(document_chunks, document_chunks.c.serial == serial)
        .join(documents)
        .where(documents.c.caller_id == caller_id, document_vectors.c.model == model)
        .where(func.length(vector) > 0)
        .order_by(serial.desc())
    )


def _pack(version: tuple[str, int], serials: Sequence[int], parts: Sequence[bytes]) -> Held:
    import numpy as np

    if len({len(part) for part in parts}) > 1:
        raise OddVectorsError
    vectors = np.frombuffer(b"".join(parts), dtype="<f4")
    width = len(parts[0]) // FLOAT if parts else 0
    return Held(version, np.array(serials, dtype=np.int64), vectors.reshape(len(parts), width))


def nearest(
    held: Held,
    question: "array[float]",
    also: Collection[int],
    allowed: Collection[int] | None,
    most: int,
) -> dict[int, float]:
    """The cosines of the `most` nearest chunks and of those in `also`, by serial.

    Only chunks in `allowed` have one, where it is given. Raises `OddVectorsError`.
    """
    import numpy as np

    asked = np.asarray(question, dtype=np.float32)
    if not len(held.serials):
        return {}
    if len(asked) != held.vectors.shape[1]:
        raise OddVectorsError
    serials, cosines = held.serials, held.vectors @ asked
    if allowed is not None:
        fits = np.isin(serials, _array(allowed))
        serials, cosines = serials[fits], cosines[fits]
    told = np.isin(serials, _array(also))
    if most < len(cosines):
        told[np.argpartition(-cosines, most)[:most]] = True
    else:
        told[:] = True
    return dict(zip(serials[told].tolist(), cosines[told].tolist(), strict=True))


def _array(serials: Collection[int]) -> "NDArray[np.int64]":
    import numpy as np

    return np.fromiter(serials, dtype=np.int64, count=len(serials))

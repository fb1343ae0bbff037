"""As many equal operations as BENCH_OPERATIONS says, for `bench_gate`."""

import os

from fastapi import APIRouter

from plugin.operations import CurrentCaller, operation
from tests.bench.bench_gateway import Kept, Note

router = APIRouter()


def _declare(number: int) -> None:
    async def keep(note: Note, caller: CurrentCaller) -> Kept:
        """Keep a note."""
        return Kept(text=note.text, urgent=note.urgent, tags=note.tags, length=len(caller.id))

    keep.__name__ = name = f"bench_note_{number}"
    guarded = operation(scope="bench:write")(keep)
    router.post(f"/bench/notes/{number}", operation_id=name, summary="Keep one")(guarded)


for _number in range(int(os.environ.get("BENCH_OPERATIONS", "10"))):
    _declare(_number)

"""What this plugin does, and the public surface for those who write operations, ours and users'.

An operation is an ordinary FastAPI route in a module with a `router`:

    router = APIRouter(prefix="/notes", tags=["notes"])

    class AddNote(Arguments):
        text: Annotated[str, Field(max_length=200)]
        "What to remember."

    @router.post("", operation_id="add_note", status_code=201)
    @operation(scope="notes:write")
    async def add_note(note: AddNote, caller: CurrentCaller, database: Database) -> Note:
        "Remember a note. Use it when the user asks you to keep something in mind."

The docstring of the function and those of the fields are what a model reads. Raise the errors of
`plugin.errors`; declare them as `@operation(..., raises=(NotFound,))`. `PLUGIN_OPERATIONS` names
the package; `discover` finds it. See docs/operations.md.

An endpoint may ask for `CurrentCaller`, `Database`, `Http`, `Now`, `Pools` (threads, and turns at
heavy work), and `Vectors`: an `Embedder` (texts in, vectors out), or None where no engine has a
model for it.
"""

from plugin.operations.declaration import Access, access_of, operation
from plugin.operations.discovery import BUILT_IN, discover
from plugin.operations.models import Arguments, PageText, PlainText, QueryArguments, Reply
from plugin.operations.resources import (
    CurrentCaller,
    Database,
    Embedder,
    Http,
    Now,
    Pools,
    Services,
    Vectors,
)

__all__ = [
    "BUILT_IN",
    "Access",
    "Arguments",
    "CurrentCaller",
    "Database",
    "Embedder",
    "Http",
    "Now",
    "PageText",
    "PlainText",
    "Pools",
    "QueryArguments",
    "Reply",
    "Services",
    "Vectors",
    "access_of",
    "discover",
    "operation",
]

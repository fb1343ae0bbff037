"""The ledger's writer in the parent, where it takes no time from a worker's event loop."""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugin.ledger.writer import LedgerWriter
    from plugin.settings import Settings

_LAST_LOOK = 8.0
"""Seconds that the last look at journals has; what it does not reach is for the next start."""


class LedgerBeside:
    """Brings all workers' journals into the ledger of the database that is set."""

    def __init__(self) -> None:
        self._database: str | None = None
        self._writer: LedgerWriter | None = None

    def follow(self, settings: "Settings") -> None:
        """Write to the database that is set; to one that is set as before it goes on."""
        if settings.database == self._database:
            return
        self.stop()
        from plugin.ledger.opening import open_writer

        self._writer = open_writer(settings.data_dir, settings.database)
        self._database = settings.database

    def stop(self) -> None:
        """Bring in what is left, and end."""
        if self._writer is not None:
            last = threading.Thread(target=self._writer.close, name="ledger's end", daemon=True)
            last.start()
            last.join(_LAST_LOOK)
        self._writer = self._database = None

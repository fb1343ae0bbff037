"""The pool of connections for the event loop: callers take turns at them.

It overrides two private methods of SQLAlchemy's pool. So every use of the engine is counted, also
that of operations which open sessions or transactions of their own.
"""

from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util import await_

from plugin.pools.turns import Turns


class FairPool(AsyncAdaptedQueuePool):
    """Lends a connection to a caller whose turn it is; `turns` is set before its first use."""

    turns: Turns

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._callers: dict[ConnectionPoolEntry, str] = {}

    def recreate(self) -> "FairPool":
        """Return an empty pool like this one."""
        pool = super().recreate()
        assert isinstance(pool, FairPool)  # noqa: S101 - for the type checker
        pool.turns = self.turns
        return pool

    def _do_get(self) -> ConnectionPoolEntry:
        caller = self.turns.take()
        if caller is None:
            caller = await_(self.turns.wait())
        try:
            entry = super()._do_get()
        except BaseException:
            self.turns.give_back(caller)
            raise
        self._callers[entry] = caller
        return entry

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        caller = self._callers.pop(record)
        try:
            super()._do_return_conn(record)
        finally:
            self.turns.give_back(caller)

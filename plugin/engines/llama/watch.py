"""Sees an engine that hangs without having died: it neither answers nor works."""

import http.client
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

_EVERY = 5.0
_PATIENCE = 5.0
_MISSES = 3
_TIMES = slice(11, 13)
"""Where /proc says the processor time, in user and in system mode, after the name."""


def watch(
    addresses: Iterable[str],
    pid: int,
    ended: threading.Event,
    hangs: Callable[[], None],
    every: float | None = None,
) -> None:
    """Look every few seconds until `ended`; call `hangs` once it has hung three times in a row.

    An engine under full load may keep somebody waiting who only asks how it is, but then it uses
    processor time: only one that does neither is taken to hang. Without /proc none is.
    """
    addresses, misses, before = tuple(addresses), 0, _worked(pid)
    while not ended.wait(every or _EVERY):
        now = _worked(pid)
        idle = now is not None and now == before
        before = now
        misses = misses + 1 if idle and not all(map(_answers, addresses)) else 0
        if misses == _MISSES:
            logging.getLogger("plugin.engine").error(
                "the embedded engine has not answered %d times and does nothing; it is killed",
                _MISSES,
            )
            hangs()
            return


def _worked(pid: int) -> list[str] | None:
    """The processor time that a process has used; None where that is not known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[_TIMES]


def _answers(address: str) -> bool:
    where = urlsplit(address)
    connection = http.client.HTTPConnection(
        where.hostname or "", where.port or 0, timeout=_PATIENCE
    )
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True

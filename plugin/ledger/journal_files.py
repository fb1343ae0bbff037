"""The files of journals: which there are, and whether their workers live."""

import os
import time
from pathlib import Path

_UNFINISHED = 60.0
"""Seconds after which a hidden part is left over: its worker was killed before the rename."""


def journals(directory: Path) -> dict[str, list[Path]]:
    """The journals that lie there: each worker's parts in their order.

    Raises `OSError` when the directory cannot be read.
    """
    try:
        names = sorted(os.listdir(directory))  # noqa: PTH208 - iterdir gives paths to take apart
    except FileNotFoundError:
        return {}
    found: dict[str, list[Path]] = {}
    for name in names:
        worker, _, part = name.removesuffix(".log").rpartition(".")
        if part.isdigit() and name.endswith(".log") and not name.startswith("."):
            found.setdefault(worker, []).append(directory / name)
    return found


def remove_unfinished(directory: Path) -> None:
    """Remove parts that are still hidden after a minute; they hold no line.

    Raises `OSError`.
    """
    for hidden in directory.glob(".*.log"):
        if time.time() - hidden.stat().st_mtime > _UNFINISHED:
            hidden.unlink(missing_ok=True)

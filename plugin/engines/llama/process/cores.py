"""How many threads the engine gets where nobody has said."""

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def default_threads(quota: Path = _QUOTA) -> int:
    """One less than there are processors for us, so that the service answers while it decodes."""
    return max(1, usable(quota) - 1)


def usable(quota: Path = _QUOTA) -> int:
    """The processors that this process may keep busy: those it may run on, within its quota."""
    if hasattr(os, "sched_getaffinity"):
        there = len(os.sched_getaffinity(0))
    else:
        there = os.cpu_count() or 1
    try:
        given, period = quota.read_text().split()
        return min(there, max(1, int(given) // int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        # no such limit: the file is not there, or says "max"
        return there

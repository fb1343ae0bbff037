"""Which start of the machine this is: clocks that begin anew with it mean nothing in another."""

import time
from hashlib import blake2b
from pathlib import Path

# counts on while the machine sleeps, where the system can tell
_UPTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Return the seconds since the machine started."""
    return time.clock_gettime(_UPTIME)


def boot() -> bytes:
    """Return 16 bytes that are the same until the machine starts again."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    except OSError:
        text = str(round(time.time() - uptime(), -1)).encode()
    return blake2b(text, digest_size=16).digest()

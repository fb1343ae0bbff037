"""Space on the disk, allocated for a file before it is written."""

import ctypes
import errno
import os
import resource
from functools import cache
from typing import Any

_KEEP_SIZE = 1
_NOT_OFFERED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def is_full(error: OSError) -> bool:
    """Return whether a write failed because the disk, a quota or RLIMIT_FSIZE is exhausted."""
    return error.errno in _FULL


def allocate(file: int, offset: int, length: int) -> bool:
    """Allocate `length` bytes from `offset` on, beyond the end of an open file as well.

    The size of the file stays, so a reader sees only what was written. Return False where the
    system or the file system cannot do this. Raises `OSError` when the disk is full or the range
    exceeds RLIMIT_FSIZE.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most != resource.RLIM_INFINITY and offset + length > most:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    call = _fallocate()
    if call is None:
        return False
    ctypes.set_errno(0)
    if call(file, _KEEP_SIZE, offset, length) == 0:
        return True
    reason = ctypes.get_errno()
    if reason in _NOT_OFFERED:
        return False
    raise OSError(reason, os.strerror(reason))


@cache
def _fallocate() -> Any:
    # Python's os.posix_fallocate makes the file longer: a reader would meet zeros.
    library = ctypes.CDLL(None, use_errno=True)
    call = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return call

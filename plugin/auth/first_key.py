"""The first key of a new service: made when there is none, and kept for its owner alone."""

import os
from pathlib import Path

from plugin.auth.caller import EVERYTHING
from plugin.auth.keys import KeyStore
from plugin.errors import CannotRun

FILE = "first-key"


def ensure(store: KeyStore, directory: Path) -> str | None:
    """Make a key if there has never been one, and return it; None when there has."""
    if store.any():
        return None
    file = directory / FILE
    try:
        # Before the key exists, so that none is made that could not be kept.
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise CannotRun(
            f"{file} cannot be written ({error.strerror}); make it writable, or give another "
            "PLUGIN_DATA_DIR"
        ) from None
    with os.fdopen(handle, "w") as kept:
        os.fchmod(handle, 0o600)
        key = store.create("first key", [EVERYTHING]).key
        kept.write(f"{key}\n")
    return key

"""Acts: what an operator or the service itself did, written for the ledger."""

import time
from pathlib import Path
from typing import Any

from plugin.ledger.journal import note


def note_act(data_dir: Path, kind: str, subject: str, **detail: Any) -> None:
    """Write an act into a journal of the data directory; the ledger takes it from there.

    Raises `OSError` when the journal cannot be written.
    """
    note(data_dir / "journal", time.time, [(kind, subject, detail)])

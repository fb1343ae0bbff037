"""The storage fails under a service that is at work: nothing may be lost, and it goes on by itself.

`python -m tests.bench.chaos_storage`

The disk is full, the database locked by another process, the journals deleted, replaced by a file,
damaged. Prints what callers were told and how long it took; exit code 1 when a call that was
answered has no row, or two, when the ledger is not as written, or when it does not go on by itself.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench.promises import Promises
from tests.journeys.storage_faults import (
    Fault,
    file_instead_of_journals,
    full_disk,
    journals_deleted,
    locked_database,
    no_longer_files,
    small_disk,
)
from tests.journeys.storage_trial import Outcome, Sizes, p99, tally, trial

FAULTS: dict[str, Fault] = {
    "full": full_disk,
    "no_longer_files": no_longer_files,
    "locked": locked_database,
    "deleted": journals_deleted,
    "file_instead": file_instead_of_journals,
}

_BACK = 5.0
"""Seconds after which calls that wait for the database have been answered as well."""


def run(name: str, sizes: Sizes) -> Outcome | None:
    """One fault on a service of its own; None where it cannot be done here."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        directory = Path(place)
        data = directory / "data"
        if name == "full" and not stack.enter_context(small_disk(data, 64)):
            return None
        return trial(directory, FAULTS[name], sizes, data)


def tell(promises: Promises, name: str, found: Outcome) -> None:
    """Print what came of it."""
    print(f"{name}:")
    for part, calls in (("before", found.before), ("during", found.during), ("after", found.after)):
        promises.tell(f"{part:7}{tally(calls)}; p99 {p99(calls):.0f} ms")
    promises.tell(f"{found.rows} rows, all there {found.booked_after:.2f} s after the last call")
    for violation in found.violations:
        promises.check("nothing is lost", violation, "no such call", kept=False)
    if not found.violations:
        promises.none("answered calls without a row, or with two", 0)
    promises.check(
        "the last call that failed by it, after its end",
        *(f"{found.back_after:.2f} s", f"at most {_BACK:.0f} s, without a restart"),
        kept=found.back_after <= _BACK,
    )
    said = found.verified.splitlines()[0] if found.verified else "not as written"
    promises.check("plugin ledger verify", said, "whole", kept=bool(found.verified))


def main(arguments: Sequence[str] | None = None) -> None:
    """All faults, in full size unless told otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", nargs="*", default=list(FAULTS), help=", ".join(FAULTS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args(arguments)
    sizes = Sizes(3, given.seconds, 5, given.clients, given.workers)
    promises = Promises()
    for name in given.faults:
        found = run(name, sizes)
        if found is None:
            print(f"{name}: this user may mount no disk; no_longer_files is the nearest to it")
            continue
        tell(promises, name, found)
    promises.end()


if __name__ == "__main__":
    main()

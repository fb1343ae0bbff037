"""Figures with the promise that each must keep beside it, and how a script ends that broke one."""

import sys
from typing import NoReturn


class Promises:
    """Prints them as they come."""

    def __init__(self) -> None:
        self._broken = list[str]()

    def tell(self, what: str) -> None:
        """A figure or a line that promises nothing."""
        print(f"         {what}", flush=True)

    def check(self, name: str, found: object, promise: str, *, kept: bool) -> None:
        """A figure that promises something."""
        word = "kept  " if kept else "BROKEN"
        print(f"  {word} {name}: {found}   (promise: {promise})", flush=True)
        if not kept:
            self._broken.append(name)

    def none(self, name: str, count: int) -> None:
        """What must not be at all."""
        self.check(name, count, "0", kept=count == 0)

    def end(self) -> NoReturn:
        """Exit code 1 where a promise was broken."""
        if self._broken:
            print(f"{len(self._broken)} promises broken: {', '.join(self._broken)}")
        sys.exit(1 if self._broken else 0)

"""`plugin replay --record` and `--expect`: what was answered, written to a file and compared."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.terminal import fail
from plugin.errors import CannotRun

if TYPE_CHECKING:
    from plugin.contract.operation import Operation
    from plugin.harness.exchange import Send
    from plugin.harness.recording.expectations import Event, Recording, Watched

Record = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write down what the service answers.")
]
Expect = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Compare with what was written down.")
]
Mask = Annotated[
    list[str] | None,
    typer.Option(metavar="POINTER", help="Part of an answer that may differ, as /items/*/price."),
]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a replay does about answers: writes them down, compares them, or neither."""

    record: Path | None = None
    expect: Path | None = None
    masks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.record and self.expect:
            fail("--record and --expect exclude each other; record once, then expect")
        if self.masks and not (self.record or self.expect):
            fail("--mask says what --record or --expect is to leave out; give one of them")

    @property
    def is_asked_for(self) -> bool:
        """Whether answers are to be written down or compared."""
        return bool(self.record or self.expect)

    def way(self, send: "Send") -> "Watched":
        """The way to the service, with what goes over it in view."""
        from plugin.harness.recording.expectations import Watched

        return Watched(send)

    async def events(
        self, run: "AsyncIterator[Event]", way: "Watched", operations: "Mapping[str, Operation]"
    ) -> "AsyncIterator[Event]":
        """The events of a run; recorded, or with the checks of what is expected."""
        from plugin.harness.recording.expectations import Expectations

        if self.record:
            with _recording(self.record, operations, self.masks) as recording:
                async for event in recording.watch(run, way):
                    yield event
        elif self.expect:
            expectations = Expectations(operations, _rows(self.expect), self.masks)
            if not expectations.known:
                raise CannotRun(
                    f"{self.expect} holds no recorded answers; make some with --record FILE"
                )
            async for event in expectations.watch(run, way):
                yield event
            if expectations.left:
                typer.echo(
                    f"note: {expectations.left} recorded answers are for calls that did not come",
                    err=True,
                )
        else:
            async for event in run:
                yield event


@contextmanager
def _recording(
    file: Path, operations: "Mapping[str, Operation]", masks: tuple[str, ...]
) -> "Iterator[Recording]":
    """A recording that takes the place of the file when the run is over, and not before."""
    from plugin.harness.json_text import dumps
    from plugin.harness.recording.expectations import Recording

    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        with unfinished.open("wb") as stream:
            unfinished.chmod(0o600)
            yield Recording(
                operations, lambda row: _ignore(stream.write(dumps(row) + b"\n")), masks
            )
        unfinished.replace(file)
    except OSError as error:
        raise CannotRun(
            f"cannot write {file}: {error.strerror}; give --record a file that can be written"
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)


def _ignore(_: int) -> None:
    return


def _rows(file: Path) -> Iterator[Any]:
    from plugin.harness.json_text import NotJson, loads

    number = 0
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):  # noqa: B007 - the error names it
                if line.strip():
                    yield loads(line)
    except OSError as error:
        raise CannotRun(f"cannot read {file}: {error.strerror}; make it with --record") from None
    except NotJson as error:
        raise CannotRun(f"{file} line {number} is not JSON: {error}") from None

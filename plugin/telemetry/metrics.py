"""What is measured of each request, kept for a second, and told for all workers together."""

import logging
import os
import resource
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from pathlib import Path

from plugin.gate.admission import REPLAYED, WHOLE
from plugin.telemetry import names
from plugin.telemetry.record import RequestRecord
from plugin.telemetry.samples import Figures, Labels
from plugin.telemetry.shared_samples import FigureFile, gather

log = logging.getLogger(__name__)

Sample = Callable[[Figures], None]
"""Puts gauges, as they stand now, among the figures it is given."""

OTHER = "other"
"""What stands for every name that the service does not know: labels must stay few."""

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_FAILED = 400
_WELL = frozenset({WHOLE, REPLAYED})
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Metrics:
    """The figures of this worker; `tend` writes them down for whoever is asked.

    `models` are the names that may become labels, `public` the paths that need no key. `samples`
    are taken of each worker, `at_last` of the service, when somebody asks. A kill loses a second.
    """

    def __init__(
        self,
        directory: Path,
        models: Container[str],
        public: Container[str],
        samples: Sequence[Sample] = (),
        at_last: Sequence[Sample] = (),
    ) -> None:
        self._directory = directory
        self._models = models
        self._public = public
        self._samples = samples
        self._at_last = at_last
        self._counted = Figures()
        self._labels: dict[tuple[str, str | None, int | None], Labels] = {}
        self._file: FigureFile | None = None
        self._failing = False

    def record(self, record: RequestRecord) -> None:
        """Take in the record of a request, at once."""
        labels = self._labels.get((record.method, record.path, record.status))
        if labels is None:
            labels = self._labels_of(record)
        self._counted.observe(names.REQUESTS, labels, record.ms / 1000)
        if record.limit is not None:
            self._counted.count(names.REFUSALS, (record.limit, labels[0]))
        if record.units:
            self._counted.count(names.UNITS, (self._model(record.model),), record.units)
        if record.model is not None:
            self._call(record)

    def _labels_of(self, record: RequestRecord) -> Labels:
        """The labels of a request; remembered for methods that there are, as paths are routes'."""
        method, path, status = record.method, record.path, record.status
        door = "open" if path is None or path in self._public else record.door
        kind = f"{status // 100}xx" if status else "none"
        if method not in _METHODS:
            return door, OTHER, path or OTHER, kind
        labels = door, method, path or OTHER, kind
        self._labels[method, path, status] = labels
        return labels

    def tend(self) -> None:
        """Write the figures down, for the other workers to read; every second or so."""
        figures = Figures()
        figures.add(self._counted)
        for sample in (_process, *self._samples):
            sample(figures)
        try:
            if self._file is not None and not self._file.in_place:
                self._let_go()
            if self._file is None:
                self._file = FigureFile(self._directory)
            self._file.write(figures)
        except OSError as error:
            if not self._failing:
                log.warning("the figures of this worker cannot be written: %s", error)
            self._failing = True
        else:
            self._failing = False

    def gathered(self) -> Figures:
        """The figures of all workers, as they last wrote them; in any thread, and it blocks.

        Raises `OSError`.
        """
        figures, alive = gather(self._directory)
        figures.count(names.WORKERS, by=alive)
        for sample in self._at_last:
            sample(figures)
        return figures

    def close(self) -> None:
        """Write what was counted last, and let go."""
        self.tend()
        self._let_go()

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _model(self, name: str | None) -> str:
        if name is None:
            return "none"
        return name if name in self._models else OTHER

    def _call(self, record: RequestRecord) -> None:
        answered = record.answered_by
        labels = (
            record.operation or OTHER,
            "none" if answered is None else answered.provider or "none",
            self._model(record.model),
        )
        counted = self._counted
        counted.observe(names.CALLS, (*labels, error_of(record)), record.ms / 1000)
        if record.first_ms is not None:
            counted.observe(names.FIRST_PIECE, labels, record.first_ms / 1000)
        if record.tokens_in:
            counted.count(names.INPUT, labels, record.tokens_in)
        if record.tokens_out:
            counted.count(names.OUTPUT, labels, record.tokens_out)


def error_of(record: RequestRecord) -> str:
    """What kind of error a request ended in: a status, an end; nothing for a good one."""
    status = record.status
    if status is not None and status >= _FAILED:
        return str(status)
    if record.ended is not None and record.ended not in _WELL:
        return record.ended
    return "" if status is not None else "none"


def _process(figures: Figures) -> None:
    """What this process takes of the machine, where the system tells it."""
    labels = (str(os.getpid()),)
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
        figures.count(names.MEMORY, labels, pages * _PAGE)
        figures.count(names.HANDLES, labels, len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - a count is wanted
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures.count(names.CPU, labels, used.ru_utime + used.ru_stime)

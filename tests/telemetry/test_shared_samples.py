import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from plugin.telemetry.names import ACTIVE, UNITS
from plugin.telemetry.samples import Figures
from plugin.telemetry.shared_samples import FigureFile, gather

WORKER = """
import sys, time
from pathlib import Path
from plugin.telemetry.shared_samples import FigureFile
from plugin.telemetry.samples import Figures
from plugin.telemetry.names import ACTIVE, UNITS

file = FigureFile(Path(sys.argv[1]))
figures = Figures()
figures.count(UNITS, ("small",), int(sys.argv[2]))
figures.count(ACTIVE, by=1)
file.write(figures)
print("written", flush=True)
time.sleep(60)
"""


def units(number: int) -> Figures:
    figures = Figures()
    figures.count(UNITS, ("small",), number)
    figures.count(ACTIVE, by=1)
    return figures


def told(directory: Path) -> tuple[float, float, int]:
    """Units, requests under way, workers."""
    figures, alive = gather(directory)
    (of_units,) = figures.rows.get(UNITS.name, {("small",): [0.0]}).values()
    (active,) = figures.rows.get(ACTIVE.name, {(): [0.0]}).values()
    return of_units[0], active[0], alive


def worker(directory: Path, number: int) -> "subprocess.Popen[str]":
    process = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", WORKER, str(directory), str(number)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    return process


def test_nobody_has_counted_anything(tmp_path: Path) -> None:
    assert told(tmp_path / "metrics") == (0, 0, 0)


def test_the_figures_of_all_workers_and_of_the_dead_add_up(tmp_path: Path) -> None:
    mine = FigureFile(tmp_path)
    mine.write(units(1))
    with worker(tmp_path, 10) as first, worker(tmp_path, 100) as second:
        assert told(tmp_path) == (111, 3, 3)
        first.send_signal(signal.SIGKILL)
        first.wait()
        # what it had counted stays, its requests are under way no more; however often one asks
        assert told(tmp_path) == told(tmp_path) == (111, 2, 2)
        assert len(list(tmp_path.glob("*.worker"))) == 2
        second.kill()
    mine.write(units(5))
    mine.close()
    assert told(tmp_path) == (115, 0, 0)
    assert not list(tmp_path.glob("*.worker"))


def test_a_kill_between_taking_in_and_removing_counts_nothing_twice(tmp_path: Path) -> None:
    file = FigureFile(tmp_path)
    file.write(units(7))
    (path,) = tmp_path.glob("*.worker")
    content = path.read_bytes()
    file.close()
    assert told(tmp_path) == (7, 0, 0)
    path.write_bytes(content)
    assert told(tmp_path) == (7, 0, 0)
    assert not path.exists()


def test_what_is_damaged_costs_itself_alone(tmp_path: Path) -> None:
    good, bad = FigureFile(tmp_path), FigureFile(tmp_path)
    good.write(units(3))
    bad.write(units(4))
    os.pwrite(bad._file, b"rubbish", 20)
    assert told(tmp_path) == (3, 1, 2)
    (tmp_path / "past.json").write_text("{")
    assert told(tmp_path) == (3, 1, 2)
    good.close()
    bad.close()


def test_a_directory_among_the_files_is_left_alone(tmp_path: Path) -> None:
    file = FigureFile(tmp_path)
    file.write(units(3))
    (tmp_path / "0.worker").mkdir()
    assert told(tmp_path) == (3, 1, 1)
    file.close()


def test_who_reads_while_it_is_written_reads_whole_figures(tmp_path: Path) -> None:
    file, stop = FigureFile(tmp_path), threading.Event()
    file.write(units(1))

    def write() -> None:
        number = 1
        while not stop.is_set():
            number = number * 7 % 1_000_003 or 1
            file.write(units(number))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        seen = {told(tmp_path)[0] for _ in range(300)}
    finally:
        stop.set()
        writing.join()
        file.close()
    assert 0 not in seen

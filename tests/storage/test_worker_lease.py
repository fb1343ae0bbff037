import subprocess
import sys
from pathlib import Path

from plugin.storage.worker_lease import WorkerLease

HOLD = """
import sys
from pathlib import Path
from plugin.storage.worker_lease import WorkerLease
print(WorkerLease(Path(sys.argv[1])).id, flush=True)
sys.stdin.read()
"""


def test_a_worker_lives_until_it_is_killed(tmp_path: Path) -> None:
    here = WorkerLease(tmp_path)
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(  # noqa: S603 - our own line
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        assert here.is_alive(name)
        here.sweep()
        assert here.is_alive(name)
        other.kill()
        other.wait()
    assert not here.is_alive(name)
    assert here.is_alive(here.id)
    assert (tmp_path / f"{name}.lock").exists()
    here.sweep()
    assert [path.name for path in tmp_path.iterdir()] == [f"{here.id}.lock"]


def test_who_has_ended_or_never_was_is_not_alive(tmp_path: Path) -> None:
    here, other = WorkerLease(tmp_path), WorkerLease(tmp_path)
    assert here.is_alive(other.id)
    other.close()
    assert not here.is_alive(other.id)
    assert not here.is_alive("nobody")


def test_a_file_that_was_taken_away_is_put_back(tmp_path: Path) -> None:
    here, other = WorkerLease(tmp_path / "holders"), WorkerLease(tmp_path / "holders")
    for path in (tmp_path / "holders").iterdir():
        path.unlink()
    (tmp_path / "holders").rmdir()
    assert not other.is_alive(here.id)
    here.tend()
    assert other.is_alive(here.id)
    assert (tmp_path / "holders" / f"{here.id}.lock").stat().st_mode & 0o777 == 0o600


def test_tending_what_is_in_its_place_opens_nothing(tmp_path: Path) -> None:
    here = WorkerLease(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        here.tend()
    assert len(list(Path("/proc/self/fd").iterdir())) == before

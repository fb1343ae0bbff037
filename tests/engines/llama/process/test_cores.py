import os
from pathlib import Path

import pytest

from plugin.engines.llama.process.cores import default_threads, usable

HERE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000", HERE),
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("99999999 100000", HERE),
        ("nonsense", HERE),
        ("1 0", HERE),
    ],
)
def test_a_quota_counts(tmp_path: Path, quota: str, expected: int) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(f"{quota}\n")
    assert usable(file) == expected


def test_one_is_left_to_the_service_where_there_are_several(tmp_path: Path) -> None:
    assert usable(tmp_path / "none") == HERE
    assert default_threads(tmp_path / "none") == max(1, HERE - 1)
    file = tmp_path / "cpu.max"
    file.write_text("100000 100000")
    assert default_threads(file) == 1

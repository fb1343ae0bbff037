"""Attack: others fill the disk to the last byte. Operators still revoke keys, callers delete."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from plugin.storage.reserve import FILE, FOR_DELETES, Reserve
from tests.journeys.in_process import plugin_here
from tests.journeys.running import Address, bearer, new_key, running, until
from tests.journeys.storage_faults import full_disk, small_disk
from tests.sizes import sized

MEGABYTES = 48
SIZE = 8 * 1024 * 1024
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhello\r\n--x--\r\n'
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    data = tmp_path / "data"
    with small_disk(data, MEGABYTES) as mounted:
        if not mounted:
            pytest.skip("no disk can be mounted here")
        yield data


def todo(address: Address, headers: dict[str, str]) -> int:
    typed = {**headers, "Content-Type": "application/json"}
    return address.call("POST", "/todos", typed, b'{"text": "buy milk"}').status


def soon(status: Callable[[], int], wanted: int) -> None:
    until(lambda: status() == wanted)


def test_keys_are_revoked_and_files_deleted_on_a_full_disk(tmp_path: Path, disk: Path) -> None:
    settings = {"PLUGIN_DATA_DIR": str(disk), "PLUGIN_DISK_RESERVE": str(SIZE)}
    mallory, ann = (new_key(tmp_path, settings=settings) for _ in range(2))
    with running(tmp_path, "serve", settings=settings) as service:
        address = service.address
        assert (disk / FILE).stat().st_blocks * 512 == SIZE
        form = {**bearer(ann), "Content-Type": "multipart/form-data; boundary=x"}
        kept = address.call("POST", "/v1/files", form, FORM).json()
        assert todo(address, bearer(mallory)) == HTTPStatus.CREATED
        with full_disk(disk, 0):
            soon(lambda: todo(address, bearer(mallory)), HTTPStatus.INSUFFICIENT_STORAGE)
            revoked = plugin_here(tmp_path, "keys", "revoke", mallory["id"], settings=settings)
            assert revoked.returncode == 0, revoked.stderr
            assert todo(address, bearer(mallory)) == HTTPStatus.UNAUTHORIZED
            limit = ("limits", "set", "requests", "9", "--per", "minute", "--key", mallory["id"])
            limited = plugin_here(tmp_path, *limit, settings=settings)
            assert limited.returncode == 0, limited.stderr
            # the space is the operators', not the next caller's
            assert todo(address, bearer(ann)) == HTTPStatus.INSUFFICIENT_STORAGE
            gone = address.call("DELETE", f"/v1/files/{kept['id']}", bearer(ann))
            assert gone.status == HTTPStatus.OK
            assert (disk / FILE).stat().st_blocks * 512 in {0, SIZE}
        soon(lambda: todo(address, bearer(ann)), HTTPStatus.CREATED)
        until(lambda: (disk / FILE).stat().st_blocks * 512 == SIZE)


def test_what_is_released_belongs_to_operators_until_the_reserve_is_whole(disk: Path) -> None:
    reserve = Reserve(disk, SIZE)
    reserve.look()
    assert (reserve.is_low, reserve.is_spent) == (False, False)
    with full_disk(disk, 0):
        reserve.look()
        assert (reserve.is_low, reserve.is_spent) == (True, False)
        reserve.release()
        reserve.look()
        assert (reserve.is_low, reserve.is_spent) == (True, False)
        assert (disk / FILE).stat().st_size == 0
        (disk / "rows").write_bytes(bytes(SIZE // 2 + 4096))
        reserve.look()
        assert reserve.is_spent
    reserve.look()
    assert (reserve.is_low, reserve.is_spent) == (False, False)
    assert (disk / FILE).stat().st_blocks * 512 == SIZE


def test_a_disk_smaller_than_the_reserve_lets_nobody_store(disk: Path) -> None:
    reserve = Reserve(disk, 2 * MEGABYTES * 1024 * 1024)
    reserve.look()
    assert reserve.is_low
    none = Reserve(disk, 0)
    none.look()
    assert not none.is_low


def test_deletes_never_take_what_is_the_operators(disk: Path) -> None:
    reserve = Reserve(disk, SIZE)
    reserve.look()
    whole = SIZE, SIZE // 8
    assert held(disk) == whole
    with full_disk(disk, 0):
        assert reserve.lets_delete()
        assert held(disk) == (SIZE, 0)
        (disk / "rows").write_bytes(bytes(SIZE // 8 - SIZE // 64))
        assert not reserve.lets_delete()
        reserve.look()
        assert reserve.is_spent
        assert held(disk) == (SIZE, 0)
        # what an operator releases is not for callers either
        reserve.release()
        assert held(disk) == (0, 0)
        assert not reserve.lets_delete()
        (disk / "rows").unlink()
        assert reserve.lets_delete()
    reserve.look()
    assert held(disk) == whole
    assert reserve.lets_delete()
    assert held(disk) == whole


def held(disk: Path) -> tuple[int, int]:
    """The bytes that the two parts occupy."""
    first, second = ((disk / name).stat().st_blocks * 512 for name in (FILE, FOR_DELETES))
    return first, second


def test_a_caller_who_deletes_again_and_again_leaves_the_reserve_whole(
    tmp_path: Path, disk: Path
) -> None:
    settings = {"PLUGIN_DATA_DIR": str(disk), "PLUGIN_DISK_RESERVE": str(SIZE)}
    mallory = new_key(tmp_path, settings=settings)
    with running(tmp_path, "serve", settings=settings) as service:
        address = service.address
        with full_disk(disk, 0):
            soon(lambda: todo(address, bearer(mallory)), HTTPStatus.INSUFFICIENT_STORAGE)
            answers = {
                address.call("DELETE", "/v1/files/file-none", bearer(mallory)).status
                for _ in range(sized(300, 5_000))
            }
            assert answers <= {HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE}
            assert (disk / FILE).stat().st_blocks * 512 == SIZE
            revoked = plugin_here(tmp_path, "keys", "revoke", mallory["id"], settings=settings)
            assert revoked.returncode == 0, revoked.stderr

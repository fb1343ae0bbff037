import stat
from pathlib import Path

import pytest

from plugin.engines.llama.process.state import EngineState, StateFile, set_aside, write_state

READY = EngineState(
    "ready",
    pid=7,
    text="http://127.0.0.1:1",
    vectors="http://127.0.0.1:2",
    key="secret",
    context=4096,
    slots=4,
    restarts=1,
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    write_state(path, READY)
    assert StateFile(path).read() == READY


def test_nobody_else_can_read_the_key(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    path.write_text("{}")
    path.chmod(0o644)
    write_state(path, READY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_change_is_seen_and_an_unchanged_file_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = StateFile(tmp_path / "engine.json")
    write_state(file.path, EngineState("starting"))
    assert file.read().state == "starting"
    with monkeypatch.context() as patched:
        patched.delattr(Path, "read_bytes")
        assert file.read().state == "starting"
    write_state(file.path, READY)
    assert file.read() == READY


def test_without_a_file_the_engine_is_stopped_and_the_text_says_how_to_start_it(
    tmp_path: Path,
) -> None:
    file = StateFile(tmp_path / "engine.json")
    assert file.read().state == "stopped"
    assert "plugin serve" in file.read().detail
    write_state(file.path, READY)
    assert file.read().state == "ready"
    file.path.unlink()
    assert file.read().state == "stopped"


DAMAGED = [
    *("", "[]", "{", "null", '{"state": ', "{}", "\x00", '{"state": "ready", "text": 5}'),
    *('{"state": "well"}', '{"state": ["ready"]}', '{"state": "ready", "pid": "7"}'),
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_waited_for_and_its_path_is_not_told(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "engine.json"
    path.write_text(content)
    state = StateFile(path).read()
    assert state.state == "starting"
    assert state.detail.endswith("cannot be read. Try again in a moment.")
    assert str(tmp_path) not in state.detail
    assert path.name not in state.detail


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_set_aside_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "engine.json"
    path.write_text(content)
    assert set_aside(path) == tmp_path / "engine.json.damaged"
    assert not path.exists()
    assert (tmp_path / "engine.json.damaged").read_text() == content


def test_a_whole_file_is_not_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    assert set_aside(path) is None
    write_state(path, READY)
    assert set_aside(path) is None
    assert list(tmp_path.iterdir()) == [path]


def test_a_member_of_a_later_version_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "engine.json"
    path.write_text('{"state": "failed", "detail": "why", "colour": "red"}')
    assert StateFile(path).read() == EngineState("failed", "why")

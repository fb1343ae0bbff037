"""Recorded calls as tests of the user's own project: pytest collects one item a call.

Set in the project's pytest configuration:

    plugin_calls = ["calls/*.jsonl"]      # files of recorded calls, from the root directory
    plugin_app = "my_service.main:app"    # or plugin_url = "http://127.0.0.1:9000"

A test of its own that asks for the fixture `recorded_call`, and is marked with
`plugin_calls("calls/*.jsonl")`, runs once for each call, against the fixture `plugin_app`.

pytest loads this module in every run, so it imports nothing of weight until a file is collected.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from plugin.harness.replay import Replayed
    from plugin.harness.transcript import Unreadable
    from plugin.pytest_plugin.run import Run

_FAIL_ON = ("service_broke_contract", "call_was_wrong")
_OUTCOMES = ("passed", "repaired", "not_sent", *_FAIL_ON)
_FILES = pytest.StashKey[frozenset[Path]]()
_RUNS = pytest.StashKey[dict[tuple[Path, int], "Run"]]()
_MARKER = 'recorded_call needs its files: @pytest.mark.plugin_calls("calls/*.jsonl")'


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the settings."""
    add = parser.addini
    add("plugin_calls", "files of recorded calls, as globs from the root directory", "linelist")
    add("plugin_app", "the ASGI application to call, as module:attribute, or a factory of it")
    add("plugin_url", "the running service to call")
    add("plugin_openapi", "its contract, a file or a URL; default: its own /openapi.json")
    add("plugin_fail_on", "the outcomes that fail a test", "args", list(_FAIL_ON))
    add("plugin_allow_hosts", "hosts other than this machine that may be called", "args")
    add("plugin_allow_consequential", "call what changes something at plugin_url, too", "bool")
    add("plugin_max_characters", "answers have to be shorter than this", default="100000")
    add("plugin_max_seconds", "the longest round trip to accept", default="45")
    group = parser.getgroup("plugin", "recorded calls")
    group.addoption("--plugin-app", metavar="MODULE:ATTR", help="overrides plugin_app")
    group.addoption("--plugin-url", metavar="URL", help="overrides plugin_url")


def pytest_configure(config: pytest.Config) -> None:
    """Collect the files of calls in every run that names no tests of its own."""
    config.addinivalue_line(
        "markers", "plugin_calls(*globs): files of recorded calls for the fixture recorded_call"
    )
    unknown = set(config.getini("plugin_fail_on")) - set(_OUTCOMES)
    if unknown:
        raise pytest.UsageError(
            f"plugin_fail_on: unknown {', '.join(sorted(unknown))}; known: {', '.join(_OUTCOMES)}"
        )
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        visited = [(config.rootpath / argument).resolve() for argument in config.args]
        config.args += [
            str(path)
            for path in sorted(_files(config))
            if not any(path.resolve().is_relative_to(one) for one in visited)
        ]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "CallFile | None":
    """A file of recorded calls, if the settings name it as one."""
    known = file_path in _files(parent.config)
    return CallFile.from_parent(parent, path=file_path) if known else None


def _files(config: pytest.Config) -> frozenset[Path]:
    """The files of calls; looked for once, since every collected file asks."""
    if _FILES not in config.stash:
        config.stash[_FILES] = _found(config, config.getini("plugin_calls"))
    return config.stash[_FILES]


def _found(config: pytest.Config, patterns: Iterable[str]) -> frozenset[Path]:
    paths = (path for pattern in patterns for path in config.rootpath.glob(pattern))
    return frozenset(path for path in paths if path.is_file())


class CallFile(pytest.File):
    """A file of recorded calls. Its service is open while its items run.

    An item that runs alone is preceded by the calls before it: it may need what they made.
    """

    def collect(self) -> Iterator["CallItem"]:
        """An item for each call, and for each row that cannot be read."""
        from plugin.pytest_plugin.run import recorded

        for position, (name, row) in enumerate(recorded(self.path)):
            event = partial(self._event, position)
            yield CallItem.from_parent(self, name=name, row=row, event=event)

    def setup(self) -> None:
        """Open the service."""
        from plugin.pytest_plugin.run import Run

        self._run = Run(self.path, self.config)
        self.addfinalizer(self._run.close)
        self._run.open()

    def _event(self, position: int) -> "Replayed | Unreadable":
        return self._run.event(position)


class CallItem(pytest.Item):
    """One recorded call."""

    def __init__(
        self, *, row: int, event: "Callable[[], Replayed | Unreadable]", **more: Any
    ) -> None:
        super().__init__(**more)
        self._row = row
        self._event = event

    def runtest(self) -> None:
        """Send the call, unless it was sent already, and say whose fault a failure is."""
        from plugin.pytest_plugin.run import judge

        judge(self._event(), self.config.getini("plugin_fail_on"))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the call is recorded: its row, which in JSON lines is its line."""
        return self.path, self._row - 1, self.name


class RecordedCall:
    """What became of one recorded call, for a test of the project's own."""

    def __init__(self, event: "Replayed | Unreadable", fail_on: Collection[str]) -> None:
        self.event = event
        self._fail_on = fail_on

    def check(self) -> None:
        """Fail with the blame and the reason, or skip what was not sent."""
        from plugin.pytest_plugin.run import judge

        judge(self.event, self._fail_on)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `recorded_call` runs once for each call of its marker's files."""
    if "recorded_call" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("plugin_calls")
    if marker is None or not marker.args:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: {_MARKER}")
    from plugin.pytest_plugin.run import recorded

    calls = [
        pytest.param((path, position), id=name)
        for path in sorted(_found(metafunc.config, marker.args))
        for position, (name, _) in enumerate(recorded(path))
    ]
    metafunc.parametrize("recorded_call", calls, indirect=True)


@pytest.fixture
def plugin_app() -> object:
    """The application that `recorded_call` is sent to; a project that has one overrides this."""
    return None


@pytest.fixture
def recorded_call(request: pytest.FixtureRequest, plugin_app: Any) -> RecordedCall:
    """One recorded call, sent after the calls before it. One application stays open a module."""
    from plugin.pytest_plugin.run import Run

    path, position = request.param
    module = request.node.getparent(pytest.Module)
    runs = module.stash.setdefault(_RUNS, {})
    key = (path, id(plugin_app))
    if key not in runs:
        runs[key] = Run(path, request.config, plugin_app)
        module.addfinalizer(lambda: runs.pop(key).close())
        runs[key].open()
    return RecordedCall(runs[key].event(position), request.config.getini("plugin_fail_on"))

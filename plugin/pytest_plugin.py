"""Recorded calls as tests of the user's own project: pytest collects one item a call.

Set in the project's pytest configuration:

    plugin_calls = ["calls/*.jsonl"]      # files of recorded calls, from the root directory
    plugin_app = "my_service.main:app"    # or plugin_url = "http://127.0.0.1:9000"

pytest loads this module in every run, so it imports nothing of weight until a file is collected.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from plugin.cli.under_test import Where
    from plugin.harness.replay import Replayed
    from plugin.harness.transcript import Unreadable

_FAIL_ON = ("service_broke_contract", "call_was_wrong")
_OUTCOMES = ("passed", "repaired", "not_sent", *_FAIL_ON)
_BLAME = {
    "service_broke_contract": "The service broke its contract.",
    "call_was_wrong": "The call was wrong; the service did nothing wrong.",
    "repaired": "The call was wrong, and passed once it was repaired.",
    "not_sent": "The call was not sent.",
}
_SETTINGS = {
    "--app": "plugin_app",
    "--url": "plugin_url",
    "--openapi": "plugin_openapi",
    "--allow-host": "plugin_allow_hosts =",
    "--allow-consequential": "plugin_allow_consequential = true",
    "--key": "the environment variable PLUGIN_KEY",
}
"""What the command line's options are called here, for the messages that name them."""

_FILES = pytest.StashKey[frozenset[Path]]()
_LONGEST_NAME = 60
_NOT_IN_A_NAME = re.compile(r"[^\w.\-]|(?<=:):")


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
        config.stash[_FILES] = frozenset(
            path
            for pattern in config.getini("plugin_calls")
            for path in config.rootpath.glob(pattern)
            if path.is_file()
        )
    return config.stash[_FILES]


class CallFile(pytest.File):
    """A file of recorded calls. Its service is open while its items run.

    An item that runs alone is preceded by the calls before it: it may need what they made.
    """

    def collect(self) -> Iterator["CallItem"]:
        """An item for each call, and for each row that cannot be read."""
        from plugin.harness import transcript

        position = 0
        with self.path.open("rb") as stream:
            for reply in transcript.read(stream):
                for name in _names(reply):
                    event = partial(self._event, position)
                    yield CallItem.from_parent(self, name=name, row=reply.row, event=event)
                    position += 1

    def setup(self) -> None:
        """Open the service."""
        from plugin.errors import CannotRun

        self._run = _Run(self.path, self.config)
        self.addfinalizer(self._run.close)
        try:
            self._run.open()
        except CannotRun as error:
            pytest.fail(_in_our_words(error.detail), pytrace=False)

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
        from plugin.harness.transcript import Unreadable

        event = self._event()
        if isinstance(event, Unreadable):
            pytest.fail(event.error, pytrace=False)
        self.user_properties.append(("outcome", event.outcome.value))
        if event.outcome.value in self.config.getini("plugin_fail_on"):
            pytest.fail(_in_our_words(_told(event)), pytrace=False)
        if event.outcome.value == "not_sent":
            pytest.skip(_in_our_words(event.reason))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the call is recorded: its row, which in JSON lines is its line."""
        return self.path, self._row - 1, self.name


class _Run:
    """One replay of a file, sent as far as it was asked for."""

    def __init__(self, path: Path, config: pytest.Config) -> None:
        import asyncio
        from contextlib import AsyncExitStack

        self._path = path
        self._config = config
        # A loop of its own: the project's own tests may have another, and none is replaced.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._opened = AsyncExitStack()
        self._events: list[Replayed | Unreadable] = []

    def open(self) -> None:
        self._runner.run(self._open())

    def event(self, position: int) -> "Replayed | Unreadable":
        while len(self._events) <= position:
            self._events.append(self._runner.run(self._next()))
        return self._events[position]

    def close(self) -> None:
        try:
            self._runner.run(self._opened.aclose())
        finally:
            self._runner.close()

    async def _open(self) -> None:
        from plugin.cli.sources import load
        from plugin.cli.under_test import open_service
        from plugin.contract.names import names
        from plugin.contract.openapi import read
        from plugin.harness import transcript
        from plugin.harness.checks import Checks, Limits
        from plugin.harness.replay import Replay, Rules

        get = self._config.getini
        where = _where(self._config)
        openapi = get("plugin_openapi")
        service = await self._opened.enter_async_context(open_service(where))
        contract = read(load(self._placed(openapi))) if openapi else await service.contract()
        seconds = float(get("plugin_max_seconds"))
        replay = Replay(
            operations=names(contract),
            send=service.send,
            checks=Checks(Limits(int(get("plugin_max_characters")), seconds * 1000)),
            rules=Rules(bool(where.url), get("plugin_allow_consequential")),
        )
        stream = self._opened.enter_context(self._path.open("rb"))
        self._coming = replay.run(transcript.read(stream))

    async def _next(self) -> "Replayed | Unreadable":
        return await anext(self._coming)

    def _placed(self, source: str) -> str:
        if source.startswith(("http://", "https://")):
            return source
        return str(self._config.rootpath / source)


def _where(config: pytest.Config) -> "Where":
    from plugin.cli.under_test import Where

    app = config.getoption("plugin_app") or config.getini("plugin_app")
    url = config.getoption("plugin_url") or config.getini("plugin_url")
    if config.getoption("plugin_url"):
        app = None
    elif config.getoption("plugin_app"):
        url = None
    if app and url:
        pytest.fail("plugin_app and plugin_url exclude each other", pytrace=False)
    patience = 2 * float(config.getini("plugin_max_seconds")) + 1
    hosts = tuple(config.getini("plugin_allow_hosts"))
    return Where(app or None, url or None, os.environ.get("PLUGIN_KEY"), hosts, patience)


def _names(reply: Any) -> Iterable[str]:
    """What the items of one row are called: the tool, and where its call is recorded."""
    from plugin.harness.transcript import Unreadable

    if isinstance(reply, Unreadable):
        return [f"unreadable[row{reply.row}]"]
    at = f"row{reply.row}" + (f"-reply{reply.index}" if reply.index else "")
    several = len(reply.calls) > 1
    return [
        f"{_name(call.name)}[{at}{f'-call{index}' if several else ''}]"
        for index, call in enumerate(reply.calls)
    ]


def _name(name: str) -> str:
    """A tool's name as part of a test's: a model may have written anything."""
    return _NOT_IN_A_NAME.sub("_", name)[:_LONGEST_NAME] or "unnamed"


def _told(event: "Replayed") -> str:
    from plugin.harness.faults import shown
    from plugin.harness.report import explanation, visible

    status = f" → {event.status}" if event.status else ""
    arguments = event.arguments if isinstance(event.arguments, str) else shown(event.arguments, 500)
    lines = [
        _BLAME[event.outcome.value],
        f"  {event.name}{status}  (row {event.row} reply {event.reply} call {event.call})",
        *(indent(line, "    ") for line in explanation(event)),
        f"  arguments: {arguments[:500]}",
    ]
    return visible("\n".join(lines))


def _in_our_words(message: str) -> str:
    for option, setting in _SETTINGS.items():
        message = re.sub(rf"{option}\b(?!-)", setting, message)
    return message

"""One replay of a file of calls, sent as far as tests ask for it, and what is said of each call."""

import asyncio
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from textwrap import indent

import pytest

from plugin.cli.harness.own_service import open_target
from plugin.contract.names import names
from plugin.contract.openapi import read
from plugin.errors import CannotRun
from plugin.harness import transcript
from plugin.harness.asgi import Application
from plugin.harness.checks import Checks, Limits
from plugin.harness.faults import shown
from plugin.harness.replay import Outcome, Replay, Replayed, Rules
from plugin.harness.reports.text import explanation, visible
from plugin.harness.transcript import Reply, Unreadable
from plugin.transports.service_under_test import Where, has_base_path
from plugin.transports.sources import load

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

_LONGEST_NAME = 60
_NOT_IN_A_NAME = re.compile(r"[^\w.\-]|(?<=:):")


class Run:
    """One replay of a file, sent as far as it was asked for."""

    def __init__(
        self, path: Path, config: pytest.Config, application: Application | None = None
    ) -> None:
        self._application = application
        self._path = path
        self._config = config
        # A loop of its own: the project's own tests may have another, and none is replaced.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._opened = AsyncExitStack()
        self._events: list[Replayed | Unreadable] = []

    def open(self) -> None:
        """Open the service. What cannot run is an error of the test that asked first."""
        try:
            self._runner.run(self._open())
        except CannotRun as error:
            pytest.fail(_in_our_words(error.detail), pytrace=False)

    def event(self, position: int) -> Replayed | Unreadable:
        """What became of the call at a position; the calls before it are sent first."""
        while len(self._events) <= position:
            self._events.append(self._runner.run(self._next()))
        return self._events[position]

    def close(self) -> None:
        """Close the service."""
        try:
            self._runner.run(self._opened.aclose())
        finally:
            self._runner.close()

    async def _open(self) -> None:
        get = self._config.getini
        where = _where(self._config)
        if self._application is not None:
            where = replace(where, app=self._application, url=None)
        openapi = get("plugin_openapi")
        service = await self._opened.enter_async_context(open_target(where))
        contract = read(load(self._placed(openapi))) if openapi else await service.contract()
        seconds = float(get("plugin_max_seconds"))
        replay = Replay(
            operations=names(contract),
            send=service.send,
            checks=Checks(Limits(int(get("plugin_max_characters")), seconds * 1000)),
            rules=Rules(
                bool(where.url),
                get("plugin_allow_consequential"),
                relative_servers=not has_base_path(where),
            ),
        )
        stream = self._opened.enter_context(self._path.open("rb"))
        self._coming = replay.run(transcript.read(stream))

    async def _next(self) -> Replayed | Unreadable:
        return await anext(self._coming)

    def _placed(self, source: str) -> str:
        if source.startswith(("http://", "https://")):
            return source
        return str(self._config.rootpath / source)


def _where(config: pytest.Config) -> Where:
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


def recorded(path: Path) -> Iterator[tuple[str, int]]:
    """The name of each call's test, and the row of the call, in the order of the file."""
    with path.open("rb") as stream:
        for reply in transcript.read(stream):
            for name in _names(reply):
                yield name, reply.row


def judge(event: Replayed | Unreadable, fail_on: Collection[str]) -> None:
    """Fail or skip the running test, as the outcome says."""
    if isinstance(event, Unreadable):
        pytest.fail(event.error, pytrace=False)
    if event.outcome.value in fail_on:
        pytest.fail(_in_our_words(_told(event)), pytrace=False)
    if event.outcome is Outcome.NOT_SENT:
        pytest.skip(_in_our_words(event.reason))


def _names(reply: Reply | Unreadable) -> Iterable[str]:
    """What the items of one row are called: the tool, and where its call is recorded."""
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


def _told(event: Replayed) -> str:
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

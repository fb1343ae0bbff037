"""The command line of the GPT API with a scripted service behind it."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.cli.scripted_gpt_api import CommandLine, GptApi, gpt_api, surroundings
from tests.harness.command import command as in_process
from tests.journeys.running import Settings
from tests.journeys.running import surroundings as surroundings_of_users

KEY = "sk-the-secret-of-the-tests"


@pytest.fixture
def service() -> Iterator[GptApi]:
    with gpt_api() as api:
        yield api


Plugin = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def plugin(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Plugin]:
    """`plugin` of `tests.journeys.running` within this process, which saves half a second."""

    def run(
        directory: Path, group: str, *arguments: str, settings: Settings | None = None
    ) -> "subprocess.CompletedProcess[str]":
        monkeypatch.chdir(directory)
        set_environment(monkeypatch, surroundings_of_users(settings))
        ran = in_process(monkeypatch, capfdbinary, group)(*arguments)
        return subprocess.CompletedProcess([], ran.code, ran.out, ran.err)

    # some commands handle the signal, and leave the handler to the end of their process
    handler = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, handler)


def set_environment(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)


Within = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def within(
    command: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> Within:
    """`plugin …` within this process, which saves half a second, as `command.run` runs it."""
    monkeypatch.chdir(command.home)
    set_environment(monkeypatch, command.environment)

    def run(group: str, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        ran = in_process(monkeypatch, capfdbinary, group)(*arguments, stdin=stdin.encode())
        return subprocess.CompletedProcess([], ran.code, ran.out, ran.err)

    return run


@pytest.fixture
def command(tmp_path: Path, service: GptApi) -> CommandLine:
    """`plugin …` with the service's address and a key in its environment."""
    named = {"OPENAI_BASE_URL": service.url, "OPENAI_API_KEY": KEY}
    return CommandLine(tmp_path, surroundings(tmp_path, **named))

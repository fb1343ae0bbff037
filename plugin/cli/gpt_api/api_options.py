"""The options of `plugin api`, as the old and the new command of OpenAI name them."""

import argparse
import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from plugin.cli.terminal import fail
from plugin.errors import CannotRun

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})

_LONG = re.compile(r"--[A-Za-z][\w-]*(=.*)?", re.DOTALL)
_WITH_VALUE = frozenset({"-k", "--key", "--api-key", "-b", "--base-url", "--api-base", "--timeout"})
_SECONDS = 600.0
_STANDARD_INPUT = "-"
_NUMBERS: dict[Any, str] = {int: "N", float: "X"}


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its names, the member of the body that it fills, and how it is read."""

    names: str
    field: str
    help: str
    read: Callable[[str], Any] | None = str
    """None makes a flag."""
    required: bool = False
    many: bool = False

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Make a parser read it."""
        common: dict[str, Any] = {"dest": self.field, "help": self.help, "default": None}
        if self.read is None:
            parser.add_argument(*self.names.split(), action="store_true", **common)
            return
        if self.many:
            common |= {"action": "append", "nargs": "+"}
        metavar = _NUMBERS.get(self.read) or self.names.split()[-1].lstrip("-").upper()
        parser.add_argument(
            *self.names.split(), type=self.read, metavar=metavar, required=self.required, **common
        )


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every command here does."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        fail(f"{message}; see `{self.prog} --help`")


class _Help(argparse.HelpFormatter):
    """Names an option's value once, and leaves its text more room."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        names = ", ".join(action.option_strings)
        return f"{names} {action.metavar}" if isinstance(action.metavar, str) else names


def parser(prog: str, summary: str, options: Sequence[Option]) -> Parser:
    """What reads the arguments of one verb."""
    made = Parser(
        prog=prog,
        usage=f"{prog} [OPTIONS]",
        description=summary,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    for option in options:
        option.add(made)
    common = made.add_argument_group("address and output")
    common.add_argument(
        "-k",
        "--key",
        "--api-key",
        metavar="KEY",
        help="the key; else OPENAI_API_KEY, ~/.openai/config, or data/first-key of the service "
        "that was started in this directory",
    )
    common.add_argument(
        "-b",
        "--base-url",
        "--api-base",
        metavar="URL",
        help="the address; else OPENAI_BASE_URL, OPENAI_API_BASE, ~/.openai/config, or the service "
        "of this directory (http://127.0.0.1:8000/v1)",
    )
    common.add_argument(
        "--timeout",
        type=_positive,
        default=_SECONDS,
        metavar="SECONDS",
        help=f"the longest wait for the next piece of an answer (default: {_SECONDS:g})",
    )
    common.add_argument(
        "--json", action="store_true", help="print the reply's JSON; with --stream one event a line"
    )
    return made


def with_hyphens(arguments: Sequence[str]) -> list[str]:
    """`--max_tokens` is `--max-tokens`: the names of options alone, never what they are given."""
    return [_with_hyphens(one) if _LONG.fullmatch(one) else one for one in arguments]


def verb_first(arguments: Sequence[str]) -> list[str]:
    """Options before the verb are moved behind it, where they mean the same."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        at += 2 if arguments[at] in _WITH_VALUE else 1
    return [*arguments[at : at + 1], *arguments[:at], *arguments[at + 1 :]]


def messages(given: Sequence[Sequence[str]], system: str | None) -> list[dict[str, str]]:
    """`-g ROLE TEXT` and `-g TEXT`: a known role with a text behind it is that text's role."""
    found = [{"role": "system", "content": text(system)}] if system is not None else []
    for words in given:
        waiting = list(words)
        while waiting:
            word = waiting.pop(0)
            if word in ROLES and waiting:
                found.append({"role": word, "content": text(waiting.pop(0))})
            else:
                found.append({"role": "user", "content": text(word)})
    return found


def text(given: str) -> str:
    """A text, or what stands on standard input for `-`."""
    if given != _STANDARD_INPUT:
        return given
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        raise CannotRun("standard input is not UTF-8 text") from None


def json_or_file(given: str) -> Any:
    """JSON as it is, or in the file behind an `@`."""
    try:
        return json.loads(Path(given[1:]).read_bytes() if given.startswith("@") else given)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read {given[1:]}: {error.strerror}") from None
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{given[:60]!r} is no JSON; write JSON or @FILE"
        ) from None


def format_of(given: str) -> Any:
    """`json_object` is short for its object; a schema comes as JSON or `@FILE`."""
    return json_or_file(given) if given.startswith(("{", "@")) else {"type": given}


def tools_of(given: str) -> Any:
    """A list of tools, or what `plugin tools --json` prints, which holds one."""
    read = json_or_file(given)
    return read.get("tools", read) if isinstance(read, dict) else read


def choice_of(given: str) -> Any:
    """`auto`, `none`, `required`, an object, or the name of a function."""
    if given.startswith(("{", "@")):
        return json_or_file(given)
    if given in {"auto", "none", "required"}:
        return given
    return {"type": "function", "function": {"name": given}}


def _with_hyphens(argument: str) -> str:
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value


def _positive(given: str) -> float:
    seconds = float(given)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError("a number of seconds above 0 is asked for")
    return seconds

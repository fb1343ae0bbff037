"""`plugin chat`: a conversation with a model, at a terminal or through a pipe."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugin.cli.gpt_api.api import ended_well
from plugin.errors import CannotRun
from plugin.exit_codes import FINDINGS, FINE

if TYPE_CHECKING:
    from plugin.cli.gpt_api.api_replies import Printer
    from plugin.cli.gpt_api.chat_conversation import Conversation
    from plugin.cli.gpt_api.chat_words import Words

_ENDS = {"exit", "quit", "/exit", "/quit", "退出", "/退出"}
_REMARKS = {"length": "cut_off", "content_filter": "filtered"}

Model = Annotated[str, typer.Option("--model", "-m", help="The model to talk to.")]
System = Annotated[str | None, typer.Option(help="What the model is told before all else.")]
Temperature = Annotated[
    float | None, typer.Option("--temperature", "-t", help="0 to 2; 0 is the likeliest text.")
]
MaxTokens = Annotated[
    int | None, typer.Option("--max-tokens", "-M", help="The longest reply, in tokens.")
]
TopP = Annotated[float | None, typer.Option("--top-p", "-P", help="0 to 1.")]
Key = Annotated[
    str | None, typer.Option("--key", "-k", help="The key; else as `plugin api` finds it.")
]
BaseUrl = Annotated[
    str | None, typer.Option("--base-url", "-b", help="The address; else as `plugin api` finds it.")
]
Timeout = Annotated[float, typer.Option(min=0.1, help="The longest wait for a piece, in seconds.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(chat)


def chat(  # noqa: PLR0913 - each is one documented option
    *,
    model: Model = "gpt-4",
    system: System = None,
    temperature: Temperature = None,
    max_tokens: MaxTokens = None,
    top_p: TopP = None,
    key: Key = None,
    base_url: BaseUrl = None,
    timeout: Timeout = 600.0,
) -> None:
    """Talk to a model; `exit`, `quit` or Ctrl-D ends it, /help shows what else there is.

    Through a pipe each line is a message, and only the replies are printed.
    """
    from plugin.cli.gpt_api.api_account import find
    from plugin.cli.gpt_api.api_client import Client
    from plugin.cli.gpt_api.api_replies import Printer
    from plugin.cli.gpt_api.chat_conversation import Conversation
    from plugin.cli.gpt_api.chat_words import words

    account, spoken = find(key, base_url), words(os.environ)
    if account.warning:
        typer.echo(f"warning: {account.warning}", err=True)
    options = {"temperature": temperature, "max_tokens": max_tokens, "top_p": top_p}
    conversation = Conversation(
        client=Client(account, timeout),
        model=model,
        system=system,
        options={name: value for name, value in options.items() if value is not None},
        on_left_out=lambda: typer.echo(spoken.left_out, err=True),
    )
    session = _Session(conversation, spoken, Printer(), watched=sys.stdin.isatty())
    raise SystemExit(ended_well(session.run))


class _Session:
    """Reads lines until the end, and carries out each."""

    def __init__(
        self, conversation: "Conversation", words: "Words", printer: "Printer", *, watched: bool
    ) -> None:
        self._conversation = conversation
        self._words = words
        self._printer = printer
        self._watched = watched
        self._unanswered = ""
        self._failed = False
        self._commands = {
            "/system": self._system,
            "/model": self._model,
            "/retry": self._retry,
            "/history": self._history,
            "/save": self._save,
            "/reset": self._reset,
            "/help": self._help,
        }

    def run(self) -> int:
        """Until `exit` or the end of the input; the exit code."""
        if self._watched:
            with suppress(ImportError):
                import readline  # noqa: F401 - lets lines be edited
            typer.echo(self._words.welcome)
            typer.echo(self._words.hint.format(self._conversation.model, self._conversation.where))
        while (line := self._read()) is not None and line.lower() not in _ENDS:
            self._take(line)
        if self._watched:
            typer.echo(self._words.goodbye)
        return FINDINGS if self._failed and not self._watched else FINE

    def _read(self) -> str | None:
        try:
            # `input` edits lines, and writes its prompt where a person sees it.
            line = input(self._words.you) if self._watched else sys.stdin.readline()
        except EOFError:
            typer.echo()
            return None
        except KeyboardInterrupt:
            typer.echo()
            raise
        except UnicodeDecodeError:
            raise CannotRun("what came in is not UTF-8 text") from None
        return line.strip() if line or self._watched else None

    def _take(self, line: str) -> None:
        name, _, rest = line.partition(" ")
        if line.startswith("//"):
            self._ask(line[1:])
        elif line.startswith("/"):
            command = self._commands.get(name.lower())
            if command is None:
                self._say(self._words.unknown.format(name))
            else:
                command(rest.strip())
        elif line:
            self._ask(line)
        elif self._unanswered and self._watched:
            self._ask(self._unanswered)

    def _ask(self, question: str) -> None:
        from plugin.cli.gpt_api.api_refusals import CallFailed

        self._unanswered = question
        try:
            self._print_reply(question)
        except (CallFailed, CannotRun) as error:
            self._failed = True
            self._printer.end()
            typer.echo(self._words.failed.format(error.detail), err=True)
            if self._watched:
                typer.echo(self._words.again, err=True)
        except KeyboardInterrupt:
            if not self._watched:
                raise
            self._printer.end()
            self._say(self._words.stopped)
        else:
            self._unanswered = ""

    def _print_reply(self, question: str) -> None:
        named = not self._watched
        for piece in self._conversation.ask(question):
            # Models like to begin with an empty line.
            text = piece if named else piece.lstrip()
            if text and not named:
                self._printer.write(self._words.model)
                named = True
            self._printer.write(text)
        self._printer.end()
        if remark := _REMARKS.get(self._conversation.ended or ""):
            typer.echo(getattr(self._words, remark), err=True)
        if self._watched:
            typer.echo()

    def _say(self, text: str) -> None:
        # Through a pipe only replies go to the output.
        typer.echo(text, err=not self._watched)

    def _system(self, text: str) -> None:
        self._conversation.system = text or self._conversation.system
        system = self._conversation.system
        self._say(self._words.system_is.format(system) if system else self._words.no_system)

    def _model(self, name: str) -> None:
        self._conversation.model = name or self._conversation.model
        self._say(self._words.model_is.format(self._conversation.model))

    def _retry(self, _: str) -> None:
        if self._unanswered:
            self._ask(self._unanswered)
        else:
            self._say(self._words.nothing_to_repeat)

    def _history(self, _: str) -> None:
        for message in self._conversation.messages():
            self._say(f"{message['role']}: {message['content']}")

    def _save(self, name: str) -> None:
        if not name:
            self._say(self._words.which_file)
            return
        file = Path(os.path.expanduser(name))  # noqa: PTH111 - does not fail without HOME
        try:
            self._conversation.save(file)
        except FileExistsError:
            self._say(self._words.not_saved.format(self._words.exists.format(file)))
        except (OSError, ValueError) as error:
            self._say(self._words.not_saved.format(error))
        else:
            self._say(self._words.saved.format(file))

    def _reset(self, _: str) -> None:
        self._conversation.reset()
        self._say(self._words.reset)

    def _help(self, _: str) -> None:
        self._say(self._words.help)

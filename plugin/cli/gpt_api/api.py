"""`plugin api`: the GPT API on the command line, with the verbs of OpenAI's own command."""

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from plugin.cli.terminal import fail
from plugin.exit_codes import FINDINGS, FINE

if TYPE_CHECKING:
    from plugin.cli.gpt_api.api_client import Client
    from plugin.cli.gpt_api.api_request import Request
    from plugin.cli.gpt_api.api_verbs import Verb

_INTERRUPTED, _NOBODY_READS = 130, 141
"""What a shell reports of a command that a signal ended: Ctrl-C, a closed pipe."""

_HELP = {"-h", "--help"}
_WITHOUT_CLICK = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,
    "help_option_names": [],
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    # `-g [ROLE] TEXT` takes one or two words, which Typer cannot say: all goes to a parser of ours.
    app.command(context_settings=_WITHOUT_CLICK)(api)


def api(context: typer.Context) -> None:
    """Call the GPT API: chat.completions.create -m MODEL -g TEXT, and the other verbs."""
    raise SystemExit(run(context.args))


def run(arguments: Sequence[str], prog: str = "plugin api") -> int:
    """Carry out `VERB …`; the exit code: 1 when the call failed. Raises CannotRun."""
    return ended_well(lambda: _run(arguments, prog))


def ended_well(work: Callable[[], int]) -> int:
    """The exit code of some work that may be interrupted, or find that nobody reads on."""
    try:
        return work()
    except KeyboardInterrupt:
        # Nothing is waited for: the service notices that nobody listens any more.
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NOBODY_READS


def _run(arguments: Sequence[str], prog: str) -> int:
    from plugin.cli.gpt_api.api_options import verb_first, with_hyphens
    from plugin.cli.gpt_api.api_verbs import named, nearest

    name, *rest = verb_first(with_hyphens(arguments)) or ["--help"]
    if name in _HELP or (name.startswith("-") and _HELP & set(rest)):
        typer.echo(_help(prog))
        return FINE
    verb = named(name)
    if verb is None:
        near = nearest(name)
        meant = f"did you mean {near}? " if near else ""
        fail(f"there is no verb {name}; {meant}`{prog} --help` lists them")
    return _call(verb, _given(verb, name, rest, prog))


def _given(verb: "Verb", name: str, arguments: Sequence[str], prog: str) -> Namespace:
    from plugin.cli.gpt_api.api_options import parser

    return parser(f"{prog} {name}", verb.summary, verb.options).parse_args(arguments)


def _call(verb: "Verb", given: Namespace) -> int:
    from plugin.cli.gpt_api import api_request
    from plugin.cli.gpt_api.api_account import find
    from plugin.cli.gpt_api.api_client import Client
    from plugin.cli.gpt_api.api_refusals import CallFailed

    account = find(given.key, given.base_url)
    request = api_request.make(verb, given)
    if account.warning:
        typer.echo(f"warning: {account.warning}", err=True)
    try:
        _carry_out(Client(account, given.timeout), verb, request, as_json=given.json)
    except CallFailed as error:
        typer.echo(f"error: {error.detail}", err=True)
        return FINDINGS
    return FINE


def _carry_out(client: "Client", verb: "Verb", request: "Request", *, as_json: bool) -> None:
    from plugin.cli.gpt_api.api_replies import Printer, print_events, print_reply
    from plugin.cli.gpt_api.api_verbs import Shown

    printer = Printer()
    if request.stream and request.body:
        events = client.events(request.path, request.body)
        if not as_json:
            print_events(events, printer)
            return
        for event in events:
            printer.write(f"{json.dumps(event, ensure_ascii=False)}\n")
    elif verb.shown is Shown.BYTES:
        content = client.call(request.method, request.path)
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        reply = client.json(request.method, request.path, request.body)
        if as_json:
            printer.write(f"{json.dumps(reply, ensure_ascii=False)}\n")
        else:
            print_reply(reply, verb.shown, printer)


def _help(prog: str) -> str:
    from plugin.cli.gpt_api.api_verbs import verbs

    width = max(len(verb.names[0]) for verb in verbs())
    lines = [f"  {verb.names[0]:<{width}}  {verb.summary}" for verb in verbs()]
    return "\n".join(
        (
            f"Usage: {prog} VERB [OPTIONS]",
            "",
            f'  {prog} chat.completions.create -m gpt-3.5-turbo -g "Tell me a joke"',
            f'  {prog} chat.completions.create -m gpt-4 -g system "Be short" -g user "Hi" --stream',
            f'  {prog} completions.create -m text-davinci-003 -p "Once upon a time"',
            "",
            "Verbs:",
            *lines,
            "",
            f"`{prog} VERB --help` shows a verb's options. Key and address: --key and --base-url,",
            "else OPENAI_API_KEY and OPENAI_BASE_URL, else ~/.openai/config, else the service of",
            "this directory. Exit code 1: the call failed; 2: nothing could be called.",
        )
    )

"""`openai`: OpenAI's own command line as its guides print it, carried out by `plugin api`."""

import sys
from collections.abc import Sequence

_PROGRAM = "openai"
_HELP = f"""Usage: {_PROGRAM} [-k KEY] [-b URL] api VERB [OPTIONS]

The same as `plugin api`. `{_PROGRAM} api --help` lists the verbs."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `openai` script of the distribution gpt-plugin-openai."""
    from plugin.cli.gpt_api.api import run
    from plugin.cli.gpt_api.api_options import verb_first
    from plugin.cli.terminal import fail
    from plugin.errors import CannotRun

    # `openai -k KEY api VERB`: what stands before `api` belongs to the verb.
    group, *rest = verb_first(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if group in {"-V", "--version"}:
        from importlib.metadata import version

        sys.stdout.write(f"{_PROGRAM} (gpt-plugin {version('gpt-plugin')})\n")
    elif group != "api":
        asked = group in {"-h", "--help"}
        if not asked:
            fail(f"there is no command {group}; `{_PROGRAM} api --help` lists what there is")
        sys.stdout.write(f"{_HELP}\n")
    else:
        try:
            raise SystemExit(run(rest, f"{_PROGRAM} api"))
        except CannotRun as error:
            fail(error.detail)

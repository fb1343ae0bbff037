"""`plugin auth-matrix`: every operation against every credential that must not open it."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.harness import replay_options as options
from plugin.cli.harness.judge import open_calls
from plugin.cli.terminal import fail
from plugin.exit_codes import FINDINGS, FINE

if TYPE_CHECKING:
    from plugin.cli.harness.auth_cases import GivenCredentials, OurCredentials
    from plugin.contract.operation import Operation
    from plugin.harness.auth_matrix import AuthMatrix
    from plugin.transports.service_under_test import UnderTest, Where

_SECONDS = 45.0

Calls = Annotated[
    str | None,
    typer.Argument(metavar="[CALLS]", help="Recorded calls to take arguments from, or -."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("auth-matrix")(auth_matrix)


def auth_matrix(  # noqa: PLR0913 - each is one documented option
    calls: Calls = None,
    *,
    app: options.App = None,
    url: options.Url = None,
    openapi: options.Openapi = None,
    key: Annotated[
        str | None,
        typer.Option(envvar="PLUGIN_KEY", help="A good key; it must be let in, and is not shown."),
    ] = None,
    expired_key: Annotated[
        str | None, typer.Option(envvar="PLUGIN_EXPIRED_KEY", help="A key that has expired.")
    ] = None,
    revoked_key: Annotated[
        str | None, typer.Option(envvar="PLUGIN_REVOKED_KEY", help="A key that was revoked.")
    ] = None,
    narrow_key: Annotated[
        str | None, typer.Option(envvar="PLUGIN_NARROW_KEY", help="A key without any scope.")
    ] = None,
    credential: Annotated[
        list[str] | None,
        typer.Option(metavar="CASE=TEXT", help="Another that must be refused, as a wrong token."),
    ] = None,
    allow_host: options.AllowHost = None,
    allow_consequential: options.AllowConsequential = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per attempt.")] = False,
) -> None:
    """Try each operation without a key and with wrong ones: refused, said why, nothing done.

    Without --app or --url this service is tried, in this process, on a throw-away database, with
    keys and tokens made for it. Of another's service only what needs no privilege is tried, and the
    keys that are given.
    """
    from plugin.transports.service_under_test import Where

    if app and url:
        fail("--app and --url exclude each other; give the one service to try")
    given = {"expired": expired_key, "revoked": revoked_key, "missing_scope": narrow_key}
    cases = {name: text for name, text in given.items() if text} | _cases(credential or [])
    if not (app or url) and (key or cases):
        fail("this service gets keys of its own; give keys with --app or --url")
    where = Where(app, url, None, tuple(allow_host or ()), _SECONDS)
    found = asyncio.run(
        _run(where, calls, openapi, _Given(key, cases, allow_consequential), as_json=as_json)
    )
    raise typer.Exit(FINDINGS if found else FINE)


class _Given:
    """What the command line says about credentials."""

    def __init__(self, key: str | None, cases: dict[str, str], may_change: bool) -> None:  # noqa: FBT001 - passed on
        self.key = key
        self.cases = cases
        self.may_change = may_change


def _cases(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        case, equals, text = pair.partition("=")
        if not (case and equals and text):
            fail("--credential: expected CASE=TEXT, as in jwt_wrong_issuer=eyJ…")
        found[case] = text
    return found


async def _run(
    where: "Where", calls: str | None, openapi: str | None, given: _Given, *, as_json: bool
) -> bool:
    from rich.console import Console

    from plugin.cli.harness.attempts import Attempts, print_line

    attempts = Attempts()
    credentials, opening = _opening(where, given)
    async with opening as service:
        matrix = await _matrix(service, credentials, openapi, calls)
        matrix.may_change = not where.url or given.may_change
        async for tried in matrix.run():
            attempts.add(tried)
            if as_json:
                print_line(tried)
    if not as_json:
        attempts.print(Console(), service.name)
    return attempts.found_something


def _opening(
    where: "Where", given: _Given
) -> "tuple[GivenCredentials | OurCredentials, AbstractAsyncContextManager[UnderTest]]":
    from plugin.cli.harness.auth_cases import GivenCredentials, OurCredentials
    from plugin.cli.harness.own_service import open_ours
    from plugin.transports.service_under_test import open_service

    if where.app or where.url:
        return GivenCredentials(given.key, given.cases), open_service(where)
    from plugin.app import scopes
    from plugin.settings import load

    ours = OurCredentials(scopes(load()))
    return ours, open_ours(_SECONDS, ours.make, **ours.settings)


async def _matrix(
    service: "UnderTest",
    credentials: "GivenCredentials | OurCredentials",
    openapi: str | None,
    calls: str | None,
) -> "AuthMatrix":
    from plugin.contract.names import names
    from plugin.contract.openapi import read
    from plugin.harness.auth_matrix import AuthMatrix
    from plugin.transports.sources import load

    contract = read(load(openapi)) if openapi else await service.contract()
    operations = names(contract)
    return AuthMatrix(
        contract=contract,
        operations=operations,
        send=service.send,
        credentials=credentials.of,
        keys=credentials.keys,
        arguments=_arguments(calls, operations) if calls else {},
        state=service.state,
    )


def _arguments(calls: str, operations: "dict[str, Operation]") -> dict[str, Any]:
    """The arguments of the first good call of each operation."""
    from plugin.harness import transcript
    from plugin.harness.judge import Judge
    from plugin.harness.transcript import Reply

    judge = Judge({name: operation.schema for name, operation in operations.items()})
    found: dict[str, Any] = {}
    with open_calls(calls) as stream:
        for reply in transcript.read(stream):
            for verdict in judge.judge_reply(reply) if isinstance(reply, Reply) else ():
                if not verdict.faults:
                    found.setdefault(verdict.call.name, verdict.arguments)
    return found

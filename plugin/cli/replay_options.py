"""The options of `plugin replay`, one type each: what they are called, and what they say."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Mode(StrEnum):
    """The modes of `harness.repair`, which is not imported until a command runs."""

    OFF = "off"
    LOSSLESS = "lossless"
    LENIENT = "lenient"


App = Annotated[
    str | None,
    typer.Option(metavar="MODULE:ATTR", help="An ASGI application, or a factory of one."),
]
Url = Annotated[str | None, typer.Option(metavar="URL", help="A running service in any language.")]
Openapi = Annotated[
    str | None,
    typer.Option(metavar="SPEC|URL", help="Its contract; default: its own /openapi.json."),
]
Key = Annotated[
    str | None,
    typer.Option(envvar="PLUGIN_KEY", help="The bearer key to send; it is never printed."),
]
AllowHost = Annotated[
    list[str] | None, typer.Option(metavar="HOST", help="Allow a host other than this machine.")
]
AllowConsequential = Annotated[
    bool, typer.Option(help="Send calls that change something over the network, too.")
]
MaxCharacters = Annotated[int, typer.Option(help="Answers have to be shorter than this.")]
MaxSeconds = Annotated[float, typer.Option(help="The longest round trip to accept.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON line per call.")]
Junit = Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML as well.")]
Repair = Annotated[
    Mode,
    typer.Option(help="Repair wrong calls before they are sent: without guessing, or leniently."),
]
Mutate = Annotated[
    bool, typer.Option("--mutate", help="Make mistakes in the good calls; grade the refusals.")
]
Seed = Annotated[int, typer.Option(help="The same seed makes the same mistakes.")]
Count = Annotated[int, typer.Option(min=1, help="Mistakes to make in each good call.")]
Every = Annotated[
    bool, typer.Option("--every", help="Each possible mistake once, instead of by measured rate.")
]

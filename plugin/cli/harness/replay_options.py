"""The options of `plugin replay`, one type each: what they are called, and what they say."""

from pathlib import Path
from typing import Annotated

import typer

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

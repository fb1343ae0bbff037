"""What `plugin why` tells of a call."""

import json
from pathlib import Path
from typing import Any

from tests.journeys.in_process import plugin_here


def why(directory: Path, request_id: str) -> tuple[dict[str, Any], str]:
    """What the command tells of one call, for programs and for people."""
    told = plugin_here(directory, "why", request_id, "--json")
    assert told.returncode == 0, told.stdout + told.stderr
    (found,) = json.loads(told.stdout)
    said = plugin_here(directory, "why", request_id)
    assert said.stdout.startswith(request_id)
    assert "secret" not in told.stdout + said.stdout
    return found, " ".join(said.stdout.split())

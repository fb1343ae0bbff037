"""JSON as the grammars write it."""

import json
from typing import Any


def compact(value: Any) -> str:
    """A JSON value without white space."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

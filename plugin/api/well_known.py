"""`/.well-known/`: the manifest of the plugin and its logo, without authentication.

The committed `ai-plugin.json` is a whole manifest, as it is for the default settings, and also the
template: addresses that lie beside its `api.url` move to where the service is reached.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from plugin.api import cached
from plugin.api.documents import OPENAPI_PATH, write_copy
from plugin.contract import manifest
from plugin.errors import CannotRun

MANIFEST = "ai-plugin.json"
LOGO = "logo.png"
MANIFEST_PATH = f"/.well-known/{MANIFEST}"
LOGO_PATH = f"/.well-known/{LOGO}"

_PNG = b"\x89PNG\r\n\x1a\n"


def make(template: dict[str, Any], server: str) -> dict[str, Any]:
    """The manifest of a service that is reached at `server`.

    Raises `CannotRun` when the template is no manifest that doors would accept.
    """
    api = template.get("api")
    url = api.get("url") if isinstance(api, dict) else None
    if not isinstance(url, str) or not url.endswith(OPENAPI_PATH):
        raise CannotRun(f"{MANIFEST}: api.url must be the plugin's address and {OPENAPI_PATH}.")
    made = _move(template, url.removesuffix(OPENAPI_PATH), server)
    for note in manifest.strict(made, served_from=server + MANIFEST_PATH):
        raise CannotRun(f"{MANIFEST} is not a valid manifest: {note.pointer}: {note.reason}")
    moved: dict[str, Any] = made
    return moved


def read(directory: Path) -> dict[str, Any]:
    """The template in `directory`. Raises `CannotRun` when there is none that can be read."""
    file = directory / MANIFEST
    try:
        template = json.loads(file.read_bytes())
    except OSError as error:
        raise CannotRun(
            f"{file} cannot be read ({error.strerror}): PLUGIN_WELL_KNOWN_DIR must name the folder "
            "of the manifest."
        ) from error
    except ValueError as error:
        raise CannotRun(f"{file} is not JSON: {error}") from error
    if not isinstance(template, dict):
        raise CannotRun(f"{file} is not a JSON object.")
    return template


def read_logo(directory: Path) -> bytes:
    """The logo in `directory`. Raises `CannotRun` when there is no PNG."""
    file = directory / LOGO
    try:
        logo = file.read_bytes()
    except OSError as error:
        raise CannotRun(
            f"{file} cannot be read ({error.strerror}): it is the plugin's logo."
        ) from error
    if not logo.startswith(_PNG):
        raise CannotRun(f"{file} is not a PNG image.")
    return logo


@dataclass(frozen=True, slots=True)
class WellKnown:
    """What the folder holds, as it is for one address of the service."""

    manifest: dict[str, Any]
    logo: bytes

    @property
    def name(self) -> str:
        """What people call the plugin."""
        return str(self.manifest["name_for_human"])


def load(directory: Path, server: str) -> WellKnown:
    """The folder's contents for a service at `server`; raises `CannotRun` as the parts do."""
    return WellKnown(make(read(directory), server), read_logo(directory))


def router(known: WellKnown) -> APIRouter:
    """The door of manifest and logo."""
    door = APIRouter()
    made = cached.Document(write_copy(known.manifest), "application/json", cached.CHATGPT)
    cached.add(door, MANIFEST_PATH, made)
    cached.add(door, LOGO_PATH, cached.Document(known.logo, "image/png", cached.CHATGPT))
    return door


def _move(node: Any, old: str, new: str) -> Any:
    if isinstance(node, dict):
        return {key: _move(value, old, new) for key, value in node.items()}
    if isinstance(node, str) and (node == old or node.startswith(f"{old}/")):
        return new + node[len(old) :]
    return node

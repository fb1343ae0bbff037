"""ai-plugin.json: read tolerantly, judged strictly. Of 1,210 real manifests all can be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plugin.contract.lint.manifest import REQUIRED, RULES, TEXTS, ManifestText
from plugin.contract.operation import Note
from plugin.contract.source import flag, mapping
from plugin.contract.text import parse
from plugin.errors import CannotRun


@dataclass(frozen=True, slots=True)
class Auth:
    """How the plugin wants to be called. `settings` is all that the manifest says of it."""

    type: str
    authorization_type: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as it is meant. `notes` say where the text deviates from the rules.

    `api_url` is as written and may be relative. `document` is an OpenAPI document that was put
    into the manifest itself. `extra` holds the keys that the format does not know.
    """

    schema_version: str
    name_for_human: str
    name_for_model: str
    description_for_human: str
    description_for_model: str
    auth: Auth
    api_type: str
    api_url: str
    logo_url: str
    contact_email: str
    legal_info_url: str
    has_user_authentication: bool = False
    document: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


def read(data: bytes | str) -> Manifest:
    """The manifest that a text holds. Raises CannotRun only when it is none at all."""
    notes: list[Note] = []
    document = parse(data, notes)
    if not isinstance(document, dict) or not {"api", "name_for_model"} & set(document):
        raise CannotRun("this is no ai-plugin.json: it has neither api nor name_for_model")
    api, auth = mapping(document.get("api")), mapping(document.get("auth"))
    return Manifest(
        **{key: _text(document.get(key)) for key in ("schema_version", *TEXTS)},
        auth=Auth(_text(auth.get("type")) or "none", _text(auth.get("authorization_type")), auth),
        api_type=_text(api.get("type")) or "openapi",
        api_url=_text(api.get("url")) if api else _text(document.get("api")),
        has_user_authentication=any(
            flag(api.get(key)) for key in ("has_user_authentication", "is_user_authenticated")
        ),
        document=api if "paths" in api else None,
        extra={key: value for key, value in document.items() if key not in REQUIRED},
        notes=(*notes, *strict(document)),
    )


def strict(document: Mapping[str, Any], served_from: str | None = None) -> list[Note]:
    """Every violation of the format's rules, none for a manifest that every door accepts.

    With `served_from`, the manifest's own URL, the API must be on its domain or below it.
    """
    manifest = ManifestText(document, served_from)
    return [
        Note(hit.pointer, hit.message)
        for rule in RULES
        if rule.stands_on.firm
        for hit in rule.check(manifest)
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)

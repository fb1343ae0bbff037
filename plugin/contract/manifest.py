"""ai-plugin.json: read tolerantly, judged strictly. Of 1,210 real manifests all can be read."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from plugin.contract import targets
from plugin.contract.operation import Note
from plugin.contract.pointer import child
from plugin.contract.source import flag, mapping
from plugin.contract.targets import Limit
from plugin.contract.text import parse
from plugin.errors import CannotRun

VERSION = "v1"

_REQUIRED = (
    *("schema_version", "name_for_human", "name_for_model", "description_for_human"),
    *("description_for_model", "auth", "api", "logo_url", "contact_email", "legal_info_url"),
)
_TEXTS: Mapping[str, Limit | None] = {
    "name_for_human": targets.MANIFEST_NAME_FOR_HUMAN,
    "name_for_model": targets.MANIFEST_NAME_FOR_MODEL,
    "description_for_human": targets.MANIFEST_DESCRIPTION_FOR_HUMAN,
    "description_for_model": targets.MANIFEST_DESCRIPTION_FOR_MODEL,
    "logo_url": None,
    "contact_email": None,
    "legal_info_url": None,
}
_HTTP_TYPES = ("bearer", "basic")
_AUTH: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "service_http": ("authorization_type",),
    "user_http": ("authorization_type",),
    "oauth": (
        *("client_url", "scope", "authorization_url"),
        *("authorization_content_type", "verification_tokens"),
    ),
}
"""The kinds of authentication, and what each must say."""

_API_KEYS = frozenset({"type", "url", "has_user_authentication", "is_user_authenticated"})
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_WEB_PAGE = re.compile(r"https?://[^\s<>/]+(/[^\s<>]*)?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


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

    def document_url(self, manifest_url: str) -> str:
        """Where the OpenAPI document lies, for a manifest found at `manifest_url`."""
        return urljoin(manifest_url, self.api_url)


def read(data: bytes | str) -> Manifest:
    """The manifest that a text holds. Raises CannotRun only when it is none at all."""
    notes: list[Note] = []
    document = parse(data, notes)
    if not isinstance(document, dict) or not {"api", "name_for_model"} & set(document):
        raise CannotRun("this is no ai-plugin.json: it has neither api nor name_for_model")
    api, auth = mapping(document.get("api")), mapping(document.get("auth"))
    return Manifest(
        **{key: _text(document.get(key)) for key in ("schema_version", *_TEXTS)},
        auth=Auth(_text(auth.get("type")) or "none", _text(auth.get("authorization_type")), auth),
        api_type=_text(api.get("type")) or "openapi",
        api_url=_text(api.get("url")) if api else _text(document.get("api")),
        has_user_authentication=any(
            flag(api.get(key)) for key in ("has_user_authentication", "is_user_authenticated")
        ),
        document=api if "paths" in api else None,
        extra={key: value for key, value in document.items() if key not in _REQUIRED},
        notes=(*notes, *strict(document)),
    )


def strict(document: Mapping[str, Any], served_from: str | None = None) -> list[Note]:
    """Every violation of the format's rules, none for a manifest that every door accepts.

    With `served_from`, the manifest's own URL, the API must be on its domain or below it.
    """
    return [
        *_missing(document),
        *_texts(document),
        *_auth(document.get("auth")),
        *_api(document.get("api"), served_from),
        *(
            Note(child("", key), "the format has no such key")
            for key in document
            if key not in _REQUIRED
        ),
    ]


def _missing(document: Mapping[str, Any]) -> Iterator[Note]:
    for key in _REQUIRED:
        if document.get(key) in (None, ""):
            yield Note(child("", key), "required, and missing or empty")
    version = document.get("schema_version")
    if version not in (None, "", VERSION):
        yield Note("/schema_version", f"is {VERSION!r}, not {version!r}")


def _texts(document: Mapping[str, Any]) -> Iterator[Note]:
    for key, limit in _TEXTS.items():
        value = document.get(key)
        if value in (None, ""):
            continue
        if not isinstance(value, str):
            yield Note(child("", key), "is text")
        elif limit is not None and len(value) > limit.number:
            yield Note(child("", key), f"{len(value)} characters, and {limit.number} are allowed")
        elif key == "legal_info_url" and not _WEB_PAGE.fullmatch(value):
            yield Note("/legal_info_url", f"{value!r} is no address of a page")
        elif key == "logo_url":
            yield from _url("/logo_url", value)
        elif key == "contact_email" and not _EMAIL.fullmatch(value):
            yield Note("/contact_email", f"{value!r} is no e-mail address")


def _auth(auth: Any) -> Iterator[Note]:
    if auth in (None, ""):
        return
    kind = mapping(auth).get("type")
    if not isinstance(kind, str) or kind not in _AUTH:
        yield Note("/auth/type", f"one of {', '.join(_AUTH)}, not {kind!r}")
        return
    for key in _AUTH[kind]:
        value = auth.get(key)
        if value in (None, ""):
            yield Note(child("/auth", key), f"required for {kind}")
        elif key.endswith("_url"):
            yield from _url(child("/auth", key), value)
        elif key == "authorization_type" and value not in _HTTP_TYPES:
            yield Note("/auth/authorization_type", f"bearer or basic, not {value!r}")
    tokens = auth.get("verification_tokens", {})
    if not isinstance(tokens, dict) or not all(isinstance(token, str) for token in tokens.values()):
        yield Note("/auth/verification_tokens", "an object of text")


def _api(api: Any, served_from: str | None) -> Iterator[Note]:
    if api in (None, ""):
        return
    if not isinstance(api, dict):
        yield Note("/api", "an object with type and url")
        return
    if api.get("type") != "openapi":
        yield Note("/api/type", f"is 'openapi', not {api.get('type')!r}")
    for key, value in api.items():
        if key not in _API_KEYS:
            yield Note(child("/api", key), "the format has no such key")
        elif key.endswith(("authentication", "authenticated")) and not isinstance(value, bool):
            yield Note(child("/api", key), "true or false")
    url = api.get("url")
    if url in (None, ""):
        yield Note("/api/url", "required, and missing or empty")
        return
    yield from _url("/api/url", url)
    yield from _domain(url, served_from)


def _domain(url: Any, served_from: str | None) -> Iterator[Note]:
    home, host = _host(served_from), _host(url)
    if home and host and host != home and not host.endswith(f".{home}"):
        yield Note("/api/url", f"is on {home} or a subdomain, not on {host}")


def _url(pointer: str, value: Any) -> Iterator[Note]:
    """An absolute address over TLS; plain HTTP is for this machine alone."""
    if not isinstance(value, str):
        yield Note(pointer, "is text")
        return
    host, scheme = _host(value), value.partition(":")[0].lower()
    if not host or scheme not in ("https", "http") or re.search(r"[\s<>]", value):
        yield Note(pointer, f"{value!r} is no absolute https address")
    elif scheme == "http" and host not in _LOOPBACK:
        yield Note(pointer, "plain http, which only this machine may use")


def _host(url: Any) -> str:
    try:
        return (urlsplit(url).hostname or "") if isinstance(url, str) else ""
    except ValueError:
        return ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)

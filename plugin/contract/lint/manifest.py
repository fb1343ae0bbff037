"""What ai-plugin.json must be like: strict rules for a format that is read tolerantly."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from plugin.contract import targets
from plugin.contract.lint.finding import Hit, Level, Rule
from plugin.contract.operation import Note
from plugin.contract.pointer import child
from plugin.contract.source import mapping
from plugin.contract.targets import Demand, Limit

VERSION = "v1"

REQUIRED = (
    "schema_version",
    "name_for_human",
    "name_for_model",
    "description_for_human",
    "description_for_model",
    "auth",
    "api",
    "logo_url",
    "contact_email",
    "legal_info_url",
)
TEXTS = (
    "name_for_human",
    "name_for_model",
    "description_for_human",
    "description_for_model",
    "logo_url",
    "contact_email",
    "legal_info_url",
)
_HTTP_TYPES = ("bearer", "basic")
_AUTH: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "service_http": ("authorization_type",),
    "user_http": ("authorization_type",),
    "oauth": (
        "client_url",
        "scope",
        "authorization_url",
        "authorization_content_type",
        "verification_tokens",
    ),
}
"""The kinds of authentication, and what each must say."""

_FLAGS = ("has_user_authentication", "is_user_authenticated")
_API_KEYS = frozenset({"type", "url", *_FLAGS})
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_WEB_PAGE = re.compile(r"https?://[^\s<>/]+(/[^\s<>]*)?")
_ODD_IN_URL = re.compile(r"[\s<>]")
_NAME = re.compile(r"\w*", re.ASCII)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class ManifestText:
    """A manifest as it is written, and the URL that it is served from, where that is known.

    `notes` are what was odd in its text.
    """

    document: Mapping[str, Any]
    served_from: str | None = None
    notes: tuple[Note, ...] = ()


def _oddities(manifest: ManifestText) -> Iterator[Hit]:
    for note in manifest.notes:
        yield Hit(note.pointer, note.reason)


def _missing(manifest: ManifestText) -> Iterator[Hit]:
    for key in REQUIRED:
        value = manifest.document.get(key)
        if value in (None, ""):
            yield Hit(child("", key), "required, and missing or empty", value)


def _version(manifest: ManifestText) -> Iterator[Hit]:
    version = manifest.document.get("schema_version")
    if version not in (None, "", VERSION):
        yield Hit("/schema_version", f"is {VERSION!r}, not {version!r}", version)


def _no_text(manifest: ManifestText) -> Iterator[Hit]:
    for key in TEXTS:
        value = manifest.document.get(key)
        if value is not None and not isinstance(value, str):
            yield Hit(child("", key), "is text", value)
    api, auth = (mapping(manifest.document.get(key)) for key in ("api", "auth"))
    for pointer, value in (("/api/url", api.get("url")), *_auth_urls(auth)):
        if value is not None and not isinstance(value, str):
            yield Hit(pointer, "is text", value)


def _longer(
    key: str, limit: Limit, firm: Limit | None = None
) -> Callable[[ManifestText], Iterator[Hit]]:
    """Text over a limit; advice is silent where the `firm` limit above it speaks."""

    def check(manifest: ManifestText) -> Iterator[Hit]:
        value = manifest.document.get(key)
        length = len(value) if isinstance(value, str) else 0
        if length > limit.number and (firm is None or length <= firm.number):
            allowed = "are advised" if firm else "are allowed"
            message = f"{length:,} characters, and {limit.number:,} {allowed}"
            yield Hit(child("", key), message, length)

    return check


def _odd_name(manifest: ManifestText) -> Iterator[Hit]:
    value = manifest.document.get("name_for_model")
    if isinstance(value, str) and not _NAME.fullmatch(value):
        yield Hit("/name_for_model", "other characters than letters, digits and _", value)


def _auth(manifest: ManifestText) -> Iterator[Hit]:
    auth = manifest.document.get("auth")
    if auth in (None, ""):
        return
    kind = mapping(auth).get("type")
    if not isinstance(kind, str) or kind not in _AUTH:
        yield Hit("/auth/type", f"one of {', '.join(_AUTH)}, not {kind!r}", kind)
        return
    for key in _AUTH[kind]:
        value = mapping(auth).get(key)
        if value in (None, ""):
            yield Hit(child("/auth", key), f"required for {kind}", value)
        elif key == "authorization_type" and value not in _HTTP_TYPES:
            yield Hit("/auth/authorization_type", f"bearer or basic, not {value!r}", value)
    tokens = mapping(auth).get("verification_tokens", {})
    if not isinstance(tokens, dict) or not all(isinstance(token, str) for token in tokens.values()):
        yield Hit("/auth/verification_tokens", "an object of text")


def _api(manifest: ManifestText) -> Iterator[Hit]:
    api = manifest.document.get("api")
    if api in (None, ""):
        return
    if not isinstance(api, dict):
        yield Hit("/api", "an object with type and url", api)
        return
    if api.get("type") != "openapi":
        yield Hit("/api/type", f"is 'openapi', not {api.get('type')!r}", api.get("type"))
    if api.get("url") in (None, ""):
        yield Hit("/api/url", "required, and missing or empty", api.get("url"))


def _inlined(manifest: ManifestText) -> Iterator[Hit]:
    if "paths" in mapping(manifest.document.get("api")):
        yield Hit("/api/paths", "the document belongs at api.url, not into the manifest")


def _booleans(manifest: ManifestText) -> Iterator[Hit]:
    api = mapping(manifest.document.get("api"))
    for key in _FLAGS:
        if key in api and not isinstance(api[key], bool):
            yield Hit(child("/api", key), "true or false, without quotes", api[key])


def _unknown_keys(manifest: ManifestText) -> Iterator[Hit]:
    for key in manifest.document:
        if key not in REQUIRED:
            yield Hit(child("", key), "the format has no such key", key)
    for key in mapping(manifest.document.get("api")):
        if key not in _API_KEYS and key != "paths":
            yield Hit(child("/api", key), "the format has no such key", key)


def _urls(manifest: ManifestText) -> Iterator[tuple[str, str]]:
    api, auth = (mapping(manifest.document.get(key)) for key in ("api", "auth"))
    logo = manifest.document.get("logo_url")
    for pointer, value in (("/logo_url", logo), ("/api/url", api.get("url")), *_auth_urls(auth)):
        if isinstance(value, str) and value:
            yield pointer, value


def _auth_urls(auth: Mapping[str, Any]) -> list[tuple[str, Any]]:
    needed = _AUTH.get(str(auth.get("type")), ())
    return [(child("/auth", key), auth.get(key)) for key in needed if key.endswith("_url")]


def _no_address(manifest: ManifestText) -> Iterator[Hit]:
    for pointer, value in _urls(manifest):
        scheme = value.partition(":")[0].lower()
        if not host(value) or scheme not in ("https", "http") or _ODD_IN_URL.search(value):
            yield Hit(pointer, f"{value!r} is no absolute https address", value)


def _no_tls(manifest: ManifestText) -> Iterator[Hit]:
    for pointer, value in _urls(manifest):
        if value.lower().startswith("http://") and host(value) not in ("", *LOOPBACK):
            yield Hit(pointer, "plain http, which only this machine may use", value)


def _elsewhere(manifest: ManifestText) -> Iterator[Hit]:
    home = host(manifest.served_from)
    there = host(mapping(manifest.document.get("api")).get("url"))
    if home and there and there != home and not there.endswith(f".{home}"):
        yield Hit("/api/url", f"is on {home} or a subdomain, not on {there}", there)


def _no_email(manifest: ManifestText) -> Iterator[Hit]:
    value = manifest.document.get("contact_email")
    if isinstance(value, str) and value and not _EMAIL.fullmatch(value):
        yield Hit("/contact_email", f"{value!r} is no e-mail address", value)


def _no_page(manifest: ManifestText) -> Iterator[Hit]:
    value = manifest.document.get("legal_info_url")
    if isinstance(value, str) and value and not _WEB_PAGE.fullmatch(value):
        yield Hit("/legal_info_url", f"{value!r} is no address of a page", value)


def host(url: Any) -> str:
    """The host of an address; empty for what is none."""
    try:
        return (urlsplit(url).hostname or "") if isinstance(url, str) else ""
    except ValueError:
        return ""


def _rule(
    name: str,
    stands_on: Limit | Demand,
    check: Callable[[ManifestText], Iterator[Hit]],
    level: Level = Level.ERROR,
) -> Rule[ManifestText]:
    return Rule(f"manifest-{name}", level, frozenset({"manifest"}), stands_on, check)


def _length(key: str, limit: Limit) -> Rule[ManifestText]:
    return _rule(key.replace("_", "-"), limit, _longer(key, limit))


def _advice(name: str, key: str, advised: Limit, firm: Limit) -> Rule[ManifestText]:
    return _rule(name, advised, _longer(key, advised, firm), Level.WARNING)


RULES: tuple[Rule[ManifestText], ...] = (
    _rule("oddity", targets.MANIFEST_JSON, _oddities, Level.WARNING),
    _rule("key-missing", targets.MANIFEST_KEYS, _missing),
    _rule("schema-version", targets.MANIFEST_VERSION, _version),
    _rule("text", targets.MANIFEST_TEXT, _no_text),
    _length("name_for_human", targets.MANIFEST_NAME_FOR_HUMAN),
    _length("name_for_model", targets.MANIFEST_NAME_FOR_MODEL),
    _length("description_for_human", targets.MANIFEST_DESCRIPTION_FOR_HUMAN),
    _length("description_for_model", targets.MANIFEST_DESCRIPTION_FOR_MODEL),
    _rule("auth", targets.MANIFEST_AUTH, _auth),
    _rule("api", targets.MANIFEST_API, _api),
    _rule("document-inlined", targets.MANIFEST_API, _inlined),
    _rule("boolean", targets.MANIFEST_BOOLEAN, _booleans),
    _rule("address", targets.MANIFEST_URL, _no_address),
    _rule("tls", targets.MANIFEST_TLS, _no_tls),
    _rule("domain", targets.MANIFEST_DOMAIN, _elsewhere),
    _rule("email", targets.MANIFEST_EMAIL, _no_email),
    _rule("legal-page", targets.MANIFEST_PAGE, _no_page),
    _rule("key-unknown", targets.MANIFEST_KEYS, _unknown_keys, Level.WARNING),
    _rule("name-letters", targets.MANIFEST_NAME_LETTERS, _odd_name, Level.WARNING),
    _advice(
        "short-name",
        "name_for_human",
        targets.MANIFEST_NAME_FOR_HUMAN_ADVICE,
        targets.MANIFEST_NAME_FOR_HUMAN,
    ),
    _advice(
        "short-description",
        "description_for_human",
        targets.MANIFEST_DESCRIPTION_FOR_HUMAN_ADVICE,
        targets.MANIFEST_DESCRIPTION_FOR_HUMAN,
    ),
)

"""Where an operation wants its credential, and what to put there: right, wrong, or nothing."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from plugin.contract.operation import Contract, Operation
from plugin.contract.requests.request import Request
from plugin.harness.formats.format import mapping

REFUSED = (401, 403)
"""How a credential is turned away: not known (401), or not enough (403)."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One way to come to the gate. `text` is None for nobody; `expected` are the right statuses."""

    case: str
    text: str | None
    expected: tuple[int, ...] = REFUSED


@dataclass(frozen=True, slots=True)
class Place:
    """Where a credential stands in a request: `bearer`, `basic`, or a named place."""

    kind: str
    name: str = "authorization"

    def put(self, request: Request, credential: str) -> Request:
        """The request with the credential in this place."""
        match self.kind:
            case "bearer":
                return _with_header(request, "authorization", f"Bearer {credential}")
            case "basic":
                packed = (
                    b64encode(credential.encode()).decode() if ":" in credential else credential
                )
                return _with_header(request, "authorization", f"Basic {packed}")
            case "query":
                pair = f"{quote(self.name, safe='')}={quote(credential, safe='')}"
                return replace(request, query="&".join(filter(None, [request.query, pair])))
            case "cookie":
                return _with_header(request, "cookie", f"{self.name}={quote(credential, safe='')}")
            case _:
                return _with_header(request, self.name.lower(), credential)


BEARER = Place("bearer")


def places(contract: Contract, operation: Operation) -> tuple[Place, ...]:
    """Where an operation wants its credential; none for an operation that is open to everybody.

    Of several ways to authenticate the first that is known is taken.
    """
    components = mapping(contract.document.get("components"))
    schemes = mapping(components.get("securitySchemes"))
    if any(not requirement for requirement in operation.security):
        return ()  # the document says that nothing is needed
    for requirement in operation.security:
        found = [_place(mapping(schemes.get(name))) for name in requirement]
        if all(found):
            return tuple(place for place in found if place is not None)
    return (BEARER,) if operation.security else ()


def _place(scheme: Mapping[str, Any]) -> Place | None:
    match scheme.get("type"):
        case "http" if str(scheme.get("scheme")).lower() in ("bearer", "basic"):
            return Place(str(scheme["scheme"]).lower())
        case "oauth2" | "openIdConnect":
            return BEARER
        case "apiKey" if scheme.get("in") in ("header", "query", "cookie"):
            return Place(str(scheme["in"]), str(scheme.get("name")))
        case _:
            return None


def _with_header(request: Request, name: str, value: str) -> Request:
    return replace(request, headers=(*request.headers, (name, value)))

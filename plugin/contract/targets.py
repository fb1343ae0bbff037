"""Every outside limit and demand, with its source and date, and the targets of tools and lint."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

Target = Literal["openai", "openai-strict", "responses", "anthropic", "mcp"]

TARGETS: tuple[Target, ...] = ("openai", "openai-strict", "responses", "anthropic", "mcp")

LINT_TARGETS = ("actions", "manifest", *TARGETS)
"""The doors that `plugin lint` knows the demands of."""

_READ = date(2026, 11, 23)


@dataclass(frozen=True, slots=True)
class Limit:
    """A number that somebody else has set. `as_of` is the day on which the source was last read.

    `firm` limits are enforced by the other side; the others are advice, or what a community
    measured.
    """

    number: int
    unit: str
    source: str
    as_of: date = _READ
    firm: bool = True


@dataclass(frozen=True, slots=True)
class Demand:
    """Something that somebody else has set and that is no number: `words` say what is allowed."""

    words: str
    source: str
    as_of: date = _READ
    firm: bool = True


_OPENAPI = "OpenAPI specification 3.1"
_OPENAI_TOOLS = "OpenAI API reference, function tools"
_OPENAI_STRICT = "OpenAI guide, structured outputs: supported schemas"
_ANTHROPIC = "Anthropic API reference, tools"
_ACTIONS = "OpenAI guide, GPT Actions: production notes"
_MCP = "Model Context Protocol specification 2026-07-28, tools"
_MANIFEST = "OpenAI guide, ai-plugin.json (2023)"
_GITHUB = "GitHub REST API: its error for a longer body, as users report it"
_OURS = "this project: small tool lists"
_ADVICE = "this project: what models need"

PORTABLE_NAME = Limit(64, "characters of [A-Za-z0-9_-]", _OPENAI_TOOLS)

OPENAI_TOOLS = Limit(128, "tools in one request", _OPENAI_TOOLS)
OPENAI_DESCRIPTION = Limit(1_024, "characters", _OPENAI_TOOLS, firm=False)

STRICT_PROPERTIES = Limit(5_000, "properties in one schema", _OPENAI_STRICT)
STRICT_DEPTH = Limit(10, "levels of nesting", _OPENAI_STRICT)
STRICT_ENUM_VALUES = Limit(1_000, "enum values in one schema", _OPENAI_STRICT)
STRICT_LONG_ENUM = Limit(250, "values, above which an enum of text is long", _OPENAI_STRICT)
STRICT_LONG_ENUM_TEXT = Limit(15_000, "characters in a long enum", _OPENAI_STRICT)
STRICT_TEXT = Limit(120_000, "characters of names, enum values and consts", _OPENAI_STRICT)

STRICT_SUBSET = Demand("the subset of JSON Schema that strict mode knows", _OPENAI_STRICT)

ANTHROPIC_NAME = Limit(64, "characters of [A-Za-z0-9_-]", _ANTHROPIC)
ANTHROPIC_STRICT_TOOLS = Limit(20, "strict tools in one request", _ANTHROPIC)
ANTHROPIC_STRICT_OPTIONAL = Limit(24, "optional parameters of strict tools", _ANTHROPIC)
ANTHROPIC_STRICT_UNIONS = Limit(16, "parameters of more than one type", _ANTHROPIC)
ANTHROPIC_STRICT_RECURSION = Demand("no recursion in strict tools", _ANTHROPIC)
ANTHROPIC_STRICT_BOUNDS = Demand("no minimum or maximum in strict tools", _ANTHROPIC)

MCP_NAME = Limit(128, "characters of [A-Za-z0-9_.-]", _MCP, firm=False)
MCP_OUTPUT_SCHEMA = Limit(4_096, "bytes of one outputSchema as compact JSON", _OURS, firm=False)
"""Above this a tool is listed without its outputSchema: clients read every one of them at each
listing, while the answer itself is checked where the call is made."""
MCP_ANNOTATIONS = Demand("hints for a call that changes something", _MCP, firm=False)

ACTIONS_SECONDS = Limit(45, "seconds in one round trip", _ACTIONS)
ACTIONS_PAYLOAD = Limit(100_000, "characters in a request, and in a response", _ACTIONS)
ACTIONS_DESCRIPTION = Limit(300, "characters of an endpoint's summary or description", _ACTIONS)
ACTIONS_PARAMETER = Limit(700, "characters of a parameter's description", _ACTIONS)
ACTIONS_OPERATIONS = Limit(30, "operations in one document", "community reports", firm=False)
ACTIONS_DOCUMENT = Limit(1_000_000, "bytes of one document", "community reports", firm=False)
ACTIONS_TLS = Demand("https on port 443, TLS 1.2 or later", _ACTIONS)
ACTIONS_HEADERS = Demand("no custom headers", _ACTIONS)
ACTIONS_AUTH = Demand("one kind of authentication, and open endpoints", _ACTIONS)
ACTIONS_TEXT = Demand("text only", _ACTIONS)
ACTIONS_CONSEQUENTIAL = Demand("x-openai-isConsequential: true or false", _ACTIONS, firm=False)

MANIFEST_NAME_FOR_HUMAN = Limit(50, "characters", _MANIFEST)
MANIFEST_NAME_FOR_HUMAN_ADVICE = Limit(20, "characters", _MANIFEST, firm=False)
MANIFEST_NAME_FOR_MODEL = Limit(50, "characters", _MANIFEST)
MANIFEST_DESCRIPTION_FOR_HUMAN = Limit(120, "characters", _MANIFEST)
MANIFEST_DESCRIPTION_FOR_HUMAN_ADVICE = Limit(100, "characters", _MANIFEST, firm=False)
MANIFEST_DESCRIPTION_FOR_MODEL = Limit(8_000, "characters", _MANIFEST)
MANIFEST_NAME_LETTERS = Demand(
    # the guide says letters and numbers alone; so many manifests use _ that it passes here
    "letters and numbers (and _, which is let pass)",
    _MANIFEST,
    firm=False,
)
MANIFEST_JSON = Demand("JSON", _MANIFEST)
MANIFEST_VERSION = Demand("v1", _MANIFEST)
MANIFEST_KEYS = Demand("the ten keys of the format", _MANIFEST)
MANIFEST_TEXT = Demand("text", _MANIFEST)
MANIFEST_AUTH = Demand("none, service_http, user_http or oauth, with its settings", _MANIFEST)
MANIFEST_API = Demand('{"type": "openapi", "url": …}', _MANIFEST)
MANIFEST_BOOLEAN = Demand("true or false", _MANIFEST)
MANIFEST_URL = Demand("an absolute address", _MANIFEST)
MANIFEST_TLS = Demand("https", _MANIFEST)
MANIFEST_DOMAIN = Demand("the domain of the manifest or a subdomain", _MANIFEST)
MANIFEST_EMAIL = Demand("an e-mail address", _MANIFEST)
MANIFEST_PAGE = Demand("the address of a page", _MANIFEST)

OPENAPI_VALID = Demand("what OpenAPI allows", _OPENAPI)
ABSOLUTE_SERVER = Demand("an absolute server address", _ADVICE, firm=False)
OPERATION_ID = Demand("an operationId, so that a name stays", _ADVICE, firm=False)
OPENAPI_IDS = Demand("an operationId that no other operation has", _OPENAPI)
DESCRIBED = Demand("a summary or a description", _ADVICE, firm=False)

GITHUB_COMMENT = Limit(65_536, "characters of a comment", _GITHUB)

DESCRIPTION: Mapping[Target, Limit] = {
    "openai": OPENAI_DESCRIPTION,
    "openai-strict": OPENAI_DESCRIPTION,
    "responses": OPENAI_DESCRIPTION,
    # Neither sets a limit: the tightest of the others keeps one tool list good for every door.
    "anthropic": OPENAI_DESCRIPTION,
    "mcp": OPENAI_DESCRIPTION,
}
"""How long a tool's description may be, by target."""

"""OpenTelemetry's names for what the endpoints of the GPT API do."""

_OPERATIONS = (
    ("chat/completions", "chat"),
    ("completions", "text_completion"),
    ("embeddings", "embeddings"),
    ("edits", "edit"),
    ("moderations", "moderation"),
)
"""The end of a route's path, and the name (gen_ai.operation.name)."""


def operation_of(path: str | None) -> str | None:
    """Return the name for a route's path; None where the conventions have none."""
    for end, name in _OPERATIONS:
        if path is not None and path.endswith(end):
            return name
    return "image_generation" if path is not None and "/images/" in path else None

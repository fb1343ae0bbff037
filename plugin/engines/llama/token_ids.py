"""Texts that come as token ids, in the vocabulary of the model that reads them."""

from collections.abc import Sequence
from typing import Any

from plugin.errors import InvalidRequest

Prompt = str | Sequence[int]


def are_token_ids(value: Any) -> bool:
    """Whether a value of a request is a list of token ids, and not an empty one."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(type(item) is int for item in value)  # a boolean is no token
    )


def check_known(tokens: Sequence[int], vocabulary: int, name: str) -> None:
    """Raise `InvalidRequest` for ids beyond a `vocabulary`; `name` says where they stand."""
    if not 0 <= min(tokens) <= max(tokens) < vocabulary:
        raise InvalidRequest(
            f"{name} has token ids that the embedded model does not know; its own go from 0 to "
            f"{vocabulary - 1}. If your SDK counts in OpenAI's tokens, let it send texts "
            "(langchain-openai: check_embedding_ctx_length=False).",
            param=name.partition("[")[0],
        )

import pytest

from plugin.api.v1.operation_names import operation_of


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/chat/completions", "chat"),
        ("/v1/completions", "text_completion"),
        ("/v1/engines/{engine}/completions", "text_completion"),
        ("/v1/embeddings", "embeddings"),
        ("/v1/edits", "edit"),
        ("/v1/images/generations", "image_generation"),
        ("/v1/moderations", "moderation"),
        ("/v1/models", None),
        (None, None),
    ],
)
def test_what_an_endpoint_does(path: str | None, operation: str | None) -> None:
    assert operation_of(path) == operation

import pytest

from plugin.masking import masked_address, without_user


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://example.com/v1?key=s3cret", "https://example.com/v1?key=***"),
        ("https://example.com?a=s3cret&b=&c", "https://example.com?a=***&b=***&***"),
        ("https://example.com/?s3cret", "https://example.com/?***"),
        ("https://example.com/#s3cret", "https://example.com/#***"),
        ("https://example.com/?a=s3cret#s3cret?b=s3cret", "https://example.com/?a=***#***"),
        ("https://example.com/#s3cret?b=s3cret", "https://example.com/#***"),
        ("https://ann:s3cret@example.com:8000/v1", "https://***@example.com:8000/v1"),
        ("https://s3cret@example.com", "https://***@example.com"),
        ("https://ann:s3cret@s3cret@example.com", "https://***@example.com"),
        ("https://ann:s3/cret@example.com/v1", "https://***@example.com/v1"),
        ("https://ann:s3?cret@example.com", "https://***@example.com"),
        ("https://ann:s3#cret@example.com", "https://***@example.com"),
        ("ann:s3cret@example.com", "***@example.com"),
        ("ftp://ann:s3cret@[::1]:21/x", "ftp://***@[::1]:21/x"),
        ("http://[::1]:9000/v1", "http://[::1]:9000/v1"),
        ("https://example.com:443/@scope/name", "https://example.com:443/@scope/name"),
        ("https://example.com/v1", "https://example.com/v1"),
        ("nothing", "nothing"),
        ("", ""),
    ],
)
def test_what_an_address_holds_is_not_shown(address: str, shown: str) -> None:
    assert masked_address(address) == shown
    assert "cret" not in masked_address(address)
    assert masked_address(shown) == shown


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("https://ann:s3cret@example.com:8000/v1", "https://example.com:8000/v1"),
        ("https://ann@[::1]/", "https://[::1]/"),
        ("https://example.com/@x", "https://example.com/@x"),
    ],
)
def test_callers_are_told_no_user(address: str, plain: str) -> None:
    assert without_user(address) == plain
